"""The functions of $setWindowFields: accumulators over a frame, ranks, neighbours, rates, moving averages, gaps filled."""

import itertools
import math
from fractions import Fraction
from typing import NamedTuple

from stores.mongodb import accumulators, paths
from stores.mongodb.accumulators import running
from stores.mongodb.errors import MongoError, failed_to_parse
from stores.mongodb.expressions.dates import MS
from stores.mongodb.ordering import MISSING, milliseconds, type_name
from stores.mongodb.values import DECIMAL, DECIMALS, decimal128, integral, is_number, nullish, rank, show, to_decimal, to_double

UNIT_MS = {"week": 7 * 86_400_000, "day": 86_400_000, **MS}


class Partition(NamedTuple):
    """The documents of a partition in order, the env of each for expressions, their sort keys, and the Sort (or None)."""

    documents: list
    envs: list
    keys: list
    order: object

    def positions(self):
        """Return the value of the only field of sortBy in each document."""
        ((parts, _),) = self.order.parts
        return [paths.get(document, parts) for document in self.documents]


READERS = {}  # "$rank" → reader(operand, window, order, context) → function(partition, frame) → list of values


def read_function(name, operand, window, order, context):
    """Return the function of a field of `output`. Raises 9 for a name that is no window function."""
    if name in READERS:
        return READERS[name](operand, window, order, context)
    if name not in accumulators.READERS and name not in accumulators.REFUSED:
        raise failed_to_parse(f"Unrecognized window function, {name}")
    accumulator = accumulators.read(name, operand, context.scope, "window")

    def run(partition, frame):
        taken, spans = [accumulator.value(env) for env in partition.envs], frame(partition)
        if (moving := running.values(name, taken, spans, context.fold)) is not None:
            return moving
        made, before, value = [], None, None
        for at, span in enumerate(spans):
            if span != before:
                value = accumulator.fold(taken[slice(*span)], partition.envs[at])
                before = span
            made.append(value)
        return made

    return run


def reads(*names):
    def register(function):
        for name in names:
            READERS[name] = lambda operand, window, order, context, name=name: function(name, operand, window, order, context)
        return function

    return register


def _needs_order(name, order, code, single=True):
    if order is None or (single and len(order.parts) != 1):
        raise MongoError(code, f"{name} must be specified with a top level sortBy expression with exactly one element")


def _without_window(name, window):
    if window is not None:
        raise MongoError(5371601, f"Rank style window functions take no other arguments: {name} does not accept a 'window' field")


# Ranks -----------------------------------------------------------------------------------------------------


@reads("$rank", "$denseRank", "$documentNumber")
def _rank(name, operand, window, order, context):
    if operand != {} or not isinstance(operand, dict):
        raise MongoError(5371603, f"(None) must be an empty object for {name}, found {show(operand)}")
    _without_window(name, window)
    _needs_order(name, order, 5371602, single=name != "$documentNumber")

    def run(partition, frame):
        made, ranks = [], 0
        for at, key in enumerate(partition.keys):
            if name == "$documentNumber":
                made.append(at + 1)
            elif at and key == partition.keys[at - 1]:
                made.append(made[-1])
            else:
                ranks += 1
                made.append(at + 1 if name == "$rank" else ranks)
        return made

    return run


@reads("$shift")
def _shift(name, operand, window, order, context):
    _without_window(name, window)
    _needs_order(name, order, 5371602, single=False)
    if not isinstance(operand, dict):
        raise failed_to_parse(f"Argument to $shift must be an object, found {type_name(operand)}")
    for field in operand:
        if field not in ("output", "by", "default"):
            raise failed_to_parse(f"Unknown argument in $shift: {field}")
    for field in ("output", "by"):
        if field not in operand:
            raise failed_to_parse(f"$shift requires '{field}'")
    if (by := integral(operand["by"])) is None:
        raise failed_to_parse(f"'$shift:by' field must be an integer, but found by: {show(operand['by'])}")
    output = context.expression(operand["output"])
    default = context.expression(operand["default"])({}) if "default" in operand else None

    def run(partition, frame):
        made = []
        for at in range(len(partition.envs)):
            there = at + by
            value = output(partition.envs[there]) if 0 <= there < len(partition.envs) else default
            made.append(None if value is MISSING else value)
        return made

    return run


