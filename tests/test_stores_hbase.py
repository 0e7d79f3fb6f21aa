"""The embedded HBase behind happybase: as a real one answers, and as a plain model says."""

import json
import socket
import threading
import time
from bisect import bisect_left
from pathlib import Path

import happybase
import pytest
from hbase_conversations import CONVERSATIONS, FILTERS, answers
from Hbase_thrift import BatchMutation, Hbase, IllegalArgument, IOError, Mutation
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from thriftpy2.transport import TTransportException

import stores
from stores.base import Clock
from stores.hbase.engine import Engine, Failure, Family, Scanner
from stores.hbase.filters import parse
from stores.hbase.thrift import Call, Messages, encode_call
from stores.wire import ProtocolError

RECORDED = json.loads((Path(__file__).parent / "data" / "hbase_2.5.8.json").read_text("utf-8"))["answers"]


@pytest.fixture
def server():
    server = stores.start("hbase")
    server.reset()
    return server


@pytest.fixture
def connection(server):
    connection = happybase.Connection(server.host, server.port)
    yield connection
    connection.close()


@pytest.fixture
def table(connection):
    connection.create_table("t", {"d": {"max_versions": 3}, "m": {"max_versions": 1, "time_to_live": 60}})
    return connection.table("t")


# -- as a real one ----------------------------------------------------------------------------


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.__name__)
def test_answers_what_a_real_hbase_answered(server, conversation):
    said = json.loads(json.dumps(answers(server.host, server.port, [conversation])))[conversation.__name__]
    recorded = RECORDED[conversation.__name__]
    assert len(said) == len(recorded) > 3
    for place, (ours, theirs) in enumerate(zip(said, recorded, strict=True)):
        if isinstance(theirs, dict) and theirs.get("raised") == "TApplicationException":  # which says nothing: ours says why
            assert ours["raised"] in ("IOError", "IllegalArgument") and ours["java"] == "java.lang.IllegalArgumentException"
        else:
            assert ours == theirs, f"answer {place} of {conversation.__name__}"


# -- the clock, counters, regions -------------------------------------------------------------


def test_a_ttl_ends_by_the_engines_clock(server, table):
    with server.clock.frozen():
        table.put("r", {"m:x": "1", "d:x": "2"})
        server.clock.advance(60)
        assert table.row("r") == {b"m:x": b"1", b"d:x": b"2"}
        server.clock.advance(0.002)
        assert table.row("r") == {b"d:x": b"2"}


def test_writes_in_the_same_millisecond_are_versions_of_their_own(server, table):
    with server.clock.frozen():
        for n in range(3):
            table.put("r", {"d:x": str(n)})
        assert table.cells("r", "d:x") == [b"2", b"1", b"0"]
        table.delete("r")
        table.put("r", {"d:x": "after the delete"})
        assert table.row("r") == {b"d:x": b"after the delete"}


def test_a_marker_hides_an_older_put_until_a_major_compaction(connection, table):
    table.put("r", {"d:x": "1"}, timestamp=10)
    table.delete("r", timestamp=20)
    table.put("r", {"d:x": "2"}, timestamp=15)
    assert table.row("r") == {}
    connection.compact_table("t")
    table.put("r", {"d:x": "3"}, timestamp=15)
    assert table.row("r") == {}
    connection.compact_table("t", major=True)
    table.put("r", {"d:x": "4"}, timestamp=15)
    assert table.row("r") == {b"d:x": b"4"}


def test_counters_of_many_clients_lose_nothing(server, table):
    def count():
        connection = happybase.Connection(server.host, server.port)
        for _ in range(50):
            connection.table("t").counter_inc("r", "d:n")
        connection.close()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert table.counter_get("r", "d:n") == 400


def test_a_pool_and_the_framed_transport_and_old_versions_work(server, table):
    table.put("a", {"d:x": "1"})
    pool = happybase.ConnectionPool(2, host=server.host, port=server.port)
    with pool.connection() as connection:
        assert connection.table("t").row("a") == {b"d:x": b"1"}
    for options in ({"transport": "framed"}, *({"compat": compat} for compat in ("0.90", "0.92", "0.94", "0.96"))):
        connection = happybase.Connection(server.host, server.port, **options)
        assert list(connection.table("t").scan(row_start="a", row_stop="b")) == [(b"a", {b"d:x": b"1"})]
        connection.close()


def test_a_table_prefix_is_a_namespace(server, connection):
    mine = happybase.Connection(server.host, server.port, table_prefix="mine")
    mine.create_table("t", {"d": {}})
    assert mine.tables() == [b"t"] and connection.tables() == [b"mine_t"]
    mine.close()


