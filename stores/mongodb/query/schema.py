"""$jsonSchema: JSON Schema draft 4 with MongoDB's bsonType, as validators and queries use it.

No library knows BSON's types, so the keywords are here: each becomes a test of one value. Keywords for another type
than the value's hold. https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/
"""

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import sort_key, type_name
from stores.mongodb.query.conditions import type_set
from stores.mongodb.regex import compiled
from stores.mongodb.values import is_number, show, to_decimal, to_double

JSON_TYPES = {"object": {"object"}, "array": {"array"}, "string": {"string"}, "boolean": {"bool"}, "null": {"null"},
              "number": {"int", "long", "double", "decimal"}}  # fmt: skip
UNSUPPORTED = {"$ref", "$schema", "default", "definitions", "format", "id"}


class Schema:
    """A schema that was read: schema(value) → bool; failures(value) tells which keywords do not hold, by path."""

    def __init__(self, spec):
        if not isinstance(spec, dict):
            raise MongoError("TypeMismatch", f"$jsonSchema must be an object, found {type_name(spec)}")
        self.spec = spec
        self.tests = {}
        for keyword, operand in spec.items():
            if keyword in UNSUPPORTED:
                raise MongoError("FailedToParse", f"$jsonSchema keyword '{keyword}' is not currently supported")
            reader = KEYWORDS.get(keyword)
            if reader is None:
                raise MongoError("FailedToParse", f"Unknown $jsonSchema keyword: {keyword}")
            if test := reader(operand, spec, keyword):
                self.tests[keyword] = test
        if "type" in spec and "bsonType" in spec:
            raise MongoError("FailedToParse", "Cannot specify both $jsonSchema keywords 'type' and 'bsonType'")

    def __call__(self, value):
        return all(test(value) for test in self.tests.values())

    def failures(self, value):
        """Return the keywords that do not hold for the value, {keyword: its operand}."""
        return {keyword: self.spec[keyword] for keyword, test in self.tests.items() if not test(value)}


def _wrong(keyword, wanted, operand):
    return MongoError(
        "TypeMismatch", f"$jsonSchema keyword '{keyword}' must be {wanted}, but found an element of type {type_name(operand)}"
    )


def _type(operand, _, keyword):
    names = set()
    for name in operand if isinstance(operand, list) else [operand]:
        if not isinstance(name, str):
            raise _wrong(keyword, "either a string or an array of strings", name)
        if name == "integer":
            raise MongoError("FailedToParse", "$jsonSchema type 'integer' is not currently supported.")
        if name not in JSON_TYPES:
            raise MongoError("BadValue", f"Unknown type name alias: {name}")
        names |= JSON_TYPES[name]
    return lambda value: type_name(value) in names


def _bson_type(operand, _, keyword):
    names = type_set(operand)
    return lambda value: type_name(value) in names


def _enum(operand, _, keyword):
    if not isinstance(operand, list):
        raise _wrong(keyword, "an array", operand)
    if not operand:
        raise MongoError("FailedToParse", "$jsonSchema keyword 'enum' cannot be an empty array")
    keys = {sort_key(value) for value in operand}
    return lambda value: sort_key(value) in keys


def _number(operand, keyword):
    if not is_number(operand):
        raise _wrong(keyword, "a number", operand)
    return sort_key(operand)


def _bound(beside, strict, loose):
    """minimum and maximum, which exclusiveMinimum and exclusiveMaximum beside them make strict."""

    def read(operand, spec, keyword):
        key, exclusive = _number(operand, keyword), spec.get(beside, False)
        holds = strict if exclusive else loose
        return lambda value: not is_number(value) or holds(sort_key(value), key)

    return read


def _exclusive(of):
    def read(operand, spec, keyword):
        if not isinstance(operand, bool):
            raise _wrong(keyword, "a boolean", operand)
        if of not in spec:
            raise MongoError("FailedToParse", f"$jsonSchema keyword '{of}' must be a present if {keyword} is present")
        return None

    return read


def _multiple_of(operand, _, keyword):
    _number(operand, keyword)
    if to_double(operand) <= 0:
        raise MongoError("FailedToParse", "$jsonSchema keyword 'multipleOf' must have a positive value")
    return lambda value: not is_number(value) or to_decimal(value) % to_decimal(operand) == 0


def _count(kind, size, holds):
    """minLength, maxItems … on values of one type."""

    def read(operand, _, keyword):
        if not is_number(operand):
            raise _wrong(keyword, "a number", operand)
        if to_double(operand) < 0 or to_double(operand) != int(to_double(operand)):
            raise MongoError("FailedToParse", f"$jsonSchema keyword '{keyword}' must be a non-negative integer, found {show(operand)}")
        limit = int(to_double(operand))
        return lambda value: type_name(value) != kind or holds(size(value), limit)

    return read


def _least(found, limit):
    return found >= limit


def _most(found, limit):
    return found <= limit


