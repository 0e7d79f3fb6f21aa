"""What a learner's statements may do on a real server: all inside the keyspaces that the course has made, nothing outside.

A statement is parsed before it leaves this process. One that our parser does not understand is not sent either.
"""

from dataclasses import fields, is_dataclass

from stores.cassandra.cql import administration, definitions, statements
from stores.cassandra.cql.nodes import FunctionCall, Name
from stores.cassandra.cql.parser import parse
from stores.cassandra.errors import Unauthorized
from stores.cassandra.schema import SYSTEM

READS = (statements.Select, statements.Describe)
HARMLESS = (administration.ListRoles, administration.ListPermissions)
WHAT_IT_IS = "this is a real Cassandra, where the course works in keyspaces of its own only"


def check(text, current, owned):
    """Return the parsed statement and the keyspaces in it that it may not touch, if they exist.

    `owned` are the course's keyspaces, `current` the session's. Raises Unauthorized for what changes the whole server.
    CREATE KEYSPACE may name any keyspace: whoever executes it has to claim the name first.
    """
    statement = parse(text)
    if isinstance(statement, (definitions.CreateKeyspace, *HARMLESS)):
        return statement, set()
    if type(statement).__module__ == administration.__name__:
        raise Unauthorized(f"It changes the server for everybody who uses it; {WHAT_IT_IS}")
    allowed = {*owned, *SYSTEM} if isinstance(statement, (definitions.Use, *READS)) else set(owned)
    return statement, keyspaces(statement, current) - allowed


def refusal(keyspace, owned):
    """Return the error that says why a statement is not passed on."""
    return Unauthorized(f"Keyspace {keyspace} is not the course's: {WHAT_IT_IS} (here: {', '.join(sorted(owned))})")


def keyspaces(statement, current):
    """Return the keyspaces that a statement means, the session's for what it does not qualify."""
    if hasattr(statement, "keyspace"):
        return {statement.keyspace} - {None}
    return {name.keyspace or current for name in _names(statement)} - {None}


def _names(node):
    """Yield the names of tables, types, indexes and views in a statement, but not those of functions."""
    if isinstance(node, Name):
        yield node
    elif isinstance(node, FunctionCall):
        yield from _names(node.arguments)
    elif isinstance(node, tuple | list):
        for item in node:
            yield from _names(item)
    elif is_dataclass(node):
        for field in fields(node):
            yield from _names(getattr(node, field.name))
