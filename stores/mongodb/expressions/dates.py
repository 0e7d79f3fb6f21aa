"""Dates: their parts ($year … $isoWeek), and calculating with them ($dateAdd, $dateDiff, $dateTrunc)."""

import calendar
import datetime

from bson import Int64

from stores.mongodb.expressions.base import MongoError, expect, nullish, parse, reads, show, type_name
from stores.mongodb.expressions.timezones import UTC, absolute, known, local, offset, zone_of
from stores.mongodb.ordering import date_of, milliseconds
from stores.mongodb.values import integral, to_date

MS = {"millisecond": 1, "second": 1000, "minute": 60_000, "hour": 3_600_000}
DAYS = {"day": 1, "week": 7}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
UNITS = {**MS, **DAYS, **MONTHS}
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


# Parts ---------------------------------------------------------------------------------------------------------

PARTS = {
    "$year": lambda wall: wall.year,
    "$month": lambda wall: wall.month,
    "$dayOfMonth": lambda wall: wall.day,
    "$dayOfWeek": lambda wall: wall.isoweekday() % 7 + 1,
    "$dayOfYear": lambda wall: wall.timetuple().tm_yday,
    "$hour": lambda wall: wall.hour,
    "$minute": lambda wall: wall.minute,
    "$second": lambda wall: wall.second,
    "$millisecond": lambda wall: wall.microsecond // 1000,
    "$week": lambda wall: (wall.timetuple().tm_yday + 6 - wall.isoweekday() % 7) // 7,
    "$isoWeek": lambda wall: wall.isocalendar().week,
    "$isoWeekYear": lambda wall: Int64(wall.isocalendar().year),
    "$isoDayOfWeek": lambda wall: wall.isoweekday(),
}


def _part(name, take):
    @reads(name)
    def read(operand, scope):
        date_node, zone_node = _date_and_zone(name, operand, scope)

        def node(env):
            zone, date = zone_at(zone_node, env), date_node(env)
            if zone is None or nullish(date):
                return None
            return take(local(known(to_date(date)), zone))

        return node


def _date_and_zone(name, operand, scope):
    """Read {date: …, timezone: …}, or an expression that is the date."""
    if isinstance(operand, list):
        if len(operand) != 1:
            raise MongoError(40536, f"{name} accepts exactly one argument if given an array, but was given {len(operand)}")
        (operand,) = operand
    if not isinstance(operand, dict) or (operand and next(iter(operand)).startswith("$")):
        return parse(operand, scope), None
    for argument in operand:
        if argument not in ("date", "timezone"):
            raise MongoError(40535, f'unrecognized option to {name}: "{argument}"')
    if "date" not in operand:
        raise MongoError(40539, f"missing 'date' argument to {name}, provided: {name}: {show(operand)}")
    return parse(operand["date"], scope), parse(operand["timezone"], scope) if "timezone" in operand else None


def zone_at(node, env):
    """Return the tzinfo that a timezone argument gives: UTC without one, None for null."""
    return UTC if node is None else _zone(node(env))


def _zone(name):
    if nullish(name):
        return None
    return zone_of(expect(name, "string", 40517, "timezone must evaluate to a string, found {type}"))


for _name, _take in PARTS.items():
    _part(_name, _take)


# Calculating ---------------------------------------------------------------------------------------------------


def unit_of(name, unit, code, unknown=9):
    """Return the unit of time that an argument says. Raises `code` for the wrong type, `unknown` for an unknown unit."""
    expect(unit, "string", code, name + " requires 'unit' to be a string, but got {type}")
    if unit not in UNITS:
        raise MongoError(unknown, f"{name} parameter 'unit' value cannot be recognized as a time unit: {unit}")
    return unit


def add(date, unit, amount, zone=UTC):
    """Return a date moved by an amount of units. Days and longer keep the zone's wall time; a month keeps to its last day."""
    try:
        if unit in MS:
            return date_of(milliseconds(date) + amount * MS[unit])
        wall = local(known(date), zone)
        if unit in DAYS:
            return absolute(wall + datetime.timedelta(days=amount * DAYS[unit]), zone)
        months = wall.year * 12 + wall.month - 1 + amount * MONTHS[unit]
        year, month = divmod(months, 12)
        day = min(wall.day, calendar.monthrange(year, month + 1)[1])
        return absolute(wall.replace(year=year, month=month + 1, day=day), zone)
    except (OverflowError, ValueError, calendar.IllegalMonthError):
        raise MongoError(5166406, f"$dateAdd overflowed: {show(date)} + {amount} {unit}") from None


def _adder(name, sign):
    @reads(name)
    def read(operand, scope):
        nodes = _arguments(name, operand, scope, ("startDate", "unit", "amount"), ("timezone",), 5166400, 5166401, (5166402,) * 3)

        def node(env):
            values = _values(nodes, env, timezone="UTC")
            if values is None:
                return None
            date, unit, amount, zone = values
            if type_name(date) not in ("date", "timestamp", "objectId"):
                raise MongoError(5166403, f"{name} requires startDate to be convertible to a date")
            unit_of(name, unit, 5166404)
            if (number := integral(amount, range(-(2**63), 2**63))) is None:
                raise MongoError(5166405, f"{name} expects integer amount of time units")
            return add(to_date(date), unit, sign * number, _zone(zone))

        return node


