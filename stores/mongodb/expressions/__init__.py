"""Expressions: what aggregations, $expr, projections and pipeline updates compute with.

    evaluate({"$add": ["$a", 1]}, {"a": 41})        42
    parse({"$toUpper": "$name"})                    a function (document, variables) -> value | MISSING

One module for each kind of operator. mongomock evaluates expressions too; these replace its own, because it tells a
missing field by a KeyError that an operator further up takes for null, knows one kind of number, and compares by Python.
"""

from stores.mongodb.expressions import (
    arithmetic,
    arrays,
    bitwise,
    comparison,
    conditional,
    conversion,
    dates,
    folding,
    formats,
    objects,
    refused,
    sets,
    strings,
    trigonometry,
    variables,
)
from stores.mongodb.expressions.base import MISSING, OPERATORS, REFUSED, SYSTEM, Scope
from stores.mongodb.expressions.base import parse as read

__all__ = [
    "MISSING", "OPERATORS", "REFUSED", "Scope", "arithmetic", "arrays", "bitwise", "comparison", "conditional", "conversion",
    "dates", "evaluate",
    "folding", "formats", "objects", "parse", "read", "refused", "sets", "strings", "trigonometry", "variables",
]  # fmt: skip


def parse(expression, names=(), fold=None):
    """Return an expression as a function (document, variables=None) -> value | MISSING.

    `names` are the variables it may use besides MongoDB's own, `fold` the collation's function. Raises MongoError where
    MongoDB refuses the expression.
    """
    node = read(expression, Scope(SYSTEM | set(names), fold))
    return lambda document, variables=None: node(environment(document, variables))


def environment(document, variables=None):
    """Return the variables that an expression on a document sees."""
    return {**(variables or {}), "ROOT": document, "CURRENT": document}


def evaluate(expression, document, variables=None):
    """Return the value of an expression for a document, MISSING where it has none."""
    return parse(expression, variables or ())(document, variables)
