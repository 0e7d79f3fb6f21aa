"""Messages: what the bodies of frames mean. Requests are read, responses written.

Every request's decoder and every response's encoder takes the protocol's version: 3, 4 and 5 differ in details.
"""

from dataclasses import dataclass, field

from stores.cassandra import errors
from stores.cassandra.cql.statements import Select
from stores.cassandra.protocol import codec
from stores.cassandra.protocol.codec import Reader
from stores.cassandra.protocol.frames import CUSTOM_PAYLOAD, REQUEST_OPCODES, RESPONSE_OPCODES
from stores.cassandra.results import Consistency, Options, Rows, SchemaChange, SetKeyspace

OPCODE = {name: opcode for opcode, name in {**REQUEST_OPCODES, **RESPONSE_OPCODES}.items()}

# Flags of query parameters.
VALUES, SKIP_METADATA, PAGE_SIZE, PAGING_STATE, SERIAL_CONSISTENCY, TIMESTAMP, NAMES, KEYSPACE, NOW = (1 << bit for bit in range(9))
# Flags of a result's metadata.
GLOBAL_TABLE, MORE_PAGES, NO_METADATA, METADATA_CHANGED = (1 << bit for bit in range(4))
BATCH_KINDS = ("LOGGED", "UNLOGGED", "COUNTER")
VOID, ROWS, SET_KEYSPACE, PREPARED, SCHEMA_CHANGE = range(1, 6)


@dataclass
class Request:
    """Base of the requests; `kind` is the opcode's name."""

    kind: str = ""


@dataclass
class Plain(Request):
    """OPTIONS."""


@dataclass
class Startup(Request):
    options: dict = field(default_factory=dict)


@dataclass
class AuthResponse(Request):
    token: bytes | None = None


@dataclass
class Register(Request):
    events: list = field(default_factory=list)


@dataclass
class Parameters:
    """What comes with a statement: a list or a dict of serialised `values`, the `keyspace` if named, the options."""

    values: list | dict = ()
    keyspace: str | None = None
    options: Options = field(default_factory=Options)


@dataclass
class Query(Request):
    text: str = ""
    parameters: Parameters = field(default_factory=Parameters)


@dataclass
class Prepare(Request):
    text: str = ""
    keyspace: str | None = None


@dataclass
class Execute(Request):
    id: bytes = b""
    metadata_id: bytes | None = None
    parameters: Parameters = field(default_factory=Parameters)


@dataclass
class Batch(Request):
    """`entries` are (text or id of a prepared statement, values)."""

    batch_kind: str = "LOGGED"
    entries: list = field(default_factory=list)
    parameters: Parameters = field(default_factory=Parameters)


def decode(frame):
    """Return the Request in a frame. Raises ProtocolException."""
    reader = Reader(frame.body)
    if frame.flags & CUSTOM_PAYLOAD and frame.version >= 4:
        reader.bytes_map()  # for the server's own extensions: there are none
    request = _DECODERS[REQUEST_OPCODES[frame.opcode]](reader, frame.version)
    request.kind = REQUEST_OPCODES[frame.opcode]
    return request


def _query(reader, version):
    return Query(text=reader.long_string(), parameters=_parameters(reader, version))


def _prepare(reader, version):
    text = reader.long_string()
    keyspace = reader.string() if version >= 5 and reader.unsigned() & 1 else None
    return Prepare(text=text, keyspace=keyspace)


def _execute(reader, version):
    id_ = reader.short_bytes()
    metadata_id = reader.short_bytes() if version >= 5 else None
    return Execute(id=id_, metadata_id=metadata_id, parameters=_parameters(reader, version))


def _batch(reader, version):
    kind = reader.byte()
    if kind >= len(BATCH_KINDS):
        raise errors.ProtocolException(f"Invalid batch type {kind}")
    entries = []
    for _ in range(reader.short()):
        prepared = reader.byte()
        if prepared > 1:
            raise errors.ProtocolException(f"Invalid query kind in BATCH messages. Must be 0 or 1 but got {prepared}")
        statement = reader.short_bytes() if prepared else reader.long_string()
        entries.append((statement, [reader.value() for _ in range(reader.short())]))
    parameters = Parameters(options=Options(consistency=_consistency(reader)))
    _rest(reader, version, _flags(reader, version), parameters)
    return Batch(batch_kind=BATCH_KINDS[kind], entries=entries, parameters=parameters)


