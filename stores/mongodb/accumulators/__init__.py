"""Accumulators: what $group, $bucket and windows make of the documents of a group.

    accumulator = read("$sum", "$amount", scope)
    accumulator.fold([accumulator.value(env) for each document], env of the group)

Each takes a value of every document and then folds the values. mongomock has nine of them; these replace them, for it
compares by Python and knows one kind of number.
"""

from typing import NamedTuple

from stores.mongodb.accumulators import statistics
from stores.mongodb.errors import MongoError
from stores.mongodb.expressions.arrays import count_of, largest, smallest
from stores.mongodb.expressions.base import MISSING, constant, named, nullish, parse
from stores.mongodb.expressions.objects import mergeable
from stores.mongodb.ordering import Sort, sort_key, type_name
from stores.mongodb.values import show


class Accumulator(NamedTuple):
    """`value` is the node of what is taken of each document; `fold(values, env)` makes the result."""

    value: object
    fold: object


READERS = {}  # "$sum" → reader(operand, scope) → Accumulator
REFUSED = {"$accumulator": "it runs JavaScript on the server"}


def read(name, operand, scope, where="group"):
    """Return the Accumulator of {name: operand}. Raises 15952 for a name that MongoDB does not know."""
    reader = READERS.get(name)
    if reader is None:
        if name in REFUSED:
            raise MongoError(15952, f"{name} is not in the embedded engine ({REFUSED[name]}). A real server has it")
        raise MongoError(15952, f"unknown {where} operator '{name}'")
    return reader(operand, scope)


def _simple(name, fold):
    """Register an accumulator of one expression."""

    def reader(operand, scope):
        if isinstance(operand, list):
            if len(operand) != 1:
                raise MongoError(40237, f"The {name} accumulator is a unary operator")
            (operand,) = operand
        return Accumulator(parse(operand, scope), lambda values, env: fold(values, scope.fold))

    READERS[name] = reader


def _null(value):
    return None if value is MISSING else value


def _different(values, fold):
    found = {}
    for value in values:
        if value is not MISSING:
            found.setdefault(sort_key(value, fold), value)
    return list(found.values())


def _merged(values, _):
    made = {}
    for value in values:
        made.update(mergeable(value))
    return made


def _joined(values, _):
    made = []
    for value in values:
        if value is not MISSING:
            made += _array("$concatArrays", value)
    return made


def _union(values, fold):
    return _different([inner for value in values if value is not MISSING for inner in _array("$setUnion", value)], fold)


def _array(name, value):
    if type_name(value) != "array":
        raise MongoError("TypeMismatch", f"{name} requires array inputs, but input {show(value)} is of type {type_name(value)}")
    return value


_simple("$sum", lambda values, fold: statistics.total_of(values))
_simple("$avg", lambda values, fold: statistics.average(values))
_simple("$stdDevPop", lambda values, fold: statistics.deviation(values, 0))
_simple("$stdDevSamp", lambda values, fold: statistics.deviation(values, 1))
_simple("$min", lambda values, fold: min((v for v in values if not nullish(v)), key=lambda v: sort_key(v, fold), default=None))
_simple("$max", lambda values, fold: max((v for v in values if not nullish(v)), key=lambda v: sort_key(v, fold), default=None))
_simple("$first", lambda values, fold: _null(values[0]) if values else None)
_simple("$last", lambda values, fold: _null(values[-1]) if values else None)
_simple("$push", lambda values, fold: [value for value in values if value is not MISSING])
_simple("$addToSet", _different)
_simple("$mergeObjects", _merged)
_simple("$concatArrays", _joined)
_simple("$setUnion", _union)


def _count(operand, scope):
    if operand != {} or not isinstance(operand, dict):
        raise MongoError("TypeMismatch", "$count takes no arguments, i.e. $count:{}")
    return Accumulator(constant(1), lambda values, env: len(values))


READERS["$count"] = _count


def _several(name, choose):
    """$firstN and its like: {input, n}, n counted once for the group."""

    def reader(operand, scope):
        nodes = named(name, operand, scope, ("n", "input"), (), 5787801, 5787901, (5787906, 5787907))

        def fold(values, env):
            return choose([_null(value) for value in values], count_of(name, nodes["n"](env)), scope.fold)

        return Accumulator(nodes["input"], fold)

    READERS[name] = reader


_several("$firstN", lambda values, n, fold: values[:n])
_several("$lastN", lambda values, n, fold: values[-n:])
_several("$minN", smallest)
_several("$maxN", largest)


def _ranked(name, n_argument, last):
    """$top, $bottom, $topN, $bottomN: {sortBy, output, n}."""

    def reader(operand, scope):
        required = ("sortBy", "output", *(["n"] if n_argument else []))
        if not isinstance(operand, dict):
            raise MongoError(5788001, f"specification must be an object; found {name}: {show(operand)}")
        for argument in operand:
            if argument not in required:
                raise MongoError(5788002, f"Unknown argument to {name} '{argument}'")
        for argument, code in (("n", 5788003), ("output", 5788004), ("sortBy", 5788005)):
            if argument in required and argument not in operand:
                raise MongoError(code, f"Missing value for '{argument}'")
        if not isinstance(operand["sortBy"], dict):
            raise MongoError(5788604, f"expected 'sortBy' to already be an object in the arguments to {name}")
        order, output = Sort(operand["sortBy"], scope.fold), parse(operand["output"], scope)
        n = parse(operand["n"], scope) if n_argument else constant(1)

        def value(env):
            return order.key(env["ROOT"]), _null(output(env))

        def fold(values, env):
            count = count_of(name, n(env))
            ordered = [made for _, made in sorted(values, key=lambda pair: pair[0])]
            chosen = ordered[-count:] if last else ordered[:count]
            return chosen if n_argument else chosen[0] if chosen else None

        return Accumulator(value, fold)

    READERS[name] = reader


_ranked("$top", False, False)
_ranked("$bottom", False, True)
_ranked("$topN", True, False)
_ranked("$bottomN", True, True)


def _percentile(operand, scope):
    nodes = named("$percentile", operand, scope, ("input", "p", "method"), (), 7429703, 40415, 40414)
    statistics.check_method(operand["method"])
    wanted = statistics.check_p(nodes["p"]({}))
    return Accumulator(nodes["input"], lambda values, env: statistics.percentiles(values, wanted))


def _median(operand, scope):
    nodes = named("$median", operand, scope, ("input", "method"), (), 7436100, 40415, 40414)
    statistics.check_method(operand["method"])
    return Accumulator(nodes["input"], lambda values, env: statistics.percentiles(values, [0.5])[0])


READERS["$percentile"] = _percentile
READERS["$median"] = _median
