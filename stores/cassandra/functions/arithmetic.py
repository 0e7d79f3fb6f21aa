"""Numbers: + - * / %, negation, abs, exp, log, log10, round. Results overflow and round as in Java."""

import decimal
import math
from decimal import ROUND_HALF_UP, Decimal

from stores.cassandra.errors import FunctionFailure, InvalidRequest
from stores.cassandra.functions.registry import Function, register
from stores.cassandra.types import (
    ASCII,
    BIGINT,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INT,
    SMALLINT,
    TEXT,
    TIMESTAMP,
    TINYINT,
    VARINT,
    Duration,
    calendar,
)
from stores.cassandra.types.numbers import java_double

INTEGERS = (TINYINT, SMALLINT, INT, BIGINT, COUNTER)
NUMBERS = (TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, VARINT, DECIMAL, COUNTER)
_BY_SIZE = {1: TINYINT, 2: SMALLINT, 4: INT, 8: BIGINT}
_NAMES = {"+": "_add", "-": "_substract", "*": "_multiply", "/": "_divide", "%": "_modulo"}
# Enough for every result that fits in memory; nothing is rounded by it but exp and log.
EXACT = decimal.Context(prec=5000, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)
_PRECISION = decimal.Context(prec=32, rounding=ROUND_HALF_UP, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


def number(cql_type, value):
    """Return a number as bytes of a type: integers wrap, decimals are made of floats as they print."""
    if cql_type in INTEGERS:
        return cql_type.serialize(cql_type.wrap(int(value)))
    if cql_type is VARINT:
        return VARINT.serialize(int(value))
    if cql_type is DECIMAL:
        return DECIMAL.serialize(value if isinstance(value, Decimal) else Decimal(str(value)))
    return cql_type.serialize(_float(value))


def _float(value):
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


# --- operators --------------------------------------------------------------------------------------------------------------


def result_type(left, right):
    """Return the type of left + right for numbers: the wider one, with a fraction if either has one."""
    floating = any(t in (FLOAT, DOUBLE, DECIMAL) for t in (left, right))
    if VARINT in (left, right) or DECIMAL in (left, right):
        return DECIMAL if floating else VARINT
    size = max(left.fixed_length, right.fixed_length)
    if floating:
        return DOUBLE if size == 8 else FLOAT
    return _BY_SIZE[size]


def operation(operator, left, right, shown=None):
    """Return the Function of `left operator right`, both types. Raises InvalidRequest where there is none.

    `shown` are the two operands as the message is to show them, the types unless said.
    """
    name = f"system.{_NAMES[operator]}"
    if left in NUMBERS and right in NUMBERS:
        result = result_type(left, right)
        return Function(name, (left, right), result, _arithmetic(operator, left, right, result))
    if right == DURATION and left in (TIMESTAMP, DATE) and operator in "+-":
        move = _move_timestamp if left == TIMESTAMP else _move_date
        sign = 1 if operator == "+" else -1
        return Function(name, (left, right), left, _failing(operator, left, right, lambda *values: move(*values, sign)))
    if operator == "+" and left in (TEXT, ASCII) and right in (TEXT, ASCII):
        return Function(name, (left, right), ASCII if left == right == ASCII else TEXT, _concatenate)
    left, right = shown or (left, right)
    raise InvalidRequest(f"the '{operator}' operation is not supported between {left} and {right}")


def _concatenate(left, right):
    return None if left is None or right is None else left + right


def _nullable(call):
    """Return `call` so that it gives null where a value is null or empty."""
    return lambda *values: call(*values) if all(values) else None


def _arithmetic(operator, left, right, result):
    calculate = (_DECIMAL if result is DECIMAL else _FLOATS if result in (FLOAT, DOUBLE) else _INTEGERS)[operator]
    if result is VARINT and operator in "/%":
        calculate = _varint_division(calculate)

    return _failing(operator, left, right, lambda one, two: number(result, calculate(_as(result, left, one), _as(result, right, two))))


def _failing(operator, left, right, calculate):
    """Return `calculate` so that null gives null, and what goes wrong becomes the failure of a function."""

    def call(one, two):
        try:
            return calculate(one, two)
        except (ZeroDivisionError, decimal.DecimalException, InvalidRequest) as error:
            types = [str(left), str(right)]
            raise FunctionFailure(
                "system", _NAMES[operator], types, f"the operation '{left} {operator} {right}' failed: {error}", whole=True
            ) from None

    return _nullable(call)


def _as(result, cql_type, data):
    """Return a value as Python's number for calculating in the type `result`."""
    value = cql_type.deserialize(data)
    if result is DECIMAL and cql_type in INTEGERS:  # Cassandra goes through doubles here: 2 becomes 2.0
        return Decimal(java_double(float(value)))
    if result is DECIMAL and not isinstance(value, Decimal):
        return Decimal(cql_type.format(data))
    return _float(value) if result in (FLOAT, DOUBLE) else value


def _divide_integers(one, two):
    if not two:
        raise ZeroDivisionError("/ by zero")
    quotient = abs(one) // abs(two)
    return quotient if (one < 0) == (two < 0) else -quotient


def _divide_floats(one, two):
    if two:
        return one / two
    return math.nan if one == 0 or one != one else math.copysign(math.inf, one) * math.copysign(1, two)


def _divide_decimals(one, two):
    """Divide with at least 32 digits, as Cassandra does, and leave out the zeros at the end."""
    if not two:
        raise ZeroDivisionError("BigInteger divide by zero")

    def whole_digits(value):
        return value.adjusted() + 1 if value else 1

    scale = 32 - whole_digits(one) + whole_digits(two)
    scale = min(max(scale, -one.as_tuple().exponent, -two.as_tuple().exponent, 32), 1000)
    context = decimal.Context(prec=2 * scale + abs(one.adjusted()) + abs(two.adjusted()) + 50, rounding=ROUND_HALF_UP)
    quotient = context.divide(one, two).quantize(Decimal(1).scaleb(-scale), context=context)
    return quotient.normalize(context) if quotient else Decimal(0)


def _decimal_remainder(one, two):
    if not two:
        raise ZeroDivisionError("Division by zero")
    return EXACT.remainder(one, two)


def _varint_division(calculate):
    def checked(one, two):
        if not two:
            raise ZeroDivisionError("BigInteger divide by zero")
        return calculate(one, two)

    return checked


_INTEGERS = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "/": _divide_integers,
    "%": lambda one, two: one - two * _divide_integers(one, two),
}
_FLOATS = {
    "+": lambda one, two: one + two,
    "-": lambda one, two: one - two,
    "*": lambda one, two: one * two,
    "/": _divide_floats,
    "%": lambda one, two: math.fmod(one, two) if two and not math.isinf(one) else math.nan,
}
_DECIMAL = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
    "/": _divide_decimals,
    "%": _decimal_remainder,
}


