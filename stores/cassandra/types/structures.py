"""tuple, user-defined type and vector: values of a fixed number of parts."""

import json
import struct

from stores.cassandra.cql.nodes import quoted
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types.base import MARSHAL, CqlType, unexpected
from stores.cassandra.types.collections import decoded, length_prefixed

# The types whose values a vector puts next to each other, without their lengths.
_FIXED_IN_VECTORS = frozenset(("boolean", "int", "bigint", "float", "double", "timestamp", "uuid", "timeuuid", "vector"))
_INT = struct.Struct(">i")


class TupleType(CqlType):
    """tuple<a, b, …>, always one cell. Values: tuples; absent parts are None."""

    name, kind, code, java_class = "tuple", "tuple", 0x0031, "TupleType"
    _word = "tuple"  # in messages

    def __init__(self, *elements):
        self.elements = tuple(element.frozen() for element in elements)
        self._cql_name = f"frozen<tuple<{', '.join(map(str, self.elements))}>>"

    @property
    def cql_name(self):
        return self._cql_name

    @property
    def java_name(self):
        return f"{MARSHAL}TupleType({','.join(element.java_name for element in self.elements)})"

    def option(self, version=4):
        parts = b"".join(element.option(version) for element in self.elements)
        return struct.pack(">HH", self.code, len(self.elements)) + parts

    def unpack(self, data):
        """Return the serialised parts: bytes or None, as many as the type has. Raises InvalidRequest."""
        parts, position = [], 0
        while position < len(data):
            if len(parts) == len(self.elements):
                raise InvalidRequest(f"Invalid remaining data after end of {self._word} value")
            if position + 4 > len(data):
                raise InvalidRequest(self._too_short("size of ", len(parts)))
            (length,) = _INT.unpack_from(data, position)
            position += 4
            if length < 0:
                parts.append(None)
                continue
            if position + length > len(data):
                raise InvalidRequest(self._too_short("", len(parts)))
            parts.append(data[position : position + length])
            position += length
        return parts + [None] * (len(self.elements) - len(parts))

    def _too_short(self, what, place):
        return f"Not enough bytes to read {what}{place}th component"

    def pack(self, parts):
        """Return serialised parts (bytes or None) as one value."""
        return b"".join(map(length_prefixed, parts))

    def serialize(self, value):
        return self.pack([None if part is None else t.serialize(part) for t, part in zip(self.elements, value, strict=False)])

    def deserialize(self, data):
        if data is None:
            return None
        return tuple(None if part is None else t.deserialize(part) for t, part in zip(self.elements, self.unpack(data), strict=True))

    def sort_key(self, data):
        """Order by the parts; null is below every value."""
        return tuple(() if part is None else (t.sort_key(part),) for t, part in zip(self.elements, self.unpack(data), strict=True))

    def validate(self, data):
        self.bind(data)

    def bind(self, data):
        parts = zip(self.elements, self.unpack(data), strict=True)
        bound = self.pack([None if part is None else t.bind(part) for t, part in parts])
        return bound[: len(data)] if bound.startswith(data) else bound  # parts that were left out stay left out

    def format(self, data):
        """Return the parts between colons, null as @, as Cassandra does."""
        parts = zip(self.elements, self.unpack(data), strict=True)
        texts = ("@" if part is None else t.format(part) for t, part in parts)
        return ":".join(text if text == "@" else text.replace(":", "\\:").replace("@", "\\@") for text in texts)

    def to_json(self, data):
        parts = zip(self.elements, self.unpack(data), strict=True)
        return f"[{', '.join('null' if part is None else t.to_json(part) for t, part in parts)}]"

    def from_json(self, value):
        value = decoded(value)
        if not isinstance(value, list):
            raise unexpected("a list representation of a tuple", value)
        if len(value) != len(self.elements):
            word = "contains extra" if len(value) > len(self.elements) else "is missing"
            raise InvalidRequest(f"Tuple {word} items (expected {len(self.elements)}): {value}")
        return self.pack([None if v is None else t.from_json(v) for t, v in zip(self.elements, value, strict=True)])


class UserType(TupleType):
    """A user-defined type; not frozen it has one cell per field. Values: tuples in the order of the fields."""

    kind, code, java_class = "udt", 0x0030, "UserType"
    _word = "UDT"

    def __init__(self, keyspace, name, fields, is_multicell=True):
        """`fields`: pairs (name, type)."""
        self.keyspace = keyspace
        self.name = name
        self.fields = tuple((field, t.frozen()) for field, t in fields)
        self.names = tuple(field for field, _ in self.fields)
        self.elements = tuple(t for _, t in self.fields)
        self.is_multicell = is_multicell
        self._cql_name = quoted(name) if is_multicell else f"frozen<{quoted(name)}>"

    @property
    def identity(self):
        return (self._cql_name, self.keyspace, self.fields)

    @property
    def java_name(self):
        fields = "".join(f",{name.encode().hex()}:{t.java_name}" for name, t in self.fields)
        inner = f"{MARSHAL}UserType({self.keyspace},{self.name.encode().hex()}{fields})"
        return inner if self.is_multicell else f"{MARSHAL}FrozenType({inner})"

    def option(self, version=4):
        parts = [_string(self.keyspace), _string(self.name), struct.pack(">H", len(self.fields))]
        parts += [_string(name) + t.option(version) for name, t in self.fields]
        return struct.pack(">H", self.code) + b"".join(parts)

    def frozen(self):
        return UserType(self.keyspace, self.name, self.fields, is_multicell=False) if self.is_multicell else self

    def field_type(self, name):
        """Return the type of a field, or None."""
        return dict(self.fields).get(name)

    def _too_short(self, what, place):
        return f"Not enough bytes to read {what}{place}th field {self.names[place]}"

    def to_json(self, data):
        parts = zip(self.fields, self.unpack(data), strict=True)
        return "{" + ", ".join(f"{field_key(name)}: {'null' if v is None else t.to_json(v)}" for (name, t), v in parts) + "}"

    def from_json(self, value):
        value = decoded(value)
        if not isinstance(value, dict):
            raise unexpected("a map", value)
        given = {from_json_key(key): item for key, item in value.items()}
        for name in given:
            if name not in self.names:
                raise InvalidRequest(f"Unknown field '{name}' in value of user defined type {quoted(self.name)}")
        return self.pack([None if given.get(name) is None else t.from_json(given[name]) for name, t in self.fields])


