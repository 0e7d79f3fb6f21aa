"""Trigonometry: $sin, $atan2, $degreesToRadians …  A decimal gives a decimal, of the digits that a double has."""

import math
from decimal import Decimal

from stores.mongodb.expressions.base import MongoError, takes, type_name
from stores.mongodb.values import DECIMAL, DECIMALS, decimal128, rank, to_decimal, to_double

PI = Decimal("3.141592653589793238462643383279502884")


def _function(name, function, low=-math.inf, high=math.inf, open_ends=False):
    def calculate(value):
        if not rank(value):
            raise MongoError(28765, f"{name} only supports numeric types, not {type_name(value)}")
        number = to_double(value)
        inside = low < number < high if open_ends else low <= number <= high
        if not inside and not math.isnan(number):
            raise MongoError(
                50989, f"cannot apply {name} to {number:g}, value must be in {'(' if open_ends else '['}{low:g},{high:g}]"
            )
        return _of_kind(_safe(function, number), rank(value))

    takes(name, 1, null=True)(calculate)


def _safe(function, *numbers):
    try:
        return function(*numbers)
    except OverflowError:
        return math.inf
    except ValueError:  # the ends of atanh
        return math.copysign(math.inf, numbers[0])


def _of_kind(number, kind):
    return decimal128(to_decimal(number)) if kind == DECIMAL else number


for _name in ("sin", "cos", "tan"):
    _function("$" + _name, getattr(math, _name), open_ends=True)
_function("$asin", math.asin, -1, 1)
_function("$acos", math.acos, -1, 1)
_function("$atan", math.atan)
_function("$sinh", math.sinh)
_function("$cosh", math.cosh)
_function("$tanh", math.tanh)
_function("$asinh", math.asinh)
_function("$acosh", math.acosh, 1, math.inf)
_function("$atanh", math.atanh, -1, 1)


@takes("$atan2", 2, null=True)
def atan2(y, x):
    for value, code, which in ((y, 51044, "y"), (x, 51045, "x")):
        if not rank(value):
            raise MongoError(code, f"$atan2's {which} must be numeric, not {type_name(value)}")
    return _of_kind(math.atan2(to_double(y), to_double(x)), max(rank(y), rank(x)))


def _angle(name, factor, divisor):
    def convert(value):
        if not rank(value):
            raise MongoError(28765, f"{name} only supports numeric types, not {type_name(value)}")
        if rank(value) == DECIMAL:
            return decimal128(DECIMALS.divide(DECIMALS.multiply(value.to_decimal(), factor), divisor))
        return to_double(value) * (float(factor) / float(divisor))

    takes(name, 1, null=True)(convert)


_angle("$degreesToRadians", PI, Decimal(180))
_angle("$radiansToDegrees", Decimal(180), PI)
