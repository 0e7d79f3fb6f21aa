"""Accumulators used as expressions: $sum, $avg, $min, $max, $stdDevPop, $median … of arguments or of one array."""

from stores.mongodb.accumulators import statistics
from stores.mongodb.expressions.base import MANY, MongoError, arguments, named, nullish, reads
from stores.mongodb.ordering import sort_key
from stores.mongodb.values import is_number


def _values(nodes, env):
    """A single argument that is an array stands for its elements; else an array is one value."""
    values = [node(env) for node in nodes]
    if len(values) == 1 and isinstance(values[0], list):
        return values[0]
    return values


def _fold(name, combine):
    @reads(name)
    def read(operand, scope):
        nodes = arguments(name, operand, scope, 0, MANY)
        return lambda env: combine(_values(nodes, env), scope.fold)


_fold("$sum", lambda values, fold: statistics.total_of(values))
_fold("$avg", lambda values, fold: statistics.average(values))
_fold("$stdDevPop", lambda values, fold: statistics.deviation(values, 0))
_fold("$stdDevSamp", lambda values, fold: statistics.deviation(values, 1))
_fold("$min", lambda values, fold: min((v for v in values if not nullish(v)), key=lambda v: sort_key(v, fold), default=None))
_fold("$max", lambda values, fold: max((v for v in values if not nullish(v)), key=lambda v: sort_key(v, fold), default=None))


@reads("$percentile")
def percentile(operand, scope):
    nodes = named("$percentile", operand, scope, ("input", "p", "method"), (), 7429703, 40415, 40414)
    statistics.check_method(operand["method"])

    def node(env):
        wanted = statistics.check_p(nodes["p"](env))
        return statistics.percentiles(_input(nodes["input"](env)), wanted)

    return node


@reads("$median")
def median(operand, scope):
    nodes = named("$median", operand, scope, ("input", "method"), (), 7436100, 40415, 40414)
    statistics.check_method(operand["method"])
    return lambda env: statistics.percentiles(_input(nodes["input"](env)), [0.5])[0]


def _input(value):
    if isinstance(value, list):
        return [inner for inner in value if is_number(inner)]
    return [value] if is_number(value) else []


__all__ = ["MongoError"]
