"""The operators on one path: $eq, $gt, $in, $all, $elemMatch, $type, $mod, $bitsAllSet …

A Condition tests single values; on_path in parser.py tries it on those that the path leads to.
"""

import math

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, NUMBER, TYPE_CODES, sort_key, type_name
from stores.mongodb.paths import elements, walk
from stores.mongodb.regex import is_regex, of_value
from stores.mongodb.values import integral, is_number, rank, show, to_double

INT64 = range(-(2**63), 2**63)
NAMES = {code: name for name, code in TYPE_CODES.items()}


class Condition:
    """test(value, found) → bool. `whole` conditions look at an array itself, not at its elements too."""

    def __init__(self, test, negated=False, whole=False):
        self.test = test
        self.negated = negated
        self.whole = whole

    def values(self, document, parts):
        """Yield (value, position) for what the condition is tried on."""
        if self.whole:
            return ((value, position) for value, position, _ in walk(document, parts))
        return elements(document, parts)

    def holds(self, value):
        """Return whether the condition holds for a single value, as $elemMatch asks."""
        return bool(self.test(value, None)) != self.negated

    def negation(self):
        """Return the opposite condition."""
        return Condition(self.test, not self.negated, self.whole)


READERS = {}  # "$gt" → reader(parser, operand, all operators beside it, path) → conditions


def reads(*names):
    def register(function):
        for name in names:
            READERS[name] = function
        return function

    return register


# Comparison ------------------------------------------------------------------------------------------------


def equal(operand, fold=None):
    """Return the condition of being equal; null is equal to a missing field too."""
    key = sort_key(operand, fold)
    if operand is None:
        return Condition(lambda value, found: value is None or value is MISSING)
    if isinstance(operand, float) and operand != operand:
        return Condition(lambda value, found: value is not MISSING and sort_key(value) == key)
    return Condition(lambda value, found: value is not MISSING and sort_key(value, fold) == key)


def regex_test(operand, options=""):
    """Return the condition of a text that contains the pattern (or of being that very regular expression)."""
    pattern, key = of_value(operand, options), None if isinstance(operand, str) else sort_key(operand)
    search = pattern.search
    return Condition(
        lambda value, found: search(value) is not None if isinstance(value, str) else is_regex(value) and sort_key(value) == key
    )


@reads("$eq")
def _eq(parser, operand, _, path):
    return [equal(operand, parser.reading.fold)]


@reads("$ne")
def _ne(parser, operand, _, path):
    if is_regex(operand):
        raise MongoError("BadValue", "Can't have regex as arg to $ne.")
    return [equal(operand, parser.reading.fold).negation()]


def _ordered(name, holds):
    @reads(name)
    def read(parser, operand, _, path):
        if is_regex(operand):
            raise MongoError("BadValue", f"Can't have RegEx as arg to predicate over field '{path}'.")
        fold = parser.reading.fold
        key, or_equal = sort_key(operand, fold), name in ("$gte", "$lte")
        if operand is None:
            return [equal(None)] if or_equal else [Condition(lambda value, found: False)]
        if _nan(operand):
            return [equal(operand)] if or_equal else [Condition(lambda value, found: False)]
        if key[0] in (-1, 127):  # MinKey and MaxKey compare with every type
            return [Condition(lambda value, found: value is not MISSING and holds(sort_key(value, fold), key))]

        def test(value, found):
            if value is MISSING:
                return False
            other = sort_key(value, fold)
            return other[0] == key[0] and holds(other, key) and not (key[0] == NUMBER and _nan(value))

        return [Condition(test)]


def _nan(value):
    return is_number(value) and math.isnan(to_double(value))


_ordered("$gt", lambda a, b: a > b)
_ordered("$gte", lambda a, b: a >= b)
_ordered("$lt", lambda a, b: a < b)
_ordered("$lte", lambda a, b: a <= b)


def _in(name, operand, fold):
    if not isinstance(operand, list):
        raise MongoError("BadValue", f"{name} needs an array")
    for value in operand:
        if isinstance(value, dict) and value and next(iter(value)).startswith("$") and next(iter(value)) not in ("$ref", "$id", "$db"):
            raise MongoError("BadValue", f"cannot nest $ under {name}")
    patterns = [regex_test(value).test for value in operand if is_regex(value)]
    keys = {sort_key(value, fold) for value in operand if not is_regex(value)}
    null = any(value is None for value in operand)

    def test(value, found):
        if value is MISSING:
            return null
        return sort_key(value, fold) in keys or any(pattern(value, None) for pattern in patterns)

    return Condition(test)


