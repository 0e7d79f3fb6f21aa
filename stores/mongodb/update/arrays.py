"""The update operators on arrays: $push with its modifiers, $addToSet, $pop, $pull, $pullAll."""

from typing import NamedTuple

from stores.mongodb.errors import MongoError
from stores.mongodb.expressions.arrays import array_sorter
from stores.mongodb.ordering import MISSING, Sort, sort_key, type_name
from stores.mongodb.query import Query
from stores.mongodb.query.parser import is_operators
from stores.mongodb.regex import is_regex
from stores.mongodb.values import integral, is_number, show

INT64 = range(-(2**63), 2**63)


class Push(NamedTuple):
    """What $push does: the values, where, and what it makes of the array afterwards."""

    values: list
    position: int | None
    slice: int | None
    sort: object


def read_push(operand, path, fold):
    """Return the Push of {$each: …, $position: …, $slice: …, $sort: …}, or of a single value. Raises 2 and 9."""
    if not (isinstance(operand, dict) and "$each" in operand):
        return Push([operand], None, None, None)
    for name in operand:
        if name not in ("$each", "$position", "$slice", "$sort"):
            raise MongoError("BadValue", f"Unrecognized clause in $push: {name}")
    each = _each("$push", operand["$each"])
    numbers = []
    for name in ("$position", "$slice"):
        value = operand.get(name)
        number = integral(value, INT64) if name in operand else None
        if name in operand and number is None:
            raise MongoError("BadValue", f"The value for {name} must be an integer value but was given type: {type_name(value)}")
        numbers.append(number)
    return Push(each, *numbers, _sorter(operand["$sort"], fold) if "$sort" in operand else None)


def _each(name, values):
    if not isinstance(values, list):
        raise MongoError("BadValue", f"The argument to $each in {name} must be an array but it was of type: {type_name(values)}")
    return values


def _sorter(by, fold):
    """$sort by 1, -1 or {path: 1}: elements that are no documents count as documents without the field."""
    arrange = array_sorter(by, fold)
    if is_number(by):
        return arrange
    order = Sort(by, fold)
    return lambda array: sorted(array, key=lambda value: order.key(value if isinstance(value, dict) else {}))


def push(current, operand, change, path):
    array = _array(
        current, change, path, f"The field '{path}' must be an array but is of type {type_name(current)} in document {change.told()}"
    )
    at = len(array) if operand.position is None else operand.position
    made = [*array[:at], *operand.values, *array[at:]]
    if operand.sort:
        made = operand.sort(made)
    if operand.slice is not None:
        made = made[: operand.slice] if operand.slice >= 0 else made[operand.slice :]
    return made


def _array(current, change, path, message, code="BadValue"):
    if current is MISSING:
        return []
    if not isinstance(current, list):
        raise MongoError(code, message)
    return current


def read_each(operand, path, fold):
    """Return the values that $addToSet adds."""
    if isinstance(operand, dict) and "$each" in operand:
        for name in operand:
            if name != "$each":
                raise MongoError("BadValue", f"Found unexpected fields after $each in $addToSet: {show(operand)}")
        return _each("$addToSet", operand["$each"])
    return [operand]


def add_to_set(current, values, change, path):
    message = f"Cannot apply $addToSet to non-array field. Field named '{path.split('.')[-1]}' has non-array type {type_name(current)}"
    array = _array(current, change, path, message)
    seen, added = {sort_key(value, change.fold) for value in array}, []
    for value in values:
        if (key := sort_key(value, change.fold)) not in seen:
            seen.add(key)
            added.append(value)
    return [*array, *added] if added or current is MISSING else current


def read_pop(operand, path, fold):
    if not is_number(operand):
        raise MongoError("FailedToParse", f"Expected a number in: {path}: {show(operand)}")
    if (end := integral(operand)) not in (1, -1):
        raise MongoError("FailedToParse", f"$pop expects 1 or -1, found: {show(operand)}")
    return end


def pop(current, end, change, path):
    if not isinstance(current, list):
        raise MongoError("TypeMismatch", f"Path '{path}' contains an element of non-array type '{type_name(current)}'")
    return current[:-1] if end == 1 else current[1:]


def read_pull(operand, path, fold):
    """Return the test of the elements to take out: a condition, a filter for documents, or a value."""
    if is_regex(operand) or is_operators(operand):
        query = Query({"v": {"$elemMatch": operand} if isinstance(operand, dict) else {"$elemMatch": {"$regex": operand}}}, fold=fold)
        return lambda value: query({"v": [value]})
    if isinstance(operand, dict):
        query = Query(operand, fold=fold)
        return lambda value: isinstance(value, dict) and query(value)
    key = sort_key(operand, fold)
    return lambda value: sort_key(value, fold) == key


def pull(current, test, change, path):
    if not isinstance(current, list):
        raise MongoError("BadValue", "Cannot apply $pull to a non-array value")
    return [value for value in current if not test(value)]


def read_pull_all(operand, path, fold):
    if not isinstance(operand, list):
        raise MongoError("BadValue", f"$pullAll requires an array argument but was given a {type_name(operand)}")
    return {sort_key(value, fold) for value in operand}


def pull_all(current, keys, change, path):
    if not isinstance(current, list):
        raise MongoError("BadValue", "Cannot apply $pullAll to a non-array value")
    return [value for value in current if sort_key(value, change.fold) not in keys]
