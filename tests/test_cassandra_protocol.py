"""The native protocol's codec: what the driver writes is read, what is written the driver reads, and damage is noticed."""

import io
import struct
import uuid
from collections import namedtuple
from itertools import pairwise

import pytest
from cassandra import protocol as driver
from cassandra.cqltypes import Int32Type
from cassandra.protocol import ProtocolHandler
from cassandra.segment import SegmentCodec
from hypothesis import example, given
from hypothesis import strategies as st

from stores.cassandra import errors, types
from stores.cassandra.cql.parser import parse
from stores.cassandra.protocol import codec, messages, segments
from stores.cassandra.protocol.frames import MAX_FRAME, TRACING, WARNING, Frame, Frames, Malformed
from stores.cassandra.protocol.session import Messages, first_word
from stores.cassandra.results import UNSET, Consistency, ResultColumn, Rows, SchemaChange, SetKeyspace, Void

versions = st.sampled_from([3, 4, 5])
streams = st.integers(0, 2**15 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
values = st.none() | st.binary(max_size=30)
consistencies = st.sampled_from([level for level in Consistency])
options = st.fixed_dictionaries(
    {
        "consistency_level": consistencies.map(int),
        "serial_consistency_level": st.sampled_from([None, 8, 9]),
        "timestamp": st.none() | st.integers(0, 2**63 - 1),
    }
)
paging = st.fixed_dictionaries(
    {"fetch_size": st.none() | st.integers(1, 2**31 - 1), "paging_state": st.none() | st.binary(min_size=1, max_size=20)}
)


def sent(message, version, stream=1, pieces=()):
    """Return the messages that the server reads when the driver sends `message`, cut into pieces at these places."""
    data = ProtocolHandler.encode_message(message, stream, version, None, False)
    return read(data, pieces)


def read(data, pieces=()):
    parser = Messages()
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in pieces)})
    found = []
    for start, end in pairwise(places):
        found += parser.feed(data[start:end])
    return found


def same_options(found, wanted):
    assert found.consistency == wanted["consistency_level"]
    assert found.serial_consistency == (wanted["serial_consistency_level"] or Consistency.SERIAL)
    assert found.timestamp == wanted["timestamp"]
    if "fetch_size" in wanted:
        assert found.page_size == (wanted["fetch_size"] or 0)
        assert found.paging_state == wanted["paging_state"]


@given(versions, streams, texts, options, paging, st.lists(st.integers(0, 500), max_size=4))
def test_a_query_is_read_as_the_driver_wrote_it(version, stream, text, options, paging, pieces):
    [message] = sent(driver.QueryMessage(text, **options, **paging), version, stream, pieces)
    assert (message.frame.version, message.frame.stream) == (version, stream)
    assert message.request.text == text
    same_options(message.request.parameters.options, {**options, **paging})


@given(versions, st.binary(min_size=16, max_size=16), st.lists(values, max_size=6), options, paging)
def test_an_execute_is_read_as_the_driver_wrote_it(version, id_, values, options, paging):
    message = driver.ExecuteMessage(id_, values, result_metadata_id=b"m" * 16, **options, **paging)
    [message] = sent(message, version)
    assert (message.request.id, message.request.metadata_id) == (id_, b"m" * 16 if version == 5 else None)
    assert list(message.request.parameters.values) == values
    same_options(message.request.parameters.options, {**options, **paging})


def test_parameters_that_this_driver_does_not_send_are_read_too():
    flags = messages.SKIP_METADATA | messages.NAMES | messages.VALUES | messages.KEYSPACE | messages.NOW
    body = codec.int_(1) + b"x" + codec.short(1) + codec.unsigned(flags)
    body += codec.short(1) + codec.string("k") + codec.bytes_(b"v") + codec.string("shop") + codec.int_(1234)
    startup = Frame(5, 0, 0, 1, codec.string_map({"CQL_VERSION": "3.4.5"})).encode()
    _, message = read(startup + segments.wrap(Frame(5, 0, 0, 7, body).encode()))
    parameters = message.request.parameters
    assert (parameters.values, parameters.keyspace) == ({"k": b"v"}, "shop")
    assert (parameters.options.skip_metadata, parameters.options.now_seconds) == (True, 1234)


def test_a_value_may_be_unset():
    from cassandra.query import UNSET_VALUE

    [message] = sent(driver.ExecuteMessage(b"i" * 16, [UNSET_VALUE, b"x", None], 1), 4)
    assert message.request.parameters.values == [UNSET, b"x", None]


