"""The update operators on single fields, and how an update of several is read: in the order of the paths, without conflicts."""

import itertools
from typing import NamedTuple

from bson import Timestamp

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import INT64, MISSING, compare, milliseconds, type_name
from stores.mongodb.update import arrays
from stores.mongodb.update.places import child, clone, locate, parts_of, places, store
from stores.mongodb.values import DECIMAL, DOUBLE, INT, LONG, decimal128, is_number, of_rank, product, rank, show, to_decimal, total

_ticks = itertools.count(1)


class Change(NamedTuple):
    """One document being changed: `made` is the copy that changes, `before` the document as it was."""

    made: dict
    before: dict
    match: object
    inserting: bool
    now: object
    fold: object

    def told(self):
        """Return how messages name the document."""
        return f"{{_id: {show(self.before['_id'])}}}" if "_id" in self.before else "{no id}"


class FieldChange:
    """One operator on one path. `function(current, operand, change, path)` gives the new value, MISSING to take the field away."""

    def __init__(self, parts, operand, function, filters, creates=True):
        self.parts = parts
        self.operand = operand
        self.function = function
        self.filters = filters
        self.creates = creates

    def apply(self, change):
        for parts in list(places(change.made, self.parts, change.match, self.filters)):
            found = locate(change.made, parts, self.creates)
            if found is None:
                continue
            container, last = found
            current = child(container, last)
            if current is MISSING and not self.creates:
                continue
            value = self.function(current, self.operand, change, ".".join(parts))
            if value is MISSING:
                _take_away(container, last)
            elif value is not current:
                store(container, last, clone(value), parts[:-1])


def _take_away(container, last):
    if isinstance(container, dict):
        container.pop(last, None)
    elif int(last) < len(container):
        container[int(last)] = None  # the other elements keep their numbers


class Rename:
    """$rename: takes a field from one path and sets it at another."""

    def __init__(self, source, target):
        self.source = source
        self.parts = target

    def apply(self, change):
        for parts, which in ((self.source, "source"), (self.parts, "destination")):
            self._refuse_arrays(change, parts, which)
        found = locate(change.made, self.source, create=False)
        if found is None or (value := child(*found)) is MISSING:
            return
        found[0].pop(self.source[-1])
        container, last = locate(change.made, self.parts, create=True)
        store(container, last, value, self.parts[:-1])

    def _refuse_arrays(self, change, parts, which):
        value = change.made
        for part in parts[:-1]:
            value = child(value, part)
            if isinstance(value, list):
                message = (
                    f"The {which} field cannot be an array element, '{'.'.join(parts)}' in doc with _id: "
                    f"{show(change.before.get('_id'))}"
                )
                raise MongoError("BadValue", f"{message} has an array field called '{part}'")


# Reading ---------------------------------------------------------------------------------------------------


def read_changes(update, filters, fold):
    """Return the changes of an update, ordered by path as MongoDB makes new fields. Raises 9 and 40."""
    changes, taken = [], {}
    for name, fields in update.items():
        if name not in OPERATORS:
            message = "Expected a valid update modifier or pipeline-style update specified as an array"
            raise MongoError("FailedToParse", f"Unknown modifier: {name}. {message}")
        if not isinstance(fields, dict):
            message = (
                f"Modifiers operate on fields but we found type {type_name(fields)} instead. For example: "
                f"{{$mod: {{<field>: ...}}}} not"
            )
            raise MongoError("FailedToParse", f"{message} {{{name}: {show(fields)}}}")
        for path, operand in fields.items():
            parts = parts_of(path)
            filters.use(parts, path)
            _claim(taken, parts, path)
            if name == "$rename":
                target = _target(parts, path, operand)
                _claim(taken, target, operand)
                changes.append(Rename(parts, target))
            else:
                changes.append(OPERATORS[name](parts, path, operand, filters, fold))
    return sorted(changes, key=lambda change: [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in change.parts])


def _claim(taken, parts, path):
    """Raise 40 if another path is this one, inside it or around it. `taken` is the tree of paths."""
    tree = taken
    for depth, part in enumerate(parts):
        if tree.get(part) is True or (depth == len(parts) - 1 and part in tree):
            at = ".".join(parts[: depth + 1])
            raise MongoError("ConflictingUpdateOperators", f"Updating the path '{path}' would create a conflict at '{at}'")
        tree = tree.setdefault(part, {} if depth < len(parts) - 1 else True)


def _target(parts, path, operand):
    if not isinstance(operand, str):
        raise MongoError("BadValue", f"The 'to' field for $rename must be a string: {path}: {show(operand)}")
    target = parts_of(operand)
    if any(part.startswith("$") for part in parts):
        raise MongoError("BadValue", f"The source field for $rename may not be dynamic: {path}")
    if any(part.startswith("$") for part in target):
        raise MongoError("BadValue", f"The destination field for $rename may not be dynamic: {operand}")
    if parts == target:
        raise MongoError("BadValue", f'The source and target field for $rename must differ: {path}: "{operand}"')
    return target


def _reader(function, check=None, creates=True):
    """Return a reader for an operator whose operand is checked and then handed to the function."""

    def read(parts, path, operand, filters, fold):
        if check:
            operand = check(operand, path, fold)
        return FieldChange(parts, operand, function, filters, creates)

    return read


# Operators -------------------------------------------------------------------------------------------------


