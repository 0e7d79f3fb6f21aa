"""tinyint, smallint, int, bigint, counter, varint, float, double, decimal, boolean."""

import math
import struct
from decimal import Decimal, InvalidOperation

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types.base import CqlType, json_text, unexpected

_FLIPPED = [bytes((first ^ 0x80,)) for first in range(256)]  # two's complement in the order of unsigned bytes
_MAX_DIGITS = 4000  # Python refuses to read longer integers, to be safe from quadratic work


class FixedInteger(CqlType):
    """Whole numbers in two's complement. Values: int."""

    literals = ("integer",)

    def __init__(self, name, code, length, java_class, java_word, empty_allowed=True):
        self.name = name
        self.code = code
        self.fixed_length = length
        self.java_class = java_class
        self.accepted = ("timestamp",) if name == "bigint" else ()
        self.java_word = java_word  # as Cassandra's messages name it: byte, short, int, long
        self.empty_allowed = empty_allowed
        self.lowest = -(1 << (8 * length - 1))
        self.highest = -self.lowest - 1

    def serialize(self, value):
        try:
            return value.to_bytes(self.fixed_length, "big", signed=True)
        except OverflowError:
            raise InvalidRequest(f"Unable to make {self.java_word} from '{value}'") from None

    def deserialize(self, data):
        return int.from_bytes(data, "big", signed=True) if data else None

    def sort_key(self, data):
        return _FLIPPED[data[0]] + data[1:] if data else data

    def validate(self, data):
        length = self.fixed_length
        if len(data) == length or (not data and self.empty_allowed):
            return
        if self.empty_allowed:
            raise InvalidRequest(f"Expected {length} or 0 byte {self.java_word} ({len(data)})")
        raise InvalidRequest(f"Expected {length} byte{'s' if length > 1 else ''} for a {self.name} ({len(data)})")

    def wrap(self, value):
        """Return `value` as it overflows in Java."""
        return (value - self.lowest) % (1 << 8 * self.fixed_length) + self.lowest

    def format(self, data):
        return str(self.deserialize(data)) if data else ""

    def parse(self, text):
        try:
            return self.serialize(int(text) if len(text) < 40 else 1 << 100)
        except (ValueError, InvalidRequest):
            raise InvalidRequest(f"Unable to make {self.java_word} from '{text}'") from None

    def to_json(self, data):
        return self.format(data) or '""'

    def from_json(self, value):
        if isinstance(value, str):
            return self.from_text(value)
        if isinstance(value, bool) or not isinstance(value, int):
            word = "int" if self.name == "int" else "bigint" if self.fixed_length == 8 else self.java_word
            raise unexpected(f"{'an' if word == 'int' else 'a'} {word} value", value)
        return self.from_text(str(value))


class Varint(CqlType):
    """Whole numbers of any size. Values: int."""

    name, code, java_class, literals = "varint", 0x000E, "IntegerType", ("integer",)
    accepted = ("int", "bigint")

    def serialize(self, value):
        length = (value if value >= 0 else ~value).bit_length() // 8 + 1
        return value.to_bytes(length, "big", signed=True)

    def deserialize(self, data):
        return int.from_bytes(data, "big", signed=True) if data else None

    def sort_key(self, data):
        return (int.from_bytes(data, "big", signed=True),) if data else ()

    def format(self, data):
        return _digits(self.deserialize(data)) if data else ""

    def parse(self, text):
        try:
            return self.serialize(_integer(text))
        except ValueError:
            raise InvalidRequest(f"unable to make int from '{text}'") from None

    def to_json(self, data):
        return self.format(data) or '""'

    def from_json(self, value):
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise InvalidRequest(f"Value '{json_text(value)}' is not a valid representation of a varint value")
        try:
            return self.serialize(_integer(str(value)))
        except ValueError:
            raise InvalidRequest(f"Value '{value}' is not a valid representation of a varint value") from None


