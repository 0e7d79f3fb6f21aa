"""Intervals of keys, and what conditions say of them.

A key is the bytes of one value, ascending (keystring.encode). `lows` and `highs` are keys; a bound is inclusive or not.
"""

import math
import re
from datetime import datetime
from functools import cmp_to_key
from typing import NamedTuple

from bson import Binary, Code, Decimal128, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from stores.mongodb.indexes import keystring
from stores.mongodb.indexes.keystring import encode
from stores.mongodb.indexes.values import shown
from stores.mongodb.ordering import regex_parts


class Interval(NamedTuple):
    """From `low` to `high`; `text` is how MongoDB prints both ends, without brackets."""

    low: bytes
    high: bytes
    with_low: bool = True
    with_high: bool = True
    text: tuple = ("", "")

    def __str__(self):
        return f"{'[' if self.with_low else '('}{self.text[0]}, {self.text[1]}{']' if self.with_high else ')'}"

    @property
    def is_point(self):
        return self.low == self.high and self.with_low and self.with_high

    @property
    def is_empty(self):
        return self.low > self.high or (self.low == self.high and not self.is_point)

    def has(self, key):
        above = key > self.low or (self.with_low and key == self.low)
        return above and (key < self.high or (self.with_high and key == self.high))


LOWEST, HIGHEST = keystring.MIN_KEY, keystring.MAX_KEY
EVERYTHING = Interval(LOWEST, HIGHEST, True, True, ("MinKey", "MaxKey"))
EVERYTHING_BOUNDS = (EVERYTHING,)


def point(value, fold=None):
    """Return the interval of one value."""
    key = encode(value, fold)
    return Interval(key, key, True, True, (shown(value),) * 2)


def raw_point(key, text):
    """Return the interval of one key."""
    return Interval(key, key, True, True, (text, text))


def is_points(bounds):
    """Return whether bounds are single values only."""
    return all(each.is_point for each in bounds)


def is_everything(bounds):
    """Return whether bounds leave out nothing."""
    return len(bounds) == 1 and bounds[0][:2] == (LOWEST, HIGHEST) and bounds[0].with_low and bounds[0].with_high


def intersect(one, other):
    """Return the bounds of what lies in both."""
    found = []
    for a in one:
        for b in other:
            low = max((a, b), key=lambda each: (each.low, not each.with_low))
            high = min((a, b), key=lambda each: (each.high, each.with_high))
            both = Interval(low.low, high.high, low.with_low, high.with_high, (low.text[0], high.text[1]))
            if not both.is_empty:
                found.append(both)
    return tuple(found)


def _order(a, b):
    left, right = (a.low, not a.with_low), (b.low, not b.with_low)
    return (left > right) - (left < right)


def union(bounds):
    """Return sorted bounds without overlaps."""
    found = []
    for each in sorted((each for each in bounds if not each.is_empty), key=cmp_to_key(_order)):
        last = found[-1] if found else None
        if last is not None and (each.low < last.high or (each.low == last.high and (each.with_low or last.with_high))):
            if (each.high, each.with_high) > (last.high, last.with_high):
                found[-1] = Interval(last.low, each.high, last.with_low, each.with_high, (last.text[0], each.text[1]))
        else:
            found.append(each)
    return tuple(found)


def complement(bounds):
    """Return what lies outside the bounds."""
    found, low, with_low, text = [], LOWEST, True, "MinKey"
    for each in bounds:
        gap = Interval(low, each.low, with_low, not each.with_low, (text, each.text[0]))
        if not gap.is_empty:
            found.append(gap)
        low, with_low, text = each.high, not each.with_high, each.text[1]
    last = Interval(low, HIGHEST, with_low, True, (text, "MaxKey"))
    return tuple(found if last.is_empty else [*found, last])


# The first and the last of each type, as the server prints them.
DATES = (f"new Date({-(2**63)})", f"new Date({2**63 - 1})")
OBJECT_IDS = ("ObjectId('000000000000000000000000')", "ObjectId('ffffffffffffffffffffffff')")
BRACKETS = (
    ((bool,), keystring.FALSE, keystring.TRUE, True, ("false", "true")),
    ((int, float, Decimal128), keystring.number(-math.inf), keystring.number(math.inf), True, ("-inf.0", "inf.0")),
    ((Code,), keystring.CODE, keystring.SCOPED_CODE, False, ("Code", "CodeWScope")),
    ((str,), keystring.STRING, keystring.OBJECT, False, ('""', "{}")),
    ((dict,), keystring.OBJECT, keystring.ARRAY, False, ("{}", "[]")),
    ((bytes, Binary), keystring.BINARY, keystring.OBJECT_ID, False, ("BinData(0, )", OBJECT_IDS[0])),
    ((ObjectId,), keystring.OBJECT_ID, keystring.OBJECT_ID + b"\xff" * 12, True, OBJECT_IDS),
    ((datetime, DatetimeMS), keystring.DATE, keystring.DATE + b"\xff" * 8, True, DATES),
    (
        (Timestamp,),
        keystring.TIMESTAMP,
        keystring.TIMESTAMP + b"\xff" * 8,
        True,
        ("Timestamp(0, 0)", "Timestamp(4294967295, 4294967295)"),
    ),
)


def bracket(value):
    """Return the interval of the values that compare with this one: those of its type."""
    for types, low, high, with_high, text in BRACKETS:
        if isinstance(value, types):
            return Interval(low, high, True, with_high, text)
    return None