def _parameters(reader, version):
    parameters = Parameters(options=Options(consistency=_consistency(reader)))
    flags = _flags(reader, version)
    if flags & VALUES:
        count = reader.short()
        if flags & NAMES:
            parameters.values = {reader.string(): reader.value() for _ in range(count)}
        else:
            parameters.values = [reader.value() for _ in range(count)]
    options = parameters.options
    options.skip_metadata = bool(flags & SKIP_METADATA)
    if flags & PAGE_SIZE:
        options.page_size = max(reader.int(), 0)
    if flags & PAGING_STATE:
        options.paging_state = reader.bytes()
    _rest(reader, version, flags, parameters)
    return parameters


def _rest(reader, version, flags, parameters):
    """Read what the parameters of a query and of a batch have in common."""
    options = parameters.options
    if flags & SERIAL_CONSISTENCY:
        options.serial_consistency = _consistency(reader)
    if flags & TIMESTAMP:
        options.timestamp = reader.long()
    if flags & KEYSPACE and version >= 5:
        parameters.keyspace = reader.string()
    if flags & NOW and version >= 5:
        options.now_seconds = reader.int()


def _flags(reader, version):
    return reader.unsigned() if version >= 5 else reader.byte()


def _consistency(reader):
    number = reader.short()
    try:
        return Consistency(number)
    except ValueError:
        raise errors.ProtocolException(f"Unknown code {number} for a consistency level") from None


_DECODERS = {
    "OPTIONS": lambda reader, version: Plain(),
    "STARTUP": lambda reader, version: Startup(options=reader.string_map()),
    "AUTH_RESPONSE": lambda reader, version: AuthResponse(token=reader.bytes()),
    "REGISTER": lambda reader, version: Register(events=reader.string_list()),
    "QUERY": _query,
    "PREPARE": _prepare,
    "EXECUTE": _execute,
    "BATCH": _batch,
}


# Responses.


def result(outcome, version, skip_metadata=False, changed_metadata=None):
    """Return the body of RESULT for what the engine returned.

    The columns are left out when the client knows them; `changed_metadata` is their new id if it knows others.
    """
    match outcome:
        case Rows():
            metadata = _metadata(outcome.columns, version, outcome.paging_state, skip_metadata, changed_metadata)
            return codec.int_(ROWS) + metadata + codec.int_(len(outcome.rows)) + codec.rows(outcome.rows)
        case SetKeyspace():
            return codec.int_(SET_KEYSPACE) + codec.string(outcome.keyspace)
        case SchemaChange():
            return codec.int_(SCHEMA_CHANGE) + schema_change(outcome)
    return codec.int_(VOID)


def prepared(statement, version):
    """Return the body of RESULT for a prepared statement. Only a SELECT says what columns it will return."""
    columns = statement.result_columns if isinstance(statement.statement, Select) else ()
    parts = [codec.int_(PREPARED), codec.short_bytes(statement.id)]
    if version >= 5:
        parts.append(codec.short_bytes(statement.result_id))
    one_table = _one_table(statement.bind_columns)
    parts += (codec.int_(GLOBAL_TABLE if one_table else 0), codec.int_(len(statement.bind_columns)))
    if version >= 4:
        parts.append(codec.int_(len(statement.pk_indexes)))
        parts += [codec.short(index) for index in statement.pk_indexes]
    parts.append(_columns(statement.bind_columns, version, one_table))
    parts.append(_metadata(columns, version, skip=not columns))
    return b"".join(parts)


