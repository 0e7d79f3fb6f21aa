"""How expressions are read: each becomes a function of the variables, `node(env) -> value | MISSING`.

`env` has the values of the variables by name: ROOT and CURRENT (the document), NOW, and what $let and its like define.
Modules of this package register their operators here; the tables of names are filled when the package is imported.
"""

from typing import NamedTuple

from stores.mongodb import paths
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, type_name
from stores.mongodb.values import nullish, show

OPERATORS = {}  # "$add" → reader(operand, scope) → node
REFUSED = {}  # "$function" → what it is
SYSTEM = frozenset({"ROOT", "CURRENT", "REMOVE", "NOW", "CLUSTER_TIME", "USER_ROLES", "SEARCH_META", "JS_SCOPE", "IS_MR"})


class Scope(NamedTuple):
    """What is known while an expression is read: the names of variables, and the collation's function."""

    names: frozenset = SYSTEM
    fold: object = None

    def having(self, *names):
        """Return the scope of an inner expression that also sees these variables."""
        return self._replace(names=self.names | set(names))


def parse(expression, scope):
    """Return the node of an expression. Raises MongoError where MongoDB refuses it."""
    if isinstance(expression, str):
        return _path(expression, scope) if expression.startswith("$") else constant(expression)
    if isinstance(expression, dict):
        return _object(expression, scope)
    if isinstance(expression, (list, tuple)):
        nodes = [parse(inner, scope) for inner in expression]
        return lambda env: [None if (value := node(env)) is MISSING else value for node in nodes]
    return constant(expression)


def constant(value):
    """Return the node of a value that never changes; node.value tells it."""

    def node(env):
        return value

    node.value = value
    return node


def _path(text, scope):
    if text.startswith("$$"):
        name, _, rest = text[2:].partition(".")
        if not name:
            raise MongoError(16869, "empty variable names are not allowed")
        if name not in scope.names:
            raise MongoError(17276, f"Use of undefined variable: {name}")
        if name == "REMOVE":
            return constant(MISSING)
        if "." not in text:
            return lambda env: env.get(name, MISSING)
    else:
        name, rest = "CURRENT", text[1:]
        if not rest:
            raise MongoError(16872, "'$' by itself is not a valid FieldPath")
    parts = field_path(rest)
    if len(parts) == 1:
        return lambda env: _first(env.get(name, MISSING), parts[0])
    return lambda env: paths.get(env.get(name, MISSING), parts)


def _first(value, name):
    """The path of a single name, which most are."""
    return value.get(name, MISSING) if isinstance(value, dict) else paths.get(value, [name])


def field_path(text):
    """Return the parts of a path in an expression. Raises 40352, 40353, 15998, 16410 as MongoDB does."""
    if not text:
        raise MongoError(40352, "FieldPath cannot be constructed with empty string")
    if text.endswith("."):
        raise MongoError(40353, "FieldPath must not end with a '.'.")
    parts = text.split(".")
    for part in parts:
        field_name(part)
    return parts


def field_name(name):
    """Return a field's name if MongoDB takes it in a path."""
    if not name:
        raise MongoError(15998, "FieldPath field names may not be empty strings.")
    if name.startswith("$"):
        raise MongoError(
            16410, f"FieldPath field names may not start with '$'. Consider using $getField or $setField. Found: '{name}'"
        )
    if "\0" in name:
        raise MongoError(16411, "FieldPath field names may not contain '\0'.")
    return name


def _object(expression, scope):
    if not expression:
        return constant({})
    first = next(iter(expression))
    if first.startswith("$"):
        if len(expression) != 1:
            raise MongoError(15983, f"An object representing an expression must have exactly one field: {show(expression)}")
        return operator(first, expression[first], scope)
    nodes = []
    for name, inner in expression.items():
        field_name(name)
        if "." in name:
            raise MongoError(
                16412, f"FieldPath field names may not contain '.'. Consider using $getField or $setField. Found: '{name}'"
            )
        nodes.append((name, parse(inner, scope)))
    return lambda env: {name: value for name, node in nodes if (value := node(env)) is not MISSING}


