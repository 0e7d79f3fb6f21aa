"""The ring: placement, consistency levels, hints, read repair, timeouts, nodes that stop or are cut off. With the real driver."""

import struct
import time
from itertools import pairwise

import pytest
from cassandra import ConsistencyLevel, ReadTimeout, Unavailable, WriteTimeout, WriteType
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.metadata import Murmur3Token, NetworkTopologyStrategy, SimpleStrategy, TokenMap
from cassandra.policies import FallthroughRetryPolicy, RoundRobinPolicy, TokenAwarePolicy, WhiteListRoundRobinPolicy
from cassandra.pool import Host
from cassandra.query import SimpleStatement
from hypothesis import given
from hypothesis import strategies as st

import stores
from stores.base import Clock
from stores.cassandra.murmur3 import MAX_TOKEN, MIN_TOKEN
from stores.cassandra.results import Consistency
from stores.cassandra.ring import Ring

ONE, TWO, QUORUM, ALL = ConsistencyLevel.ONE, ConsistencyLevel.TWO, ConsistencyLevel.QUORUM, ConsistencyLevel.ALL


@pytest.fixture(scope="module")
def cluster_of_three():
    server = stores.start("cassandra", nodes=3)
    profiles = {
        EXEC_PROFILE_DEFAULT: profile(server, 0),
        "second": profile(server, 1),
        "third": profile(server, 2),
    }
    cluster = Cluster(server.contact_points, port=server.port, protocol_version=5, execution_profiles=profiles)
    cluster.connect()
    yield server, cluster
    cluster.shutdown()
    server.stop()


def profile(server, number):
    """Ask one node only, and never try again."""
    policy = WhiteListRoundRobinPolicy([server.nodes[number].host])
    return ExecutionProfile(load_balancing_policy=policy, retry_policy=FallthroughRetryPolicy(), request_timeout=5)


@pytest.fixture
def server(cluster_of_three):
    server, _ = cluster_of_three
    server.reset()
    return server


@pytest.fixture
def ask(server, cluster_of_three):
    """Give ask(statement, level, profile): the first row's first value, or None."""
    _, cluster = cluster_of_three
    session = cluster.connect(server.keyspace)
    wait_until(lambda: len(list(session.get_pools())) == 3)  # connect() waits for the first pool of connections only

    def execute(statement, **options):
        """Wait where the driver has no connection for a moment: it renews them after a node came back. Nothing was sent then."""
        deadline = time.monotonic() + 10
        while True:
            try:
                return session.execute(statement, **options)
            except NoHostAvailable as error:
                unsent = all("marked down" in str(each) for each in error.errors.values())
                if not unsent or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def ask(text, level=ONE, profile=EXEC_PROFILE_DEFAULT):
        row = execute(SimpleStatement(text, consistency_level=level), execution_profile=profile).one()
        return row[0] if row else None

    execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    execute("CREATE TABLE c (k int PRIMARY KEY, n counter)")
    ask.session, ask.execute = session, execute
    yield ask
    session.shutdown()


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Placement.


@given(st.integers(1, 6), st.integers(1, 6), st.integers(MIN_TOKEN + 1, MAX_TOKEN))
def test_replicas_are_those_that_the_driver_computes(nodes, copies, token):
    ring = Ring(nodes, Clock())
    hosts = {node: Host(f"127.0.0.{node.number + 1}", lambda _: None) for node in ring.nodes}
    for host in hosts.values():
        host.set_location_info("datacenter1", "rack1")
    tokens = {Murmur3Token(node.tokens[0]): hosts[node] for node in ring.nodes}
    token_map = TokenMap(Murmur3Token, tokens, sorted(tokens), None)
    for replication, strategy in [
        ({"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": str(copies)}, SimpleStrategy),
        ({"class": "NetworkTopologyStrategy", "datacenter1": str(copies)}, NetworkTopologyStrategy),
    ]:
        options = {key: value for key, value in replication.items() if key != "class"}
        expected = strategy(options).make_token_replica_map(tokens, token_map.ring)
        at = min((t for t in token_map.ring if t.value >= token), default=token_map.ring[0])
        found = [hosts[node] for node in ring.replicas(replication, token)]
        assert found == list(expected[at])


def test_the_driver_finds_the_replicas_where_the_rows_are(server, ask, cluster_of_three):
    _, cluster = cluster_of_three
    ask("CREATE KEYSPACE single WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}")
    ask("CREATE TABLE single.t (k int PRIMARY KEY, v text)")
    table = server.nodes[0].engine.schema.keyspaces["single"].tables["t"]
    for key in range(30):
        ask(f"INSERT INTO single.t (k, v) VALUES ({key}, 'x')", profile="second")
        [replica] = cluster.metadata.get_replicas("single", struct.pack(">i", key))
        holders = [node.host for node in server.nodes if node.store.partition(table, (struct.pack(">i", key),))]
        assert holders == [replica.address]
    assert len({node.store.partition(table, (struct.pack(">i", 1),)) is None for node in server.nodes}) == 2
    assert ask("SELECT count(*) FROM single.t") == 30
    ask("DROP KEYSPACE single")


