"""One CQL client's connection to one node."""

import logging
import re
import uuid
from dataclasses import dataclass

from stores.base import Command
from stores.cassandra import errors
from stores.cassandra.cql.statements import Select
from stores.cassandra.protocol import messages, segments
from stores.cassandra.protocol.frames import NAMES, TRACING, WARNING, Frame, Frames, Malformed, compressed
from stores.cassandra.record import Statement
from stores.cassandra.results import Rows, SchemaChange, SetKeyspace, Trace
from stores.wire import Session

EVENTS = ("TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE")
NOT_A_REQUEST = -1  # the stream of events
# What drivers ask to get to know the cluster is connection set-up: neither recorded nor gated.
SET_UP = re.compile(r"\s*(USE\b|SELECT\b.*?\bFROM\s+system(_\w+)?\s*\.)", re.IGNORECASE | re.DOTALL)
FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|//[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
TIMEOUTS = (errors.ReadTimeout, errors.WriteTimeout)
logger = logging.getLogger(__name__)


@dataclass
class Message:
    """A request as it arrived: its frame and what it says; `command` is None for connection set-up."""

    frame: Frame
    request: messages.Request
    command: Command | None = None


class Messages:
    """Parses a client's bytes into messages; one that says nothing sensible ends the connection."""

    def __init__(self):
        self._frames = Frames()

    def feed(self, data):
        """Return the complete messages; the last may be a Malformed."""
        return [frame if isinstance(frame, Malformed) else _message(frame) for frame in self._frames.feed(data)]


def _message(frame):
    try:
        return Message(frame, messages.decode(frame))
    except errors.ProtocolException as error:
        return Malformed(error.message, frame.version, frame.stream)


