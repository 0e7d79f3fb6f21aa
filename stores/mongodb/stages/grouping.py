"""$group and $sortByCount."""

from stores.mongodb import accumulators
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, sort_key, type_name
from stores.mongodb.stages.base import stage
from stores.mongodb.values import show


@stage("$group")
def group(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(15947, "a group's fields must be specified in an object")
    if "_id" not in operand:
        raise MongoError(15955, "a group specification must include an _id")
    identity = context.expression(operand["_id"])
    fields = read_fields({name: spec for name, spec in operand.items() if name != "_id"}, context)
    environment = context.environments()

    def run(documents):
        groups = {}
        for document in documents:
            env = environment(document)
            found = identity(env)
            found = None if found is MISSING else found
            _, columns = groups.setdefault(sort_key(found, context.fold), (found, [[] for _ in fields]))
            for values, (_, accumulator) in zip(columns, fields, strict=True):
                values.append(accumulator.value(env))
        for found, columns in groups.values():
            yield {"_id": found, **folded(fields, columns, environment(found))}

    return run


def folded(fields, columns, env):
    """Return {field: result} of a group; a result that is missing leaves its field out."""
    made = {name: accumulator.fold(values, env) for (name, accumulator), values in zip(fields, columns, strict=True)}
    return {name: value for name, value in made.items() if value is not MISSING}


def read_fields(spec, context):
    """Return [(field, Accumulator)] of {field: {"$sum": …}}. Raises 40234 to 40238."""
    fields = []
    for name, value in spec.items():
        if "." in name:
            raise MongoError(40235, f"The field name '{name}' cannot contain '.'")
        if name.startswith("$"):
            raise MongoError(40236, f"The field name '{name}' cannot be an operator name")
        if not isinstance(value, dict) or not value:
            raise MongoError(40234, f"The field '{name}' must be an accumulator object, found {type_name(value)}: {show(value)}")
        if len(value) != 1:
            raise MongoError(40238, f"The field '{name}' must specify one accumulator")
        ((operator, operand),) = value.items()
        if not operator.startswith("$"):
            raise MongoError(40234, f"The field '{name}' must be an accumulator object")
        fields.append((name, accumulators.read(operator, operand, context.scope)))
    return fields


@stage("$sortByCount")
def sort_by_count(operand, context):
    if isinstance(operand, str) and not operand.startswith("$"):
        raise MongoError(40148, f"the sortByCount field must be defined as a $-prefixed path or an expression, found '{operand}'")
    if isinstance(operand, dict) and (not operand or not next(iter(operand)).startswith("$")):
        raise MongoError(40147, "the sortByCount field must be defined as a $-prefixed path or an expression specified as an object")
    if not isinstance(operand, (str, dict)):
        raise MongoError(40149, "the sortByCount field must be specified as a string or as an object")
    grouped = group({"_id": operand, "count": {"$sum": 1}}, context)
    return lambda documents: iter(sorted(grouped(documents), key=lambda made: -made["count"]))
