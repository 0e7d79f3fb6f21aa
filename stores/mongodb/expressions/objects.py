"""Documents: $mergeObjects, $objectToArray, $getField, $setField …"""

from stores.mongodb.expressions.base import MANY, MongoError, constant, expect, named, nullish, parse, reads, show, takes, type_name
from stores.mongodb.ordering import MISSING


@takes("$mergeObjects", 0, MANY)
def merge_objects(*documents):
    """Documents laid over each other; null counts for nothing."""
    if len(documents) == 1 and isinstance(documents[0], list):
        documents = documents[0]
    merged = {}
    for document in documents:
        merged.update(mergeable(document))
    return merged


def mergeable(value):
    """Return a document to merge, {} for null. Raises 40400."""
    if nullish(value):
        return {}
    return expect(value, "object", 40400, "$mergeObjects requires object inputs, but input {value} is of type {type}")


@takes("$objectToArray", 1, null=True)
def object_to_array(value):
    expect(value, "object", 40390, "$objectToArray requires a document input, found: {type}")
    return [{"k": name, "v": inner} for name, inner in value.items()]


@takes("$arrayToObject", 1, null=True)
def array_to_object(array):
    expect(array, "array", 40386, "$arrayToObject requires an array input, found: {type}")
    if not array:
        return {}
    kind = type_name(array[0])
    if kind not in ("array", "object"):
        raise MongoError(40398, f"Unrecognised input type format for $arrayToObject: {kind}")
    return dict(_pair(entry) if kind == "array" else _key_value(entry) for entry in array)


CONSISTENT = "$arrayToObject requires a consistent input format. Elements must all be arrays or all be objects. "


def _pair(entry):
    expect(entry, "array", 40396, CONSISTENT + "Array was detected, now found: {type}")
    if len(entry) != 2:
        raise MongoError(40397, f"$arrayToObject requires an array of size 2 arrays, found array of size: {len(entry)}")
    message = "$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: {type}"
    return _key(expect(entry[0], "string", 40395, message)), entry[1]


def _key_value(entry):
    expect(entry, "object", 40391, CONSISTENT + "Object was detected, now found: {type}")
    if len(entry) != 2:
        raise MongoError(40392, f"$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:{len(entry)}")
    if set(entry) != {"k", "v"}:
        raise MongoError(
            40393, f"$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: {show(entry)}"
        )
    message = (
        "$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: {type}"
    )
    return _key(expect(entry["k"], "string", 40394, message)), entry["v"]


def _key(name):
    if "\0" in name:
        raise MongoError(4940400, "Key field cannot contain an embedded null byte")
    return name


@reads("$getField")
def get_field(operand, scope):
    if isinstance(operand, dict) and not any(name.startswith("$") for name in operand):
        nodes = named("$getField", operand, scope, ("field", "input"), (), 3041701, 3041701, (3041702, 3041703))
    else:
        nodes = {"field": parse(operand, scope), "input": lambda env: env["CURRENT"]}

    def node(env):
        name, document = nodes["field"](env), nodes["input"](env)
        expect(name, "string", 5654602, "$getField requires 'field' to evaluate to type String, but got {type}")
        if document is None:
            return None
        return document.get(name, MISSING) if isinstance(document, dict) else MISSING

    return node


@reads("$setField")
def set_field(operand, scope):
    return _setter(
        "$setField", named("$setField", operand, scope, ("field", "value", "input"), (), 4161100, 4161101, (4161102, 4161103, 4161109))
    )


@reads("$unsetField")
def unset_field(operand, scope):
    nodes = named("$unsetField", operand, scope, ("field", "input"), (), 4161100, 4161101, (4161102, 4161109))
    return _setter("$unsetField", {**nodes, "value": constant(MISSING)})


def _setter(operator, nodes):
    if not hasattr(nodes["field"], "value"):
        raise MongoError(4161106, f"{operator} requires 'field' to evaluate to a constant, but got a non-constant argument")
    name = nodes["field"].value
    expect(name, "string", 4161107, operator + " requires 'field' to evaluate to type String, but got {type}")

    def node(env):
        document, value = nodes["input"](env), nodes["value"](env)
        if nullish(document):
            return None
        expect(document, "object", 4161105, operator + " requires 'input' to evaluate to type Object")
        if value is MISSING:
            return {key: inner for key, inner in document.items() if key != name}
        return {**document, name: value}

    return node
