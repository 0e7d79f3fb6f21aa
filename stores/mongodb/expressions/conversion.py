"""Types: $convert and its short forms, $type, $isNumber, and the sizes of values."""

import base64
import binascii
import math
import re
import uuid

import bson
from bson import Int64, ObjectId
from bson.binary import Binary
from bson.decimal128 import Decimal128
from bson.errors import InvalidId

from stores.mongodb.expressions.base import MongoError, expect, named, nullish, parse, reads, show, takes, type_name
from stores.mongodb.expressions.timezones import parse_date
from stores.mongodb.ordering import INT32, INT64, TYPE_CODES, date_of, milliseconds
from stores.mongodb.values import decimal128, format_double, integral, iso, rank, to_date, to_decimal, to_double, truth

NAMES = {code: name for name, code in TYPE_CODES.items()}
NUMBERS = ("int", "long", "double", "decimal")
WHOLE = re.compile(r"[+-]?\d+")
REAL = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)


def failure(message):
    """Return the error of a conversion that cannot be made: what onError catches."""
    return MongoError("ConversionFailure", message)


@takes("$type", 1)
def type_(value):
    return type_name(value)


@takes("$isNumber", 1)
def is_number(value):
    return rank(value) > 0


@takes("$bsonSize", 1, null=True)
def bson_size(value):
    return len(bson.encode(expect(value, "object", 31393, "$bsonSize requires a document input, found: {type}")))


@takes("$binarySize", 1, null=True)
def binary_size(value):
    kind = type_name(value)
    if kind == "string":
        return len(value.encode())
    if kind != "binData":
        raise MongoError(51276, f"$binarySize requires a string or BinData argument, found: {kind}")
    return 16 if isinstance(value, uuid.UUID) else len(value)


@reads("$convert")
def convert_(operand, scope):
    optional = ("onError", "onNull", "format", "base", "byteOrder")
    nodes = named("$convert", operand, scope, ("input", "to"), optional)
    for name in ("base", "byteOrder"):
        if nodes[name]:
            raise MongoError("FailedToParse", f"$convert's '{name}' is not in the embedded engine")

    def node(env):
        to, value = nodes["to"](env), nodes["input"](env)
        kind = None if nullish(to) else target(to)
        if nullish(value):
            return nodes["onNull"](env) if nodes["onNull"] else None
        if kind is None:
            return None
        try:
            return convert(value, kind, nodes["format"](env) if nodes["format"] else None)
        except MongoError as error:
            if error.name != "ConversionFailure" or nodes["onError"] is None:
                raise
            return nodes["onError"](env)

    return node


def target(to):
    """Return the name of the type that $convert's `to` says: a name, a number, {type: …}."""
    if isinstance(to, dict) and "type" in to:
        to = to["type"]
    if isinstance(to, str):
        if to == "missing" or to in TYPE_CODES:
            return to
        raise MongoError("BadValue", f"Unknown type name: {to}")
    if not rank(to):
        raise MongoError("FailedToParse", f"$convert's 'to' argument must be a string or number, but is {type_name(to)}")
    if integral(to, INT64) is None:
        raise MongoError("FailedToParse", "In $convert, numeric 'to' argument is not an integer")
    if integral(to, INT64) not in NAMES:
        raise MongoError("FailedToParse", f"In $convert, numeric value for 'to' does not correspond to a BSON type: {show(to)}")
    return NAMES[integral(to, INT64)]


def _short(name, kind):
    @reads(name)
    def read(operand, scope):
        operands = operand if isinstance(operand, list) else [operand]
        if len(operands) != 1:
            raise MongoError(50723, f"{name} requires a single argument, got {len(operands)}")
        inner = parse(operands[0], scope)

        def node(env):
            value = inner(env)
            return None if nullish(value) else convert(value, kind)

        return node


for _kind in ("string", "objectId", "date", "double", "int", "long", "decimal", "bool"):
    _short(f"$to{_kind[0].upper()}{_kind[1:]}", _kind)


@takes("$toUUID", 1, null=True)
def to_uuid(value):
    return convert(value, "binData", "uuid")


def convert(value, kind, form=None):
    """Return a value as another type. Raises ConversionFailure where MongoDB cannot."""
    source = type_name(value)
    if kind == "bool":
        return truth(value) if source in (*NUMBERS, "bool") else True
    make = CONVERSIONS.get(kind)
    made = make(value, source, form) if make else None
    if made is None:
        raise failure(f"Unsupported conversion from {source} to {kind} in $convert with no onError value")
    return made


def _overflow(value):
    return failure(f"Conversion would overflow target type in $convert with no onError value: {show(value)}")


