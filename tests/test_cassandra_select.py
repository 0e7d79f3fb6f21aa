"""SELECT: keys, slices, filters, order, limits, groups, paging; and what is refused, in Cassandra's words."""

import pytest
from cassandra_engine import Session

from stores.cassandra.restrictions import ALLOW_FILTERING


@pytest.fixture
def cql():
    return Session()


@pytest.fixture
def grid(cql):
    """Partitions 0 to 2 with rows (0, 0) to (2, 2)."""
    cql("CREATE TABLE t (k int, a int, b int, v int, PRIMARY KEY (k, a, b))")
    for k in range(3):
        for a in range(3):
            for b in range(3):
                cql("INSERT INTO t (k, a, b, v) VALUES (?, ?, ?, ?)", k, a, b, 100 * k + 10 * a + b)
    return cql


@pytest.mark.parametrize(
    ("where", "values"),
    [
        ("k = 1 AND a = 1", [110, 111, 112]),
        ("k = 1 AND a = 1 AND b = 2", [112]),
        ("k = 1 AND a > 1", [120, 121, 122]),
        ("k = 1 AND a >= 1 AND a < 2", [110, 111, 112]),
        ("k = 1 AND a = 2 AND b <= 1", [120, 121]),
        ("k = 1 AND a IN (2, 0) AND b = 1", [101, 121]),
        ("k = 1 AND a = 0 AND b IN (2, 2, 0)", [100, 102]),
        ("k = 1 AND a IN ()", []),
        ("k IN (2, 0) AND a = 0 AND b = 0", [0, 200]),
        ("k IN (2, 0, 7) AND a = 2 AND b > 1", [22, 222]),
        ("k = 1 AND (a, b) > (1, 1)", [112, 120, 121, 122]),
        ("k = 1 AND (a, b) >= (1, 1) AND (a, b) < (2, 1)", [111, 112, 120]),
        ("k = 1 AND (a, b) <= (0, 1)", [100, 101]),
        ("k = 1 AND (a, b) = (2, 0)", [120]),
        ("k = 1 AND (a, b) IN ((2, 0), (0, 2))", [102, 120]),
        ("k = 1 AND a = 1 AND (b) > (0)", [111, 112]),
        ("k = 1 AND (a) > (0) AND (a, b) < (2, 0)", [110, 111, 112]),
        ("k = 1 AND a = 1 AND v = 112 ALLOW FILTERING", [112]),
        ("k = 1 AND b = 2 ALLOW FILTERING", [102, 112, 122]),
        ("k = 1 AND a > 0 AND b = 1 ALLOW FILTERING", [111, 121]),
    ],
)
def test_where(grid, where, values):
    assert [value for (value,) in grid(f"SELECT v FROM t WHERE {where}")] == values


def test_where_over_the_whole_ring(grid):
    assert sorted(grid("SELECT v FROM t WHERE v >= 201 AND v < 211 ALLOW FILTERING")) == [(201,), (202,), (210,)]
    assert sorted(grid("SELECT k FROM t WHERE a = 1 AND b = 1 ALLOW FILTERING")) == [(0,), (1,), (2,)]
    assert sorted(grid("SELECT v FROM t WHERE v IN (1, 111, 999) ALLOW FILTERING")) == [(1,), (111,)]


def test_tokens(grid):
    tokens = dict(grid("SELECT DISTINCT k, token(k) FROM t"))
    in_order = sorted(tokens, key=tokens.get)
    assert list(tokens) == in_order
    middle = tokens[in_order[1]]
    assert grid("SELECT DISTINCT k FROM t WHERE token(k) > ?", middle) == [(in_order[2],)]
    assert grid("SELECT DISTINCT k FROM t WHERE token(k) >= ? AND token(k) <= ?", middle, middle) == [(in_order[1],)]
    assert grid("SELECT DISTINCT k FROM t WHERE token(k) < token(?)", in_order[1]) == [(in_order[0],)]
    assert len(grid("SELECT DISTINCT k FROM t WHERE token(k) <= ?", -(2**63))) == 3
    assert grid("SELECT DISTINCT k FROM t WHERE k IN (0, 1, 2) AND token(k) = token(?)", 1) == [(1,)]


