"""A filter as the planner sees it: conditions on paths that must all hold, and alternatives."""

import re
from dataclasses import dataclass, field
from typing import Any

from bson import Regex

from stores.mongodb.ordering import regex_parts

COMPARISONS = {"$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$ne", "$nin", "$regex", "$exists", "$type", "$mod", "$not", "$elemMatch"}
# What an expression's comparison says of a field, when the other side is a constant.
EXPRESSIONS = {"$eq", "$gt", "$gte", "$lt", "$lte"}
MIRRORED = {"$gt": "$lt", "$gte": "$lte", "$lt": "$gt", "$lte": "$gte", "$eq": "$eq"}


@dataclass(frozen=True, eq=False)
class Leaf:
    """One condition on a path. `group` tells which $elemMatch it stands in: those of one group hold for the same element."""

    path: str
    operator: str
    value: Any
    group: object = None

    @property
    def source(self):
        """Return the condition as a filter."""
        if self.operator == "$expr":
            return {"$expr": {self.value[0]: ["$" + self.path, {"$literal": self.value[1]}]}}
        if self.operator == "$regex":
            pattern, options = regex_parts(self.value)
            return {self.path: {"$regex": pattern, **({"$options": options} if options else {})}}
        return {self.path: {self.operator: self.value}}


@dataclass
class Conjunction:
    """Conditions that must all hold: leaves, alternatives (each a list of conjunctions), and what no index can help with."""

    leaves: list = field(default_factory=list)
    alternatives: list = field(default_factory=list)
    rest: list = field(default_factory=list)  # [(name, value)] of a filter
    filter: dict = field(default_factory=dict)  # what all of this was


@dataclass
class Group:
    """An $elemMatch over documents; `whole` is the condition it came from."""

    prefix: str
    whole: Any


def analyse(filter):
    """Return the Conjunction of a filter."""
    found = Conjunction(filter=filter)
    _add(filter, found)
    return found


def _add(filter, found):
    for name, value in filter.items():
        if name == "$and":
            for inner in value:
                _add(inner, found)
        elif name == "$or":
            _add_or(value, found)
        elif name == "$expr":
            leaf = _expression(value)
            found.leaves.append(leaf) if leaf else found.rest.append((name, value))
        elif name.startswith("$"):
            if name != "$comment":
                found.rest.append((name, value))
        else:
            _add_condition(name, value, found, None)


def _add_or(branches, found):
    if len(branches) == 1:
        _add(branches[0], found)
        return
    conjunctions = [analyse(branch) for branch in branches]
    if all(len(c.leaves) == 1 and not c.alternatives and not c.rest and c.leaves[0].operator == "$eq" for c in conjunctions):
        leaves = [c.leaves[0] for c in conjunctions]
        if len({leaf.path for leaf in leaves}) == 1:  # as MongoDB rewrites it
            found.leaves.append(Leaf(leaves[0].path, "$in", [leaf.value for leaf in leaves]))
            return
    found.alternatives.append(conjunctions)


def _add_condition(path, value, found, group):
    if isinstance(value, Regex | re.Pattern):
        found.leaves.append(Leaf(path, "$regex", value, group))
        return
    if not is_operators(value):
        found.leaves.append(Leaf(path, "$eq", value, group))
        return
    for operator, inner in value.items():
        if operator == "$options":
            continue
        if operator == "$regex":
            found.leaves.append(Leaf(path, operator, regex(inner, value.get("$options", "")), group))
        elif operator == "$all" and inner and not any(is_operators(each) for each in inner):
            found.leaves += [Leaf(path, "$regex" if isinstance(each, Regex | re.Pattern) else "$eq", each, group) for each in inner]
        elif operator == "$elemMatch" and not is_operators(inner):
            _add_element(path, inner, value, found, group)
        elif operator in COMPARISONS:
            found.leaves.append(Leaf(path, operator, inner, group))
        else:
            found.rest.append((path, {operator: inner}))


def _add_element(path, filter, condition, found, group):
    inner = group or Group(path, condition)
    found.rest.append((path, {"$elemMatch": filter}))
    for name, value in filter.items():
        if not name.startswith("$"):
            _add_condition(f"{path}.{name}", value, found, inner)


def is_operators(value):
    """Return whether a filter's value is a document of operators."""
    return (
        isinstance(value, dict)
        and bool(value)
        and next(iter(value)).startswith("$")
        and next(iter(value)) not in ("$ref", "$id", "$db")
    )


def regex(pattern, options):
    """Return a Regex for $regex and $options."""
    if not isinstance(pattern, str):
        return pattern
    flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "x": re.VERBOSE, "s": re.DOTALL}
    found = 0
    for letter in options:
        found |= flags.get(letter, 0)
    return Regex(pattern, found)


def _expression(value):
    """Return the Leaf of an expression that compares a field with a constant, or None."""
    if not isinstance(value, dict) or len(value) != 1:
        return None
    ((operator, operands),) = value.items()
    if operator not in EXPRESSIONS or not isinstance(operands, list) or len(operands) != 2:
        return None
    left, right = operands
    if not _is_path(left):
        left, right, operator = right, left, MIRRORED[operator]
    if _is_path(left) and _is_constant(right):
        constant = right["$literal"] if isinstance(right, dict) else right
        return Leaf(left[1:], "$expr", (operator, constant))
    return None


def _is_path(value):
    return isinstance(value, str) and value.startswith("$") and not value.startswith("$$")


def _is_constant(value):
    if isinstance(value, dict):
        return set(value) == {"$literal"}
    return not isinstance(value, list | tuple) and not (isinstance(value, str) and value.startswith("$"))