def test_the_driver_sees_three_nodes_with_a_third_of_the_ring_each(server, cluster_of_three):
    _, cluster = cluster_of_three
    ring = cluster.metadata.token_map.ring
    assert [token.value for token in ring] == [MIN_TOKEN, MIN_TOKEN + 2**64 // 3, MIN_TOKEN + 2 * 2**64 // 3]
    assert {host.address for host in cluster.metadata.all_hosts()} == {node.host for node in server.nodes}
    assert {host.host_id for host in cluster.metadata.all_hosts()} == {node.id for node in server.nodes}


def test_where_there_is_one_loopback_address_the_nodes_differ_by_their_ports(monkeypatch):
    """As on macOS. The driver learns the ports from system.peers_v2."""
    monkeypatch.setattr("stores.cassandra.embedded.exists", lambda host: host == "127.0.0.1")
    server = stores.start("cassandra", nodes=3, replication=1)
    assert server.contact_points == ["127.0.0.1"] and len({node.port for node in server.nodes}) == 3
    policy = TokenAwarePolicy(RoundRobinPolicy())
    profiles = {EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=policy)}
    with Cluster(server.contact_points, port=server.port, protocol_version=5, execution_profiles=profiles) as cluster:
        session = cluster.connect(server.keyspace)
        assert {host.endpoint.port for host in cluster.metadata.all_hosts()} == {node.port for node in server.nodes}
        wait_until(lambda: len(list(session.get_pools())) == 3)
        session.execute("CREATE TABLE t (k int PRIMARY KEY)")
        insert = session.prepare("INSERT INTO t (k) VALUES (?)")
        with server.record() as log:
            for key in range(20):
                session.execute(insert, (key,))
        assert {statement.node for statement in log.statements} == {node.address for node in server.nodes}
        assert session.execute("SELECT count(*) FROM t").one()[0] == 20
    server.stop()


def test_ranges_cover_the_ring_once():
    ring = Ring(3, Clock())
    pieces = list(ring.ranges(None, None))
    assert pieces[0][0] is None and pieces[-1][1] is None
    assert all(one[1] == other[0] for one, other in pairwise(pieces))
    assert list(ring.ranges((5,), (9,))) == [((5,), (9,), ring.tokens[2])]


# Nodes that are away.


def test_a_majority_is_enough_for_quorum_and_not_for_all(server, ask):
    server.nodes[2].stop()
    ask("INSERT INTO t (k, v) VALUES (1, 'a')", QUORUM)
    assert ask("SELECT v FROM t WHERE k = 1", QUORUM) == "a"
    with pytest.raises(Unavailable) as caught:
        ask("INSERT INTO t (k, v) VALUES (1, 'b')", ALL)
    error = caught.value
    assert (error.consistency, error.required_replicas, error.alive_replicas) == (ALL, 3, 2)
    assert ask("SELECT v FROM t WHERE k = 1") == "a", "an unavailable write writes nothing"
    server.nodes[1].stop()
    with pytest.raises(Unavailable):
        ask("SELECT v FROM t WHERE k = 1", QUORUM)
    assert ask("SELECT v FROM t WHERE k = 1", ONE) == "a"
    with pytest.raises(Unavailable):
        ask("UPDATE t SET v = 'c' WHERE k = 1 IF v = 'a'")


def test_hints_bring_a_node_up_to_date(server, ask):
    with server.nodes[2].stop():
        ask("INSERT INTO t (k, v) VALUES (1, 'a')", QUORUM)
        assert len(server.nodes[0].hints) == 1
    assert server.nodes[0].hints == []
    assert ask_when_up(ask, "SELECT v FROM t WHERE k = 1", "third") == "a"


def test_hints_are_given_up_after_three_hours(server, ask):
    with server.nodes[2].cut_off():
        server.clock.advance(3 * 3600 + 1)
        ask("INSERT INTO t (k, v) VALUES (1, 'a')", QUORUM)
        assert server.nodes[0].hints == []
    assert ask("SELECT v FROM t WHERE k = 1", profile="third") is None


