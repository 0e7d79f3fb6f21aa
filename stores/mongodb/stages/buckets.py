"""$bucket and $bucketAuto."""

import bisect
import math

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, sort_key, type_name
from stores.mongodb.stages.base import stage
from stores.mongodb.stages.grouping import folded, read_fields
from stores.mongodb.values import integral, is_number, rank, show, to_double

COUNT = {"count": {"$sum": 1}}


@stage("$bucket")
def bucket(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(40201, f"Argument to $bucket stage must be an object, but found type: {type_name(operand)}.")
    for name in operand:
        if name not in ("groupBy", "boundaries", "default", "output"):
            raise MongoError(40197, f"Unrecognized option to $bucket: {name}.")
    if "groupBy" not in operand or "boundaries" not in operand:
        raise MongoError(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.")
    by = _group_by("$bucket", operand["groupBy"], context, 40202)
    bounds, keys = _boundaries(operand["boundaries"], context)
    default = _default(operand, keys, context)
    fields = read_fields(_output("$bucket", operand, 40196), context)
    environment = context.environments()

    def run(documents):
        groups = {}
        for document in documents:
            env = environment(document)
            value = by(env)
            at = bisect.bisect_right(keys, sort_key(value, context.fold)) - 1
            if not 0 <= at < len(keys) - 1:
                if default is MISSING:
                    raise MongoError(40066, "$switch could not find a matching branch for an input, and no default was specified.")
                at = -1 if sort_key(default) < keys[0] else len(keys)
            columns = groups.setdefault(at, [[] for _ in fields])
            for values, (_, accumulator) in zip(columns, fields, strict=True):
                values.append(accumulator.value(env))
        for at in sorted(groups):
            identity = bounds[at] if 0 <= at < len(keys) else default
            yield {"_id": identity, **folded(fields, groups[at], environment({}))}

    return run


def _group_by(name, by, context, code):
    if not (isinstance(by, str) and by.startswith("$")) and not (isinstance(by, dict) and by and next(iter(by)).startswith("$")):
        raise MongoError(
            code, f"The {name} 'groupBy' field must be defined as a $-prefixed path or an expression, but found: {show(by)}."
        )
    return context.expression(by)


def _output(name, operand, code):
    output = operand.get("output", COUNT)
    if not isinstance(output, dict):
        raise MongoError(code, f"The {name} 'output' field must be an object, but found type: {type_name(output)}.")
    return output


def _boundaries(boundaries, context):
    if not isinstance(boundaries, list):
        raise MongoError(40200, f"The $bucket 'boundaries' field must be an array, but found type: {type_name(boundaries)}.")
    if len(boundaries) < 2:
        raise MongoError(40192, f"The $bucket 'boundaries' field must have at least 2 values, but found {len(boundaries)} value(s).")
    bounds = [_constant(value, context, 40191) for value in boundaries]
    keys = [sort_key(value, context.fold) for value in bounds]
    for one, two, first, second in zip(bounds, bounds[1:], keys, keys[1:], strict=False):
        if first[0] != second[0]:
            message = (
                "All values in the the 'boundaries' option to $bucket must have the same type. Found conflicting types "
                f"{type_name(one)} and {type_name(two)}."
            )
            raise MongoError(40193, message)
        if first >= second:
            raise MongoError(
                40194,
                f"The 'boundaries' option to $bucket must be sorted, but elements {show(one)} and {show(two)} are not in ascending "
                "order.",
            )
    return bounds, keys


def _constant(expression, context, code):
    try:
        return context.expression(expression)({})
    except KeyError:
        raise MongoError(
            code, f"The $bucket 'boundaries' field must be an array of constant values, but found value: {show(expression)}."
        ) from None


def _default(operand, keys, context):
    if "default" not in operand:
        return MISSING
    default = _constant(operand["default"], context, 40195)
    if keys[0] <= sort_key(default, context.fold) < keys[-1]:
        raise MongoError(
            40199,
            "The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.",
        )
    return default


# $bucketAuto -----------------------------------------------------------------------------------------------

# The preferred numbers of a decade, as MongoDB has them: https://www.mongodb.com/docs/manual/reference/operator/aggregation/bucketAuto/#granularity
SERIES = {
    "R5": [1.0, 1.6, 2.5, 4.0, 6.3],
    "R10": [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0],
    "R20": [1.0, 1.12, 1.25, 1.4, 1.6, 1.8, 2.0, 2.24, 2.5, 2.8, 3.15, 3.55, 4.0, 4.5, 5.0, 5.6, 6.3, 7.1, 8.0, 9.0],
    "R40": [1.0, 1.06, 1.12, 1.18, 1.25, 1.32, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.12, 2.24, 2.36, 2.5, 2.65, 2.8, 3.0, 3.15,
    3.35, 3.55, 3.75,
            4.0, 4.25, 4.5, 4.75, 5.0, 5.3, 5.6, 6.0, 6.3, 6.7, 7.1, 7.5, 8.0, 8.5, 9.0, 9.5],
    "R80": [1.03 if step == 1 else round(10 ** (step / 80), 2) for step in range(80)],
    "1-2-5": [1.0, 2.0, 5.0],
    "E6": [1.0, 1.5, 2.2, 3.3, 4.7, 6.8],
    "E12": [1.0, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 3.9, 4.7, 5.6, 6.8, 8.2],
    "E24": [1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1],
    "E48": [round(10 ** (step / 48), 2) for step in range(48)],
    "E96": [round(10 ** (step / 96), 2) for step in range(96)],
    "E192": [9.2 if step == 185 else round(10 ** (step / 192), 2) for step in range(192)],
}  # fmt: skip


@stage("$bucketAuto")
def bucket_auto(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(40240, f"The argument to $bucketAuto must be an object, but found type: {type_name(operand)}.")
    for name in operand:
        if name not in ("groupBy", "buckets", "output", "granularity"):
            raise MongoError(40245, f"Unrecognized option to $bucketAuto: {name}.")
    if "groupBy" not in operand or "buckets" not in operand:
        raise MongoError(40246, "$bucketAuto requires 'groupBy' and 'buckets' to be specified.")
    by = _group_by("$bucketAuto", operand["groupBy"], context, 40239)
    if not is_number(operand["buckets"]):
        raise MongoError(
            40241, f"The $bucketAuto 'buckets' field must be a numeric value, but found type: {type_name(operand['buckets'])}."
        )
    count = integral(operand["buckets"])
    if count is None:
        raise MongoError(
            40242, f"The $bucketAuto 'buckets' field must be representable as a 32-bit integer, but found {show(operand['buckets'])}."
        )
    if count <= 0:
        raise MongoError(40243, f"The $bucketAuto 'buckets' field must be greater than 0, but found: {count}.")
    granularity = operand.get("granularity")
    rounder = _rounder(granularity) if "granularity" in operand else None
    fields = read_fields(_output("$bucketAuto", operand, 40244), context)
    environment = context.environments()

    def run(documents):
        rows = []
        for document in documents:
            env = environment(document)
            value = by(env)
            value = None if value is MISSING else value
            if rounder:
                _check_granular(value)
            rows.append((sort_key(value, context.fold), value, env))
        rows.sort(key=lambda row: row[0])
        for low, high, members in _split(rows, count, rounder):
            columns = [[accumulator.value(env) for _, _, env in members] for _, accumulator in fields]
            yield {"_id": {"min": low, "max": high}, **folded(fields, columns, environment({}))}

    return run


def _split(rows, count, rounder):
    """Yield (min, max, rows) of each bucket: nearly equal in number, equal values together, bounds rounded if asked."""
    size, at, buckets = max(1, round_half_up(len(rows) / count)), 0, []
    while at < len(rows):
        end = len(rows) if len(buckets) == count - 1 else min(at + size, len(rows))
        bound = sort_key(rounder.up(rows[end - 1][1])) if rounder else None
        while end < len(rows) and (rows[end][0] < bound if rounder else rows[end][0] == rows[end - 1][0]):
            end += 1
        buckets.append(rows[at:end])
        at = end
    for number, members in enumerate(buckets):
        low, high = members[0][1], buckets[number + 1][0][1] if number + 1 < len(buckets) else members[-1][1]
        if rounder:
            low = rounder.down(low) if number == 0 else rounder.up(buckets[number - 1][-1][1])
            high = rounder.up(members[-1][1])
        yield low, high, members


def round_half_up(number):
    """Return the nearest whole number, a half going up."""
    return math.floor(number + 0.5)


def _check_granular(value):
    if not is_number(value):
        raise MongoError(
            40258,
            f"$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a value with type: {type_name(value)}",
        )
    if math.isnan(to_double(value)):
        raise MongoError(40259, "$bucketAuto can specify a 'granularity' with numeric boundaries only, but found a NaN")
    if to_double(value) < 0:
        raise MongoError(40260, f"$bucketAuto can specify a 'granularity' with non-negative numbers only, but found: {show(value)}")


class Powers:
    """Bounds are powers of two."""

    def up(self, value):
        number = to_double(value)
        if number == 0:
            return 0
        power = 2.0 ** (math.floor(math.log2(number)) + 1)
        return int(power) if rank(value) < 3 and power >= 1 else power

    def down(self, value):
        number = to_double(value)
        if number == 0:
            return 0
        power = 2.0 ** (math.ceil(math.log2(number)) - 1)
        return int(power) if rank(value) < 3 and power >= 1 else power


class Preferred:
    """Bounds are preferred numbers: the next in the series above, or below."""

    def __init__(self, series):
        self.series = series

    def up(self, value):
        number = to_double(value)
        if number == 0:
            return 0.0
        scale = 10.0 ** math.floor(math.log10(number))
        for factor in (scale, scale * 10):
            for step in self.series:
                if step * factor > number:
                    return step * factor
        return scale * 100

    def down(self, value):
        number = to_double(value)
        if number == 0:
            return 0.0
        scale = 10.0 ** math.floor(math.log10(number))
        for factor in (scale, scale / 10):
            for step in reversed(self.series):
                if step * factor < number:
                    return step * factor
        return scale / 100


def _rounder(name):
    if not isinstance(name, str):
        raise MongoError(40261, f"The $bucketAuto 'granularity' field must be a string, but found type: {type_name(name)}.")
    if name == "POWERSOF2":
        return Powers()
    if name not in SERIES:
        raise MongoError(40257, f"Unknown rounding granularity '{name}'")
    return Preferred(SERIES[name])
