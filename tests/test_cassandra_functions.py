"""CQL's functions, operators and casts: against what a real Cassandra answers, and against Python's arithmetic."""

import re
import struct
import uuid
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stores.cassandra import functions
from stores.cassandra.cql.nodes import BindMarker, Column, Constant, Name
from stores.cassandra.cql.parser import parse
from stores.cassandra.errors import CqlError, FunctionFailure, InvalidRequest
from stores.cassandra.execute import literals, selectors, terms  # noqa: F401 (they register themselves)
from stores.cassandra.functions.times import TimeUuids, floor_milliseconds
from stores.cassandra.murmur3 import token_of
from stores.cassandra.types import (
    ASCII,
    BIGINT,
    BLOB,
    COUNTER,
    DATE,
    DECIMAL,
    DOUBLE,
    FLOAT,
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
    VectorType,
)

EXPRESSIONS = Path(__file__).parent / "data" / "cql_functions.txt"
TABLE = SimpleNamespace(
    keyspace="ks",
    name="one",
    partition_key=[SimpleNamespace(name="k", type=INT)],
    column=lambda name: SimpleNamespace(name=name, type=INT),
)


def expressions():
    """Yield (expression, answer) of the file."""
    lines = [line for line in EXPRESSIONS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return list(zip(lines[::2], map(str.strip, lines[1::2]), strict=True))


def selected(expression):
    """Return "type 0xbytes" of an expression, or "! code message"."""
    try:
        statement = parse(f"SELECT {expression} FROM ks.one")
        compiler = terms.Compiler(SimpleNamespace(user_type=lambda *_: None), TABLE, statement.markers)
        made = compiler.compile(statement.selections[0].selector, None, True)
        env = terms.Env([], 0.0)
        env.group = [object()]
        value = made.evaluate(env)
    except CqlError as error:
        return f"! {error.code:04x} {error.message.split(' (known')[0]}"
    return f"{made.type} {'null' if value is None else '0x' + value.hex()}"


@pytest.mark.parametrize(("expression", "answer"), expressions())
def test_expressions_are_what_cassandra_answers(expression, answer):
    assert selected(expression) == answer


def find(name, *given, nodes=None, **more):
    nodes = nodes or [Column("c")] * len(given)
    return functions.find(Name(None, name), list(given), arguments=nodes, **more)


# --- which function ---------------------------------------------------------------------------------------------------------


def test_unknown_functions():
    with pytest.raises(InvalidRequest, match=re.escape("Unknown function nosuch called")):
        find("nosuch")
    with pytest.raises(InvalidRequest, match=re.escape("Unknown function 'ks.abs'")):
        functions.find(Name("ks", "abs"), [INT], arguments=[Column("c")], selecting=True)
    assert functions.find(Name("system", "abs"), [INT], arguments=[Column("c")]).name == "system.abs"


def test_every_native_function_of_the_reference_is_there():
    names = """abs avg blob_as_int cast_as_text collection_avg collection_count collection_max collection_min collection_sum count
    current_date current_time current_timestamp current_timeuuid exp floor from_json int_as_blob log log10 map_keys map_values
    mask_default mask_hash mask_inner mask_null mask_outer mask_replace max max_timeuuid min min_timeuuid now round
    similarity_cosine similarity_dot_product similarity_euclidean sum to_date to_json to_timestamp to_unix_timestamp token uuid
    todate totimestamp tounixtimestamp mintimeuuid maxtimeuuid currentdate currenttime currenttimestamp currenttimeuuid
    tojson fromjson intasblob blobasint"""
    assert set(names.split()) <= set(functions.FUNCTIONS)
    assert not {"dateof", "unixtimestampof"} & set(functions.FUNCTIONS)  # gone since Cassandra 5


def test_the_type_of_the_argument_chooses():
    assert find("abs", SMALLINT).return_type == SMALLINT
    assert find("to_unix_timestamp", TIMEUUID).argument_types == (TIMEUUID,)
    with pytest.raises(InvalidRequest, match="Ambiguous call to function abs"):
        find("abs", None, nodes=[BindMarker(0)])
    assert find("abs", None, nodes=[BindMarker(0)], receiver=BIGINT).return_type == BIGINT
    with pytest.raises(InvalidRequest, match="none of its type signatures match"):
        find("to_date", INT)


def test_a_literal_takes_the_type_that_fits():
    def fits(node, wanted):
        return node.kind in wanted.literals

    assert find("min_timeuuid", TEXT, nodes=[Constant("string", "2026-01-01")], fits=fits).argument_types == (TIMESTAMP,)
    with pytest.raises(InvalidRequest, match="Type error: 5h cannot be passed as argument 0 of"):
        find("min_timeuuid", NATIVE["duration"], nodes=[Constant("duration", "5h")], fits=fits)


def test_token_takes_the_partition_key():
    token = find("token", INT, table=TABLE)
    assert token.argument_types == (INT,)
    assert BIGINT.deserialize(token.call(INT.serialize(1))) == token_of([INT.serialize(1)]) == -4069959284402364209
    assert token.call(None) is None
    with pytest.raises(InvalidRequest, match="1 required but 2 provided"):
        find("token", INT, INT, table=TABLE)


# --- arithmetic ------------------------------------------------------------------------------------------------------------

INTEGERS = [TINYINT, SMALLINT, INT, BIGINT]
NUMBERS = [*INTEGERS, FLOAT, DOUBLE, VARINT, DECIMAL]


def values_of(cql_type):
    if cql_type in INTEGERS:
        return st.integers(cql_type.lowest, cql_type.highest)
    if cql_type is VARINT:
        return st.integers(-(2**100), 2**100)
    if cql_type is DECIMAL:
        return st.builds(lambda n, e: Decimal(n).scaleb(-e), st.integers(-(10**9), 10**9), st.integers(0, 8))
    return st.floats(-1e6, 1e6, width=32)


PYTHON = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "%": lambda a, b: abs(a) % abs(b) * (-1 if a < 0 else 1),
}


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from("+-*/%"), st.sampled_from([*INTEGERS, VARINT]), st.sampled_from([*INTEGERS, VARINT]))
def test_integers_calculate_as_in_java(data, operator, left, right):
    a, b = data.draw(values_of(left)), data.draw(values_of(right))
    operation = functions.operation(operator, left, right)
    result = operation.return_type
    assert result is (VARINT if VARINT in (left, right) else max(left, right, key=lambda t: t.fixed_length))
    if not b and operator in "/%":
        with pytest.raises(FunctionFailure, match="zero"):
            operation.call(left.serialize(a), right.serialize(b))
        return
    expected = PYTHON[operator](a, b)
    found = result.deserialize(operation.call(left.serialize(a), right.serialize(b)))
    assert found == (expected if result is VARINT else result.wrap(expected))
    assert operation.call(None, right.serialize(b)) is None


