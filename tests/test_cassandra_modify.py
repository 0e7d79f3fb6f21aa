"""INSERT, UPDATE, DELETE: times, collections, counters, user types, slices; and what is refused."""

import pytest
from cassandra_engine import Session

from stores.cassandra.results import UNSET


@pytest.fixture
def cql():
    session = Session()
    session("CREATE TABLE t (k int, c int, v int, s text static, PRIMARY KEY (k, c))")
    return session


@pytest.fixture
def many(cql):
    """A table of collections that are not frozen."""
    cql("CREATE TABLE m (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<int>>)")
    return cql


# --- times ------------------------------------------------------------------------------------------------------------


def test_the_later_timestamp_wins(cql):
    cql("INSERT INTO t (k, c, v) VALUES (1, 1, 20) USING TIMESTAMP 20")
    cql("INSERT INTO t (k, c, v) VALUES (1, 1, 10) USING TIMESTAMP 10")
    assert cql("SELECT v, writetime(v) FROM t") == [(20, 20)]
    cql("DELETE FROM t USING TIMESTAMP 15 WHERE k = 1 AND c = 1")
    assert cql("SELECT v FROM t") == [(20,)]
    cql("DELETE FROM t USING TIMESTAMP 20 WHERE k = 1 AND c = 1")
    assert cql("SELECT v FROM t") == []
    cql("INSERT INTO t (k, c, v) VALUES (1, 1, 19) USING TIMESTAMP 19")
    assert cql("SELECT v FROM t") == []


def test_at_the_same_timestamp_the_larger_value_wins(cql):
    for value in (5, 9, 7):
        cql("UPDATE t USING TIMESTAMP 1 SET v = ? WHERE k = 1 AND c = 1", value)
    assert cql("SELECT v FROM t") == [(9,)]


def test_timestamps_of_the_client(cql):
    cql("INSERT INTO t (k, c, v) VALUES (1, 1, 1)", timestamp=100)
    cql("INSERT INTO t (k, c, v) VALUES (1, 1, 2)", timestamp=99)
    assert cql("SELECT v, writetime(v) FROM t") == [(1, 100)]


def test_time_to_live(cql):
    with cql.clock.frozen():
        cql("INSERT INTO t (k, c, v) VALUES (1, 1, 1) USING TTL 10")
        cql("INSERT INTO t (k, c) VALUES (1, 2)")
        cql("UPDATE t USING TTL 5 SET v = 2 WHERE k = 1 AND c = 2")
        assert cql("SELECT c, v, ttl(v) FROM t") == [(1, 1, 10), (2, 2, 5)]
        cql.clock.advance(5)
        assert cql("SELECT c, v, ttl(v) FROM t") == [(1, 1, 5), (2, None, None)]
        cql.clock.advance(5)
        assert cql("SELECT c, v FROM t") == [(2, None)]


def test_default_time_to_live(cql):
    cql("CREATE TABLE d (k int PRIMARY KEY, v int) WITH default_time_to_live = 60")
    with cql.clock.frozen():
        cql("INSERT INTO d (k, v) VALUES (1, 1)")
        cql("INSERT INTO d (k, v) VALUES (2, 2) USING TTL 0")
        cql("INSERT INTO d (k, v) VALUES (3, 3) USING TTL ?", UNSET)
        assert sorted(cql("SELECT k, ttl(v) FROM d")) == [(1, 60), (2, None), (3, 60)]


def test_unset_values_write_nothing(cql):
    cql("INSERT INTO t (k, c, v, s) VALUES (1, 1, 1, 'a')")
    cql("INSERT INTO t (k, c, v, s) VALUES (?, ?, ?, ?)", 1, 1, UNSET, None)
    assert cql("SELECT v, s FROM t") == [(1, None)]
    assert cql.error("INSERT INTO t (k, c) VALUES (?, ?)", 1, UNSET) == "Invalid unset value for column c"


def test_named_markers(cql):
    prepared = cql.engine.prepare("INSERT INTO t (k, c, v) VALUES (:key, :row, :key)", "k")
    assert [column.name for column in prepared.bind_columns] == ["key", "row", "key"]
    assert prepared.pk_indexes == [0]
    cql.engine.execute(prepared, {"key": b"\0\0\0\7", "row": b"\0\0\0\1"}, keyspace="k")
    assert cql("SELECT k, c, v FROM t") == [(7, 1, 7)]


