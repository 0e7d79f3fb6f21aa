"""What one condition of a filter says of an index's field: the intervals to look in, and whether they say all of it."""

from dataclasses import dataclass

from bson import MaxKey, MinKey

from stores.mongodb.indexes import keystring
from stores.mongodb.planner import intervals
from stores.mongodb.planner.intervals import EVERYTHING_BOUNDS, complement, intersect, is_regex, point, raw_point, union

EXACT = "exact"  # the bounds say all
KEYS = "keys"  # what remains can be seen in the index's keys
DOCUMENTS = "documents"  # what remains needs the document


@dataclass(frozen=True)
class Bounded:
    """The bounds of a condition and what remains to be checked: EXACT, KEYS or DOCUMENTS."""

    bounds: tuple
    remains: str


def bounded(leaf, tree, field):
    """Return the Bounded of a leaf in a field of an index, or None where the index is no help."""
    return _bounded(leaf.operator, leaf.value, tree, tree.is_multikey(field))


def _bounded(operator, value, tree, multikey):
    fold = tree.fold
    match operator:
        case "$eq":
            return _equal(value, fold)
        case "$in":
            return _in(value, fold)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return _compared(operator, value, fold)
        case "$regex":
            if fold is not None:
                return None  # a collation's keys are not texts
            bounds, exact = intervals.regular(value)
            return Bounded(bounds, EXACT if exact else KEYS)
        case "$exists":
            if value:
                return Bounded(EVERYTHING_BOUNDS, EXACT if tree.sparse and len(tree.fields) == 1 else DOCUMENTS)
            return Bounded((point(None),), DOCUMENTS)
        case "$type":
            return Bounded(*_with_remains(intervals.typed(value)))
        case "$mod":
            return Bounded((intervals.Interval(keystring.NAN, keystring.NUMBER + b"\xff", True, True, ("nan.0", "inf.0")),), KEYS)
        case "$ne":
            return _negated("$eq", value, tree, multikey)
        case "$nin":
            return _negated("$in", value, tree, multikey)
        case "$not":
            return _not(value, tree, multikey)
        case "$elemMatch":
            return _elements(value, tree, multikey)
        case "$expr":
            return _expression(value, fold, multikey)
    return None


def _with_remains(pair):
    bounds, exact = pair
    return bounds, EXACT if exact else DOCUMENTS


def _equal(value, fold):
    if isinstance(value, list) or value is None:
        return Bounded(intervals.equality(value, fold), DOCUMENTS)
    return Bounded((point(value, fold),), EXACT)


def _in(values, fold):
    if fold is not None and any(map(is_regex, values)):
        return None
    bounds, remains = [], EXACT
    for value in values:
        if is_regex(value):
            found, exact = intervals.regular(value)
            bounds += found
            remains = remains if exact else max(remains, KEYS, key=[EXACT, KEYS, DOCUMENTS].index)
        else:
            inner = _equal(value, fold)
            bounds += inner.bounds
            remains = max(remains, inner.remains, key=[EXACT, KEYS, DOCUMENTS].index)
    return Bounded(union(bounds), remains)


def _compared(operator, value, fold):
    bounds = intervals.comparison(operator, value, fold)
    if bounds is None:
        return Bounded(EVERYTHING_BOUNDS, DOCUMENTS)
    unsure = value is None or isinstance(value, dict | MinKey | MaxKey)
    return Bounded(bounds, DOCUMENTS if unsure else EXACT)


def _negated(operator, value, tree, multikey):
    positive = _bounded(operator, value, tree, multikey)
    if positive is None or any(map(_is_unsure, value if operator == "$in" else [value])):
        return None
    return Bounded(complement(positive.bounds), DOCUMENTS)


def _is_unsure(value):
    return isinstance(value, list) or is_regex(value)


def _not(inner, tree, multikey):
    if is_regex(inner) or not isinstance(inner, dict) or len(inner) != 1:
        return None
    ((operator, value),) = inner.items()
    if operator in ("$gt", "$gte", "$lt", "$lte", "$eq"):
        return _negated(operator, value, tree, multikey)
    if operator == "$in":
        return _negated("$in", value, tree, multikey)
    if operator == "$exists":
        return _bounded("$exists", not value, tree, multikey)
    return None


def _elements(conditions, tree, multikey):
    """$elemMatch of operators: they hold for the same element, so that their bounds meet even in a multikey index."""
    bounds = EVERYTHING_BOUNDS
    for operator, value in conditions.items():
        inner = _bounded(operator, value, tree, multikey) if operator in ("$eq", "$in", "$gt", "$gte", "$lt", "$lte") else None
        if inner is not None and not isinstance(value, list):
            bounds = intersect(bounds, inner.bounds)
    return Bounded(bounds, DOCUMENTS)


def _expression(value, fold, multikey):
    """A comparison of $expr sees arrays as wholes, and every type: only indexes without arrays can tell."""
    if multikey:
        return None
    operator, constant = value
    key, text = keystring.encode(constant, fold), intervals.shown(constant)
    if constant is None:
        return Bounded(EVERYTHING_BOUNDS, DOCUMENTS)
    match operator:
        case "$eq":
            return Bounded((raw_point(key, text),), DOCUMENTS)
        case "$gt" | "$gte":
            return Bounded((intervals.Interval(key, intervals.HIGHEST, operator == "$gte", True, (text, "MaxKey")),), DOCUMENTS)
    return Bounded((intervals.Interval(intervals.LOWEST, key, True, operator == "$lte", ("MinKey", text)),), DOCUMENTS)


def matches_missing(leaf):
    """Return whether a condition may hold for a document without the path: a sparse index does not have it."""
    operator, value = leaf.operator, leaf.value
    if operator in ("$eq", "$gte", "$lte"):
        return value is None
    if operator == "$in":
        return None in value
    if operator == "$exists":
        return not value
    if operator == "$ne":
        return value is not None
    if operator == "$nin":
        return None not in value
    if operator == "$type":
        return False
    return operator in ("$not", "$expr")


def needs_texts(leaf):
    """Return whether the condition compares texts, so that the collation matters."""
    value = leaf.value[1] if leaf.operator == "$expr" else leaf.value
    return _has_text(value) or leaf.operator == "$regex"


def _has_text(value):
    if isinstance(value, dict):
        return any(map(_has_text, value.values())) or any(isinstance(name, str) and not name.startswith("$") for name in value)
    if isinstance(value, list):
        return any(map(_has_text, value))
    return isinstance(value, str)
