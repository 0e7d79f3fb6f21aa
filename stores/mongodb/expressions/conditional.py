"""Choices: $cond, $ifNull, $switch. Only the branch that is taken is evaluated."""

from stores.mongodb.expressions.base import MANY, MongoError, arguments, nullish, parse, reads, type_name
from stores.mongodb.values import truth


@reads("$cond")
def cond(operand, scope):
    if isinstance(operand, dict):
        for name in operand:
            if name not in ("if", "then", "else"):
                raise MongoError(17083, f"Unrecognized parameter to $cond: {name}")
        for name, code in (("if", 17080), ("then", 17081), ("else", 17082)):
            if name not in operand:
                raise MongoError(code, f"Missing '{name}' parameter to $cond")
        operand = [operand["if"], operand["then"], operand["else"]]
    test, then, other = arguments("$cond", operand, scope, 3, 3)
    return lambda env: then(env) if truth(test(env)) else other(env)


@reads("$ifNull")
def if_null(operand, scope):
    count = len(operand) if isinstance(operand, list) else 1
    if count < 2:
        raise MongoError(1257300, f"$ifNull needs at least two arguments, had: {count}")
    nodes = arguments("$ifNull", operand, scope, 2, MANY)

    def node(env):
        value = None
        for inner in nodes:
            value = inner(env)
            if not nullish(value):
                break
        return value

    return node


@reads("$switch")
def switch(operand, scope):
    if not isinstance(operand, dict):
        raise MongoError(40060, f"$switch requires an object as an argument, found: {type_name(operand)}")
    for name in operand:
        if name not in ("branches", "default"):
            raise MongoError(40067, f"$switch found an unknown argument: {name}")
    branches = operand.get("branches", [])
    if not isinstance(branches, list):
        raise MongoError(40061, f"$switch expected an array for 'branches', found: {type_name(branches)}")
    if not branches:
        raise MongoError(40068, "$switch requires at least one branch.")
    nodes = [_branch(branch, scope) for branch in branches]
    default = parse(operand["default"], scope) if "default" in operand else None

    def node(env):
        for case, then in nodes:
            if truth(case(env)):
                return then(env)
        if default is None:
            raise MongoError(40066, "$switch could not find a matching branch for an input, and no default was specified.")
        return default(env)

    return node


def _branch(branch, scope):
    if not isinstance(branch, dict):
        raise MongoError(40062, f"$switch expected each branch to be an object, found: {type_name(branch)}")
    for name in branch:
        if name not in ("case", "then"):
            raise MongoError(40063, f"$switch found an unknown argument to a branch: {name}")
    if "case" not in branch:
        raise MongoError(40064, "$switch requires each branch have a 'case' expression")
    if "then" not in branch:
        raise MongoError(40065, "$switch requires each branch have a 'then' expression.")
    return parse(branch["case"], scope), parse(branch["then"], scope)