def test_a_stale_read_at_one_and_its_repair_at_quorum(server, ask):
    server.hinted_handoff = False
    ask("INSERT INTO t (k, v) VALUES (1, 'old')", ALL)
    with server.nodes[2].cut_off():
        ask("UPDATE t SET v = 'new' WHERE k = 1", QUORUM)
    assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") == "old"
    assert ask("SELECT v FROM t WHERE k = 1", QUORUM, "third") == "new"
    assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") == "new", "the read at QUORUM has repaired it"


def test_a_table_may_do_without_read_repair(server, ask):
    server.hinted_handoff = False
    ask("ALTER TABLE t WITH read_repair = 'NONE'")
    with server.nodes[2].cut_off():
        ask("INSERT INTO t (k, v) VALUES (1, 'new')", QUORUM)
    assert ask("SELECT v FROM t WHERE k = 1", QUORUM, "third") == "new"
    assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") is None


def test_a_deletion_wins_over_what_a_stale_node_still_has(server, ask):
    server.hinted_handoff = False
    ask("INSERT INTO t (k, v) VALUES (1, 'a')", ALL)
    with server.nodes[2].cut_off():
        ask("DELETE FROM t WHERE k = 1", QUORUM)
    assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") == "a"
    assert ask("SELECT v FROM t WHERE k = 1", ALL) is None
    assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") is None


def test_scans_merge_the_replicas_too(server, ask):
    server.hinted_handoff = False
    for key in range(20):
        if key % 2:
            ask(f"INSERT INTO t (k, v) VALUES ({key}, 'all')", ALL)
        else:
            with server.nodes[2].cut_off():
                ask(f"INSERT INTO t (k, v) VALUES ({key}, 'two')", QUORUM)
    assert ask("SELECT count(*) FROM t", ONE, "third") == 10
    ask.session.default_fetch_size = 3
    rows = ask.execute(SimpleStatement("SELECT k FROM t", consistency_level=ALL, fetch_size=3), execution_profile="third")
    assert sorted(row.k for row in rows) == list(range(20))
    assert ask("SELECT count(*) FROM t", ONE, "third") == 20


def test_both_sides_of_a_cut_answer_at_one_and_the_later_write_wins(server, ask):
    ask("INSERT INTO t (k, v) VALUES (1, 'before')", ALL)
    with server.nodes[2].cut_off():
        ask("UPDATE t USING TIMESTAMP 4000000000000000 SET v = 'majority' WHERE k = 1", ONE)
        ask("UPDATE t USING TIMESTAMP 4000000000000001 SET v = 'minority' WHERE k = 1", ONE, "third")
        assert ask("SELECT v FROM t WHERE k = 1", ONE) == "majority"
        assert ask("SELECT v FROM t WHERE k = 1", ONE, "third") == "minority"
        with pytest.raises(Unavailable):
            ask("UPDATE t SET v = 'no' WHERE k = 1", QUORUM, "third")
    assert ask("SELECT v FROM t WHERE k = 1", ONE) == "minority"


def test_silence_that_nobody_has_noticed_is_a_timeout(server, ask):
    server.nodes[1].cut_off(noticed=False)
    server.nodes[2].cut_off(noticed=False)
    started = time.perf_counter()
    with pytest.raises(WriteTimeout) as caught:
        ask("INSERT INTO t (k, v) VALUES (1, 'a')", QUORUM)
    assert time.perf_counter() - started >= server.timeout * 0.9
    error = caught.value
    assert (error.consistency, error.required_responses, error.received_responses, error.write_type) == (
        QUORUM,
        2,
        1,
        WriteType.SIMPLE,
    )
    with pytest.raises(ReadTimeout) as caught:
        ask("SELECT v FROM t WHERE k = 1", QUORUM)
    error = caught.value
    assert (error.required_responses, error.received_responses, error.data_retrieved) == (2, 1, True)
    assert ask("SELECT v FROM t WHERE k = 1", ONE) == "a", "a write that timed out may have been written"
    with pytest.raises(WriteTimeout) as caught:
        ask("INSERT INTO t (k, v) VALUES (2, 'a') IF NOT EXISTS")
    assert caught.value.write_type == WriteType.CAS
    with pytest.raises(WriteTimeout) as caught:
        ask("BEGIN BATCH INSERT INTO t (k, v) VALUES (3, 'a'); INSERT INTO t (k, v) VALUES (4, 'a'); APPLY BATCH", ONE)
    assert caught.value.write_type == WriteType.BATCH_LOG


def test_a_read_asks_another_replica_in_place_of_a_silent_one(server, ask):
    ask("INSERT INTO t (k, v) VALUES (1, 'a')", ALL)
    server.nodes[1].cut_off(noticed=False)
    assert ask("SELECT v FROM t WHERE k = 1", QUORUM) == "a"


