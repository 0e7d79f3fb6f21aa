"""Stages that fill gaps: $densify makes documents that are missing from a sequence, $fill values that are missing."""

from stores.mongodb import paths
from stores.mongodb.errors import MongoError
from stores.mongodb.expressions.base import field_path
from stores.mongodb.expressions.dates import UNITS, add
from stores.mongodb.ordering import MISSING, sort_key, type_name
from stores.mongodb.stages.base import carry, stage
from stores.mongodb.stages.windows import set_window_fields
from stores.mongodb.values import integral, is_number, nullish, show, to_double, total

BOUNDS = "the bounds in a range statement must be the string 'full', 'partition', or an ascending array of two numbers or two dates"
MOST_MADE = 500_000  # MongoDB's internalQueryMaxAllowedDensifyDocs


def _object(name, operand, known, code):
    if not isinstance(operand, dict):
        raise MongoError(code, f"The {name} stage specification must be an object, found {type_name(operand)}")
    for field in operand:
        if field not in known:
            raise MongoError(40415, f"BSON field '{name}.{field}' is an unknown field.")
    return operand


@stage("$densify")
def densify(operand, context):
    _object("$densify", operand, ("field", "partitionByFields", "range"), 5733201)
    for name in ("field", "range"):
        if name not in operand:
            raise MongoError(40414, f"BSON field '$densify.{name}' is missing but a required field")
    _typed("$densify.field", operand["field"], "string")
    _typed("$densify.partitionByFields", operand.get("partitionByFields", []), "array")
    steps = _Steps(operand["range"])
    parts = field_path(operand["field"])
    _check_partition(operand["field"], operand.get("partitionByFields", []))
    by = [field_path(path) for path in operand.get("partitionByFields", [])]
    if steps.bounds == "partition" and not by:
        raise MongoError(
            5733408, "one may not specify the bounds as 'partition' without specifying a non-empty array of partition fields."
        )

    def run(documents):
        groups, without = {}, []
        for document in documents:
            value = paths.get(document, parts)
            if nullish(value):
                without.append(document)
                continue
            steps.check(value)
            key = tuple(sort_key(paths.get(document, path)) for path in by)
            groups.setdefault(key, []).append((value, document))
        yield from without
        everything = [value for rows in groups.values() for value, _ in rows]
        for key in sorted(groups):
            yield from _filled(sorted(groups[key], key=lambda row: sort_key(row[0])), steps, everything, parts, by)

    return run


def _typed(name, value, kind):
    if type_name(value) != kind:
        raise MongoError("TypeMismatch", f"BSON field '{name}' is the wrong type '{type_name(value)}', expected type '{kind}'")


def _check_partition(field, partition):
    for path in partition:
        if path == field or path.startswith(field + "."):
            raise MongoError(8993000, "BSON field '$densify.partitionByFields' contains the field that is being densified")
        if field.startswith(path + "."):
            raise MongoError(9554500, "The field that is being densified contains the BSON field '$densify.partitionByFields'")


def _filled(rows, steps, everything, parts, by):
    low, high, closed = steps.span([value for value, _ in rows], everything)
    wanted, at = steps.values(low, high, closed), 0
    pattern = {}
    for path in by:
        if (value := paths.get(rows[0][1], path)) is not MISSING:
            pattern = paths.put(pattern, path, value)
    for value in wanted:
        while at < len(rows) and sort_key(rows[at][0]) < sort_key(value):
            yield rows[at][1]
            at += 1
        if at == len(rows) or sort_key(rows[at][0]) != sort_key(value):
            yield paths.put(pattern, parts, value)
    for _, document in rows[at:]:
        yield document


