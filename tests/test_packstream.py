"""PackStream and Bolt's frames: what is packed comes back, as the driver's own packer sees it, and nonsense is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neo4j._codec.packstream.v1 import PackableBuffer, Packer, UnpackableBuffer, Unpacker
from neo4j._codec.packstream.v1 import Structure as DriversStructure

from stores.neo4j import bolt
from stores.neo4j.packstream import DEEPEST, PackStreamError, Structure, pack, unpack, unpack_all
from stores.wire import ProtocolError

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | text | st.binary(max_size=40)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(text, inner, max_size=5), max_leaves=12)
structures = st.builds(Structure, st.integers(0, 127), st.lists(values, max_size=6).map(tuple))


def drivers_bytes(value):
    buffer = PackableBuffer()
    Packer(buffer).pack(value)
    return bytes(buffer.data)


def drivers_value(data):
    return Unpacker(UnpackableBuffer(bytearray(data))).unpack()


@given(values)
def test_what_is_packed_comes_back(value):
    assert unpack(pack(value)) == value


@given(structures)
def test_a_structure_comes_back(structure):
    assert unpack(pack(structure)) == structure


@given(values)
def test_the_bytes_are_the_drivers(value):
    assert pack(value) == drivers_bytes(value)


@given(values)
def test_the_driver_reads_what_is_packed(value):
    assert drivers_value(pack(value)) == value


@given(st.integers(0, 127), st.lists(scalars, max_size=5))
def test_a_structure_is_the_drivers(tag, fields):
    assert pack(Structure(tag, fields)) == drivers_bytes(DriversStructure(bytes([tag]), *fields))


@pytest.mark.parametrize("size", [0, 15, 16, 255, 256, 65_535, 65_536])
def test_sizes_at_every_boundary(size):
    for value in ("x" * size, b"x" * size, [1] * size, {str(i): i for i in range(size)}):
        assert pack(value) == drivers_bytes(value)
        assert unpack(pack(value)) == value


@pytest.mark.parametrize("number", [n + d for n in (0, 2**4, 2**7, 2**8, 2**15, 2**31, 2**63 - 1) for d in (-1, 0)] + [-(2**63)])
def test_integers_at_every_boundary(number):
    for value in (number, -number if number > -(2**63) else number):
        assert pack(value) == drivers_bytes(value)
        assert unpack(pack(value)) == value


def test_true_is_not_one():
    assert pack(True) != pack(1)
    assert unpack(pack(True)) is True


def test_a_tuple_is_a_list():
    assert unpack(pack((1, (2,)))) == [1, [2]]


@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, {1: 2}, {1, 2}, "\ud800", Structure(1, range(16)), object()], ids=lambda v: type(v).__name__
)
def test_what_has_no_packed_form_is_refused(value):
    with pytest.raises(PackStreamError):
        pack(value)


def test_nesting_has_an_end():
    nested = []
    for _ in range(DEEPEST + 2):
        nested = [nested]
    with pytest.raises(PackStreamError, match="deeper"):
        pack(nested)
    with pytest.raises(PackStreamError, match="deeper"):
        unpack(b"\x91" * (DEEPEST + 2) + b"\x01")


@given(values.filter(lambda value: value not in ([], {})), st.data())
def test_bytes_that_end_early_are_refused(value, data):
    packed = pack(value)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(PackStreamError):
        unpack(packed[:cut])


@given(st.binary(max_size=50))
def test_any_bytes_are_read_or_refused(data):
    try:
        again = unpack_all(data)
    except PackStreamError:
        return
    assert isinstance(again, list)


def test_a_size_that_lies_is_refused_before_room_is_made():
    with pytest.raises(PackStreamError, match="expected 4294967295 items"):
        unpack(b"\xd6\xff\xff\xff\xff")


# Bolt's frames.


@given(st.lists(structures, min_size=1, max_size=5), st.data())
def test_messages_come_back_however_the_bytes_are_cut(messages, data):
    stream = bolt.MAGIC + bytes((0, 0, 4, 5)) + bytes(12) + b"".join(bolt.encode(tag, *fields) for tag, fields in messages)
    parser, found = bolt.Messages(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:size])
        stream = stream[size:]
    assert found[0] == bolt.Handshake(speaks=True)
    assert [Structure(message.tag, message.fields) for message in found[1:]] == messages


def test_a_long_message_is_cut_into_chunks():
    payload = pack(Structure(bolt.RUN, ("x" * 200_000,)))
    framed = bolt.frame(payload)
    assert framed[:2] == b"\xff\xff"
    assert list(bolt.Chunks().feed(framed)) == [payload]


def test_an_empty_chunk_keeps_the_line_open():
    assert list(bolt.Chunks().feed(b"\x00\x00" + bolt.encode(bolt.RESET) + b"\x00\x00")) == [pack(Structure(bolt.RESET, ()))]


@pytest.mark.parametrize(
    ("offers", "speaks"),
    [([(8, 8)], True), ([(4, 4), (5, 4)], True), ([(4, 0)], True), ([(5, 0)], False), ([(3, 2)], False)],
    ids=str,
)
def test_the_handshake_agrees_on_one_version(offers, speaks):
    """Each offer is (highest minor, how many below it), of major version 5."""
    words = [bytes((0, below, minor, 5)) for minor, below in offers]
    handshake = bolt.MAGIC + b"".join(words).ljust(16, b"\x00")
    assert bolt.Messages().feed(handshake) == [bolt.Handshake(speaks)]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"*1\r\n$4\r\nPING\r\n" + bytes(20)])
def test_another_protocol_is_told_what_this_is(data):
    (error,) = bolt.Messages().feed(data)
    assert isinstance(error, ProtocolError)
    assert "Bolt" in str(error)


def test_a_message_that_is_no_structure_is_refused():
    parser = bolt.Messages()
    parser.feed(bolt.offer())
    (error,) = parser.feed(bolt.frame(pack([1, 2])))
    assert isinstance(error, ProtocolError)