@reads("$in")
def _in_(parser, operand, _, path):
    return [_in("$in", operand, parser.reading.fold)]


@reads("$nin")
def _nin(parser, operand, _, path):
    return [_in("$nin", operand, parser.reading.fold).negation()]


@reads("$regex")
def _regex(parser, operand, operators, path):
    if not (isinstance(operand, str) or is_regex(operand)):
        raise MongoError("BadValue", "$regex has to be a string")
    options = operators.get("$options", "")
    if not isinstance(options, str):
        raise MongoError("BadValue", "$options has to be a string")
    if options and is_regex(operand) and operand.flags & ~32:
        raise MongoError(51075, "options set in both $regex and $options")
    return [regex_test(operand, options)]


@reads("$options")
def _options(parser, operand, operators, path):
    if "$regex" not in operators:
        raise MongoError("BadValue", "$options needs a $regex")
    return []


# Logic -----------------------------------------------------------------------------------------------------


@reads("$not")
def _not(parser, operand, _, path):
    if is_regex(operand):
        return [regex_test(operand).negation()]
    if not isinstance(operand, dict):
        raise MongoError("BadValue", "$not needs a regex or a document")
    if not operand:
        raise MongoError("BadValue", "$not cannot be empty")
    inner = parser.conditions(operand, path)
    if len(inner) == 1:
        return [inner[0].negation()]
    return [_Not(inner)]


class _Not(Condition):
    """None or not all of several conditions: each of them looks at the path by itself."""

    def __init__(self, conditions):
        super().__init__(self._all, negated=True, whole=True)
        self.conditions = conditions

    def values(self, document, parts):
        yield (document, parts), None

    def _all(self, pair, found):
        from stores.mongodb.query.parser import on_path

        document, parts = pair
        return all(on_path(parts, condition)(document, None) for condition in self.conditions)

    def holds(self, value):
        return not all(condition.holds(value) for condition in self.conditions)


@reads("$comment")
def _comment(parser, operand, _, path):
    return []


# Arrays ----------------------------------------------------------------------------------------------------


@reads("$all")
def _all(parser, operand, _, path):
    if not isinstance(operand, list):
        raise MongoError("BadValue", "$all needs an array")
    if not operand:
        return [Condition(lambda value, found: False)]
    made = []
    for value in operand:
        if isinstance(value, dict) and "$elemMatch" in value:
            made += _elem_match(parser, value["$elemMatch"], None, path)
        elif is_regex(value):
            made.append(regex_test(value))
        elif isinstance(value, dict) and value and next(iter(value)).startswith("$"):
            raise MongoError("BadValue", "no $ expressions in $all")
        else:
            made.append(equal(value, parser.reading.fold))
    return made


@reads("$elemMatch")
def _elem_match(parser, operand, _, path):
    if not isinstance(operand, dict):
        raise MongoError("BadValue", "$elemMatch needs an Object")
    first = next(iter(operand), "")
    if first.startswith("$") and first not in ("$and", "$or", "$nor", "$where", "$expr", "$ref", "$id", "$db", "$jsonSchema"):
        inner = parser.conditions(operand, path)
        return [Condition(_some_element(lambda value: all(condition.holds(value) for condition in inner)), whole=True)]
    inner = parser.filter(operand)
    return [Condition(_some_element(lambda value: isinstance(value, (dict, list)) and inner(_document(value), None)), whole=True)]


def _document(value):
    """An array inside an array is asked as a document with its numbers as names."""
    return {str(index): inner for index, inner in enumerate(value)} if isinstance(value, list) else value


def _some_element(test):
    def run(array, found):
        if not isinstance(array, list):
            return False
        for index, value in enumerate(array):
            if test(value):
                if found is not None:
                    found.position = index
                return True
        return False

    return run


@reads("$size")
def _size(parser, operand, _, path):
    if not is_number(operand) or (size := integral(operand, INT64)) is None:
        raise MongoError("BadValue", f"Failed to parse $size. Expected an integer: $size: {show(operand)}")
    if size < 0:
        raise MongoError("BadValue", f"Failed to parse $size. Expected a non-negative number in: $size: {show(operand)}")
    return [Condition(lambda value, found: isinstance(value, list) and len(value) == size, whole=True)]