def _arguments(name, operand, scope, required, optional, not_object, unknown, missing):
    if not isinstance(operand, dict):
        raise MongoError(not_object, f"{name} only supports an object as its argument")
    for argument in operand:
        if argument not in required and argument not in optional:
            raise MongoError(
                unknown, f"Unrecognized argument to {name}: {argument}. Expected arguments are {', '.join((*required, *optional))}."
            )
    for argument, code in zip(required, missing, strict=True):
        if argument not in operand:
            raise MongoError(code, f"Missing '{argument}' parameter to {name}")
    return {argument: parse(operand[argument], scope) if argument in operand else None for argument in (*required, *optional)}


_adder("$dateAdd", 1)
_adder("$dateSubtract", -1)


def _values(nodes, env, **defaults):
    """Return the values of the arguments in their order; None if one is null, whatever else is wrong with the others.

    startOfWeek counts for weeks only.
    """
    values = {name: node(env) if node else defaults[name] for name, node in nodes.items()}
    for name, value in values.items():
        if nullish(value) and (name != "startOfWeek" or values["unit"] == "week"):
            return None
    return list(values.values())


def week_start(name, value, code):
    """Return the number of the weekday (Monday 0) that startOfWeek says; Sunday by default."""
    expect(value, "string", code, name + " requires 'startOfWeek' to be a string, but got {type}")
    found = [number for number, day in enumerate(WEEKDAYS) if value.lower() in (day, day[:3])]
    if not found:
        raise MongoError(code + 1, f"{name} parameter 'startOfWeek' value cannot be recognized as a day of a week: {value}")
    return found[0]


@reads("$dateDiff")
def date_diff(operand, scope):
    name = "$dateDiff"
    required = ("startDate", "endDate", "unit")
    nodes = _arguments(name, operand, scope, required, ("timezone", "startOfWeek"), 5166301, 5166302, (5166303, 5166304, 5166305))

    def node(env):
        values = _values(nodes, env, timezone="UTC", startOfWeek="sunday")
        if values is None:
            return None
        start, end, unit, zone, first = values
        for value, which in ((start, "startDate"), (end, "endDate")):
            if type_name(value) not in ("date", "timestamp", "objectId"):
                raise MongoError(5166307, f"$dateDiff requires '{which}' to be a date, but got {type_name(value)}")
        unit_of(name, unit, 5439013, 5439014)
        weekday = week_start(name, first, 5439015) if unit == "week" else 6
        return Int64(difference(to_date(start), to_date(end), unit, _zone(zone), weekday))

    return node


def difference(start, end, unit, zone=UTC, weekday=6):
    """Return how many boundaries of a unit lie between two dates, in the zone's calendar."""
    if unit in MS:
        step = MS[unit]
        return _ticks(end, zone, step) - _ticks(start, zone, step)
    a, b = local(known(start), zone), local(known(end), zone)
    if unit == "day":
        return b.toordinal() - a.toordinal()
    if unit == "week":
        return (b.toordinal() - 1 - weekday) // 7 - (a.toordinal() - 1 - weekday) // 7
    months = MONTHS[unit]
    return (b.year * 12 + b.month - 1) // months - (a.year * 12 + a.month - 1) // months


def _ticks(date, zone, step):
    """Whole hours (minutes …) since 1970; an offset that is no whole hour moves their boundaries."""
    shift = int(offset(known(date), zone).total_seconds() * 1000) % step if zone is not UTC else 0
    return (milliseconds(date) + shift) // step


@reads("$dateTrunc")
def date_trunc(operand, scope):
    name = "$dateTrunc"
    nodes = _arguments(
        name, operand, scope, ("date", "unit"), ("binSize", "timezone", "startOfWeek"), 5439007, 5439008, (5439009, 5439010)
    )

    def node(env):
        values = _values(nodes, env, binSize=1, timezone="UTC", startOfWeek="sunday")
        if values is None:
            return None
        date, unit, size, zone, first = values
        if type_name(date) not in ("date", "timestamp", "objectId"):
            raise MongoError(5439012, f"$dateTrunc requires 'date' to be a date, but got {type_name(date)}")
        unit_of(name, unit, 5439013, 5439014)
        if (bins := integral(size, range(-(2**63), 2**63))) is None:
            raise MongoError(
                5439017,
                f"$dateTrunc requires 'binSize' to be a 64-bit integer, but got value '{show(size)}' of type {type_name(size)}",
            )
        if bins <= 0:
            raise MongoError(5439018, f"$dateTrunc requires 'binSize' to be greater than 0, but got value {bins}")
        weekday = week_start(name, first, 5439015) if unit == "week" else 6
        return truncate(to_date(date), unit, bins, _zone(zone), weekday)

    return node


def truncate(date, unit, bins=1, zone=UTC, weekday=6):
    """Return the start of the bin of units that a date lies in. Bins are counted from 2000-01-01 in the zone."""
    reference = datetime.datetime(2000, 1, 1)
    if unit in MS:
        start, step = milliseconds(absolute(reference, zone)), bins * MS[unit]
        return date_of(start + (milliseconds(date) - start) // step * step)
    wall = local(known(date), zone)
    if unit in DAYS:
        if unit == "week":  # the first such weekday on or after the reference
            reference += datetime.timedelta(days=(weekday - reference.weekday()) % 7)
        step = bins * DAYS[unit]
        days = (wall.toordinal() - reference.toordinal()) // step * step
        return absolute(reference + datetime.timedelta(days=days), zone)
    step = bins * MONTHS[unit]
    months = 2000 * 12 + (wall.year * 12 + wall.month - 1 - 2000 * 12) // step * step
    return absolute(datetime.datetime(months // 12, months % 12 + 1, 1), zone)
