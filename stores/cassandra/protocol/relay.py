"""One client's connection to a real node: requests are looked at, passed on with their stream, and answered by the node."""

import asyncio
import re
from typing import NamedTuple

from stores.cassandra import errors
from stores.cassandra.cql import definitions
from stores.cassandra.guard import check, refusal
from stores.cassandra.protocol import codec, messages, segments, told
from stores.cassandra.protocol.frames import RESPONSE_OPCODES, TRACING, WARNING, Frame, Frames, Malformed
from stores.cassandra.protocol.session import NOT_A_REQUEST, SUPPORTED, CqlSession

# Drivers ask for the other nodes and would connect to them, past the front: they are told that there are none.
PEERS = re.compile(r"\s*SELECT\s+.*\s+FROM\s+system\.(peers(_v2)?)\s*$", re.IGNORECASE | re.DOTALL)
NO_PEERS = {"peers": " WHERE peer = '0.0.0.0'", "peers_v2": " WHERE peer = '0.0.0.0' AND peer_port = 0"}
# Events name the nodes' own addresses, which are not those of the front.
PASSED_EVENTS = {"SCHEMA_CHANGE"}


class RelaySession(CqlSession):
    """Serves one connection. `cluster` is the RealCassandra."""

    def __init__(self, front, cluster):
        super().__init__(front, cluster)
        self._upstream = None

    @property
    def waits(self):
        """Return whether requests wait for somebody else: all but those that set up the connection."""
        return self.version is not None

    async def opened(self):
        self.node = self.cluster

    async def closed(self):
        if self._upstream is not None:
            self._upstream.close()

    def prepared(self, id_):
        if id_ not in self.cluster.prepared:
            raise errors.Unprepared(id_)
        return self.cluster.prepared[id_]

    async def execute(self, message):
        version, stream = message.frame.version, message.frame.stream
        try:
            kind, body, flags = await self._relay(message)
        except errors.CqlError as error:
            (kind, body), flags = self.refusal(error, version), 0
        reply = self.frame(version, flags, stream, kind, body)
        if kind == "READY" and isinstance(message.request, messages.Startup):
            self.segmented = version >= 5
        return reply

    async def _relay(self, message):
        self.check_state(message)
        frame, request = message.frame, message.request
        match request:
            case messages.Plain():
                return "SUPPORTED", messages.supported(SUPPORTED), 0
            case messages.Startup(options=options):
                self.start(frame.version, options)
                self._upstream = await Upstream(self, frame.version).open()
                return "READY", b"", 0
            case messages.Register(events=events):
                self.register(events)
                if self.events & PASSED_EVENTS:
                    await self._upstream.call(frame._replace(body=codec.string_list(sorted(self.events & PASSED_EVENTS))))
                return "READY", b"", 0
            case messages.AuthResponse():
                raise errors.ProtocolException("Unexpected message AUTH_RESPONSE: the course has logged in already")
        statement, frame = await self._checked(frame, request)
        answer = await self._upstream.call(frame)
        await self._follow(message, statement, answer)
        return RESPONSE_OPCODES[answer.opcode], answer.body, answer.flags

    async def _checked(self, frame, request):
        """Return the parsed statement (None for prepared ones) and the frame to pass on. Raises CqlError."""
        match request:
            case messages.Query(text=text) if found := PEERS.match(text):
                wanted = text + NO_PEERS[found.group(1).lower()]
                data = wanted.encode()
                rest = frame.body[4 + len(text.encode()) :]
                return None, frame._replace(body=codec.int_(len(data)) + data + rest)
            case messages.Query(text=text) | messages.Prepare(text=text):
                keyspace = request.keyspace if isinstance(request, messages.Prepare) else request.parameters.keyspace
                claim = not isinstance(request, messages.Prepare)
                return await self._allowed(text, keyspace or self.keyspace, claim), frame
            case messages.Execute(id=id_):
                return await self._allowed(self.prepared(id_).text, self.prepared(id_).keyspace), frame
        for part, _ in request.entries:
            if isinstance(part, str):
                await self._allowed(part, request.parameters.keyspace or self.keyspace)
            else:
                self.prepared(part)
        return None, frame

    async def _allowed(self, text, keyspace, claim=True):
        statement, foreign = check(text, keyspace, self.cluster.owned())
        # The course's own questions to the server go through the driver, in other threads.
        for name in foreign:
            if await asyncio.to_thread(self.cluster.exists, name):  # of one that does not, the server says so
                raise refusal(name, self.cluster.owned())
        if isinstance(statement, definitions.CreateKeyspace) and claim:
            await asyncio.to_thread(self.cluster.claim, statement.keyspace, statement.if_not_exists)
        return statement

    async def _follow(self, message, statement, answer):
        """Keep what the session must know of the connection's state."""
        request = message.request
        result = _result_of(answer) if answer.opcode == messages.OPCODE["RESULT"] else b""
        kind = int.from_bytes(result[:4], "big")
        if kind == messages.SET_KEYSPACE:
            self.keyspace = codec.Reader(result[4:]).string()
        elif kind == messages.PREPARED:
            id_ = codec.Reader(result[4:]).short_bytes()
            columns = _if_understood(told.bind_columns, result, answer.version & 0x7F) or ()
            self.cluster.prepared[id_] = Known(request.text, request.keyspace or self.keyspace, columns)
        elif isinstance(statement, definitions.DropKeyspace) and kind == messages.SCHEMA_CHANGE:
            await asyncio.to_thread(self.cluster.forget, statement.keyspace)
        elif isinstance(statement, definitions.CreateKeyspace) and answer.opcode == messages.OPCODE["ERROR"]:
            await asyncio.to_thread(self.cluster.forget_unless_there, statement.keyspace)
        if message.command is not None and self.front.logs and kind and kind != messages.PREPARED:
            returned = _if_understood(told.row_count, result) if kind == messages.ROWS else 0
            self.note(message.command, request.parameters.options.consistency.name, returned=returned)


