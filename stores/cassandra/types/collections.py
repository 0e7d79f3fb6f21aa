"""list, set, map, vector: frozen (one cell) or not (a cell per element)."""

import json
import struct

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types.base import MARSHAL, CqlType, unexpected

_INT = struct.Struct(">i")
_NULL = _INT.pack(-1)


def length_prefixed(data):
    """Return bytes after their length (4 bytes); None has the length -1."""
    return _NULL if data is None else _INT.pack(len(data)) + data


class Collection(CqlType):
    """Base of list, set and map. Values are serialised as a count and the elements, each after its length."""

    empty_allowed = False
    width = 1  # how many serialised values make one element: 2 in a map

    def __init__(self, *elements, is_multicell=True):
        self.elements = tuple(element.frozen() for element in elements)
        self.is_multicell = is_multicell
        inner = f"{self.name}<{', '.join(map(str, self.elements))}>"
        self._cql_name = inner if is_multicell else f"frozen<{inner}>"

    @property
    def cql_name(self):
        return self._cql_name

    @property
    def java_name(self):
        inner = f"{MARSHAL}{self.java_class}({','.join(element.java_name for element in self.elements)})"
        return inner if self.is_multicell else f"{MARSHAL}FrozenType({inner})"

    def option(self, version=4):
        return struct.pack(">H", self.code) + b"".join(element.option(version) for element in self.elements)

    def frozen(self):
        return type(self)(*self.elements, is_multicell=False) if self.is_multicell else self

    def unpack(self, data):
        """Return the serialised elements: a list of bytes, in a map of pairs of bytes. Raises InvalidRequest."""
        try:
            (count,) = _INT.unpack_from(data)
            parts, position = [], 4
            for _ in range(count * self.width):
                (length,) = _INT.unpack_from(data, position)
                position += 4
                if length < 0:
                    raise InvalidRequest("null is not supported inside collections")
                if position + length > len(data):
                    raise struct.error
                parts.append(data[position : position + length])
                position += length
        except struct.error:
            raise InvalidRequest(f"Not enough bytes to read a {self.name}") from None
        if position != len(data):
            raise InvalidRequest(f"Unexpected extraneous bytes after {self.name} value")
        return parts

    def pack(self, elements):
        """Return serialised elements as one value, in normal form."""
        raise NotImplementedError

    def normal(self, elements):
        """Return serialised elements as they are stored: sets sorted and without doubles, maps sorted by key."""
        return list(elements)

    def validate(self, data):
        self.bind(data)


class Sequence(Collection):
    """Base of list and set: one value an element."""

    def pack(self, elements):
        elements = self.normal(elements)
        return _INT.pack(len(elements)) + b"".join(_INT.pack(len(element)) + element for element in elements)

    def serialize(self, value):
        return self.pack([self.elements[0].serialize(item) for item in value])

    def deserialize(self, data):
        return [self.elements[0].deserialize(item) for item in self.unpack(data)] if data else None

    def sort_key(self, data):
        return tuple(map(self.elements[0].sort_key, self.unpack(data))) if data else ()

    def bind(self, data):
        return self.pack([self.elements[0].bind(item) for item in self.unpack(data)])

    def format(self, data):
        return self.to_json(data)

    def to_json(self, data):
        return f"[{', '.join(self.elements[0].to_json(item) for item in self.unpack(data))}]"

    def from_json(self, value):
        value = decoded(value)
        if not isinstance(value, list):
            raise unexpected("a list" if self.name == "list" else "a list (representing a set)", value)
        if None in value:
            raise InvalidRequest(f"Invalid null element in {self.name}")
        return self.pack([self.elements[0].from_json(item) for item in value])


class ListType(Sequence):
    """list<e>. Values: list."""

    name, kind, code, java_class = "list", "list", 0x0020, "ListType"


class SetType(Sequence):
    """set<e>. Values: a list without doubles, in the order of the type."""

    name, kind, code, java_class = "set", "set", 0x0022, "SetType"

    def normal(self, elements):
        elements = list(elements)
        if len(elements) < 2:
            return elements
        key = self.elements[0].sort_key
        by_key = {}
        for element in elements:
            by_key.setdefault(key(element), element)
        return [by_key[key] for key in sorted(by_key)]


class MapType(Collection):
    """map<k, v>. Values: a list of pairs, in the order of the keys; serialize takes a dict too."""

    name, kind, code, java_class, width = "map", "map", 0x0021, "MapType", 2

    def unpack(self, data):
        parts = super().unpack(data)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def pack(self, elements):
        elements = self.normal(elements)
        parts = [length_prefixed(part) for pair in elements for part in pair]
        return _INT.pack(len(elements)) + b"".join(parts)

    def normal(self, elements):
        key = self.elements[0].sort_key
        by_key = {key(pair[0]): pair for pair in elements}  # of doubles the last counts
        return [by_key[key] for key in sorted(by_key)]

    def serialize(self, value):
        key, item = self.elements
        pairs = value.items() if isinstance(value, dict) else value
        return self.pack([(key.serialize(k), item.serialize(v)) for k, v in pairs])

    def deserialize(self, data):
        key, item = self.elements
        return [(key.deserialize(k), item.deserialize(v)) for k, v in self.unpack(data)] if data else None

    def sort_key(self, data):
        key, item = self.elements
        return tuple(part for k, v in self.unpack(data) for part in (key.sort_key(k), item.sort_key(v))) if data else ()

    def bind(self, data):
        key, item = self.elements
        return self.pack([(key.bind(k), item.bind(v)) for k, v in self.unpack(data)])

    def format(self, data):
        return self.to_json(data)

    def to_json(self, data):
        key, item = self.elements
        return "{" + ", ".join(f"{json_key(key.to_json(k))}: {item.to_json(v)}" for k, v in self.unpack(data)) + "}"

    def from_json(self, value):
        value = decoded(value)
        if not isinstance(value, dict):
            raise unexpected("a map", value)
        if None in value.values():
            raise InvalidRequest("Invalid null value in map")
        key, item = self.elements
        return self.pack([(key.from_json(k), item.from_json(v)) for k, v in value.items()])


def json_key(text):
    """Return JSON text as the key of an object."""
    return text if text.startswith('"') else json.dumps(text, ensure_ascii=False)


def decoded(value):
    """Return what a JSON text inside JSON means: keys of maps are always texts, and so Cassandra accepts texts anywhere."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
