"""A real Cassandra: what the course does there and what it leaves alone. Most of it runs with `--real cassandra` only.

pytest tests/test_cassandra_real.py --real cassandra                # starts one, unless CASSANDRA_CONTACT_POINTS names one
"""

import os
import socket
import time
import uuid

import pytest
from cassandra import InvalidRequest, Unauthorized
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy

import stores
from stores.cassandra.cql.parser import parse
from stores.cassandra.errors import SyntaxException
from stores.cassandra.errors import Unauthorized as Refused
from stores.cassandra.guard import check, keyspaces

REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
ADDRESS = os.environ.get("CASSANDRA_CONTACT_POINTS", "")


@pytest.fixture
def address(request, monkeypatch):
    """The real Cassandra's address, also in the environment."""
    if "cassandra" not in request.config.getoption("--real").split(","):
        pytest.skip("needs --real cassandra")
    monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", ADDRESS)
    return ADDRESS


@pytest.fixture
def server(address):
    server = stores.start("cassandra")
    yield server
    server.stop()


def connect(host, port, keyspace=None):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy())
    cluster = Cluster([host], port=port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    return cluster.connect(keyspace)


@pytest.fixture
def session(server):
    session = connect(server.host, server.port, server.keyspace)
    yield session
    session.cluster.shutdown()


@pytest.fixture
def outside(address):
    """A session of somebody else, straight to the real server, with a keyspace `foreign`."""
    host, port = address.split(",")[0].split(":")
    session = connect(host, int(port))
    session.execute("CREATE KEYSPACE IF NOT EXISTS foreign WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE IF NOT EXISTS foreign.t (k int PRIMARY KEY, v text)")
    session.execute("INSERT INTO foreign.t (k, v) VALUES (1, 'precious')")
    yield session
    session.execute("DROP KEYSPACE foreign")
    session.cluster.shutdown()


def names(session):
    return {row.keyspace_name for row in session.execute("SELECT keyspace_name FROM system_schema.keyspaces")}


# Without a server.


def test_the_embedded_server_can_be_asked_for_by_name(monkeypatch):
    monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", "127.0.0.1:1")
    ring = stores.start("cassandra", embedded=True, nodes=2)
    try:
        assert ring.kind == "embedded" and len(ring.nodes) == 2
        monkeypatch.delenv("CASSANDRA_CONTACT_POINTS")
        assert stores.start("cassandra", nodes=2) is ring  # the same that one gets without an address
    finally:
        ring.stop()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nosuchhost.invalid", "127.0.0.1:port", ",", "192.0.2.1:9042"])
def test_a_server_that_is_not_there_is_an_error_in_two_seconds(monkeypatch, address):
    monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", address)
    started = time.monotonic()
    with pytest.raises(stores.Unreachable, match="unset CASSANDRA_CONTACT_POINTS"):
        stores.start("cassandra")
    assert time.monotonic() - started < 2.5


def test_a_server_that_says_nothing_is_an_error_in_two_seconds(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("CASSANDRA_CONTACT_POINTS", f"127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(stores.Unreachable):
            stores.start("cassandra")
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "text, meant",
    [
        ("SELECT a FROM foreign.t", {"foreign"}),
        ("SELECT foreign.f(a) FROM t", {"course"}),
        ("INSERT INTO foreign.t (k) VALUES (1)", {"foreign"}),
        ("BEGIN BATCH INSERT INTO t (k) VALUES (1); DELETE FROM foreign.t WHERE k = 1; APPLY BATCH", {"course", "foreign"}),
        ("CREATE TABLE foreign.t (k int PRIMARY KEY)", {"foreign"}),
        ("CREATE MATERIALIZED VIEW v AS SELECT * FROM foreign.t WHERE k IS NOT NULL PRIMARY KEY (k)", {"course", "foreign"}),
        ("CREATE INDEX ON foreign.t (v)", {"foreign"}),
        ("DROP TYPE foreign.x", {"foreign"}),
        ("TRUNCATE foreign.t", {"foreign"}),
        ("ALTER TABLE foreign.t ADD x int", {"foreign"}),
        ("DROP KEYSPACE foreign", {"foreign"}),
        ("ALTER KEYSPACE foreign WITH durable_writes = false", {"foreign"}),
        ("USE foreign", {"foreign"}),
    ],
)
def test_the_guard_finds_every_keyspace_that_a_statement_means(text, meant):
    assert keyspaces(parse(text), "course") == meant
    assert check(text, "course", {"course"})[1] == meant - {"course"}


def test_the_guard_knows_what_is_the_servers():
    assert check("SELECT * FROM system.local", "course", {"course"})[1] == set()
    assert check("INSERT INTO system.local (key) VALUES ('x')", "course", {"course"})[1] == {"system"}
    for text in ("CREATE ROLE me", "GRANT ALL ON ALL KEYSPACES TO me", "DROP FUNCTION course.f"):
        with pytest.raises(Refused, match="changes the server"):
            check(text, "course", {"course"})
    with pytest.raises(SyntaxException):
        check("EXPLODE", "course", {"course"})


# With one.


def test_foreign_keyspaces_are_untouched(server, session, outside):
    for text in (
        "SELECT * FROM foreign.t",
        "INSERT INTO foreign.t (k, v) VALUES (1, 'mine')",
        "BEGIN BATCH DELETE FROM foreign.t WHERE k = 1; APPLY BATCH",
        "TRUNCATE foreign.t",
        "DROP TABLE foreign.t",
        "DROP KEYSPACE foreign",
        "DROP KEYSPACE nosql_course",
        "USE foreign",
        "CREATE ROLE learner",
    ):
        with pytest.raises(Unauthorized):
            session.execute(text)
        if not text.startswith(("USE", "CREATE", "DROP KEYSPACE")):
            with pytest.raises(Unauthorized):
                session.prepare(text)
    with pytest.raises(InvalidRequest, match="is not the course's: choose another name"):
        session.execute(
            "CREATE KEYSPACE IF NOT EXISTS foreign WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
    server.reset()
    assert outside.execute("SELECT v FROM foreign.t").one().v == "precious"


def test_what_the_course_made_is_gone_afterwards(address, outside):
    server = stores.start("cassandra")
    session = connect(server.host, server.port, server.keyspace)
    session.execute("CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    session.execute("CREATE TABLE shop.t (k int PRIMARY KEY)")
    assert {"shop", server.keyspace} <= names(outside)
    server.reset()
    assert "shop" not in names(outside) and server.keyspace in names(outside)
    session.cluster.shutdown()
    server.stop()
    assert server.keyspace not in names(outside) and "foreign" in names(outside)


def test_what_a_killed_kernel_left_is_dropped_by_the_next(address, outside, server):
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    outside.execute(f"CREATE KEYSPACE left_behind WITH replication = {replication}")
    outside.execute("INSERT INTO nosql_course.keyspaces (name, kernel) VALUES ('left_behind', 'dead')")
    outside.execute(f"CREATE KEYSPACE in_use WITH replication = {replication}")
    outside.execute("INSERT INTO nosql_course.keyspaces (name, kernel) VALUES ('in_use', 'living')")
    outside.execute("INSERT INTO nosql_course.kernels (kernel, seen) VALUES ('living', currentTimestamp()) USING TTL 60")
    server.stop()
    again = stores.start("cassandra")
    assert again is not server
    assert "left_behind" not in names(outside) and "in_use" in names(outside)
    again.stop()
    outside.execute("DROP KEYSPACE in_use")
    outside.execute("DELETE FROM nosql_course.keyspaces WHERE name = 'in_use'")
    outside.execute("DELETE FROM nosql_course.kernels WHERE kernel = 'living'")


def test_the_front_records_before_a_real_server_too(server, session):
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO t (k, v) VALUES (?, ?)")
    with server.record() as log:
        session.execute(insert, (1, "x"))
        assert session.execute("SELECT v FROM t").one().v == "x"
        with pytest.raises(InvalidRequest):
            session.execute("SELECT nothing FROM t")
    assert (log.count("INSERT"), log.count("SELECT"), log.pages, log.partitions) == (1, 2, 1, None)
    assert log.commands[0].args == ("INSERT INTO t (k, v) VALUES (?, ?)", 1, "x")
    assert [statement.returned for statement in log.statements] == [0, 1]


def test_the_record_tells_bound_values_and_rows_of_each_page_as_on_the_embedded_server(server, session):
    session.execute("CREATE TYPE place (city text, at frozen<tuple<double, double>>)")
    columns = "k uuid, c timeuuid, l list<int>, m map<text, frozen<set<int>>>, p frozen<place>, v vector<float, 2>"
    session.execute(f"CREATE TABLE t ({columns}, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO t (k, c, l, m, p, v) VALUES (?, now(), ?, ?, {city: ?, at: ?}, ?)")
    key = uuid.uuid4()
    with server.record() as log:
        for _ in range(7):
            session.execute(insert, (key, [1, 2], {"a": {3}}, "Oslo", (59.9, 10.7), [0.5, 0.25]))
        read = session.prepare("SELECT * FROM t WHERE k = ?")
        read.fetch_size = 3
        assert len(list(session.execute(read, [key]))) == 7
    assert log.commands[0].args[1:] == (key, [1, 2], [("a", [3])], "Oslo", (59.9, 10.7), [0.5, 0.25])
    assert [statement.returned for statement in log.statements if statement.name == "SELECT"] == [3, 3, 1]


def test_faults_and_the_clock_before_a_real_server(server, session):
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    with server.faults.delay(0.2, "SELECT"):
        started = time.perf_counter()
        session.execute("SELECT v FROM t")
        assert time.perf_counter() - started >= 0.2
    for impossible in (lambda: server.clock.advance(1), lambda: server.nodes):
        with pytest.raises(stores.NotOnRealServer):
            impossible()
