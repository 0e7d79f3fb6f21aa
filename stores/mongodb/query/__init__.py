"""Matching documents by MongoDB's query language."""

from mongomock.filtering import filter_applies


class Match:
    """A document matched; `position` is what the positional `$` of an update stands for, or None."""

    def __init__(self, position=None):
        self.position = position


class Query:
    """A filter, compiled once."""

    near = None
    text = None

    def __init__(self, filter, let=None, fold=None, now=None, text=None):
        self.filter = filter

    def __call__(self, document):
        return filter_applies(self.filter, document)

    def match(self, document):
        return Match() if self(document) else None

    def equalities(self):
        return {path: value for path, value in self.filter.items() if not isinstance(value, dict)}
