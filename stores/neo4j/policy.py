"""What every front does to queries, whichever engine stands behind it: refuse, rewrite, translate, complete."""

from typing import NamedTuple

STATEMENT = "Neo.ClientError.Statement."
SCHEMA = "Neo.ClientError.Schema."


class Failure(NamedTuple):
    """A Neo4j status code and its message."""

    code: str
    message: str


class Policy:
    """What holds for every engine. A text is a query's; its Reading is what `cypher.read` says of it."""

    def refuses_database(self, name):
        """Return the Failure for a database other than the course's, or None."""
        if name in (None, "", "neo4j"):
            return None
        return Failure(
            "Neo.ClientError.Database.DatabaseNotFound",
            f"Database '{name}' does not exist here: expected database_=\"neo4j\", the only one of the course's server.",
        )

    def refuses(self, text, reading, mode):
        """Return the Failure for a query that must not run, or None. `mode` is "r" in a read transaction."""
        if mode == "r" and reading.writes:
            return Failure(
                STATEMENT + "AccessMode",
                "Writing in read access mode not allowed. Attempted write to neo4j: "
                "use execute_write(), or routing_=RoutingControl.WRITE.",
            )
        return None

    def wraps(self, text, reading):
        """Return whether a query outside a transaction has to be given one."""
        return False

    def rewrite(self, text, reading):
        """Return the text for the engine."""
        return text

    async def translate(self, failure, text):
        """Return the engine's failure as Neo4j would say it."""
        return failure

    def fields(self, text, fields):
        """Return the names of the columns, given those that the engine tells."""
        return fields

    def records(self, text, fields, payloads):
        """Return the payloads of the records for the client."""
        return payloads

    def summarise(self, reading, metadata):
        """Return the summary's metadata as Neo4j would give it."""
        return metadata
