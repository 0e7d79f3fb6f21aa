"""The RESP parser and framer: any split of any bytes, and bounds."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.redis import resp
from stores.wire import ProtocolError

requests = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=5), max_size=8)
cuts = st.lists(st.integers(0, 10_000), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=20),
    st.text(max_size=10),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=5), inner, max_size=3),
)


def pieces(data, at):
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:end] for start, end in pairwise(places)]


@given(requests, cuts)
def test_requests_come_out_whole_however_the_bytes_are_split(wanted, at):
    data = b"".join(map(resp.encode_request, wanted))
    parser = resp.Requests()
    assert [request for piece in pieces(data, at) for request in parser.feed(piece)] == wanted


@given(st.binary(max_size=400), cuts)
def test_any_bytes_give_the_same_requests_however_they_are_split(data, at):
    whole, split = resp.Requests(), resp.Requests()
    expected = whole.feed(data)
    found = [request for piece in pieces(data, at) for request in split.feed(piece)]
    assert list(map(repr, found)) == list(map(repr, expected))
    assert all(isinstance(request, list) for request in expected[:-1])


@given(st.lists(values, max_size=5), st.sampled_from([2, 3]), cuts)
def test_frames_come_out_whole_however_the_bytes_are_split(sent, protocol, at):
    wanted = [resp.encode(value, protocol) for value in sent]
    framer = resp.Frames()
    assert [frame for piece in pieces(b"".join(wanted), at) for frame in framer.feed(piece)] == wanted


@given(st.binary(max_size=300), cuts)
def test_any_bytes_of_a_server_end_in_frames_or_a_protocol_error(data, at):
    framer = resp.Frames()
    try:
        frames = [frame for piece in pieces(data, at) for frame in framer.feed(piece)]
    except ProtocolError:
        return
    assert data.startswith(b"".join(frames))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*1048577\r\n", "invalid multibulk length"),
        (b"*1\r\nGET\r\n", "expected '$', got 'G'"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$999999999\r\n", "invalid bulk length"),
        (b'GET "a\r\n', "unbalanced quotes in request"),
        (b"x" * 70_000, "too big inline request"),
        (b"*" + b"1" * 70_000, "too big mbulk count string"),
    ],
)
def test_malformed_input_names_what_is_wrong_and_keeps_what_was_right(data, message):
    parser = resp.Requests()
    first, error = parser.feed(b"PING\r\n" + data)
    assert first == [b"PING"]
    assert isinstance(error, ProtocolError) and str(error) == message
    assert parser.feed(b"PING\r\n") == []


def test_inline_commands_are_split_as_redis_cli_quotes_them():
    assert resp.Requests().feed(b"\r\nSET a 'b c'\r\nECHO \"d e\"\r\n") == [
        [b"SET", b"a", b"b c"],
        [b"ECHO", b"d e"],
    ]


def test_a_reply_with_attributes_is_one_frame():
    frame = b"|1\r\n+ttl\r\n:3\r\n*2\r\n$1\r\na\r\n_\r\n"
    assert resp.Frames().feed(frame + b":1\r\n") == [frame, b":1\r\n"]


def test_numbers_that_resp2_cannot_say_are_strings():
    assert resp.encode(2.5) == b"$3\r\n2.5\r\n" and resp.encode(2.5, 3) == b",2.5\r\n"
    assert resp.encode(2**70, 3).startswith(b"(") and resp.encode(2**70).startswith(b"$")
