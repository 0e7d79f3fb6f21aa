"""Arithmetic: $add, $round, $pow, $log … and $rand."""

import decimal
import math
import random
from decimal import Decimal

from bson import Int64
from bson.decimal128 import Decimal128

from stores.mongodb.expressions.base import MANY, MongoError, nullish, show, takes, type_name
from stores.mongodb.ordering import INT32, INT64, date_of, milliseconds
from stores.mongodb.values import (
    DECIMAL,
    DECIMALS,
    DOUBLE,
    INT,
    LONG,
    decimal128,
    integral,
    of_rank,
    product,
    rank,
    to_decimal,
    to_double,
    total,
)


@takes("$add", 0, MANY)
def add(*values):
    """A sum of numbers, and of at most one date."""
    numbers, date = [], None
    for value in values:
        if nullish(value):
            return None
        if type_name(value) == "date":
            if date is not None:
                raise MongoError(16612, "only one date allowed in an $add expression")
            date = value
        elif rank(value):
            numbers.append(value)
        else:
            raise MongoError("TypeMismatch", f"$add only supports numeric or date types, not {type_name(value)}")
    summed = total(numbers)
    return summed if date is None else moved(date, summed)


def moved(date, amount):
    """Return a date and milliseconds later; a fraction of one is rounded."""
    exact = to_decimal(amount) if rank(amount) != DOUBLE else Decimal(amount)
    return date_of(milliseconds(date) + int(exact.to_integral_value(decimal.ROUND_HALF_EVEN)))


@takes("$subtract", 2)
def subtract(a, b):
    if nullish(a) or nullish(b):
        return None
    if rank(a) and rank(b):
        return total([a, negative(b)])
    if type_name(a) == "date":
        if type_name(b) == "date":
            return Int64(milliseconds(a) - milliseconds(b))
        if rank(b):
            return moved(a, negative(b))
    raise MongoError("TypeMismatch", f"can't $subtract {type_name(b)} from {type_name(a)}")


def negative(number):
    """Return minus a number."""
    kind = rank(number)
    if kind == DECIMAL:
        return Decimal128(number.to_decimal().copy_negate())
    return -number if kind == DOUBLE else of_rank(-int(number), kind)


@takes("$multiply", 0, MANY)
def multiply(*values):
    result = 1
    for value in values:
        if nullish(value):
            return None
        if not rank(value):
            raise MongoError("TypeMismatch", f"$multiply only supports numeric types, not {type_name(value)}")
        result = product(result, value)
    return result


@takes("$divide", 2)
def divide(a, b):
    if nullish(a) or nullish(b):
        return None
    if not (rank(a) and rank(b)):
        raise MongoError("TypeMismatch", f"$divide only supports numeric types, not {type_name(a)} and {type_name(b)}")
    if to_double(b) == 0:
        raise MongoError("BadValue", "can't $divide by zero")
    if DECIMAL in (rank(a), rank(b)):
        return decimal128(DECIMALS.divide(to_decimal(a), to_decimal(b)))
    return to_double(a) / to_double(b)


@takes("$mod", 2)
def mod(a, b):
    """The remainder, with the sign of the dividend."""
    if nullish(a) or nullish(b):
        return None
    if not (rank(a) and rank(b)):
        raise MongoError(16611, f"$mod only supports numeric types, not {type_name(a)} and {type_name(b)}")
    if to_double(b) == 0:
        raise MongoError(16610, "can't $mod by zero")
    kind = max(rank(a), rank(b))
    if kind == DECIMAL:
        return decimal128(DECIMALS.remainder(to_decimal(a), to_decimal(b)))
    if kind == DOUBLE:
        if math.isinf(to_double(a)):
            return math.nan
        # a double that is a whole number counts as an int beside an int
        return math.fmod(to_double(a), to_double(b))
    return of_rank(int(math.copysign(1, a)) * (abs(int(a)) % abs(int(b))), kind)


def _numeric(name, code=28765):
    """Register a function of one number: null stays null, anything else raises `code`."""

    def register(function):
        def checked(value):
            if not rank(value):
                raise MongoError(code, f"{name} only supports numeric types, not {type_name(value)}")
            return function(value)

        return takes(name, 1, null=True)(checked) and function

    return register


@_numeric("$abs")
def absolute(value):
    kind = rank(value)
    if kind == DECIMAL:
        return Decimal128(value.to_decimal().copy_abs())
    if kind == DOUBLE:
        return abs(value)
    if int(value) == INT64.start:
        raise MongoError(28680, "can't take $abs of long long min")
    return of_rank(abs(int(value)), kind)


def _whole(value, of_double, rounding):
    kind = rank(value)
    if kind == DECIMAL:
        exact = value.to_decimal()
        return Decimal128(exact.to_integral_value(rounding)) if exact.is_finite() else value
    return float(of_double(value)) if kind == DOUBLE and math.isfinite(value) else value


@_numeric("$ceil")
def ceil(value):
    return _whole(value, math.ceil, decimal.ROUND_CEILING)