def test_counters_count_once_whoever_is_away(server, ask):
    ask("UPDATE c SET n = n + 1 WHERE k = 1", ALL)
    with server.nodes[2].cut_off():
        ask("UPDATE c SET n = n + 10 WHERE k = 1", QUORUM)
        ask("UPDATE c SET n = n + 100 WHERE k = 1", QUORUM, "second")
        ask("UPDATE c SET n = n + 1000 WHERE k = 1", ONE, "third")
    for profile in (EXEC_PROFILE_DEFAULT, "second", "third"):
        assert ask("SELECT n FROM c WHERE k = 1", ONE, profile) == 1111


def test_any_is_content_with_a_hint(server, ask):
    ask("CREATE KEYSPACE lonely WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    ask("CREATE TABLE lonely.t (k int PRIMARY KEY, v text)")
    first_owned = next(key for key in range(100) if server._ring.replicas(
        {"class": "SimpleStrategy", "replication_factor": "1"}, ask_token(ask, key))[0] is server.nodes[2])  # fmt: skip
    with server.nodes[2].cut_off():
        with pytest.raises(Unavailable):
            ask(f"INSERT INTO lonely.t (k, v) VALUES ({first_owned}, 'a')", ONE)
        ask(f"INSERT INTO lonely.t (k, v) VALUES ({first_owned}, 'a')", ConsistencyLevel.ANY)
    assert ask(f"SELECT v FROM lonely.t WHERE k = {first_owned}") == "a"


def ask_token(ask, key):
    ask(f"INSERT INTO t (k, v) VALUES ({key}, 'x')")
    return ask(f"SELECT token(k) FROM t WHERE k = {key}")


def test_truncate_needs_every_node(server, ask):
    ask("INSERT INTO t (k, v) VALUES (1, 'a')")
    with server.nodes[1].cut_off(), pytest.raises(Unavailable):
        ask("TRUNCATE t")
    ask("TRUNCATE t")
    assert ask("SELECT count(*) FROM t", ALL) == 0


LEVELS = "ANY ONE TWO THREE QUORUM ALL LOCAL_QUORUM EACH_QUORUM LOCAL_ONE".split()


@pytest.mark.parametrize("away", [0, 1, 2])
@pytest.mark.parametrize("level", LEVELS)
def test_every_level_needs_as_many_as_it_says(server, ask, level, away):
    needed = {"ANY": 1, "ONE": 1, "TWO": 2, "THREE": 3, "QUORUM": 2, "ALL": 3, "LOCAL_QUORUM": 2, "EACH_QUORUM": 2, "LOCAL_ONE": 1}[
        level
    ]
    for node in server.nodes[1 : 1 + away]:
        node.cut_off()
    code = getattr(ConsistencyLevel, level)
    assert Consistency[level] == code
    if 3 - away >= needed:
        ask("INSERT INTO t (k, v) VALUES (1, 'a')", code)
    else:
        with pytest.raises(Unavailable) as caught:
            ask("INSERT INTO t (k, v) VALUES (1, 'a')", code)
        assert (caught.value.required_replicas, caught.value.alive_replicas) == (needed, 3 - away)


# What clients notice.


def ask_when_up(ask, text, profile):
    """The driver connects to a node again a second or two after it hears that it is up."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return ask(text, profile=profile)
        except NoHostAvailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_a_stopped_node_refuses_clients_and_the_driver_goes_on_with_the_others(server):
    with Cluster(server.contact_points, port=server.port, protocol_version=5) as cluster:
        session = cluster.connect(server.keyspace)
        session.execute("CREATE TABLE t (k int PRIMARY KEY)")
        with server.nodes[1].stop() as node:
            assert repr(node) == f"<Cassandra node {node.address}: stopped>"
            for key in range(12):
                session.execute(SimpleStatement(f"INSERT INTO t (k) VALUES ({key})", is_idempotent=True))
        assert session.execute("SELECT count(*) FROM t").one()[0] == 12
        assert node.state == "up"


def test_reset_brings_every_node_back_and_forgets_everything(server, ask):
    server.nodes[1].stop()
    server.nodes[2].cut_off()
    ask("INSERT INTO t (k, v) VALUES (1, 'a')")
    server.reset()
    assert [node.state for node in server.nodes] == ["up", "up", "up"]
    assert server.nodes[0].hints == []
    ask("CREATE TABLE t (k int PRIMARY KEY, v text)")
    assert ask("SELECT count(*) FROM t", ALL) == 0


def test_traces_are_found_whichever_node_is_asked(server, ask):
    ask("INSERT INTO t (k, v) VALUES (1, 'a')")
    result = ask.execute("SELECT * FROM t WHERE k = 1", trace=True, execution_profile="third")
    trace = result.get_query_trace()
    assert trace.coordinator == server.nodes[2].host
    assert trace.events