def _metadata(columns, version, paging_state=None, skip=False, changed=None):
    one_table = not skip and _one_table(columns)
    flags = GLOBAL_TABLE if one_table else 0
    parts = [codec.int_(len(columns))]
    if paging_state is not None:
        flags |= MORE_PAGES
        parts.append(codec.bytes_(paging_state))
    if changed is not None:
        flags |= METADATA_CHANGED
        parts.append(codec.short_bytes(changed))
    if skip:
        flags |= NO_METADATA
    else:
        parts.append(_columns(columns, version, one_table))
    return codec.int_(flags) + b"".join(parts)


def _one_table(columns):
    return bool(columns) and len({column[:2] for column in columns}) == 1


def _columns(columns, version, one_table):
    parts = []
    if one_table:
        parts += (codec.string(columns[0].keyspace), codec.string(columns[0].table))
    for column in columns:
        if not one_table:
            parts += (codec.string(column.keyspace), codec.string(column.table))
        parts += (codec.string(column.name), column.type.option(version))
    return b"".join(parts)


def schema_change(change):
    """Return the part that RESULT and EVENT have in common."""
    parts = [codec.string(change.change), codec.string(change.target), codec.string(change.keyspace)]
    if change.target != "KEYSPACE":
        parts.append(codec.string(change.name))
    if change.target in ("FUNCTION", "AGGREGATE"):
        parts.append(codec.string_list(change.arguments))
    return b"".join(parts)


def event(kind, body):
    """Return the body of EVENT; `kind` is SCHEMA_CHANGE, STATUS_CHANGE or TOPOLOGY_CHANGE."""
    return codec.string(kind) + body


def status_change(change, address, port):
    """Return the body of a STATUS_CHANGE (UP, DOWN) or TOPOLOGY_CHANGE."""
    return codec.string(change) + codec.inet(address, port)


def supported(options):
    return codec.string_multimap(options)


def error(problem, version):
    """Return the body of ERROR for a CqlError: code, message, and the fields of its class."""
    return codec.int_(problem.code) + codec.string(problem.message) + _error_fields(problem, version)


def _error_fields(problem, version):
    match problem:
        case errors.Unavailable():
            return codec.short(problem.consistency) + codec.int_(problem.required) + codec.int_(problem.alive)
        case errors.WriteTimeout():
            contentions = codec.short(problem.contentions) if version >= 5 and problem.write_type == "CAS" else b""
            return _answers(problem) + codec.string(problem.write_type) + contentions
        case errors.ReadTimeout():
            return _answers(problem) + codec.byte(bool(problem.data_present))
        case errors.ReadFailure():
            return _answers(problem) + _reasons(problem, version) + codec.byte(bool(problem.data_present))
        case errors.WriteFailure():
            return _answers(problem) + _reasons(problem, version) + codec.string(problem.write_type)
        case errors.CasWriteUnknown():
            return _answers(problem)
        case errors.AlreadyExists():
            return codec.string(problem.keyspace) + codec.string(problem.table)
        case errors.Unprepared():
            return codec.short_bytes(problem.statement_id)
        case errors.FunctionFailure():
            return codec.string(problem.keyspace) + codec.string(problem.function) + codec.string_list(problem.argument_types)
    return b""


def _answers(problem):
    return codec.short(problem.consistency) + codec.int_(problem.received) + codec.int_(problem.required)


def _reasons(problem, version):
    if version < 5:
        return codec.int_(len(problem.reasons))
    reasons = (codec.inetaddr(address) + codec.short(code) for address, code in problem.reasons.items())
    return codec.int_(len(problem.reasons)) + b"".join(reasons)


def downgraded(problem, version):
    """Return an error that the protocol's version knows, as Cassandra does for failures in version 3."""
    if version < 4 and isinstance(problem, errors.WriteFailure):
        return errors.WriteTimeout(problem.consistency, problem.received, problem.required, problem.write_type)
    if version < 4 and isinstance(problem, errors.ReadFailure):
        return errors.ReadTimeout(problem.consistency, problem.received, problem.required, problem.data_present)
    if version < 4 and isinstance(problem, errors.FunctionFailure):
        return errors.InvalidRequest(problem.message)
    if version < 5 and isinstance(problem, errors.CasWriteUnknown):
        return errors.WriteTimeout(problem.consistency, problem.received, problem.required, "CAS")
    return problem
