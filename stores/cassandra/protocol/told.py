"""What a real node's RESULT says, as far as the record needs it: a prepared statement's columns, and how many rows came.

The notations are those of the native protocol's specification, sections 4.2.5.2 (Rows) and 4.2.5.4 (Prepared).
"""

from typing import NamedTuple

from stores.cassandra.errors import ProtocolException
from stores.cassandra.protocol import codec
from stores.cassandra.protocol.messages import GLOBAL_TABLE, METADATA_CHANGED, MORE_PAGES, NO_METADATA
from stores.cassandra.types import NATIVE, CqlType, ListType, MapType, SetType, TupleType, UserType, from_class_name

BY_CODE = {cql_type.code: cql_type for cql_type in NATIVE.values() if cql_type.code}  # 0 is a class by its name


class Column(NamedTuple):
    """A column of a result, or a value that a prepared statement waits for."""

    name: str
    type: CqlType


def bind_columns(body, version):
    """Return the Columns that a prepared statement binds; `body` is that of a RESULT of kind Prepared."""
    reader = codec.Reader(body)
    reader.int()  # the kind
    reader.short_bytes()  # the statement's id
    if version >= 5:
        reader.short_bytes()  # the id of its result's columns
    flags, count = reader.int(), reader.int()
    if version >= 4:
        for _ in range(reader.int()):  # which of them are the partition key
            reader.short()
    return _columns(reader, count, flags)


def row_count(body):
    """Return the number of rows in the `body` of a RESULT of kind Rows."""
    reader = codec.Reader(body)
    reader.int()
    flags, count = reader.int(), reader.int()
    if flags & MORE_PAGES:
        reader.bytes()  # where the next page begins
    if flags & METADATA_CHANGED:
        reader.short_bytes()
    if not flags & NO_METADATA:
        _columns(reader, count, flags)
    return reader.int()


def _columns(reader, count, flags):
    one_table = flags & GLOBAL_TABLE
    if one_table:
        _skip_table(reader)
    columns = []
    for _ in range(count):
        if not one_table:
            _skip_table(reader)
        columns.append(Column(reader.string(), _type(reader)))
    return tuple(columns)


def _skip_table(reader):
    reader.string()  # keyspace
    reader.string()  # table


def _type(reader):
    """Read an [option]."""
    match code := reader.short():
        case 0x0000:  # a class of Cassandra by its name: vectors, for example
            return from_class_name(reader.string())
        case 0x0020:
            return ListType(_type(reader))
        case 0x0021:
            return MapType(_type(reader), _type(reader))
        case 0x0022:
            return SetType(_type(reader))
        case 0x0030:
            keyspace, name = reader.string(), reader.string()
            return UserType(keyspace, name, [(reader.string(), _type(reader)) for _ in range(reader.short())])
        case 0x0031:
            return TupleType(*(_type(reader) for _ in range(reader.short())))
    if code not in BY_CODE:
        raise ProtocolException(f"Unknown type {code:#06x}")
    return BY_CODE[code]
