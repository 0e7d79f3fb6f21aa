"""CQL text in, a statement out: `parse`."""

from dataclasses import replace

from stores.cassandra.cql.access import Access
from stores.cassandra.errors import SyntaxException

_DEEPEST = "StackOverflowError null"  # what Java says of literals nested too deep
# The first word of a statement and the method that reads it.
_STATEMENTS = {
    "select": "select",
    "insert": "insert",
    "update": "update",
    "delete": "delete",
    "begin": "batch",
    "use": "use",
    "truncate": "truncate",
    "create": "_create",
    "alter": "_alter",
    "drop": "_drop",
    "describe": "describe",
    "desc": "describe",
    "grant": "grant",
    "revoke": "revoke",
    "list": "list_access",
    "add": "add_identity",
}
# What CREATE, ALTER and DROP may be about.
_KINDS = {
    "keyspace": "keyspace",
    "table": "table",
    "columnfamily": "table",
    "type": "type",
    "index": "index",
    "function": "function",
    "aggregate": "aggregate",
    "trigger": "trigger",
    "role": "role",
    "user": "user",
    "identity": "identity",
}


def parse(text):
    """Return the statement of `text`, one of the dataclasses of statements.py, definitions.py and administration.py.

    Raises SyntaxException, or InvalidRequest for what Cassandra's parser refuses with it (a column declared twice).
    """
    try:
        return _Parser(text).parse()
    except RecursionError:
        raise SyntaxException(f"Failed parsing statement: [{text[:1000]}] reason: {_DEEPEST}") from None


class _Parser(Access):
    """The whole grammar: each class under it is a chapter."""

    def parse(self):
        method = _STATEMENTS.get(self.key)
        if method is None:
            self.fail()
        statement = getattr(self, method)()
        while self.take(";"):
            pass
        if self.key != "<end>":
            self.fail("EOF")
        if self.tokens.error:
            raise SyntaxException(self.tokens.error[1])
        if self.markers and not statement.markers:  # a marker in a definition: the engine refuses or ignores it
            statement = replace(statement, markers=tuple(self.markers))
        return statement

    def _create(self):
        self.at += 1
        if self.take_words("or", "replace"):
            return self._replace()
        if self.take("materialized"):
            self.expect("view")
            return self.create_view()
        if self.take("custom"):
            self.expect("index")
            return self.create_index(custom=True)
        return self._about("create")

    def _replace(self):
        for kind in ("function", "aggregate"):
            if self.take(kind):
                return getattr(self, f"create_{kind}")(or_replace=True)
        self.fail(marked=0)

    def _alter(self):
        self.at += 1
        return self.alter_view() if self.take_words("materialized", "view") else self._about("alter")

    def _drop(self):
        self.at += 1
        return self.drop_view() if self.take_words("materialized", "view") else self._about("drop")

    def _about(self, verb):
        """Read the statement that a verb and the kind of thing begin."""
        method = getattr(self, f"{verb}_{_KINDS.get(self.key)}", None)
        if method is None:
            self.fail(marked=0)
        self.at += 1
        return method()