def _whole(value, source, within, kind):
    """Return a value as int or long, None where that is no conversion of MongoDB's."""
    if source == "bool" or source in ("int", "long"):
        number = int(value)
    elif source in ("double", "decimal"):
        real = value if source == "double" else value.to_decimal()
        if real != real:
            raise failure("Attempt to convert NaN value to integer type in $convert with no onError value")
        if math.isinf(real):
            raise failure("Attempt to convert infinity value to integer type in $convert with no onError value")
        number = int(real)
    elif source == "string":
        number = int(_number_text(value, WHOLE))
    elif source == "date" and kind == "long":
        number = milliseconds(value)
    else:
        return None
    if number not in within:
        raise (
            failure(f"Failed to parse number '{value}' in $convert with no onError value: Overflow")
            if source == "string"
            else _overflow(value)
        )
    return Int64(number) if kind == "long" else number


def _number_text(text, shape):
    if text.lower().startswith("0x"):
        raise failure(f"Illegal hexadecimal input in $convert with no onError value: {text}")
    if not shape.fullmatch(text):
        reason = "Did not consume whole string." if shape.match(text) else "No digits" if text else "Empty string"
        raise failure(f"Failed to parse number '{text}' in $convert with no onError value: {reason}")
    return text


def _double(value, source, _):
    if source in NUMBERS:
        made = to_double(value)
        if math.isinf(made) and source == "decimal" and value.to_decimal().is_finite():
            raise _overflow(value)
        return made
    if source == "bool":
        return float(value)
    if source == "date":
        return float(milliseconds(value))
    return float(_number_text(value, REAL)) if source == "string" else None


def _decimal(value, source, _):
    if source in NUMBERS:
        return value if source == "decimal" else decimal128(to_decimal(value))
    if source == "bool":
        return Decimal128(str(int(value)))
    if source == "date":
        return Decimal128(str(milliseconds(value)))
    return Decimal128(_number_text(value, REAL)) if source == "string" else None


def _string(value, source, form):
    if source == "string":
        return value
    if source in ("int", "long"):
        return str(int(value))
    if source == "double":
        return format_double(value)
    if source in ("decimal", "objectId"):
        return str(value)
    if source == "bool":
        return "true" if value else "false"
    if source == "date":
        return iso(value)
    return _binary_text(value, form or "auto") if source == "binData" else None


def _binary_text(value, form):
    raw, subtype = bytes(value), getattr(value, "subtype", 0)
    if form == "uuid" or (form == "auto" and subtype == 4):
        if subtype != 4 or len(raw) != 16:
            raise failure("Invalid UUID: expected binary data of subtype 4 and 16 bytes")
        return str(uuid.UUID(bytes=raw))
    if form in ("base64", "auto"):
        return base64.b64encode(raw).decode()
    if form == "base64url":
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")
    if form == "hex":
        return raw.hex().upper()
    if form == "utf8":
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise failure("BinData does not represent a valid UTF-8 string") from None
    raise MongoError(4341115, f"$convert's 'format' argument is not valid: {form}")


def _binary(value, source, form):
    if source == "binData":
        return value
    if source != "string":
        return None
    try:
        if form == "uuid":
            return Binary(uuid.UUID(value).bytes, 4)
        if form == "hex":
            return bytes.fromhex(value)
        if form == "utf8":
            return value.encode()
        if form in ("base64", "auto"):
            return base64.b64decode(value, validate=True)
        if form == "base64url":
            return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (ValueError, binascii.Error):
        raise failure(f"Failed to convert '{value}' to BinData: Input is not a valid {form} string.") from None
    raise MongoError(4341107, "$convert requires a 'format' for a conversion from string to BinData")


def _object_id(value, source, _):
    if source == "objectId":
        return value
    if source != "string":
        return None
    try:
        return ObjectId(value)
    except InvalidId:
        reason = f"Invalid string length for parsing to OID, expected 24 but found {len(value)}"
        if len(value) == 24:
            reason = "Invalid character found in hex string"
        raise failure(f"Failed to parse objectId '{value}' in $convert with no onError value: {reason}") from None


def _date(value, source, _):
    if source in ("date", "objectId", "timestamp"):
        return to_date(value)
    if source in ("long", "double", "decimal"):
        return date_of(_whole(value, source, INT64, "long"))
    return parse_date(value) if source == "string" else None


CONVERSIONS = {
    "int": lambda value, source, form: _whole(value, source, INT32, "int"),
    "long": lambda value, source, form: _whole(value, source, INT64, "long"),
    "double": _double,
    "decimal": _decimal,
    "string": _string,
    "objectId": _object_id,
    "date": _date,
    "binData": _binary,
    "object": lambda value, source, form: value if source == "object" else None,
    "array": lambda value, source, form: value if source == "array" else None,
    "regex": lambda value, source, form: value if source == "regex" else None,
    "timestamp": lambda value, source, form: value if source == "timestamp" else None,
}