def operator(name, operand, scope):
    """Return the node of {name: operand}."""
    read = OPERATORS.get(name)
    if read is None:
        if name in REFUSED:
            raise MongoError(
                "InvalidPipelineOperator", f"{name} is not in the embedded engine ({REFUSED[name]}). A real server has it"
            )
        raise MongoError("InvalidPipelineOperator", f"Unrecognized expression '{name}'")
    return read(operand, scope)


def reads(*names):
    """Register a function(operand, scope) -> node, for operators that read their operand themselves."""

    def register(function):
        for name in names:
            OPERATORS[name] = function
        return function

    return register


def takes(name, least=1, most=None, null=False, arity=None):
    """Register a function of the evaluated arguments: from `least` to `most` of them (the same number when None).

    With null=True the result is null as soon as an argument is null or missing. `arity` is the code of the error for
    a wrong number, where MongoDB has one of its own.
    """
    most = least if most is None else most

    def register(function):
        def read(operand, scope):
            nodes = arguments(name, operand, scope, least, most, arity)
            if null:

                def node(env):
                    values = [node(env) for node in nodes]
                    for value in values:
                        if value is None or value is MISSING:
                            return None
                    return function(*values)

                return node
            if least == most == 1:
                (single,) = nodes
                return lambda env: function(single(env))
            return lambda env: function(*[node(env) for node in nodes])

        OPERATORS[name] = read
        return function

    return register


def arguments(name, operand, scope, least, most, arity=None):
    """Return the nodes of an operator's arguments: an array of them, or the only one."""
    operands = operand if isinstance(operand, (list, tuple)) else [operand]
    if most == 0 and operand == {}:
        operands = []
    if not least <= len(operands) <= most:
        if least == most:
            raise MongoError(arity or 16020, f"Expression {name} takes exactly {least} arguments. {len(operands)} were passed in.")
        message = f"Expression {name} takes at least {least} arguments, and at most {most}, but {len(operands)} were passed in."
        raise MongoError(arity or 28667, message)
    return [parse(inner, scope) for inner in operands]


MANY = 10**6


def named(name, operand, scope, required=(), optional=(), not_object=9, unknown=9, missing=9):
    """Return {argument: node or None} for an operator whose operand is an object of named arguments.

    not_object, unknown and missing are MongoDB's codes for the mistakes; `missing` may be one for each required argument.
    """
    if not isinstance(operand, dict):
        raise MongoError(not_object, f"{name} only supports an object as its argument, found {type_name(operand)}")
    for argument in operand:
        if argument not in required and argument not in optional:
            raise MongoError(unknown, f"{name} found an unknown argument: {argument}")
    for index, argument in enumerate(required):
        if argument not in operand:
            code = missing[index] if isinstance(missing, (tuple, list)) else missing
            raise MongoError(code, f"{name} requires '{argument}': Missing '{argument}' parameter to {name}")
    return {argument: parse(operand[argument], scope) if argument in operand else None for argument in (*required, *optional)}


def variable_name(name):
    """Return the name if a user may define a variable of it. Raises 16866 to 16868."""
    if not isinstance(name, str):
        raise MongoError("TypeMismatch", f"the name of a variable must be a string, found {type_name(name)}")
    if not name:
        raise MongoError(16866, "empty variable names are not allowed")
    if name == "CURRENT":
        return name
    if not (name[0].islower() or ord(name[0]) > 127):
        raise MongoError(16867, f"'{name}' starts with an invalid character for a user variable name")
    for character in name:
        if not (character.isalnum() or character == "_" or ord(character) > 127):
            raise MongoError(16868, f"'{name}' contains an invalid character for a variable name: '{character}'")
    return name


def expect(value, kind, code, message):
    """Return the value if it is of MongoDB's type `kind`; else raise `code` with the message, {type} filled in."""
    found = type_name(value)
    if found != kind:
        raise MongoError(code, message.format(type=found, value=show(value)))
    return value


__all__ = [
    "MANY", "MISSING", "OPERATORS", "REFUSED", "MongoError", "Scope", "arguments", "constant", "expect", "field_name",
    "field_path", "named",
    "nullish", "operator", "parse", "reads", "show", "takes", "type_name", "variable_name",
]  # fmt: skip