class CqlSession(Session):
    """Serves one connection. `cluster` has nodes, announce(change) and `timeout` (see embedded.py)."""

    waits = False  # whether requests wait for others than the engine

    def __init__(self, front, cluster):
        super().__init__(front)
        self.parser = Messages()
        self.cluster = cluster
        self.node = None  # the node that the client has connected to
        self.events = set()
        self.version = None
        self.keyspace = None
        self._compressed = False
        self.segmented = False
        self._apart = set()  # tasks of requests that wait

    async def opened(self):
        self.node = self.cluster.nodes[self.place]
        self._client = self.transport.get_extra_info("peername")[0]

    def connection_lost(self, error):
        for task in self._apart:
            task.cancel()
        super().connection_lost(error)

    async def _serve_one(self, request):
        """Streams are independent of each other: a request that a fault or a gate holds does not hold up the next."""
        if isinstance(request, Message) and (self.waits or self.front.gate is not None or self.front.faults):
            task = self.front.loop.create_task(super()._serve_one(request))
            self._apart.add(task)
            task.add_done_callback(self._apart.discard)
        else:
            await super()._serve_one(request)

    # What clients came to do.

    def describe(self, message):
        request = message.request
        match request:
            case messages.Query(text=text) if not SET_UP.match(text):
                message.command = Command(first_word(text), (text,), self.name)
            case messages.Prepare(text=text) if not SET_UP.match(text):
                message.command = Command("PREPARE", (text,), self.name)
            case messages.Execute(id=id_):
                message.command = self._describe_prepared(id_, request.parameters.values)
            case messages.Batch(entries=entries):
                texts = (self._text(statement) for statement, _ in entries)
                message.command = Command("BATCH", tuple(texts), self.name)
        return message.command

    def _describe_prepared(self, id_, values):
        try:
            prepared = self.prepared(id_)
        except errors.Unprepared:
            return None
        if SET_UP.match(prepared.text):
            return None
        if not self.front.logs:  # nobody will look at the values
            return Command(first_word(prepared.text), (prepared.text,), self.name)
        return Command(first_word(prepared.text), (prepared.text, *plain(prepared.bind_columns, values)), self.name)

    def _text(self, statement):
        if isinstance(statement, str):
            return statement
        try:
            return self.prepared(statement).text
        except errors.Unprepared:
            return ""

    def prepared(self, id_):
        """Return what was prepared under this id, with `text` and `bind_columns`. Raises Unprepared."""
        return self.node.engine.prepared(id_)

    async def execute(self, message):
        version, stream = message.frame.version, message.frame.stream
        flags = 0
        try:
            kind, body, flags = self._answer(message)
        except errors.CqlError as error:
            kind, body = self.refusal(error, version)
            if isinstance(error, TIMEOUTS):  # the coordinator has waited for replicas: the client waits too
                reply = self.frame(version, flags, stream, kind, body)
                self.front.loop.call_later(self.cluster.timeout, self.write, reply)
                return None
        except Exception as error:  # a defect of the engine: it must not look like one of the learner
            logger.exception("the embedded Cassandra failed")
            kind, body = "ERROR", messages.error(errors.ServerError(f"{type(error).__name__}: {error}"), version)
        reply = self.frame(version, flags, stream, kind, body)
        if kind == "READY" and isinstance(message.request, messages.Startup):
            self.segmented = version >= 5  # from the next frame on
        return reply

    def refusal(self, error, version):
        """Return (opcode's name, body) of the response to a request that fails; the connection ends where it must."""
        self.closing = isinstance(error, errors.ProtocolException)
        return "ERROR", messages.error(messages.downgraded(error, version), version)

    def transient_error(self, message):
        version = message.frame.version
        kind, body = self.refusal(errors.Overloaded("The server is overloaded: a fault that the course has asked for"), version)
        return self.frame(version, 0, message.frame.stream, kind, body)

    def protocol_error(self, error):
        body = messages.error(error, error.version)
        return self.frame(error.version, 0, error.stream, "ERROR", body)

    def push(self, kind, body):
        """Send an event if the client has registered for its kind."""
        if kind in self.events:
            self.write(self.frame(self.version, 0, NOT_A_REQUEST, "EVENT", messages.event(kind, body)))

    def frame(self, version, flags, stream, kind, body):
        frame = Frame(version | 0x80, flags, stream, messages.OPCODE[kind], body)
        if self.segmented:
            return segments.wrap(frame.encode(), self._compressed)
        if self._compressed and kind != "READY":
            frame = compressed(frame)
        return frame.encode()

    def _answer(self, message):
        """Return (opcode's name, body, flags) of the response."""
        self.check_state(message)
        frame, request = message.frame, message.request
        match request:
            case messages.Plain():
                return "SUPPORTED", messages.supported(SUPPORTED), 0
            case messages.Startup(options=options):
                self.start(frame.version, options)
                return "READY", b"", 0
            case messages.Register(events=events):
                self.register(events)
                return "READY", b"", 0
            case messages.AuthResponse():
                raise errors.ProtocolException("Unexpected message AUTH_RESPONSE: no authentication is required")
            case messages.Prepare(text=text, keyspace=keyspace):
                prepared = self.node.engine.prepare(text, keyspace or self.keyspace)
                self.node.shown[prepared.id] = prepared.result_id
                return "RESULT", messages.prepared(prepared, frame.version), 0
        return self._result(message)

    def check_state(self, message):
        """Raise ProtocolException for a request that may not come now."""
        frame, request = message.frame, message.request
        if self.version is None and not isinstance(request, (messages.Plain, messages.Startup)):
            raise errors.ProtocolException(f"Unexpected message {request.kind}, expecting STARTUP or OPTIONS")
        if self.version not in (None, frame.version):
            told = "Invalid message version. Got {0}/v{0} but previous messages on this connection had version {1}/v{1}"
            raise errors.ProtocolException(told.format(frame.version, self.version))

    def _result(self, message):
        frame, request = message.frame, message.request
        options = request.parameters.options
        if frame.flags & TRACING:
            options.tracing = Trace(uuid.uuid1(), self._client)
        outcome = self._execute(request, request.parameters.keyspace or self.keyspace, options)
        skip, changed = False, None
        match outcome:
            case SetKeyspace(keyspace=keyspace):
                self.keyspace = keyspace
            case SchemaChange():
                self.cluster.announce(outcome)
            case Rows() if isinstance(request, messages.Execute):
                skip, changed = self._known_columns(request)
        if message.command is not None and self.front.logs:
            self._note(message.command, options, outcome)
        flags, body = 0, messages.result(outcome, frame.version, skip, changed)
        if outcome.warnings and frame.version >= 4:
            flags |= WARNING
            body = messages.codec.string_list(outcome.warnings) + body
        if options.tracing is not None:
            flags |= TRACING
            body = options.tracing.id.bytes + body
        return "RESULT", body, flags

    def _execute(self, request, keyspace, options):
        engine = self.node.engine
        match request:
            case messages.Query(text=text):
                return engine.execute(text, request.parameters.values, keyspace=keyspace, options=options)
            case messages.Execute(id=id_):
                prepared = engine.prepared(id_)
                return engine.execute(prepared, request.parameters.values, keyspace=keyspace, options=options)
        entries = [(part if isinstance(part, str) else engine.prepared(part), values) for part, values in request.entries]
        return engine.batch(request.batch_kind, entries, keyspace=keyspace, options=options)

    def _known_columns(self, request):
        """Return whether the client knows the columns of this result, and the columns' id if it must learn others."""
        prepared = self.node.engine.prepared(request.id)
        if not isinstance(prepared.statement, Select):  # a transaction's columns depend on its outcome
            return False, None
        if request.metadata_id is None:  # before version 5 the client knows what it was shown when it prepared
            return request.parameters.options.skip_metadata and self.node.shown.get(request.id) == prepared.result_id, None
        if request.metadata_id != prepared.result_id:
            return False, prepared.result_id
        return request.parameters.options.skip_metadata, None

    def _note(self, command, options, outcome):
        facts = outcome.facts
        self.note(
            command,
            options.consistency.name,
            partitions=list(facts.partitions),
            rows=facts.rows,
            returned=len(outcome.rows) if isinstance(outcome, Rows) else 0,
            tombstones=facts.tombstones,
            filtered=facts.filtered,
            mutations=facts.mutations,
        )

    def note(self, command, consistency, **facts):
        """Add a statement to the records."""
        text = "; ".join(command.args) if command.name == "BATCH" else command.args[0]
        statement = Statement(command.name, text, command.client, self.node.address, consistency, **facts)
        for log in self.front.logs:
            log.statements.append(statement)

    def start(self, version, options):
        if "CQL_VERSION" not in options:
            raise errors.ProtocolException("Missing value CQL_VERSION in STARTUP message")
        algorithm = options.get("COMPRESSION", "").lower()
        if algorithm and algorithm not in segments.COMPRESSIONS:
            raise errors.ProtocolException(f"Unknown compression algorithm: {algorithm}")
        self._compressed = bool(algorithm)
        self.version = version
        self.name = options.get("APPLICATION_NAME", "")

    def register(self, events):
        for event in events:
            if event not in EVENTS:
                raise errors.ProtocolException(f"Invalid value '{event}' for Event.Type")
        self.events.update(events)


SUPPORTED = {
    "PROTOCOL_VERSIONS": NAMES.split(", "),
    "COMPRESSION": list(segments.COMPRESSIONS),
    "CQL_VERSION": ["3.4.7"],
}


def first_word(text):
    """Return the name of a statement in capitals: SELECT, INSERT … A batch written as text is a BATCH."""
    found = FIRST_WORD.match(text)
    word = found.group(1).upper() if found else ""
    return "BATCH" if word == "BEGIN" else word


def plain(columns, values):
    """Return bound values as Python objects, for the record."""
    if isinstance(values, dict):
        values = [values.get(column.name) for column in columns]
    return [
        column.type.deserialize(value) if isinstance(value, bytes) else value for column, value in zip(columns, values, strict=False)
    ]