# --- deletions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("k = 0", []),
        ("k = 0 AND c = 2", [0, 1, 3, 4]),
        ("k = 0 AND c IN (1, 3)", [0, 2, 4]),
        ("k = 0 AND c > 2", [0, 1, 2]),
        ("k = 0 AND c >= 1 AND c < 4", [0, 4]),
        ("k IN (0, 1) AND c < 4", [4]),
        ("k = 0 AND (c) > (3)", [0, 1, 2, 3]),
    ],
)
def test_deleting_rows(cql, where, left):
    for c in range(5):
        cql("INSERT INTO t (k, c, v) VALUES (0, ?, 1)", c)
    cql(f"DELETE FROM t WHERE {where}")
    assert [c for (c,) in cql("SELECT c FROM t")] == left
    cql("INSERT INTO t (k, c) VALUES (0, 2)")
    assert (2,) in cql("SELECT c FROM t")


def test_deleting_slices_of_prefixes_in_descending_order(cql):
    cql("CREATE TABLE d (k int, a int, b int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (a DESC, b DESC)")
    for a in range(3):
        for b in range(3):
            cql("INSERT INTO d (k, a, b) VALUES (0, ?, ?)", a, b)
    cql("DELETE FROM d WHERE k = 0 AND a = 1 AND b > 0")
    cql("DELETE FROM d WHERE k = 0 AND a = 2")
    cql("DELETE FROM d WHERE k = 0 AND (a, b) <= (0, 1)")
    assert cql("SELECT a, b FROM d") == [(1, 0), (0, 2)]


def test_deleting_columns(cql):
    cql("INSERT INTO t (k, c, v, s) VALUES (1, 1, 1, 'x')")
    cql("DELETE v, s FROM t WHERE k = 1 AND c = 1")
    assert cql("SELECT * FROM t") == [(1, 1, None, None)]


# --- collections ------------------------------------------------------------------------------------------------------


def test_lists(many):
    many("UPDATE m SET l = [1, 2] WHERE k = 1")
    many("UPDATE m SET l = l + [3] WHERE k = 1")
    many("UPDATE m SET l = [-1, 0] + l WHERE k = 1")
    assert many("SELECT l FROM m") == [([-1, 0, 1, 2, 3],)]
    many("UPDATE m SET l[1] = 9 WHERE k = 1")
    many("UPDATE m SET l = l - [2, 3] WHERE k = 1")
    assert many("SELECT l FROM m") == [([-1, 9, 1],)]
    many("DELETE l[0] FROM m WHERE k = 1")
    assert many("SELECT l FROM m") == [([9, 1],)]
    many("UPDATE m SET l += [5], f = [1, 2] WHERE k = 1")
    assert many("SELECT l, f FROM m") == [([9, 1, 5], [1, 2])]
    assert many.error("UPDATE m SET l[7] = 1 WHERE k = 1") == "List index 7 out of bound, list has size 3"
    assert many.error("DELETE l[-1] FROM m WHERE k = 1") == "List index -1 out of bound, list has size 3"
    assert many.error("UPDATE m SET l[0] = 1 WHERE k = 2") == "Attempted to set an element on a list which is null"


def test_sets_and_maps(many):
    many("INSERT INTO m (k, s, m) VALUES (1, {'b', 'a'}, {'x': 1})")
    many("UPDATE m SET s = s + {'c'}, m['y'] = 2, m += {'z': 3} WHERE k = 1")
    assert many("SELECT s, m FROM m") == [(["a", "b", "c"], [("x", 1), ("y", 2), ("z", 3)])]
    many("UPDATE m SET s = s - {'a', 'q'}, m = m - {'x'} WHERE k = 1")
    many("DELETE m['y'], s['b'] FROM m WHERE k = 1")
    assert many("SELECT s, m FROM m") == [(["c"], [("z", 3)])]
    many("UPDATE m SET s = {}, m = null WHERE k = 1")
    assert many("SELECT k, s, m FROM m") == [(1, None, None)]


