"""Lightweight transactions and batches."""

import pytest
from cassandra_engine import Session, rows_of


@pytest.fixture
def cql():
    session = Session()
    session.run(
        "CREATE TABLE t (k int, c int, v int, l list<int>, m map<text, int>, s int static, PRIMARY KEY (k, c))",
        "CREATE TABLE u (k int PRIMARY KEY, v int)",
        "CREATE TABLE n (k int PRIMARY KEY, a counter)",
    )
    return session


# --- lightweight transactions -----------------------------------------------------------------------------------------


def test_insert_if_not_exists(cql):
    text = "INSERT INTO u (k, v) VALUES (1, ?) IF NOT EXISTS"
    assert cql(text, 10) == [(True,)]
    result = cql.execute(text, (20,))
    assert [column.name for column in result.columns] == ["[applied]", "k", "v"]
    assert rows_of(result) == [(False, 1, 10)]
    cql("DELETE FROM u WHERE k = 1")
    assert cql(text, 30) == [(True,)]


def test_update_and_delete_if(cql):
    assert cql("UPDATE u SET v = 1 WHERE k = 1 IF EXISTS") == [(False,)]
    assert cql("UPDATE u SET v = 1 WHERE k = 1 IF v = null") == [(True,)]
    assert cql("UPDATE u SET v = 2 WHERE k = 1 IF v = 7") == [(False, 1)]
    assert cql("UPDATE u SET v = 2 WHERE k = 1 IF v IN (1, 2)") == [(True,)]
    assert cql("UPDATE u SET v = 3 WHERE k = 1 IF v > 1 AND v != 9") == [(True,)]
    assert cql("DELETE FROM u WHERE k = 1 IF v < 3") == [(False, 3)]
    assert cql("DELETE v FROM u WHERE k = 1 IF EXISTS") == [(True,)]
    assert cql("DELETE FROM u WHERE k = 1 IF EXISTS") == [(False,)]  # UPDATE leaves no row without values
    cql("INSERT INTO u (k) VALUES (1)")
    assert cql("DELETE FROM u WHERE k = 1 IF EXISTS") == [(True,)]
    assert cql("SELECT * FROM u") == []


def test_conditions_on_collections(cql):
    cql("INSERT INTO t (k, c, l, m) VALUES (1, 1, [1, 2], {'a': 1})")
    for condition, holds in [
        ("l = [1, 2]", True),
        ("l[0] = 1", True),
        ("l[5] = null", True),
        ("l[1] IN (7, 2)", True),
        ("m['a'] = 1", True),
        ("m['z'] = null", True),
        ("m['a'] > 1", False),
        ("m = {'a': 1}", True),
        ("l CONTAINS 2", True),
        ("l CONTAINS 3", False),
        ("m CONTAINS KEY 'a'", True),
        ("m CONTAINS 9", False),
        ("l > [1]", True),
    ]:
        ((applied, *_),) = cql(f"UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF {condition}")
        assert applied is holds, condition
    cql("DELETE l FROM t WHERE k = 1 AND c = 1")
    assert cql("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF l = null") == [(True,)]


def test_static_conditions(cql):
    assert cql("INSERT INTO t (k, s) VALUES (1, 5) IF NOT EXISTS") == [(True,)]
    assert cql("INSERT INTO t (k, s) VALUES (1, 6) IF NOT EXISTS") == [(False, 1, None, 5, None, None, None)]
    assert cql("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF s = 5") == [(True,)]
    assert cql("UPDATE t SET s = 6 WHERE k = 1 IF s = 4") == [(False, 5)]
    assert cql("UPDATE t SET v = 2 WHERE k = 1 AND c = 9 IF v = 1 AND s = 5") == [(False, None, 5)]


