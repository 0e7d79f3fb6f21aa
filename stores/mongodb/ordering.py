"""The order of BSON values: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/

sort_key(value) is a tuple that Python compares as MongoDB compares values, and that is equal and hashes equal where
MongoDB calls values equal (1, 1.0 and Decimal128("1")). Indexes, $sort, $min, $group, sets and matching all use it.
"""

import datetime
import re
import uuid
from decimal import Decimal

from bson import DBRef, Int64, ObjectId, Regex, Timestamp
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.max_key import MaxKey
from bson.min_key import MinKey

from stores.mongodb.errors import MongoError


class Missing:
    """What a path gives that leads nowhere: not null, though sorted like it. There is one: MISSING."""

    def __bool__(self):
        return False

    def __repr__(self):
        return "MISSING"

    def __copy__(self):
        return self

    def __deepcopy__(self, _):
        return self

    def __reduce__(self):
        return "MISSING"


MISSING = Missing()
EPOCH = datetime.datetime(1970, 1, 1)
MILLISECOND = datetime.timedelta(milliseconds=1)
INT32 = range(-(2**31), 2**31)
INT64 = range(-(2**63), 2**63)

# The places of the types in the order. "undefined" is where an array without elements sorts.
MIN_KEY, UNDEFINED, NULL, NUMBER, STRING, OBJECT, ARRAY, BINARY = -1, 0, 5, 10, 15, 20, 25, 30
OBJECT_ID, BOOLEAN, DATE, TIMESTAMP, REGEX, CODE, SCOPED_CODE, MAX_KEY = 35, 40, 45, 47, 50, 60, 65, 127
EMPTY_ARRAY = (UNDEFINED, 0)
FLAGS = {re.IGNORECASE: "i", re.LOCALE: "l", re.MULTILINE: "m", re.DOTALL: "s", re.UNICODE: "u", re.VERBOSE: "x"}


def milliseconds(date):
    """Return a date (datetime or DatetimeMS) as milliseconds since 1970."""
    if isinstance(date, DatetimeMS):
        return int(date)
    if date.tzinfo is not None:
        date = date.astimezone(datetime.UTC).replace(tzinfo=None)
    return (date - EPOCH) // MILLISECOND


def date_of(ms):
    """Return the date of milliseconds since 1970: a naive datetime, or DatetimeMS outside the years 1 to 9999."""
    try:
        return EPOCH + datetime.timedelta(milliseconds=int(ms))
    except OverflowError:
        return DatetimeMS(int(ms))


def regex_parts(value):
    """Return the pattern and the options of a regular expression, of Python or of bson."""
    pattern = value.pattern.decode() if isinstance(value.pattern, bytes) else value.pattern
    if isinstance(value, re.Pattern):
        flags = value.flags & ~re.UNICODE  # Python sets it for every text pattern
    else:
        flags = value.flags
    return pattern, "".join(letter for flag, letter in FLAGS.items() if flags & flag)


def _number(value, _):
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if value != value:  # NaN comes before every number, and equals itself
        return (NUMBER, (0, 0))
    return (NUMBER, (1, value))


def _string(value, fold):
    return (STRING, fold(value) if fold else value)


def _object(value, fold):
    fields = []
    for name, inner in value.items():
        rank, key = sort_key(inner, fold)
        fields.append((rank, name, key))  # MongoDB compares the type first, then the name, then the value
    return (OBJECT, tuple(fields))


def _array(value, fold):
    return (ARRAY, tuple(sort_key(inner, fold) for inner in value))


def _binary(value, _):
    return (BINARY, (len(value), getattr(value, "subtype", 0), bytes(value)))


KEYS = {
    Missing: lambda value, fold: (NULL, 0),
    type(None): lambda value, fold: (NULL, 0),
    bool: lambda value, fold: (BOOLEAN, value),
    int: lambda value, fold: (NUMBER, (1, value)),
    Int64: lambda value, fold: (NUMBER, (1, int(value))),
    float: _number,
    Decimal128: _number,
    Decimal: _number,
    str: _string,
    dict: _object,
    list: _array,
    tuple: _array,
    bytes: _binary,
    Binary: _binary,
    uuid.UUID: lambda value, fold: (BINARY, (16, 4, value.bytes)),
    ObjectId: lambda value, fold: (OBJECT_ID, value.binary),
    datetime.datetime: lambda value, fold: (DATE, milliseconds(value)),
    DatetimeMS: lambda value, fold: (DATE, milliseconds(value)),
    Timestamp: lambda value, fold: (TIMESTAMP, (value.time, value.inc)),
    Regex: lambda value, fold: (REGEX, regex_parts(value)),
    re.Pattern: lambda value, fold: (REGEX, regex_parts(value)),
    DBRef: lambda value, fold: _object(value.as_doc(), fold),
    Code: lambda value, fold: (CODE, str(value)) if value.scope is None else (SCOPED_CODE, (str(value), _object(value.scope, fold))),
    MinKey: lambda value, fold: (MIN_KEY, 0),
    MaxKey: lambda value, fold: (MAX_KEY, 0),
}


def sort_key(value, fold=None):
    """Return the place of a value in BSON's order: a tuple (type's place, key).

    `fold` is a collation's function from text to its key (see collation.py), None for the simple one.
    """
    make = KEYS.get(type(value))
    if make is None:
        make = _inherited(value)
    return make(value, fold)


