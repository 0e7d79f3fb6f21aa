"""CQL's types: each reads literals, (de)serialises values, orders serialised values and names itself.

`NATIVE["int"]` and the names below are the types without parameters; ListType(INT), MapType(TEXT, INT), UserType(…) make others;
`resolve` makes them of the names in a statement. Values are bytes; None is null.
"""

from stores.cassandra.types.base import CqlType, Descending, descending
from stores.cassandra.types.collections import Collection, ListType, MapType, SetType
from stores.cassandra.types.duration import Duration
from stores.cassandra.types.numbers import BIGINT, BOOLEAN, COUNTER, DECIMAL, DOUBLE, FLOAT, INT, SMALLINT, TINYINT, VARINT
from stores.cassandra.types.plain import ASCII, BLOB, INET, TEXT, TIMEUUID, UUID
from stores.cassandra.types.resolve import NATIVE, from_class_name, resolve
from stores.cassandra.types.structures import TupleType, UserType, VectorType
from stores.cassandra.types.temporal import DATE, DURATION, TIME, TIMESTAMP

__all__ = [
    "ASCII",
    "BIGINT",
    "BLOB",
    "BOOLEAN",
    "COUNTER",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "DURATION",
    "FLOAT",
    "INET",
    "INT",
    "NATIVE",
    "SMALLINT",
    "TEXT",
    "TIME",
    "TIMESTAMP",
    "TIMEUUID",
    "TINYINT",
    "UUID",
    "VARINT",
    "Collection",
    "CqlType",
    "Descending",
    "Duration",
    "ListType",
    "MapType",
    "SetType",
    "TupleType",
    "UserType",
    "VectorType",
    "descending",
    "from_class_name",
    "resolve",
]
