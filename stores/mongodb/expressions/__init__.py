"""Expressions of aggregations."""

from mongomock.aggregate import _parse_expression


def evaluate(expression, document, variables=None):
    """Return the value of an expression for a document."""
    return _parse_expression(expression, document)
