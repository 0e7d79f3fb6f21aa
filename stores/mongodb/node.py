"""The server behind the connections: an engine with its sessions, cursors and the clients that are there."""

import asyncio
import logging

from bson import Int64, ObjectId

from stores.mongodb.commands import dispatch
from stores.mongodb.commands.failpoints import NAMES, FailPoint
from stores.mongodb.cursors import Cursors
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import date_of
from stores.mongodb.sessions import Sessions

SWEEP = 1.0  # seconds between two looks for cursors and sessions that have timed out
GRACE = 1.0  # seconds that a client has to come back, whose last connection is gone
logger = logging.getLogger(__name__)


class Topology:
    """What drivers' monitors wait for: news of the replica set, of which there are none but "I am still here"."""

    def __init__(self):
        self.version = {"processId": ObjectId(), "counter": Int64(0)}
        self._waiting = set()

    async def news(self, seconds):
        """Wait for announce(), at most so long."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait([future], timeout=seconds)
        finally:
            self._waiting.discard(future)

    def announce(self):
        """Answer the monitors that wait."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


class Node:
    """A replica set of one. Everything happens in the front's thread.

    A client is known by what its hello said of itself: a killed one leaves no cursor, session or transaction behind.
    MongoDB itself waits for its time-outs, which hold here too.
    """

    def __init__(self, engine, clock, test_commands=False):
        self.engine = engine
        engine.list_sessions, engine.current_op = self.list_sessions, self.current_op
        self.clock = clock
        self.oplog = engine.oplog
        self.cursors = Cursors(clock)
        self.sessions = Sessions(engine, clock)
        self.connections = {}  # session of the wire: set of ids of logical sessions
        self.counters = dict.fromkeys(("insert", "query", "update", "delete", "getmore", "command"), 0)
        self.total_connections = 0
        self.started = self._swept = clock.now()
        self.front = None
        self.topology = Topology()
        self.test_commands = test_commands
        self.fail_points = {name: FailPoint() for name in NAMES}

    @property
    def address(self):
        return f"{self.front.host}:{self.front.port}"

    async def run(self, request, connection):
        """Execute a request and return its reply."""
        self.sweep()
        try:
            reply, call = await dispatch.run(self, request, connection)
        except Exception as error:  # a defect of ours: it must not look like one of the learner
            logger.exception("the embedded MongoDB failed")
            return MongoError("InternalError", f"the embedded engine failed: {type(error).__name__}: {error}").reply()
        if reply is None:  # a fail point
            connection.transport.abort()
            await connection.finish(request.command)
            return {}
        if call is not None:
            self._count(call, reply)
            if connection.front.logs:
                self._note(connection, request, call)
        return reply

    def sweep(self):
        """End what has timed out: documents, cursors, sessions, transactions."""
        self.engine.sweep()
        now = self.clock.now()
        if 0 <= now - self._swept < SWEEP:
            return
        self._swept = now
        self.cursors.sweep()
        for id_ in self.sessions.sweep():
            self.cursors.kill_where(lambda cursor, id_=id_: cursor.session is not None and cursor.session.id == id_)

    def clear(self):
        """Forget everything but the connections."""
        self.cursors.clear()
        self.sessions.clear()
        self.engine.reset()
        for point in self.fail_points.values():
            point.clear()

    # Clients.

    def opened(self, connection):
        self.connections[connection] = set()
        self.total_connections += 1

    def joined(self, connection, session):
        """Note that a connection works for a logical session."""
        self.connections.setdefault(connection, set()).add(session.id)

    def closed(self, connection):
        """When the last connection of a client is gone, so is what it left."""
        ids = self.connections.pop(connection, set())
        if ids and connection.front.loop.is_running():
            connection.front.loop.call_later(GRACE, self._bury, ids, connection.metadata)

    def _bury(self, ids, metadata):
        if any(other.metadata == metadata for other in self.connections):
            return
        for id_ in ids:
            self.sessions.end(id_)
        self.cursors.kill_where(lambda cursor: cursor.session is not None and cursor.session.id in ids)

    # What stages that look at the server tell.

    def list_sessions(self):
        """Return the logical sessions, for $listSessions and $listLocalSessions."""
        return [{"_id": {**session.document, "uid": b""}, "lastUse": date_of(session.last_use * 1000)} for session in self.sessions]

    def current_op(self):
        """Return a description of each connection, for $currentOp: one executes a command, the one that asks."""
        return [
            {"type": "op", "host": self.address, "connectionId": each.number, "appName": each.name, "active": False}
            for each in self.connections
        ]

    # Counting.

    def _count(self, call, reply):
        name = COUNTED.get(call.spec.name, "command")
        self.counters[name] += max(reply.get("n", 1), 1) if name == "insert" else 1

    def _note(self, connection, request, call):
        stats, before = call.operation.stats, (0, 0)
        if call.cursor is not None:  # its numbers go on from batch to batch
            stats, before = call.cursor.operation.stats, call.cursor.noted
            call.cursor.noted = (stats.documents_examined, stats.keys_examined)
        seen = (stats.documents_examined - before[0], stats.keys_examined - before[1])
        connection.note(request, call.returned or 0, *seen)


COUNTED = {"insert": "insert", "find": "query", "update": "update", "delete": "delete", "getMore": "getmore"}
