"""$setWindowFields: a value for each document from those around it in its partition.

Which documents are around is a Frame; what is made of them a function of functions.py, or any accumulator.
"""

import itertools
from bisect import bisect_left, bisect_right

from stores.mongodb import paths
from stores.mongodb.errors import MongoError, failed_to_parse
from stores.mongodb.expressions.base import field_path
from stores.mongodb.expressions.dates import UNITS, add
from stores.mongodb.ordering import DATE, MISSING, NUMBER, Sort, sort_key, type_name
from stores.mongodb.stages.base import carry, stage
from stores.mongodb.stages.functions import Partition, read_function
from stores.mongodb.values import integral, is_number, show, total

KNOWN = ("partitionBy", "sortBy", "output")


@stage("$setWindowFields", "$_internalSetWindowFields")
def set_window_fields(operand, context):
    if not isinstance(operand, dict):
        raise failed_to_parse(f"the $setWindowFields stage specification must be an object, found {type_name(operand)}")
    for name in operand:
        if name not in KNOWN:
            raise MongoError(40415, f"BSON field '$setWindowFields.{name}' is an unknown field.")
    for name in ("sortBy", "output"):
        if name in operand and not isinstance(operand[name], dict):
            raise MongoError("TypeMismatch", f"BSON field '$setWindowFields.{name}' is the wrong type '{type_name(operand[name])}'")
    if "output" not in operand:
        raise MongoError(40414, "BSON field '$setWindowFields.output' is missing but a required field")
    _check_conflicts(operand["output"])
    by = context.expression(operand["partitionBy"]) if operand.get("partitionBy") is not None else None
    order = Sort(operand["sortBy"], context.fold) if operand.get("sortBy") else None
    outputs = [_Output(path, spec, order, context) for path, spec in operand["output"].items()]
    environment = context.environments()

    def run(documents):
        for partition in _partitions(documents, by, order, environment, context.fold):
            columns = [(output.parts, output.values(partition)) for output in outputs]
            for number, document in enumerate(partition.documents):
                made = document
                for parts, values in columns:
                    made = paths.put(made, parts, values[number])
                yield carry(document, made)

    return run


def _check_conflicts(output):
    for one, two in itertools.pairwise(sorted(output, key=lambda path: path.split("."))):
        if two.startswith(one + "."):
            message = f"specification contains two conflicting paths. Cannot specify both '{two}' and '{one}'"
            raise MongoError(6307900, f"Invalid $setWindowFields :: caused by :: {message}")


def _partitions(documents, by, order, environment, fold):
    """Yield the Partitions in the order of their keys, each in the order of sortBy."""
    groups = {}
    for document in documents:
        env = environment(document)
        value = by(env) if by else None
        if isinstance(value, list):
            raise MongoError("TypeMismatch", "An expression used to partition cannot evaluate to value of type array")
        groups.setdefault(sort_key(value, fold), []).append((order.key(document) if order else None, document, env))
    for key in sorted(groups):
        rows = groups[key]
        if order:
            rows.sort(key=lambda row: row[0])
        yield Partition([row[1] for row in rows], [row[2] for row in rows], [row[0] for row in rows], order)


class _Output:
    """One field of `output`: where it goes, its function and its frame."""

    def __init__(self, path, spec, order, context):
        self.parts = field_path(path)
        if not isinstance(spec, dict):
            raise failed_to_parse(f"The field '{path}' must be an object, found {type_name(spec)}")
        names = [name for name in spec if name != "window"]
        if len(names) != 1 or not names[0].startswith("$"):
            raise failed_to_parse(f"Expected a $-prefixed window function in '{path}', found {show(spec)}")
        window = spec.get("window")
        self.function = read_function(names[0], spec[names[0]], window, order, context)
        self.frame = frame(window, order, context)

    def values(self, partition):
        return self.function(partition, self.frame)


# Frames ----------------------------------------------------------------------------------------------------


