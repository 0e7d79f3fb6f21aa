"""One client's connection to a real server: commands are looked at, passed on as they came, and answered by the server."""

import asyncio
import itertools
import socket

from stores.mongodb import guard
from stores.mongodb.errors import MongoError
from stores.mongodb.protocol import messages, scram
from stores.mongodb.protocol.session import MongoSession

# What a hello says that the real server must not learn: it has met the front, and the front does not compress or log in.
OURS = ("client", "compression", "speculativeAuthenticate", "saslSupportedMechs", "topologyVersion", "maxAwaitTimeMS")
# What it answers of other members: drivers would connect to them, past the front.
MEMBERS = ("hosts", "passives", "arbiters", "tags", "arbiterOnly", "topologyVersion", "compression", "saslSupportedMechs")


class RelaySession(MongoSession):
    """Serves one connection. `node` is the RealMongoDB."""

    async def opened(self):
        self._upstream = await Upstream(self).open()

    async def closed(self):
        upstream = getattr(self, "_upstream", None)
        if upstream is not None:
            upstream.close()

    async def execute(self, request):
        name = next(iter(request.body), "")
        try:
            if request.error is not None:
                raise request.error
            if name in ("hello", "isMaster", "ismaster"):
                return await self._hello(request)
            await self._check(request)
        except MongoError as error:
            return messages.encode_reply(request, error.reply(), next(self._ids)) if request.wants_reply else None
        self._upstream.send(request.raw)
        if not request.wants_reply:
            return None
        while True:
            reply = await self._upstream.reply()
            reply = self._seen(request, name, reply)
            if not messages.more_to_come(reply):
                return reply
            self.write(reply)

    async def _check(self, request):
        """Refuse what reaches outside; claim a database that a write is about to make."""
        reach, ledger = guard.reach(request.body | request.sequences), self.node.ledger
        for database in (reach.read | reach.written) - ledger.owned:
            # The course's own questions to the server go through the driver, in another thread.
            if database in guard.SYSTEM or await asyncio.to_thread(ledger.exists, database):
                raise guard.foreign(database)
            if database in reach.written and not await asyncio.to_thread(ledger.claim, database):
                raise guard.foreign(database)

    def _seen(self, request, name, reply):
        """Return the reply as the client is to see it, and note what it returned."""
        if name == "listDatabases":
            document = messages.decode_reply(reply)
            if "databases" in document:
                document["databases"] = [each for each in document["databases"] if each["name"] in self.node.ledger.owned]
                reply = messages.encode_reply(request, document, next(self._ids))
        if self.front.logs:
            cursor = messages.decode_reply(reply).get("cursor", {})
            self.note(request, len(cursor.get("firstBatch", cursor.get("nextBatch", ()))))
        return reply

    async def _hello(self, request):
        """Present the real server as one that has this front as its only member."""
        asked = request.body
        if "client" in asked and self.metadata is None:
            self.metadata = asked["client"]
            self.name = str(asked["client"].get("application", {}).get("name", ""))
        topology = self.node.topology
        while True:
            if asked.get("topologyVersion") == topology.version:
                await topology.news(min(asked.get("maxAwaitTimeMS", 10_000), 10_000) / 1000)
            reply = await self._upstream.ask({name: value for name, value in asked.items() if name not in OURS})
            id_ = next(self._ids)
            more = request.exhaust and "topologyVersion" in asked
            data = messages.encode_reply(request, self._presented(reply), id_, more)
            if not more:
                return data
            self.write(data)
            request.id = id_

    def _presented(self, reply):
        told = {name: value for name, value in reply.items() if name not in MEMBERS}
        address = f"{self.front.host}:{self.front.port}"
        if "setName" in reply:
            told |= {"hosts": [address], "me": address}
            if reply.get("primary"):
                told["primary"] = address
        return told | {"topologyVersion": self.node.topology.version}


class Upstream(asyncio.Protocol):
    """The real server's side of one connection."""

    def __init__(self, session):
        self._session = session
        self._buffer = bytearray()
        self._replies = asyncio.Queue()
        self._transport = None
        self._ids = itertools.count(1)

    async def open(self):
        """Connect and log in."""
        server, loop = self._session.node, self._session.front.loop
        host, port = await asyncio.to_thread(server.upstream_address)
        tls = server.tls
        self._transport, _ = await loop.create_connection(
            lambda: self, host, port, ssl=tls, server_hostname=host if tls else None, family=socket.AF_UNSPEC
        )
        hello = {"hello": 1, "helloOk": True, "client": CLIENT, "$db": "admin"}
        if server.login:
            user, _, source, _ = server.login
            hello["saslSupportedMechs"] = f"{source}.{user}"
        told = await self.ask(hello)
        if server.login:
            await scram.log_in(self.ask, server.login, told.get("saslSupportedMechs", ()))
        return self

    def send(self, data):
        """Send a whole message."""
        if self._transport.is_closing():
            raise ConnectionError("the real server has closed the connection")
        self._transport.write(data)

    async def reply(self):
        """Return the next whole message of the server."""
        reply = await self._replies.get()
        if reply is None:
            raise ConnectionError("the real server closed the connection")
        return reply

    async def ask(self, command):
        """Send a command of the course's own and return the reply's document."""
        self.send(messages.encode_command(command, next(self._ids)))
        return messages.decode_reply(await self.reply())

    def close(self):
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data):
        self._buffer += data
        while len(self._buffer) >= 4 and len(self._buffer) >= (length := int.from_bytes(self._buffer[:4], "little")):
            self._replies.put_nowait(bytes(self._buffer[:length]))
            del self._buffer[:length]

    def connection_lost(self, _):
        self._replies.put_nowait(None)
        self._session.transport.abort()


CLIENT = {
    "application": {"name": "nosql-course"},
    "driver": {"name": "nosql-course", "version": "1"},
    "os": {"type": "unknown"},
}
