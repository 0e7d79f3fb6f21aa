"""CQL's types against the driver's own codec, which is the oracle, and against Cassandra's order and messages."""

import contextlib
import datetime
import io
import ipaddress
import json
import math
import socket
import struct
import uuid
from decimal import Decimal

import pytest
from cassandra import cqltypes, util
from cassandra.protocol import ResultMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.cassandra.cql.nodes import (
    Constant,
    ListLiteral,
    MapLiteral,
    Name,
    Null,
    SetLiteral,
    TupleLiteral,
    UserTypeLiteral,
)
from stores.cassandra.cql.typenames import CollectionTypeName, FrozenTypeName, NativeTypeName, UserTypeName, VectorTypeName
from stores.cassandra.errors import CqlError, InvalidRequest, SyntaxException
from stores.cassandra.execute import literals, terms  # noqa: F401 (literals registers itself)
from stores.cassandra.types import (
    ASCII,
    BIGINT,
    BLOB,
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    DURATION,
    FLOAT,
    INET,
    INT,
    NATIVE,
    SMALLINT,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMEUUID,
    TINYINT,
    UUID,
    VARINT,
    Duration,
    ListType,
    MapType,
    SetType,
    TupleType,
    UserType,
    VectorType,
    descending,
    from_class_name,
    resolve,
)
from stores.cassandra.types import calendar as cql_calendar

# --- values of every native type: (our value, the driver's) -------------------------------------------------------------

EPOCH = datetime.datetime(1970, 1, 1)
v1 = st.builds(
    lambda time, rest: uuid.UUID(bytes=struct.pack(">IHH", time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 | 0x1000) + rest),
    st.integers(0, 2**60 - 1),
    st.binary(min_size=8, max_size=8),
)
signs = st.sampled_from([1, -1])
durations = st.builds(
    lambda sign, m, d, n: Duration(sign * m, sign * d, sign * n),
    signs,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
)


