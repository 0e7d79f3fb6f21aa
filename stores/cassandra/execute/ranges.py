"""Restrictions with their bound values: partition keys or a range of the ring, slices of rows, and filters."""

import itertools
from typing import NamedTuple

from stores.cassandra import murmur3
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.rows import reader
from stores.cassandra.relations import refuse
from stores.cassandra.results import UNSET
from stores.cassandra.schema import sort_key
from stores.cassandra.storage import END, EVERYTHING, HIGH, START
from stores.cassandra.store import number

LONGEST_KEY = 65535
COMPARE = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Selected(NamedTuple):
    """What a WHERE clause selects. `keys` are (token, key), or None for the ring from `start` to `end`.

    `filters` are functions from a RowView to whether it is wanted.
    """

    keys: tuple | None
    start: tuple | None
    end: tuple | None
    slices: tuple
    filters: list


def checked(name, value):
    """Return a value that has to exist, or raise InvalidRequest."""
    if value is None:
        raise InvalidRequest(f"Invalid null value in condition for column {name}")
    if value is UNSET:
        raise InvalidRequest(f"Invalid unset value for column {name}")
    return value


def decorated(values):
    """Return (token, key) of a partition key's serialised values, or raise InvalidRequest."""
    if len(values) == 1:
        refuse(values[0] == b"", "Key may not be empty")
        length = len(values[0])
    else:
        length = sum(len(value) + 3 for value in values)
    refuse(length > LONGEST_KEY, f"Key length of {length} is longer than maximum of {LONGEST_KEY}")
    return murmur3.token_of(values), tuple(values)


def selector(restrictions):
    """Return the function from an Env to what the restrictions select."""
    table = restrictions.table
    by_slice, slices = _slicer(restrictions)
    left = [column.name for column in table.clustering if column.name in restrictions.restricted and column.name not in by_slice]
    filters = _filters(restrictions, [*left, *(name for name in restrictions.filtered if name not in (*left, *by_slice))])
    keys = None if restrictions.key_range else key_lister(restrictions)

    def select(env):
        start, end = _token_range(restrictions.token, env)
        found = None if keys is None else keys(env)
        if found is not None and restrictions.token:
            found = tuple(place for place in found if (start is None or place >= start) and (end is None or place < end))
        return Selected(found, start, end, slices(env), [make(env) for make in filters])

    return select


def key_lister(restrictions):
    """Return the function from an Env to the (token, key) pairs that = and IN name, sorted by value."""
    columns = restrictions.table.partition_key
    equal, among = restrictions.equal, restrictions.among

    def values_of(column, env):
        if column.name in equal:
            return [checked(column.name, equal[column.name](env))]
        values = {checked(column.name, value) for value in among[column.name](env)}
        return sorted(values, key=column.type.sort_key)

    if all(column.name in equal for column in columns):  # nearly always
        named = [(column.name, equal[column.name]) for column in columns]
        return lambda env: (decorated([checked(name, evaluate(env)) for name, evaluate in named]),)
    return lambda env: tuple(decorated(key) for key in itertools.product(*(values_of(column, env) for column in columns)))


def _token_range(token, env):
    start = end = None
    for operator, evaluate in token.items():
        value = evaluate(env)
        refuse(value is None, "Invalid null token value")
        refuse(value is UNSET, "Invalid unset value for partition key token")
        value = number(value)
        if operator in ("=", ">="):
            start = (value,)
        elif operator == ">":
            start = (value + 1,)
        # As the end of a range, the smallest token means the end of the ring.
        if operator in ("<", "<=") and value == murmur3.MIN_TOKEN:
            continue
        if operator in ("=", "<="):
            end = (value + 1,)
        elif operator == "<":
            end = (value,)
    return start, end


