"""MongoDB's wire protocol: messages cut and read as the specification says, nonsense ends its own connection alone."""

import socket
import struct
import zlib

import bson
import pytest
from bson.int64 import Int64
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from stores.mongodb.embedded import EmbeddedMongoDB
from stores.mongodb.protocol import messages
from stores.mongodb.protocol.checksum import crc32c

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(2**31, 2**63 - 1).map(Int64)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(keys, values, max_size=5)


def message(body, sequences=(), flags=0, id_=7):
    """Return an OP_MSG as a driver sends it, after the specification: not with the server's own code."""
    parts = struct.pack("<I", flags) + b"\0" + bson.encode(body)
    for name, items in sequences:
        data = name.encode() + b"\0" + b"".join(bson.encode(item) for item in items)
        parts += b"\1" + struct.pack("<i", len(data) + 4) + data
    size = 16 + len(parts) + (4 if flags & 1 else 0)
    whole = struct.pack("<iiii", size, id_, 0, 2013) + parts
    return whole + struct.pack("<I", crc32c(whole)) if flags & 1 else whole


def read(data):
    return messages.Requests().feed(data)


@given(documents, st.lists(documents, max_size=3), st.sampled_from([0, 1, 2, 3, 1 << 16]))
def test_a_message_says_what_the_driver_said(body, items, flags):
    body.pop("items", None)
    (request,) = read(message(body, [("items", items)], flags))
    assert (request.body, request.sequences, request.flags, request.id) == (body, {"items": items}, flags, 7)
    assert list(request.body) == list(body)  # the order counts: the first field is the command


@given(st.lists(documents, min_size=1, max_size=4), st.data())
def test_where_packets_end_does_not_matter(bodies, data):
    whole = b"".join(message(body, id_=number) for number, body in enumerate(bodies))
    reader, found, at = messages.Requests(), [], 0
    while at < len(whole):
        size = data.draw(st.integers(1, len(whole) - at))
        found += reader.feed(whole[at : at + size])
        at += size
    assert [request.body for request in found] == bodies
    assert [request.id for request in found] == list(range(len(bodies)))


@given(st.binary(max_size=200))
def test_nonsense_is_malformed_and_nothing_worse(data):
    for request in read(data):
        assert isinstance(request, messages.Malformed | messages.Request)


@given(documents, st.data())
def test_a_damaged_message_is_malformed_or_another_message(body, data):
    whole = bytearray(message(body))
    place = data.draw(st.integers(16, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    (request,) = read(bytes(whole))
    assert isinstance(request, messages.Malformed | messages.Request)


@given(documents)
def test_a_checksum_finds_damage(body):
    whole = bytearray(message(body, flags=1))
    whole[-6] ^= 1
    (request,) = read(bytes(whole))
    assert isinstance(request, messages.Malformed)


@given(documents)
def test_replies_come_back_as_they_were(reply):
    request = messages.Request(7, {"ping": 1})
    data = messages.encode_reply(request, reply, 9)
    assert struct.unpack_from("<iiii", data) == (len(data), 9, 7, 2013)
    assert messages.decode_reply(data) == reply


def test_compressed_messages_are_read_and_answered_compressed():
    plain = message({"ping": 1, "$db": "admin"})
    body = zlib.compress(plain[16:])
    whole = struct.pack("<iiiiiiB", 25 + len(body), 7, 0, 2012, 2013, len(plain) - 16, 2) + body
    (request,) = read(whole)
    assert request.body == {"ping": 1, "$db": "admin"}
    reply = messages.encode_reply(request, {"ok": 1.0}, 9)
    assert struct.unpack_from("<iiii", reply)[3] == 2012
    assert messages.decode_reply(reply) == {"ok": 1.0}


def test_a_compressed_bomb_is_malformed():
    body = zlib.compress(bytes(60_000_000))
    whole = struct.pack("<iiiiiiB", 25 + len(body), 7, 0, 2012, 2013, 1000, 2) + body
    assert isinstance(read(whole)[0], messages.Malformed)


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("too large", struct.pack("<iiii", 48_000_001, 1, 0, 2013)),
        ("too small", struct.pack("<iiii", 15, 1, 0, 2013)),
        ("negative", struct.pack("<iiii", -1, 1, 0, 2013)),
        ("unknown opcode", struct.pack("<iiii", 16, 1, 0, 2001)),
        ("unknown required flag", message({"ping": 1}, flags=4)),
        ("no body", struct.pack("<iiiiI", 20, 1, 0, 2013, 0)),
        ("two bodies", struct.pack("<iiiiI", 32, 1, 0, 2013, 0) + (b"\0" + bson.encode({})) * 2),
        ("the same array twice", message({"insert": "c", "documents": []}, [("documents", [{}])])),
        ("two sequences of a name", message({"insert": "c"}, [("documents", [{}]), ("documents", [{}])])),
        ("a section longer than the message", message({"ping": 1})[:-1] + b"\x07"),
    ],
)
def test_what_is_not_the_protocol(why, data):
    *_, last = read(data)
    assert isinstance(last, messages.Malformed), why


