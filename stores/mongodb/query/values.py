"""What a filter says for sure about a document that it matches."""

import itertools

from stores.mongodb.errors import MongoError
from stores.mongodb.regex import is_regex


def equalities(filter):
    """Return {path: value} for the equalities of a filter: also inside $and, and the only branch of an $or.

    Raises MongoError 54 (NotSingleValueField) where two of them speak of one path or of one inside the other.
    """
    found = {}
    _collect(filter, found)
    paths = sorted(found)
    for path, after in itertools.pairwise(paths):
        if after.startswith(path + "."):
            raise MongoError(54, f"cannot infer query fields to set, both paths '{path}' and '{after}' are matched")
    return found


def _collect(filter, found):
    for name, operand in filter.items():
        if name == "$and" or (name == "$or" and len(operand) == 1):
            for inner in operand:
                _collect(inner, found)
        elif not name.startswith("$"):
            for value in _values(operand):
                if name in found:
                    raise MongoError(54, f"cannot infer query fields to set, path '{name}' is matched twice")
                found[name] = value


def _values(operand):
    if is_regex(operand):
        return
    if not isinstance(operand, dict) or not operand or not next(iter(operand)).startswith("$"):
        yield operand
    elif "$eq" in operand:
        yield operand["$eq"]
    elif "$ref" in operand:
        yield operand
    else:
        for name in ("$in", "$all"):
            if (
                name in operand
                and len(operand[name]) == 1
                and not is_regex(operand[name][0])
                and not isinstance(operand[name][0], dict)
            ):
                yield operand[name][0]