def test_mixed_directions(cql):
    cql("CREATE TABLE m (k int, a int, b int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (a DESC, b ASC)")
    for a in range(3):
        for b in range(3):
            cql("INSERT INTO m (k, a, b) VALUES (0, ?, ?)", a, b)
    assert cql("SELECT a, b FROM m") == [(a, b) for a in (2, 1, 0) for b in range(3)]
    assert cql("SELECT a, b FROM m WHERE k = 0 ORDER BY a ASC, b DESC") == [(a, b) for a in range(3) for b in (2, 1, 0)]
    assert cql("SELECT a, b FROM m WHERE k = 0 AND (a, b) > (1, 1)") == [(2, 0), (2, 1), (2, 2), (1, 2)]
    assert cql("SELECT a, b FROM m WHERE k = 0 AND (a, b) <= (1, 1)") == [(1, 0), (1, 1), (0, 0), (0, 1), (0, 2)]
    assert cql("SELECT a, b FROM m WHERE k = 0 AND a >= 1 AND a < 2") == [(1, 0), (1, 1), (1, 2)]
    assert cql.error("SELECT a FROM m WHERE k = 0 ORDER BY a ASC, b ASC") == "Unsupported order by relation"


def test_texts_in_descending_order_with_prefixes(cql):
    cql("CREATE TABLE d (k int, c text, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)")
    for c in ("a", "", "ab", "b", "a\0"):
        cql("INSERT INTO d (k, c) VALUES (0, ?)", c)
    assert cql("SELECT c FROM d") == [("b",), ("ab",), ("a\0",), ("a",), ("",)]
    assert cql("SELECT c FROM d WHERE k = 0 AND c > 'a'") == [("b",), ("ab",), ("a\0",)]


def test_order_and_limits(grid):
    assert grid("SELECT v FROM t WHERE k = 1 ORDER BY a DESC LIMIT 2") == [(122,), (121,)]
    assert grid("SELECT v FROM t WHERE k = 1 AND a = 1 ORDER BY b DESC LIMIT 1") == [(112,)]
    assert grid("SELECT v FROM t WHERE k IN (0, 1) AND a = 1 ORDER BY a DESC, b DESC LIMIT 3") == [(12,), (112,), (11,)]
    assert sorted(grid("SELECT v FROM t PER PARTITION LIMIT 1")) == [(0,), (100,), (200,)]
    assert grid("SELECT v FROM t WHERE k IN (0, 1, 2) PER PARTITION LIMIT 2 LIMIT 3") == [(0,), (1,), (100,)]
    assert grid("SELECT v FROM t WHERE k = 0 LIMIT ?", 2) == [(0,), (1,)]


def test_groups_and_aggregates(grid):
    assert grid("SELECT a, count(*), sum(v), min(b), max(b), avg(v) FROM t WHERE k = 1 GROUP BY a") == [
        (0, 3, 303, 0, 2, 101),
        (1, 3, 333, 0, 2, 111),
        (2, 3, 363, 0, 2, 121),
    ]
    assert sorted(grid("SELECT k, count(*) FROM t GROUP BY k")) == [(0, 9), (1, 9), (2, 9)]
    assert grid("SELECT a, b, v FROM t WHERE k = 1 GROUP BY a") == [(0, 0, 100), (1, 0, 110), (2, 0, 120)]
    assert grid("SELECT a, max(v) FROM t WHERE k = 1 GROUP BY a LIMIT 2") == [(0, 102), (1, 112)]
    assert len(grid("SELECT k, a, max(v) FROM t GROUP BY k, a PER PARTITION LIMIT 2")) == 6
    assert grid("SELECT count(*) FROM t WHERE k = 99") == [(0,)]
    assert grid("SELECT k, count(*) FROM t WHERE k = 99 GROUP BY k") == []
    assert grid("SELECT sum(v) FROM t WHERE k = 99") == [(0,)]
    assert grid("SELECT max(v), count(v) FROM t WHERE k = 99") == [(None, 0)]
    assert grid("SELECT count(*) AS n FROM t WHERE k = 1 AND a = 1") == [(3,)]


