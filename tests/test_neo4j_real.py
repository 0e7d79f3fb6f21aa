"""A real Neo4j that others use: nothing of theirs changes. Runs on the engine alone, or with --real neo4j on a real one."""

import logging
import os
import socket
import time
from contextlib import suppress

import neo4j
import pytest

import stores
from stores.neo4j import cypher, embedded, real

logging.getLogger("neo4j").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def address(request):
    """The address of a server that is not the course's, and how to log on: (uri, (user, password))."""
    if "neo4j" in request.config.getoption("--real").split(","):
        yield os.environ["NEO4J_URI"], (os.environ.get("NEO4J_USERNAME", "neo4j"), os.environ["NEO4J_PASSWORD"])
        return
    process = embedded.Process()
    process.ask("fresh neo4j")
    yield f"bolt://127.0.0.1:{process.port}", ("root", process.password)
    process.stop()


@pytest.fixture
def theirs(address, monkeypatch):
    """A driver past the course's front, on a database that is empty before and after; NEO4J_URI names its server."""
    uri, auth = address
    for name, value in zip(("NEO4J_URI", "NEO4J_USERNAME", "NEO4J_PASSWORD"), (uri, *auth), strict=True):
        monkeypatch.setenv(name, value)
    with neo4j.GraphDatabase.driver(uri, auth=auth) as driver:
        empty(driver)
        yield driver
        stores.stop_all()
        empty(driver)


