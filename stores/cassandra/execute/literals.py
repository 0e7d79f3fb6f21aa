"""Literals of lists, sets, maps, tuples, user types and vectors."""

from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import list_of, map_of, set_of, tuple_of
from stores.cassandra.execute.terms import Expression, Receiver, compiles
from stores.cassandra.results import UNSET


def _infer(compiler, node, selecting):
    """Return the type of a literal that nothing receives."""
    kind, items = type(node), getattr(node, "items", ())
    if kind is nodes.TupleLiteral:
        found = [compiler.inferred(item, selecting) for item in items]
        if None not in found:
            return tuple_of(found)
    elif kind is nodes.MapLiteral:
        pair = [compiler.inferred(side, selecting) for side in node.entries[0]]
        if None not in pair:
            return map_of(*pair)
    elif kind in (nodes.ListLiteral, nodes.SetLiteral) and items:
        found = compiler.inferred(items[0], selecting)
        if found is not None:
            return list_of(found) if kind is nodes.ListLiteral else set_of(found)
    raise InvalidRequest(f"Cannot infer type for term {node} in selection clause (try using a cast to force a type)")


def _part(compiler, node, receiver, selecting, error):
    """Compile one element; `error` says what is wrong when it does not fit."""
    if isinstance(node, nodes.BindMarker) or compiler.fits(node, receiver, selecting):
        return compiler.compile(node, receiver, selecting)
    raise InvalidRequest(error)


def _packed(type_, parts, nulls=False):
    """Return the expression that packs the values of `parts`."""
    evaluates, what = [each.evaluate for each in parts], "vectors" if type_.kind == "vector" else "collections"

    def evaluate(env):
        values = [each(env) for each in evaluates]
        if UNSET in values:
            raise InvalidRequest(f"Invalid unset value for {type_.kind}")
        if not nulls and None in values:
            raise InvalidRequest(f"null is not supported inside {what}")
        return type_.pack(values)

    return Expression(type_, evaluate, any(each.aggregate for each in parts))


@compiles(nodes.ListLiteral)
def _list(compiler, node, receiver, selecting):
    receiver = receiver or Receiver("?", _infer(compiler, node, selecting))
    name, type_ = receiver
    if type_.kind == "vector":
        if len(node.items) != type_.dimension:
            raise InvalidRequest(
                f"Invalid vector literal for {name} of type {type_}; expected {type_.dimension} elements, but given {len(node.items)}"
            )
    elif type_.kind != "list":
        raise InvalidRequest(f"Unexpected receiver type '{type_}'; only list and vector are expected")
    element = type_.elements[0]
    parts = [
        _part(
            compiler,
            item,
            Receiver(f"value({name})", element),
            selecting,
            f"Invalid {type_.kind} literal for {name}: value {item} is not of type {element}",
        )
        for item in node.items
    ]
    return _packed(type_, parts)


@compiles(nodes.SetLiteral)
def _set(compiler, node, receiver, selecting):
    receiver = receiver or Receiver("?", _infer(compiler, node, selecting))
    name, type_ = receiver
    if not node.items and type_.kind in ("map", "udt"):  # {}
        return _packed(type_, []) if type_.kind == "map" else _fields(compiler, name, type_, {}, selecting)
    if type_.kind != "set":
        raise InvalidRequest(f"Invalid set literal for {name} of type {type_}")
    element = type_.elements[0]
    parts = [
        _part(
            compiler,
            item,
            Receiver(f"value({name})", element),
            selecting,
            f"Invalid set literal for {name}: value {item} is not of type {element}",
        )
        for item in node.items
    ]
    return _packed(type_, parts)


@compiles(nodes.MapLiteral)
def _map(compiler, node, receiver, selecting):
    receiver = receiver or Receiver("?", _infer(compiler, node, selecting))
    name, type_ = receiver
    if type_.kind != "map":
        raise InvalidRequest(f"Invalid map literal for {name} of type {type_}")
    key_type, value_type = type_.elements
    keys, values = [], []
    for key, value in node.entries:
        keys.append(
            _part(
                compiler,
                key,
                Receiver(f"key({name})", key_type),
                selecting,
                f"Invalid map literal for {name}: key {key} is not of type {key_type}",
            )
        )
        values.append(
            _part(
                compiler,
                value,
                Receiver(f"value({name})", value_type),
                selecting,
                f"Invalid map literal for {name}: value {value} is not of type {value_type}",
            )
        )

    def evaluate(env):
        entries = [(key.evaluate(env), value.evaluate(env)) for key, value in zip(keys, values, strict=True)]
        for entry in entries:
            if entry[0] is UNSET:
                raise InvalidRequest("unset value is not supported for map keys")
            if None in entry:
                raise InvalidRequest("null is not supported inside collections")
        return type_.pack([entry for entry in entries if UNSET not in entry])

    return Expression(type_, evaluate, any(each.aggregate for each in (*keys, *values)))


@compiles(nodes.TupleLiteral)
def _tuple(compiler, node, receiver, selecting):
    if receiver is None:
        receiver = Receiver("?", _infer(compiler, node, selecting))
    name, type_ = receiver
    if type_.kind != "tuple":
        if len(node.items) == 1:  # a term in parentheses
            return compiler.compile(node.items[0], receiver, selecting)
        raise InvalidRequest(f"Invalid tuple type literal for {name} of type {type_}")
    wanted = type_.elements
    if len(node.items) > len(wanted):
        raise InvalidRequest(
            f"Invalid tuple literal for {name}: too many elements. Type {type_} expects {len(wanted)} but got {len(node.items)}"
        )
    parts = [
        _part(
            compiler,
            item,
            Receiver(f"{name}[{i}]", element),
            selecting,
            f"Invalid tuple literal for {name}: component {i} is not of type {element}",
        )
        for i, (item, element) in enumerate(zip(node.items, wanted, strict=False))
    ]
    return _packed(type_, parts, nulls=True)


@compiles(nodes.UserTypeLiteral)
def _user_type(compiler, node, receiver, selecting):
    if receiver is None:
        raise InvalidRequest(f"Cannot infer type for term {node} in selection clause (try using a cast to force a type)")
    name, type_ = receiver
    if type_.kind != "udt":
        raise InvalidRequest(f"Invalid user type literal for {name} of type {type_}")
    return _fields(compiler, name, type_, dict(node.fields), selecting)


def _fields(compiler, name, type_, given, selecting):
    for field in given:
        if field not in type_.names:
            raise InvalidRequest(f"Unknown field '{field}' in value of user defined type {type_.name}")
    null = Expression(None, lambda env: None)
    parts = [
        _part(
            compiler,
            given[field],
            Receiver(f"{name}.{field}", element),
            selecting,
            f"Invalid user type literal for {name}: field {field} is not of type {element}",
        )
        if field in given
        else null
        for field, element in zip(type_.names, type_.elements, strict=True)
    ]
    return _packed(type_, parts, nulls=True)