# Two columns, and rates ------------------------------------------------------------------------------------


@reads("$covariancePop", "$covarianceSamp")
def _covariance(name, operand, window, order, context):
    if not isinstance(operand, list) or len(operand) != 2:
        raise failed_to_parse(f"{name} takes an array of two expressions, found {show(operand)}")
    left, right = map(context.expression, operand)
    less = 1 if name == "$covarianceSamp" else 0

    def run(partition, frame):
        pairs = [(left(env), right(env)) for env in partition.envs]
        return [
            _covariance_of([pair for pair in pairs[start:end] if is_number(pair[0]) and is_number(pair[1])], less)
            for start, end in frame(partition)
        ]

    return run


def _covariance_of(pairs, less):
    if len(pairs) <= less:
        return None
    xs, ys = [to_double(x) for x, _ in pairs], [to_double(y) for _, y in pairs]
    x_mean, y_mean = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    return math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / (len(pairs) - less)


def _rate_options(name, operand, order):
    if not isinstance(operand, dict):
        raise failed_to_parse(f"{name} expects an object, found {type_name(operand)}")
    for field in operand:
        if field not in ("input", "unit"):
            raise failed_to_parse(f"{name} got unexpected argument: {field}")
    if "input" not in operand:
        raise failed_to_parse(f"{name} requires an 'input' expression")
    if operand.get("unit") is not None and operand["unit"] not in UNIT_MS:
        raise MongoError(5490704, f"unit must be 'week' or smaller, found {show(operand['unit'])}")
    _needs_order(name, order, 5490700 if name == "$derivative" else 5558800)
    return operand.get("unit")


def _at(name, position, unit):
    """Return the place on the axis of sortBy as a number: milliseconds of a date, which needs a unit."""
    if type_name(position) == "date":
        if not unit:
            raise MongoError(5624900 if name == "$derivative" else 5423902, f"{name} where the sortBy is a Date requires a 'unit'")
        return milliseconds(position)
    if unit:
        raise MongoError(5624901 if name == "$derivative" else 5423901, f"{name} with 'unit' expects the sortBy field to be a Date")
    if not is_number(position):
        raise MongoError(
            5624902 if name == "$derivative" else 5423903, f"{name} without 'unit' expects the sortBy field to be numeric"
        )
    return to_double(position)


@reads("$derivative")
def _derivative(name, operand, window, order, context):
    unit = _rate_options(name, operand, order)
    if window is None:
        raise failed_to_parse("$derivative requires explicit window bounds")
    value, step = context.expression(operand["input"]), UNIT_MS[unit] if unit else 1

    def run(partition, frame):
        values, positions, made = [value(env) for env in partition.envs], partition.positions(), []
        for start, end in frame(partition):
            if end - start < 2:
                made.append(None)
                continue
            first, last = values[start], values[end - 1]
            if nullish(first) or nullish(last):
                made.append(None)
                continue
            run_ = _at(name, positions[end - 1], unit) - _at(name, positions[start], unit)
            made.append((to_double(last) - to_double(first)) / (run_ / step) if run_ else None)
        return made

    return run


@reads("$integral")
def _integral(name, operand, window, order, context):
    unit = _rate_options(name, operand, order)
    value, step = context.expression(operand["input"]), UNIT_MS[unit] if unit else 1

    def run(partition, frame):
        values = [value(env) for env in partition.envs]
        places = [_at(name, position, unit) for position in partition.positions()]
        areas = [_trapezoid(values, places, at, step) for at in range(1, len(values))]
        return [math.fsum(area for area in areas[start : max(start, end - 1)] if area is not None) for start, end in frame(partition)]

    return run


def _trapezoid(values, places, at, step):
    a, b = values[at - 1], values[at]
    if not (is_number(a) and is_number(b)):
        return None
    return (to_double(a) + to_double(b)) / 2 * ((places[at] - places[at - 1]) / step)


