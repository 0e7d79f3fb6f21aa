"""Comparison in BSON's order ($cmp, $eq …) and the logic of truth ($and, $or, $not)."""

from stores.mongodb.expressions.base import MANY, arguments, reads, takes
from stores.mongodb.ordering import compare
from stores.mongodb.values import truth


def _comparison(name, result):
    @reads(name)
    def read(operand, scope):
        left, right = arguments(name, operand, scope, 2, 2)
        return lambda env: result(compare(left(env), right(env), scope.fold))


_comparison("$cmp", lambda way: way)
_comparison("$eq", lambda way: way == 0)
_comparison("$ne", lambda way: way != 0)
_comparison("$lt", lambda way: way < 0)
_comparison("$lte", lambda way: way <= 0)
_comparison("$gt", lambda way: way > 0)
_comparison("$gte", lambda way: way >= 0)


@reads("$and")
def and_(operand, scope):
    nodes = arguments("$and", operand, scope, 0, MANY)
    return lambda env: all(truth(node(env)) for node in nodes)


@reads("$or")
def or_(operand, scope):
    nodes = arguments("$or", operand, scope, 0, MANY)
    return lambda env: any(truth(node(env)) for node in nodes)


@takes("$not", 1)
def not_(value):
    return not truth(value)
