"""The embedded Neo4j beyond Cypher: drivers, addresses, credentials, transactions, record, faults, a clean slate."""

import asyncio
import logging
import re
import socket

import neo4j
import pytest
from neo4j.exceptions import AuthError, ClientError, CypherSyntaxError, ServiceUnavailable, TransientError

import stores
from stores.neo4j import bolt

logging.getLogger("neo4j").setLevel(logging.CRITICAL)  # it tells of every fault that a test makes


@pytest.fixture(scope="module")
def running():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NEO4J_URI", raising=False)
        yield stores.start("neo4j")
        stores.stop_all()


@pytest.fixture
def server(running):
    running.reset()
    return running


@pytest.fixture
def driver(server):
    with neo4j.GraphDatabase.driver(server.uri, auth=server.auth, max_transaction_retry_time=3) as driver:
        yield driver


def value(driver, query, **parameters):
    return driver.execute_query(query, parameters).records[0].value()


# What the server is.


def test_the_second_start_gives_the_same_server(server):
    assert stores.start("neo4j") is server


def test_it_says_what_it_is(server):
    assert repr(server) == f"<neo4j server: embedded, {server.engine}, bolt://127.0.0.1:{server.port}>"
    assert "ArcadeDB" in server.engine
    assert "<strong>neo4j</strong> · embedded" in server._repr_html_()
    assert server.auth[1] not in repr(server) + server._repr_html_()


def test_the_driver_takes_it_for_neo4j_5(driver):
    info = driver.get_server_info()
    assert info.agent.startswith("Neo4j/5.")
    assert "ArcadeDB" in info.agent
    assert info.protocol_version == bolt.VERSION


@pytest.mark.parametrize("scheme", ["bolt", "neo4j"])
def test_both_schemes(server, scheme):
    with neo4j.GraphDatabase.driver(f"{scheme}://{server.host}:{server.port}", auth=server.auth) as driver:
        assert value(driver, "RETURN 1 AS x") == 1
        records, summary, _ = driver.execute_query("RETURN 1 AS x", routing_=neo4j.RoutingControl.READ, database_="neo4j")
        assert summary.server.address == (server.host, server.port)
        assert len(records) == 1


def test_the_asynchronous_driver(server):
    async def main():
        async with neo4j.AsyncGraphDatabase.driver(server.uri, auth=server.auth) as driver:
            await driver.execute_query("UNWIND range(1, 3) AS x CREATE (:N {x: x})")
            async with driver.session() as session:
                results = [await session.run("MATCH (n:N) RETURN n.x AS x ORDER BY x")]
                return [record["x"] async for record in results[0]]

    assert asyncio.run(main()) == [1, 2, 3]


def test_many_connections_at_once(server):
    async def main():
        async with neo4j.AsyncGraphDatabase.driver(server.uri, auth=server.auth) as driver:
            done = await asyncio.gather(*(driver.execute_query("RETURN $x AS x", x=x) for x in range(50)))
            return [result.records[0]["x"] for result in done]

    assert asyncio.run(main()) == list(range(50))


# Credentials and the port.


@pytest.mark.parametrize("auth", [("neo4j", "wrong"), ("root", "neo4j"), ("neo4j", "neo4j"), None], ids=str)
def test_wrong_credentials_are_refused(server, auth):
    with neo4j.GraphDatabase.driver(server.uri, auth=auth) as driver, pytest.raises(AuthError, match=r"auth=server\.auth"):
        driver.verify_connectivity()


def test_nothing_is_served_before_the_credentials(server):
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(bolt.offer() + bolt.encode(bolt.HELLO, {}) + bolt.encode(bolt.RUN, "RETURN 1", {}, {}))
        answer = b""
        while data := client.recv(4096):
            answer += data
    assert b"Neo.ClientError.Request.Invalid" in answer


def test_passwords_are_random():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NEO4J_URI", raising=False)
        first, second = (stores.start("neo4j").auth[1] for _ in range(2))
    assert first == second
    assert len(first) >= 16


def test_a_browser_is_told_what_this_port_is(server):
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"connect to it with a Neo4j driver" in client.recv(4096)


def test_another_database_does_not_exist(driver):
    with pytest.raises(ClientError, match="expected database_") as error:
        driver.execute_query("RETURN 1", database_="other")
    assert error.value.code == "Neo.ClientError.Database.DatabaseNotFound"


# Values.


def test_parameters_come_back_as_they_were_sent(driver):
    sent = {
        "date": neo4j.time.Date(2024, 3, 9),
        "time": neo4j.time.Time(12, 30, 15, 5),
        "datetime": neo4j.time.DateTime(2024, 3, 9, 12, 30, 15, 250_000_000, tzinfo=neo4j.time.DateTime.now().tzinfo),
        "duration": neo4j.time.Duration(months=1, days=2, seconds=3, nanoseconds=4),
        "point": neo4j.spatial.CartesianPoint((1.0, 2.0)),
        "bytes": [1, 2.5, "x", None, True, {"a": [1]}],
    }
    assert value(driver, "RETURN $sent AS x", sent=sent) == sent


