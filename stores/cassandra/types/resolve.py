"""From names of types to types: names in CQL, and names of Cassandra's classes."""

import re

from stores.cassandra.cql.nodes import Name
from stores.cassandra.cql.typenames import (
    CollectionTypeName,
    CustomTypeName,
    FrozenTypeName,
    NativeTypeName,
    TupleTypeName,
    UserTypeName,
    VectorTypeName,
)
from stores.cassandra.errors import ConfigurationException, InvalidRequest, SyntaxException
from stores.cassandra.types import numbers, plain, temporal
from stores.cassandra.types.base import MARSHAL, CqlType
from stores.cassandra.types.collections import ListType, MapType, SetType
from stores.cassandra.types.structures import TupleType, UserType, VectorType

NATIVE = {
    cql_type.name: cql_type
    for module in (numbers, plain, temporal)
    for cql_type in vars(module).values()
    if isinstance(cql_type, CqlType)
}
COLLECTIONS = {"list": ListType, "set": SetType, "map": MapType}
_BY_CLASS = {cql_type.java_class: cql_type for cql_type in NATIVE.values()} | {"DateType": NATIVE["timestamp"]}
_COLLECTION_CLASSES = {cls.java_class: cls for cls in COLLECTIONS.values()}
_CLASS_WORD = re.compile(r"[A-Za-z0-9_.]+")


def resolve(name, keyspace=None, user_type=None):
    """Return the CqlType that a name of typenames.py means.

    `keyspace` is that of the statement; `user_type(keyspace, name)` returns a UserType or None.
    Raises InvalidRequest in Cassandra's words for types that do not exist or may not stand where they stand.
    """
    match name:
        case NativeTypeName():
            return NATIVE[name.name]
        case CollectionTypeName():
            return _collection(name, keyspace, user_type, frozen=False)
        case TupleTypeName():
            elements = [resolve(element, keyspace, user_type) for element in name.elements]
            if numbers.COUNTER in elements:
                raise InvalidRequest("Counters are not allowed inside tuples")
            return TupleType(*elements)
        case VectorTypeName():
            if name.dimension <= 0:
                raise InvalidRequest(f"vectors may only have positive dimensions; given {name.dimension}")
            return VectorType(resolve(name.element, keyspace, user_type), name.dimension)
        case UserTypeName():
            return _user_type(name.name, keyspace, user_type)
        case FrozenTypeName(CollectionTypeName() as inner):
            return _collection(inner, keyspace, user_type, frozen=True).frozen()
        case FrozenTypeName():
            return resolve(name.type, keyspace, user_type).frozen()
        case CustomTypeName():
            return from_class_name(name.class_name)
    raise TypeError(f"no name of a type: {name!r}")


def _collection(name, keyspace, user_type, frozen):
    """Return the type of list<…>, set<…> or map<…>; inside of a frozen one everything is frozen."""
    elements = []
    for element in name.elements:
        if frozen and isinstance(element, CollectionTypeName):
            elements.append(_collection(element, keyspace, user_type, frozen=True).frozen())
        else:
            elements.append(resolve(element, keyspace, user_type))
    if numbers.COUNTER in elements:
        raise InvalidRequest(f"Counters are not allowed inside collections: {name}")
    if temporal.DURATION in elements[:1] and name.kind != "list":
        where = "inside sets" if name.kind == "set" else "as map keys"
        raise InvalidRequest(f"Durations are not allowed {where}: {name}")
    for element in elements:
        if element.is_multicell and not frozen:
            word = "UDTs" if isinstance(element, UserType) else "collections"
            raise InvalidRequest(f"Non-frozen {word} are not allowed inside collections: {name}")
    return COLLECTIONS[name.kind](*elements)


def _user_type(name, keyspace, user_type):
    if name.keyspace and keyspace and name.keyspace != keyspace:
        raise InvalidRequest(
            f"Statement on keyspace {keyspace} cannot refer to a user type in keyspace {name.keyspace}; "
            "user types can only be used in the keyspace they are defined in"
        )
    found = user_type(name.keyspace or keyspace, name.name) if user_type else None
    if found is None:
        raise InvalidRequest(f"Unknown type {Name(name.keyspace or keyspace, name.name)}")
    return found


def from_class_name(text):
    """Return the CqlType of a name such as "org.apache.cassandra.db.marshal.ListType(Int32Type)". Raises SyntaxException."""
    try:
        cql_type, position = _read_class(text, 0)
    except (IndexError, ValueError):
        raise SyntaxException(f"Error setting type {text}: Syntax error parsing '{text}'") from None
    except ConfigurationException as error:
        raise SyntaxException(f"Error setting type {text}: {error.message}") from None
    if position != len(text):
        raise SyntaxException(f"Cannot parse type {text}: Syntax error parsing '{text}' at char {position}: unexpected character")
    return cql_type


def _read_class(text, position):
    """Return (type, position after its name). Raises ValueError, IndexError, ConfigurationException."""
    match = _CLASS_WORD.match(text, position)
    if not match:
        raise ValueError(text)
    word = match[0].removeprefix(MARSHAL)
    position = match.end()
    if position == len(text) or text[position] != "(":
        if word in _BY_CLASS:
            return _BY_CLASS[word], position
        full = word if "." in word else MARSHAL + word
        raise ConfigurationException(f"Unable to find abstract-type class '{full}'")
    if word == "UserType":
        return _read_user_type(text, position)
    parameters = []
    while text[position] != ")":
        position = _after_blanks(text, position + 1)
        if word == "VectorType" and parameters:
            end = text.index(")", position)
            parameters.append(int(text[position:end]))
            position = end
        elif text[position] != ")":
            parameter, position = _read_class(text, position)
            parameters.append(parameter)
            position = _after_blanks(text, position)
    return _with_parameters(word, parameters), position + 1


def _after_blanks(text, position):
    while text[position] == " ":
        position += 1
    return position


def _with_parameters(word, parameters):
    if word in _COLLECTION_CLASSES:
        cls = _COLLECTION_CLASSES[word]
        if len(parameters) != cls.width:
            raise ConfigurationException(f"{word} takes exactly {cls.width} type parameter{'s' if cls.width > 1 else ''}")
        return cls(*parameters)
    if word == "TupleType":
        return TupleType(*parameters)
    if word in ("FrozenType", "ReversedType"):
        if len(parameters) != 1:
            raise ConfigurationException(f"{word}() only accepts one parameter")
        return parameters[0].frozen() if word == "FrozenType" else parameters[0]
    if word == "VectorType" and len(parameters) == 2 and parameters[1] > 0:
        return VectorType(*parameters)
    raise ConfigurationException(f"Unable to find abstract-type class '{MARSHAL}{word}'")


def _read_user_type(text, position):
    """Read the rest of UserType(keyspace,name in hex,field in hex:type,…)."""
    keyspace, _, rest = text[position + 1 :].partition(",")
    position += len(keyspace) + 2
    match = _CLASS_WORD.match(rest)
    if not match:
        raise ValueError(text)
    position += match.end()
    fields = []
    while text[position] == ",":
        colon = text.index(":", position)
        field = bytes.fromhex(text[position + 1 : colon]).decode()
        field_type, position = _read_class(text, colon + 1)
        fields.append((field, field_type))
    if text[position] != ")":
        raise ValueError(text)
    return UserType(keyspace, bytes.fromhex(match[0]).decode(), fields), position + 1
