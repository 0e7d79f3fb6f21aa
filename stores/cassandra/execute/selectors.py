"""Selectors: columns, fields, elements and slices of them, writetime and ttl."""

import struct

from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import BIGINT, INT, list_of
from stores.cassandra.execute.rows import cell_reader, field_path, is_complex, live_cells, reader
from stores.cassandra.execute.terms import Expression, Receiver, compiles
from stores.cassandra.results import UNSET
from stores.cassandra.types.collections import length_prefixed


@compiles(nodes.Column)
def _column(compiler, node, receiver, selecting):
    column = compiler.table.column(node.name)
    compiler.used[column.name] = column
    read = reader(compiler.table, column)
    # A group without rows, as of count(*) over nothing, has no first row either.
    return Expression(column.type, lambda env: None if env.row is None else read(env.row))


@compiles(nodes.FieldOf)
def _field(compiler, node, receiver, selecting):
    inner = compiler.compile(node.selector, None, selecting)
    if inner.type.kind != "udt":
        raise InvalidRequest(f"Invalid field selection: {node.selector} of type {inner.type} is not a user type")
    if node.field not in inner.type.names:
        raise InvalidRequest(f"{node.selector} of type {inner.type} has no field {node.field}")
    place, unpack, evaluate = inner.type.names.index(node.field), inner.type.unpack, inner.evaluate

    def field(env):
        value = evaluate(env)
        if value is None:
            return None
        fields = unpack(value)
        return fields[place] if place < len(fields) else None

    return Expression(inner.type.elements[place], field, inner.aggregate)


def _collection(compiler, node, what, selecting):
    inner = compiler.compile(node.selector, None, selecting)
    if inner.type.kind == "list":
        raise InvalidRequest(f"{what.capitalize()} selection is only allowed on sets and maps, but {node.selector} is a list")
    if inner.type.kind not in ("set", "map"):
        verb = "is " if what == "element" else ""
        raise InvalidRequest(f"Invalid {what} selection: {node.selector} {verb}of type {inner.type} is not a collection")
    return inner


@compiles(nodes.ElementOf)
def _element(compiler, node, receiver, selecting):
    inner = _collection(compiler, node, "element", selecting)
    type_, evaluate = inner.type, inner.evaluate
    is_map = type_.kind == "map"
    wanted = compiler.compile(node.key, Receiver(f"{'key' if is_map else 'value'}({node.selector})", type_.elements[0])).evaluate

    def element(env):
        value, key = evaluate(env), wanted(env)
        if key is None or key is UNSET:
            raise InvalidRequest(f"Invalid {'null' if key is None else 'unset'} value for element selection on {node.selector}")
        if value is None:
            return None
        if is_map:
            return next((item for each, item in type_.unpack(value) if each == key), None)
        return key if key in type_.unpack(value) else None

    return Expression(type_.elements[-1], element, inner.aggregate)


@compiles(nodes.SliceOf)
def _slice(compiler, node, receiver, selecting):
    inner = _collection(compiler, node, "slice", selecting)
    type_, evaluate = inner.type, inner.evaluate
    is_map, sort_key = type_.kind == "map", type_.elements[0].sort_key
    target = Receiver(f"{'key' if is_map else 'value'}({node.selector})", type_.elements[0])
    ends = [None if end is None else compiler.compile(end, target).evaluate for end in (node.start, node.end)]

    def part(env):
        value = evaluate(env)
        low, high = (None if end is None else end(env) for end in ends)
        if value is None:
            return None
        low, high = (None if bound is None or bound is UNSET else sort_key(bound) for bound in (low, high))
        kept = []
        for item in type_.unpack(value):
            key = sort_key(item[0] if is_map else item)
            if (low is None or key >= low) and (high is None or key <= high):
                kept.append(item)
        return type_.pack(kept) if kept or not type_.is_multicell else None

    return Expression(type_, part, inner.aggregate)


@compiles(nodes.WritetimeOrTtl)
def _writetime(compiler, node, receiver, selecting):
    base = node.selector
    while not isinstance(base, nodes.Column):
        base = base.selector
    column = compiler.table.column(base.name)
    compiler.used[column.name] = column
    if column.is_key:
        raise InvalidRequest(f"Cannot use selection function {node.function} on PRIMARY KEY part {column.name}")
    is_ttl = node.function == "ttl"
    number = INT if is_ttl else BIGINT
    cells = cell_reader(column)

    def time_of(cell, now):
        if cell is None or not cell.alive(now):
            return None
        if is_ttl:
            return number.serialize(cell.expires - now) if cell.ttl else None
        return number.serialize(cell.timestamp)

    if not is_complex(column):
        return Expression(number, lambda env: None if env.row is None else time_of(cells(env.row), env.row.now))
    if column.type.kind == "native" or node.function == "maxwritetime":
        return Expression(number, _latest(cells, time_of))
    path = _path(compiler, node.selector, column)
    if path is not None:

        def of_one(env):
            each = env.row and cells(env.row)
            return time_of(each.cells.get(path(env)), env.row.now) if each else None

        return Expression(number, of_one)
    return Expression(list_of(number), _of_all(compiler, node.selector, column, cells, time_of))


def _latest(cells, time_of):
    def latest(env):
        each = env.row and cells(env.row)
        alive = [cell for cell in each.cells.values() if cell.alive(env.row.now)] if each else []
        return time_of(max(alive), env.row.now) if alive else None

    return latest


def _path(compiler, selector, column):
    """Return the function that gives the path of one element or field, or None when the selector means many."""
    if isinstance(selector, nodes.FieldOf) and column.type.kind == "udt":
        if selector.field not in column.type.names:
            raise InvalidRequest(f"{selector.selector} of type {column.type} has no field {selector.field}")
        path = field_path(column.type.names.index(selector.field))
        return lambda env: path
    if isinstance(selector, nodes.ElementOf):
        return compiler.compile(selector.key, Receiver(f"key({column.name})", column.type.elements[0])).evaluate
    return None


def _of_all(compiler, selector, column, cells, time_of):
    """Return the function that lists the times of all elements, or of those in a slice."""
    type_ = column.type
    ends = [None, None]
    if isinstance(selector, nodes.SliceOf):
        target = Receiver(f"key({column.name})", type_.elements[0])
        ends = [None if end is None else compiler.compile(end, target).evaluate for end in (selector.start, selector.end)]

    def all_times(env):
        each = env.row and cells(env.row)
        if not each:
            return None
        now = env.row.now
        if type_.kind == "udt":
            found = [each.cells.get(field_path(i)) for i in range(len(type_.elements))]
            return _packed([time_of(cell, now) for cell in found]) if any(found) else None
        key = type_.elements[0].sort_key if type_.kind in ("set", "map") else None
        low, high = (None if end is None else key(end(env)) for end in ends)
        found = [
            time_of(cell, now)
            for path, cell in live_cells(type_, each, now)
            if (low is None or key(path) >= low) and (high is None or key(path) <= high)
        ]
        return _packed(found) if found else None

    return all_times


def _packed(times):
    """Return a list of serialised numbers as one value; here, and nowhere else, lists hold nulls."""
    return struct.pack(">i", len(times)) + b"".join(map(length_prefixed, times))