@reads("$expMovingAvg")
def _moving_average(name, operand, window, order, context):
    _without_window(name, window)
    _needs_order(name, order, 5433602, single=False)
    if not isinstance(operand, dict) or "input" not in operand or ("N" in operand) == ("alpha" in operand):
        raise failed_to_parse(
            "$expMovingAvg sub object must have exactly two fields: An 'input' field, and either an 'N' field or an 'alpha' field"
        )
    for field in operand:
        if field not in ("input", "N", "alpha"):
            raise failed_to_parse(f"Got unrecognized field in $expMovingAvg: {field}")
    alpha = _alpha(operand)
    value = context.expression(operand["input"])

    def run(partition, frame):
        made, average, exact = [], None, False
        for env in partition.envs:
            found = value(env)
            if not is_number(found):
                made.append(None if average is None else _number(average, exact))
                continue
            exact = exact or rank(found) == DECIMAL
            share = Fraction(to_decimal(found)) if exact else Fraction(to_double(found)) if math.isfinite(to_double(found)) else None
            if share is None:
                made.append(math.nan)
                continue
            average = share if average is None else share * alpha + average * (1 - alpha)
            made.append(_number(average, exact))
        return made

    return run


def _alpha(operand):
    if "alpha" in operand:
        alpha = operand["alpha"]
        if not is_number(alpha) or not 0 < to_double(alpha) < 1:
            raise failed_to_parse(f"'alpha' must be between 0 and 1 (exclusive), found alpha: {show(alpha)}")
        return Fraction(str(alpha))
    n = integral(operand["N"])
    if n is None or n < 1:
        raise failed_to_parse(f"'N' field must be an integer greater than zero, found {show(operand['N'])}")
    return Fraction(2, n + 1)


def _number(average, exact):
    if exact:
        return decimal128(DECIMALS.divide(average.numerator, average.denominator))
    return float(average)


@reads("$minMaxScaler")
def _scaler(name, operand, window, order, context):
    if not isinstance(operand, dict) or "input" not in operand:
        raise failed_to_parse("$minMaxScaler expects an object with an 'input' expression")
    low, high = to_double(operand.get("min", 0)), to_double(operand.get("max", 1))
    value = context.expression(operand["input"])

    def run(partition, frame):
        values, made = [value(env) for env in partition.envs], []
        for at, (start, end) in enumerate(frame(partition)):
            numbers = [to_double(found) for found in values[start:end] if is_number(found)]
            if not is_number(values[at]) or not numbers:
                made.append(None)
                continue
            span = max(numbers) - min(numbers)
            made.append(low + (to_double(values[at]) - min(numbers)) / span * (high - low) if span else low)
        return made

    return run


# Gaps ------------------------------------------------------------------------------------------------------


@reads("$locf")
def _last_carried_forward(name, operand, window, order, context):
    _without_window(name, window)
    value = context.expression(operand)

    def run(partition, frame):
        made, last = [], None
        for env in partition.envs:
            found = value(env)
            last = last if nullish(found) else found
            made.append(last)
        return made

    return run


@reads("$linearFill")
def _linear_fill(name, operand, window, order, context):
    _without_window(name, window)
    _needs_order(name, order, 605001)
    value = context.expression(operand)

    def run(partition, frame):
        values, positions = [value(env) for env in partition.envs], partition.positions()
        places = [_place(position) for position in positions]
        if any(a == b for a, b in itertools.pairwise(places)):
            raise MongoError(6050106, "There can be no repeated values in the sort field")
        made = [None if found is MISSING else found for found in values]
        known = [at for at, found in enumerate(made) if found is not None]
        for left, right in itertools.pairwise(known):
            for at in range(left + 1, right):
                share = (places[at] - places[left]) / (places[right] - places[left])
                made[at] = _between(made[left], made[right], share)
        return made

    return run


def _place(position):
    if type_name(position) == "date":
        return milliseconds(position)
    if not is_number(position):
        raise MongoError(
            "TypeMismatch", f"$linearFill: expected the sortBy field to be a number or a date, found {type_name(position)}"
        )
    return to_double(position)


def _between(a, b, share):
    for value in (a, b):
        if not is_number(value):
            raise MongoError("TypeMismatch", f"Value to be filled must be numeric or nullish, found {type_name(value)}")
    if DECIMAL in (rank(a), rank(b)):
        low, high = to_decimal(a), to_decimal(b)
        return decimal128(DECIMALS.add(low, DECIMALS.multiply(to_decimal(share), DECIMALS.subtract(high, low))))
    made = to_double(a) + share * (to_double(b) - to_double(a))
    return made
