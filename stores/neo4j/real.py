"""A real Neo4j: the database that NEO4J_URI names, marked as the course's for as long as the course runs.

Neo4j's community edition has one database, so the course cannot make one for itself. It takes a database that is
empty, marks it with a constraint (schema, so that no query over the data ever meets it), and only ever deletes
in a database that bears this mark. When it stops it deletes its data and its mark. It refuses

- a database that holds nodes, constraints or indexes and no mark: they are somebody's;
- to delete when the marked database holds more nodes than came through the course's front: somebody else writes there.
"""

import os
import socket
import ssl
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from urllib.parse import urlsplit

from stores.base import unreachable, within
from stores.neo4j import VARIABLE
from stores.neo4j.cypher import quoted, read, unquoted
from stores.neo4j.front import GraphServer
from stores.neo4j.policy import Failure, Policy
from stores.neo4j.upstream import EngineError, Refused, Upstream

MARK, MARKED = "nosql_course", "NosqlCourse"  # the constraint, and the label that it is on
AGENT = "nosql-course-owner/1"  # how two kernels on one database see each other
CONNECTS_WITHIN = 0.5  # seconds
ANSWERS_WITHIN = 1.3  # seconds: the first query that a Neo4j ever gets takes about one
DELETES_WITHIN = 120  # seconds
BATCH = 10_000  # nodes deleted in one transaction
SCHEMES = {"bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"}


class NotOurs(RuntimeError):
    """The real database holds what the course did not write. Nothing was deleted."""


class RealNeo4j(GraphServer):
    """A front of a real Neo4j, in a database of the course's own."""

    kind = "real"

    def __init__(self, address):
        self._address = address
        self._admin = None
        self.database = os.environ.get("NEO4J_DATABASE", "").strip() or "neo4j"
        try:
            login, upstream, tls = _parse(address)
            # A probe of its own: a name server that hangs would otherwise hold up the front for good.
            within(CONNECTS_WITHIN, lambda: socket.create_connection(upstream, CONNECTS_WITHIN).close())
        except (OSError, ValueError) as error:
            raise unreachable(address, str(error), VARIABLE) from None
        super().__init__(RealPolicy(), engine="Neo4j", upstream=upstream, login=login, tls=tls)
        try:
            self.engine = self._take()
        except (EngineError, NotOurs, OSError, Late) as error:
            self.front.stop()
            if isinstance(error, Refused):
                error = f"it refuses the name and password in NEO4J_USERNAME and NEO4J_PASSWORD ({error})"
            raise unreachable(address, str(error).rstrip(".") or "it does not answer", VARIABLE) from None

    def clean(self):
        """Delete the course's data, constraints and indexes. Raises NotOurs when there is more than the course wrote."""
        self.forget_transactions()
        self._refuse_strangers()
        self._wipe()
        self.nodes = 0

    def stop(self):
        """Give the database back, empty and without the mark. What cannot be given back now the next start finds."""
        if self.running:
            with suppress(EngineError, NotOurs, OSError, Late):
                self.forget_transactions()
                self._refuse_strangers()
                self._wipe()
                self._ask(f"DROP CONSTRAINT {MARK} IF EXISTS")
        super().stop()

    def _ask(self, query, **parameters):
        """Return the rows of a query as a list of dicts."""
        return self.front.run(self._answer(query, parameters), ANSWERS_WITHIN if self._admin is None else DELETES_WITHIN)

    async def _answer(self, query, parameters):
        if self._admin is None:  # one connection, kept: by it other kernels see this one
            self._admin = await Upstream(self, AGENT).open()
        return await self._admin.rows(query, parameters)

    def _count(self):
        return self._ask("MATCH (n) RETURN count(n) AS nodes")[0]["nodes"]

    def _take(self):
        """Make the database ours or raise NotOurs, and return the product's name."""
        component = self._ask("CALL dbms.components() YIELD name, versions, edition")[0]
        schema = self._constraints() + self._indexes()
        nodes = self._count()
        if MARK in schema:
            if nodes and self._is_shared():
                self.nodes = nodes
            else:
                self._wipe()  # left by a run that was killed
        elif nodes or schema:
            raise NotOurs(
                f"the database {self.database} holds {nodes} nodes and {len(schema)} constraints and indexes that the course "
                "did not make. The course needs an empty one (NEO4J_DATABASE chooses among several)"
            )
        else:
            self._ask(f"CREATE CONSTRAINT {MARK} FOR (m:{MARKED}) REQUIRE m.mark IS UNIQUE")
        return f"Neo4j {component['versions'][0]} {component['edition']}"

    def _is_shared(self):
        """Return whether another kernel of the course is connected; True when the server does not tell."""
        try:
            connections = self._ask("CALL dbms.listConnections() YIELD userAgent WHERE userAgent = $agent RETURN 1", agent=AGENT)
        except EngineError:
            return True
        return len(connections) > 1

    def _constraints(self):
        return [record["name"] for record in self._ask("SHOW CONSTRAINTS YIELD name")]

    def _indexes(self):
        """Return the names of the indexes that are neither part of a constraint nor of every Neo4j."""
        found = self._ask("SHOW INDEXES YIELD name, type, owningConstraint")
        return [record["name"] for record in found if record["type"] != "LOOKUP" and not record["owningConstraint"]]

    def _refuse_strangers(self):
        if self.nodes is not None and (found := self._count()) > self.nodes:
            raise NotOurs(
                f"The database {self.database} at {self._address} holds {found} nodes, but the course wrote {self.nodes}. "
                "Somebody else, or another notebook of the course, writes there: nothing was deleted. "
                f"Stop the other one, or unset {VARIABLE} to use the embedded server."
            )

    def _wipe(self):
        while self._ask(f"MATCH (n) WITH n LIMIT {BATCH} DETACH DELETE n RETURN count(*) AS n")[0]["n"]:
            pass
        for name in self._constraints():
            if name != MARK:
                self._ask(f"DROP CONSTRAINT {quoted(name)} IF EXISTS")
        for name in self._indexes():
            self._ask(f"DROP INDEX {quoted(name)} IF EXISTS")