def test_a_new_value_replaces_a_collection(many):
    many("INSERT INTO m (k, s) VALUES (1, {'old'}) USING TIMESTAMP 10")
    many("UPDATE m USING TIMESTAMP 12 SET s = s + {'added'} WHERE k = 1")
    many("INSERT INTO m (k, s) VALUES (1, {'new'}) USING TIMESTAMP 11")
    assert many("SELECT s, writetime(s) FROM m") == [(["added", "new"], [12, 11])]


def test_elements_expire_one_by_one(many):
    with many.clock.frozen():
        many("UPDATE m SET m = {'a': 1} WHERE k = 1")
        many("UPDATE m USING TTL 5 SET m['b'] = 2 WHERE k = 1")
        assert many("SELECT m, ttl(m['a']), ttl(m['b']) FROM m") == [([("a", 1), ("b", 2)], None, 5)]
        [[times]] = many.execute("SELECT ttl(m) FROM m").rows  # a list of a null and of 5
        assert times == bytes([0, 0, 0, 2, 255, 255, 255, 255, 0, 0, 0, 4, 0, 0, 0, 5])
        many.clock.advance(5)
        assert many("SELECT m FROM m") == [([("a", 1)],)]


def test_frozen_collections_change_as_a_whole(many):
    assert many.error("UPDATE m SET f = f + [1] WHERE k = 1") == "Invalid operation (f = f + [1]) for frozen collection column f"
    assert many.error("UPDATE m SET f[0] = 1 WHERE k = 1") == "Invalid operation (f[0] = 1) for frozen collection column f"
    assert many.error("DELETE f[0] FROM m WHERE k = 1") == "Invalid deletion operation for frozen collection column f"


def test_user_types_and_tuples(cql):
    cql("CREATE TYPE address (street text, number int)")
    cql("CREATE TABLE u (k int PRIMARY KEY, a address, f frozen<address>, t tuple<int, text>)")
    cql("INSERT INTO u (k, a, f, t) VALUES (1, {street: 'x', number: 1}, {street: 'y'}, (1, 'one'))")
    cql("UPDATE u SET a.number = 2 WHERE k = 1")
    assert cql("SELECT a, a.street, f.number, t FROM u") == [(("x", 2), "x", None, (1, "one"))]
    cql("DELETE a.street FROM u WHERE k = 1")
    assert cql("SELECT a FROM u") == [((None, 2),)]
    assert cql.error("UPDATE u SET f.number = 2 WHERE k = 1") == "Invalid operation (f.number = 2) for frozen UDT column f"
    assert cql.error("UPDATE u SET a.nope = 2 WHERE k = 1") == "UDT column a does not have a field named nope"
    assert cql.error("INSERT INTO u (k, a) VALUES (1, {nope: 1})") == "Unknown field 'nope' in value of user defined type address"
    assert cql.error("UPDATE u SET t = t + (1, 'x') WHERE k = 1") == "Invalid operation (t = t + (1, 'x')) for tuple column t"


# --- counters ---------------------------------------------------------------------------------------------------------