class Floating(CqlType):
    """float and double: IEEE 754. Values: float."""

    literals = ("integer", "float")

    def __init__(self, name, code, length, java_class):
        self.name, self.code, self.fixed_length, self.java_class = name, code, length, java_class
        self._format = struct.Struct(">f" if length == 4 else ">d")

    def serialize(self, value):
        try:
            return self._format.pack(value)
        except OverflowError:  # too large for a float: infinity, as in Java
            return self._format.pack(math.copysign(math.inf, value))

    def deserialize(self, data):
        return self._format.unpack(data)[0] if data else None

    def sort_key(self, data):
        """Order as Double.compare: -0.0 below 0.0, every NaN above infinity."""
        if not data:
            return data
        value = self._format.unpack(data)[0]
        if value != value:
            return b"\xff" * len(data)
        if data[0] & 0x80:
            return bytes(255 - byte for byte in data)
        return _FLIPPED[data[0]] + data[1:]

    def validate(self, data):
        if len(data) not in (self.fixed_length, 0):
            if self.name == "float":
                raise InvalidRequest(f"Expected 4 or 0 byte value for a float ({len(data)})")
            raise InvalidRequest(f"Expected 8 or 0 byte value for a double ({len(data)})")

    def format(self, data):
        return java_double(self.deserialize(data), self.fixed_length == 4) if data else ""

    def parse(self, text):
        try:
            return self.serialize(float(text))
        except ValueError:
            raise InvalidRequest(f"Unable to make {self.name} from '{text}'") from None

    def to_json(self, data):
        if not data:
            return '""'
        return self.format(data) if math.isfinite(self.deserialize(data)) else "null"

    def from_json(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise unexpected(f"a {self.name} value", value)
        return self.from_text(str(value))


class DecimalNumber(CqlType):
    """decimal: a varint and a scale. Values: decimal.Decimal, exact."""

    name, code, java_class, literals = "decimal", 0x0006, "DecimalType", ("integer", "float")

    def serialize(self, value):
        sign, digits, exponent = value.as_tuple()
        if not isinstance(exponent, int) or not -(2**31) < -exponent < 2**31:
            raise InvalidRequest(f"unable to make BigDecimal from '{value}'")
        unscaled = _integer("".join(map(str, digits)))
        return struct.pack(">i", -exponent) + VARINT.serialize(-unscaled if sign else unscaled)

    def deserialize(self, data):
        if not data:
            return None
        unscaled = int.from_bytes(data[4:], "big", signed=True)
        digits = tuple(map(int, _digits(abs(unscaled))))
        return Decimal((int(unscaled < 0), digits, -int.from_bytes(data[:4], "big", signed=True)))

    def sort_key(self, data):
        return (self.deserialize(data),) if data else ()

    def validate(self, data):
        if 0 < len(data) < 4:
            raise InvalidRequest(f"Expected 0 or at least 4 bytes ({len(data)})")

    def format(self, data):
        return java_decimal(self.deserialize(data)) if data else ""

    def parse(self, text):
        try:
            value = Decimal(text)
            if not value.is_finite():
                raise ValueError(text)
        except (ValueError, InvalidOperation):
            raise InvalidRequest(f"unable to make BigDecimal from '{text}'") from None
        return self.serialize(value)

    def to_json(self, data):
        return self.format(data) or '""'

    def from_json(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise unexpected_decimal(value)
        try:
            return self.from_text(str(value))
        except InvalidRequest:
            raise unexpected_decimal(value) from None


class Boolean(CqlType):
    """Values: bool."""

    name, code, java_class, literals, fixed_length = "boolean", 0x0004, "BooleanType", ("boolean",), 1

    def serialize(self, value):
        return b"\1" if value else b"\0"

    def deserialize(self, data):
        return data != b"\0" if data else None

    def sort_key(self, data):
        return data if data in (b"", b"\0") else b"\1"

    def validate(self, data):
        if len(data) > 1:
            raise InvalidRequest(f"Expected 1 or 0 byte value ({len(data)})")

    def format(self, data):
        return ("false" if data == b"\0" else "true") if data else ""

    def parse(self, text):
        if text.lower() not in ("true", "false"):
            raise InvalidRequest(f"Unable to make boolean from '{text}'")
        return b"\1" if text.lower() == "true" else b"\0"

    def to_json(self, data):
        return self.format(data) or '""'

    def from_json(self, value):
        if isinstance(value, str):
            return self.from_text(value)
        if not isinstance(value, bool):
            raise unexpected("a boolean value", value)
        return self.serialize(value)


def unexpected_decimal(value):
    """Return the error that JSON holds no decimal."""

    return InvalidRequest(f"Value '{json_text(value)}' is not a valid representation of a decimal value")


def _integer(text):
    """Return int(text), also for texts longer than Python likes. Raises ValueError."""
    if len(text) <= _MAX_DIGITS:
        return int(text)
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    value = 0
    for start in range(0, len(digits), _MAX_DIGITS):
        chunk = digits[start : start + _MAX_DIGITS]
        value = value * 10 ** len(chunk) + int(chunk)
    return sign * value


def _digits(value):
    """Return str(value), also for integers longer than Python likes."""
    if value.bit_length() < 3 * _MAX_DIGITS:
        return str(value)
    chunks, rest = [], abs(value)
    while rest:
        rest, chunk = divmod(rest, 10**_MAX_DIGITS)
        chunks.append(str(chunk).zfill(_MAX_DIGITS))
    return ("-" if value < 0 else "") + "".join(reversed(chunks)).lstrip("0")


def java_decimal(value):
    """Return a Decimal as Java's BigDecimal.toString: an exponent where the scale is negative or the number tiny."""
    sign, digits, exponent = value.as_tuple()
    scale, text = -exponent, "".join(map(str, digits))
    adjusted = len(text) - 1 - scale
    if scale >= 0 and adjusted >= -6:
        if scale:
            text = text.rjust(scale + 1, "0")
            text = f"{text[:-scale]}.{text[-scale:]}"
    else:
        text = text[0] + (f".{text[1:]}" if len(text) > 1 else "") + (f"E{adjusted:+d}" if adjusted else "")
    return ("-" if sign else "") + text


def java_double(value, single=False):
    """Return a float as Java's Double.toString, or Float.toString where `single`."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = _shortest_single(value) if single else repr(value)
    number = Decimal(text)
    if number == 0:
        return "-0.0" if text.startswith("-") else "0.0"
    if Decimal("1e-3") <= abs(number) < Decimal("1e7"):
        plain = f"{number:f}"
        return plain if "." in plain else plain + ".0"
    sign, digits, _ = number.as_tuple()
    digits = "".join(map(str, digits)).rstrip("0") or "0"
    return f"{'-' if sign else ''}{digits[0]}.{digits[1:] or '0'}E{number.adjusted()}"


def _shortest_single(value):
    """Return the shortest decimal text that is this float when rounded to 32 bits."""
    wanted = struct.pack(">f", value)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if abs(float(text)) < 3.4028236e38 and struct.pack(">f", float(text)) == wanted:
            return text
    return repr(value)


TINYINT = FixedInteger("tinyint", 0x0014, 1, "ByteType", "byte", empty_allowed=False)
SMALLINT = FixedInteger("smallint", 0x0013, 2, "ShortType", "short", empty_allowed=False)
INT = FixedInteger("int", 0x0009, 4, "Int32Type", "int")
BIGINT = FixedInteger("bigint", 0x0002, 8, "LongType", "long")
COUNTER = FixedInteger("counter", 0x0005, 8, "CounterColumnType", "long")
VARINT = Varint()
FLOAT = Floating("float", 0x0008, 4, "FloatType")
DOUBLE = Floating("double", 0x0007, 8, "DoubleType")
DECIMAL = DecimalNumber()
BOOLEAN = Boolean()
