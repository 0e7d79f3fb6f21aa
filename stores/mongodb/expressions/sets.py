"""Sets: arrays without order and repetition. Results come in BSON's order."""

from stores.mongodb.expressions.base import MANY, MongoError, arguments, expect, nullish, reads, takes
from stores.mongodb.ordering import sort_key
from stores.mongodb.values import truth


def _set(array, fold):
    return {sort_key(value, fold): value for value in reversed(array)}


def _values(found):
    return [found[key] for key in sorted(found)]


@reads("$setUnion")
def union(operand, scope):
    nodes = arguments("$setUnion", operand, scope, 0, MANY)

    def node(env):
        found = {}
        for inner in nodes:
            array = inner(env)
            if nullish(array):
                return None
            expect(array, "array", 17043, "All operands of $setUnion must be arrays. One argument is of type: {type}")
            found = {**_set(array, scope.fold), **found}
        return _values(found)

    return node


@reads("$setIntersection")
def intersection(operand, scope):
    nodes = arguments("$setIntersection", operand, scope, 0, MANY)

    def node(env):
        found = None
        for inner in nodes:
            array = inner(env)
            if nullish(array):
                return None
            expect(array, "array", 17047, "All operands of $setIntersection must be arrays. One argument is of type: {type}")
            other = _set(array, scope.fold)
            found = other if found is None else {key: value for key, value in found.items() if key in other}
        return _values(found or {})

    return node


@reads("$setDifference")
def difference(operand, scope):
    first, second = arguments("$setDifference", operand, scope, 2, 2)

    def node(env):
        left, right = first(env), second(env)
        if nullish(left) or nullish(right):
            return None
        expect(left, "array", 17048, "both operands of $setDifference must be arrays. First argument is of type: {type}")
        expect(right, "array", 17049, "both operands of $setDifference must be arrays. Second argument is of type: {type}")
        seen, kept = set(_set(right, scope.fold)), []
        for value in left:
            if (key := sort_key(value, scope.fold)) not in seen:
                seen.add(key)
                kept.append(value)
        return kept

    return node


@reads("$setEquals")
def equals(operand, scope):
    count = len(operand) if isinstance(operand, list) else 1
    if count < 2:
        raise MongoError(17045, f"$setEquals needs at least two arguments had: {count}")
    nodes = arguments("$setEquals", operand, scope, 2, MANY)

    def node(env):
        message = "All operands of $setEquals must be arrays. {type} is the type of one argument"
        found = [set(_set(expect(inner(env), "array", 17044, message), scope.fold)) for inner in nodes]
        return all(other == found[0] for other in found)

    return node


@reads("$setIsSubset")
def is_subset(operand, scope):
    first, second = arguments("$setIsSubset", operand, scope, 2, 2)

    def node(env):
        left = expect(first(env), "array", 17046, "both operands of $setIsSubset must be arrays. First argument is of type: {type}")
        right = expect(second(env), "array", 17042, "both operands of $setIsSubset must be arrays. Second argument is of type: {type}")
        return set(_set(left, scope.fold)) <= set(_set(right, scope.fold))

    return node


@takes("$allElementsTrue", 1)
def all_true(array):
    return all(map(truth, expect(array, "array", 17040, "$allElementsTrue's argument must be an array, but is {type}")))


@takes("$anyElementTrue", 1)
def any_true(array):
    return any(map(truth, expect(array, "array", 17041, "$anyElementTrue's argument must be an array, but is {type}")))


__all__ = ["MongoError"]
