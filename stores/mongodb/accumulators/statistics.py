"""Sums, averages, deviations and percentiles of values, of which only the numbers count."""

import math

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import sort_key
from stores.mongodb.values import DECIMAL, DECIMALS, decimal128, is_number, rank, show, to_decimal, to_double, total


def total_of(values):
    """Return the sum of the numbers, 0 of none."""
    return total(value for value in values if is_number(value))


def average(values):
    """Return the mean of the numbers (a decimal if one is), None of none."""
    numbers = [value for value in values if is_number(value)]
    if not numbers:
        return None
    if any(rank(number) == DECIMAL for number in numbers):
        return decimal128(DECIMALS.divide(to_decimal(total(numbers)), len(numbers)))
    return to_double(total(numbers)) / len(numbers)


def deviation(values, less):
    """Return the standard deviation: of the population with less=0, of a sample with less=1; None of too few."""
    numbers = [to_double(value) for value in values if is_number(value)]
    if len(numbers) <= less:
        return None
    if not all(map(math.isfinite, numbers)):
        return math.nan
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - less))


def check_method(method):
    """Raise BadValue unless a percentile's method is one that MongoDB knows; 'approximate' is the only one as yet."""
    if method != "approximate":
        raise MongoError("BadValue", "Currently only 'approximate' can be used as percentile 'method'.")


def check_p(wanted):
    """Return $percentile's `p`, a list of numbers from 0 to 1. Raises 7750301 to 7750303."""
    if not isinstance(wanted, list) or not wanted:
        raise MongoError(7750301, f"The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {show(wanted)}")
    for p in wanted:
        if not is_number(p):
            raise MongoError(7750302, f"The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {show(p)}")
        if not 0 <= to_double(p) <= 1:
            raise MongoError(7750303, f"The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: {show(p)}")
    return [to_double(p) for p in wanted]


def percentiles(values, wanted):
    """Return for each p the smallest number that at least the share p of all numbers does not exceed, as doubles.

    MongoDB's approximate method (a t-digest) gives the same as long as the numbers are few.
    """
    numbers = sorted((value for value in values if is_number(value)), key=sort_key)
    if not numbers:
        return [None] * len(wanted)
    return [to_double(numbers[max(0, math.ceil(p * len(numbers)) - 1)]) for p in wanted]