class Known(NamedTuple):
    """A statement that was prepared through the front."""

    text: str
    keyspace: str | None
    bind_columns: tuple


def _if_understood(read, *arguments):
    """Return what `read` finds, or None: a type that the course does not know must not stop the client that does."""
    try:
        return read(*arguments)
    except errors.CqlError:
        return None


def _result_of(answer):
    """Return the body of a RESULT without the trace's id and the warnings before it."""
    body = answer.body
    if answer.flags & TRACING:
        body = body[16:]
    if answer.flags & WARNING:
        reader = codec.Reader(body)
        reader.string_list()
        body = reader.rest()
    return body


class Upstream(asyncio.Protocol):
    """The real node's side of one connection."""

    def __init__(self, session, version):
        self._session = session
        self._version = version
        self._frames = Frames(responses=True)
        self._segmented = False
        self._answers = {}  # stream: future
        self._transport = None

    async def open(self):
        """Connect, say hello, log in if asked."""
        loop = self._session.front.loop
        self._transport, _ = await loop.create_connection(lambda: self, *self._session.cluster.host_and_port)
        hello = codec.string_map({"CQL_VERSION": "3.0.0", "DRIVER_NAME": "NoSQL course"})
        answer = await self.call(self._frame("STARTUP", hello))
        if answer.opcode == messages.OPCODE["AUTHENTICATE"]:
            user, password = self._session.cluster.login or ("", "")
            answer = await self.call(self._frame("AUTH_RESPONSE", codec.bytes_(f"\0{user}\0{password}".encode())))
        if answer.opcode == messages.OPCODE["ERROR"]:
            raise errors.ProtocolException(codec.Reader(answer.body[4:]).string())
        return self

    async def call(self, frame):
        """Send one request and return the frame that answers it."""
        if self._transport.is_closing():
            raise ConnectionError("the real server has closed the connection")
        answer = self._answers[frame.stream] = self._session.front.loop.create_future()
        data = frame.encode()
        self._transport.write(segments.wrap(data) if self._segmented else data)
        return await answer

    def close(self):
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data):
        for frame in self._frames.feed(data):
            if isinstance(frame, Malformed):
                self.close()
            elif frame.stream == NOT_A_REQUEST:
                self._session.write(self._session.frame(self._version, frame.flags, NOT_A_REQUEST, "EVENT", frame.body))
            else:
                if self._version >= 5 and not self._segmented:  # the answer to STARTUP: READY or AUTHENTICATE
                    self._segmented = True
                    self._frames.use_segments()
                answer = self._answers.pop(frame.stream, None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)

    def connection_lost(self, _):
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the real server closed the connection"))
        self._session.transport.abort()

    def _frame(self, kind, body):
        return Frame(self._version, 0, 0, messages.OPCODE[kind], body)