def test_more_rows_than_one_fetch(driver):
    with driver.session(fetch_size=10) as session:
        assert [record["x"] for record in session.run("UNWIND range(1, 95) AS x RETURN x")] == list(range(1, 96))


def test_a_result_that_is_not_read_to_its_end(driver):
    with driver.session(fetch_size=2) as session:
        session.run("UNWIND range(1, 9) AS x CREATE (:N {x: x}) RETURN x").peek()
        assert session.run("MATCH (n:N) RETURN count(n) AS n").single()["n"] == 9


def test_a_large_value(driver):
    text = "x" * 300_000
    assert value(driver, "CREATE (n:N {text: $text}) RETURN n.text AS text", text=text) == text


# Transactions.


def test_a_transaction_commits_or_rolls_back(driver):
    with driver.session() as session:
        with session.begin_transaction() as transaction:
            transaction.run("CREATE (:N)")
            transaction.rollback()
        with session.begin_transaction() as transaction:
            transaction.run("CREATE (:M)")
            transaction.commit()
    assert value(driver, "MATCH (n) RETURN collect(labels(n)) AS l") == [["M"]]


def test_a_transaction_sees_its_own_writes_and_others_do_not(driver):
    with driver.session() as session, session.begin_transaction() as transaction:
        transaction.run("CREATE (:N)")
        assert transaction.run("MATCH (n:N) RETURN count(n) AS n").single()["n"] == 1
        assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 0


def test_two_results_of_a_transaction_are_read_in_turn(driver):
    with driver.session(fetch_size=2) as session, session.begin_transaction() as transaction:
        odd = transaction.run("UNWIND range(1, 13, 2) AS x RETURN x")
        even = transaction.run("UNWIND range(2, 12, 2) AS y RETURN y, 'even' AS kind")
        assert [(a["x"], b["y"]) for a, b in zip(odd, even, strict=False)] == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)]


def test_a_query_for_each_record_of_another(driver):
    with driver.session(fetch_size=2) as session, session.begin_transaction() as transaction:
        for record in transaction.run("UNWIND range(1, 9) AS x RETURN x"):
            transaction.run("CREATE (:N {x: $x})", x=record["x"])
        assert transaction.run("MATCH (n:N) RETURN count(n) AS n").single()["n"] == 9


def test_an_error_undoes_the_whole_transaction(driver):
    with driver.session() as session, pytest.raises(ClientError), session.begin_transaction() as transaction:
        transaction.run("CREATE (:N)").consume()
        transaction.run("RETURN 1 / 0").consume()
    assert value(driver, "MATCH (n) RETURN count(n) AS n") == 0


def test_a_query_outside_a_transaction_is_undone_whole(driver):
    """On its own the engine would keep what the query wrote before it failed."""
    with driver.session() as session, pytest.raises(ClientError):
        session.run("UNWIND [1, 2, 0] AS x MERGE (n:N {x: 10 / x})").consume()
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 0


def test_a_constraint_that_many_rows_break_at_once_is_named(driver):
    driver.execute_query("CREATE CONSTRAINT user FOR (u:User) REQUIRE u.id IS UNIQUE")
    driver.execute_query("UNWIND range(0, 149) AS i CREATE (:User {id: i})")
    pairs = [[i % 150, i * 7 % 150] for i in range(200)]
    with pytest.raises(neo4j.exceptions.ConstraintError):
        driver.execute_query("UNWIND $pairs AS p MERGE (:User {id: p[0]})-[:FOLLOWS]->(:User {id: p[1]})", pairs=pairs)


def test_a_misspelt_clause_is_named(driver):
    with pytest.raises(neo4j.exceptions.CypherSyntaxError, match="RETRUN"):
        driver.execute_query("MATCH (n) RETRUN n")


def test_after_an_error_the_connection_goes_on(driver):
    with driver.session() as session:
        with pytest.raises(CypherSyntaxError):
            session.run("MATCH (n RETURN n").consume()
        assert session.run("RETURN 1 AS x").single()["x"] == 1


@pytest.mark.parametrize(
    "query", ["CREATE (:N)", "MATCH (n) SET n.x = 1", "MERGE (:N)", "MATCH (n) DETACH DELETE n", "CREATE INDEX i FOR (n:N) ON (n.x)"]
)
def test_a_read_transaction_does_not_write(driver, query):
    with pytest.raises(ClientError, match="Writing in read access mode not allowed") as error:
        driver.execute_query(query, routing_=neo4j.RoutingControl.READ)
    assert error.value.code == "Neo.ClientError.Statement.AccessMode"


