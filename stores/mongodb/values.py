"""What the language knows of single values: numbers and their promotion, truth, text, dates out of other types.

MongoDB has four kinds of number. An operation gives the widest of its operands' kinds; an int that grows too large
becomes a long, a long a double. Arithmetic on decimals has 34 digits, and a double enters it with 15.
"""

import datetime
import decimal
import math
from decimal import Decimal

from bson import Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128, create_decimal128_context

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import INT32, INT64, MISSING, date_of, milliseconds, type_name

INT, LONG, DOUBLE, DECIMAL = 1, 2, 3, 4
RANKS = {Int64: LONG, float: DOUBLE, Decimal128: DECIMAL}
DECIMALS = create_decimal128_context()
DECIMALS.traps[decimal.InvalidOperation] = False
DECIMALS.traps[decimal.Overflow] = False
FIFTEEN = decimal.Context(prec=15)


def nullish(value):
    """Return whether a value is null or missing."""
    return value is None or value is MISSING


def rank(value):
    """Return INT, LONG, DOUBLE or DECIMAL for a number, 0 for anything else."""
    kind = type(value)
    if kind is int:
        return INT if value in INT32 else LONG
    return RANKS.get(kind, 0)


def is_number(value):
    """Return whether a value is a number. A bool is none."""
    return rank(value) > 0


def truth(value):
    """Return whether a value counts as true: all but false, null, missing and zero."""
    if value is None or value is MISSING or value is False:
        return False
    kind = rank(value)
    if kind == DECIMAL:
        return bool(value.to_decimal())
    return value != 0 if kind else True


def of_rank(number, kind):
    """Return a Python int as an int or long (a double where it does not fit 64 bits)."""
    if number not in INT64:
        return float(number)
    return number if kind == INT and number in INT32 else Int64(number)


def integral(value, within=INT32):
    """Return a number as a Python int if it is a whole number in the range, else None."""
    kind = rank(value)
    if kind in (INT, LONG):
        whole = int(value)
    elif kind == DOUBLE:
        if not math.isfinite(value) or value != int(value):
            return None
        whole = int(value)
    elif kind == DECIMAL:
        exact = value.to_decimal()
        if not exact.is_finite() or exact != exact.to_integral_value():
            return None
        whole = int(exact)
    else:
        return None
    return whole if whole in within else None


def to_decimal(value):
    """Return a number as a Decimal; a double with the 15 digits that MongoDB gives it."""
    if isinstance(value, Decimal128):
        return value.to_decimal()
    if isinstance(value, float):
        if not math.isfinite(value) or value == 0:
            return Decimal(value)
        short = FIFTEEN.create_decimal_from_float(value)
        return short.quantize(Decimal((0, (1,), short.adjusted() - 14)), context=DECIMALS)
    return Decimal(int(value))


def to_double(value):
    """Return a number as a float."""
    try:
        return float(value.to_decimal()) if isinstance(value, Decimal128) else float(value)
    except OverflowError:
        return math.inf


def decimal128(number):
    """Return a Decimal as Decimal128, rounded to its 34 digits."""
    return Decimal128(DECIMALS.create_decimal(number))


def total(numbers):
    """Return the sum of numbers, of the widest of their kinds: whole numbers exactly, doubles without losing digits."""
    kind, whole, doubles, exact = INT, 0, [], Decimal(0)
    for number in numbers:
        of = rank(number)
        kind = max(kind, of)
        if of == DECIMAL:
            exact = DECIMALS.add(exact, number.to_decimal())
        elif of == DOUBLE:
            doubles.append(number)
        else:
            whole += int(number)
    if kind == DECIMAL:
        return decimal128(DECIMALS.add(DECIMALS.add(exact, Decimal(whole)), to_decimal(_sum(doubles)) if doubles else Decimal(0)))
    if kind == DOUBLE:
        return _sum([*doubles, *_floats(whole)])
    return of_rank(whole, kind)


def _sum(doubles):
    try:
        return math.fsum(doubles)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum beyond the largest double
        return sum(doubles)


def _floats(whole):
    """Return floats that add up to a whole number exactly."""
    high = float(whole)
    return [high, float(whole - int(high))] if whole else []


def product(a, b):
    """Return the product of two numbers."""
    kind = max(rank(a), rank(b))
    if kind == DECIMAL:
        return decimal128(DECIMALS.multiply(to_decimal(a), to_decimal(b)))
    if kind == DOUBLE:
        return to_double(a) * to_double(b)
    return of_rank(int(a) * int(b), kind)


def show(value):
    """Return a value as MongoDB's messages write it: { a: 1, b: "text" }."""
    kind = type_name(value)
    if kind == "object":
        items = value.as_doc() if hasattr(value, "as_doc") else value
        return "{ " + ", ".join(f"{name}: {show(inner)}" for name, inner in items.items()) + " }" if items else "{}"
    if kind == "array":
        return "[ " + ", ".join(map(show, value)) + " ]" if value else "[]"
    if kind == "string":
        return f'"{value}"'
    if kind in ("null", "missing", "bool"):
        return {None: "null", MISSING: "MISSING", True: "true", False: "false"}[value]
    if kind == "double":
        return format_double(value) if value != int_or_none(value) else f"{value:.1f}"
    if kind == "date":
        return f"new Date({milliseconds(value)})"
    if kind == "objectId":
        return f"ObjectId('{value}')"
    if kind == "decimal":
        return f"{value}"
    return str(value)


def int_or_none(value):
    """Return a double as an int where it is one and short enough to be written out."""
    return int(value) if math.isfinite(value) and abs(value) < 1e15 and value == int(value) else None


def format_double(value):
    """Return a double as $toString writes it: 3 for 3.0, NaN, Infinity."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if (whole := int_or_none(value)) is not None:
        return str(whole)
    return repr(value)


ISO = "%Y-%m-%dT%H:%M:%S"


def iso(date):
    """Return a date as text, 2026-11-20T08:30:00.000Z."""
    if isinstance(date, DatetimeMS):
        return f"Date({int(date)})"
    return f"{date.year:04d}-{date.month:02d}-{date.day:02d}T{date:%H:%M:%S}.{date.microsecond // 1000:03d}Z"


def to_text(value):
    """Return a value as $toLower and its like take it: "" for null. Raises 16007 for what has no text."""
    if nullish(value):
        return ""
    kind = type_name(value)
    if kind == "string":
        return value
    if kind in ("int", "long"):
        return str(int(value))
    if kind == "double":
        return format_double(value)
    if kind == "date":
        return iso(value)
    if kind in ("decimal", "objectId"):
        return str(value)
    if kind == "timestamp":
        return iso_timestamp(value)
    raise MongoError(16007, f"can't convert from BSON type {kind} to String")


def iso_timestamp(value):
    """Return a timestamp as text."""
    return f"{date_of(value.time * 1000):%b %d %H:%M:%S}:{value.inc:x}"


def to_date(value):
    """Return the date of a date, a timestamp or an ObjectId. Raises 16006 for anything else."""
    if isinstance(value, (datetime.datetime, DatetimeMS)):
        return value
    if isinstance(value, Timestamp):
        return date_of(value.time * 1000)
    if isinstance(value, ObjectId):
        return value.generation_time.replace(tzinfo=None)
    raise MongoError(16006, f"can't convert from BSON type {type_name(value)} to Date")