# Types and presence ----------------------------------------------------------------------------------------


@reads("$exists")
def _exists(parser, operand, _, path):
    wanted = not (operand is None or operand is False or (is_number(operand) and to_double(operand) == 0))
    return [Condition(lambda value, found: value is not MISSING, negated=not wanted, whole=True)]


def type_set(operand):
    """Return the names of types that $type or bsonType asks for: "number" stands for four."""
    names = set()
    for value in operand if isinstance(operand, list) else [operand]:
        if isinstance(value, str):
            if value == "number":
                names |= {"int", "long", "double", "decimal"}
            elif value in TYPE_CODES:
                names.add(value)
            else:
                raise MongoError("BadValue", f"Unknown type name alias: {value}")
        elif is_number(value):
            code = integral(value)
            if code not in NAMES:
                raise MongoError("BadValue", f"Invalid numerical type code: {show(value)}")
            names.add(NAMES[code])
        else:
            raise MongoError("TypeMismatch", "type must be represented as a number or a string")
    if not names:
        raise MongoError("FailedToParse", "$type must match at least one type")
    return names


@reads("$type")
def _type(parser, operand, _, path):
    names = type_set(operand)
    return [Condition(lambda value, found: type_name(value) in names)]


# Numbers ---------------------------------------------------------------------------------------------------


@reads("$mod")
def _mod(parser, operand, _, path):
    if not isinstance(operand, list):
        raise MongoError("BadValue", "malformed mod, needs to be an array")
    if len(operand) < 2:
        raise MongoError("BadValue", "malformed mod, not enough elements")
    if len(operand) > 2:
        raise MongoError("BadValue", "malformed mod, too many elements")
    divisor, remainder = (_truncated(value, which) for value, which in zip(operand, ("divisor", "remainder"), strict=True))
    if divisor == 0:
        raise MongoError("BadValue", "divisor cannot be 0")

    def test(value, found):
        if not is_number(value):
            return False
        whole = _towards_zero(value)
        return whole is not None and math.copysign(1, whole) * (abs(whole) % abs(divisor)) == remainder

    return [Condition(test)]


def _truncated(value, which):
    if not is_number(value):
        raise MongoError("BadValue", f"malformed mod, {which} not a number")
    whole = _towards_zero(value)
    if whole is None:
        raise MongoError(
            "BadValue", f"malformed mod, {which} value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type"
        )
    return whole


def _towards_zero(value):
    real = value.to_decimal() if rank(value) == 4 else value
    return int(real) if math.isfinite(real) else None


def _bits(name, holds):
    @reads(name)
    def read(parser, operand, _, path):
        mask = _mask(name, operand)

        def test(value, found):
            bits = _value_bits(value)
            return bits is not None and holds(bits, mask)

        return [Condition(test)]


def _mask(name, operand):
    if isinstance(operand, list):
        mask = 0
        for position in operand:
            at = integral(position, INT64)
            if at is None or at < 0:
                raise MongoError("BadValue", f"Failed to parse bit position. Expected a non-negative number in: {show(position)}")
            mask |= 1 << at
        return mask
    if is_number(operand):
        mask = integral(operand, INT64)
        if mask is None:
            raise MongoError("BadValue", f"Expected an integer: {name}: {show(operand)}")
        if mask < 0:
            raise MongoError("BadValue", f"Expected a non-negative number in: {name}: {show(operand)}")
        return mask
    if isinstance(operand, bytes):
        return int.from_bytes(operand, "little")
    raise MongoError("BadValue", f"{name} takes an Array, a number, or a BinData but received: {show(operand)}")


def _value_bits(value):
    """Numbers that are whole count as 64 bits with the sign carried on, binary data as little-endian."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "little")
    return integral(value, INT64) if is_number(value) else None


_bits("$bitsAllSet", lambda bits, mask: bits & mask == mask)
_bits("$bitsAnySet", lambda bits, mask: bits & mask != 0)
_bits("$bitsAllClear", lambda bits, mask: bits & mask == 0)
_bits("$bitsAnyClear", lambda bits, mask: bits & mask != mask)
