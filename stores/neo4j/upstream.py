"""The engine's side of a connection: a small Bolt client, for the embedded engine and for a real Neo4j."""

import asyncio

from stores.neo4j import bolt
from stores.neo4j.packstream import unpack

CONNECT_WITHIN = 5  # seconds


class EngineError(RuntimeError):
    """The engine refused what the front itself asked of it."""


class Refused(EngineError):
    """The engine does not let the front in."""


class Upstream:
    """The engine's side of a connection."""

    def __init__(self, server, agent="nosql-course/1"):
        self._agent = agent
        self.generation = server.generation
        self._server = server
        self._chunks = bolt.Chunks()
        self._payloads = []

    async def open(self):
        """Connect and log on. Raises OSError when the engine is gone, Refused when it does not let us in."""
        host, port = self._server.upstream
        self._reader, self._writer = await asyncio.wait_for(asyncio.open_connection(host, port, ssl=self._server.tls), CONNECT_WITHIN)
        self._writer.write(bolt.offer())
        if await self._reader.readexactly(4) != bolt.agreed():
            raise ConnectionError(f"{host}:{port} does not speak Bolt {bolt.VERSION[0]}.{bolt.VERSION[1]}")
        user, password = self._server.login
        hello = {"user_agent": self._agent, "bolt_agent": {"product": "nosql-course/1"}}
        logon = {"scheme": "basic", "principal": user, "credentials": password}
        for tag, fields in ((bolt.HELLO, hello), (bolt.LOGON, logon)):
            _, answer = await self.send(tag, fields)
            if answer.tag != bolt.SUCCESS:
                raise Refused(answer.fields[0].get("message", "no reason given"))
        return self

    async def send(self, tag, *fields):
        """Send one message and return (payloads of the records, the summary's Message)."""
        self._writer.write(bolt.encode(tag, *fields))
        records = []
        while True:
            while not self._payloads:
                data = await self._reader.read(2**16)
                if not data:
                    raise ConnectionError("the engine closed the connection")
                self._payloads.extend(self._chunks.feed(data))
                self._payloads.reverse()
            found = self._payloads.pop()
            if found[1] != bolt.RECORD:
                return records, bolt.message(found)
            records.append(found)

    async def rows(self, query, parameters=None):
        """Run a query and return its rows as a list of dicts. Raises EngineError with the engine's message."""
        _, begun = await self.send(bolt.RUN, query, parameters or {}, {"db": self._server.database})
        records, ended = await self.send(bolt.PULL, {"n": -1})
        for answer in (begun, ended):
            if answer.tag == bolt.FAILURE:
                await self.send(bolt.RESET)
                raise EngineError(answer.fields[0].get("message", "no reason given"))
        names = begun.fields[0]["fields"]
        return [dict(zip(names, unpack(record).fields[0], strict=True)) for record in records]

    def close(self):
        self._writer.close()
