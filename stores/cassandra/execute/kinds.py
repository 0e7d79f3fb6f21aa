"""Types that the engine itself makes: of limits and timestamps, of IN's lists, of tuples of columns."""

from stores.cassandra.types import BIGINT, BOOLEAN, INT, NATIVE, TEXT, VARINT, ListType, MapType, SetType, TupleType

__all__ = ["BIGINT", "BOOLEAN", "INT", "TEXT", "VARINT", "list_of", "map_of", "native", "set_of", "tuple_of"]


def native(name):
    return NATIVE[name]


def list_of(element):
    return ListType(element, is_multicell=False)


def set_of(element):
    return SetType(element, is_multicell=False)


def map_of(key, value):
    return MapType(key, value, is_multicell=False)


def tuple_of(elements):
    return TupleType(*elements)
