"""mask_null, mask_default, mask_replace, mask_inner, mask_outer, mask_hash: what people without permission see of values."""

import hashlib

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.functions import times
from stores.cassandra.functions.registry import Function, maker
from stores.cassandra.types import ASCII, BLOB, BOOLEAN, DATE, DURATION, INET, INT, NATIVE, TEXT, TIMEUUID, UUID, Duration

_ZERO_UUID = b"\0" * 16
_SPECIAL = {
    TEXT: b"****",
    ASCII: b"****",
    BLOB: b"",
    BOOLEAN: b"\0",
    INET: b"\0\0\0\0",
    UUID: _ZERO_UUID,
    TIMEUUID: times.timeuuid(times.GREGORIAN, b"\x80" * 8),  # the first of 1970
    DATE: DATE.serialize(0),
    DURATION: DURATION.serialize(Duration(0, 0, 0)),
}


def masked(cql_type):
    """Return the value that stands for every value of a type: ****, 0, nothing in a collection."""
    if cql_type in _SPECIAL:
        return _SPECIAL[cql_type]
    if cql_type.kind in ("list", "set", "map"):
        return cql_type.pack([])
    if cql_type.kind in ("tuple", "udt"):
        return cql_type.pack([masked(element) for element in cql_type.elements])
    if cql_type.kind == "vector":
        return cql_type.pack([masked(cql_type.elements[0])] * cql_type.dimension)
    return NATIVE[cql_type.name].from_text("0")


@maker("mask_null")
def _null(call):
    call.expect_arguments(1, "(any)")
    cql_type = call.type_of(0)
    return Function(call.name, (cql_type,), cql_type, lambda data: None)


@maker("mask_default")
def _default(call):
    call.expect_arguments(1, "(any)")
    cql_type = call.type_of(0)
    value = masked(cql_type)
    return Function(call.name, (cql_type,), cql_type, lambda data: value)


@maker("mask_replace")
def _replace(call):
    call.expect_arguments(2, "(any, same)")
    cql_type = call.type_of(0)
    return Function(call.name, (cql_type, cql_type), cql_type, lambda data, replacement: replacement)


def _partial(name, hide):
    """Register mask_inner or mask_outer; `hide(text, begin, end, padding)` says what is seen."""

    @maker(f"mask_{name}")
    def make(call):
        if len(call.given) not in (3, 4):
            raise InvalidRequest(f"Invalid number of arguments for function {call.name}(text, int, int, [text])")
        cql_type = call.given[0] or TEXT
        if cql_type not in (TEXT, ASCII):
            raise InvalidRequest(
                f"Function {call.name} requires an argument of type [text|varchar|ascii], "
                f"but found argument {call.nodes[0]} of type {cql_type}"
            )

        def mask(data, begin, end, padding=b"*"):
            if data is None:
                return None
            begin, end = (max(0, INT.deserialize(size)) if size else 0 for size in (begin, end))
            padding = (padding or b"*").decode()
            if len(padding) != 1:
                raise InvalidRequest(
                    f"The padding argument for function {call.name} should be single-character, "
                    f"but '{padding}' has {len(padding)} characters."
                )
            text = data.decode()
            return hide(text, min(begin, len(text)), max(min(begin, len(text)), len(text) - end), padding).encode()

        return Function(call.name, (cql_type, INT, INT, TEXT)[: len(call.given)], cql_type, mask)


def _inner(text, begin, end, padding):
    return text[:begin] + padding * (end - begin) + text[end:]


def _outer(text, begin, end, padding):
    return padding * begin + text[begin:end] + padding * (len(text) - end)


@maker("mask_hash")
def _hash(call):
    if len(call.given) not in (1, 2):
        raise InvalidRequest(f"Invalid number of arguments for function {call.name}(any, [text])")
    cql_type = call.type_of(0)

    def digest(data, algorithm=b"SHA-256"):
        if data is None:
            return None
        name = (algorithm or b"SHA-256").decode()
        try:
            return hashlib.new(name.replace("-", "").lower(), data, usedforsecurity=False).digest()
        except ValueError:
            raise InvalidRequest(f"Hash algorithm not found: {name}") from None

    return Function(call.name, (cql_type, TEXT)[: len(call.given)], BLOB, digest)


_partial("inner", _inner)
_partial("outer", _outer)