def _set(current, operand, change, path):
    return operand


def _set_on_insert(parts, path, operand, filters, fold):
    made = FieldChange(parts, operand, _set, filters)
    return _OnInsert(made)


class _OnInsert:
    def __init__(self, inner):
        self.inner = inner
        self.parts = inner.parts

    def apply(self, change):
        if change.inserting:
            self.inner.apply(change)


def _unset(current, operand, change, path):
    return MISSING


def _numeric(verb):
    def check(operand, path, fold):
        if not is_number(operand):
            raise MongoError("TypeMismatch", f"Cannot {verb} with non-numeric argument: {{{path}: {show(operand)}}}")
        return operand

    return check


def _calculate(name, function, of_nothing):
    def calculate(current, operand, change, path):
        if current is MISSING:
            return of_nothing(operand)
        if not is_number(current):
            message = f"Cannot apply {name} to a value of non-numeric type. {change.told()} has the field '{path.split('.')[-1]}'"
            raise MongoError("TypeMismatch", f"{message} of non-numeric type {type_name(current)}")
        made = function(current, operand)
        if max(rank(current), rank(operand)) <= LONG and rank(made) == DOUBLE:
            message = f"Failed to apply {name} operations to current value ({_typed(current)}) for document {change.told()}"
            raise MongoError("BadValue", message)
        return made

    return calculate


def _typed(number):
    return f"(NumberLong){int(number)}" if rank(number) == LONG else f"(NumberInt){int(number)}"


def _zero(operand):
    kind = rank(operand)
    return decimal128(to_decimal(0)) if kind == DECIMAL else 0.0 if kind == DOUBLE else of_rank(0, kind)


def _min(current, operand, change, path):
    return operand if current is MISSING or compare(operand, current, change.fold) < 0 else current


def _max(current, operand, change, path):
    return operand if current is MISSING or compare(operand, current, change.fold) > 0 else current


def _current_date_kind(operand, path, fold):
    if isinstance(operand, bool):
        return "date"
    if isinstance(operand, dict):
        for name in operand:
            if name != "$type":
                raise MongoError("BadValue", f"Unrecognized $currentDate option: {name}")
        if operand.get("$type") in ("date", "timestamp"):
            return operand["$type"]
        raise MongoError(
            "BadValue", "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}"
        )
    message = "Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'})."
    raise MongoError("BadValue", f"{type_name(operand)} is not valid type for $currentDate. {message}")


def _current_date(current, kind, change, path):
    if kind == "timestamp":
        return Timestamp(milliseconds(change.now) // 1000, next(_ticks) % 2**32)
    return change.now.replace(microsecond=change.now.microsecond // 1000 * 1000)


BITS = {"and": lambda a, b: a & b, "or": lambda a, b: a | b, "xor": lambda a, b: a ^ b}


def _bit_steps(operand, path, fold):
    if not isinstance(operand, dict):
        message = "The $bit modifier is not compatible with a"
        raise MongoError(
            "BadValue", f"{message} {type_name(operand)}. You must pass in an embedded document: {{$bit: {{field: {{and/or/xor: #}}}}"
        )
    if not operand:
        raise MongoError(
            "BadValue", f"You must pass in at least one bitwise operation. The format is: {{$bit: {{field: {{and/or/xor: #}}}}: {path}"
        )
    for name, value in operand.items():
        if name not in BITS:
            raise MongoError(
                "BadValue",
                f"The $bit modifier only supports 'and', 'or', and 'xor', not '{name}' which is an unknown operator: "
                f"{{{name}: {show(value)}}}",
            )
        if rank(value) not in (INT, LONG):
            raise MongoError(
                "BadValue",
                f"The $bit modifier field must be an Integer(32/64 bit); a '{type_name(value)}' is not supported here: "
                f"{{{name}: {show(value)}}}",
            )
    return list(operand.items())


def _bit(current, steps, change, path):
    if current is MISSING:
        current = 0
    if rank(current) not in (INT, LONG):
        message = f"Cannot apply $bit to a value of non-integral type.{change.told()} has the field {path.split('.')[-1]}"
        raise MongoError("BadValue", f"{message} of non-integer type {type_name(current)}")
    for name, value in steps:
        kind = max(rank(current), rank(value))
        current = of_rank(_signed(BITS[name](int(current), int(value))), kind)
    return current


def _signed(number):
    return number if number in INT64 else number - 2**64


OPERATORS = {
    "$set": _reader(_set),
    "$setOnInsert": _set_on_insert,
    "$unset": _reader(_unset, creates=False),
    "$inc": _reader(_calculate("$inc", lambda a, b: total([a, b]), lambda operand: operand), _numeric("increment")),
    "$mul": _reader(_calculate("$mul", product, _zero), _numeric("multiply")),
    "$min": _reader(_min),
    "$max": _reader(_max),
    "$currentDate": _reader(_current_date, _current_date_kind),
    "$bit": _reader(_bit, _bit_steps),
    "$rename": None,
    "$push": _reader(arrays.push, arrays.read_push),
    "$addToSet": _reader(arrays.add_to_set, arrays.read_each),
    "$pop": _reader(arrays.pop, arrays.read_pop, creates=False),
    "$pull": _reader(arrays.pull, arrays.read_pull, creates=False),
    "$pullAll": _reader(arrays.pull_all, arrays.read_pull_all, creates=False),
}
