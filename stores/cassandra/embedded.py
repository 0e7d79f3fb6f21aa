"""The embedded Cassandra: one node or a ring of them in this process, each with an address of its own.

Each node has an engine and a coordinator; all of them work in the front's thread, one statement at a time.
"""

import errno
import socket

from stores.base import Clock
from stores.cassandra.coordinator import Coordinator
from stores.cassandra.engine import Engine
from stores.cassandra.protocol import messages
from stores.cassandra.protocol.session import CqlSession
from stores.cassandra.results import Consistency, Options, SchemaChange
from stores.cassandra.ring import DATACENTER, RACK, Ring
from stores.cassandra.schema import SYSTEM, Schema
from stores.cassandra.server import KEYSPACE, CassandraServer
from stores.cassandra.system import RELEASE
from stores.wire import HOST, Front

MAX_NODES = 9
TIMEOUT = 0.1  # seconds that a client waits for a timeout; Cassandra: 5 s for reads, 2 s for writes


class EmbeddedCassandra(CassandraServer):
    """A Cassandra in this process. `nodes` are its nodes: see ring.Node for stop(), cut_off() and restore()."""

    def __init__(self, nodes=1, replication=None, materialized_views=False):
        if not (isinstance(nodes, int) and 1 <= nodes <= MAX_NODES):
            raise ValueError(f"a ring has 1 to {MAX_NODES} nodes: expected nodes in that range, found {nodes!r}")
        self.replication = min(nodes, 3) if replication is None else replication
        self.timeout = TIMEOUT
        clock = Clock()
        self._schema = Schema(clock)
        self._schema.views_enabled = materialized_views
        self._ring = Ring(nodes, clock)
        self._ring.changed = self._change
        front = Front(lambda front: CqlSession(front, self), hosts(nodes))
        super().__init__(front, f"CQL engine after Cassandra {RELEASE}, {nodes} node{'s' * (nodes > 1)}", clock)
        front.start()
        front.run(self._in_thread(self._found))

    @property
    def nodes(self):
        """The nodes of the ring, in the order of their tokens."""
        return self._ring.nodes

    @property
    def hinted_handoff(self):
        """Whether nodes keep writes for those that are away; off, a node that comes back has stale data."""
        return self._ring.hinted_handoff

    @hinted_handoff.setter
    def hinted_handoff(self, on):
        self._ring.hinted_handoff = on

    def clean(self):
        self.front.run(self._in_thread(self._clean))
        self.front.accept()  # nodes that had stopped listen again when this returns

    def announce(self, change):
        """Tell the clients that asked for it about a change of the schema."""
        body = messages.schema_change(change)
        for session in list(self.front.sessions):
            session.push("SCHEMA_CHANGE", body)

    async def _in_thread(self, function):
        function()

    def _found(self):
        """Make the engines, which know each other, and the course's keyspace."""
        for node, (host, port) in zip(self.nodes, self.front.addresses, strict=True):
            node.host, node.port = host, port
            node.engine = Engine(self.clock, Coordinator(node, self._ring, self._schema), self._schema)
        for node in self.nodes:
            node.engine.describe_ring(_about(node), [_about(other) for other in self.nodes if other is not node])
        self._create_keyspace()

    def _create_keyspace(self):
        replication = f"{{'class': 'NetworkTopologyStrategy', '{DATACENTER}': {self.replication}}}"
        return self._ddl(f"CREATE KEYSPACE {self.keyspace} WITH replication = {replication}")

    def _ddl(self, text):
        return self.nodes[0].engine.execute(text, options=Options(consistency=Consistency.ONE))

    def _clean(self):
        self._ring.hinted_handoff = True
        for node in self.nodes:
            node.hints.clear()
            node.restore()
        dropped = [name for name in self._schema.keyspaces if name not in SYSTEM]
        for node in self.nodes:
            node.engine.reset()
        for name in dropped:
            self.announce(SchemaChange("DROPPED", "KEYSPACE", name))
        self.announce(self._create_keyspace())

    def _change(self, node, change):
        """Change a node's state, open or close its port, and tell clients what their nodes think."""
        if self.front.on_loop():
            self._apply(node, change)
        else:
            was_running = node.running
            self.front.run(self._in_thread(lambda: self._apply(node, change)))
            if node.running and not was_running:
                self.front.accept(node.number)  # it listens when this returns

    def _apply(self, node, change):
        before, was_running = self._beliefs(), node.running
        change()
        if node.running and not was_running:
            self.front.accept(node.number)
        elif was_running and not node.running:
            self.front.refuse(node.number)
        for (observer, other), up in self._beliefs().items():
            if up != before[observer, other]:
                body = messages.status_change("UP" if up else "DOWN", other.host, other.port)
                for session in list(self.front.sessions):
                    if session.node is observer:
                        session.push("STATUS_CHANGE", body)

    def _beliefs(self):
        return {(node, other): node.believes_up(other) for node in self.nodes for other in self.nodes}


def hosts(count):
    """Return loopback addresses for `count` nodes: 127.0.0.1, 127.0.0.2 …

    macOS has 127.0.0.1 alone (`sudo ifconfig lo0 alias 127.0.0.2` adds one): there the nodes differ by their ports.
    """
    wanted = [f"127.0.0.{number + 1}" for number in range(count)]
    return wanted if all(map(exists, wanted)) else [HOST] * count


def exists(host):
    """Return whether this machine has the address."""
    with socket.socket() as sock:
        try:
            sock.bind((host, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return False
            raise
    return True


def _about(node):
    """Return what system.local and system.peers say about a node."""
    return {
        "address": node.host,
        "port": node.port,
        "storage_port": 7000 + node.number if node.host == HOST else 7000,
        "cluster_name": KEYSPACE,
        "data_center": DATACENTER,
        "rack": RACK,
        "host_id": node.id,
        "tokens": {str(token) for token in node.tokens},
    }
