"""A real Cassandra: the cluster that CASSANDRA_CONTACT_POINTS names, in keyspaces of the course's own.

Cassandra cannot mark a keyspace, so the course keeps a ledger in a keyspace `nosql_course`: which keyspaces it has made
and which kernel they belong to. A name is claimed there by a lightweight transaction before the keyspace is created, and
only if no such keyspace exists. Only what stands in the ledger is ever dropped.

A kernel lives as long as its row in the ledger, which it writes again and again with a time to live. The keyspaces of a
kernel that was killed are dropped by the next start.
"""

import os
import secrets
import socket
import threading
import time
from contextlib import suppress

from stores.base import Clock, NotOnRealServer, unreachable, within
from stores.cassandra import VARIABLE
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.protocol.relay import RelaySession
from stores.cassandra.server import CassandraServer
from stores.wire import Front

LEDGER = "nosql_course"
COMMENT = "the ledger of the NoSQL course"
ALIVE = 30  # seconds that a kernel counts as alive after its last sign of life
HEARTBEAT = 8  # seconds between two
CONNECT = 0.8  # seconds for one address
ANSWERS = 10  # seconds for one statement of ours; a schema change takes a second on some machines
PORT = 9042


class RealCassandra(CassandraServer):
    """A front of one node of a real cluster: drivers see this node alone."""

    kind = "real"

    def __init__(self, address, replication=1):
        self._token = secrets.token_hex(4)
        self.keyspace = f"course_{self._token}"
        self.replication = replication
        self.host_and_port = None
        try:
            self.host_and_port = within(CONNECT * 2, lambda: first_answering(address))
            self._connect()
            self._take()
        except Exception as error:  # the driver has many; all of them mean that this server is not to be had
            self._disconnect()
            raise unreachable(address, str(error).rstrip("."), VARIABLE) from None
        self.prepared = {}  # id: text, of what went through this front
        front = Front(lambda front: RelaySession(front, self))
        release = self._ask("SELECT release_version FROM system.local").one()[0]
        super().__init__(front, f"Cassandra {release} at {':'.join(map(str, self.host_and_port))}", RealClock())
        front.start()
        self.address = f"{front.host}:{front.port}"  # as a node of the record
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name="stores-cassandra-heartbeat").start()

    @property
    def login(self):
        """User name and password for the cluster, or None."""
        user = os.environ.get("CASSANDRA_USERNAME")
        return (user, os.environ.get("CASSANDRA_PASSWORD", "")) if user else None

    @property
    def nodes(self):
        raise NotOnRealServer(f"nodes of a real cluster are not the course's to stop. Unset {VARIABLE} to run this part")

    def owned(self):
        """Return the names of the keyspaces that this kernel has made."""
        return self._owned

    def clean(self):
        self._drop_all()
        self.create_keyspace()

    def stop(self):
        if not self.running:
            return
        super().stop()
        self._ended.set()
        with suppress(Exception):  # what cannot be given back now, the next start finds
            self._drop_all()
            self._ask(f"DELETE FROM {LEDGER}.kernels WHERE kernel = '{self._token}'")
        self._disconnect()

    def exists(self, keyspace):
        """Return whether the server has a keyspace of this name."""
        found = self._ask(f"SELECT durable_writes FROM system_schema.keyspaces WHERE keyspace_name = '{_quoted(keyspace)}'")
        return found.one() is not None

    def claim(self, name, if_not_exists=False):
        """Write into the ledger that a keyspace is this kernel's. Raises InvalidRequest when it is somebody else's."""
        if name in self._owned:
            return
        exists = self.exists(name)
        if exists and not if_not_exists:
            return  # the server says so itself
        claim = f"INSERT INTO {LEDGER}.keyspaces (name, kernel) VALUES ('{_quoted(name)}', '{self._token}') IF NOT EXISTS"
        if exists or not self._ask(claim).was_applied:
            raise InvalidRequest(f"Keyspace {name} exists and is not the course's: choose another name")
        self._owned.add(name)

    def forget(self, name):
        """Take a keyspace that has been dropped out of the ledger."""
        self._owned.discard(name)
        self._ask(f"DELETE FROM {LEDGER}.keyspaces WHERE name = '{_quoted(name)}' IF kernel = '{self._token}'")

    def forget_unless_there(self, name):
        """Take a claim back when nothing was created."""
        if name in self._owned and not self.exists(name):
            self.forget(name)

    def create_keyspace(self):
        self.claim(self.keyspace)
        where = self._ask("SELECT data_center FROM system.local").one()[0]
        replication = f"{{'class': 'NetworkTopologyStrategy', '{where}': {self.replication}}}"
        self._ask(f"CREATE KEYSPACE IF NOT EXISTS {self.keyspace} WITH replication = {replication}")

    # The course's own connection, through the driver.

    def _connect(self):
        from cassandra.auth import PlainTextAuthProvider
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
        from cassandra.policies import WhiteListRoundRobinPolicy

        host, port = self.host_and_port
        profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([host]), request_timeout=ANSWERS)
        self._cluster = Cluster(
            [host],
            port=port,
            protocol_version=4,
            connect_timeout=CONNECT,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            auth_provider=PlainTextAuthProvider(*self.login) if self.login else None,
            schema_metadata_enabled=False,
        )
        self._session = self._cluster.connect()

    def _disconnect(self):
        if getattr(self, "_cluster", None) is not None:
            self._cluster.shutdown()

    def _ask(self, text):
        return self._session.execute(text)

    def _take(self):
        """Open the ledger, drop what dead kernels left, and make the course's keyspace."""
        self._owned = set()
        self._open_ledger()
        self._live()
        alive = {row.kernel for row in self._ask(f"SELECT kernel FROM {LEDGER}.kernels")}
        for name, token in self._ask(f"SELECT name, kernel FROM {LEDGER}.keyspaces"):
            if token not in alive:
                take = f"UPDATE {LEDGER}.keyspaces SET kernel = '{self._token}' WHERE name = '{_quoted(name)}' IF kernel = '{token}'"
                if self._ask(take).was_applied:
                    self._owned.add(name)
        self._drop_all()
        self.create_keyspace()

    def _open_ledger(self):
        found = self._ask(f"SELECT comment FROM system_schema.tables WHERE keyspace_name = '{LEDGER}'").all()
        if found and any(row.comment != COMMENT for row in found):
            raise RuntimeError(f"it has a keyspace {LEDGER} that the course did not make")
        simple = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
        for text in (
            f"CREATE KEYSPACE IF NOT EXISTS {LEDGER} WITH replication = {simple}",
            f"CREATE TABLE IF NOT EXISTS {LEDGER}.kernels (kernel text PRIMARY KEY, seen timestamp) WITH comment = '{COMMENT}'",
            f"CREATE TABLE IF NOT EXISTS {LEDGER}.keyspaces (name text PRIMARY KEY, kernel text) WITH comment = '{COMMENT}'",
        ):
            if not found:
                self._ask(text)

    def _drop_all(self):
        for name in list(self._owned):
            if self.exists(name):
                self._ask(f'DROP KEYSPACE IF EXISTS "{name}"')
            self.forget(name)

    def _live(self):
        self._ask(f"INSERT INTO {LEDGER}.kernels (kernel, seen) VALUES ('{self._token}', currentTimestamp()) USING TTL {ALIVE}")

    def _beat(self):
        while not self._ended.wait(HEARTBEAT):
            with suppress(Exception):  # a server that is down is for the learner's own client to find
                self._live()


def _quoted(text):
    return text.replace("'", "''")


class RealClock(Clock):
    """The time of day: a real cluster's time cannot be moved."""

    def now(self):
        return time.time()

    def advance(self, seconds):
        raise NotOnRealServer(f"a real server's time cannot be moved. Unset {VARIABLE} to run this part")

    def frozen(self):
        raise NotOnRealServer(f"a real server's time cannot be held still. Unset {VARIABLE} to run this part")


def first_answering(address):
    """Return the (host, port) of the contact points that accepts connections first. Raises OSError, ValueError."""
    failure = ValueError("expected addresses such as 127.0.0.1:9042, separated by commas")
    for point in filter(None, (part.strip() for part in address.split(","))):
        host, _, port = point.rpartition(":") if point.count(":") == 1 else (point, "", "")
        if port and not port.isdigit():
            raise ValueError(f"expected a number as port, found {port!r}")
        try:
            with socket.create_connection((host, int(port or PORT)), timeout=CONNECT) as sock:
                return sock.getpeername()[:2]
        except OSError as error:
            failure = OSError(f"{point}: {error.strerror or error}")
    raise failure