@_numeric("$floor")
def floor(value):
    return _whole(value, math.floor, decimal.ROUND_FLOOR)


@takes("$round", 1, 2)
def round_(value, place=0):
    """Rounded to a place, a half to the even digit."""
    return _to_place("$round", value, place, decimal.ROUND_HALF_EVEN)


@takes("$trunc", 1, 2)
def trunc(value, place=0):
    return _to_place("$trunc", value, place, decimal.ROUND_DOWN)


def _to_place(name, value, place, rounding):
    if nullish(value):
        return None
    kind = rank(value)
    if not kind:
        raise MongoError(51081, f"{name} only supports numeric types, not {type_name(value)}")
    if nullish(place):
        return None
    if (digits := integral(place)) is None:
        raise MongoError(51082, f"precision argument to  {name} must be a integral value")
    if not -20 <= digits <= 100:
        raise MongoError(51083, f"cannot apply {name} with precision value {digits} value must be in [-20, 100]")
    if kind in (INT, LONG):
        if digits >= 0:
            return value
        rounded = int(Decimal(int(value)).quantize(Decimal((0, (1,), -digits)), rounding))
        if rounded not in INT64:
            raise MongoError(
                51080, f"invalid conversion from Decimal128 result in {name} resulting from arguments: [{value}, {digits}]"
            )
        return of_rank(rounded, kind)
    exact = value.to_decimal() if kind == DECIMAL else Decimal(value)
    if not exact.is_finite():
        return value
    rounded = DECIMALS.create_decimal(exact).quantize(Decimal((0, (1,), -digits)), rounding, context=DECIMALS)
    if rounded.is_nan():  # the place has more digits than a decimal: it keeps the 34 that it has
        if kind == DOUBLE:
            return value
        rounded = exact.quantize(Decimal((0, (1,), exact.adjusted() - 33)), rounding, context=DECIMALS)
    return Decimal128(rounded) if kind == DECIMAL else float(rounded)


@_numeric("$exp")
def exp(value):
    if rank(value) == DECIMAL:
        return decimal128(DECIMALS.exp(value.to_decimal()))
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _positive(name, value, code):
    number = to_double(value)
    if not (number > 0 or math.isnan(number)):
        raise MongoError(code, f"{name}'s argument must be a positive number, but is {show(value)}")
    return number


@_numeric("$ln")
def ln(value):
    number = _positive("$ln", value, 28766)
    return decimal128(DECIMALS.ln(value.to_decimal())) if rank(value) == DECIMAL else math.log(number)


@_numeric("$log10")
def log10(value):
    number = _positive("$log10", value, 28761)
    return decimal128(DECIMALS.log10(value.to_decimal())) if rank(value) == DECIMAL else math.log10(number)


@takes("$log", 2, null=True)
def log(value, base):
    if not rank(value):
        raise MongoError(28756, f"$log's argument must be numeric, not {type_name(value)}")
    if not rank(base):
        raise MongoError(28757, f"$log's base must be numeric, not {type_name(base)}")
    number, of = _positive("$log", value, 28758), to_double(base)
    if not ((of > 0 and of != 1) or math.isnan(of)):
        raise MongoError(28759, f"$log's base must be a positive number not equal to 1, but is {show(base)}")
    if DECIMAL in (rank(value), rank(base)):
        return decimal128(DECIMALS.divide(DECIMALS.ln(to_decimal(value)), DECIMALS.ln(to_decimal(base))))
    return math.log(number) / math.log(of)


@takes("$pow", 2, null=True)
def power(base, exponent):
    if not rank(base):
        raise MongoError(28762, f"$pow's base must be numeric, not {type_name(base)}")
    if not rank(exponent):
        raise MongoError(28763, f"$pow's exponent must be numeric, not {type_name(exponent)}")
    if to_double(base) == 0 and to_double(exponent) < 0:
        raise MongoError(28764, "$pow cannot take a base of 0 and a negative exponent")
    kind = max(rank(base), rank(exponent))
    if kind == DECIMAL:
        return decimal128(DECIMALS.power(to_decimal(base), to_decimal(exponent)))
    if kind == DOUBLE or (exponent < 0 and abs(int(base)) != 1) or (exponent > 63 and abs(int(base)) > 1):
        return _double_power(to_double(base), to_double(exponent))
    if exponent < 0:  # 1 and -1
        exponent = -exponent
    if abs(int(base)) <= 1:
        exponent = 2 - int(exponent) % 2 if exponent else 0
    return of_rank(int(base) ** int(exponent), kind)


def _double_power(base, exponent):
    try:
        result = base**exponent
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 else math.inf
    return math.nan if isinstance(result, complex) else result


@_numeric("$sqrt")
def sqrt(value):
    if to_double(value) < 0:
        raise MongoError(28714, "$sqrt's argument must be greater than or equal to 0")
    return decimal128(DECIMALS.sqrt(value.to_decimal())) if rank(value) == DECIMAL else math.sqrt(value)


@takes("$rand", 0)
def rand():
    return random.random()


__all__ = ["INT32", "add", "divide", "mod", "multiply", "negative", "power", "subtract"]