entries = st.lists(
    st.tuples(st.just(False), texts, st.lists(values, max_size=3))
    | st.tuples(st.just(True), st.binary(min_size=16, max_size=16), st.lists(values, max_size=3)),
    max_size=4,
)


@given(versions, st.sampled_from([(0, "LOGGED"), (1, "UNLOGGED"), (2, "COUNTER")]), entries, options)
def test_a_batch_is_read_as_the_driver_wrote_it(version, kind, entries, options):
    Type = namedtuple("Type", "value")
    [message] = sent(driver.BatchMessage(Type(kind[0]), entries, **options), version)
    assert message.request.batch_kind == kind[1]
    assert message.request.entries == [(statement, values) for _, statement, values in entries]
    same_options(message.request.parameters.options, options)


@given(versions, texts)
def test_set_up_messages_are_read_as_the_driver_wrote_them(version, text):
    [prepare] = sent(driver.PrepareMessage(text, "ks" if version == 5 else None), version)
    assert (prepare.request.text, prepare.request.keyspace) == (text, "ks" if version == 5 else None)
    [register] = sent(driver.RegisterMessage(["STATUS_CHANGE", "SCHEMA_CHANGE"]), version)
    assert register.request.events == ["STATUS_CHANGE", "SCHEMA_CHANGE"]
    [startup] = sent(driver.StartupMessage("3.4.5", {"DRIVER_NAME": text}), version)
    assert startup.request.options == {"CQL_VERSION": "3.4.5", "DRIVER_NAME": text}


# Responses.


def decoded(kind, body, version, flags=0, metadata=None):
    """Return the driver's message for a response."""
    return ProtocolHandler.decode_message(version, {}, 1, flags, messages.OPCODE[kind], body, None, metadata)


COLUMNS = [
    ResultColumn("ks", "t", "a", types.INT),
    ResultColumn("ks", "t", "b", types.ListType(types.TEXT)),
    ResultColumn("ks", "t", "c", types.MapType(types.TEXT, types.TupleType(types.INT, types.UUID))),
    ResultColumn("ks", "t", "d", types.VectorType(types.FLOAT, 3)),
    ResultColumn("ks", "t", "e", types.TIMESTAMP),
]


rows = st.lists(st.tuples(st.none() | st.integers(-(2**31), 2**31 - 1), st.lists(texts, min_size=1, max_size=3)), max_size=5)


@given(versions, rows, st.none() | st.binary(min_size=1, max_size=9))
def test_the_driver_reads_rows(version, rows, paging_state):
    serialized = [[None if n is None else types.INT.serialize(n), types.ListType(types.TEXT).serialize(words)] for n, words in rows]
    body = messages.result(Rows(COLUMNS[:2], serialized, paging_state), version)
    message = decoded("RESULT", body, version)
    assert message.column_names == ["a", "b"]
    assert [list(row) for row in message.parsed_rows] == [[n, words] for n, words in rows]
    assert message.paging_state == paging_state


@pytest.mark.parametrize("version", [3, 4, 5])
def test_the_driver_reads_every_kind_of_column(version):
    message = decoded("RESULT", messages.result(Rows(COLUMNS, []), version), version)
    assert [type_.cql_parameterized_type() for type_ in message.column_types] == [
        "int",
        "list<varchar>",
        "map<varchar, frozen<tuple<int, uuid>>>",
        "org.apache.cassandra.db.marshal.VectorType<float, 3>",
        "timestamp",
    ]


def test_columns_of_two_tables_name_their_tables():
    columns = [COLUMNS[0], COLUMNS[4]._replace(table="u")]
    message = decoded("RESULT", messages.result(Rows(columns, []), 4), 4)
    assert [meta[:3] for meta in message.column_metadata] == [("ks", "t", "a"), ("ks", "u", "e")]


def test_version_5_sends_the_columns_again_only_when_they_have_changed():
    known = [(column.keyspace, column.table, column.name, driver_type) for column, driver_type in [(COLUMNS[0], Int32Type)]]
    same = decoded("RESULT", messages.result(Rows(COLUMNS[:1], [[types.INT.serialize(7)]]), 5, True), 5, metadata=known)
    assert not hasattr(same, "result_metadata_id") and [list(row) for row in same.parsed_rows] == [[7]]
    changed = decoded("RESULT", messages.result(Rows(COLUMNS[:2], []), 5, False, b"n" * 16), 5)
    assert changed.result_metadata_id == b"n" * 16 and len(changed.column_metadata) == 2