def frame(window, order, context):
    """Return the function partition → [(start, end)] for a `window`: which documents each document sees."""
    if window is None or window == {}:
        return lambda partition: [(0, len(partition.documents))] * len(partition.documents)
    if not isinstance(window, dict):
        raise failed_to_parse(f"'window' field must be an object, found {type_name(window)}")
    for name in window:
        if name not in ("documents", "range", "unit"):
            raise failed_to_parse(
                "'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field, found "
                f"{name}"
            )
    if ("documents" in window) == ("range" in window):
        raise failed_to_parse(
            "'window' field can only contain 'documents' as the only argument or 'range' with an optional 'unit' field"
        )
    if "documents" in window:
        if "unit" in window:
            raise failed_to_parse("Window bounds can only specify 'unit' with range-based bounds.")
        return _by_position(_bounds("documents", window["documents"], context), order)
    return _by_value(_bounds("range", window["range"], context), window.get("unit"), order)


def _bounds(name, bounds, context):
    """Return the two bounds: "unbounded", "current", or a number, which a constant expression may give."""
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise failed_to_parse(f"Window bounds must be a 2-element array: {name}: {show(bounds)}")
    made = [context.expression(bound)({}) if isinstance(bound, dict) else bound for bound in bounds]
    for bound, told in zip(made, bounds, strict=True):
        if not is_number(bound) and (bound not in ("unbounded", "current") or isinstance(told, dict)):
            raise failed_to_parse(f"Window bounds must be 'unbounded', 'current', or a number: {show(told)}")
    numbers = [0 if bound == "current" else bound for bound in made]
    if "unbounded" not in numbers and sort_key(numbers[0]) > sort_key(numbers[1]):
        raise MongoError(5339900, f"Lower bound must not exceed upper bound: {show(bounds)}")
    return made


def _by_position(bounds, order):
    offsets = []
    for bound in bounds:
        if is_number(bound) and integral(bound) is None:
            raise failed_to_parse(f"Numeric document-based bounds must be an integer, found {show(bound)}")
        offsets.append(bound if bound == "unbounded" else 0 if bound == "current" else integral(bound))
    low, high = offsets
    if order is None and bounds != ["unbounded", "unbounded"]:
        raise MongoError(5339901, "Document-based bounds require a sortBy")

    def spans(partition):
        length = len(partition.documents)
        made = []
        for at in range(length):
            start = 0 if low == "unbounded" else min(max(at + low, 0), length)
            end = length if high == "unbounded" else min(max(at + high + 1, 0), length)
            made.append((start, max(start, end)))
        return made

    return spans


def _by_value(bounds, unit, order):
    if order is None or len(order.parts) != 1:
        raise MongoError(5339902, "Range-based bounds require sortBy a single field")
    if order.parts[0][1] != 1:
        raise MongoError(8947401, "Range-based bounds require a non-descending sortBy")
    if unit is not None and unit not in UNITS:
        raise failed_to_parse(f"unknown time unit value: {unit}")
    if unit is not None and any(is_number(bound) and integral(bound, range(-(2**63), 2**63)) is None for bound in bounds):
        raise failed_to_parse(f"With 'unit', range-based bounds must be an integer, found {show(bounds)}")
    parts = order.parts[0][0]

    def spans(partition):
        values = [paths.get(document, parts) for document in partition.documents]
        keys = [sort_key(value) for value in values]
        return [_span(keys, value, key, bounds, unit) for value, key in zip(values, keys, strict=True)]

    return spans


def _span(keys, value, key, bounds, unit):
    wanted = DATE if unit else NUMBER
    if any(bound not in ("unbounded", "current") for bound in bounds) and key[0] != wanted:
        if value is None or value is MISSING:
            return bisect_left(keys, key), bisect_right(keys, key)
        what = "a date, because of the 'unit'" if unit else "a number"
        raise MongoError(5429414, f"Invalid range: Expected the sortBy field to be {what}, but it was {type_name(value)}")
    low, high = bounds
    start = 0 if low == "unbounded" else bisect_left(keys, key if low == "current" else _moved(value, low, unit))
    end = len(keys) if high == "unbounded" else bisect_right(keys, key if high == "current" else _moved(value, high, unit))
    return start, max(start, end)


def _moved(value, bound, unit):
    if unit:
        return sort_key(add(value, unit, integral(bound, range(-(2**63), 2**63))))
    return sort_key(total([value, bound]))
