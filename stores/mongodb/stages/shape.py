"""Stages that change each document: $project, $addFields, $set, $unset, $replaceRoot, $replaceWith, $unwind."""

from bson import Int64

from stores.mongodb import paths
from stores.mongodb.errors import MongoError
from stores.mongodb.expressions.base import field_path
from stores.mongodb.ordering import MISSING, type_name
from stores.mongodb.projection import Projection
from stores.mongodb.stages.base import carry, stage
from stores.mongodb.values import show


@stage("$project")
def project(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(15969, "$project specification must be an object")
    if not operand:
        raise MongoError(51272, "Invalid $project :: caused by :: projection specification must have at least one field")
    shape = Projection(operand, let=context.let, fold=context.fold, now=context.variables()["NOW"], find=False)

    def run(documents):
        for document in documents:
            yield carry(document, shape.apply(document, None, getattr(document, "metadata", None)))

    return run


@stage("$addFields", "$set")
def add_fields(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(40272, f"$addFields specification stage must be an object, got {type_name(operand)}")
    if not operand:
        raise MongoError("BadValue", "Invalid $addFields :: caused by :: specification must have at least one field")
    taken, fields = {}, []
    for path, value in operand.items():
        _read_field(path, value, context, taken, fields)
    environment = context.environments()

    def run(documents):
        for document in documents:
            env, made = environment(document), document
            for parts, node in fields:
                made = paths.put(made, parts, node(env))
            yield carry(document, dict(made) if made is document else made)

    return run


def _read_field(path, value, context, taken, fields):
    """{"a.b": …} and {"a": {"b": …}} say the same."""
    parts = field_path(path)
    _claim(taken, parts, path)
    if isinstance(value, dict) and value and not next(iter(value)).startswith("$"):
        for name, inner in value.items():
            _claim_free(taken, parts)
            _read_field(f"{path}.{name}", inner, context, taken, fields)
    elif isinstance(value, dict) and not value:
        fields.append((parts, lambda env: {}))
    else:
        fields.append((parts, context.expression(value)))


def _claim(taken, parts, path):
    tree = taken
    for part in parts[:-1]:
        if tree.get(part) is True:
            raise MongoError(
                40176,
                f"Invalid $addFields :: caused by :: specification contains two conflicting paths. Cannot specify both '{path}' and "
                f"'{part}'",
            )
        tree = tree.setdefault(part, {})
    if parts[-1] in tree:
        raise MongoError(
            40176, f"Invalid $addFields :: caused by :: specification contains two conflicting paths. Cannot specify '{path}' twice"
        )
    tree[parts[-1]] = True


def _claim_free(taken, parts):
    """A document of further fields is no leaf."""
    tree = taken
    for part in parts[:-1]:
        tree = tree[part]
    if tree[parts[-1]] is True:
        tree[parts[-1]] = {}


@stage("$unset")
def unset(operand, context):
    if not isinstance(operand, (str, list)):
        raise MongoError(31002, "$unset specification must be a string or an array")
    names = [operand] if isinstance(operand, str) else operand
    if not names:
        raise MongoError(31119, "$unset specification must be a string or an array with at least one field")
    for name in names:
        if not isinstance(name, str):
            raise MongoError(31120, "$unset specification must be a string or an array containing only string values")
    removals, taken = [field_path(name) for name in names], {}
    for parts in removals:
        _collide(taken, parts)

    def run(documents):
        for document in documents:
            made = document
            for parts in removals:
                made = paths.remove(made, parts)
            yield carry(document, made)

    return run


def _collide(taken, parts):
    tree = taken
    for at, part in enumerate(parts):
        if tree.get(part) is True or (at == len(parts) - 1 and part in tree):
            raise MongoError(31249, f"Invalid $unset :: caused by :: Path collision at {'.'.join(parts)}")
        tree = tree.setdefault(part, {} if at < len(parts) - 1 else True)


@stage("$replaceRoot")
def replace_root(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(40229, f"expected an object as specification for $replaceRoot stage, got {type_name(operand)}")
    for name in operand:
        if name != "newRoot":
            raise MongoError(40415, f"BSON field '$replaceRoot.{name}' is an unknown field.")
    if "newRoot" not in operand:
        raise MongoError(40414, "BSON field '$replaceRoot.newRoot' is missing but a required field")
    return _new_root(operand["newRoot"], context, "'newRoot' expression ")


@stage("$replaceWith")
def replace_with(operand, context):
    return _new_root(operand, context, "'replacement document' ")


def _new_root(expression, context, what):
    node, environment = context.expression(expression), context.environments()

    def run(documents):
        for document in documents:
            made = node(environment(document))
            if not isinstance(made, dict):
                found = (
                    f"but resulting value was: {show(made)}. Type of resulting value: '{type_name(made)}'. Input document: "
                    f"{show(document)}"
                )
                raise MongoError(40228, f"{what} must evaluate to an object, {found}")
            yield carry(document, made)

    return run


@stage("$unwind")
def unwind(operand, context):
    path, keep, index = _unwind_options(operand)
    parts = field_path(path)
    index_parts = field_path(index) if index else None

    def run(documents):
        for document in documents:
            value = _at(document, parts)
            if isinstance(value, list) and value:
                for number, inner in enumerate(value):
                    made = _put(document, parts, inner)
                    yield carry(document, _put(made, index_parts, Int64(number)) if index else made)
            elif isinstance(value, list) or value is None or value is MISSING:
                if keep:
                    made = _put(document, parts, MISSING) if value == [] else document
                    yield carry(document, _put(made, index_parts, None) if index else made)
            else:
                yield carry(document, _put(document, index_parts, None) if index else document)

    return run


def _unwind_options(operand):
    if isinstance(operand, str):
        operand = {"path": operand}
    elif not isinstance(operand, dict):
        raise MongoError(15981, f"expected either a string or an object as specification for $unwind stage, got {type_name(operand)}")
    for name, value in operand.items():
        if name not in ("path", "preserveNullAndEmptyArrays", "includeArrayIndex"):
            raise MongoError(28811, f"unrecognized option to $unwind stage: {name}")
        if name == "path" and not isinstance(value, str):
            raise MongoError(28808, f"expected a string as the path for $unwind stage, got {type_name(value)}")
        if name == "preserveNullAndEmptyArrays" and not isinstance(value, bool):
            raise MongoError(
                28809, f"expected a boolean for the preserveNullAndEmptyArrays option to $unwind stage, got {type_name(value)}"
            )
        if name == "includeArrayIndex" and (not isinstance(value, str) or not value):
            raise MongoError(
                28810, f"expected a non-empty string for the includeArrayIndex  option to $unwind stage, got {type_name(value)}"
            )
    if "path" not in operand:
        raise MongoError(28812, "no path specified to $unwind stage")
    path, index = operand["path"], operand.get("includeArrayIndex", "")
    if not path.startswith("$"):
        raise MongoError(28818, f"path option to $unwind stage should be prefixed with a '$': {path}")
    if index.startswith("$"):
        raise MongoError(28822, f"includeArrayIndex option to $unwind stage should not be prefixed with a '$': {index}")
    return path[1:], operand.get("preserveNullAndEmptyArrays", False), index


def _at(value, parts):
    """The value at a path through documents only: $unwind does not look into arrays on the way."""
    for part in parts:
        if not isinstance(value, dict):
            return MISSING
        value = value.get(part, MISSING)
    return value


def _put(document, parts, value):
    made, name = dict(document), parts[0]
    if len(parts) > 1:
        inner = made.get(name)
        made[name] = _put(inner if isinstance(inner, dict) else {}, parts[1:], value)
    elif value is MISSING:
        made.pop(name, None)
    else:
        made[name] = value
    return made