def test_regions_are_where_the_administrator_split(server, connection, table):
    server.split("t", "h", b"q")
    assert [(region["start_key"], region["end_key"]) for region in table.regions()] == [(b"", b"h"), (b"h", b"q"), (b"q", b"")]
    with server.record() as log:
        for key in ("a", "h", "hz", "q"):
            table.put(key, {"d:x": "1"})
    assert log.regions == {("t", b""): 1, ("t", b"h"): 2, ("t", b"q"): 1}
    with pytest.raises(LookupError, match="no table is called"):
        server.split("none", "a")


# -- record, faults, reset --------------------------------------------------------------------


def test_a_recording_tells_rows_looked_at_and_returned(server, table):
    with table.batch() as batch:
        for n in range(100):
            batch.put(f"{n:03}", {"d:x": str(n)})
    with server.record() as log:
        found = list(table.scan(row_prefix=b"04", filter="ValueFilter(=, 'substring:5')"))
    assert [row for row, _ in found] == [b"045"]
    assert (log.rows, log.returned, log.round_trips) == (10, 1, 4)
    assert [command.name for command in log] == ["SCANNEROPENWITHSCAN", "SCANNERGETLIST", "SCANNERGETLIST", "SCANNERCLOSE"]
    assert log.count("scannerGetList") == 2
    with server.record() as log:
        found = list(table.scan(filter="PrefixFilter('04')"))
    assert (log.rows, log.returned, len(found)) == (51, 10, 10)  # it begins at the first row and ends behind the prefix
    with server.record() as log:
        table.put("x", {"d:x": "1", "d:y": "2"})
        table.row("x")
    assert (log.written, log.rows, log.returned) == (1, 1, 1)
    assert "1 rows read, 1 returned, 1 written" in repr(log)


def test_a_scan_in_batches_makes_a_round_trip_for_each(server, table):
    with table.batch() as batch:
        for n in range(10):
            batch.put(f"{n}", {"d:x": "1"})
    for size, round_trips in ((1, 13), (5, 5), (100, 4)):
        with server.record() as log:
            assert len(list(table.scan(batch_size=size))) == 10
        assert (log.round_trips, log.rows) == (round_trips, 10)


def test_faults_reach_the_driver(server, table):
    with server.faults.transient("mutateRows"), pytest.raises(IOError, match="RegionTooBusyException"):
        table.put("r", {"d:x": "1"})
    assert table.row("r") == {}
    with server.faults.drop_reply("atomicIncrement"), pytest.raises((TTransportException, OSError)):
        table.counter_inc("r", "d:n")
    again = happybase.Connection(server.host, server.port)
    assert again.table("t").counter_get("r", "d:n") == 1  # it was executed
    again.close()


def test_reset_leaves_nothing_and_connections_stay(server, connection, table):
    server.clock.advance(100)
    server.reset()
    assert connection.tables() == []
    assert abs(server.clock.now() - time.time()) < 5


# -- scanners ---------------------------------------------------------------------------------


def test_a_scanner_sees_what_is_written_ahead_of_it(table):
    for key in "ace":
        table.put(key, {"d:x": key})
    seen = []
    for key, _ in table.scan(batch_size=1):
        seen.append(key)
        if key == b"a":
            table.put("d", {"d:x": "new"}), table.put("A", {"d:x": "behind"}), table.delete("e")
    assert seen == [b"a", b"c", b"d"]


def test_scanners_end_with_their_connection(server, table):
    other = happybase.Connection(server.host, server.port)
    number = other.client.scannerOpen(b"t", b"", None, {})
    assert table.connection.client.scannerGetList(number, 5) == []
    other.close()
    for _ in range(200):
        try:
            table.connection.client.scannerGetList(number, 5)
        except IllegalArgument as error:
            assert error.message == b"scanner ID is invalid"
            break
    else:
        pytest.fail("the scanner outlived its connection")


# -- malformed requests -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\x82\x21\x01\x0dgetTableNames\x00",  # the compact protocol
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x04GET ",
        b"\x00\x00\x00\x0d\x80\x01\x00\x01\x00\x00\x00\x01x\x00\x00\x00\x00\x00",  # longer than its frame
        b"\x80\x01\x00\x01\xff\xff\xff\xff",
        b"\x80\x01\x00\x01\x00\x00\x00\x01x\x00\x00\x00\x00\x63\x00\x01",
        b"\x80\x01\x00\x01\x00\x00\x00\x01x\x00\x00\x00\x00" + b"\x0c\x00\x01" * 1000,
        b"\x80\x01\x00\x02\x00\x00\x00\x01x\x00\x00\x00\x00\x00",
        b"\x80\x01\x00\x01\x00\x00\x00\x01\xff\x00\x00\x00\x00\x00",
    ],
)  # fmt: skip
def test_what_is_not_thrift_closes_that_connection_only(server, connection, data):
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(data)
        assert sock.recv(100) == b""
    assert connection.tables() == []


