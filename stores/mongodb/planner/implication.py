"""Whether a filter finds only documents that a partial index has."""

from stores.mongodb.indexes.keystring import encode
from stores.mongodb.planner.conditions import EXACT, bounded
from stores.mongodb.planner.intervals import EVERYTHING_BOUNDS, intersect
from stores.mongodb.planner.predicates import analyse


def implies(filter, partial):
    """Return whether every document that matches the filter also matches the partial index's filter.

    As MongoDB's: each condition of the partial filter must follow from one of the filter's.
    """
    return _implied(analyse(filter), analyse(partial))


def _implied(given, wanted):
    if wanted.rest and not all(each in given.rest for each in wanted.rest):
        return False
    for leaf in wanted.leaves:
        if not any(_follows(mine, leaf) for mine in given.leaves) and not _from_alternatives(given, leaf):
            return False
    return all(any(_implied(given, branch) for branch in branches) for branches in wanted.alternatives)


def _from_alternatives(given, leaf):
    return any(all(any(_follows(mine, leaf) for mine in branch.leaves) for branch in branches) for branches in given.alternatives)


def _follows(mine, leaf):
    if mine.path != leaf.path or mine.group is not None:
        return False
    if leaf.operator == "$exists":
        return leaf.value and _says_present(mine)
    if mine.operator == leaf.operator and encode(_comparable(mine.value)) == encode(_comparable(leaf.value)):
        return True
    if mine.operator not in EXPRESSIBLE or leaf.operator not in EXPRESSIBLE:
        return False
    inner, outer = _bounds(mine), _bounds(leaf)
    if inner is None or outer is None:
        return False
    return [(each.low, each.high, each.with_low, each.with_high) for each in intersect(inner, outer)] == [
        (each.low, each.high, each.with_low, each.with_high) for each in inner
    ]


EXPRESSIBLE = {"$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$type"}


def _comparable(value):
    return value if not hasattr(value, "pattern") else str(value)


def _says_present(leaf):
    if leaf.operator in ("$eq", "$gte", "$lte"):
        return leaf.value is not None
    if leaf.operator == "$in":
        return None not in leaf.value
    return leaf.operator in ("$gt", "$lt", "$regex", "$type", "$mod", "$elemMatch") or (leaf.operator == "$exists" and leaf.value)


class _Plain:
    """An index on one field without arrays: what bounds are asked of here."""

    fold, sparse, fields = None, False, ("",)

    @staticmethod
    def is_multikey(_):
        return False


def _bounds(leaf):
    made = bounded(leaf, _Plain, "")
    if made is None or made.remains != EXACT or made.bounds == EVERYTHING_BOUNDS:
        return None
    return made.bounds
