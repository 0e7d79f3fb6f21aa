"""Dates from and to text and parts: $dateToString, $dateFromString, $dateToParts, $dateFromParts, $tsSecond …"""

import datetime

from bson import Int64

from stores.mongodb.expressions.base import MongoError, constant, expect, named, nullish, reads, show, takes, type_name
from stores.mongodb.expressions.dates import zone_at
from stores.mongodb.expressions.timezones import READERS, UTC, WRITERS, absolute, check_format, format_date, known, local, parse_date
from stores.mongodb.values import integral, to_date

ISO = "%Y-%m-%dT%H:%M:%S.%LZ"
LOCAL_ISO = "%Y-%m-%dT%H:%M:%S.%L"
DATE_PART = range(-32768, 32768)
INT64 = range(-(2**63), 2**63)


def _form(node, env, name, code, allowed):
    """Return the format argument, checked before anything is looked at; None for null."""
    form = node(env)
    if nullish(form):
        return None
    expect(form, "string", code, name + " requires that 'format' be a string, found: {type} with value {value}")
    return check_format(form, allowed)


@reads("$dateToString")
def date_to_string(operand, scope):
    name = "$dateToString"
    nodes = named(name, operand, scope, ("date",), ("format", "timezone", "onNull"), 18629, 18534, 18628)

    def node(env):
        form = ISO
        if nodes["format"]:
            form = _form(nodes["format"], env, name, 18533, WRITERS)
        zone, date = zone_at(nodes["timezone"], env), nodes["date"](env)
        if nullish(date):
            return nodes["onNull"](env) if nodes["onNull"] else None
        if zone is None or form is None:
            return None
        if not nodes["format"] and zone is not UTC:
            form = LOCAL_ISO
        return format_date(known(to_date(date)), form, zone)

    return node


@reads("$dateFromString")
def date_from_string(operand, scope):
    name = "$dateFromString"
    optional = ("format", "timezone", "onNull", "onError")
    nodes = named(name, operand, scope, ("dateString",), optional, 40540, 40541, 40542)

    def node(env):
        form = _form(nodes["format"], env, name, 40684, READERS) if nodes["format"] else ""
        zone, text = zone_at(nodes["timezone"], env), nodes["dateString"](env)
        if nullish(text):
            return nodes["onNull"](env) if nodes["onNull"] else None
        try:
            message = "$dateFromString requires that 'dateString' be a string, found: {type} with value {value}"
            expect(text, "string", "ConversionFailure", message)
            if zone is None or form is None:
                return None
            return parse_date(text, zone if nodes["timezone"] else None, form or None)
        except MongoError as error:
            if error.name != "ConversionFailure" or not nodes["onError"]:
                raise
            return nodes["onError"](env)

    return node


@reads("$dateToParts")
def date_to_parts(operand, scope):
    nodes = named("$dateToParts", operand, scope, ("date",), ("timezone", "iso8601"), 40524, 40520, 40522)
    iso_node = nodes["iso8601"] or constant(False)

    def node(env):
        date, zone, iso = nodes["date"](env), zone_at(nodes["timezone"], env), iso_node(env)
        if zone is None or nullish(iso):
            return None
        expect(iso, "bool", 40521, "iso8601 must evaluate to a bool, found {type}")
        if nullish(date):
            return None
        wall = local(known(to_date(date)), zone)
        time = {"hour": wall.hour, "minute": wall.minute, "second": wall.second, "millisecond": wall.microsecond // 1000}
        if iso:
            year, week, day = wall.isocalendar()
            return {"isoWeekYear": year, "isoWeek": week, "isoDayOfWeek": day, **time}
        return {"year": wall.year, "month": wall.month, "day": wall.day, **time}

    return node


NATURAL = ("year", "month", "day")
ISO_PARTS = ("isoWeekYear", "isoWeek", "isoDayOfWeek")
TIME = ("hour", "minute", "second", "millisecond")


@reads("$dateFromParts")
def date_from_parts(operand, scope):
    name = "$dateFromParts"
    nodes = named(name, operand, scope, (), (*NATURAL, *ISO_PARTS, *TIME, "timezone"), 40519, 40518)
    if not (nodes["year"] or nodes["isoWeekYear"]):
        raise MongoError(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present")
    if nodes["year"] and any(nodes[part] for part in ISO_PARTS):
        raise MongoError(40489, "$dateFromParts does not allow mixing natural dates with ISO dates")
    if nodes["isoWeekYear"] and any(nodes[part] for part in NATURAL):
        raise MongoError(40525, "$dateFromParts does not allow mixing ISO dates with natural dates")
    names = ISO_PARTS if nodes["isoWeekYear"] else NATURAL

    def node(env):
        time = [_number(part, nodes[part], env, 0) for part in TIME]
        zone = zone_at(nodes["timezone"], env)
        day = [_number(part, nodes[part], env, 1) for part in names]
        if zone is None or None in time or None in day:
            return None
        if not 0 <= day[0] <= 9999:
            code = 31095 if names is ISO_PARTS else 40523
            raise MongoError(code, f"'{names[0]}' must evaluate to an integer in the range 0 to 9999, found {day[0]}")
        return absolute(_date(names, *day) + _span(*time), zone)

    return node


def _number(part, node, env, default):
    if node is None:
        return default
    value = node(env)
    if nullish(value):
        return None
    if (number := integral(value, INT64)) is None:
        raise MongoError(40515, f"'{part}' must evaluate to an integer, found {type_name(value)} with value {show(value)}")
    if part not in ("year", "isoWeekYear", "second", "millisecond") and number not in DATE_PART:
        raise MongoError(31034, f"'{part}' must evaluate to a value in the range [-32768, 32767]; value {number} is not in range")
    return number


def _span(hour, minute, second, millisecond):
    return datetime.timedelta(hours=hour, minutes=minute, seconds=second, milliseconds=millisecond)


def _date(names, year, month, day):
    """Numbers beyond a month's or a week's range carry over: month 14 is February of the next year."""
    try:
        if names is ISO_PARTS:
            return datetime.datetime.fromisocalendar(year, 1, 1) + datetime.timedelta(weeks=month - 1, days=day - 1)
        months = year * 12 + month - 1
        return datetime.datetime(months // 12, months % 12 + 1, 1) + datetime.timedelta(days=day - 1)
    except (ValueError, OverflowError):
        raise MongoError(
            "BadValue", f"the year of {names} {year}, {month}, {day} is not in the embedded engine's calendar (1 to 9999)"
        ) from None


@takes("$tsSecond", 1, null=True)
def ts_second(value):
    return Int64(expect(value, "timestamp", 5687301, "$tsSecond requires argument of type timestamp, found {type}").time)


@takes("$tsIncrement", 1, null=True)
def ts_increment(value):
    return Int64(expect(value, "timestamp", 5687302, "$tsIncrement requires argument of type timestamp, found {type}").inc)