def integers(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def printed(address):
    """Return an address as the driver prints it."""
    return socket.inet_ntop(socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed)


def same(values):
    return values.map(lambda value: (value, value))


decimals = st.builds(lambda n, e: Decimal(n).scaleb(e), integers(80), st.integers(-300, 300)) | st.decimals(
    allow_nan=False, allow_infinity=False
)
VALUES = {
    "ascii": same(st.text(st.characters(max_codepoint=127))),
    "bigint": same(integers(64)),
    "blob": same(st.binary()),
    "boolean": same(st.booleans()),
    "date": st.integers(-700_000, 2_000_000).map(lambda days: (days, util.Date(days))),
    "decimal": same(decimals.map(lambda d: d if d else d.copy_abs())),  # a varint has no negative zero
    "double": same(st.floats(allow_nan=False)),
    "duration": durations.map(lambda d: (d, util.Duration(*d))),
    "float": same(st.floats(width=32, allow_nan=False)),
    "inet": st.ip_addresses().map(lambda address: (address, printed(address))),
    "int": same(integers(32)),
    "smallint": same(integers(16)),
    "text": same(st.text(st.characters(exclude_categories=["Cs"]))),
    "time": st.integers(0, 86_400 * 10**9 - 1).map(lambda n: (n, util.Time(n))),
    # the driver goes through floats: further away it is a microsecond off
    "timestamp": st.integers(-(10**12), 4 * 10**12).map(lambda ms: (ms, EPOCH + datetime.timedelta(milliseconds=ms))),
    "timeuuid": same(v1),
    "tinyint": same(integers(8)),
    "uuid": same(st.uuids() | v1),
    "varint": same(integers(200) | integers(9)),
}


def native(name):
    return NATIVE[name], cqltypes.lookup_casstype(NATIVE[name].java_name), VALUES[name]


def check_both_ways(cql_type, driver_type, mine, theirs):
    data = cql_type.serialize(mine)
    assert data == driver_type.serialize(theirs, 4)
    assert driver_type.deserialize(data, 4) == theirs
    assert cql_type.deserialize(data) == mine
    assert cql_type.bind(data) == data


@pytest.mark.parametrize("name", sorted(VALUES))
def test_natives_are_serialised_as_the_driver_does(name):
    cql_type, driver_type, values = native(name)

    @settings(max_examples=60, deadline=None)
    @given(values)
    def run(pair):
        check_both_ways(cql_type, driver_type, *pair)

    run()


def test_not_a_number_and_infinities():
    for cql_type in (FLOAT, DOUBLE):
        assert math.isnan(cql_type.deserialize(cql_type.serialize(math.nan)))
        assert cql_type.deserialize(cql_type.serialize(-math.inf)) == -math.inf
    assert FLOAT.deserialize(FLOAT.serialize(1e300)) == math.inf


def test_every_native_type_is_tested():
    assert set(VALUES) | {"counter"} == set(NATIVE)


# --- types with parts ------------------------------------------------------------------------------------------------------

ORDERED = "ascii bigint int smallint text timeuuid tinyint varint boolean inet".split()


@st.composite
def any_type(draw, depth=2, hashable=False):
    """Return (type, strategy of (our value, the driver's))."""
    kinds = ["native"] if depth == 0 else ["native", "list", "set", "map", "tuple", "udt", "vector"]
    kind = draw(st.sampled_from(["native"] if hashable else kinds))
    if kind == "native":
        name = draw(st.sampled_from(ORDERED if hashable else sorted(VALUES)))
        return NATIVE[name], VALUES[name]
    if kind in ("list", "vector"):
        inner, values = draw(any_type(depth - 1))
        size = draw(st.integers(1, 4)) if kind == "vector" else None
        pairs = st.lists(values, min_size=size or 0, max_size=size or 4)
        made = VectorType(inner, size) if size else ListType(inner)
        return made, pairs.map(lambda items: ([a for a, _ in items], [b for _, b in items]))
    if kind == "set":
        inner, values = draw(any_type(0, hashable=True))
        return SetType(inner), st.lists(values, max_size=4, unique_by=lambda p: inner.sort_key(inner.serialize(p[0]))).map(
            lambda items: sorted_set(inner, items)
        )
    if kind == "map":
        key, keys = draw(any_type(0, hashable=True))
        item, items = draw(any_type(depth - 1))
        pairs = st.lists(st.tuples(keys, items), max_size=4, unique_by=lambda p: key.sort_key(key.serialize(p[0][0])))
        return MapType(key, item), pairs.map(lambda entries: sorted_map(key, entries))
    parts = [draw(any_type(depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    values = st.tuples(*(st.none() | v for _, v in parts)).map(
        lambda row: (tuple(p and p[0] for p in row), tuple(p and p[1] for p in row))
    )
    types = [t for t, _ in parts]
    if kind == "tuple":
        return TupleType(*types), values
    return UserType("ks", "place", [(f"o{i}", t) for i, t in enumerate(types)]), values


def sorted_set(inner, items):
    items = sorted(items, key=lambda p: inner.sort_key(inner.serialize(p[0])))
    return [a for a, _ in items], util.sortedset([b for _, b in items])


def sorted_map(key, entries):
    entries = sorted(entries, key=lambda p: key.sort_key(key.serialize(p[0][0])))
    theirs = util.OrderedMapSerializedKey(cqltypes.lookup_casstype(key.java_name), 4)
    for (_, k), (_, v) in entries:
        theirs._insert(k, v)
    return [(k, v) for (k, _), (v, _) in entries], theirs


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_nested_types_are_read_as_the_driver_writes_them_and_the_other_way(data):
    cql_type, values = data.draw(any_type())
    mine, theirs = data.draw(values)
    driver_type = cqltypes.lookup_casstype(cql_type.java_name)
    serialised = cql_type.serialize(mine)
    assert cql_type.bind(serialised) == serialised
    assert cql_type.deserialize(serialised) == mine
    again = driver_type.serialize(driver_type.deserialize(serialised, 4), 4)
    assert cql_type.bind(again) == serialised
    assert cql_type.bind(driver_type.serialize(theirs, 4)) == serialised
    assert from_class_name(cql_type.java_name).java_name == cql_type.java_name


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_options_are_read_by_the_drivers_protocol(data):
    cql_type, values = data.draw(any_type())
    serialised = cql_type.serialize(data.draw(values)[0])
    expected = cqltypes.lookup_casstype(cql_type.java_name).deserialize(serialised, 4)
    for version in (4, 5):
        stream = io.BytesIO(cql_type.option(version))
        read = ResultMessage.read_type(stream, {})
        assert read.deserialize(serialised, version) == expected
        assert not stream.read()


@settings(max_examples=300, deadline=None)
@given(st.data(), st.binary(max_size=40))
def test_bytes_of_a_client_are_a_value_or_refused(data, garbage):
    cql_type, _ = data.draw(any_type())
    try:
        bound = cql_type.bind(garbage)
    except CqlError:
        return
    cql_type.sort_key(bound)
    assert cql_type.bind(bound) == bound
    cql_type.to_json(bound)
    cql_type.format(bound)


# --- order --------------------------------------------------------------------------------------------------------------------


def value_order(name):
    """Return what orders our Python values as Cassandra orders the type."""
    if name in ("float", "double"):
        return lambda v: (v, math.copysign(1, v))
    if name == "boolean":
        return int
    if name == "inet":
        return lambda v: v.packed
    if name == "timeuuid":
        return lambda v: (v.time, [struct.unpack("b", bytes((b,)))[0] for b in v.bytes[8:]])
    if name == "uuid":
        return lambda v: (v.bytes[6] >> 4, v.time if v.bytes[6] >> 4 == 1 else v.bytes, v.bytes[8:])
    if name in ("text", "ascii"):
        return lambda v: v.encode()
    return lambda v: v


@pytest.mark.parametrize("name", sorted(set(VALUES) - {"duration"}))
def test_sort_keys_agree_with_the_order_of_values(name):
    cql_type, key = NATIVE[name], value_order(name)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(VALUES[name].map(lambda pair: pair[0]), min_size=2, max_size=6))
    def run(values):
        data = [cql_type.serialize(v) for v in values]
        by_key = sorted(data, key=cql_type.sort_key)
        assert [key(cql_type.deserialize(d)) for d in by_key] == sorted(map(key, values))
        backwards = sorted(data, key=lambda d: descending(cql_type.sort_key(d)))
        assert [key(cql_type.deserialize(d)) for d in backwards] == sorted(map(key, values), reverse=True)
        if cql_type.empty_allowed:
            assert min([*data, b""], key=cql_type.sort_key) == b""
            assert max([*data, b""], key=lambda d: descending(cql_type.sort_key(d))) == b""

    run()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(integers(16), max_size=3), min_size=2, max_size=6))
def test_frozen_lists_are_ordered_element_by_element(values):
    cql_type = ListType(INT).frozen()
    data = [cql_type.serialize(v) for v in values]
    assert [cql_type.deserialize(d) for d in sorted(data, key=cql_type.sort_key)] == sorted(values)
    backwards = sorted(data, key=lambda d: descending(cql_type.sort_key(d)))
    assert [cql_type.deserialize(d) for d in backwards] == sorted(values, reverse=True)


def test_not_a_number_is_above_infinity_and_minus_zero_below_zero():
    values = [math.nan, math.inf, 0.0, -0.0, -math.inf, 1.5]
    data = sorted(map(DOUBLE.serialize, values), key=DOUBLE.sort_key)
    assert [str(DOUBLE.deserialize(d)) for d in data] == ["-inf", "-0.0", "0.0", "1.5", "inf", "nan"]


def test_null_is_below_every_part_of_a_tuple():
    cql_type = TupleType(INT, TEXT)
    data = [cql_type.serialize(v) for v in [(1, "a"), (1, None), (None, "z"), (0, "a")]]
    assert [cql_type.deserialize(d) for d in sorted(data, key=cql_type.sort_key)] == [(None, "z"), (0, "a"), (1, None), (1, "a")]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5), min_size=2, max_size=8))
