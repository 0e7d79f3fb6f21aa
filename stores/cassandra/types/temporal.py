"""timestamp, date, time, duration."""

import re
import struct
import time

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types import calendar
from stores.cassandra.types.base import CqlType, unexpected
from stores.cassandra.types.duration import Duration, parse_duration
from stores.cassandra.types.numbers import BIGINT

_INTEGER = re.compile(r"[+-]?\d{1,30}")
_EPOCH = 2**31  # a date's bytes count days from here, so that all dates are unsigned


class Timestamp(CqlType):
    """Milliseconds since 1970 (UTC). Values: int."""

    name, code, java_class, literals, fixed_length = "timestamp", 0x000B, "TimestampType", ("string", "integer"), 8
    accepted = ("bigint",)

    def serialize(self, value):
        return BIGINT.serialize(value)

    def deserialize(self, data):
        return BIGINT.deserialize(data)

    def sort_key(self, data):
        return BIGINT.sort_key(data)

    def validate(self, data):
        if len(data) not in (8, 0):
            raise InvalidRequest(f"Expected 8 or 0 byte long for date ({len(data)})")

    def format(self, data):
        return calendar.format_timestamp(self.deserialize(data), "T") if data else ""

    def parse(self, text):
        if text.lower() == "now":
            return self.serialize(int(time.time() * 1000))
        if _INTEGER.fullmatch(text):
            try:
                return self.serialize(int(text))
            except InvalidRequest:
                raise InvalidRequest(f"Unable to make long (for date) from: '{text}'") from None
        try:
            return self.serialize(calendar.parse_timestamp(text))
        except ValueError:
            raise InvalidRequest(f"Unable to parse a date/time from '{text}'") from None

    def to_json(self, data):
        return f'"{calendar.format_timestamp(self.deserialize(data))}"' if data else '""'

    def from_json(self, value):
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise unexpected("a long or a datestring representation of a timestamp value", value)
        return self.from_text(str(value))


class Date(CqlType):
    """Days. Values: int, days since 1970-01-01; the bytes count from 2^31 days before."""

    name, code, java_class, literals, fixed_length = "date", 0x0011, "SimpleDateType", ("string", "integer"), 4
    empty_allowed = False

    def serialize(self, value):
        try:
            return struct.pack(">I", value + _EPOCH)
        except struct.error:
            word = "less than min" if value < 0 else "greater than max"
            limit = "-5877641-06-23T00:00Z" if value < 0 else "+5881580-07-11T00:00Z"
            raise InvalidRequest(f"Input date {calendar.format_date(value)} is {word} supported date {limit}") from None

    def deserialize(self, data):
        return int.from_bytes(data, "big") - _EPOCH if data else None

    def validate(self, data):
        if len(data) != 4:
            raise InvalidRequest(f"Expected 4 byte long for date ({len(data)})")

    def format(self, data):
        return calendar.format_date(self.deserialize(data)) if data else ""

    def parse(self, text):
        if _INTEGER.fullmatch(text):  # the raw unsigned number
            if not 0 <= int(text) < 2**32:
                raise InvalidRequest(f"Unable to make unsigned int (for date) from: '{text}'")
            return struct.pack(">I", int(text))
        try:
            return self.serialize(calendar.parse_date(text))
        except ValueError:
            raise InvalidRequest(f"Unable to coerce '{text}' to a formatted date (long)") from None

    def to_json(self, data):
        return f'"{self.format(data)}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of a date value", value)
        return self.from_text(value)


class Time(CqlType):
    """Nanoseconds since midnight. Values: int."""

    name, code, java_class, literals, fixed_length = "time", 0x0012, "TimeType", ("string", "integer"), 8
    empty_allowed = False

    def serialize(self, value):
        return BIGINT.serialize(value)

    def deserialize(self, data):
        return BIGINT.deserialize(data)

    def validate(self, data):
        if len(data) != 8:
            raise InvalidRequest(f"Expected 8 byte long for time ({len(data)})")

    def format(self, data):
        return calendar.format_time(self.deserialize(data)) if data else ""

    def parse(self, text):
        if _INTEGER.fullmatch(text):
            if not 0 <= int(text) < calendar.DAY_NS:
                raise InvalidRequest(f"Unable to make long (for time) from: '{text}'")
            return self.serialize(int(text))
        try:
            return self.serialize(calendar.parse_time(text))
        except ValueError:
            raise InvalidRequest(f"(TimeType) Unable to coerce '{text}' to a formatted time (long)") from None

    def to_json(self, data):
        return f'"{self.format(data)}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of a time value", value)
        return self.from_text(value)


class DurationType(CqlType):
    """Months, days, nanoseconds, which have no order. Values: Duration."""

    name, code, java_class, literals = "duration", 0x0015, "DurationType", ("duration", "integer")
    empty_allowed = False

    def option(self, version=4):
        if version >= 5:
            return super().option(version)
        name = self.java_name.encode()  # protocols before 5 know it by its class only
        return struct.pack(">HH", 0, len(name)) + name

    def serialize(self, value):
        return b"".join(map(_vint, value))

    def deserialize(self, data):
        if not data:
            return None
        parts, position = [], 0
        for _ in range(3):
            value, position = _read_vint(data, position)
            parts.append(value)
        return Duration(*parts)

    def validate(self, data):
        if len(data) < 3:
            raise InvalidRequest(f"Expected at least 3 bytes for a duration ({len(data)})")
        try:
            months, days, nanoseconds = self.deserialize(data)
        except IndexError:
            raise InvalidRequest(f"Expected at least 3 bytes for a duration ({len(data)})") from None
        for unit, value in (("months", months), ("days", days)):
            if not -(2**31) <= value < 2**31:
                raise InvalidRequest(f"The duration {unit} must be a 32 bits integer but was: {value}")
        if min(months, days, nanoseconds) < 0 < max(months, days, nanoseconds):
            raise InvalidRequest(
                f"The duration months, days and nanoseconds must be all of the same sign ({months}, {days}, {nanoseconds})"
            )

    def format(self, data):
        return str(self.deserialize(data)) if data else ""

    def parse(self, text):
        return self.serialize(parse_duration(text))

    def to_json(self, data):
        return f'"{self.format(data)}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of a duration", value)
        return self.from_text(value)


def _vint(value):
    """Return a number in zigzag, then as many bytes as it needs: the first byte's leading ones count the others."""
    number = (value << 1) ^ (value >> 63)
    extra = max(0, (number.bit_length() - 1) // 7)
    if extra >= 8:
        return b"\xff" + number.to_bytes(8, "big")
    return (number | (0xFF00 >> extra & 0xFF) << (8 * extra)).to_bytes(extra + 1, "big")


def _read_vint(data, position):
    """Return (number, position after it). Raises IndexError where the bytes end."""
    first = data[position]
    extra = 8 - (first ^ 0xFF).bit_length()
    end = position + 1 + extra
    if end > len(data):
        raise IndexError(end)
    number = (first & (0xFF >> extra)) << (8 * extra) | int.from_bytes(data[position + 1 : end], "big")
    return (number >> 1) ^ -(number & 1), end


TIMESTAMP = Timestamp()
DATE = Date()
TIME = Time()
DURATION = DurationType()