def _slicer(restrictions):
    """Return the names of the clustering columns that slices decide, and the function from an Env to the slices."""
    columns, keys = restrictions.table.clustering, [sort_key(column) for column in restrictions.table.clustering]
    steps, names, place = [], set(), 0
    while place < len(columns):
        name = columns[place].name
        step = _fixed(restrictions, columns, keys, place)
        if step is None:
            break
        steps.append(step)
        width = len(tuples.columns) if (tuples := restrictions.tuple_on(name)) else 1
        names.update(column.name for column in columns[place : place + width])
        place += width
    last = None
    if place < len(columns):
        last, more = _sliced(restrictions, columns, keys, place)
        names.update(more)
    if not names:
        return names, lambda env: EVERYTHING

    def slices(env):
        prefixes = [()]
        for step in steps:
            prefixes = [prefix + more for prefix in prefixes for more in step(env)]
        ranges = last(env) if last else [(START, END)]
        return tuple((prefix + start, prefix + end) for prefix in prefixes for start, end in ranges)

    return names, slices


def _fixed(restrictions, columns, keys, place):
    """Return the function that gives the sort keys which = or IN allow at this place, or None for another relation."""
    column, key = columns[place], keys[place]
    name = column.name
    if name in restrictions.equal:
        evaluate = restrictions.equal[name]
        return lambda env: [(key(checked(name, evaluate(env))),)]
    if name in restrictions.among:
        evaluate = restrictions.among[name]
        return lambda env: sorted({(key(checked(name, value)),) for value in evaluate(env)})
    tuples = restrictions.tuple_on(name)
    if tuples is None or tuples.is_slice or tuples.columns[0] is not column:
        return None

    return lambda env: sorted({_position(tuples, keys[place:], each) for each in _tuple_values(tuples, env)})


def _tuple_values(restriction, env):
    """Return the tuples that (columns) = or IN allows, none of their values null."""
    names, is_in = restriction.names, restriction.operator == "IN"
    values = restriction.evaluate(env)
    rows = values if is_in else [values]
    for row in rows:
        for name, value in zip(names, row, strict=True):
            refuse(value is None and is_in, f"Invalid null value in condition for columns: [{', '.join(names)}]")
            refuse(value is None, f"Invalid null value for column {name}")
            checked(name, value)
    return [tuple(row) for row in rows]


def _position(restriction, keys, values):
    return tuple(key(checked(name, value)) for name, key, value in zip(restriction.names, keys, values, strict=False))


def _sliced(restrictions, columns, keys, place):
    """Return the function that gives the ranges behind the prefix, and the names of the columns that they decide."""
    name, makers, names = columns[place].name, [], set()
    for side in (restrictions.low, restrictions.high):
        if name in side:
            operator, evaluate = side[name]
            names.add(name)
            makers.append(_slice(restrictions, columns[place:], keys[place], operator, evaluate))
    for restriction in restrictions.tuples:
        if restriction.is_slice and restriction.columns[0].name == name:
            names.update(restriction.names)
            makers.append(lambda env, r=restriction: _beyond(columns[place:], r.operator, _position(r, keys[place:], r.evaluate(env))))
    if not makers:
        return None, names

    def ranges(env):
        found = [(START, END)]
        for make in makers:
            other = make(env)
            found = [(max(a, c), min(b, d)) for a, b in found for c, d in other if max(a, c) < min(b, d)]
        return found

    return ranges, names


def _slice(restrictions, columns, key, operator, evaluate):
    """Return the function that gives the ranges for column < value and so on."""
    name, is_select = columns[0].name, restrictions.statement == "SELECT"

    def ranges(env):
        value = evaluate(env)
        if value is None and is_select:  # null sorts before everything
            return [(START, END)] if operator[0] == ">" else []
        return _beyond(columns, operator, (key(checked(name, value)),))

    return ranges


def _beyond(columns, operator, values):
    """Return the ranges of positions at which the columns compare so to `values`, which are sort keys.

    Columns may be sorted in different directions, then there are several ranges.
    """
    upward, inclusive, ranges = operator[0] == ">", "=" in operator, []
    for place, (column, _) in enumerate(zip(columns, values, strict=False)):
        prefix, here = values[:place], values[: place + 1]
        included = inclusive and place == len(values) - 1
        if upward != column.descending:  # the rows behind
            ranges.append((here if included else (*here, HIGH), (*prefix, HIGH)))
        else:
            ranges.append((prefix, (*here, HIGH) if included else here))
    joined = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _filters(restrictions, names):
    """Return functions from an Env to a filter, for the relations on these columns."""
    table, makers = restrictions.table, []
    for name in dict.fromkeys(names):
        column = table.columns[name]
        read, key = reader(table, column), _compared_by(restrictions, column)
        if name in restrictions.equal:
            makers.append(_comparing(name, read, key, "=", restrictions.equal[name]))
        if name in restrictions.among:
            makers.append(_choosing(name, read, key, restrictions.among[name]))
        for side in (restrictions.low, restrictions.high):
            if name in side:
                makers.append(_comparing(name, read, key, *side[name]))
        for each in restrictions.contains.get(name, ()):
            makers.append(_containing(column, read, each))
    for restriction in restrictions.tuples:
        if any(name in names for name in restriction.names):
            makers.append(_comparing_tuples(table, restriction))
    return makers


