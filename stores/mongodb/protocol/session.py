"""One MongoDB client's connection."""

import itertools

from stores.base import Command
from stores.mongodb.errors import RESUMABLE, RETRYABLE_WRITE, TRANSIENT, MongoError
from stores.mongodb.protocol import messages
from stores.mongodb.record import Executed
from stores.wire import Session

# How a connection is set up and kept, not what its client came to do: neither recorded nor gated. A driver's monitor
# sends nothing but hello, so that faults of commands never meet it.
SET_UP = {
    *("hello", "isMaster", "ismaster", "saslStart", "saslContinue", "authenticate", "logout"),
    *("endSessions", "refreshSessions", "connectionStatus"),
}
# What the driver adds to every command.
ADDED = ("lsid", "txnNumber", "$clusterTime", "$db", "$readPreference", "autocommit", "startTransaction")


class MongoSession(Session):
    """Serves one connection. `node` executes commands: `await node.run(request, session)` gives the reply's document."""

    def __init__(self, front, node):
        super().__init__(front)
        self.parser = messages.Requests()
        self.node = node
        self.metadata = None  # what the client's hello said of itself
        self.number = next(NUMBERS)
        self._ids = itertools.count(1)

    async def opened(self):
        self.node.opened(self)

    async def closed(self):
        self.node.closed(self)

    # What clients came to do.

    def describe(self, request):
        request.arrived = self.front.loop.time()
        name = next(iter(request.body), "")
        if name in SET_UP or request.error is not None:
            request.command = None
        else:
            request.command = Command(name.upper(), (namespace(request.body), self._arguments(request)), self.name)
        return request.command

    def _arguments(self, request):
        if not self.front.logs and self.front.gate is None:  # nobody will look at them
            return {}
        return {name: value for name, value in (request.body | request.sequences).items() if name not in ADDED}

    async def execute(self, request):
        """Return the reply, or None for a client that wants none.

        One that reads an exhaust cursor gets several replies, each the answer to the one before.
        """
        while True:
            reply = await self.node.run(request, self)
            if not request.wants_reply:
                return None
            more = request.exhaust and goes_on(request.body, reply)
            id_ = next(self._ids)
            data = messages.encode_reply(request, reply, id_, more)
            if not more:
                return data
            self.write(data)
            request.id = id_
            if self._drained is not None:
                await self._drained

    async def finish(self, command):
        """The reply is about to be lost. The driver will take the server for dead until its monitor hears from it.

        Monitors look every half second at most; one that is told at once keeps the lesson short.
        """
        self._reassure()

    def _reassure(self):
        for seconds in REASSURE:
            self.front.loop.call_later(seconds, self.node.topology.announce)

    def note(self, request, returned=None, documents_examined=None, keys_examined=None):
        """Add to the records what a command has cost."""
        if request.command is None:
            return
        name, (space, command), client = request.command
        for log in self.front.logs:
            log.operations.append(Executed(name, space, command, client, documents_examined, keys_examined, returned))

    def transient_error(self, request):
        """Answer with an error that may not come again: a write conflict in a transaction, else a change of the primary."""
        if "autocommit" in request.body and next(iter(request.body)) not in ENDS_TRANSACTION:
            error = MongoError("WriteConflict", "write conflict: a fault that the course has asked for", labels=[TRANSIENT])
        else:
            label = RESUMABLE if "getMore" in request.body else RETRYABLE_WRITE
            error = MongoError("PrimarySteppedDown", "the primary stepped down: a fault that the course has asked for", labels=[label])
            self._reassure()  # the driver now waits until its monitor knows of a primary
        if not request.wants_reply:
            return None
        return messages.encode_reply(request, error.reply(), next(self._ids))

    def protocol_error(self, error):
        """Close without a word, as MongoDB does."""
        return b""


REASSURE = (0.005, 0.02, 0.08, 0.3)  # seconds
NUMBERS = itertools.count(1)  # of connections
ENDS_TRANSACTION = ("commitTransaction", "abortTransaction")


def goes_on(body, reply):
    """Return whether a client that allowed several replies gets another: of a cursor, or of a monitor's hello."""
    if "getMore" in body:
        return bool(reply.get("cursor", {}).get("id"))
    return "topologyVersion" in body and reply["ok"] == 1.0


def namespace(body):
    """Return "database.collection" of a command, or "database" where it names no collection."""
    database = body.get("$db", "")
    first = next(iter(body), "")
    name = body.get("collection") if first == "getMore" else body.get(first)
    return f"{database}.{name}" if isinstance(name, str) else database
