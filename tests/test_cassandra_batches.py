"""What Cassandra says of large batches. The sizes are those that Cassandra 5.0.6 counted, and counts again with --real cassandra."""

import re
import sys
from pathlib import Path

import pytest
from cassandra import InvalidRequest

import stores

sys.path.insert(0, str(Path(__file__).parent / "cql"))
from run import connect

TABLES = [
    "CREATE TYPE place (city text, country text)",
    "CREATE TABLE t (k int, c int, v text, s text static, l list<int>, m map<text, int>, u set<text>, p place, f frozen<place>, "
    "PRIMARY KEY (k, c))",
    "CREATE TABLE other (k int PRIMARY KEY, v text)",
]
# A batch is measured only if it is of several partitions and large: this one takes 6074 bytes.
LARGE = f"INSERT INTO t (k, c, v) VALUES (0, 0, '{'x' * 6000}')"
LARGE_SIZE = 6074


@pytest.fixture(scope="module")
def session(chosen):
    with chosen("cassandra"):
        server = stores.start("cassandra")
        server.reset()
        cluster, session = connect(server)
        for text in TABLES:
            session.execute(text)
        yield session
        cluster.shutdown()
        stores.stop_all()


def warnings(session, *statements, kind="UNLOGGED"):
    """The server's warnings of a batch, without the keyspace's name."""
    result = session.execute_async(f"BEGIN {kind} BATCH {'; '.join(statements)}; APPLY BATCH")
    result.result()
    return [text.replace(session.keyspace, "course") for text in result.warnings or []]


def size(session, *statements):
    [warning] = warnings(session, LARGE, *statements)
    found = re.fullmatch(r"Batch for \[[\w., ]+\] is of size (\d+), exceeding specified threshold of 5120 by (\d+)\.", warning)
    assert int(found[1]) - int(found[2]) == 5120
    return int(found[1]) - LARGE_SIZE


@pytest.mark.parametrize(("statements", "bytes_"), [
    (["INSERT INTO t (k, c) VALUES (1, 1)"], 54),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc')"], 77),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, '')"], 74),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, null)"], 74),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc') USING TTL 100"], 89),
    (["UPDATE t SET v = 'abc' WHERE k = 1 AND c = 1"], 77),
    (["UPDATE t USING TTL 100 SET v = 'abc' WHERE k = 1 AND c = 1"], 77),
    (["UPDATE t SET s = 'abc' WHERE k = 1"], 52),
    (["INSERT INTO t (k, c, s) VALUES (1, 1, 'abc')"], 77),
    (["UPDATE t SET l = [1, 2, 3] WHERE k = 1 AND c = 1"], 186),
    (["UPDATE t SET l = l + [1, 2, 3] WHERE k = 1 AND c = 1"], 186),
    (["UPDATE t SET m = {'a': 1, 'bcd': 2} WHERE k = 1 AND c = 1"], 118),
    (["UPDATE t SET m['a'] = 1 WHERE k = 1 AND c = 1"], 91),
    (["UPDATE t SET u = u + {'a', 'bcd'} WHERE k = 1 AND c = 1"], 110),
    (["UPDATE t SET p = {city: 'Oslo', country: 'Norway'} WHERE k = 1 AND c = 1"], 120),
    (["UPDATE t SET p.city = 'Oslo' WHERE k = 1 AND c = 1"], 92),
    (["UPDATE t SET f = {city: 'Oslo', country: 'Norway'} WHERE k = 1 AND c = 1"], 92),
    (["DELETE FROM t WHERE k = 1"], 29),
    (["DELETE FROM t WHERE k = 1 AND c = 1"], 54),
    (["DELETE v FROM t WHERE k = 1 AND c = 1"], 74),
    (["DELETE m FROM t WHERE k = 1 AND c = 1"], 66),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc')", "INSERT INTO t (k, c, v) VALUES (1, 1, 'de')"], 76),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc')", "INSERT INTO t (k, c, v) VALUES (1, 2, 'abc')"], 125),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc')", "INSERT INTO t (k, c, v) VALUES (2, 1, 'abc')"], 154),
    (["INSERT INTO t (k, c, v) VALUES (1, 1, 'abc')", "INSERT INTO other (k, v) VALUES (1, 'abc')"], 150),
], ids=lambda value: "; ".join(value) if isinstance(value, list) else "")
def test_the_size_of_a_batch(session, statements, bytes_):
    assert size(session, *statements) == bytes_


def test_a_batch_for_one_partition_may_be_as_large_as_it_likes(session):
    assert warnings(session, LARGE, "INSERT INTO t (k, c) VALUES (0, 1)") == []
    assert warnings(session, LARGE, "INSERT INTO other (k, v) VALUES (0, 'in another table of the same key')") == []


def test_a_batch_of_more_than_50_kb_is_refused(session):
    parts = [f"INSERT INTO t (k, c, v) VALUES ({k}, 0, '{'x' * 6000}')" for k in range(9)]
    with pytest.raises(InvalidRequest, match="Batch too large"):
        warnings(session, *parts)


def test_an_unlogged_batch_of_many_partitions_is_no_help(session):
    inserts = [text for k in range(11) for text in
               (f"INSERT INTO t (k, c) VALUES ({k}, 1)", f"INSERT INTO other (k, v) VALUES ({k}, 'of the same key')")]
    assert [text.partition(" detected")[0] for text in warnings(session, *inserts)] == ["Unlogged batch covering 11 partitions"]
    assert warnings(session, *inserts[:-2]) == []
    assert warnings(session, *inserts, kind="") == []