def add_duration(milliseconds, duration, sign=1):
    """Return a timestamp moved by a duration: months and days by the calendar, the rest by the clock."""
    days, rest = divmod(milliseconds, calendar.DAY_MS)
    days = calendar.add_months(days, sign * duration.months) + sign * duration.days
    return days * calendar.DAY_MS + rest + sign * int(duration.nanoseconds / 1_000_000)


def _move_timestamp(time, duration, sign):
    duration = DURATION.deserialize(duration)
    if duration.nanoseconds % 1_000_000:
        raise InvalidRequest(f"The duration must have a millisecond precision. Was: {duration}")
    return TIMESTAMP.serialize(add_duration(TIMESTAMP.deserialize(time), duration, sign))


def _move_date(date, duration, sign):
    duration = DURATION.deserialize(duration)
    days, rest = divmod(abs(duration.nanoseconds), calendar.DAY_NS)
    if rest:
        raise InvalidRequest(f"The duration must have a day precision. Was: {duration}")
    whole = Duration(duration.months, duration.days + (days if duration.nanoseconds > 0 else -days), 0)
    return DATE.serialize(add_duration(DATE.deserialize(date) * calendar.DAY_MS, whole, sign) // calendar.DAY_MS)


def negation(cql_type):
    """Return the function that negates serialised numbers of a type. Raises InvalidRequest for others."""
    if cql_type is None:
        raise InvalidRequest("Ambiguous negation: use type casts to disambiguate")
    if cql_type not in NUMBERS:
        signatures = ", ".join(f'system."_negate" : ({number}) -> {number}' for number in NUMBERS)
        raise InvalidRequest(
            f"Invalid call to function system._negate, none of its type signatures match (known type signatures: {signatures})"
        )
    return _nullable(lambda data: number(cql_type, _negated(cql_type.deserialize(data))))


def _negated(value):
    return value.copy_negate() if isinstance(value, Decimal) and value else -value


# --- functions ----------------------------------------------------------------------------------------------------------------


def _transcendental(of_float, of_decimal):
    """Return a function (type, value) -> value: decimals get 32 digits, all others go through floats."""

    def calculate(cql_type, value):
        if cql_type is not DECIMAL:
            return of_float(_float(value))
        result = of_decimal(value)
        return result.quantize(Decimal(1).scaleb(result.adjusted() - 31), context=_PRECISION) if result else result

    return calculate


def _exp(value):
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _logarithm(of_float):
    def calculate(value):
        if value > 0:
            return of_float(value)
        return math.nan if value < 0 or value != value else -math.inf

    return calculate


def truncated(value, cql_type):
    """Return a float as Java casts it to an integer: no fraction, NaN is 0, what is too large the largest int or bigint."""
    if value != value:
        return 0
    highest = 2**63 - 1 if cql_type in (BIGINT, COUNTER, VARINT) else 2**31 - 1
    return int(max(-highest - 1, min(highest, value)))


def _round(cql_type, value):
    if cql_type is DECIMAL:
        return value.quantize(Decimal(1), ROUND_HALF_UP, EXACT)
    if cql_type in (FLOAT, DOUBLE):
        return float(math.floor(value + 0.5)) if math.isfinite(value) else value
    return value


def _register_math():
    for name, calculate in {
        "abs": lambda cql_type, value: value.copy_abs() if cql_type is DECIMAL else abs(value),
        "exp": _transcendental(_exp, _PRECISION.exp),
        "log": _transcendental(_logarithm(math.log), _PRECISION.ln),
        "log10": _transcendental(_logarithm(math.log10), _PRECISION.log10),
        "round": _round,
    }.items():
        for cql_type in NUMBERS:
            register(name, [cql_type], cql_type, _nullable(_applied(calculate, cql_type)))


def _applied(calculate, cql_type):
    def call(data):
        try:
            value = calculate(cql_type, cql_type.deserialize(data))
        except decimal.DecimalException as error:
            raise InvalidRequest(f"{type(error).__name__} in a calculation with decimals") from None
        if isinstance(value, float) and cql_type not in (FLOAT, DOUBLE):
            value = truncated(value, cql_type)
        return number(cql_type, value)

    return call


_register_math()
