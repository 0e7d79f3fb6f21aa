"""The embedded Cassandra as the unmodified driver meets it: connections, faults, the record, the clock, many and bad clients."""

import logging
import socket
import statistics
import struct
import threading
import time
import warnings

import pytest
from cassandra import InvalidRequest, OperationTimedOut
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.connection import ConnectionException
from cassandra.policies import ConstantReconnectionPolicy, FallthroughRetryPolicy, RoundRobinPolicy
from cassandra.protocol import OverloadedErrorMessage
from cassandra.query import BatchStatement, SimpleStatement, dict_factory

import stores
from stores.cassandra.protocol.frames import MAX_FRAME, Frame

LOST = (NoHostAvailable, OperationTimedOut, ConnectionException)  # which of them depends on when the driver notices


@pytest.fixture(scope="module")
def running():
    server = stores.start("cassandra")
    yield server
    server.stop()


@pytest.fixture
def server(running):
    running.reset()
    return running


def connect(server, **options):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), retry_policy=FallthroughRetryPolicy())
    options = {"protocol_version": 5, "execution_profiles": {EXEC_PROFILE_DEFAULT: profile}, **options}
    return Cluster(server.contact_points, port=server.port, reconnection_policy=ConstantReconnectionPolicy(0.05), **options)


@pytest.fixture
def session(server):
    with connect(server) as cluster:
        session = cluster.connect(server.keyspace)
        session.execute("CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))")
        yield session


# Connecting.


def test_connecting_takes_no_100_ms_and_warns_of_nothing(server, caplog):
    times = []
    for _ in range(5):
        with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
            warnings.simplefilter("error")
            started = time.perf_counter()
            cluster = connect(server)
            cluster.connect(server.keyspace)
            times.append(time.perf_counter() - started)
            cluster.shutdown()
    assert caplog.records == []
    assert statistics.median(times) < 0.1


@pytest.mark.parametrize("version", [3, 4, 5])
def test_every_version_of_the_protocol_works(server, version):
    with connect(server, protocol_version=version) as cluster:
        session = cluster.connect(server.keyspace)
        session.execute("CREATE TABLE t (k int PRIMARY KEY, v list<int>)")
        insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
        session.execute(insert, (1, [1, 2]))
        assert session.execute("SELECT v FROM t").one().v == [1, 2]
        assert cluster.protocol_version == version


def test_a_driver_that_is_told_no_version_finds_one(server):
    with Cluster(server.contact_points, port=server.port) as cluster:
        cluster.connect()
        assert cluster.protocol_version == 5


def test_a_client_may_offer_a_password(server):
    with connect(server, auth_provider=PlainTextAuthProvider("cassandra", "cassandra")) as cluster:
        assert cluster.connect().execute("SELECT key FROM system.local").one().key == "local"


def test_the_driver_knows_the_schema_and_hears_of_its_changes(server):
    with connect(server) as one, connect(server) as other:
        session = one.connect(server.keyspace)
        other.connect()
        session.execute("CREATE TABLE heard (k int, c text, PRIMARY KEY (k, c))")
        deadline = time.monotonic() + 5
        while "heard" not in other.metadata.keyspaces[server.keyspace].tables:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        text = one.metadata.keyspaces[server.keyspace].tables["heard"].export_as_string()
        assert "PRIMARY KEY (k, c)" in text


# Statements.


def test_rows_values_and_errors_arrive_as_the_driver_makes_them(session):
    session.execute("INSERT INTO t (k, c, v) VALUES (%s, %s, %s)", (1, 2, "it's"))
    assert session.execute("SELECT * FROM t").one() == (1, 2, "it's")
    as_dicts = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=dict_factory)
    assert session.execute("SELECT v FROM t", execution_profile=as_dicts).one() == {"v": "it's"}
    with pytest.raises(InvalidRequest, match=r'code=2200 \[Invalid query\] message="Undefined column name nosuch in table course.t"'):
        session.execute("SELECT nosuch FROM t")


def test_pages_survive_writes_between_them(session):
    for c in range(20):
        session.execute("INSERT INTO t (k, c, v) VALUES (1, %s, 'x')", (c,))
    result = session.execute(SimpleStatement("SELECT c FROM t WHERE k = 1", fetch_size=6))
    seen = [row.c for row in result.current_rows]
    session.execute("DELETE FROM t WHERE k = 1 AND c = 3")
    session.execute("DELETE FROM t WHERE k = 1 AND c = 7")
    session.execute("INSERT INTO t (k, c, v) VALUES (1, 100, 'x')")
    while result.has_more_pages:
        result.fetch_next_page()
        seen += [row.c for row in result.current_rows]
    assert seen == [*range(7), *range(8, 20), 100]


@pytest.mark.parametrize("version", [4, 5])
def test_a_prepared_statement_follows_the_table(server, version):
    with connect(server, protocol_version=version) as cluster:
        session = cluster.connect(server.keyspace)
        session.execute("CREATE TABLE t (k int PRIMARY KEY, a text)")
        select = session.prepare("SELECT * FROM t WHERE k = ?")
        session.execute("INSERT INTO t (k, a) VALUES (1, 'a')")
        assert session.execute(select, (1,)).one() == (1, "a")
        session.execute("ALTER TABLE t ADD b int")
        session.execute("UPDATE t SET b = 7 WHERE k = 1")
        assert session.execute(select, (1,)).one() == (1, "a", 7)


