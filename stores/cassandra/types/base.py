"""What every CQL type can do. Values travel as serialised bytes; None is null, and b"" is Cassandra's "empty value"."""

import struct

from stores.cassandra.errors import InvalidRequest

MARSHAL = "org.apache.cassandra.db.marshal."
_INVERT = bytes(255 - i for i in range(256))


class CqlType:
    """Base of all types. Types are immutable, equal when their names and parts are.

    `elements` are the types inside; `is_multicell` says that the value is stored as one cell per element;
    `literals` are the kinds of Constant that may be written for it; `empty_allowed` says that b"" is a value.
    """

    name = ""
    kind = "native"  # or list, set, map, tuple, udt, vector
    code = 0x0000
    java_class = ""
    elements = ()
    is_multicell = False
    literals = ()
    empty_allowed = True
    fixed_length = None
    accepted = ()  # names of other types whose values are values of this type as they are

    # --- names ---

    @property
    def cql_name(self):
        """Return the name as CQL writes it, with frozen<…> where the value is one cell."""
        return self.name

    @property
    def java_name(self):
        """Return the name of Cassandra's class, as the protocol's custom types and the schema use it."""
        return MARSHAL + self.java_class

    def option(self, version=4):
        """Return the type as an [option] of the native protocol's `version`: bytes."""
        return struct.pack(">H", self.code)

    def __str__(self):
        return self.cql_name

    def __repr__(self):
        return f"<{self.cql_name}>"

    def __eq__(self, other):
        return self is other or (isinstance(other, CqlType) and self.identity == other.identity)

    def __hash__(self):
        return hash(self.identity)

    @property
    def identity(self):
        return self.cql_name

    def frozen(self):
        """Return this type as one cell."""
        return self

    def mentions(self, wanted):
        """Say whether `wanted(type)` holds for this type or any type inside."""
        return wanted(self) or any(element.mentions(wanted) for element in self.elements)

    # --- values ---

    def serialize(self, value):
        """Return a Python value as bytes."""
        raise NotImplementedError

    def deserialize(self, data):
        """Return the Python value of bytes; None for null, and for the empty value of types whose values have a length."""
        raise NotImplementedError

    def sort_key(self, data):
        """Return what orders values of this type as Cassandra does: comparable with other keys of the same type."""
        return data

    def validate(self, data):
        """Raise InvalidRequest when `data` (not None) is no value of this type."""

    def bind(self, data):
        """Return a value that a client sent, in normal form (sets sorted …). Raises InvalidRequest when it is no value."""
        self.validate(data)
        return data

    def format(self, data):
        """Return the value as Cassandra prints it, unquoted: what a cast to text gives."""
        raise NotImplementedError

    # --- literals ---

    def constant(self, term, column=""):
        """Return the bytes of a Constant of the syntax tree. Raises InvalidRequest, naming the `column` that it is for."""
        if term.kind not in self.literals:
            raise InvalidRequest(f'Invalid {term.kind.upper()} constant ({term.text}) for "{column}" of type {self}')
        return self.from_text(term.text)

    def from_text(self, text):
        """Return the bytes of a value written as text, as in a constant; no text is the empty value. Raises InvalidRequest."""
        return b"" if not text and self.empty_allowed else self.parse(text)

    def parse(self, text):
        """Return the bytes of a value written as text that is not empty, or of a type without an empty value."""
        raise NotImplementedError

    def accepts(self, other):
        """Say whether values of type `other` are values of this type as they are."""
        return self == other or other.name in self.accepted or self.frozen() == other.frozen()

    # --- JSON ---

    def to_json(self, data):
        """Return the value as JSON text."""
        raise NotImplementedError

    def from_json(self, value):
        """Return the bytes of what JSON gave: str, int, Decimal, bool, list, dict or None."""
        raise NotImplementedError


class Descending:
    """A sort key that orders the other way round."""

    __slots__ = ("key",)

    def __init__(self, key):
        self.key = key

    def __lt__(self, other):
        return other.key < self.key

    def __gt__(self, other):
        return self.key < other.key

    def __le__(self, other):
        return not self.key < other.key

    def __ge__(self, other):
        return not other.key < self.key

    def __eq__(self, other):
        return isinstance(other, Descending) and self.key == other.key

    def __hash__(self):
        return hash(self.key)


def descending(key):
    """Return a sort key for CLUSTERING ORDER BY (… DESC).

    Keys of bytes stay bytes, which compare fast: escaped so that none is the beginning of another, then inverted.
    """
    if isinstance(key, bytes):
        return (key.replace(b"\0", b"\0\xff") + b"\0\0").translate(_INVERT)
    return Descending(key)


def json_type(value):
    """Return the Java class that Cassandra names for a value read from JSON."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer" if -(2**31) <= value < 2**31 else "Long" if -(2**63) <= value < 2**63 else "BigInteger"
    return {str: "String", list: "ArrayList", dict: "LinkedHashMap"}.get(type(value), "Double")


def json_text(value):
    """Return a value read from JSON as Java prints it in messages."""
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"[{', '.join(map(json_text, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={json_text(item)}" for key, item in value.items()) + "}"
    return str(value)


def unexpected(what, value):
    """Return the error that JSON holds something else than `what`, as "an int value"."""
    return InvalidRequest(f"Expected {what}, but got a {json_type(value)}: {json_text(value)}")
