"""CAST, blobs from and to every type, JSON, token()."""

import json
from decimal import Decimal

from stores.cassandra.errors import FunctionFailure, InvalidRequest, ServerError
from stores.cassandra.functions.arithmetic import INTEGERS, NUMBERS, number, truncated
from stores.cassandra.functions.registry import FUNCTIONS, Function, maker, no_match, register, strict
from stores.cassandra.functions.times import convert_time
from stores.cassandra.murmur3 import token_of
from stores.cassandra.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
    INET,
    NATIVE,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    UUID,
    VARINT,
)

_TO_TEXT = (*NUMBERS, ASCII, TEXT, BOOLEAN, DATE, INET, TIME, TIMESTAMP, TIMEUUID, UUID)
_BETWEEN_TIMES = {(TIMEUUID, TIMESTAMP), (TIMEUUID, DATE), (TIMESTAMP, DATE), (DATE, TIMESTAMP)}


# --- CAST ---------------------------------------------------------------------------------------------------------------------


def cast(source, target):
    """Return the function that casts serialised values of one type to another. Raises InvalidRequest where CQL has no such cast."""
    if source == target:
        return lambda data: data
    if source in NUMBERS and target in NUMBERS and target is not COUNTER:
        return _cast_number(source, target)
    if target in (TEXT, ASCII) and source in _TO_TEXT:
        return lambda data: source.format(data).encode() if data else data
    if (source, target) in _BETWEEN_TIMES:
        return convert_time(source, target)
    known = FUNCTIONS.get(f"cast_as_{target}")
    if known:
        raise no_match(f"system.cast_as_{target}", known)
    raise InvalidRequest(f"{source} cannot be cast to {target}")


def _cast_number(source, target):
    def call(data):
        if not data:
            return None
        value = source.deserialize(data)
        if source in (FLOAT, DOUBLE):
            if target is DECIMAL:
                return number(DECIMAL, _finite(source, data))
            if target in INTEGERS or target is VARINT:
                value = truncated(value, target)
        return number(target, value)

    return call


def _finite(source, data):
    text = source.format(data)
    if not Decimal(text).is_finite():
        what = 'is neither a decimal digit number, decimal point, nor "e" notation exponential mark.'
        raise ServerError(f"java.lang.NumberFormatException: Character {text.lstrip('-')[0]} {what}")
    return Decimal(text)


def _register_casts():
    for target in (*NUMBERS, TEXT, ASCII, TIMESTAMP, DATE):
        for source in NATIVE.values():
            try:
                call = cast(source, target)
            except InvalidRequest:
                continue
            if source is not target:
                register(f"cast_as_{target} castas{target}", [source], target, call)


# --- blobs --------------------------------------------------------------------------------------------------------------------


def _from_blob(name, cql_type):
    def call(data):
        try:
            if data is not None:
                cql_type.validate(data)
        except InvalidRequest:
            raise InvalidRequest(
                f"In call to function {name}, value 0x{data.hex()} is not a valid binary representation for type {cql_type}"
            ) from None
        return data

    return call


def _register_blobs():
    for word, cql_type in (NATIVE | {"varchar": TEXT}).items():
        if cql_type is BLOB:
            continue
        register(f"{word}_as_blob {word}asblob", [cql_type], BLOB, lambda data: data)
        for name in (f"blob_as_{word}", f"blobas{word}"):
            register(name, [BLOB], cql_type, _from_blob(f"system.{name}", cql_type))


# --- JSON ---------------------------------------------------------------------------------------------------------------------


@maker("to_json tojson")
def _to_json(call):
    call.expect_arguments(1, "(any)")
    cql_type = call.given[0] or TEXT
    return Function(call.name, (cql_type,), TEXT, lambda data: b"null" if data is None else cql_type.to_json(data).encode())


def parse_json(text):
    """Return what a JSON text means; numbers with a fraction are Decimals, so that they keep their digits. Raises ValueError."""
    return json.loads(text, parse_float=Decimal)


@maker("from_json fromjson")
def _from_json(call):
    target = call.receiver
    if len(call.given) != 1:
        raise InvalidRequest(f"Invalid number of arguments in call to function {call.name}: 1 required but {len(call.given)} provided")
    if target is None:
        raise InvalidRequest(f"{call.name}() can only be called if receiver type is known")

    def read(data):
        if data is None:
            return None
        text = data.decode()
        try:
            value = parse_json(text)
            return None if value is None else target.from_json(value)
        except (ValueError, RecursionError):
            detail = f"Could not decode JSON string '{text}': Unrecognized token"
        except InvalidRequest as error:
            detail = error.message
        raise FunctionFailure("system", call.name.removeprefix("system."), ["text"], detail)

    return Function(call.name, (TEXT,), target, read)


# --- token --------------------------------------------------------------------------------------------------------------------


@maker("token")
def _token(call):
    if call.table is None:
        raise InvalidRequest("No receiver table has been specified for function system.token")
    types = tuple(column.type for column in call.table.partition_key)
    if len(call.given) != len(types):
        raise InvalidRequest(
            f"Invalid number of arguments in call to function {call.name}: {len(types)} required but {len(call.given)} provided"
        )
    return Function(call.name, types, BIGINT, strict(lambda *values: BIGINT.serialize(token_of(values))))


_register_casts()
_register_blobs()