def empty(driver):
    driver.execute_query("MATCH (n) DETACH DELETE n")
    for name in column(driver, "SHOW CONSTRAINTS YIELD name RETURN name"):
        driver.execute_query(f"DROP CONSTRAINT {cypher.quoted(name)} IF EXISTS")
    for name in column(driver, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"):
        driver.execute_query(f"DROP INDEX {cypher.quoted(name)} IF EXISTS")


def column(driver, query):
    return [record[0] for record in driver.execute_query(query).records]


def ours():
    server = stores.start("neo4j")
    return server, neo4j.GraphDatabase.driver(server.uri, auth=server.auth)


def count(driver):
    return driver.execute_query("MATCH (n) RETURN count(n) AS n").records[0]["n"]


def test_an_empty_database_is_taken_marked_and_given_back(theirs):
    server, driver = ours()
    with driver:
        assert server.kind == "real"
        assert "real" in repr(server)
        assert column(theirs, "SHOW CONSTRAINTS YIELD name RETURN name") == [real.MARK]
        driver.execute_query("CREATE INDEX i FOR (n:N) ON (n.x)")
        driver.execute_query("CREATE CONSTRAINT c FOR (n:M) REQUIRE n.x IS UNIQUE")
        driver.execute_query("UNWIND range(1, 5) AS x CREATE (:N {x: x})")
        assert count(theirs) == 5
    server.stop()
    assert count(theirs) == 0
    assert column(theirs, "SHOW CONSTRAINTS YIELD name RETURN name") == []
    assert column(theirs, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name") == []


def test_the_mark_is_not_seen_through_the_front(theirs):
    _, driver = ours()
    with driver:
        assert driver.execute_query("SHOW CONSTRAINTS").records == []
        assert driver.execute_query("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'").records == []
        assert real.MARKED not in [record["label"] for record in driver.execute_query("CALL db.labels()").records]
        assert count(driver) == 0


@pytest.mark.parametrize(
    "query", ["CREATE (:Theirs)", "CREATE INDEX theirs FOR (n:N) ON (n.x)", "CREATE CONSTRAINT theirs FOR (n:N) REQUIRE n.x IS UNIQUE"]
)
def test_a_database_with_anything_in_it_is_refused(theirs, query):
    theirs.execute_query(query)
    with pytest.raises(stores.Unreachable, match=r"did not make.*unset NEO4J_URI"):
        stores.start("neo4j")
    assert count(theirs) == query.count("Theirs")
    assert len(column(theirs, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name")) == query.count("theirs")


def test_reset_deletes_the_courses_data_and_keeps_the_mark(theirs):
    server, driver = ours()
    with driver:
        driver.execute_query("CREATE CONSTRAINT c FOR (n:N) REQUIRE n.x IS UNIQUE")
        driver.execute_query("UNWIND range(1, 25000) AS x CREATE (:N {x: x})")
        driver.execute_query("MATCH (n:N) WHERE n.x > 100 DELETE n")
        with driver.session() as session, suppress(ValueError), session.begin_transaction() as transaction:
            transaction.run("CREATE (:Undone)").consume()
            raise ValueError
        server.reset()
        assert count(driver) == 0
        assert driver.execute_query("SHOW CONSTRAINTS").records == []
    assert column(theirs, "SHOW CONSTRAINTS YIELD name RETURN name") == [real.MARK]


def test_reset_refuses_when_somebody_else_writes_there(theirs):
    server, driver = ours()
    with driver:
        driver.execute_query("CREATE (:Ours)")
        theirs.execute_query("CREATE (:Theirs)")
        with pytest.raises(real.NotOurs, match="holds 2 nodes, but the course wrote 1"):
            server.reset()
    server.stop()
    assert count(theirs) == 2


def test_reset_does_not_wait_for_a_transaction_that_is_open(theirs):
    server, driver = ours()
    with driver, driver.session() as session:
        driver.execute_query("CREATE (:N {x: 1})")
        transaction = session.begin_transaction()
        transaction.run("MATCH (n:N) SET n.x = 2").consume()
        begun = time.monotonic()
        server.reset()
        assert time.monotonic() - begun < 3
        with pytest.raises(neo4j.exceptions.ClientError, match=r"server\.reset"):
            transaction.run("RETURN 1").consume()


@pytest.mark.parametrize(
    "query",
    [
        "CREATE DATABASE x",
        "DROP DATABASE neo4j",
        "STOP DATABASE neo4j",
        "USE system SHOW USERS",
        "CREATE USER x SET PASSWORD 'abcdefgh'",
        "PROFILE CREATE USER x SET PASSWORD 'abcdefgh'",
        "ALTER CURRENT USER SET PASSWORD FROM 'a' TO 'b'",
        "GRANT ROLE admin TO x",
        "TERMINATE TRANSACTION 'x'",
        "DROP CONSTRAINT nosql_course",
        "drop constraint `nosql_course` if exists",
        "CALL dbms.setConfigValue('a', 'b')",
        "CALL dbms.killConnections(['bolt-1'])",
        "CALL apoc.systemdb.execute('x')",
    ],
)
def test_what_reaches_outside_is_refused(theirs, query):
    _, driver = ours()
    with driver, pytest.raises(neo4j.exceptions.ClientError, match="real Neo4j") as error:
        driver.execute_query(query)
    assert error.value.code == "Neo.ClientError.Security.Forbidden"


def test_the_system_database_is_not_reached(theirs):
    _, driver = ours()
    with driver, pytest.raises(neo4j.exceptions.ClientError, match="expected database_"):
        driver.execute_query("SHOW USERS", database_="system")


@pytest.mark.parametrize("query", ["MATCH (n) RETURN n.use AS start", "RETURN 'DROP DATABASE neo4j' AS x", "CALL dbms.components()"])
def test_what_only_looks_so_passes(theirs, query):
    _, driver = ours()
    with driver:
        driver.execute_query(query)


def test_the_servers_own_password_stays_with_the_front(theirs, address):
    server, driver = ours()
    with driver:
        assert server.auth != address[1]
        with neo4j.GraphDatabase.driver(server.uri, auth=address[1]) as other, pytest.raises(neo4j.exceptions.AuthError):
            other.verify_connectivity()


# What is not there.


@pytest.mark.parametrize(
    ("uri", "told"),
    [("bolt://127.0.0.1:1", "refused"), ("bolt://no-such-host.invalid", "host name|Name|resolve|service"),
     ("http://127.0.0.1:7474", "expected an address such as bolt://")],
)  # fmt: skip
def test_an_address_that_leads_nowhere(monkeypatch, uri, told):
    monkeypatch.setenv("NEO4J_URI", uri)
    monkeypatch.setenv("NEO4J_PASSWORD", "secret-word")
    begun = time.monotonic()
    with pytest.raises(stores.Unreachable, match=rf"(?s){told}.*unset NEO4J_URI") as error:
        stores.start("neo4j")
    assert time.monotonic() - begun < 2
    assert "secret-word" not in str(error.value)


def test_a_port_that_never_answers(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("NEO4J_URI", f"bolt://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("NEO4J_PASSWORD", "x")
        begun = time.monotonic()
        with pytest.raises(stores.Unreachable, match="does not answer"):
            stores.start("neo4j")
        assert time.monotonic() - begun < 2


def test_a_wrong_password(theirs, monkeypatch):
    monkeypatch.setenv("NEO4J_PASSWORD", "not-the-password")
    with pytest.raises(stores.Unreachable, match="NEO4J_PASSWORD"):
        stores.start("neo4j")


def test_no_password(monkeypatch):
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:7687")
    monkeypatch.delenv("NEO4J_PASSWORD", raising=False)
    with pytest.raises(stores.Unreachable, match="NEO4J_PASSWORD is not set"):
        stores.start("neo4j")