@pytest.mark.parametrize(
    "query", ["MATCH (n:Create) RETURN n.set AS merge", "RETURN 'DELETE' AS x // SET", "RETURN {create: 1} AS `DROP`"]
)
def test_words_that_only_look_like_a_write(driver, query):
    driver.execute_query(query, routing_=neo4j.RoutingControl.READ)


def test_two_writers_of_one_node_conflict_and_the_retry_wins(driver):
    driver.execute_query("CREATE (:Counter {n: 0})")
    attempts = []

    def add(transaction):
        attempts.append(transaction.run("MATCH (c:Counter) RETURN c.n AS n").single()["n"])
        if len(attempts) == 1:  # another client comes between our read and our write
            driver.execute_query("MATCH (c:Counter) SET c.n = c.n + 1")
        transaction.run("MATCH (c:Counter) SET c.n = c.n + 1").consume()

    with driver.session() as session:
        session.execute_write(add)
    assert value(driver, "MATCH (c:Counter) RETURN c.n AS n") == 2


# The record.


def test_the_record_counts_queries_rows_and_round_trips(server, driver):
    driver.execute_query("UNWIND range(1, 5) AS x CREATE (:N {x: x})")
    with server.record() as log, driver.session() as session:
        session.run("MATCH (n:N) WHERE n.x > $x RETURN n.x AS x", x=2).consume()
        rows = list(session.run("MATCH (n:N) RETURN n.x AS x"))
    assert len(rows) == 5
    assert [(query.text, query.parameters) for query in log.queries] == [
        ("MATCH (n:N) WHERE n.x > $x RETURN n.x AS x", {"x": 2}),
        ("MATCH (n:N) RETURN n.x AS x", {}),
    ]
    assert log.count("RUN") == 2
    assert log.queries[1].rows == 5
    assert "2 queries" in repr(log)


def test_a_query_is_one_round_trip_and_more_fetches_more(server, driver):
    with driver.session(fetch_size=10) as session:
        session.run("RETURN 1 AS x").consume()
        with server.record() as one:
            session.run("RETURN 1 AS x").consume()
        with server.record() as several:
            list(session.run("UNWIND range(1, 25) AS x RETURN x"))
    assert one.round_trips == 1
    assert several.round_trips == 3
    assert several.rows == 25


def test_a_loop_of_queries_costs_a_round_trip_each(server, driver):
    with server.record() as log, driver.session() as session:
        for x in range(7):
            session.run("CREATE (:N {x: $x})", x=x).consume()
    assert len(log.queries) == log.round_trips == 7
    assert sum(query.counters["nodes-created"] for query in log.queries) == 7


def test_the_record_knows_who_asked(server):
    with (
        neo4j.GraphDatabase.driver(server.uri, auth=server.auth, user_agent="reader-3") as driver,
        server.record() as log,
    ):
        driver.execute_query("RETURN 1")
    assert {command.client for command in log} == {"reader-3"}
    assert [command.name for command in log] == ["BEGIN", "RUN", "PULL", "COMMIT"]


# Plans.


def test_a_profile_is_a_tree_with_rows(server, driver):
    driver.execute_query("UNWIND range(1, 9) AS x CREATE (:N {x: x})-[:R]->(:M)")
    with server.record() as log:
        _, summary, _ = driver.execute_query("PROFILE MATCH (n:N)-[:R]->(m) WHERE n.x > 3 RETURN m.x AS x ORDER BY x")
    operators, plan = [], summary.profile
    while plan:
        operators.append((plan["operatorType"], plan.get("rows")))
        plan = (plan["children"] or [None])[0]
    assert operators[0] == ("ProduceResults", 6)
    assert operators[-2:] == [("Expand(All)", 6), ("NodeByLabelScan", 9)]
    assert summary.query_type == "r"
    assert log.work == sum(rows or 0 for _, rows in operators)
    assert log.hits is None  # the engine counts none


def test_without_profile_the_record_tells_no_work(server, driver):
    with server.record() as log:
        driver.execute_query("RETURN 1")
    assert log.work is None


def test_a_plan_tells_an_index_from_a_scan(driver):
    def leaf(query):
        _, summary, _ = driver.execute_query("EXPLAIN " + query)
        plan = summary.plan
        while plan["children"]:
            plan = plan["children"][0]
        return plan["operatorType"]

    driver.execute_query("UNWIND range(1, 99) AS x CREATE (:N {x: x})")
    assert leaf("MATCH (n:N {x: 5}) RETURN n") == "NodeByLabelScan"
    driver.execute_query("CREATE INDEX n_x FOR (n:N) ON (n.x)")
    assert leaf("MATCH (n:N {x: 5}) RETURN n") == "NodeIndexSeek"


