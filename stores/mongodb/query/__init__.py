"""Matching: MongoDB's query language.

    query = Query({"qty": {"$gt": 5}, "tags": "red"})
    query(document)          True or False
    query.match(document)    None, or a Match that knows which element of an array matched

A filter is read once; what MongoDB refuses raises MongoError then. mongomock filters too; this replaces its own, for it
compares by Python, ignores where a path ends in an array, and lacks a third of the operators.
"""

from typing import NamedTuple

from stores.mongodb.expressions import Scope
from stores.mongodb.expressions.base import SYSTEM
from stores.mongodb.query.parser import Parser
from stores.mongodb.query.values import equalities


class Match:
    """A document matched. `position` is the index that the positional `$` of an update stands for, or None."""

    __slots__ = ("position",)

    def __init__(self):
        self.position = None


class Reading(NamedTuple):
    """What the readers of operators may use: the scope of $expr, the collation, the values of variables, the text score."""

    scope: Scope
    fold: object = None
    variables: dict | None = None
    text: object = None


class Query:
    """A filter that was read: call it with a document.

    `let` are the values of variables for $expr, `fold` a collation's function, `now` the time for $$NOW, `text` a function
    from a document to its score in the text index (0: no match). `near` is None or what a $near asks to sort by, `text_search`
    None or the operand of $text.
    """

    def __init__(self, filter, let=None, fold=None, now=None, text=None):
        self.filter = filter
        variables = {**(let or {}), **({"NOW": now} if now is not None else {})}
        parser = Parser(Reading(Scope(SYSTEM | set(variables), fold), fold, variables, text))
        self.test = parser.filter(filter)
        self.near = parser.near
        self.text_search = parser.text_search

    @property
    def text(self):
        """The operand of $text, None without one."""
        return self.text_search

    def __call__(self, document):
        return self.test(document, None)

    def match(self, document):
        """Return a Match, or None if the document does not match."""
        found = Match()
        return found if self.test(document, found) else None

    def equalities(self):
        """Return {path: value} of what the filter says for sure: the fields that an upsert begins with."""
        return equalities(self.filter)