class RealPolicy(Policy):
    """Keeps the course inside its database of a real Neo4j."""

    def refuses(self, text, reading, mode):
        return super().refuses(text, reading, mode) or _reaches_outside(reading)

    def records(self, text, fields, payloads):
        """Hide the course's mark from SHOW CONSTRAINTS, SHOW INDEXES and db.labels()."""
        reading = read(text)
        if not reading.starts("SHOW") and not reading.starts("CALL", "DB"):
            return payloads
        return [payload for payload in payloads if MARK.encode() not in payload and MARKED.encode() not in payload]


ADMINISTRATION = {
    "ALTER",
    "DEALLOCATE",
    "DENY",
    "ENABLE",
    "GRANT",
    "REALLOCATE",
    "RENAME",
    "REVOKE",
    "START",
    "STOP",
    "TERMINATE",
    "USE",
}
OF_THE_SERVER = {"ALIAS", "DATABASE", "ROLE", "SERVER", "USER", "COMPOSITE"}
READS_ONLY = {"components", "info", "listConfig", "listConnections"}  # of the procedures called dbms.…
OUTSIDE = ("dbms", "apoc.export", "apoc.systemdb", "apoc.trigger")


def _reaches_outside(reading):
    """Return the Failure for a query that would change the server or another database, or None."""
    words = [token.word for token in reading.body]
    names = [unquoted(token) for token in reading.tokens]
    first, second = (*words, "", "")[:2]
    if first in ADMINISTRATION or (first in ("CREATE", "DROP") and second in OF_THE_SERVER):
        return _outside(first)
    if first == "DROP" and MARK in names:
        return _outside(f"dropping {MARK}, the course's mark,")
    for i, word in enumerate(words[:-1]):
        called = "".join(token.text for token in reading.body[i + 1 : i + 6]) if word == "CALL" else ""
        if called.startswith(OUTSIDE) and called.removeprefix("dbms.").split("(")[0] not in READS_ONLY:
            return _outside(called.split("(")[0])
    return None


def _outside(what):
    told = f"{what} reaches outside the course's own data, and this is a real Neo4j: the course's server does not pass it on."
    return Failure("Neo.ClientError.Security.Forbidden", told)


def _parse(address):
    """Return (user, password), (host, port) and an SSL context or None. Raises ValueError with what was expected."""
    parts = urlsplit(address if "://" in address else f"bolt://{address}")
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise ValueError("expected an address such as bolt://localhost:7687 or neo4j+s://….databases.neo4j.io")
    user = os.environ.get("NEO4J_USERNAME") or "neo4j"
    password = os.environ.get("NEO4J_PASSWORD")
    if not password:
        raise ValueError("NEO4J_PASSWORD is not set")
    context = ssl.create_default_context() if "+" in parts.scheme else None
    if parts.scheme.endswith("+ssc"):  # a certificate that the server signed itself
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return (user, password), (parts.hostname, parts.port or 7687), context
