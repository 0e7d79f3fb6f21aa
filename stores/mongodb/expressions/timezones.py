"""Time zones, and dates as text: names of the IANA database, offsets, and the formats of $dateToString.

Dates are naive datetimes in UTC. local(date, zone) gives the zone's own wall time, absolute(wall, zone) goes back.
"""

import datetime
import re
import zoneinfo
from functools import lru_cache

from bson.datetime_ms import DatetimeMS

from stores.mongodb.errors import MongoError

UTC = datetime.UTC
OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})?")
MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"]


@lru_cache(maxsize=64)
def zone_of(name):
    """Return the tzinfo of a name ("Europe/Berlin") or an offset ("+05:30"). Raises 40485."""
    if name in ("UTC", "GMT", "Z", "utc"):
        return UTC
    if match := OFFSET.fullmatch(name):
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return datetime.timezone(datetime.timedelta(minutes=minutes if match[1] == "+" else -minutes))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise MongoError(40485, f'unrecognized time zone identifier: "{name}"') from None


def known(date):
    """Return the date if its year has four digits; else raise, for Python's calendar ends there."""
    if isinstance(date, DatetimeMS):
        raise MongoError("BadValue", f"a date outside the years 1 to 9999 ({int(date)} ms) is not in the embedded engine's calendar")
    return date.replace(tzinfo=None)


def local(date, zone):
    """Return the wall time in a zone (naive) of a date."""
    try:
        return date.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return date


def absolute(wall, zone):
    """Return the date of a wall time in a zone."""
    try:
        return wall.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return wall


def offset(date, zone):
    """Return a zone's offset from UTC at a date, a timedelta."""
    return local(date, zone) - date


# Formats -------------------------------------------------------------------------------------------------------


def _sunday_week(wall):
    return (wall.timetuple().tm_yday + 6 - wall.isoweekday() % 7) // 7


