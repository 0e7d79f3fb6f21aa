"""Durations: months, days and nanoseconds, which do not convert into one another."""

import re
from typing import NamedTuple

from stores.cassandra.errors import InvalidRequest

# (symbol, field, units of the field, name in messages) from the largest; a symbol may come once and in this order.
_UNITS = (
    ("y", 0, 12, "years"),
    ("mo", 0, 1, "months"),
    ("w", 1, 7, "weeks"),
    ("d", 1, 1, "days"),
    ("h", 2, 3_600_000_000_000, "hours"),
    ("m", 2, 60_000_000_000, "minutes"),
    ("s", 2, 1_000_000_000, "seconds"),
    ("ms", 2, 1_000_000, "milliseconds"),
    ("us", 2, 1_000, "microseconds"),
    ("ns", 2, 1, "nanoseconds"),
)
_ORDER = {symbol: place for place, (symbol, *_) in enumerate(_UNITS)}
_PART = re.compile(r"(\d+)(y|mo|w|d|h|ms|us|µs|ns|m|s)", re.I)
_STANDARD = re.compile(rf"(?:{_PART.pattern})+", re.I)
_ISO = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_ISO_WEEKS = re.compile(r"P(\d+)W")
_ISO_ALTERNATIVE = re.compile(r"P(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
_ISO_SYMBOLS = ("y", "mo", "d", "h", "m", "s")


class Duration(NamedTuple):
    """A duration; all three parts have the same sign."""

    months: int
    days: int
    nanoseconds: int

    def __str__(self):
        parts = []
        for field, skipped in ((0, ()), (1, ("w",)), (2, ())):
            rest = abs(self[field])
            for symbol, unit_field, size, _ in _UNITS:
                if unit_field == field and symbol not in skipped and rest >= size:
                    parts.append(f"{rest // size}{symbol}")
                    rest %= size
        return ("-" if min(self) < 0 else "") + "".join(parts)


def parse_duration(text):
    """Return the Duration of "1h30m", "P1Y2M", "P0001-02-03T04:05:06" or "-2d". Raises InvalidRequest."""
    negative = text.startswith("-")
    body = text[1:] if negative else text
    parts = _parts(body)
    if parts is None:
        raise InvalidRequest(f"Unable to convert '{text}' to a duration")
    totals = [0, 0, 0]
    last = -1
    for number, symbol in parts:
        place = _ORDER[symbol]
        _, field, size, name = _UNITS[place]
        if place == last:
            raise InvalidRequest(f"Invalid duration. The {name} are specified multiple times")
        if place < last:
            raise InvalidRequest(f"Invalid duration. The {_UNITS[last][3]} should be after {name}")
        last = place
        totals[field] += number * size
    for field, total in enumerate(totals):
        limit = 2**63 - 1 if field == 2 else 2**31 - 1
        if total > limit:
            unit = ("months", "days", "nanoseconds")[field]
            raise InvalidRequest(f"Invalid duration. The total number of {unit} must be less or equal to {limit}")
    return Duration(*(-total for total in totals)) if negative else Duration(*totals)


def _parts(body):
    """Return pairs (number, symbol) in the order of the text, or None where it is no duration."""
    if body.startswith("P"):
        if match := _ISO_WEEKS.fullmatch(body):
            return [(int(match[1]), "w")]
        match = _ISO_ALTERNATIVE.fullmatch(body) or _ISO.fullmatch(body)
        if not match:
            return None
        return [(int(number), symbol) for number, symbol in zip(match.groups(), _ISO_SYMBOLS, strict=True) if number]
    if not _STANDARD.fullmatch(body):
        return None
    return [(int(number), symbol.lower().replace("µ", "u")) for number, symbol in _PART.findall(body)]