Prepared = namedtuple("Prepared", "id bind_columns pk_indexes result_columns result_id statement")


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize(
    "text, results", [("INSERT INTO t (a, b) VALUES (?, ?)", ()), ("SELECT * FROM t WHERE a = ? AND b = ?", COLUMNS)]
)
def test_the_driver_reads_a_prepared_statement(version, text, results):
    prepared = Prepared(b"i" * 16, COLUMNS[:2], [0], results, b"r" * 16, parse(text))
    message = decoded("RESULT", messages.prepared(prepared, version), version)
    assert message.query_id == b"i" * 16
    assert [column.name for column in message.bind_metadata] == ["a", "b"]
    assert list(message.pk_indexes or []) == ([0] if version >= 4 else [])
    assert [column[2] for column in message.column_metadata or ()] == [column.name for column in results]


def test_the_driver_reads_the_other_results():
    assert decoded("RESULT", messages.result(Void(), 4), 4).kind == 1
    assert decoded("RESULT", messages.result(SetKeyspace("shop"), 4), 4).new_keyspace == "shop"
    changed = decoded("RESULT", messages.result(SchemaChange("CREATED", "TABLE", "shop", "orders"), 4), 4).schema_change_event
    assert changed == {"target_type": "TABLE", "change_type": "CREATED", "keyspace": "shop", "table": "orders"}


def test_the_driver_reads_events():
    body = messages.event("STATUS_CHANGE", messages.status_change("DOWN", "127.0.0.2", 9042))
    event = decoded("EVENT", body, 4)
    assert (event.event_type, event.event_args) == ("STATUS_CHANGE", {"change_type": "DOWN", "address": ("127.0.0.2", 9042)})


def test_the_driver_reads_warnings_and_the_trace():
    trace = uuid.uuid1()
    body = trace.bytes + codec.string_list(["be careful"]) + messages.result(Void(), 4)
    message = decoded("RESULT", body, 4, WARNING | TRACING)
    assert (message.trace_id, message.warnings) == (trace, ["be careful"])


def facts(consistency, required, received, **more):
    return {"consistency": consistency, "required_responses": required, "received_responses": received, **more}


ERRORS = [
    (errors.SyntaxException("line 1:0"), {}),
    (errors.InvalidRequest("no"), {}),
    (errors.Unavailable(Consistency.QUORUM, 2, 1), {"consistency": 4, "required_replicas": 2, "alive_replicas": 1}),
    (errors.ReadTimeout(Consistency.ALL, 1, 3, True), facts(5, 3, 1, data_retrieved=True)),
    (errors.WriteTimeout(Consistency.ONE, 0, 1, "BATCH_LOG"), facts(1, 1, 0, write_type=4)),
    (errors.WriteTimeout(Consistency.SERIAL, 1, 2, "CAS", 3), facts(8, 2, 1, write_type=5)),
]


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("problem, info", ERRORS)
def test_the_driver_reads_errors_with_their_facts(problem, info, version):
    message = decoded("ERROR", messages.error(problem, version), version)
    assert (message.code, message.message) == (problem.code, problem.message)
    assert not info or {key: message.info[key] for key in info} == info


def test_the_driver_reads_what_a_failure_consists_of():
    failure = errors.WriteFailure(Consistency.ALL, 2, 3, {"127.0.0.3": 1}, "SIMPLE")
    info = decoded("ERROR", messages.error(failure, 5), 5).info
    assert (info["received_responses"], info["required_responses"], info["error_code_map"]) == (2, 3, {"127.0.0.3": 1})


def test_old_versions_get_an_error_that_they_know():
    unknown = errors.CasWriteUnknown(Consistency.SERIAL, 1, 2)
    assert messages.downgraded(unknown, 4).write_type == "CAS"
    assert messages.downgraded(unknown, 5) is unknown


# Segments.