def comparison(operator, value, fold=None):
    """Return the bounds of $gt, $gte, $lt, $lte; None if they are no help (arrays)."""
    if value is None:
        return (point(None),) if operator in ("$gte", "$lte") else ()
    if isinstance(value, MinKey | MaxKey):
        return _extreme(operator, value)
    if isinstance(value, float | Decimal128) and encode(value) == keystring.NAN:
        return (point(value),) if operator in ("$gte", "$lte") else ()
    around, key, text = bracket(value), encode(value, fold), shown(value)
    if around is None:
        return None
    if operator in ("$gt", "$gte"):
        made = Interval(key, around.high, operator == "$gte", around.with_high, (text, around.text[1]))
    else:
        made = Interval(around.low, key, around.with_low, operator == "$lte", (around.text[0], text))
    return () if made.is_empty else (made,)


def _extreme(operator, value):
    lower = isinstance(value, MinKey)
    if operator in ("$gte", "$lte") and (operator == "$lte") == lower:
        return (point(value),)
    if (operator in ("$gt", "$gte")) == lower:
        return (Interval(LOWEST, HIGHEST, operator == "$gte" or not lower, operator == "$lte" or lower, ("MinKey", "MaxKey")),)
    return ()


def equality(value, fold=None):
    """Return the bounds of being equal to a value. An array is found by its first element, or as an element itself."""
    if isinstance(value, list):
        first = raw_point(keystring.UNDEFINED, "undefined") if not value else point(value[0], fold)
        return union([first, point(value, fold)])
    return (point(value, fold),)


# What ends a literal beginning of a regular expression.
SPECIAL = set("\\^$.|?*+()[]{}")


def prefix(pattern, options):
    """Return (literal beginning of all texts that match, whether that alone is what must match)."""
    if any(letter in options for letter in "imx") or "|" in pattern:
        return "", False
    if pattern.startswith("\\A"):
        rest = pattern[2:]
    elif pattern.startswith("^"):
        rest = pattern[1:]
    else:
        return "", False
    literal, at = [], 0
    while at < len(rest):
        letter = rest[at]
        if letter == "\\" and at + 1 < len(rest) and not rest[at + 1].isalnum():
            letter, at = rest[at + 1], at + 1
        elif letter in SPECIAL:
            if letter in "?*{" and literal:
                literal.pop()  # it belongs to the letter before
            return "".join(literal), rest[at:] in (".*", ".*$") and letter == "."
        literal.append(letter)
        at += 1
    return "".join(literal), True


def regular(value):
    """Return (bounds, whether they say all) of a regular expression."""
    pattern, options = regex_parts(value)
    same = raw_point(encode(value if isinstance(value, Regex) else Regex.from_native(value)), shown(value))
    beginning, exact = prefix(pattern, options)
    if not beginning:
        return (Interval(keystring.STRING, keystring.OBJECT, True, False, ('""', "{}")), same), False
    low = encode(beginning)
    # Up to the text whose last letter is the next one, as MongoDB does: "abc" to "abd".
    end = beginning[:-1] + chr(min(ord(beginning[-1]) + 1, 0x10FFFF))
    if 0xD800 <= ord(end[-1]) <= 0xDFFF:
        end = beginning[:-1] + "\ue000"
    return (Interval(low, encode(end), True, False, (shown(beginning), shown(end))), same), exact


TYPES = {
    "double": (keystring.NAN, keystring.NUMBER), "number": (keystring.NAN, keystring.NUMBER), "int": (keystring.NUMBER,) * 2,
    "long": (keystring.NUMBER,) * 2, "decimal": (keystring.NAN, keystring.NUMBER), "string": (keystring.STRING,) * 2,
    "objectId": (keystring.OBJECT_ID,) * 2, "bool": (keystring.FALSE, keystring.TRUE), "date": (keystring.DATE,) * 2,
    "timestamp": (keystring.TIMESTAMP,) * 2, "binData": (keystring.BINARY,) * 2, "regex": (keystring.REGEX,) * 2,
}  # fmt: skip
NUMBERS = {
    1: "double",
    2: "string",
    5: "binData",
    7: "objectId",
    8: "bool",
    9: "date",
    11: "regex",
    16: "int",
    17: "timestamp",
    18: "long",
    19: "decimal",
}
WORDS = {
    "double": ("nan.0", "inf.0"), "number": ("nan.0", "inf.0"), "int": ("-inf.0", "inf.0"), "long": ("-inf.0", "inf.0"),
    "decimal": ("nan.0", "inf.0"), "string": ('""', "{}"), "objectId": OBJECT_IDS, "bool": ("false", "true"), "date": DATES,
}  # fmt: skip


def typed(value):
    """Return (bounds, exact) of $type."""
    found = []
    for each in value if isinstance(value, list) else [value]:
        name = NUMBERS.get(int(each), "") if isinstance(each, int | float) else each
        if name not in TYPES:
            return EVERYTHING_BOUNDS, False
        low, high = TYPES[name]
        found.append(Interval(low, high + b"\xff", True, name != "string", WORDS.get(name, (name, name))))
    exact = all(
        each in ("number", "string", "objectId", "bool", "date", "timestamp", "binData", 2, 5, 7, 8, 9, 17) for each in _list(value)
    )
    return union(found), exact


def _list(value):
    return value if isinstance(value, list) else [value]


def is_regex(value):
    """Return whether a value is a regular expression."""
    return isinstance(value, Regex | re.Pattern)
