"""count, min, max, sum, avg; and the same of the elements of one collection; map_keys, map_values."""

import math
from decimal import ROUND_HALF_EVEN, Decimal

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.functions.arithmetic import EXACT, INTEGERS, NUMBERS, number
from stores.cassandra.functions.registry import Function, maker, register
from stores.cassandra.types import BIGINT, DECIMAL, DOUBLE, FLOAT, INT, VARINT, ListType, SetType


def _numbers(cql_type, values):
    """Return the numbers of serialised values, without nulls and empty values."""
    return [cql_type.deserialize(value) for value in values if value]


def _total(cql_type, values):
    """Return the sum of numbers; floats are added exactly and rounded once."""
    if cql_type not in (FLOAT, DOUBLE):
        return sum(values, Decimal(0)) if cql_type is DECIMAL else sum(values)
    try:
        return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)
    except OverflowError:
        return sum(values)


def sum_of(cql_type):
    """Return the function from a list of serialised numbers to their serialised sum: of nothing 0."""
    return lambda values: number(cql_type, _total(cql_type, _numbers(cql_type, values)))


def average_of(cql_type):
    """Return the function from a list of serialised numbers to their average in the same type: of nothing 0."""

    def call(values):
        values = _numbers(cql_type, values)
        if not values:
            return number(cql_type, 0)
        if cql_type is DECIMAL:
            return number(DECIMAL, _running_average(values))
        total = _total(cql_type, values)
        if cql_type in INTEGERS or cql_type is VARINT:
            quotient = abs(total) // len(values)
            return number(cql_type, quotient if total >= 0 else -quotient)
        return number(cql_type, total / len(values))

    return call


def _running_average(values):
    """Return the average of Decimals as Cassandra makes it: corrected by each value, and rounded to that correction's scale."""
    average = Decimal(0)
    for count, value in enumerate(values, 1):
        difference = EXACT.subtract(value, average)
        average = EXACT.add(average, EXACT.divide(difference, Decimal(count)).quantize(difference, ROUND_HALF_EVEN, EXACT))
    return average


def extreme_of(cql_type, choose):
    """Return the function from a list of serialised values to the least or greatest: of nothing null."""

    def call(values):
        return choose((value for value in values if value is not None), key=cql_type.sort_key, default=None)

    return call


for _type in NUMBERS:
    register("sum", [_type], _type, sum_of(_type), aggregate=True)
    register("avg", [_type], _type, average_of(_type), aggregate=True)


@maker("countrows")
def _count_rows(call):
    return Function("system.count", (), BIGINT, lambda rows: BIGINT.serialize(len(rows)), aggregate=True)


@maker("count")
def _count(call):
    _one_argument(call)

    def count(values):
        return BIGINT.serialize(sum(value is not None for value in values))

    return Function(call.name, (call.type_of(0),), BIGINT, count, aggregate=True)


@maker("min")
def _min(call):
    return _extreme(call, min)


@maker("max")
def _max(call):
    return _extreme(call, max)


def _extreme(call, choose):
    _one_argument(call)
    cql_type = call.type_of(0)
    return Function(call.name, (cql_type,), cql_type, extreme_of(cql_type, choose), aggregate=True)


def _one_argument(call):
    call.expect_arguments(1, "(any)")


# --- of one collection --------------------------------------------------------------------------------------------------------


def _elements(collection, of_elements):
    """Return a function of the collection's elements as one of the serialised collection."""
    return lambda data: of_elements(collection.unpack(data)) if data is not None else None


@maker("collection_count")
def _collection_count(call):
    call.expect_arguments(1, "(collection)")
    collection = call.type_of(0)
    if collection.kind not in ("list", "set", "map"):
        raise InvalidRequest(
            f"Function {call.name} requires a collection argument, but found argument {call.nodes[0]} of type {collection.frozen()}"
        )
    return Function(call.name, (collection,), INT, _elements(collection, lambda elements: INT.serialize(len(elements))))


def _set_or_list(call, numeric):
    """Return the type of the only argument, which must be a set or list (of numbers)."""
    call.expect_arguments(1, "(numeric_set_or_list)" if numeric else "(set_or_list)")
    collection = call.type_of(0)
    if collection.kind not in ("list", "set") or (numeric and collection.elements[0] not in NUMBERS):
        kind = "numeric set/list" if numeric else "set or list"
        raise InvalidRequest(
            f"Function {call.name} requires a {kind} argument, but found argument {call.nodes[0]} of type {collection.frozen()}"
        )
    return collection


def _register_collection_functions():
    for name, of_type, numeric in (
        ("min", lambda element: extreme_of(element, min), False),
        ("max", lambda element: extreme_of(element, max), False),
        ("sum", sum_of, True),
        ("avg", average_of, True),
    ):
        maker(f"collection_{name}")(_collection_function(of_type, numeric))


def _collection_function(of_type, numeric):
    def make(call):
        collection = _set_or_list(call, numeric)
        element = collection.elements[0]
        return Function(call.name, (collection,), element, _elements(collection, of_type(element)))

    return make


@maker("map_keys")
def _map_keys(call):
    collection = _map(call)
    keys = SetType(collection.elements[0]).frozen()
    return Function(call.name, (collection,), keys, _elements(collection, lambda pairs: keys.pack([key for key, _ in pairs])))


@maker("map_values")
def _map_values(call):
    collection = _map(call)
    values = ListType(collection.elements[1]).frozen()
    return Function(call.name, (collection,), values, _elements(collection, lambda pairs: values.pack([value for _, value in pairs])))


def _map(call):
    call.expect_arguments(1, "(map)")
    collection = call.type_of(0)
    if collection.kind != "map":
        raise InvalidRequest(
            f"Function {call.name} requires a map argument, but found argument {call.nodes[0]} of type {collection.frozen()}"
        )
    return collection


_register_collection_functions()