@given(st.binary(max_size=3000), st.integers(1, 100))
@example(b"x" * (segments.MAX_PAYLOAD + 1), 1)
@example(b"x" * segments.MAX_PAYLOAD, 1)
def test_the_driver_reads_our_segments_and_we_read_its(payload, times):
    payload = payload * times or b"\0"
    theirs = io.BytesIO()
    SegmentCodec().encode(theirs, payload)
    ours = segments.wrap(payload)
    assert ours == theirs.getvalue()
    data = bytearray(ours)
    read = b""
    while (part := segments.take(data)) is not None:
        read += part
    assert read == payload and not data


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_in_a_segment_is_noticed(payload, data):
    damaged = bytearray(segments.wrap(payload))
    bit = data.draw(st.integers(0, len(damaged) * 8 - 1))
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(segments.Damaged):
        segments.take(damaged)


@pytest.mark.skipif(not segments.COMPRESSIONS, reason="lz4 is not installed")
@given(st.binary(max_size=300), st.integers(1, 800))
def test_compressed_segments_are_those_of_the_driver(payload, times):
    from cassandra.connection import lz4_compress, lz4_decompress

    payload = payload * times or b"\0"
    theirs = io.BytesIO()
    SegmentCodec(lz4_compress, lz4_decompress).encode(theirs, payload)
    read, data = b"", bytearray(theirs.getvalue())
    while (part := segments.take(data, compressed=True)) is not None:
        read += part
    assert read == payload
    assert theirs.getvalue() == segments.wrap(payload, compressed=True)


# Clients that do not speak the protocol.


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_break_the_parser(parts):
    parser = Messages()
    found = [message for part in parts for message in parser.feed(part)]
    assert sum(isinstance(message, Malformed) for message in found) <= 1
    assert not any(isinstance(message, Malformed) for message in found[:-1])


def frame(body=b"", version=4, opcode=7, length=None):
    return struct.pack(">BBhBi", version, 0, 9, opcode, len(body) if length is None else length) + body


SUPPORTED = "supported versions are (3/v3, 4/v4, 5/v5)"
WRONG_WAY = "Wrong protocol direction (expected REQUEST, got RESPONSE) for opcode 5 (OPTIONS)"
TOO_BIG = f"Request is too big: length {{}} exceeds maximum allowed length {MAX_FRAME}."
MALFORMED = {
    "another protocol": (b"GET / HTTP/1.0\r\n\r\n", f"Invalid or unsupported protocol version (71); {SUPPORTED}"),
    "an old version": (frame(version=2), f"Invalid or unsupported protocol version (2); {SUPPORTED}"),
    "unknown opcode": (frame(opcode=99), "Unknown opcode 99"),
    "a response": (frame(version=0x84, opcode=5), WRONG_WAY),
    "too large": (frame(length=MAX_FRAME + 1), TOO_BIG.format(MAX_FRAME + 1)),
    "negative length": (frame(length=-1), TOO_BIG.format(-1)),
    "text cut off": (frame(b"\0\0\0\x20SELECT"), "Not enough bytes in the message: expected 32 more, found 6"),
    "unknown consistency": (frame(b"\0\0\0\1x\0\x63\0"), "Unknown code 99 for a consistency level"),
    "no UTF-8": (frame(b"\0\0\0\1\xff\0\1\0"), "Cannot decode string as UTF8"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests_are_refused_in_words(case):
    data, message = MALFORMED[case]
    *_, error = read(data)
    assert isinstance(error, Malformed) and error.message == message
    assert read(data)[1:] == []


def test_nothing_is_read_after_a_malformed_frame():
    parser = Frames()
    assert len(parser.feed(frame(opcode=99) + frame(opcode=5))) == 1
    assert parser.feed(frame(opcode=5)) == []


def test_after_startup_version_5_reads_segments():
    startup = Frame(5, 0, 0, 1, codec.short(1) + codec.string("CQL_VERSION") + codec.string("3.4.5")).encode()
    options = Frame(5, 0, 1, 5, b"").encode()
    large = Frame(5, 0, 2, 7, codec.int_(300_000) + b"x" * 300_000 + b"\0\1" + b"\0" * 4).encode()
    data = startup + segments.wrap(options + options) + segments.wrap(large)
    found = read(data, pieces=range(0, len(data), 50_000))
    assert [message.request.kind for message in found] == ["STARTUP", "OPTIONS", "OPTIONS", "QUERY"]
    assert len(found[-1].request.text) == 300_000


@pytest.mark.parametrize(
    "text, word",
    [("select 1", "SELECT"), ("  -- why\n INSERT INTO", "INSERT"), ("/* a */ update", "UPDATE"), ("BEGIN BATCH", "BATCH"), ("", "")],
)
def test_a_statement_is_called_by_its_first_word(text, word):
    assert first_word(text) == word