def _inherited(value):
    for kind in type(value).__mro__:
        if kind in KEYS:
            return KEYS[kind]
    raise MongoError("InvalidBSON", f"expected a BSON value, found {type(value).__name__}: {value!r}")


def compare(a, b, fold=None):
    """Return -1, 0 or 1 as `a` comes before, with or after `b`. Here a missing value comes before null."""
    if a is MISSING or b is MISSING:
        if a is b:
            return 0
        if a is MISSING:
            return 1 if isinstance(b, MinKey) else -1
        return -1 if isinstance(a, MinKey) else 1
    left, right = sort_key(a, fold), sort_key(b, fold)
    return (left > right) - (left < right)


def equal(a, b, fold=None):
    """Return whether MongoDB calls two values equal: 1 and 1.0 are, null and a missing value are not."""
    if a is MISSING or b is MISSING:
        return a is b
    return sort_key(a, fold) == sort_key(b, fold)


TYPE_NAMES = {
    Missing: "missing",
    type(None): "null",
    bool: "bool",
    Int64: "long",
    float: "double",
    Decimal128: "decimal",
    str: "string",
    dict: "object",
    list: "array",
    tuple: "array",
    bytes: "binData",
    Binary: "binData",
    uuid.UUID: "binData",
    ObjectId: "objectId",
    datetime.datetime: "date",
    DatetimeMS: "date",
    Timestamp: "timestamp",
    Regex: "regex",
    re.Pattern: "regex",
    DBRef: "object",
    MinKey: "minKey",
    MaxKey: "maxKey",
}
# The numbers of the types on the wire, and their names in $type and bsonType.
TYPE_CODES = {
    "double": 1, "string": 2, "object": 3, "array": 4, "binData": 5, "undefined": 6, "objectId": 7, "bool": 8, "date": 9,
    "null": 10, "regex": 11,
    "dbPointer": 12, "javascript": 13, "symbol": 14, "javascriptWithScope": 15, "int": 16, "timestamp": 17, "long": 18, "decimal": 19,
    "minKey": -1, "maxKey": 127,
}  # fmt: skip


def type_name(value):
    """Return MongoDB's name of a value's type: "int", "long", "double", "string", … or "missing"."""
    kind = type(value)
    if kind is int:
        return "int" if value in INT32 else "long"
    if kind is Code:
        return "javascript" if value.scope is None else "javascriptWithScope"
    name = TYPE_NAMES.get(kind)
    if name is None:
        name = next((TYPE_NAMES[base] for base in kind.__mro__ if base in TYPE_NAMES), None)
    if name is None:
        raise MongoError("InvalidBSON", f"expected a BSON value, found {kind.__name__}: {value!r}")
    return name


class Descending:
    """A key that compares the other way round."""

    __slots__ = ("key",)

    def __init__(self, key):
        self.key = key

    def __lt__(self, other):
        return other.key < self.key

    def __eq__(self, other):
        return self.key == other.key

    def __hash__(self):
        return hash(self.key)


class Sort:
    """A sort specification, {path: 1 | -1 | {"$meta": "textScore"}}: `key(document)` to sort by.

    An array counts as its smallest element when ascending and as its largest when descending; one without elements comes
    before null. Errors: 15974 to 15976 and 17312, as MongoDB says them.
    """

    def __init__(self, spec, fold=None):
        self.spec = dict(spec)
        self.fold = fold
        self.parts = [(path.split("."), self._direction(path, way)) for path, way in self.spec.items()]

    @staticmethod
    def _direction(path, way):
        if isinstance(way, dict):
            meta = way.get("$meta")
            if set(way) != {"$meta"}:
                raise MongoError(17312, "$meta is the only expression supported by $sort right now")
            if meta not in ("textScore", "randVal", "geoNearDistance", "searchScore", "indexKey", "recordId"):
                raise MongoError(31138, f"Illegal $meta sort: $meta: {meta!r}")
            return meta
        if isinstance(way, bool) or not isinstance(way, (int, float)):
            raise MongoError(15974, f"Illegal key in $sort specification: {path}: {way!r}")
        if way not in (1, -1):
            raise MongoError(15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)")
        if path.startswith("$"):
            raise MongoError(
                16410, f"FieldPath field names may not start with '$'. Consider using $getField or $setField. Found: '{path}'"
            )
        if not path or path.endswith("."):
            raise MongoError(
                40353 if path else 40352,
                "FieldPath must not end with a '.'." if path else "FieldPath cannot be constructed with empty string",
            )
        return int(way)

    def key(self, document, metadata=None):
        """Return what documents are to be sorted by. `metadata` has the values of $meta: {"textScore": 1.5}."""
        keys = []
        for parts, way in self.parts:
            if isinstance(way, str):
                keys.append(Descending((metadata or {}).get(way, 0.0)))
            elif way > 0:
                keys.append(min(self._keys(document, parts)))
            else:
                keys.append(Descending(max(self._keys(document, parts))))
        return tuple(keys)

    def _keys(self, document, parts):
        from stores.mongodb.paths import leaves  # paths need MISSING from here

        keys = []
        for value in leaves(document, parts):
            if isinstance(value, list):
                keys += [sort_key(inner, self.fold) for inner in value] or [EMPTY_ARRAY]
            else:
                keys.append(sort_key(value, self.fold))
        return keys or [(NULL, 0)]
