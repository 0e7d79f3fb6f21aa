"""Sums and extremes of windows that move along: what enters is added, what leaves is taken away again.

Exact fractions stand for doubles, so that the result is that of adding the window anew. Decimals, infinities and NaN are
left to the plain way: then values() gives None.
"""

import math
from fractions import Fraction

from stores.mongodb.ordering import sort_key
from stores.mongodb.values import DECIMAL, DOUBLE, INT, LONG, nullish, of_rank, rank, to_double


def values(name, taken, spans, fold=None):
    """Return the results of an accumulator for each span (start, end) of the values taken, None if it is not one of these."""
    if name in ("$sum", "$avg"):
        if any(rank(value) == DECIMAL or (rank(value) == DOUBLE and not math.isfinite(value)) for value in taken):
            return None
        total = _Total()
        return [total.total() if name == "$sum" else total.average() for _ in _moved(total, taken, spans)]
    if name in ("$min", "$max") and all(start == 0 for start, _ in spans):
        return _extremes(name, taken, spans, fold)
    return None


def _moved(total, taken, spans):
    """Yield once for each span, when the total is that of the span."""
    low = high = 0
    for start, end in spans:
        if start < low or end < high or start > high:  # it jumps: begin anew
            total.clear()
            low = high = start
        for value in taken[high:end]:
            total.change(value, 1)
        for value in taken[low:start]:
            total.change(value, -1)
        low, high = start, end
        yield


class _Total:
    def __init__(self):
        self.clear()

    def clear(self):
        self.whole, self.parts, self.counts = 0, Fraction(0), {0: 0, INT: 0, LONG: 0, DOUBLE: 0}

    def change(self, value, sign):
        kind = rank(value)
        self.counts[kind] += sign
        if kind == DOUBLE:
            self.parts += sign * Fraction(value)
        elif kind:
            self.whole += sign * int(value)

    def total(self):
        if self.counts[DOUBLE]:
            return float(self.parts + self.whole)
        return of_rank(self.whole, LONG if self.counts[LONG] else INT)

    def average(self):
        count = self.counts[INT] + self.counts[LONG] + self.counts[DOUBLE]
        return to_double(self.total()) / count if count else None


def _extremes(name, taken, spans, fold):
    made, best, best_key, high = [], None, None, 0
    for _, end in spans:
        if end < high:
            return None
        for value in taken[high:end]:
            if nullish(value):
                continue
            key = sort_key(value, fold)
            if best_key is None or (key < best_key if name == "$min" else key > best_key):
                best, best_key = value, key
        high = end
        made.append(best)
    return made