def test_counters(cql):
    cql("CREATE TABLE n (k int PRIMARY KEY, a counter, b counter)")
    cql("UPDATE n SET a = a + 5, b = b - 2 WHERE k = 1")
    cql("UPDATE n SET a += ? WHERE k = 1", 10)
    assert cql("SELECT * FROM n") == [(1, 15, -2)]
    cql("DELETE a FROM n WHERE k = 1")
    assert cql("SELECT a, b FROM n") == [(None, -2)]
    cql("UPDATE n SET a = a + ? WHERE k = 2", 2**63 - 1)
    cql("UPDATE n SET a = a + 1 WHERE k = 2")
    assert cql("SELECT a FROM n WHERE k = 2") == [(-(2**63),)]
    assert cql("SELECT count(*) FROM n") == [(2,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INSERT INTO n (k, a) VALUES (1, 1)", "INSERT statements are not allowed on counter tables, use UPDATE instead"),
        (
            "UPDATE n SET a = 5 WHERE k = 1",
            "Cannot set the value of counter column a (counters can only be incremented/decremented, not set)",
        ),
        ("UPDATE n USING TIMESTAMP 1 SET a = a + 1 WHERE k = 1", "Cannot provide custom timestamp for counter updates"),
        ("UPDATE n USING TTL 1 SET a = a + 1 WHERE k = 1", "Cannot provide custom TTL for counter updates"),
        ("UPDATE n SET a = a + 1 WHERE k = 1 IF a = 1", "Conditions on counters are not supported"),
        ("UPDATE n SET a = a + null WHERE k = 1", "Invalid null value for counter increment/decrement"),
    ],
)
def test_refusals_about_counters(cql, text, message):
    cql("CREATE TABLE n (k int PRIMARY KEY, a counter)")
    assert cql.error(text) == message


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INSERT INTO t (k) VALUES (1)", "Some clustering keys are missing: c"),
        ("INSERT INTO t (c) VALUES (1)", "Some partition key parts are missing: k"),
        ("INSERT INTO t (k, c, v) VALUES (1, 2)", "Unmatched column names/values"),
        ("INSERT INTO t (k, c, c) VALUES (1, 2, 3)", "The column names contains duplicates"),
        ("INSERT INTO t (k, c, nope) VALUES (1, 2, 3)", "Undefined column name nope in table k.t"),
        ("INSERT INTO t (k, c) VALUES (1, null)", "Invalid null value in condition for column c"),
        ("INSERT INTO t (k, c, v) VALUES (1, 2, 'x')", 'Invalid STRING constant (x) for "v" of type int'),
        ("INSERT INTO t (k, c) VALUES (1, 2) USING TTL -1", "A TTL must be greater or equal to 0, but was -1"),
        ("INSERT INTO t (k, c) VALUES (1, 2) USING TTL 630720001", "ttl is too large. requested (630720001) maximum (630720000)"),
        ("UPDATE t SET c = 1 WHERE k = 1", "PRIMARY KEY part c found in SET part"),
        ("UPDATE t SET v = 1 WHERE k = 1", "Some clustering keys are missing: c"),
        ("UPDATE t SET v = 1 WHERE c = 1", "Some partition key parts are missing: k"),
        ("UPDATE t SET v = 1 WHERE k = 1 AND c > 1",
         "Slice restrictions are not supported on the clustering columns in UPDATE statements"),
        ("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 AND v = 2", "Non PRIMARY KEY columns found in where clause: v "),
        (
            "UPDATE t SET s = 'x' WHERE k = 1 AND c = 1",
            "Invalid restrictions on clustering columns since the UPDATE statement modifies only static columns",
        ),
        ("UPDATE t SET v = v + 1 WHERE k = 1 AND c = 1", "Invalid operation (v = v + 1) for non counter column v"),
        ("DELETE c FROM t WHERE k = 1", "Invalid identifier c for deletion (should not be a PRIMARY KEY part)"),
        ("DELETE v FROM t WHERE k = 1", "Range deletions are not supported for specific columns"),
        ("DELETE FROM t WHERE c = 1", "Some partition key parts are missing: k"),
        ("DELETE FROM t WHERE token(k) > 1", "The token function cannot be used in WHERE clauses for DELETE statements"),
        ("DELETE FROM t WHERE k > 1",
         "Only EQ and IN relation are supported on the partition key (unless you use the token() function) for DELETE statements"),
        ("DELETE FROM t WHERE k = 1 AND v = 1", "Non PRIMARY KEY columns found in where clause: v "),
    ],
)  # fmt: skip
def test_refusals(cql, text, message):
    assert cql.error(text) == message


def test_keys_must_not_be_empty(cql):
    cql("CREATE TABLE e (k text PRIMARY KEY, v int)")
    assert cql.error("INSERT INTO e (k) VALUES ('')") == "Key may not be empty"
    assert cql.error("INSERT INTO e (k) VALUES (?)", "x" * 70_000) == "Key length of 70000 is longer than maximum of 65535"


def test_the_number_of_values(cql):
    engine = cql.engine
    prepared = engine.prepare("SELECT * FROM t WHERE k = ?", "k")
    for values, message in [
        ((), "there were 1 markers(?) in CQL but 0 bound variables"),
        ((b"", b""), "Invalid amount of bind variables"),
    ]:
        with pytest.raises(Exception) as caught:
            engine.execute(prepared, values)
        assert caught.value.message == message