class VectorType(CqlType):
    """vector<e, dimension>, always one cell. Values: lists of that length, without nulls."""

    name, kind, java_class = "vector", "vector", "VectorType"
    empty_allowed = False

    def __init__(self, element, dimension):
        self.elements = (element.frozen(),)
        self.dimension = dimension
        self._length = element.fixed_length if element.name in _FIXED_IN_VECTORS else None
        self.fixed_length = self._length * dimension if self._length else None
        self._cql_name = f"vector<{element}, {dimension}>"

    @property
    def cql_name(self):
        return self._cql_name

    @property
    def java_name(self):
        return f"{MARSHAL}VectorType({self.elements[0].java_name} , {self.dimension})"  # a blank on both sides, as Cassandra has it

    def option(self, version=4):
        return struct.pack(">H", 0) + _string(self.java_name)

    def unpack(self, data):
        """Return the serialised elements. Raises InvalidRequest."""
        length, parts = self._length, []
        if not data:
            raise InvalidRequest("Invalid empty vector value")
        if length:
            if len(data) < length * self.dimension:
                raise InvalidRequest(f"Not enough bytes to read a {self}")
            parts = [data[start : start + length] for start in range(0, length * self.dimension, length)]
            position = length * self.dimension
        else:
            position = 0
            for _ in range(self.dimension):
                size, position = _read_size(data, position, self)
                parts.append(data[position : position + size])
                position += size
        if position != len(data):
            raise InvalidRequest(f"Unexpected {len(data) - position} extraneous bytes after {self} value")
        return parts

    def pack(self, parts):
        """Return serialised elements as one value. Raises InvalidRequest where their number is wrong."""
        if len(parts) != self.dimension:
            raise InvalidRequest(f"Required {self.dimension} elements, but saw {len(parts)}")
        return b"".join(parts) if self._length else b"".join(_size(len(part)) + part for part in parts)

    def serialize(self, value):
        return self.pack([self.elements[0].serialize(item) for item in value])

    def deserialize(self, data):
        return [self.elements[0].deserialize(item) for item in self.unpack(data)] if data else None

    def sort_key(self, data):
        return tuple(map(self.elements[0].sort_key, self.unpack(data))) if data else ()

    def validate(self, data):
        self.bind(data)

    def bind(self, data):
        return self.pack([self.elements[0].bind(item) for item in self.unpack(data)])

    def format(self, data):
        return f"[{', '.join(map(self.elements[0].format, self.unpack(data)))}]"

    def to_json(self, data):
        return f"[{', '.join(self.elements[0].to_json(item) for item in self.unpack(data))}]"

    def from_json(self, value):
        value = decoded(value)
        if not isinstance(value, list):
            raise unexpected("a list", value)
        if len(value) != self.dimension:
            raise InvalidRequest(f"List had incorrect size: expected {self.dimension} but given {len(value)}; {value}")
        if None in value:
            raise InvalidRequest("Invalid null element in list")
        return self.pack([self.elements[0].from_json(item) for item in value])


def field_key(name):
    """Return the name of a field or column as a key of JSON: names with capitals stand in quotes of their own."""
    return json.dumps(name if name == name.lower() else f'"{name}"', ensure_ascii=False)


def from_json_key(key):
    """Return the name that a key of JSON means: small letters unless it stands in quotes of its own."""
    return key[1:-1] if len(key) > 1 and key.startswith('"') and key.endswith('"') else key.lower()


def _string(text):
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _size(number):
    """Return a length as an unsigned vint of Cassandra."""
    extra = max(0, (number.bit_length() - 1) // 7)
    return (number | (0xFF00 >> extra & 0xFF) << (8 * extra)).to_bytes(extra + 1, "big")


def _read_size(data, position, vector):
    if position >= len(data):
        raise InvalidRequest(f"Not enough bytes to read a {vector}")
    first = data[position]
    extra = 8 - (first ^ 0xFF).bit_length()
    end = position + 1 + extra
    size = (first & (0xFF >> extra)) << (8 * extra) | int.from_bytes(data[position + 1 : end], "big")
    if end + size > len(data):
        raise InvalidRequest(f"Not enough bytes to read a {vector}")
    return size, end
