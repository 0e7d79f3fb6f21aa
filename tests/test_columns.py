"""What the checks of chapter 07 share: sessions that ask one node, tables of events, and a table of HBase."""

import importlib.util
import linecache
import logging
import sys
from datetime import timedelta

import pytest
from cassandra import InvalidRequest, Unavailable
from cassandra.query import SimpleStatement

import stores
from course import columns, shopstream


@pytest.fixture
def server():
    server = stores.start("cassandra")
    server.reset()
    return server


def test_events_come_back_as_they_were_stored(server):
    events = shopstream.load().day("2026-06-10")[:60]
    with columns.connect(server) as session:
        columns.make(session, events)
        found = [shopstream.Event.from_cassandra(row) for row in session.execute("SELECT * FROM shop_events")]
    assert sorted(found, key=lambda event: event.event_id) == sorted(events, key=lambda event: event.event_id)


def test_the_table_has_four_buckets_a_day_with_the_newest_event_first(server):
    with columns.connect(server) as session:
        columns.make(session, shopstream.load().day("2026-06-10"))
        assert columns.partition_key(session, "shop_events") == ["day", "bucket"]
        assert len(columns.ask(session, "SELECT DISTINCT day, bucket FROM shop_events")) == columns.BUCKETS
        moments = columns.ask(session, "SELECT timestamp FROM shop_events WHERE day = ? AND bucket = 1", "2026-06-10")
    assert moments == sorted(moments, reverse=True)


def test_a_partition_needs_a_value_for_each_column_of_the_key(server):
    with columns.connect(server) as session:
        session.execute(columns.SHOP_EVENTS)
        with pytest.raises(ValueError, match="shorter"):
            columns.insert(session, "shop_events", shopstream.load().events[:1], lambda event: (event.timestamp.date(),))


def test_a_table_that_is_not_there(server):
    with columns.connect(server) as session, pytest.raises(KeyError):
        columns.partition_key(session, "nowhere")


def test_an_error_of_an_insert_reaches_the_caller(server):
    with columns.connect(server) as session:
        session.execute("CREATE TABLE small (day date PRIMARY KEY, event_id uuid)")
        with pytest.raises(InvalidRequest):
            columns.insert(session, "small", shopstream.load().events[:1], lambda event: (event.timestamp.date(),))


def test_each_session_asks_the_node_it_was_made_for_and_tries_nothing_again():
    server = stores.start("cassandra", nodes=3)
    server.reset()
    for node in range(3):
        with columns.connect(server, node) as session:
            session.execute(f"CREATE TABLE t{node} (k int PRIMARY KEY)")
            with server.record() as log:
                for key in range(6):
                    session.execute(f"INSERT INTO t{node} (k) VALUES ({key})")
            assert {statement.node for statement in log.statements} == {server.nodes[node].address}
            with server.nodes[node - 1].stop(), server.record() as log, pytest.raises(Unavailable):
                session.execute(SimpleStatement(f"INSERT INTO t{node} (k) VALUES (7)", consistency_level=5))
            assert len(log) == 1


def test_a_session_says_nothing_to_stderr(server, capfd):
    with columns.connect(server) as session:
        columns.make(session, [])
        columns.ask(session, "SELECT count(*) FROM shop_events")   # of which a server warns
    assert capfd.readouterr().err == ""
    assert logging.getLogger("cassandra").handlers


def test_the_table_of_hbase_keeps_three_versions():
    server = stores.start("hbase")
    server.reset()
    with columns.hbase_table(server) as table:
        for millis in range(1, 6):
            table.put(b"r", {b"e:status": b"%d" % millis}, timestamp=millis)
        assert table.cells(b"r", b"e:status", versions=9) == [b"5", b"4", b"3"]


def test_the_tasks_have_a_millisecond_to_test_with():
    """Two events of one user at one moment, and two that are a millisecond apart at midnight."""
    traps = shopstream.load().traps
    first, second = traps["same_millisecond"].where[0]
    assert (first.user_id, first.timestamp) == (second.user_id, second.timestamp)
    last, next_day = traps["midnight"].where[:2]
    assert next_day.timestamp - last.timestamp == timedelta(milliseconds=1)


def defined_in_a_cell(source):
    linecache.cache["<cell of a test>"] = (len(source), None, source.splitlines(keepends=True), "<cell of a test>")
    names = {}
    exec(compile(source, "<cell of a test>", "exec"), names)
    return names["place"]


def test_another_process_knows_the_cell_of_a_function_and_nothing_else():
    place = defined_in_a_cell("import os\nHERE = os.getpid()\ndef place(event):\n    return HERE, event.product_id\n")
    events = shopstream.load().events[:3]
    said = [eval(text) for text in columns.in_another_process(place, events)]
    assert [product for _, product in said] == [event.product_id for event in events]
    assert {process for process, _ in said}.isdisjoint({place(events[0])[0]})


def test_another_process_gets_the_events_in_another_order_and_time_zone():
    place = defined_in_a_cell(
        "SEEN = []\ndef place(event):\n    SEEN.append(1)\n    return len(SEEN), event.timestamp.astimezone().utcoffset().seconds\n"
    )
    said = columns.in_another_process(place, shopstream.load().events[:3])
    assert said == [repr((n, 13 * 3600)) for n in (3, 2, 1)]


def test_a_trial_at_the_end_of_a_cell_does_no_harm_elsewhere():
    place = defined_in_a_cell("def place(event):\n    return 1\ntry_it = globals().get('server')\n")
    linecache.cache["<cell of a test>"][2].append("server.reset()\n")
    assert columns.in_another_process(place, shopstream.load().events[:1]) == ["1"]


def test_a_function_that_fails_elsewhere_says_why():
    place = defined_in_a_cell("def place(event):\n    return BUCKETS\n")
    with pytest.raises(RuntimeError, match="BUCKETS"):
        columns.in_another_process(place, shopstream.load().events[:1])


def test_only_the_table_of_hbase_needs_happybase(monkeypatch):
    monkeypatch.setitem(sys.modules, "happybase", None)     # as if it were not installed
    spec = importlib.util.spec_from_file_location("columns_without_happybase", columns.__file__)
    without = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(without)
    with pytest.raises(ModuleNotFoundError, match="pip install happybase"), without.hbase_table(None):
        pass