def test_transactions_win_over_earlier_clients(cql):
    cql("INSERT INTO u (k, v) VALUES (1, 1)")
    assert cql("UPDATE u SET v = 2 WHERE k = 1 IF v = 1", timestamp=5) == [(True,)]
    assert cql("SELECT v FROM u") == [(2,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("UPDATE u SET v = 1 WHERE k IN (1, 2) IF EXISTS", "IN on the partition key is not supported with conditional updates"),
        ("DELETE FROM u WHERE k IN (1, 2) IF EXISTS", "IN on the partition key is not supported with conditional deletions"),
        (
            "UPDATE t SET v = 1 WHERE k = 1 AND c IN (1, 2) IF v = 1",
            "IN on the clustering key columns is not supported with conditional updates",
        ),
        ("UPDATE u USING TIMESTAMP 1 SET v = 1 WHERE k = 1 IF EXISTS", "Cannot provide custom timestamp for conditional updates"),
        ("UPDATE u SET v = 1 WHERE k = 1 IF k = 1", "PRIMARY KEY column 'k' cannot have IF conditions"),
        ("UPDATE u SET v = 1 WHERE k = 1 IF v > null", 'Invalid comparison with null for operator ">"'),
        ("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF v[0] = 1", "Invalid element access syntax for non-collection column v"),
        ("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF l[-1] = 1", "Invalid negative list index -1"),
        (
            "DELETE FROM t WHERE k = 1 IF EXISTS",
            "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to delete non static columns",
        ),
    ],
)
def test_refusals(cql, text, message):
    assert cql.error(text) == message


# --- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_one_write(cql):
    result = cql.execute(
        "BEGIN BATCH INSERT INTO u (k, v) VALUES (1, 1); UPDATE u SET v = 2 WHERE k = 2; "
        "INSERT INTO t (k, c) VALUES (1, 1) APPLY BATCH"
    )
    assert result.facts.mutations == 3
    assert sorted(cql("SELECT * FROM u")) == [(1, 1), (2, 2)]
    cql("BEGIN BATCH INSERT INTO t (k, c, v) VALUES (5, 1, 1); INSERT INTO t (k, c, v) VALUES (5, 2, 2) APPLY BATCH")
    assert cql("SELECT c, writetime(v) FROM t WHERE k = 5")[0][1] == cql("SELECT c, writetime(v) FROM t WHERE k = 5")[1][1]


def test_within_a_batch_deletion_wins(cql):
    cql("BEGIN BATCH INSERT INTO u (k, v) VALUES (1, 1); DELETE FROM u WHERE k = 1 APPLY BATCH")
    assert cql("SELECT * FROM u") == []


def test_timestamps_of_batches(cql):
    cql("BEGIN BATCH USING TIMESTAMP ? INSERT INTO u (k, v) VALUES (1, ?); INSERT INTO u (k, v) VALUES (2, ?) APPLY BATCH", 77, 1, 2)
    assert sorted(cql("SELECT k, writetime(v) FROM u")) == [(1, 77), (2, 77)]
    cql("BEGIN BATCH INSERT INTO u (k, v) VALUES (1, 3) USING TIMESTAMP 99; INSERT INTO u (k, v) VALUES (3, 3) APPLY BATCH")
    assert cql("SELECT writetime(v) FROM u WHERE k = 1") == [(99,)]


def test_counter_batches(cql):
    cql(
        "BEGIN COUNTER BATCH UPDATE n SET a = a + 1 WHERE k = 1; UPDATE n SET a = a + 2 WHERE k = 1; "
        "UPDATE n SET a = a - 1 WHERE k = 2 APPLY BATCH"
    )
    assert sorted(cql("SELECT * FROM n")) == [(1, 3), (2, -1)]