def _pattern(operand, _, keyword):
    if not isinstance(operand, str):
        raise _wrong(keyword, "a string", operand)
    search = compiled(operand).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _schemas(operand, keyword):
    if not isinstance(operand, list):
        raise _wrong(keyword, "an array", operand)
    if not operand:
        raise MongoError("BadValue", f"$jsonSchema keyword '{keyword}' must be a non-empty array")
    return [Schema(inner) for inner in operand]


def _all_of(operand, _, keyword):
    schemas = _schemas(operand, keyword)
    return lambda value: all(schema(value) for schema in schemas)


def _any_of(operand, _, keyword):
    schemas = _schemas(operand, keyword)
    return lambda value: any(schema(value) for schema in schemas)


def _one_of(operand, _, keyword):
    schemas = _schemas(operand, keyword)
    return lambda value: sum(schema(value) for schema in schemas) == 1


def _not(operand, _, keyword):
    schema = Schema(operand)
    return lambda value: not schema(value)


def _required(operand, _, keyword):
    if not isinstance(operand, list):
        raise _wrong(keyword, "an array", operand)
    if not operand:
        raise MongoError("FailedToParse", "$jsonSchema keyword 'required' cannot be an empty array")
    for name in operand:
        if not isinstance(name, str):
            raise _wrong(keyword, "an array of strings", name)
    return lambda value: not isinstance(value, dict) or all(name in value for name in operand)


def _properties(operand, _, keyword):
    if not isinstance(operand, dict):
        raise _wrong(keyword, "an object", operand)
    schemas = {name: Schema(inner) for name, inner in operand.items()}
    return lambda value: not isinstance(value, dict) or all(schema(value[name]) for name, schema in schemas.items() if name in value)


def _pattern_properties(operand, _, keyword):
    if not isinstance(operand, dict):
        raise _wrong(keyword, "an object", operand)
    schemas = [(compiled(name).search, Schema(inner)) for name, inner in operand.items()]

    def test(value):
        if not isinstance(value, dict):
            return True
        return all(schema(inner) for name, inner in value.items() for search, schema in schemas if search(name))

    return test


def _additional_properties(operand, spec, keyword):
    schema = _allowed(operand, keyword)
    known = set(spec.get("properties", {}))
    patterns = [compiled(name).search for name in spec.get("patternProperties", {})]

    def test(value):
        if not isinstance(value, dict):
            return True
        return all(
            schema(inner) for name, inner in value.items() if name not in known and not any(search(name) for search in patterns)
        )

    return test


def _allowed(operand, keyword):
    """additionalProperties and additionalItems: a schema, or whether there may be any."""
    if isinstance(operand, bool):
        return lambda value: operand
    if not isinstance(operand, dict):
        raise _wrong(keyword, "an object or a boolean", operand)
    return Schema(operand)


def _items(operand, spec, keyword):
    if isinstance(operand, dict):
        schema = Schema(operand)
        return lambda value: not isinstance(value, list) or all(map(schema, value))
    if not isinstance(operand, list):
        raise _wrong(keyword, "an array or an object", operand)
    schemas = [Schema(inner) for inner in operand]
    return lambda value: not isinstance(value, list) or all(schema(inner) for schema, inner in zip(schemas, value, strict=False))


def _additional_items(operand, spec, keyword):
    schema = _allowed(operand, keyword)
    if not isinstance(spec.get("items"), list):
        return None
    first = len(spec["items"])
    return lambda value: not isinstance(value, list) or all(map(schema, value[first:]))


def _unique_items(operand, _, keyword):
    if not isinstance(operand, bool):
        raise _wrong(keyword, "a boolean", operand)
    if not operand:
        return None
    return lambda value: not isinstance(value, list) or len({sort_key(inner) for inner in value}) == len(value)


def _dependencies(operand, _, keyword):
    if not isinstance(operand, dict):
        raise _wrong(keyword, "an object", operand)
    tests = {name: _required(inner, _, keyword) if isinstance(inner, list) else Schema(inner) for name, inner in operand.items()}
    return lambda value: not isinstance(value, dict) or all(test(value) for name, test in tests.items() if name in value)


def _text(operand, _, keyword):
    if not isinstance(operand, str):
        raise _wrong(keyword, "a string", operand)
    return None


KEYWORDS = {
    "type": _type, "bsonType": _bson_type, "enum": _enum, "multipleOf": _multiple_of, "pattern": _pattern,
    "minimum": _bound("exclusiveMinimum", lambda a, b: a > b, lambda a, b: a >= b),
    "maximum": _bound("exclusiveMaximum", lambda a, b: a < b, lambda a, b: a <= b),
    "exclusiveMinimum": _exclusive("minimum"), "exclusiveMaximum": _exclusive("maximum"),
    "minLength": _count("string", len, _least), "maxLength": _count("string", len, _most),
    "minItems": _count("array", len, _least), "maxItems": _count("array", len, _most),
    "minProperties": _count("object", len, _least), "maxProperties": _count("object", len, _most),
    "allOf": _all_of, "anyOf": _any_of, "oneOf": _one_of, "not": _not,
    "required": _required, "properties": _properties, "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties, "dependencies": _dependencies,
    "items": _items, "additionalItems": _additional_items, "uniqueItems": _unique_items,
    "title": _text, "description": _text,
}  # fmt: skip