@settings(max_examples=200, deadline=None)
@given(st.sampled_from("+-*/"), values_of(DECIMAL), values_of(DECIMAL))
def test_decimals_are_exact(operator, a, b):
    assume(b or operator != "/")
    found = DECIMAL.deserialize(functions.operation(operator, DECIMAL, DECIMAL).call(DECIMAL.serialize(a), DECIMAL.serialize(b)))
    one, two = Fraction(a), Fraction(b)
    exact = {"+": one + two, "-": one - two, "*": one * two, "/": one / two if b else 0}[operator]
    if operator == "/":
        assert abs(Fraction(found) - exact) <= abs(exact) / 10**30
    else:
        assert Fraction(found) == exact


@settings(max_examples=100, deadline=None)
@given(st.sampled_from("+-*/%"), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.data())
def test_every_pair_of_numbers_calculates(operator, left, right, data):
    a, b = data.draw(values_of(left)), data.draw(values_of(right))
    operation = functions.operation(operator, left, right)
    floating = {FLOAT, DOUBLE, DECIMAL} & {left, right}
    assert (operation.return_type in (FLOAT, DOUBLE, DECIMAL)) == bool(floating)
    try:
        data = operation.call(left.serialize(a), right.serialize(b))
    except FunctionFailure:
        assert not b
        return
    operation.return_type.validate(data)


def test_operations_that_do_not_exist():
    with pytest.raises(InvalidRequest) as refusal:
        functions.operation("-", TEXT, INT)
    assert refusal.value.message == "the '-' operation is not supported between text and int"
    with pytest.raises(InvalidRequest) as refusal:
        functions.operation("+", UUID, INT, shown=("a", "5"))
    assert refusal.value.message == "the '+' operation is not supported between a and 5"
    with pytest.raises(InvalidRequest, match="Ambiguous negation"):
        functions.negation(None)