def _shift(date, zone, colon=False):
    minutes = int(offset(date, zone).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{':' if colon else ''}{abs(minutes) % 60:02d}"


WRITERS = {
    "Y": lambda wall, date, zone: f"{wall.year:04d}",
    "m": lambda wall, date, zone: f"{wall.month:02d}",
    "d": lambda wall, date, zone: f"{wall.day:02d}",
    "H": lambda wall, date, zone: f"{wall.hour:02d}",
    "M": lambda wall, date, zone: f"{wall.minute:02d}",
    "S": lambda wall, date, zone: f"{wall.second:02d}",
    "L": lambda wall, date, zone: f"{wall.microsecond // 1000:03d}",
    "j": lambda wall, date, zone: f"{wall.timetuple().tm_yday:03d}",
    "w": lambda wall, date, zone: str(wall.isoweekday() % 7 + 1),
    "u": lambda wall, date, zone: str(wall.isoweekday()),
    "U": lambda wall, date, zone: f"{_sunday_week(wall):02d}",
    "V": lambda wall, date, zone: f"{wall.isocalendar().week:02d}",
    "G": lambda wall, date, zone: f"{wall.isocalendar().year:04d}",
    "z": lambda wall, date, zone: _shift(date, zone),
    "Z": lambda wall, date, zone: f"{int(offset(date, zone).total_seconds()) // 60:+d}",
    "b": lambda wall, date, zone: MONTHS[wall.month - 1][:3].capitalize(),
    "B": lambda wall, date, zone: MONTHS[wall.month - 1].capitalize(),
    "%": lambda wall, date, zone: "%",
}


def check_format(form, allowed=WRITERS):
    """Raise 18535 or 18536 for a format that MongoDB refuses."""
    position = 0
    while (position := form.find("%", position)) >= 0:
        if position + 1 == len(form):
            raise MongoError(18535, "Unmatched '%' at end of format string")
        if form[position + 1] not in allowed:
            raise MongoError(18536, f"Invalid format character '%{form[position + 1]}' in format string")
        position += 2
    return form


def format_date(date, form, zone):
    """Return a date as text in a format of $dateToString."""
    wall = local(date, zone)
    return re.sub(r"%(.)", lambda match: WRITERS[match[1]](wall, date, zone), form, flags=re.DOTALL)


# Reading -------------------------------------------------------------------------------------------------------

TIME = r"(?:[T ]\s*(?P<H>\d{1,2}):(?P<M>\d{2})(?:[:.](?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
ZONE_NAME = r"(?P<z>(?:UTC|GMT)?[+-]\d{2}:?\d{2}|(?:UTC|GMT)?[+-]\d{1,2}|[A-Z][A-Za-z_]+/[A-Za-z_/]+|[A-Z]{1,5})"
ZONE = rf"\s*{ZONE_NAME}?"
# Abbreviations in hours from UTC, and the military letters: A to M without J go east, N to Y west.
HOURS = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
    "WET": 0,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
}
HOURS.update({"CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "IST": 5.5, "JST": 9, "AEST": 10, "AEDT": 11})
HOURS.update({letter: hour for hour, letter in enumerate("ABCDEFGHIKLM", 1)})
HOURS.update({letter: -hour for hour, letter in enumerate("NOPQRSTUVWXY", 1)})
SHAPES = [
    re.compile(r"(?P<Y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?" + TIME + ZONE),
    re.compile(r"(?P<Y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})" + TIME + ZONE),
    re.compile(r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<Y>\d{4})" + TIME + ZONE),
    re.compile(r"(?P<d>\d{1,2})[.-](?P<m>\d{1,2})[.-](?P<Y>\d{4})" + TIME + ZONE),
    re.compile(r"(?P<Y>\d{4})(?P<m>\d{2})(?P<d>\d{2})(?:T(?P<H>\d{2}):?(?P<M>\d{2}):?(?P<S>\d{2}))?" + ZONE),
    re.compile(r"(?:[A-Z][a-z]+,?\s+)?(?P<d>\d{1,2})(?:st|nd|rd|th)?[ -](?P<B>[A-Za-z]{3,9})\.?,?[ -](?P<Y>\d{4}),?" + TIME + ZONE),
    re.compile(r"(?:[A-Z][a-z]+,?\s+)?(?P<B>[A-Za-z]{3,9})\.? (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<Y>\d{4}),?" + TIME + ZONE),
    re.compile(r"(?P<Y>\d{4})-W(?P<V>\d{2})(?:-(?P<u>\d))?"),
]
READERS = {
    "Y": r"(?P<Y>\d{4})", "G": r"(?P<G>\d{4})", "m": r"(?P<m>\d{1,2})", "d": r"(?P<d>\d{1,2})", "H": r"(?P<H>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})", "L": r"(?P<f>\d{1,3})", "j": r"(?P<j>\d{1,3})", "u": r"(?P<u>\d)", "V": r"(?P<V>\d{1,2})",
    "z": rf"\s*{ZONE_NAME}", "Z": r"(?P<Z>[+-]\d{1,4})", "b": r"(?P<B>[A-Za-z]{3})",
    "B": r"(?P<B>[A-Za-z]{3,9})", "%": "%",
}  # fmt: skip


def _failure(text, why):
    return MongoError("ConversionFailure", f"Error parsing date string '{text}'; {why}")


def parse_date(text, zone=None, form=None):
    """Return the date that a text says, in `zone` where the text names none. Raises ConversionFailure."""
    if form is not None:
        pattern = re.sub(r"%(.)|([^%]+)", lambda match: READERS[match[1]] if match[1] else re.escape(match[2]), form)
        try:
            shapes = [re.compile(pattern)]
        except re.error:
            raise _failure(text, f"the format '{form}' names a part twice") from None
    else:
        shapes = SHAPES
    for shape in shapes:
        if match := shape.fullmatch(text.strip() if form is None else text):
            return _date_of_parts(text, {name: value for name, value in match.groupdict().items() if value is not None}, zone)
    raise _failure(text, "the text does not fit the format" if form else "Unexpected character, or no date")


def _date_of_parts(text, parts, zone):
    try:
        wall = _day(parts).replace(
            hour=int(parts.get("H", 0)), minute=int(parts.get("M", 0)), second=int(parts.get("S", 0)),
            microsecond=int(parts.get("f", "0").ljust(3, "0")[:3]) * 1000,
        )  # fmt: skip
    except (ValueError, KeyError) as error:
        raise _failure(text, f"{error}") from None
    if "Z" in parts:
        return wall - datetime.timedelta(minutes=int(parts["Z"]))
    if "z" not in parts:
        return absolute(wall, zone or UTC)
    if zone is not None:
        message = (
            f"you cannot pass in a date/time string with time zone information ('{parts['z']}') together with a timezone argument"
        )
        raise MongoError("ConversionFailure", message)
    return absolute(wall, _zone_in_text(parts["z"]))


def _zone_in_text(name):
    """Return the tzinfo of a zone as texts write it: GMT+02, CEST, +3, Europe/Paris."""
    if name in HOURS:
        return datetime.timezone(datetime.timedelta(hours=HOURS[name]))
    if name[:3] in ("GMT", "UTC") and len(name) > 3:
        name = name[3:]
    return zone_of(name if len(name) != 2 or name[0] not in "+-" else f"{name[0]}0{name[1]}")


def _day(parts):
    if "B" in parts:
        name = parts["B"].lower()
        month = next((number for number, full in enumerate(MONTHS, 1) if full == name or full[:3] == name), None)
        if month is None:
            raise ValueError(f"'{parts['B']}' is no month")
        parts["m"] = month
    if "V" in parts or "G" in parts:
        return datetime.datetime.fromisocalendar(int(parts.get("G") or parts["Y"]), int(parts.get("V", 1)), int(parts.get("u", 1)))
    if "j" in parts:
        first = datetime.datetime(int(parts["Y"]), 1, 1)
        return first + datetime.timedelta(days=int(parts["j"]) - 1)
    return datetime.datetime(int(parts["Y"]), int(parts.get("m", 1)), int(parts.get("d", 1)))


__all__ = ["absolute", "check_format", "format_date", "known", "local", "offset", "parse_date", "zone_of"]