@pytest.fixture(scope="module")
def server():
    server = EmbeddedMongoDB()
    yield server
    server.stop()


def exchange(server, data, size=65536):
    """Send bytes and return what comes back: b"" when the server closes."""
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(data)
        try:
            return sock.recv(size)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", struct.pack("<iiii", 2**31 - 1, 1, 0, 2013), bytes(64)]
)
def test_malformed_bytes_close_their_connection_alone(server, data):
    with MongoClient(server.url) as client:
        client.shop.things.find_one()
        assert exchange(server, data) == b""
        assert client.admin.command("ping")["ok"] == 1.0


def test_the_old_hello_is_answered_in_its_own_way(server):
    body = struct.pack("<i", 0) + b"admin.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"isMaster": 1, "helloOk": True})
    reply = exchange(server, struct.pack("<iiii", 16 + len(body), 3, 0, 2004) + body)
    _, _, responds_to, opcode = struct.unpack_from("<iiii", reply)
    told = bson.decode(reply[36:])
    assert (responds_to, opcode) == (3, 1)
    assert told["ismaster"] is True and told["helloOk"] is True and told["maxWireVersion"] == 25
    assert told["hosts"] == [f"{server.host}:{server.port}"] == [told["me"]]


def test_other_commands_in_the_old_way_are_refused(server):
    body = struct.pack("<i", 0) + b"shop.$cmd\0" + struct.pack("<ii", 0, -1) + bson.encode({"find": "things"})
    reply = exchange(server, struct.pack("<iiii", 16 + len(body), 3, 0, 2004) + body)
    assert bson.decode(reply[36:])["code"] == 352


def test_a_write_that_wants_no_reply_gets_none(server):
    insert = message({"insert": "quiet", "$db": "shop", "documents": [{"_id": 1}]}, flags=2)
    ping = message({"ping": 1, "$db": "admin"}, id_=8)
    reply = exchange(server, insert + ping)
    assert struct.unpack_from("<iiii", reply)[2] == 8
    with MongoClient(server.url) as client:
        assert client.shop.quiet.find_one() == {"_id": 1}


def test_a_document_of_more_than_16_mb_is_refused_and_the_connection_goes_on(server):
    body = {"insert": "large", "$db": "shop"}
    large = message(body, [("documents", [{"_id": 1, "text": "x" * (17 * 2**20)}])])
    reply = messages.decode_reply(exchange(server, large))
    assert (reply["ok"], reply["code"], reply["codeName"]) == (0.0, 10334, "BSONObjectTooLarge")


def test_a_command_without_a_database_is_refused(server):
    reply = messages.decode_reply(exchange(server, message({"ping": 1})))
    assert reply["code"] == 40571


def test_unknown_commands_have_mongodbs_words(server):
    with MongoClient(server.url) as client, pytest.raises(OperationFailure) as refused:
        client.admin.command("frobnicate")
    assert refused.value.code == 59
    assert refused.value.details["errmsg"] == "no such command: 'frobnicate'"


def test_clients_may_compress(server):
    with MongoClient(server.url, compressors="zlib") as client:
        client.shop.squeezed.insert_one({"_id": 1, "text": "x" * 10_000})
        assert len(client.shop.squeezed.find_one()["text"]) == 10_000
