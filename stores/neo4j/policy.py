"""What a front does to queries and answers: refuse, rewrite, translate, complete."""

import re
from typing import NamedTuple


class Failure(NamedTuple):
    """A Neo4j status code and its message."""

    code: str
    message: str


STATEMENT = "Neo.ClientError.Statement."
SCHEMA = "Neo.ClientError.Schema."


class Policy:
    """What holds for every engine."""

    def refuses_database(self, name):
        """Return the Failure for a database other than the course's, or None."""
        if name in (None, "", "neo4j"):
            return None
        return Failure(
            "Neo.ClientError.Database.DatabaseNotFound",
            f"Database '{name}' does not exist here: expected database_=\"neo4j\", the only one of the course's server.",
        )

    def refuses(self, reading, text, mode):
        """Return the Failure for a query that must not run, or None. `mode` is "r" in a read transaction."""
        if mode == "r" and reading.writes:
            return Failure(
                STATEMENT + "AccessMode",
                "Writing in read access mode not allowed. Attempted write to neo4j: "
                "use execute_write(), or routing_=RoutingControl.WRITE.",
            )
        return None

    def rewrite(self, reading, text):
        """Return the text for the engine."""
        return text

    def translate(self, failure, text):
        """Return the engine's failure as Neo4j would say it."""
        return failure

    def shows(self, reading, record):
        """Return whether a record's payload is for the client."""
        return True

    def summarise(self, reading, metadata):
        """Return the summary's metadata as Neo4j would give it."""
        return metadata


# What the engine's message begins with or holds, the status code it has in Neo4j.
CODES = [
    (r"^DeleteConnectedNode|[Dd]uplicated? key|ConstraintValidationFailed", SCHEMA + "ConstraintValidationFailed"),
    (r"^(UndefinedVariable|InvalidAggregation|NoExpressionAlias|UnexpectedSyntax)", STATEMENT + "SyntaxError"),
    (r"does not support null property values", STATEMENT + "SemanticError"),
    (r"^TypeError", STATEMENT + "TypeError"),
    (r"^Unknown procedure", "Neo.ClientError.Procedure.ProcedureNotFound"),
    (r"(Constraint|Index) .*already exists|already exists.*(constraint|index)", SCHEMA + "EquivalentSchemaRuleAlreadyExists"),
]
CODES = [(re.compile(pattern), code) for pattern, code in CODES]


class EmbeddedPolicy(Policy):
    """What makes ArcadeDB answer as Neo4j does."""

    def __init__(self, server):
        self._server = server

    def translate(self, failure, text):
        code = next((code for pattern, code in CODES if pattern.search(failure.message)), failure.code)
        return Failure(code, failure.message)

    def summarise(self, reading, metadata):
        return {**metadata, "type": reading.kind} if "type" in metadata or reading.kind else metadata