def test_a_prepared_statement_whose_table_is_gone_is_an_error_and_not_the_end(session):
    session.execute("CREATE TABLE gone (k int PRIMARY KEY, v int)")
    prepared = session.prepare("SELECT * FROM gone WHERE k = ?")
    session.execute("DROP TABLE gone")
    with pytest.raises(InvalidRequest, match="gone does not exist"):
        session.execute(prepared, [1])
    assert session.execute("SELECT release_version FROM system.local").one()


def test_a_changed_table_is_prepared_again(session):
    session.execute("CREATE TABLE changed (k int PRIMARY KEY, v int, w int)")
    session.execute("INSERT INTO changed (k, v, w) VALUES (1, 2, 3)")
    prepared = session.prepare("SELECT * FROM changed WHERE k = ?")
    session.execute("ALTER TABLE changed DROP w")
    assert session.execute(prepared, [1]).one() == (1, 2)
    assert [column.name for column in prepared.column_metadata] == ["k"]


@pytest.mark.timeout(20)
def test_deep_terms_do_not_hold_up_the_server(session):
    kind, value = "int", "1"
    for _ in range(64):
        kind, value = f"frozen<tuple<{kind}>>", f"({value})"
    session.execute(f"CREATE TABLE deep (k int PRIMARY KEY, v {kind}, n int)")
    session.execute(f"INSERT INTO deep (k, v) VALUES (1, {value})")
    session.execute(f"UPDATE deep SET n = {'(int)' * 40}1 WHERE k = 1")
    session.execute(f"UPDATE deep SET n = {'+'.join('1' * 40)} WHERE k = 1")
    assert session.execute(f"SELECT {'abs(' * 40}n{')' * 40} FROM deep").one()[0] == 40


def test_batches_of_prepared_and_plain_statements(session):
    insert = session.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement()
    batch.add(insert, (1, 1, "prepared"))
    batch.add("INSERT INTO t (k, c, v) VALUES (%s, 2, 'plain')", (1,))
    session.execute(batch)
    assert [row.v for row in session.execute("SELECT v FROM t WHERE k = 1")] == ["prepared", "plain"]


def test_a_trace_tells_what_was_read(session):
    session.execute("INSERT INTO t (k, c, v) VALUES (1, 1, 'x')")
    trace = session.execute("SELECT * FROM t WHERE k = 1", trace=True).get_query_trace()
    assert trace.parameters["query"] == "SELECT * FROM t WHERE k = 1"
    assert any("Read 1 live rows and 0 tombstone" in event.description for event in trace.events)


# The record.


def test_the_record_tells_partitions_rows_tombstones_and_pages(server, session):
    insert = session.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, ?)")
    with server.record() as log:
        for c in range(10):
            session.execute(insert, (1, c, "x"))
        session.execute("DELETE FROM t WHERE k = 1 AND c = 4")
        writes = len(log)
        list(session.execute(SimpleStatement("SELECT * FROM t WHERE k = 1", fetch_size=4)))
    assert writes == 11 and log.count("insert") == 10 and log.count("DELETE") == 1
    assert log.commands[0] == ("INSERT", ("INSERT INTO t (k, c, v) VALUES (?, ?, ?)", 1, 0, "x"), "")
    reads = [statement for statement in log.statements if statement.name == "SELECT"]
    assert log.pages == len(reads) == log.count("SELECT") == 3
    assert sum(statement.returned for statement in reads) == 9
    assert log.tombstones >= 1
    assert all(len(statement.partitions) == 1 for statement in reads)
    assert reads[0].consistency == "LOCAL_ONE"


def test_connecting_is_not_recorded(server):
    with server.record() as log, connect(server) as cluster:
        cluster.connect(server.keyspace).execute("SELECT * FROM system.local")
    assert len(log) == 0


# Faults and the clock.


def test_a_lost_reply_looks_like_a_lost_connection_but_the_write_is_there(server, session):
    with server.faults.drop_reply("INSERT"), pytest.raises(LOST):
        session.execute("INSERT INTO t (k, c, v) VALUES (1, 1, 'x')", timeout=2)
    assert when_up(session, "SELECT v FROM t").one().v == "x"


def when_up(session, text):
    deadline = time.monotonic() + 10
    while True:
        try:
            return session.execute(text)
        except LOST:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_delay_holds_up_its_own_statement_only(server, session):
    with server.faults.delay(0.3, "INSERT"):
        started = time.perf_counter()
        slow = session.execute_async("INSERT INTO t (k, c, v) VALUES (1, 1, 'x')")
        session.execute("SELECT * FROM t")  # another stream of the same connection
        between = time.perf_counter() - started
        slow.result()
        assert between < 0.25 < time.perf_counter() - started


