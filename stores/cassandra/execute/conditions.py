"""The IF of INSERT, UPDATE and DELETE: conditions on the row as it is."""

from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import INT, list_of
from stores.cassandra.execute.ranges import COMPARE
from stores.cassandra.execute.rows import reader
from stores.cassandra.relations import SLICES, refuse
from stores.cassandra.results import UNSET
from stores.cassandra.schema import REGULAR, STATIC


class Conditions:
    """IF EXISTS, IF NOT EXISTS, or IF with conditions on columns.

    `columns` lists the columns in question. `hold(env, row)` takes a RowView, or None where there is no row.
    """

    def __init__(self, compiler, conditions, if_exists, if_not_exists):
        self.if_exists = if_exists
        self.if_not_exists = if_not_exists
        self.columns, self._tests = [], []
        for condition in conditions:
            column = compiler.table.column(condition.column)
            refuse(column.is_key, f"PRIMARY KEY column '{column.name}' cannot have IF conditions")
            refuse(column.type.cql_name == "counter", "Conditions on counters are not supported")
            if column not in self.columns:
                self.columns.append(column)
            self._tests.append(_test(compiler, column, condition))

    @property
    def on_existence(self):
        return self.if_exists or self.if_not_exists

    @property
    def on_regular(self):
        return any(column.kind == REGULAR for column in self.columns)

    @property
    def on_static(self):
        return any(column.kind == STATIC for column in self.columns)

    def hold(self, env, row):
        if self.if_not_exists:
            return row is None
        if self.if_exists:
            return row is not None
        return all([test(env, row) for test in self._tests])  # a list: each checks its own values


def _test(compiler, column, condition):
    """Return the function (env, row) for one condition."""
    operator, value, name = condition.operator, condition.value, column.name
    read, type_ = _subject(compiler, column, condition)
    if operator.startswith("CONTAINS"):
        return _contains(compiler, column, operator, value, read)
    refuse(operator not in ("=", "!=", "IN", *SLICES), f"Unsupported condition: {name} {operator} {value}")
    if operator in SLICES:
        _refuse_durations(type_, operator)
    if operator == "IN":
        return _choice(compiler, name, value, type_, read)
    evaluate = compiler.value(value, name, type_)

    def test(env, row):
        found, wanted = read(env, row), evaluate(env)
        refuse(wanted is UNSET, "Invalid 'unset' value in condition")
        if operator in ("=", "!="):
            return same(type_, found, wanted) == (operator == "=")
        refuse(wanted is None, f'Invalid comparison with null for operator "{operator}"')
        return found is not None and COMPARE[operator](type_.sort_key(found), type_.sort_key(wanted))

    return test


def _subject(compiler, column, condition):
    """Return the function (env, row) that reads what the condition is about, and its type."""
    type_, name = column.type, column.name
    whole = reader(compiler.table, column)

    def read(env, row):
        return None if row is None else whole(row)

    if condition.element is not None:
        refuse(type_.kind not in ("list", "set", "map"), f"Invalid element access syntax for non-collection column {name}")
        refuse(type_.kind == "set", f"Invalid element access syntax for set column {name}")
        is_list = type_.kind == "list"
        key = compiler.value(condition.element, f"{'idx' if is_list else 'key'}({name})", INT if is_list else type_.elements[0])

        def element(env, row):
            wanted, value = key(env), read(env, row)
            refuse(wanted is None, f"Invalid null value for {type_.kind} element access")
            refuse(wanted is UNSET, "Invalid 'unset' value in condition")
            items = [] if value is None else type_.unpack(value)
            if not is_list:
                return dict(items).get(wanted)
            index = INT.deserialize(wanted)
            refuse(index < 0, f"Invalid negative list index {index}")
            return items[index] if index < len(items) else None

        return element, type_.elements[-1]
    if condition.field is not None:
        refuse(type_.kind != "udt" or condition.field not in type_.names, f"Unknown field {condition.field} for column {name}")
        place = type_.names.index(condition.field)

        def field(env, row):
            value = read(env, row)
            return None if value is None else type_.unpack(value)[place]

        return field, type_.elements[place]
    return read, type_


def same(type_, one, other):
    """Return whether two values are equal; a collection of many cells without any is null."""
    if type_.kind in ("list", "set", "map") and type_.is_multicell:
        one, other = (None if value is not None and not type_.unpack(value) else value for value in (one, other))
    if one is None or other is None:
        return one is other
    return type_.sort_key(one) == type_.sort_key(other)


def _choice(compiler, name, value, type_, read):
    if isinstance(value, nodes.InValues):
        each = [compiler.value(item, name, type_) for item in value.items]

        def values(env):
            return [found for evaluate in each if (found := evaluate(env)) is not UNSET]

    else:
        whole = list_of(type_)
        evaluate = compiler.value(value, f"in({name})", whole)

        def values(env):
            packed = evaluate(env)
            refuse(packed is None, "Invalid null list in IN condition")
            refuse(packed is UNSET, "Invalid 'unset' value in condition")
            return whole.unpack(packed)

    return lambda env, row: any(same(type_, read(env, row), wanted) for wanted in values(env))


def _contains(compiler, column, operator, value, read):
    type_, name = column.type, column.name
    is_key = operator == "CONTAINS KEY"
    refuse(is_key and type_.kind != "map", f"Cannot use CONTAINS KEY on non-map column {name}")
    refuse(type_.kind not in ("list", "set", "map"), f"Cannot use CONTAINS on non-collection column {name}")
    element, is_map = type_.elements[0] if is_key else type_.elements[-1], type_.kind == "map"
    evaluate = compiler.value(value, f"{'key' if is_key else 'value'}({name})", element)

    def test(env, row):
        wanted, found = evaluate(env), read(env, row)
        refuse(wanted is UNSET, "Invalid 'unset' value in condition")
        refuse(wanted is None, f'Invalid comparison with null for operator "{operator}"')
        items = [] if found is None else type_.unpack(found)
        return any((item[0 if is_key else 1] if is_map else item) == wanted for item in items)

    return test


def _refuse_durations(type_, operator):
    def is_duration(each):
        return each.cql_name == "duration"

    if is_duration(type_):
        raise InvalidRequest(f"Slice conditions ( {operator} ) are not supported on durations")
    if type_.mentions(is_duration):
        kind = {"tuple": "tuples", "udt": "UDTs"}.get(type_.kind, "collections")
        raise InvalidRequest(f"Slice conditions are not supported on {kind} containing durations")