def test_unknown_methods_and_missing_arguments_are_answered(server, connection, table):
    with pytest.raises(IOError, match="needs row"):
        table.row(None)
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(b"\x80\x01\x00\x01\x00\x00\x00\x04nope\x00\x00\x00\x07\x00")
        assert b"Invalid method name: 'nope'" in sock.recv(1000)
        sock.sendall(b"\x80\x01\x00\x01\x00\x00\x00\x07getRows\x00\x00\x00\x07\x00")
        assert b"needs tableName and rows" in sock.recv(1000)
    assert connection.tables() == [b"t"]


calls = st.lists(st.tuples(st.binary(max_size=20), st.lists(st.tuples(st.binary(max_size=9), st.booleans()), max_size=4)), max_size=4)


@given(calls, st.lists(st.integers(1, 7), max_size=60), st.booleans())
def test_messages_are_found_however_they_are_cut(rows, cuts, framed):
    sent = []
    for row, mutations in rows:
        batch = BatchMutation(row, [Mutation(isDelete=deletes, column=column) for column, deletes in mutations])
        sent.append(Hbase.mutateRows_args(tableName=b"t", rowBatches=[batch], attributes={}))
    parts = [encode_call(Call("mutateRows", each, 1)) for each in sent]
    stream = b"".join(len(part).to_bytes(4, "big") + part if framed else part for part in parts)
    parser, got = Messages(), []
    for size in [*cuts, len(stream)]:
        got += parser.feed(stream[:size])
        stream = stream[size:]
    assert [call.args for call in got] == sent and all(call.framed == framed for call in got)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(data):
    for start in (b"", b"\x80\x01\x00\x01", b"\x80\x01\x00\x01\x00\x00\x00\x09mutateRow\x00\x00\x00\x00"):
        parser = Messages()
        found = parser.feed(start + data)
        assert not any(isinstance(each, ProtocolError) for each in found[:-1])


cut_off = st.tuples(st.sampled_from(FILTERS), st.integers(0, 60)).map(lambda cut: cut[0][: cut[1]].encode())


@given(st.one_of(st.binary(max_size=40), cut_off))
def test_no_filter_string_breaks_its_parser(words):
    try:
        parse(words)
    except Failure as failure:
        assert str(failure).startswith("java.lang.IllegalArgumentException: ")


# -- against a plain model --------------------------------------------------------------------

KEYS = st.sampled_from([b"a", b"b", b"ba", b"c", b"\x00", b"\xff"])
COLUMNS = st.sampled_from([(b"d", b"x"), (b"d", b"y"), (b"m", b""), (b"m", b"x")])
MOMENTS = st.integers(0, 12)


class AsAPlainModel(RuleBasedStateMachine):
    """The model keeps every put and every delete for ever and works out each answer from all of them."""

    def __init__(self):
        super().__init__()
        self.engine = Engine(Clock())
        self.engine.create(b"t", [Family(b"d", 3), Family(b"m", 1)])
        self.table = self.engine.table(b"t")
        self.puts, self.deletes = [], []

    @rule(key=KEYS, column=COLUMNS, moment=MOMENTS, value=st.binary(max_size=3))
    def put(self, key, column, moment, value):
        self.engine.put(self.table, key, [(*column, value)], moment)
        self.puts.append((key, column, moment, value))

    @rule(key=KEYS, column=COLUMNS, moment=MOMENTS, whole=st.booleans())
    def delete(self, key, column, moment, whole):
        place = (column[0], None if whole else column[1])
        self.engine.remove(self.table, key, [place], moment)
        self.deletes.append((key, place, moment))

    @rule()
    def compact(self):
        """What is hidden is gone, what hides is gone, and what is one version too many."""
        self.table.compact()
        kept = [(key, column, moment, value) for key in self.keys() for column in self.columns(key)
                for moment, value in self.versions(key, column)]  # fmt: skip
        self.puts, self.deletes = kept, []

    def keys(self):
        return sorted({key for key, *_ in self.puts})

    def columns(self, key):
        return sorted({column for row, column, *_ in self.puts if row == key})

    def versions(self, key, column, newest=100):
        hidden = max((moment for row, (family, qualifier), moment in self.deletes
                      if row == key and family == column[0] and qualifier in (None, column[1])), default=-1)  # fmt: skip
        latest = {moment: value for row, place, moment, value in self.puts if (row, place) == (key, column)}
        seen = sorted(((m, v) for m, v in latest.items() if hidden < m < newest), reverse=True)
        return seen[: 3 if column[0] == b"d" else 1]

    @invariant()
    def reads_are_the_same(self):
        for newest in (100, 7):
            for key in self.keys():
                wanted = [(b":".join(column), seen) for column in self.columns(key) if (seen := self.versions(key, column, newest))]
                assert self.table.read(key, None, newest, 0, versions=9) == wanted

    @invariant()
    def scans_are_the_same(self):
        shown = [key for key in self.keys() if any(self.versions(key, column) for column in self.columns(key))]
        for start, stop in ((b"", b""), (b"b", b"c"), (b"a\x00", b"")):
            place = bisect_left(shown, start)
            wanted = [key for key in shown[place:] if not stop or key < stop]
            assert [key for key, _ in Scanner(self.engine, self.table, start, stop).next(99, lambda key: None)] == wanted
        backwards = Scanner(self.engine, self.table, b"b", b"\x00", reverse=True).next(99, lambda key: None)
        assert [key for key, _ in backwards] == [key for key in reversed(shown) if b"\x00" < key <= b"b"]