def test_static_columns(cql):
    cql("CREATE TABLE s (k int, c int, s text static, v int, PRIMARY KEY (k, c))")
    cql("INSERT INTO s (k, s) VALUES (1, 'only')")
    assert cql("SELECT * FROM s WHERE k = 1") == [(1, None, "only", None)]
    assert cql("SELECT * FROM s WHERE k = 1 AND c > 0") == []
    cql("INSERT INTO s (k, c, v) VALUES (1, 5, 50)")
    cql("INSERT INTO s (k, c, v) VALUES (1, 6, 60)")
    cql("UPDATE s SET s = 'both' WHERE k = 1")
    assert cql("SELECT * FROM s") == [(1, 5, "both", 50), (1, 6, "both", 60)]
    assert cql("SELECT DISTINCT k, s FROM s") == [(1, "both")]
    cql("DELETE FROM s WHERE k = 1 AND c IN (5, 6)")
    assert cql("SELECT k, c, s FROM s") == [(1, None, "both")]
    assert cql("SELECT s FROM s WHERE k = 1") == [("both",)]
    cql("DELETE s FROM s WHERE k = 1")
    assert cql("SELECT * FROM s") == []
    assert (
        cql.error("SELECT s FROM s WHERE k = 1 AND c = 5") == "Cannot restrict clustering columns when selecting only static columns"
    )


def test_rows_without_values(cql):
    cql("CREATE TABLE r (k int PRIMARY KEY, v int)")
    cql("INSERT INTO r (k) VALUES (1)")
    cql("UPDATE r SET v = 2 WHERE k = 2")
    assert sorted(cql("SELECT k FROM r")) == [(1,), (2,)]
    cql("UPDATE r SET v = null WHERE k = 2")
    cql("UPDATE r SET v = null WHERE k = 1")
    assert cql("SELECT k, v FROM r") == [(1, None)]


def test_functions_and_names(grid):
    result = grid.execute("SELECT count(*), sum(v), v AS x, writetime(v), ttl(v), token(k), cast(v AS text) FROM t LIMIT 1")
    assert [column.name for column in result.columns] == [
        "count",
        "system.sum(v)",
        "x",
        "writetime(v)",
        "ttl(v)",
        "system.token(k)",
        "cast(v as text)",
    ]
    assert grid("SELECT v + 1, -v, v % 7, cast(v AS text) FROM t WHERE k = 1 AND a = 0 AND b = 1") == [(102, -101, 3, "101")]


def test_json(cql):
    cql('CREATE TABLE j (k int PRIMARY KEY, "Big" text, l list<int>, m map<int, text>)')
    cql("INSERT INTO j JSON ?", '{"k": 1, "\\"Big\\"": "x", "l": [1, 2], "m": {"1": "one"}}')
    assert cql("SELECT JSON * FROM j") == [('{"k": 1, "\\"Big\\"": "x", "l": [1, 2], "m": {"1": "one"}}',)]
    cql('INSERT INTO j JSON \'{"k": 1, "l": [3]}\' DEFAULT UNSET')
    assert cql('SELECT "Big", l FROM j') == [("x", [3])]
    cql("INSERT INTO j JSON '{\"k\": 1}'")
    assert cql("SELECT * FROM j") == [(1, None, None, None)]
    assert cql.error('INSERT INTO j JSON \'{"k": 1, "zz": 2}\'') == "JSON values map contains unrecognized column: zz"
    assert cql.error("INSERT INTO j JSON 'null'") == "Got null for INSERT JSON values"
    assert cql.error('INSERT INTO j JSON \'{"k": "x"}\'').startswith("Error decoding JSON value for k: ")


