"""Values of BSON as bytes whose order is MongoDB's: what indexes sort and compare.

The idea is that of the server's KeyString: a byte for the type, then the value in a form whose bytes sort as the
value does, ended so that no encoding is the beginning of another. A descending field inverts every byte.
Numbers of different types that are equal have the same bytes.
"""

import math
import re
import struct
import uuid
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from stores.mongodb.ordering import Missing, milliseconds, regex_parts

# The order of types: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
# All lie below LAST, also inverted.
LAST = b"\xff"
END = b"\x01"
MIN_KEY = b"\x10"
UNDEFINED = b"\x15"  # the key of an empty array
NULL = b"\x20"
NAN = b"\x2f"
NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID = b"\x30", b"\x40", b"\x50", b"\x60", b"\x70", b"\x80"
FALSE, TRUE = b"\x90", b"\x91"
DATE, TIMESTAMP, REGEX, CODE, SCOPED_CODE = b"\xa0", b"\xb0", b"\xc0", b"\xd0", b"\xd1"
MAX_KEY = b"\xef"
OPEN_TYPES = {NUMBER, STRING, OBJECT, ARRAY, BINARY, OBJECT_ID, DATE, TIMESTAMP, REGEX, CODE, SCOPED_CODE}  # never a whole key
TYPE_OF = {NAN: NUMBER, TRUE: FALSE}  # where one type has two bytes

INVERTED = bytes(255 - byte for byte in range(256))
EXACT = 2**53  # whole numbers up to here are doubles
PLACES = 1 << 192  # parts of the distance between two doubles that are told apart


def encode(value, fold=None):
    """Return the bytes of one value. `fold` is a collation's key function for strings, or None."""
    encoder = ENCODERS.get(type(value))
    if encoder is not None:
        return encoder(value, fold)
    return _unusual(value, fold)


def invert(key):
    """Return the bytes that sort the other way round."""
    return key.translate(INVERTED)


def invert_bound(bound):
    """Return the end of an interval that sorts the other way round.

    A type's byte alone lies before all values of the type. Inverted it must lie behind them all, and they are longer.
    """
    return bytes([256 - bound[0]]) if bound in OPEN_TYPES else invert(bound)


def number(value, _=None):
    """Return the bytes of an int, a float or a Decimal."""
    if -EXACT <= value <= EXACT and type(value) is not Decimal:
        return NUMBER + _double(float(value)) + END
    below = _floor(value)
    rest = _parts(value, below)
    return NUMBER + _double(below) + (b"\x02" + rest.to_bytes(24, "big") if rest else END)


def _double(value):
    (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0))  # + 0.0 makes 0.0 of -0.0
    return (bits ^ 0xFFFFFFFFFFFFFFFF if bits >> 63 else bits | 1 << 63).to_bytes(8, "big")


def _floor(value):
    try:
        near = float(value)
    except OverflowError:
        near = math.inf if value > 0 else -math.inf
    return near if near <= value else math.nextafter(near, -math.inf)


def _parts(value, below):
    # How far the value lies above the double below it, in PLACES-ths of the way to the next one.
    if math.isinf(below) or value == below:
        return 0
    step = math.nextafter(below, math.inf)
    if math.isinf(step):
        return 1
    return int((Fraction(value) - Fraction(below)) / (Fraction(step) - Fraction(below)) * PLACES) or 1


def _float(value, _):
    return NAN if value != value else number(value)


def _decimal(value, _):
    exact = value.to_decimal()
    return NAN if exact.is_nan() else number(exact)


def _text(value):
    data = value.encode("utf-8", "surrogatepass")
    return data.replace(b"\0", b"\0\xff") + b"\0" if b"\0" in data else data + b"\0"


def _string(value, fold):
    if fold is None:
        return STRING + _text(value)
    return STRING + _folded(fold(value))


def _folded(key):
    # What a collation makes of a text: nested tuples of texts and numbers. The shorter of two tuples comes first.
    if isinstance(key, tuple):
        return b"\x02" + b"".join(map(_folded, key)) + END
    if isinstance(key, str):
        return b"\x03" + _text(key)
    size = (int(key).bit_length() + 7) // 8
    return b"\x03" + size.to_bytes(4, "big") + int(key).to_bytes(size, "big")


def _document(value, fold):
    parts = [OBJECT]
    for name, each in value.items():
        key = encode(each, fold)
        parts += (TYPE_OF.get(key[:1], key[:1]), _text(name), key)  # MongoDB compares the type, the name, the value
    return b"".join([*parts, END])


def _array(value, fold):
    return ARRAY + b"".join(encode(each, fold) for each in value) + END


def _binary(value, _):
    return BINARY + struct.pack(">IB", len(value), getattr(value, "subtype", 0)) + bytes(value)


def _date(value, _):
    return DATE + (milliseconds(value) + (1 << 63)).to_bytes(8, "big")


def _regex(value, _):
    pattern, options = regex_parts(value)
    return REGEX + _text(pattern) + _text(options)


def _code(value, fold):
    return CODE + _text(str(value)) if value.scope is None else SCOPED_CODE + _text(str(value)) + _document(value.scope, fold)


ENCODERS = {
    Missing: lambda value, fold: NULL,
    type(None): lambda value, fold: NULL,
    bool: lambda value, fold: TRUE if value else FALSE,
    int: number,
    Int64: number,
    float: _float,
    Decimal128: _decimal,
    str: _string,
    dict: _document,
    list: _array,
    tuple: _array,
    bytes: _binary,
    Binary: _binary,
    ObjectId: lambda value, fold: OBJECT_ID + value.binary,
    datetime: _date,
    DatetimeMS: _date,
    Timestamp: lambda value, fold: TIMESTAMP + struct.pack(">II", value.time, value.inc),
    Regex: _regex,
    re.Pattern: _regex,
    uuid.UUID: lambda value, fold: _binary(Binary.from_uuid(value), fold),
    Code: _code,
    MinKey: lambda value, fold: MIN_KEY,
    MaxKey: lambda value, fold: MAX_KEY,
    DBRef: lambda value, fold: _document(value.as_doc(), fold),
}


def _unusual(value, fold):
    # A subclass (SON, an enum …) is encoded as what it is derived from.
    for kind, encoder in ENCODERS.items():
        if isinstance(value, kind):
            return encoder(value, fold)
    raise TypeError(f"expected a BSON value, found {type(value).__name__}: {value!r}")
