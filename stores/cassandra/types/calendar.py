"""Days, months and text: the proleptic Gregorian calendar for any year, which Python's datetime ends at 9999."""

import datetime
import re
import zoneinfo

DAY_MS = 86_400_000
DAY_NS = 86_400_000_000_000
# Hours ahead of UTC of the names that people still write; others are looked up as "Europe/Berlin".
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_ZONES |= {"CET": 1, "CEST": 2}
_DATE = re.compile(r"([+-]\d{4,9}|\d{4})-(\d{2})-(\d{2})")
_TIMESTAMP = re.compile(
    r"(-?\d{4})-(\d{2})-(\d{2})"
    r"(?:[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?)?"
    r" ?([A-Za-z]+(?:/[A-Za-z_]+)*|[+-]\d{2}(?::?\d{2})?)?"
)
_TIME = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?")


def days_of(year, month, day):
    """Return the days since 1970-01-01. Raises ValueError for a day that does not exist."""
    if not 1 <= month <= 12 or not 1 <= day <= days_in(year, month):
        raise ValueError(f"no such day: {year}-{month}-{day}")
    year -= month <= 2  # count years from March, so that the leap day is a year's last
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def date_of(days):
    """Return (year, month, day) of the days since 1970-01-01."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)
    return year + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1


def days_in(year, month):
    """Return the number of days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def add_months(days, months):
    """Return `days` moved by months; a day that the month does not have becomes its last."""
    year, month, day = date_of(days)
    year, month = divmod(year * 12 + month - 1 + months, 12)
    return days_of(year, month + 1, min(day, days_in(year, month + 1)))


def parse_date(text):
    """Return the days since 1970 of "2026-11-20". Raises ValueError."""
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(text)
    return days_of(*map(int, match.groups()))


def parse_timestamp(text):
    """Return the milliseconds since 1970 of "2026-11-20 12:30:00.5+0100" and its shorter forms; UTC unless said. Raises ValueError."""
    match = _TIMESTAMP.fullmatch(text)
    if not match:
        raise ValueError(text)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    year, month, day = int(year), int(month), int(day)
    if 1 <= month <= 12 and day <= 31:
        day = min(day, days_in(year, month))  # 30 February is the last day of February here, though not for dates
    hour, minute, second = int(hour or 0), int(minute or 0), int(second or 0)
    midnight = hour == 24 and not minute and not second
    if (hour > 23 and not midnight) or minute > 59 or second > 59:
        raise ValueError(text)
    milliseconds = int((fraction or "").ljust(3, "0")[:3])
    seconds = days_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    return (seconds - _offset(zone, seconds)) * 1000 + milliseconds


def _offset(zone, seconds):
    """Return the seconds that a zone, as "+01:30" or "Europe/Berlin", is ahead of UTC at a local time."""
    if not zone or zone in _ZONES:
        return _ZONES.get(zone, 0) * 3600
    if zone[0] not in "+-":
        try:
            local = datetime.datetime(1970, 1, 1, tzinfo=zoneinfo.ZoneInfo(zone)) + datetime.timedelta(seconds=seconds)
        except (zoneinfo.ZoneInfoNotFoundError, OverflowError, OSError):
            raise ValueError(f"no such zone: {zone}") from None
        return int(local.utcoffset().total_seconds())
    digits = zone[1:].replace(":", "")
    offset = int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60
    return -offset if zone[0] == "-" else offset


def parse_time(text):
    """Return the nanoseconds since midnight of "12:30:00.5". Raises ValueError."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise ValueError(text)
    hour, minute, second = (int(part) for part in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(text)
    return (hour * 3600 + minute * 60 + second) * 1_000_000_000 + int((match[4] or "0").ljust(9, "0"))


def format_date(days):
    """Return "2026-11-20"; years of five digits have a sign."""
    year, month, day = date_of(days)
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04d}-{month:02d}-{day:02d}"


def format_timestamp(milliseconds, separator=" "):
    """Return "2026-11-20 12:30:00.500Z"."""
    days, rest = divmod(milliseconds, DAY_MS)
    seconds, fraction = divmod(rest, 1000)
    return f"{format_date(days)}{separator}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:03d}Z"


def format_time(nanoseconds):
    """Return "12:30:00.500000000"."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:09d}"