ORDER_NEEDS_KEY = "ORDER BY is only supported when the partition key is restricted by an EQ or an IN."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT * FROM t WHERE v = 1", ALLOW_FILTERING),
        ("SELECT * FROM t WHERE a = 1", ALLOW_FILTERING),
        ("SELECT * FROM t WHERE k > 1", ALLOW_FILTERING),
        ("SELECT * FROM t WHERE k = 1 AND b = 1",
         'PRIMARY KEY column "b" cannot be restricted as preceding column "a" is not restricted'),
        (
            "SELECT * FROM t WHERE k = 1 AND a > 1 AND b = 1",
            'Clustering column "b" cannot be restricted (preceding column "a" is restricted by a non-EQ relation)',
        ),
        ("SELECT * FROM t WHERE k = 1 AND k = 2", "k cannot be restricted by more than one relation if it includes an Equal"),
        ("SELECT * FROM t WHERE k = 1 AND a > 1 AND a > 2", "More than one restriction was found for the start bound on a"),
        ("SELECT * FROM t WHERE k = 1 AND a = null", "Invalid null value in condition for column a"),
        ("SELECT * FROM t WHERE nope = 1", "Undefined column name nope in table k.t"),
        ("SELECT nope FROM t", "Undefined column name nope in table k.t"),
        ("SELECT * FROM nope", "table nope does not exist"),
        ("SELECT * FROM nope.t", "keyspace nope does not exist"),
        ("SELECT * FROM t WHERE k = 'x'", 'Invalid STRING constant (x) for "k" of type int'),
        ("SELECT * FROM t WHERE k = 1 ORDER BY v",
         "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got v"),
        ("SELECT * FROM t ORDER BY a", ORDER_NEEDS_KEY),
        (
            "SELECT * FROM t WHERE k = 1 ORDER BY b",
            "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY",
        ),
        ("SELECT * FROM t LIMIT 0", "LIMIT must be strictly positive"),
        ("SELECT DISTINCT v FROM t", "SELECT DISTINCT queries must only request partition key columns and/or static columns (not v)"),
        ("SELECT * FROM t GROUP BY v", "Group by is currently only supported on the columns of the PRIMARY KEY, got v"),
        (
            "SELECT * FROM t GROUP BY a",
            "Group by currently only support groups of columns following their declared order in the PRIMARY KEY",
        ),
        ("SELECT * FROM t WHERE v != 1", 'Unsupported "!=" relation: v != 1'),
        ("SELECT writetime(k) FROM t", "Cannot use selection function writetime on PRIMARY KEY part k"),
        ("SELECT nofunction(v) FROM t", "Unknown function 'nofunction'"),
        ("SELECT sum(max(v)) FROM t", "aggregate functions cannot be used as arguments of aggregate functions"),
        ("SELECT * FROM t WHERE k = 1 AND (b, a) > (1, 1)",
         "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: (b, a) > (1, 1)"),
        ("SELECT * FROM t WHERE k CONTAINS 1", "Cannot use CONTAINS on non-collection column k"),
    ],
)  # fmt: skip
def test_refusals(grid, text, message):
    assert grid.error(text) == message


def test_filters_on_collections(cql):
    cql("CREATE TABLE c (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>)")
    cql("INSERT INTO c (k, l, s, m) VALUES (1, [1, 2], {'a'}, {'x': 1})")
    cql("INSERT INTO c (k, l, s, m) VALUES (2, [2, 3], {'b'}, {'y': 1})")
    for where, keys in [
        ("l CONTAINS 2", [1, 2]),
        ("l CONTAINS 3", [2]),
        ("s CONTAINS 'a'", [1]),
        ("m CONTAINS 1", [1, 2]),
        ("m CONTAINS KEY 'y'", [2]),
        ("m['x'] = 1", [1]),
        ("m CONTAINS KEY 'y' AND l CONTAINS 2", [2]),
    ]:
        assert sorted(k for (k,) in cql(f"SELECT k FROM c WHERE {where} ALLOW FILTERING")) == keys
        assert cql.error(f"SELECT k FROM c WHERE {where}") == ALLOW_FILTERING
    assert cql.error("SELECT k FROM c WHERE l = [1] ALLOW FILTERING") == (
        "Collection column 'l' (list<int>) cannot be restricted by a '=' relation"
    )


def test_selection_of_parts(cql):
    cql("CREATE TABLE p (k int PRIMARY KEY, s set<int>, m map<text, int>)")
    cql("INSERT INTO p (k, s, m) VALUES (1, {1, 2, 3}, {'a': 1, 'b': 2, 'c': 3})")
    assert cql("SELECT m['b'], s[2], s[9], m['b'..], s[..2] FROM p") == [(2, 2, None, [("b", 2), ("c", 3)], [1, 2])]


