"""Values and keys as MongoDB prints them: in the message of a duplicate key, in the bounds of a plan."""

import json
import math

from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from stores.mongodb.indexes.keys import reach
from stores.mongodb.indexes.keystring import encode, invert
from stores.mongodb.ordering import MISSING, milliseconds, regex_parts


def shown(value):
    """Return a value as the server prints it: `{ email: "a@b.c", n: 1.0 }`."""
    if value is None or value is MISSING:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not isinstance(value, Code):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name}: {shown(each)}" for name, each in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[ " + ", ".join(map(shown, value)) + " ]" if value else "[]"
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, int | Int64):
        return str(int(value))
    return _typed(value)


def _double(value):
    if math.isinf(value):
        return "inf.0" if value > 0 else "-inf.0"
    if math.isnan(value):
        return "nan.0"
    return str(int(value)) + ".0" if value.is_integer() and abs(value) < 1e15 else repr(value)


def _typed(value):
    match value:
        case ObjectId():
            return f"ObjectId('{value}')"
        case Decimal128():
            return f'Decimal128("{value}")'
        case Timestamp():
            return f"Timestamp({value.time}, {value.inc})"
        case MinKey():
            return "MinKey"
        case MaxKey():
            return "MaxKey"
        case Binary() | bytes():
            return f"BinData({getattr(value, 'subtype', 0)}, {bytes(value).hex().upper()})"
        case DBRef():
            return shown(value.as_doc())
        case Code():
            return f'Code("{value}")'
        case DatetimeMS():
            return f"new Date({int(value)})"
        case Regex():
            pattern, options = regex_parts(value)
            return f"/{pattern}/{options}"
    if hasattr(value, "pattern"):
        pattern, options = regex_parts(value)
        return f"/{pattern}/{options}"
    return f"new Date({milliseconds(value)})"


def key_value(index, key, document):
    """Return {path: value} of the document's values that made one key of an index; a missing one is null."""
    found = {}
    for field, way, part in zip(index.fields, index.directions, key, strict=False):
        wanted = part if way > 0 else invert(part)
        found[field] = None
        for value in reach(document, field.split(".")):
            candidates = [*value, value] if isinstance(value, list) else [value]
            same = [each for each in candidates if each is not MISSING and encode(each, index.fold) == wanted]
            if same:
                found[field] = same[0]
                break
    return found