class _Steps:
    """The range of $densify: its step, unit and bounds."""

    def __init__(self, spec):
        _object("range", spec, ("step", "bounds", "unit"), 5733401)
        for name in ("step", "bounds"):
            if name not in spec:
                raise MongoError(40414, f"BSON field '$densify.range.{name}' is missing but a required field")
        self.step, self.bounds, self.unit = spec["step"], spec["bounds"], spec.get("unit")
        if not is_number(self.step):
            raise MongoError("TypeMismatch", f"BSON field '$densify.range.step' is the wrong type '{type_name(self.step)}'")
        if to_double(self.step) <= 0:
            raise MongoError(5733401, "the step parameter in a range statement must be a strictly positive numeric value")
        if self.unit is not None:
            _typed("$densify.range.unit", self.unit, "string")
            if self.unit not in UNITS:
                raise MongoError("FailedToParse", f"unknown time unit value: {self.unit}")
            if integral(self.step) is None:
                message = "The step parameter in a range satement must be a whole number when densifying a date range"
                raise MongoError(6586400, message)
        self._check_bounds()

    def _check_bounds(self):
        if isinstance(self.bounds, str):
            if self.bounds not in ("full", "partition"):
                raise MongoError(5946802, BOUNDS)
            return
        if not isinstance(self.bounds, list) or len(self.bounds) != 2:
            raise MongoError(5733403, "a bounding array in a range statement must have exactly two elements")
        low, high = ("number" if is_number(bound) else type_name(bound) for bound in self.bounds)
        if low not in ("number", "date") or (low != high and low == "date"):
            raise MongoError(5733402, BOUNDS)
        if low != high:
            raise MongoError(5733406, "a bounding array must contain either both dates or both numeric types")
        if low == "number" and self.unit is not None:
            raise MongoError(5733409, "numeric bounds may not have unit parameter")
        if low == "date" and self.unit is None:
            raise MongoError(5733410, "date bounds must have a unit")
        if sort_key(self.bounds[0]) > sort_key(self.bounds[1]):
            raise MongoError(5733402, BOUNDS)

    def check(self, value):
        kind = type_name(value)
        if kind != "date" and not is_number(value):
            raise MongoError(
                5733201,
                f"PlanExecutor error during aggregation :: caused by :: Densify field type must be numeric or a date, found {kind}",
            )
        if (kind == "date") != (self.unit is not None):
            raise MongoError(
                6053600,
                f"Encountered {'date' if kind == 'date' else 'non-date'} value in collection when step "
                f"{'does not have' if kind == 'date' else 'has'} a date unit.",
            )

    def span(self, own, everything):
        """Return (first value, last value, whether the last one counts)."""
        if self.bounds == "full":
            return min(everything, key=sort_key), max(everything, key=sort_key), True
        if self.bounds == "partition":
            return min(own, key=sort_key), max(own, key=sort_key), True
        return *self.bounds, False

    def values(self, low, high, closed):
        made, number, value = [], 0, low
        while sort_key(value) < sort_key(high) or (closed and sort_key(value) == sort_key(high)):
            made.append(value)
            if len(made) > MOST_MADE:
                raise MongoError(5897900, f"Generated {MOST_MADE} documents in $densify, which is over the limit of {MOST_MADE}.")
            number += 1
            if self.unit:
                value = add(low, self.unit, number * integral(self.step))
            else:
                value = total([value, self.step])
        return made


@stage("$fill")
def fill(operand, context):
    _object("$fill", operand, ("partitionBy", "partitionByFields", "sortBy", "output"), 6050200)
    if "output" not in operand:
        raise MongoError(40414, "BSON field '$fill.output' is missing but a required field")
    if "partitionBy" in operand and "partitionByFields" in operand:
        raise MongoError(6050204, "Maximum one of 'partitionBy' and 'partitionByFields can be specified in '$fill'")
    for name, kind in (("output", "object"), ("sortBy", "object"), ("partitionByFields", "array")):
        if name in operand:
            _typed(f"$fill.{name}", operand[name], kind)
    if not operand["output"]:
        raise MongoError(6050203, "The output field in '$fill' must contain at least one field")
    values, windows = {}, {}
    for path, spec in operand["output"].items():
        if not isinstance(spec, dict):
            raise MongoError(6050200, f"Each fill output specification must be an object with exactly one field, found {show(spec)}")
        if len(spec) != 1 or next(iter(spec)) not in ("value", "method"):
            raise MongoError(40415, f"$fill: expected exactly one of 'value' and 'method' for '{path}', found {show(spec)}")
        if "value" in spec:
            values[path] = {"$ifNull": [f"${path}", spec["value"]]}
            continue
        if spec["method"] not in ("linear", "locf"):
            raise MongoError(6050202, f"Method must be either locf or linear, found '{spec['method']}'")
        if spec["method"] == "linear" and "sortBy" not in operand:
            raise MongoError(605001, "$linearFill must be specified with a top level sortBy expression with exactly one element")
        windows[path] = {"$linearFill" if spec["method"] == "linear" else "$locf": f"${path}"}
    functions = []
    if windows:
        by = operand.get("partitionBy")
        if "partitionByFields" in operand:
            by = {f"k{number}": f"${path}" for number, path in enumerate(operand["partitionByFields"])}
        spec = {
            "output": windows,
            **({"sortBy": operand["sortBy"]} if "sortBy" in operand else {}),
            **({"partitionBy": by} if by is not None else {}),
        }
        functions.append(set_window_fields(spec, context))
    if values:
        functions.append(_values(values, context))

    def run(documents):
        for function in functions:
            documents = function(documents)
        return documents

    return run


def _values(values, context):
    nodes = [(field_path(path), context.expression(expression)) for path, expression in values.items()]
    environment = context.environments()

    def run(documents):
        for document in documents:
            env, made = environment(document), document
            for parts, node in nodes:
                made = paths.put(made, parts, node(env))
            yield carry(document, made)

    return run