@given(st.sampled_from(NUMBERS), st.data())
def test_negating_twice_gives_the_number(cql_type, data):
    value = cql_type.serialize(data.draw(values_of(cql_type)))
    negate = functions.negation(cql_type)
    assert cql_type.deserialize(negate(negate(value))) == cql_type.deserialize(value)


@settings(deadline=None)
@given(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.data())
def test_every_cast_between_numbers_gives_a_number(source, target, data):
    value = source.serialize(data.draw(values_of(source)))
    target.validate(functions.cast(source, target)(value))


@given(st.sampled_from(INTEGERS), st.data())
def test_widening_casts_keep_the_number(source, data):
    value = data.draw(values_of(source))
    for target in (BIGINT, VARINT, DECIMAL):
        assert target.deserialize(functions.cast(source, target)(source.serialize(value))) == value


# --- aggregates ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.none() | values_of(INT)))
def test_aggregates_of_integers(values):
    data = [None if value is None else INT.serialize(value) for value in values]
    present = [value for value in values if value is not None]
    assert BIGINT.deserialize(find("count", INT).call(data)) == len(present)
    assert INT.deserialize(find("sum", INT).call(data)) == INT.wrap(sum(present))
    average = INT.deserialize(find("avg", INT).call(data))
    assert average == (PYTHON["/"](sum(present), len(present)) if present else 0)
    for name, choose in (("min", min), ("max", max)):
        found = find(name, INT).call(data)
        assert (found and INT.deserialize(found)) == (choose(present) if present else None)


def test_aggregates_that_a_real_cassandra_was_asked_for():
    def of(name, cql_type, values):
        return cql_type.deserialize(find(name, cql_type).call([cql_type.serialize(value) for value in values]))

    assert of("avg", DECIMAL, [Decimal(1), Decimal(2), Decimal(2)]) == 1  # a running average, rounded at each step
    assert of("avg", DECIMAL, [Decimal("1.5"), Decimal("2.25")]) == Decimal("1.88")
    assert of("avg", DECIMAL, [Decimal("1.0"), Decimal("2.0"), Decimal("2.0")]) == Decimal("1.7")
    assert of("sum", DOUBLE, [0.1, 0.2, 0.3]) == 0.6
    assert of("avg", DOUBLE, [0.1, 0.2, 0.3]) == 0.19999999999999998
    assert of("sum", TINYINT, [100, 100, 100]) == 44
    assert of("avg", TINYINT, [100, 100, 100]) == 100
    assert of("sum", BIGINT, [2**63 - 1, 1, 5]) == -9223372036854775803
    assert of("avg", BIGINT, [2**63 - 1, 1, 5]) == 3074457345618258604
    assert find("sum", COUNTER).return_type == COUNTER
    assert BIGINT.deserialize(functions.find(Name(None, "countrows"), []).call([object()] * 3)) == 3


def test_extremes_follow_the_order_of_the_type():
    texts = [TEXT.serialize(text) for text in ("b", "a", "ä")]
    assert TEXT.deserialize(find("max", TEXT).call(texts)) == "ä"
    floats = [DOUBLE.serialize(value) for value in (-0.0, 0.0, -1.0)]
    assert find("max", DOUBLE).call(floats) == DOUBLE.serialize(0.0)


# --- collections, vectors, times, masks ------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", max_size=3), values_of(INT)))
def test_parts_of_maps(value):
    cql_type = MapType(TEXT, INT)
    data = cql_type.serialize(value)
    keys, items = find("map_keys", cql_type), find("map_values", cql_type)
    assert keys.return_type.deserialize(keys.call(data)) == sorted(value)
    assert items.return_type.deserialize(items.call(data)) == [value[key] for key in sorted(value)]
    assert INT.deserialize(find("collection_count", cql_type).call(data)) == len(value)
    assert keys.return_type == SetType(TEXT).frozen()
    assert items.return_type == ListType(INT).frozen()


def test_similarities_of_vectors():
    cql_type = VectorType(FLOAT, 3)
    one, same, opposite = (cql_type.serialize(v) for v in ([1, 0, 0], [1, 0, 0], [-1, 0, 0]))
    for name, alike, unlike in (("cosine", 1, 0), ("euclidean", 1, 0.2), ("dot_product", 1, 0)):
        similarity = find(f"similarity_{name}", cql_type, cql_type)
        assert FLOAT.deserialize(similarity.call(one, same)) == alike
        assert FLOAT.deserialize(similarity.call(one, opposite)) == pytest.approx(unlike)
        assert similarity.call(None, one) is None