def test_descending_keys_of_bytes_reverse_the_order(keys):
    assert sorted(keys, key=descending) == sorted(keys, reverse=True)


# --- literals -----------------------------------------------------------------------------------------------------------------


def c(kind, text):
    return Constant(kind, text)


def written(cql_type, term):
    """Return the bytes of a literal for a column `v`: constants are read by their type, what has parts by the engine."""
    compiler = terms.Compiler(None, None, [], "ks")
    return compiler.compile(term, terms.Receiver("v", cql_type)).evaluate(terms.Env([], 0.0))


ONE, A = c("integer", "1"), c("string", "a")
ADDRESS = UserType("ks", "address", [("street", TEXT), ("no", INT)])
LITERALS = [
    (INT, c("integer", "-2147483648"), -(2**31)),
    (BIGINT, c("integer", "5"), 5),
    (SMALLINT, c("integer", "-5"), -5),
    (TINYINT, c("integer", "127"), 127),
    (VARINT, c("integer", "123456789012345678901234567890"), 123456789012345678901234567890),
    (FLOAT, c("integer", "3"), 3.0),
    (DOUBLE, c("float", "-1.5e3"), -1500.0),
    (DOUBLE, c("float", "Infinity"), math.inf),
    (DECIMAL, c("float", "1.50"), Decimal("1.50")),
    (DECIMAL, c("integer", "7"), Decimal(7)),
    (BOOLEAN, c("boolean", "TRUE"), True),
    (TEXT, c("string", "dž"), "dž"),
    (ASCII, c("string", "a"), "a"),
    (BLOB, c("hex", "0xCAFE"), b"\xca\xfe"),
    (BLOB, c("hex", "0x"), b""),
    (UUID, c("uuid", "00112233-4455-6677-8899-AABBCCDDEEFF"), uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")),
    (TIMEUUID, c("uuid", "d2177dd0-eaa2-11de-a572-001b779c76e3"), uuid.UUID("d2177dd0-eaa2-11de-a572-001b779c76e3")),
    (INET, c("string", "127.0.0.1"), ipaddress.ip_address("127.0.0.1")),
    (INET, c("string", "::1"), ipaddress.ip_address("::1")),
    (TIMESTAMP, c("integer", "1000"), 1000),
    (TIMESTAMP, c("string", "1970-01-01"), 0),
    (TIMESTAMP, c("string", "1970-01-01T00:00:01Z"), 1000),
    (TIMESTAMP, c("string", "1970-01-01 01:00:00.250+0100"), 250),
    (TIMESTAMP, c("string", "1970-01-01 00:00+01:00"), -3_600_000),
    (TIMESTAMP, c("string", "1970-01-01 24:00:00"), 86_400_000),
    (TIMESTAMP, c("string", "1970-02-30"), 58 * 86_400_000),
    (TIMESTAMP, c("string", "1970-01-01 03:04:05 EST"), 29_045_000),
    (TIMESTAMP, c("string", "2026-01-02 03:04:05 Europe/Berlin"), 1_767_319_445_000),
    (TIMESTAMP, c("string", ""), None),
    (INET, c("string", ""), None),
    (INET, c("string", "1.2.3"), ipaddress.ip_address("1.2.0.3")),
    (INET, c("string", "::ffff:1.2.3.4"), ipaddress.ip_address("1.2.3.4")),
    (DATE, c("string", "1970-01-02"), 1),
    (DATE, c("string", "-0001-03-01"), cql_calendar.days_of(-1, 3, 1)),
    (DATE, c("integer", "2147483648"), 0),
    (TIME, c("string", "08:12:54.123456789"), 29574123456789),
    (TIME, c("integer", "5"), 5),
    (DURATION, c("duration", "1y2mo3w4d5h6m7s8ms9us10ns"), Duration(14, 25, 18367008009010)),
    (DURATION, c("duration", "-1h"), Duration(0, 0, -3600 * 10**9)),
    (DURATION, c("duration", "P1Y2M3DT4H5M6S"), Duration(14, 3, 14706 * 10**9)),
    (DURATION, c("duration", "P0001-02-03T04:05:06"), Duration(14, 3, 14706 * 10**9)),
    (DURATION, c("duration", "P2W"), Duration(0, 14, 0)),
    (ListType(INT), ListLiteral((ONE, ONE)), [1, 1]),
    (ListType(INT), ListLiteral(()), []),
    (SetType(INT), SetLiteral((c("integer", "2"), ONE, ONE)), [1, 2]),
    (MapType(TEXT, INT), MapLiteral(((c("string", "b"), ONE), (A, ONE), (A, c("integer", "9")))), [("a", 9), ("b", 1)]),
    (MapType(TEXT, INT), SetLiteral(()), []),
    (TupleType(INT, TEXT), TupleLiteral((ONE, A)), (1, "a")),
    (TupleType(INT, TEXT), TupleLiteral((ONE,)), (1, None)),
    (TupleType(INT, TEXT), TupleLiteral((Null(), A)), (None, "a")),
    (ADDRESS, UserTypeLiteral((("no", ONE),)), (None, 1)),
    (VectorType(FLOAT, 2), ListLiteral((ONE, c("float", "2.5"))), [1.0, 2.5]),
    (VectorType(TEXT, 2), ListLiteral((A, A)), ["a", "a"]),
]


@pytest.mark.parametrize(("cql_type", "term", "value"), LITERALS, ids=lambda x: str(x)[:40])
def test_literals(cql_type, term, value):
    assert cql_type.deserialize(written(cql_type, term)) == value


REFUSED = [
    (INT, A, 'Invalid STRING constant (a) for "v" of type int'),
    (TEXT, ONE, 'Invalid INTEGER constant (1) for "v" of type text'),
    (BOOLEAN, ONE, 'Invalid INTEGER constant (1) for "v" of type boolean'),
    (BLOB, A, 'Invalid STRING constant (a) for "v" of type blob'),
    (UUID, A, 'Invalid STRING constant (a) for "v" of type uuid'),
    (INT, c("float", "1.5"), 'Invalid FLOAT constant (1.5) for "v" of type int'),
    (INT, c("integer", "2147483648"), "Unable to make int from '2147483648'"),
    (TINYINT, c("integer", "128"), "Unable to make byte from '128'"),
    (SMALLINT, c("integer", "99999"), "Unable to make short from '99999'"),
    (BIGINT, c("integer", "9223372036854775808"), "Unable to make long from '9223372036854775808'"),
    (
        ASCII,
        c("string", "ä"),
        "Invalid ASCII character in string literal: java.nio.charset.UnmappableCharacterException: Input length = 1",
    ),
    (BLOB, c("hex", "0x123"), "cannot parse '123' as hex bytes"),
    (TIMESTAMP, c("string", "yesterday"), "Unable to parse a date/time from 'yesterday'"),
    (TIMESTAMP, c("string", "2026-02-32"), "Unable to parse a date/time from '2026-02-32'"),
    (TIMESTAMP, c("string", "2026-1-2"), "Unable to parse a date/time from '2026-1-2'"),
    (DATE, c("string", "2026-02-30"), "Unable to coerce '2026-02-30' to a formatted date (long)"),
    (DATE, c("string", "10000-01-01"), "Unable to coerce '10000-01-01' to a formatted date (long)"),
    (
        DATE,
        c("string", "-5877641-06-22"),
        "Input date -5877641-06-22 is less than min supported date -5877641-06-23T00:00Z",
    ),
    (DATE, c("string", "2026-13-01"), "Unable to coerce '2026-13-01' to a formatted date (long)"),
    (DATE, c("integer", "-1"), "Unable to make unsigned int (for date) from: '-1'"),
    (TIME, c("string", "25:00:00"), "(TimeType) Unable to coerce '25:00:00' to a formatted time (long)"),
    (INET, c("string", "1.2.65536"), "Unable to make inet address from '1.2.65536'"),
    (TIMEUUID, c("uuid", "00112233-4455-4677-8899-aabbccddeeff"), "TimeUUID supports only version 1 UUIDs"),
    (DURATION, c("duration", "1h1h"), "Invalid duration. The hours are specified multiple times"),
    (DURATION, c("duration", "1m1h"), "Invalid duration. The minutes should be after hours"),
    (DURATION, c("integer", "5"), "Unable to convert '5' to a duration"),
    (DURATION, c("duration", "200000000y"), "Invalid duration. The total number of months must be less or equal to 2147483647"),
    (ListType(INT), ListLiteral((ONE, A)), "Invalid list literal for v: value 'a' is not of type int"),
    (ListType(INT), SetLiteral((ONE,)), "Invalid set literal for v of type list<int>"),
    (ListType(INT), ListLiteral((Null(),)), "null is not supported inside collections"),
    (ListType(INT), ONE, 'Invalid INTEGER constant (1) for "v" of type list<int>'),
    (INT, ListLiteral((ONE,)), "Unexpected receiver type 'int'; only list and vector are expected"),
    (SetType(INT), ListLiteral((ONE,)), "Unexpected receiver type 'set<int>'; only list and vector are expected"),
    (SetType(INT), SetLiteral((A,)), "Invalid set literal for v: value 'a' is not of type int"),
    (MapType(TEXT, INT), MapLiteral(((ONE, ONE),)), "Invalid map literal for v: key 1 is not of type text"),
    (MapType(TEXT, INT), MapLiteral(((A, A),)), "Invalid map literal for v: value 'a' is not of type int"),
    (MapType(TEXT, INT), ListLiteral(()), "Unexpected receiver type 'map<text, int>'; only list and vector are expected"),
    (TupleType(INT), ListLiteral((ONE,)), "Unexpected receiver type 'frozen<tuple<int>>'; only list and vector are expected"),
    (TupleType(INT), TupleLiteral((A,)), "Invalid tuple literal for v: component 0 is not of type int"),
    (
        TupleType(INT),
        TupleLiteral((ONE, ONE)),
        "Invalid tuple literal for v: too many elements. Type frozen<tuple<int>> expects 1 but got 2",
    ),
    (INT, TupleLiteral((ONE, ONE)), "Invalid tuple type literal for v of type int"),
    (ADDRESS, UserTypeLiteral((("zip", ONE),)), "Unknown field 'zip' in value of user defined type address"),
    (ADDRESS, UserTypeLiteral((("no", A),)), "Invalid user type literal for v: field no is not of type int"),
    (INT, UserTypeLiteral((("no", A),)), "Invalid user type literal for v of type int"),
    (
        VectorType(FLOAT, 2),
        ListLiteral((ONE,)),
        "Invalid vector literal for v of type vector<float, 2>; expected 2 elements, but given 1",
    ),
    (VectorType(FLOAT, 1), ListLiteral((A,)), "Invalid vector literal for v: value 'a' is not of type float"),
    (VectorType(FLOAT, 1), ListLiteral((Null(),)), "null is not supported inside vectors"),
]


@pytest.mark.parametrize(("cql_type", "term", "message"), REFUSED, ids=lambda x: str(x)[:40])
def test_refused_literals(cql_type, term, message):
    with pytest.raises(InvalidRequest) as refusal:
        written(cql_type, term)
    assert refusal.value.message == message
    assert refusal.value.code == 0x2200


BAD_BYTES = [
    (INT, b"\0", "Expected 4 or 0 byte int (1)"),
    (BIGINT, b"\0", "Expected 8 or 0 byte long (1)"),
    (SMALLINT, b"", "Expected 2 bytes for a smallint (0)"),
    (TINYINT, b"", "Expected 1 byte for a tinyint (0)"),
    (BOOLEAN, b"\0\0", "Expected 1 or 0 byte value (2)"),
    (DOUBLE, b"\0", "Expected 8 or 0 byte value for a double (1)"),
    (FLOAT, b"\0", "Expected 4 or 0 byte value for a float (1)"),
    (TIMESTAMP, b"\0", "Expected 8 or 0 byte long for date (1)"),
    (DATE, b"", "Expected 4 byte long for date (0)"),
    (TIME, b"", "Expected 8 byte long for time (0)"),
    (TEXT, b"\xff", "String didn't validate."),
    (ASCII, b"a\x80", "Invalid byte for ascii: -128"),
    (UUID, b"\0", "UUID should be 16 or 0 bytes (1)"),
    (TIMEUUID, b"\xab" + b"\x40" * 15, "Invalid version for TimeUUID type: 0xa"),
    (INET, b"\0", "Expected 4 or 16 byte inetaddress; got 00"),
    (DURATION, b"\0", "Expected at least 3 bytes for a duration (1)"),
    (DECIMAL, b"\0", "Expected 0 or at least 4 bytes (1)"),
    (ListType(INT), b"", "Not enough bytes to read a list"),
    (SetType(INT), b"\0\0\0\1", "Not enough bytes to read a set"),
    (MapType(INT, INT), b"\0\0\0\0\0", "Unexpected extraneous bytes after map value"),
    (ListType(INT), b"\0\0\0\1\xff\xff\xff\xff", "null is not supported inside collections"),
    (TupleType(INT), b"\0\0\0\0" * 2, "Invalid remaining data after end of tuple value"),
    (VectorType(INT, 2), b"\0\0\0\1", "Not enough bytes to read a vector<int, 2>"),
]


@pytest.mark.parametrize(("cql_type", "data", "message"), BAD_BYTES, ids=lambda x: str(x)[:40])
def test_refused_bytes(cql_type, data, message):
    with pytest.raises(InvalidRequest) as refusal:
        cql_type.bind(data)
    assert refusal.value.message == message


def test_sets_of_clients_are_sorted_at_any_depth():
    cql_type = MapType(INT, SetType(INT))
    unsorted_set = struct.pack(">iiiii", 2, 4, 9, 4, 3)
    data = struct.pack(">iiii", 1, 4, 1, len(unsorted_set)) + unsorted_set
    assert cql_type.deserialize(cql_type.bind(data)) == [(1, [3, 9])]


# --- text and JSON ------------------------------------------------------------------------------------------------------------

TEXTS = [
    (DOUBLE, 1.0, "1.0"),
    (DOUBLE, 1e7, "1.0E7"),
    (DOUBLE, 1.5e-5, "1.5E-5"),
    (DOUBLE, 123456.789, "123456.789"),
    (DOUBLE, -0.0, "-0.0"),
    (DOUBLE, math.inf, "Infinity"),
    (FLOAT, struct.unpack(">f", struct.pack(">f", 0.1))[0], "0.1"),
    (DECIMAL, Decimal("1E+3"), "1E+3"),
    (DECIMAL, Decimal("0.0000001"), "1E-7"),
    (DECIMAL, Decimal("-1.50"), "-1.50"),
    (TIMESTAMP, 1250, "1970-01-01T00:00:01.250Z"),
    (DATE, -1, "1969-12-31"),
    (TIME, 1, "00:00:00.000000001"),
    (DURATION, Duration(14, 10, 3_600_000_000_001), "1y2mo10d1h1ns"),
    (DURATION, Duration(0, -1, -1000), "-1d1us"),
    (INET, "::1", "0:0:0:0:0:0:0:1"),
    (BLOB, b"\xca", "0xca"),
    (BOOLEAN, False, "false"),
]


@pytest.mark.parametrize(("cql_type", "value", "text"), TEXTS, ids=str)
def test_values_are_printed_as_java_prints_them(cql_type, value, text):
    assert cql_type.format(cql_type.serialize(value)) == text


JSONS = [
    (INT, 3, "3"),
    (TEXT, 'a"b', '"a\\"b"'),
    (TIMESTAMP, 0, '"1970-01-01 00:00:00.000Z"'),
    (DOUBLE, math.nan, "null"),
    (MapType(INT, TEXT), {1: "x"}, '{"1": "x"}'),
    (MapType(TEXT, INT), {"k": 1}, '{"k": 1}'),
    (SetType(INT), [2, 1], "[1, 2]"),
    (TupleType(INT, TEXT), (1, None), "[1, null]"),
    (UserType("ks", "t", [("a", INT), ("B", TEXT)]), (1, None), '{"a": 1, "\\"B\\"": null}'),
    (VectorType(FLOAT, 2), [1, 2.5], "[1.0, 2.5]"),
]


@pytest.mark.parametrize(("cql_type", "value", "text"), JSONS, ids=str)
def test_values_as_json(cql_type, value, text):
    assert cql_type.to_json(cql_type.serialize(value)) == text


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_json_is_read_back_as_it_was_written(data):
    cql_type, values = data.draw(any_type())
    serialised = cql_type.serialize(data.draw(values)[0])
    text = cql_type.to_json(serialised)
    if not cql_type.mentions(lambda t: t.name in ("float", "double", "duration", "decimal", "map", "inet")):
        assert cql_type.from_json(json.loads(text, parse_float=Decimal)) == serialised


BAD_JSON = [
    (INT, "abc", "Unable to make int from 'abc'"),
    (INT, True, "Expected an int value, but got a Boolean: true"),
    (INT, [1], "Expected an int value, but got a ArrayList: [1]"),
    (BIGINT, Decimal("1.5"), "Expected a bigint value, but got a Double: 1.5"),
    (TEXT, 1, "Expected a UTF-8 string, but got a Integer: 1"),
    (BOOLEAN, 1, "Expected a boolean value, but got a Integer: 1"),
    (BLOB, "ff", "String representation of blob is missing 0x prefix: ff"),
    (UUID, 1, "Expected a string representation of a uuid, but got a Integer: 1"),
    (DECIMAL, "x", "Value 'x' is not a valid representation of a decimal value"),
    (ListType(INT), 1, "Expected a list, but got a Integer: 1"),
    (SetType(INT), {"a": 1}, "Expected a list (representing a set), but got a LinkedHashMap: {a=1}"),
    (ListType(INT), [None], "Invalid null element in list"),
    (MapType(INT, INT), [], "Expected a map, but got a ArrayList: []"),
    (MapType(INT, INT), {"1": None}, "Invalid null value in map"),
    (TupleType(INT, INT), [1], "Tuple is missing items (expected 2): [1]"),
    (ADDRESS, {"x": 1}, "Unknown field 'x' in value of user defined type address"),
    (VectorType(INT, 2), [1], "List had incorrect size: expected 2 but given 1; [1]"),
]


@pytest.mark.parametrize(("cql_type", "value", "message"), BAD_JSON, ids=str)
def test_refused_json(cql_type, value, message):
    with pytest.raises(InvalidRequest) as refusal:
        cql_type.from_json(value)
    assert refusal.value.message == message


# --- names --------------------------------------------------------------------------------------------------------------------


def test_names_are_written_as_the_schema_writes_them():
    assert str(ListType(ListType(INT))) == "list<frozen<list<int>>>"
    assert str(MapType(TEXT, TupleType(INT))) == "map<text, frozen<tuple<int>>>"
    assert str(UserType("ks", "Address", []).frozen()) == 'frozen<"Address">'
    assert str(SetType(ADDRESS).frozen()) == "frozen<set<frozen<address>>>"
    assert from_class_name("Int32Type") == INT
    assert from_class_name(ListType(ADDRESS).java_name) == ListType(ADDRESS)


def test_types_that_do_not_exist_or_may_not_stand_there():
    def refused(name, error=InvalidRequest):
        with pytest.raises(error) as refusal:
            resolve(name, "ks", lambda keyspace, name: ADDRESS if name == "address" else None)
        return refusal.value.message

    def lists(inner):
        return CollectionTypeName("list", (inner,))

    ints = lists(NativeTypeName("int"))
    assert refused(UserTypeName(Name(None, "nope"))) == "Unknown type ks.nope"
    assert refused(lists(NativeTypeName("counter"))) == "Counters are not allowed inside collections: list<counter>"
    assert refused(lists(ints)) == "Non-frozen collections are not allowed inside collections: list<list<int>>"
    address = UserTypeName(Name(None, "address"))
    assert refused(lists(address)) == "Non-frozen UDTs are not allowed inside collections: list<address>"
    durations = CollectionTypeName("set", (NativeTypeName("duration"),))
    assert refused(durations) == "Durations are not allowed inside sets: set<duration>"
    assert refused(VectorTypeName(NativeTypeName("float"), 0)) == "vectors may only have positive dimensions; given 0"
    assert "user types can only be used in the keyspace they are defined in" in refused(UserTypeName(Name("other", "address")))
    assert str(resolve(FrozenTypeName(lists(ints)))) == "frozen<list<frozen<list<int>>>>"
    assert str(resolve(lists(FrozenTypeName(address)), "ks", lambda *_: ADDRESS)) == "list<frozen<address>>"
    with pytest.raises(SyntaxException):
        from_class_name("org.example.Nothing")


@settings(max_examples=200, deadline=None)
@given(st.text("ListTypeInt32Tx(),: ", max_size=30))
def test_any_name_of_a_class_is_a_type_or_refused(text):
    with contextlib.suppress(CqlError):
        from_class_name(text)


@settings(deadline=None)
@given(st.dates())
def test_the_calendar_agrees_with_pythons(date):
    days = (date - datetime.date(1970, 1, 1)).days
    assert cql_calendar.days_of(date.year, date.month, date.day) == days
    assert cql_calendar.date_of(days) == (date.year, date.month, date.day)


@settings(deadline=None)
@given(st.integers(-(2**31), 2**31 - 1))
def test_every_date_has_a_text_of_its_own(days):
    assert cql_calendar.parse_date(cql_calendar.format_date(days)) == days