def test_conditional_batches(cql):
    text = "BEGIN BATCH INSERT INTO t (k, c, v) VALUES (1, 1, ?) IF NOT EXISTS; UPDATE t SET v = 5 WHERE k = 1 AND c = 2 APPLY BATCH"
    assert cql(text, 1) == [(True,)]
    assert cql(text, 2) == [(False, 1, 1, None, None, None, 1)]
    failed = cql.execute(
        "BEGIN BATCH UPDATE t SET v = 9 WHERE k = 1 AND c = 1 IF v = 1; "
        "UPDATE t SET v = 9 WHERE k = 1 AND c = 2 IF v = 6 APPLY BATCH"
    )
    assert [column.name for column in failed.columns] == ["[applied]", "k", "c", "v"]
    assert rows_of(failed) == [(False, 1, 1, 1), (False, 1, 2, 5)]
    assert cql("SELECT v FROM t") == [(1,), (5,)]


def test_batches_of_the_protocol(cql):
    prepared = cql.engine.prepare("INSERT INTO u (k, v) VALUES (?, ?)", "k")
    one, two = b"\0\0\0\1", b"\0\0\0\2"
    entries = [(prepared, [one, two]), ("INSERT INTO u (k, v) VALUES (2, 3)", [])]
    cql.engine.batch("LOGGED", entries, keyspace="k")
    assert sorted(cql("SELECT * FROM u")) == [(1, 2), (2, 3)]
    with pytest.raises(Exception, match="Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed"):
        cql.engine.batch("LOGGED", [("SELECT * FROM u", [])], keyspace="k")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "BEGIN BATCH UPDATE n SET a = a + 1 WHERE k = 1 APPLY BATCH",
            "Cannot include a counter statement in a logged batch",
        ),
        (
            "BEGIN COUNTER BATCH INSERT INTO u (k) VALUES (1) APPLY BATCH",
            "Cannot include non-counter statement in a counter batch",
        ),
        (
            "BEGIN UNLOGGED BATCH UPDATE n SET a = a + 1 WHERE k = 1; INSERT INTO u (k) VALUES (1) APPLY BATCH",
            "Counter and non-counter mutations cannot exist in the same batch",
        ),
        (
            "BEGIN BATCH USING TIMESTAMP 1 INSERT INTO u (k) VALUES (1) USING TIMESTAMP 2 APPLY BATCH",
            "Timestamp must be set either on BATCH or individual statements",
        ),
        (
            "BEGIN BATCH USING TIMESTAMP 1 INSERT INTO u (k) VALUES (1) IF NOT EXISTS APPLY BATCH",
            "Cannot provide custom timestamp for conditional BATCH",
        ),
        (
            "BEGIN BATCH INSERT INTO u (k) VALUES (1) IF NOT EXISTS; INSERT INTO u (k) VALUES (2) APPLY BATCH",
            "Batch with conditions cannot span multiple partitions",
        ),
        (
            "BEGIN BATCH INSERT INTO u (k) VALUES (1) IF NOT EXISTS; INSERT INTO t (k, c) VALUES (1, 1) APPLY BATCH",
            "Batch with conditions cannot span multiple tables",
        ),
        ("BEGIN BATCH USING TTL 1 INSERT INTO u (k) VALUES (1) APPLY BATCH", "Global TTL on the BATCH statement is not supported."),
    ],
)
def test_refusals_of_batches(cql, text, message):
    assert cql.error(text) == message


def test_large_batches(cql):
    one = "INSERT INTO u (k, v) VALUES ({0}, {0});"
    many = cql.execute(f"BEGIN UNLOGGED BATCH {' '.join(one.format(k) for k in range(11))} APPLY BATCH")
    assert many.warnings == [
        "Unlogged batch covering 11 partitions detected against table [k.u]. You should use a logged batch for atomicity, "
        "or asynchronous writes for performance."
    ]
    cql("CREATE TABLE b (k int PRIMARY KEY, v text)")
    text = "BEGIN BATCH INSERT INTO b (k, v) VALUES (1, ?); INSERT INTO b (k, v) VALUES (2, 'x') APPLY BATCH"
    assert "exceeding specified threshold of 5120" in cql.execute(text, ("x" * 6_000,)).warnings[0]
    assert cql.error(text, "x" * 60_000) == "Batch too large"