# --- paging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 4, 26, 27, 100])
@pytest.mark.parametrize(
    "text",
    [
        "SELECT v FROM t",
        "SELECT v FROM t WHERE k IN (2, 0, 1)",
        "SELECT v FROM t WHERE k = 1 ORDER BY a DESC",
        "SELECT v FROM t PER PARTITION LIMIT 4",
        "SELECT v FROM t LIMIT 11",
        "SELECT v FROM t WHERE b = 1 ALLOW FILTERING",
        "SELECT DISTINCT k FROM t",
        "SELECT k, a, count(*) FROM t GROUP BY k, a",
        "SELECT k, a, max(v) FROM t GROUP BY k, a PER PARTITION LIMIT 2",
        "SELECT k, a, max(v) FROM t GROUP BY k, a LIMIT 4",
        "SELECT v FROM t WHERE k = 1 AND a IN (0, 2)",
    ],
)
def test_pages_hold_the_same_rows(grid, text, size):
    pages = grid.pages(text, size)
    assert [row for page in pages for row in page] == grid(text)
    assert all(len(page) == size for page in pages[:-1])  # the last may be empty


def test_paging_survives_writes_between_pages(grid):
    first = grid.execute("SELECT v FROM t WHERE k = 1", page_size=4)
    grid("DELETE FROM t WHERE k = 1 AND a = 1 AND b = 0")  # the last row of the page
    grid("DELETE FROM t WHERE k = 1 AND a = 1 AND b = 1")  # the next one
    grid("INSERT INTO t (k, a, b, v) VALUES (1, 0, -1, 0)")  # before
    grid("INSERT INTO t (k, a, b, v) VALUES (1, 9, 9, 199)")  # behind
    rest = grid("SELECT v FROM t WHERE k = 1", page_size=100, paging_state=first.paging_state)
    assert rest == [(112,), (120,), (121,), (122,), (199,)]


def test_paging_survives_the_partition(grid):
    text = "SELECT k, v FROM t"
    first = grid.execute(text, page_size=4)
    (last,) = {row[0] for row in grid(text, page_size=4)}
    grid("DELETE FROM t WHERE k = ?", last)
    rest = grid(text, paging_state=first.paging_state)
    assert len(rest) == 18 and last not in {k for k, _ in rest}


def test_pages_of_static_rows(cql):
    cql("CREATE TABLE s (k int, c int, s int static, PRIMARY KEY (k, c))")
    for k in range(5):
        cql("INSERT INTO s (k, s) VALUES (?, ?)", k, k)
    assert [len(page) for page in cql.pages("SELECT * FROM s", 2)] == [2, 2, 1]
    assert [len(page) for page in cql.pages("SELECT * FROM s", 5)] == [5, 0]


def test_a_broken_paging_state(grid):
    with pytest.raises(Exception, match="Invalid value for the paging state"):
        grid("SELECT v FROM t", paging_state=b"nonsense")


# --- facts ------------------------------------------------------------------------------------------------------------


def test_facts_of_reading(grid):
    facts = grid.execute("SELECT v FROM t WHERE k = 1 AND a = 1").facts
    assert (len(facts.partitions), facts.rows, facts.tombstones, facts.filtered) == (1, 3, 0, 0)
    assert grid.execute("SELECT v FROM t WHERE v = 111 ALLOW FILTERING").facts.filtered == 26
    grid("DELETE FROM t WHERE k = 1 AND a = 1 AND b = 0")
    grid("UPDATE t SET v = null WHERE k = 1 AND a = 1 AND b = 1")
    assert grid.execute("SELECT v FROM t WHERE k = 1 AND a = 1").facts.tombstones == 2
    grid("DELETE FROM t WHERE k = 1 AND a = 2")
    assert grid.execute("SELECT v FROM t WHERE k = 1").facts.tombstones == 4


def test_many_tombstones_warn(cql):
    cql("CREATE TABLE q (k int, c int, PRIMARY KEY (k, c))")
    for c in range(1_001):
        cql("DELETE FROM q WHERE k = 0 AND c = ?", c)
    assert "Read 0 live rows and 1001 tombstone cells" in cql.execute("SELECT * FROM q WHERE k = 0").warnings[0]
    with cql.clock.frozen():
        cql.clock.advance(864_001)
        assert cql.execute("SELECT * FROM q WHERE k = 0").warnings == []