def _compared_by(restrictions, column):
    """Return what values of the column are compared by: their order, or how a text is analysed by its index."""
    for index in restrictions.indexes if column.type.cql_name in ("text", "ascii") else ():
        if index.column == column.name and index.is_sai:
            return index.analysed
    return column.type.sort_key


def supported(name, value):
    """Return a value to filter by, or raise InvalidRequest."""
    refuse(value is None, f"Unsupported null value for column {name}")
    refuse(value is UNSET, f"Unsupported unset value for column {name}")
    return value


def _comparing(name, read, key, operator, evaluate):
    compare = COMPARE[operator]

    def make(env):
        wanted = key(supported(name, evaluate(env)))
        return lambda row: (value := read(row)) is not None and compare(key(value), wanted)

    return make


def _choosing(name, read, key, evaluate):
    def make(env):
        wanted = [key(value) for value in evaluate(env) if value is not None]
        return lambda row: (value := read(row)) is not None and key(value) in wanted

    return make


def _containing(column, read, contains):
    name, type_ = column.name, column.type
    key_of = type_.elements[0].sort_key
    value_of = type_.elements[-1].sort_key
    is_map = type_.kind == "map"

    def make(env):
        wanted = contains.evaluate(env)
        if contains.operator == "ENTRY":
            _check_entry(name, "key", wanted)
            value = contains.value(env)
            _check_entry(name, "value", value)
            entry = (key_of(wanted), value_of(value))
            return lambda row: any((key_of(k), value_of(v)) == entry for k, v in _items(type_, read(row)))
        sort = key_of if contains.operator == "CONTAINS KEY" else value_of
        place = 0 if contains.operator == "CONTAINS KEY" else 1
        wanted = sort(supported(name, wanted))
        return lambda row: any(sort(item[place] if is_map else item) == wanted for item in _items(type_, read(row)))

    return make


def _check_entry(name, part, value):
    refuse(value is None, f"Unsupported null map {part} for column {name}")
    refuse(value is UNSET, f"Unsupported unset map {part} for column {name}")


def _items(type_, value):
    return () if value is None else type_.unpack(value)


def _comparing_tuples(table, restriction):
    columns = restriction.columns
    reads, keys = [reader(table, column) for column in columns], [column.type.sort_key for column in columns]

    def make(env):
        values = restriction.evaluate(env)
        wanted = [_position(restriction, keys, each) for each in (values if restriction.operator == "IN" else [values])]

        def matches(row):
            found = [read(row) for read in reads]
            if None in found:
                return False
            place = tuple(key(value) for key, value in zip(keys, found, strict=True))
            if restriction.operator == "IN":
                return place in wanted
            return COMPARE[restriction.operator](place, wanted[0])

        return matches

    return make


def clustering_lister(restrictions):
    """Return the function from an Env to the rows' clustering values that = and IN name, or None for slices of rows."""
    columns, steps, place = restrictions.table.clustering, [], 0
    while place < len(columns):
        column = columns[place]
        name, tuples = column.name, restrictions.tuple_on(column.name)
        if name in restrictions.equal:
            steps.append(lambda env, n=name, e=restrictions.equal[name]: [(checked(n, e(env)),)])
        elif name in restrictions.among:
            steps.append(lambda env, n=name, e=restrictions.among[name]: [(checked(n, value),) for value in dict.fromkeys(e(env))])
        elif tuples and not tuples.is_slice and tuples.columns[0] is column:
            steps.append(lambda env, t=tuples: _tuple_values(t, env))
            place += len(tuples.columns) - 1
        else:
            return None
        place += 1
    return lambda env: [sum(each, ()) for each in itertools.product(*(step(env) for step in steps))]