def test_a_profiled_write_without_return_has_no_rows(driver):
    records, summary, _ = driver.execute_query("PROFILE CREATE (:N)")
    assert records == []
    assert summary.counters.nodes_created == 1


# Faults.


def test_a_transient_error_is_retried_by_the_driver(server, driver):
    calls = []
    with server.faults.transient("COMMIT", times=1), driver.session() as session:
        session.execute_write(lambda transaction: calls.append(transaction.run("CREATE (:N)").consume()))
    assert len(calls) == 2
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 1


def test_a_transient_error_outside_a_managed_transaction_is_the_callers(server, driver):
    with server.faults.transient("RUN"), driver.session() as session, pytest.raises(TransientError) as error:
        session.run("CREATE (:N)").consume()
    assert error.value.code == "Neo.TransientError.Transaction.DeadlockDetected"
    assert error.value.is_retryable()
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 0


@pytest.mark.parametrize("command", ["RUN", "PULL"])
def test_a_lost_reply_leaves_the_write(server, driver, command):
    with server.faults.drop_reply(command), driver.session() as session, pytest.raises(ServiceUnavailable):
        session.run("CREATE (:N)").consume()
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 1


def test_a_lost_reply_to_commit_leaves_the_transaction(server, driver):
    with driver.session() as session, pytest.raises(ServiceUnavailable), session.begin_transaction() as transaction:
        transaction.run("CREATE (:N)").consume()
        server.faults.drop_reply("COMMIT")
        transaction.commit()
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 1


def test_a_connection_lost_in_a_transaction_loses_it(server, driver):
    with driver.session() as session, pytest.raises(ServiceUnavailable), session.begin_transaction() as transaction:
        server.faults.drop_reply("RUN")
        transaction.run("CREATE (:N)").consume()
    assert value(driver, "MATCH (n:N) RETURN count(n) AS n") == 0


def test_a_server_that_is_down_and_back(server, driver):
    driver.verify_connectivity()
    with server.faults.refuse(), pytest.raises(ServiceUnavailable):
        driver.verify_connectivity()
    driver.verify_connectivity()


# A clean slate.


def test_reset_leaves_nothing(server, driver):
    driver.execute_query("CREATE CONSTRAINT c FOR (n:N) REQUIRE n.x IS UNIQUE")
    driver.execute_query("CREATE INDEX i FOR (n:M) ON (n.x)")
    driver.execute_query("CREATE (:N {x: 1})-[:R]->(:M)")
    server.faults.transient()
    server.reset()
    for query in ("MATCH (n) RETURN n", "SHOW CONSTRAINTS", "SHOW INDEXES", "CALL db.labels()", "CALL db.relationshipTypes()"):
        assert driver.execute_query(query).records == []
    driver.execute_query("CREATE (:R)-[:N]->()")  # names are free again


def test_reset_ends_the_transactions_that_are_open(server, driver):
    with driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:N)").consume()
        server.reset()
        with pytest.raises(ClientError, match=r"server\.reset"):
            transaction.run("CREATE (:N)").consume()
        transaction.close()
        assert session.run("MATCH (n) RETURN count(n) AS n").single()["n"] == 0


def test_the_clock_says_why_it_stands(server):
    with pytest.raises(NotImplementedError, match="nothing in Neo4j expires"):
        server.clock.advance(1)


# Errors that teach.


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("MATCH (n) RETURN m", r"Variable `m` not defined \(line 1, column 18 \(offset: 17\)\)"),
        ("MATCH (n)", "Query cannot conclude with MATCH"),
        ("MATCH (n) WHERE n.x = 1", "Query cannot conclude with MATCH"),
        ("MATCH (n) WITH n.x RETURN 1 AS y", r"Expression in WITH must be aliased \(use AS\) \(line 1, column 16"),
        ("MATCH (n\nRETURN n", r"Invalid input.*line 2, column 1"),
        ("MATCH p = SHORTEST 2 (a)-[]-+(b) RETURN p", r"shortestPath\(\).*NEO4J_URI"),
        ("CREATE FULLTEXT INDEX i FOR (n:N) ON EACH [n.x]", "full-text.*NEO4J_URI"),
        ("CREATE (:Same)-[:Same]->()", "one name, Same, for a label and for a relationship type"),
        ("CREATE CONSTRAINT FOR (n:N) REQUIRE n.x IS NOT NULL", "Enterprise Edition"),
    ],
)
def test_an_error_says_what_and_where(driver, query, told):
    with pytest.raises((ClientError, neo4j.exceptions.DatabaseError)) as error:
        driver.execute_query(query)
    assert re.search(told, error.value.message, re.DOTALL), error.value.message