def test_timeuuids_are_unique_and_rise_even_if_the_clock_stands_or_goes_back():
    uuids = TimeUuids()
    made = [uuid.UUID(bytes=uuids.make(1_700_000_000.0)) for _ in range(1000)]
    assert [each.time for each in made] == sorted({each.time for each in made})
    earlier = uuid.UUID(bytes=uuids.make(1_600_000_000.0))
    assert earlier.time < made[0].time
    assert earlier.version == 1
    assert earlier.clock_seq != made[0].clock_seq
    keys = [TIMEUUID.sort_key(each.bytes) for each in made]
    assert keys == sorted(keys)


@settings(deadline=None)
@given(st.floats(0, 4e9))
def test_functions_of_now_agree(now):
    made = {name: find(name) for name in ("now", "current_timestamp", "current_date", "current_time")}
    assert all(function.needs_now for function in made.values())
    moment = TIMESTAMP.deserialize(made["current_timestamp"].call(now))
    assert moment == int(now * 1000)
    of_uuid = find("to_timestamp", TIMEUUID).call(made["now"].call(now))
    assert abs(TIMESTAMP.deserialize(of_uuid) - moment) <= 1
    assert DATE.deserialize(made["current_date"].call(now)) == moment // 86_400_000
    assert abs(TIME.deserialize(made["current_time"].call(now)) // 1_000_000 - moment % 86_400_000) <= 1


@given(st.integers(0, 4 * 10**12))
def test_first_and_last_uuid_of_a_millisecond_enclose_its_uuids(milliseconds):
    moment = TIMESTAMP.serialize(milliseconds)
    first, last = (TIMEUUID.sort_key(find(f"{end}_timeuuid", TIMESTAMP).call(moment)) for end in ("min", "max"))
    time = milliseconds * 10_000 + 0x01B21DD213814000
    inside = struct.pack(">IHH", time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 | 0x1000) + b"\x85abcdefg"
    assert first <= TIMEUUID.sort_key(inside) <= last


@settings(deadline=None)
@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(0, 20), st.integers(1, 400), st.integers(0, 10**8))
def test_floor_is_the_last_step_before(start, after, months, days, milliseconds):
    duration, time = Duration(months, days, milliseconds * 1_000_000), start + after
    found = floor_milliseconds(time, duration, start)
    assert start <= found <= time
    assert floor_milliseconds(found, duration, start) == found
    assert time - found <= (months * 31 + days) * 86_400_000 + milliseconds


@given(st.sampled_from(sorted(set(NATIVE) - {"blob", "counter"})), st.binary(max_size=16))
def test_blobs_become_values_or_are_refused(name, data):
    function = find(f"blob_as_{name}", BLOB)
    try:
        value = function.call(data)
    except InvalidRequest as refusal:
        assert refusal.message == (
            f"In call to function system.blob_as_{name}, value 0x{data.hex()} "
            f"is not a valid binary representation for type {NATIVE[name]}"
        )
        return
    assert find(f"{name}_as_blob", NATIVE[name]).call(value) == data


def test_json_reads_into_the_type_of_what_receives_it():
    read = find("from_json", TEXT, receiver=MapType(TEXT, DECIMAL))
    assert MapType(TEXT, DECIMAL).deserialize(read.call(b'{"a": 1.10}')) == [("a", Decimal("1.10"))]
    assert read.call(b"null") is None
    assert read.call(None) is None
    with pytest.raises(FunctionFailure):
        read.call(b"{")
    with pytest.raises(FunctionFailure):
        read.call(b"[" * 100_000)


@given(st.text("abcä", max_size=8), st.integers(-2, 9), st.integers(-2, 9))
def test_masks_keep_the_length(text, begin, end):
    arguments = TEXT.serialize(text), INT.serialize(begin), INT.serialize(end)
    inner = find("mask_inner", TEXT, INT, INT).call(*arguments).decode()
    outer = find("mask_outer", TEXT, INT, INT).call(*arguments).decode()
    assert len(inner) == len(outer) == len(text)
    assert all(a == "*" or b == "*" for a, b in zip(inner, outer, strict=True))
    assert find("mask_null", ASCII).call(b"a") is None