TestAsAPlainModel = AsAPlainModel.TestCase
TestAsAPlainModel.settings = settings(max_examples=60, stateful_step_count=25)


@given(st.lists(st.tuples(KEYS, st.sampled_from([b"buy", b"view"])), max_size=12), st.integers(1, 4), st.booleans())
def test_pages_of_any_size_give_every_row_once(rows, size, reverse):
    engine = Engine(Clock())
    engine.create(b"t", [Family(b"d")])
    table = engine.table(b"t")
    for key, kind in rows:
        engine.put(table, key, [(b"d", b"kind", kind), (b"d", b"n", b"1")], engine.stamp())
    wanted = sorted({key for key, _ in rows}, reverse=reverse)
    scanner, pages = Scanner(engine, table, reverse=reverse, batch=1), []
    while page := scanner.next(size, lambda key: None):
        assert len(page) <= size
        pages += page
    assert [key for key, _ in pages] == [key for key in wanted for _ in range(2)]  # two cells, one in each result


# -- in front of another server ---------------------------------------------------------------


@pytest.fixture
def shared(monkeypatch):
    """A server that others use too (here an embedded one, which speaks the same protocol), and its address in HBASE_URL."""
    from stores.hbase.embedded import EmbeddedHBase

    shared = EmbeddedHBase()
    monkeypatch.setenv("HBASE_URL", shared.url)
    yield shared
    shared.stop()


def test_on_a_real_server_the_course_has_tables_of_its_own(shared):
    theirs = happybase.Connection(shared.host, shared.port)
    theirs.create_table("theirs", {"d": {}})
    server = stores.start("hbase")
    assert (server.kind, server.port != shared.port) == ("real", True)
    ours = happybase.Connection(server.host, server.port)
    assert ours.tables() == []
    ours.create_table("mine", {"d": {}})
    with server.record() as log:
        ours.table("mine").put("r", {"d:x": "1"})
        assert [row for row, _ in ours.table("mine").scan()] == [b"r"]
    assert (log.rows, log.returned, len(log)) == (None, 1, 5)
    assert ours.table("mine").regions()[0]["name"].startswith(b"mine,,")
    for do in (lambda: ours.table("theirs").row("r"), lambda: ours.disable_table("theirs"), lambda: ours.delete_table("theirs")):
        with pytest.raises(IOError):
            do()
    with pytest.raises(IOError, match=r"TableNotFoundException: theirs'"):
        ours.table("theirs").row("r")
    assert len(theirs.tables()) == 2 and theirs.is_table_enabled("theirs")
    with pytest.raises(stores.NotOnRealServer):
        server.clock.advance(1)
    server.reset()
    assert ours.tables() == [] and theirs.tables() == [b"theirs"]
    ours.create_table("left", {"d": {}})
    server.stop()
    assert theirs.tables() == [b"theirs"]


def test_tables_of_a_kernel_that_is_gone_are_deleted_and_those_of_others_are_not(shared):
    first = stores.start("hbase")
    machine = first.prefix.split(b"_")[2]
    first.stop()
    theirs = happybase.Connection(shared.host, shared.port)
    gone, alive = (b"nosql_course_%s_%d_t" % (machine, pid) for pid in (2**30, 1))
    elsewhere = b"nosql_course_00000000_%d_t" % 2**30
    for name in (gone, alive, elsewhere):
        theirs.create_table(name, {"d": {}})
    stores.start("hbase").stop()
    assert sorted(theirs.tables()) == sorted([alive, elsewhere])


@pytest.mark.parametrize("address", ["hbase://127.0.0.1:1", "http://127.0.0.1:9090", "hbase://no-such-host.invalid"])
def test_an_address_that_cannot_be_used_is_an_error_that_says_the_way_back(monkeypatch, address):
    monkeypatch.setenv("HBASE_URL", address)
    began = time.monotonic()
    with pytest.raises(stores.Unreachable, match="unset HBASE_URL"):
        stores.start("hbase")
    assert time.monotonic() - began < 3
