"""Variables and constants: $let, $literal, $meta."""

from stores.mongodb.expressions.base import MISSING, MongoError, constant, parse, reads, type_name, variable_name

# What $meta may ask for; the stage that makes it puts it among the variables under this name.
META = {
    "textScore",
    "searchScore",
    "searchHighlights",
    "indexKey",
    "recordId",
    "randVal",
    "sortKey",
    "geoNearDistance",
    "geoNearPoint",
}


@reads("$literal", "$const")
def literal(operand, scope):
    return constant(operand)


@reads("$let")
def let(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(16874, "$let only supports an object as its argument")
    for name in operand:
        if name not in ("vars", "in"):
            raise MongoError(16875, f"Unrecognized parameter to $let: {name}")
    for name, code in (("vars", 16876), ("in", 16877)):
        if name not in operand:
            raise MongoError(code, f"Missing '{name}' parameter to $let")
    if not isinstance(operand["vars"], dict):
        raise MongoError(10065, f"invalid parameter: expected an object (vars), found {type_name(operand['vars'])}")
    bound = [(variable_name(name), parse(value, scope)) for name, value in operand["vars"].items()]
    inner = parse(operand["in"], scope.having(*operand["vars"]))
    return lambda env: inner({**env, **{name: node(env) for name, node in bound}})


@reads("$meta")
def meta(operand, scope):
    if not isinstance(operand, str) or operand not in META:
        raise MongoError(17308, f"Unsupported argument to $meta: {operand}")
    return lambda env: env.get("META", {}).get(operand, MISSING)