def test_a_transient_error_is_overloaded_and_executes_nothing(server, session):
    with server.faults.transient("INSERT"), pytest.raises(OverloadedErrorMessage):
        session.execute("INSERT INTO t (k, c, v) VALUES (1, 1, 'x')")
    assert session.execute("SELECT * FROM t").all() == []


def test_a_server_that_is_down_refuses_and_comes_back(server, session):
    with server.faults.refuse():
        with pytest.raises(LOST):
            session.execute("SELECT * FROM t")
        with pytest.raises(NoHostAvailable):
            connect(server).connect()
    assert when_up(session, "SELECT * FROM t").all() == []


def test_ttls_end_by_the_servers_clock(server, session):
    session.execute("INSERT INTO t (k, c, v) VALUES (1, 1, 'x') USING TTL 60")
    server.clock.advance(59)
    assert len(session.execute("SELECT * FROM t").all()) == 1
    server.clock.advance(2)
    assert session.execute("SELECT * FROM t").all() == []


def test_reset_gives_a_clean_slate_to_connections_that_stay(server, session):
    session.execute("CREATE KEYSPACE other WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    server.reset()
    with pytest.raises(InvalidRequest, match="table t does not exist"):
        session.execute("SELECT * FROM t")
    session.execute("CREATE TABLE t (k int PRIMARY KEY)")
    with pytest.raises(InvalidRequest):
        session.execute("USE other")


def test_start_gives_one_server_for_the_same_options():
    one = stores.start("cassandra", nodes=2)
    assert stores.start("cassandra", nodes=2) is one and stores.start("cassandra") is not one
    assert len(one.nodes) == 2
    one.stop()
    with pytest.raises(ValueError, match="a ring has 1 to 9 nodes"):
        stores.start("cassandra", nodes=0)
    with pytest.raises(TypeError):
        stores.start("redis", nodes=3)


# Many clients, and bad ones.


def test_thirty_two_clients_at_once(server):
    with connect(server) as cluster:
        cluster.connect(server.keyspace).execute("CREATE TABLE c (k int PRIMARY KEY, n counter)")
    failures = []

    def client(number):
        try:
            with connect(server, schema_metadata_enabled=False, token_metadata_enabled=False) as cluster:
                session = cluster.connect(server.keyspace)
                for _ in range(10):
                    session.execute(f"UPDATE c SET n = n + 1 WHERE k = {number % 4}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    with connect(server) as cluster:
        assert sorted(cluster.connect(server.keyspace).execute("SELECT k, n FROM c")) == [(k, 80) for k in range(4)]


def test_fifty_thousand_rows_in_and_paged_out(session):
    insert = session.prepare("INSERT INTO t (k, c, v) VALUES (?, ?, 'a value')")
    started = time.perf_counter()
    execute_concurrent_with_args(session, insert, ((n % 50, n) for n in range(50_000)), concurrency=128)
    written = time.perf_counter() - started
    session.default_fetch_size = 5_000
    started = time.perf_counter()
    assert sum(1 for _ in session.execute("SELECT * FROM t")) == 50_000
    read = time.perf_counter() - started
    assert written < 120 and read < 30


STARTUP = Frame(4, 0, 0, 1, b"\0\1\0\x0bCQL_VERSION\0\x053.0.0").encode()
BAD = {
    "another protocol": b"GET / HTTP/1.0\r\n\r\n",
    "an old version": struct.pack(">BBhBi", 2, 0, 1, 5, 0),
    "unknown opcode": STARTUP + struct.pack(">BBhBi", 4, 0, 1, 99, 0),
    "too large": STARTUP + struct.pack(">BBhBi", 4, 0, 1, 7, MAX_FRAME + 1),
    "cut off": STARTUP + Frame(4, 0, 1, 7, b"\0\0\0\x20SELECT").encode(),
    "no startup": Frame(4, 0, 1, 7, b"\0\0\0\x08SELECT 1\0\1\0").encode(),
    "no segment": STARTUP.replace(b"\x04", b"\x05", 1) + bytes(range(40)),
    "a second version": STARTUP + Frame(3, 0, 1, 5, b"").encode() + Frame(3, 0, 1, 7, b"\0\0\0\x08SELECT 1\0\1\0").encode(),
}


@pytest.mark.parametrize("case", BAD)
def test_a_client_that_does_not_speak_the_protocol_loses_its_connection_alone(server, session, case):
    with socket.create_connection((server.host, server.port), timeout=5) as sock:
        sock.sendall(BAD[case])
        answer = b""
        while data := sock.recv(65536):  # ends when the server closes
            answer += data
    assert struct.pack(">i", 0x000A) in answer, "a protocol error says why"
    assert session.execute("SELECT * FROM t").all() == []


def test_clients_that_vanish_leave_nothing_behind(server, session):
    before = len(server.front.sessions)
    for _ in range(20):
        sock = socket.create_connection((server.host, server.port))
        sock.sendall(STARTUP + b"\x04\x00")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    deadline = time.monotonic() + 5
    while len(server.front.sessions) > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert session.execute("SELECT * FROM t").all() == []
