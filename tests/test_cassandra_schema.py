"""Keyspaces, types, tables, indexes, views: definitions, system tables, DESCRIBE; and what is refused."""

import uuid

import pytest
from cassandra_engine import Session, rows_of

from stores.cassandra.errors import AlreadyExists, ConfigurationException, InvalidRequest, SyntaxException, Unauthorized, Unprepared
from stores.cassandra.restrictions import ALLOW_FILTERING
from stores.cassandra.results import SchemaChange, SetKeyspace, Trace


@pytest.fixture
def cql():
    return Session()


@pytest.fixture
def table(cql):
    cql("CREATE TABLE t (k int, c int, v int, s int static, l list<int>, m map<text, int>, PRIMARY KEY (k, c))")
    return cql


# --- keyspaces --------------------------------------------------------------------------------------------------------


def test_keyspaces(cql):
    change = cql.execute("CREATE KEYSPACE other WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
    assert isinstance(change, SchemaChange)
    assert (change.change, change.target, change.keyspace) == ("CREATED", "KEYSPACE", "other")
    read = "SELECT replication, durable_writes FROM system_schema.keyspaces WHERE keyspace_name = 'other'"
    strategy = "org.apache.cassandra.locator.NetworkTopologyStrategy"
    assert cql(read) == [([("class", strategy), ("datacenter1", "3")], True)]
    cql("ALTER KEYSPACE other WITH durable_writes = false")
    assert cql(read)[0][1] is False
    assert isinstance(cql.execute("USE other"), SetKeyspace)
    cql("DROP KEYSPACE other")
    assert cql(read) == []
    cql("DROP KEYSPACE IF EXISTS other")


SIMPLE = "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (f"CREATE KEYSPACE k {SIMPLE}", AlreadyExists, 'Cannot add existing keyspace "k"'),
        (f"CREATE KEYSPACE system {SIMPLE}", InvalidRequest, "System keyspace 'system' is not user-modifiable"),
        ("CREATE KEYSPACE a WITH durable_writes = true", ConfigurationException, "Missing mandatory option 'replication'"),
        ("CREATE KEYSPACE a WITH replication = {}", ConfigurationException, "Missing replication strategy class"),
        (
            "CREATE KEYSPACE a WITH replication = {'class': 'Nope'}",
            ConfigurationException,
            "Unable to find replication strategy class 'org.apache.cassandra.locator.Nope'",
        ),
        (f"CREATE KEYSPACE a {SIMPLE} AND nope = 1", SyntaxException, "Unknown property 'nope'"),
        (f"ALTER KEYSPACE a {SIMPLE}", InvalidRequest, "Keyspace 'a' doesn't exist"),
        ("DROP KEYSPACE a", InvalidRequest, "Keyspace 'a' doesn't exist"),
        ("USE a", InvalidRequest, "Keyspace 'a' does not exist"),
        ("DROP TABLE system.local", Unauthorized, "system keyspace is not user-modifiable."),
    ],
)
def test_refusals_about_keyspaces(cql, text, error, message):
    with pytest.raises(error) as caught:
        cql(text)
    assert caught.value.message == message


def test_a_statement_needs_a_keyspace(cql):
    cql.keyspace = None
    assert cql.error("SELECT * FROM t") == "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"


# --- tables -----------------------------------------------------------------------------------------------------------


def test_tables_in_the_catalogue(cql):
    cql('CREATE TABLE "Mixed" (a text, b int, c timeuuid, d frozen<set<int>> static, PRIMARY KEY ((a, b), c)) '
        "WITH CLUSTERING ORDER BY (c DESC) AND comment = 'x' AND gc_grace_seconds = 60")  # fmt: skip
    columns = cql("SELECT column_name, kind, position, clustering_order, type FROM system_schema.columns "
                  "WHERE keyspace_name = 'k' AND table_name = 'Mixed'")  # fmt: skip
    assert columns == [
        ("a", "partition_key", 0, "none", "text"),
        ("b", "partition_key", 1, "none", "int"),
        ("c", "clustering", 0, "desc", "timeuuid"),
        ("d", "static", -1, "none", "frozen<set<int>>"),
    ]
    options = "SELECT comment, gc_grace_seconds, flags FROM system_schema.tables WHERE keyspace_name = 'k'"
    assert cql(options) == [("x", 60, ["compound"])]
    cql("ALTER TABLE \"Mixed\" WITH comment = 'y'")
    assert cql(options)[0][0] == "y"


def test_altering_tables(table):
    table("INSERT INTO t (k, c, v) VALUES (1, 2, 3)")
    table("ALTER TABLE t ADD (w text, x int)")
    assert table("SELECT w, x FROM t") == [(None, None)]
    table("ALTER TABLE t DROP v")
    assert table.error("SELECT v FROM t") == "Undefined column name v in table k.t"
    table("ALTER TABLE t ADD v int")
    assert table("SELECT v FROM t") == [(None,)]
    table("ALTER TABLE t RENAME c TO cc")
    assert table("SELECT k, cc FROM t WHERE k = 1 AND cc = 2") == [(1, 2)]


def test_prepared_statements_are_forgotten_with_the_table_they_knew(table):
    table("INSERT INTO t (k, c, v) VALUES (1, 2, 3)")
    before = table.engine.prepare("SELECT * FROM t", "k")
    assert table.engine.prepared(before.id) is before
    result_id = before.result_id
    table("ALTER TABLE t ADD w text")
    with pytest.raises(Unprepared):
        table.engine.prepared(before.id)
    after = table.engine.prepare("SELECT * FROM t", "k")
    assert after.id == before.id and after.result_id != result_id
    assert len(rows_of(table.engine.execute(table.engine.prepared(after.id)))[0]) == 7
    table("DROP TABLE t")
    with pytest.raises(Unprepared):
        table.engine.prepared(after.id)
    with pytest.raises(InvalidRequest):
        table.engine.prepare("SELECT * FROM t", "k")
    with pytest.raises(Unprepared):
        table.engine.prepared(b"?" * 16)


def test_truncating_and_dropping(table):
    table("INSERT INTO t (k, c) VALUES (1, 2)")
    table("TRUNCATE t")
    assert table("SELECT * FROM t") == []
    table("INSERT INTO t (k, c) VALUES (1, 2)")
    table("DROP TABLE t")
    table("CREATE TABLE t (k int PRIMARY KEY)")
    assert table("SELECT * FROM t") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE TABLE t (k int PRIMARY KEY)", 'Cannot add already existing table "t" to keyspace "k"'),
        ("CREATE TABLE nope.a (k int PRIMARY KEY)", "Keyspace 'nope' doesn't exist"),
        ("CREATE TABLE a (k int)", "No PRIMARY KEY specifed for table 'a' (exactly one required)"),
        ("CREATE TABLE a (k int, PRIMARY KEY (k, z))", "Unknown column 'z' referenced in PRIMARY KEY for table 'a'"),
        ("CREATE TABLE a (k int, PRIMARY KEY (k, k))", "Duplicate column 'k' in PRIMARY KEY clause for table 'a'"),
        (
            "CREATE TABLE a (k list<int> PRIMARY KEY)",
            "Invalid non-frozen collection type list<int> for PRIMARY KEY column 'k'",
        ),
        ("CREATE TABLE a (k counter PRIMARY KEY)", "counter type is not supported for PRIMARY KEY column 'k'"),
        ("CREATE TABLE a (k duration PRIMARY KEY)", "duration type is not supported for PRIMARY KEY column 'k'"),
        ("CREATE TABLE a (k int PRIMARY KEY, n counter, v int)", "Cannot mix counter and non counter columns in the same table"),
        (
            "CREATE TABLE a (k int PRIMARY KEY, s int static)",
            "Static columns are only useful (and thus allowed) if the table has at least one clustering column",
        ),
        ("CREATE TABLE a (k int, c int static, PRIMARY KEY (k, c))", "Static column 'c' cannot be part of the PRIMARY KEY"),
        (
            "CREATE TABLE a (k int PRIMARY KEY, l list<list<int>>)",
            "Non-frozen collections are not allowed inside collections: list<list<int>>",
        ),
        ("CREATE TABLE a (k int PRIMARY KEY, v nope)", "Unknown type k.nope"),
        ("CREATE TABLE a (k int PRIMARY KEY) WITH nope = 1", "Unknown property 'nope'"),
        ("CREATE TABLE a (k int PRIMARY KEY) WITH gc_grace_seconds = 'x'", "Invalid integer value x for 'gc_grace_seconds'"),
        (
            "CREATE TABLE a (k int, c int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (k DESC)",
            "Only clustering key columns can be defined in CLUSTERING ORDER directive: [k] are not clustering columns",
        ),
        (
            "CREATE TABLE a (k int, c int, d int, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (d DESC)",
            "Missing CLUSTERING ORDER for column c",
        ),
        ("ALTER TABLE nope ADD x int", "Table 'k.nope' doesn't exist"),
        ("ALTER TABLE t ADD v int", "Column with name 'v' already exists"),
        ("ALTER TABLE t DROP nope", "Column nope was not found in table 'k.t'"),
        ("ALTER TABLE t DROP k", "Cannot drop PRIMARY KEY column k"),
        ("ALTER TABLE t RENAME v TO w", "Cannot rename non PRIMARY KEY column v"),
        ("ALTER TABLE t RENAME c TO v", "Cannot rename column c to v in table 'k.t'; another column with that name already exists"),
        ("ALTER TABLE t ALTER v TYPE text", "Altering column types is no longer supported"),
        ("DROP TABLE nope", "Table 'k.nope' doesn't exist"),
        ("TRUNCATE nope", "table nope does not exist"),
    ],
)
def test_refusals_about_tables(table, text, message):
    assert table.error(text) == message


def test_the_last_clustering_columns_ascend_where_the_order_leaves_them_out(table):
    table("CREATE TABLE a (k int, c int, d int, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c DESC)")
    for c, d in ((1, 1), (2, 1), (2, 2)):
        table(f"INSERT INTO a (k, c, d) VALUES (1, {c}, {d})")
    assert [tuple(row) for row in table("SELECT c, d FROM a WHERE k = 1")] == [(2, 1), (2, 2), (1, 1)]


def test_a_dropped_column_returns_only_as_it_was(table):
    table("ALTER TABLE t DROP v")
    assert table.error("ALTER TABLE t ADD v text") == (
        "Cannot re-add previously dropped column 'v' of type text, incompatible with previous type int"
    )
    assert table("SELECT column_name, type FROM system_schema.dropped_columns WHERE keyspace_name = 'k'") == [("v", "int")]


# --- user types -------------------------------------------------------------------------------------------------------


def test_user_types(cql):
    cql.run(
        "CREATE TYPE inner_type (a int)",
        "CREATE TYPE outer_type (i frozen<inner_type>, l list<text>)",
        "CREATE TABLE u (k int PRIMARY KEY, o frozen<outer_type>)",
        "INSERT INTO u (k, o) VALUES (1, {i: {a: 5}, l: ['x']})",
        "ALTER TYPE inner_type ADD b text",
        "ALTER TYPE inner_type RENAME a TO aa",
    )
    assert cql("SELECT o.i.aa, o.i.b FROM u") == [(5, None)]
    assert cql("SELECT field_names FROM system_schema.types WHERE keyspace_name = 'k' AND type_name = 'inner_type'") == [
        (["aa", "b"],)
    ]
    cql("INSERT INTO u (k, o) VALUES (2, {i: {aa: 6, b: 'new'}})")
    assert sorted(cql("SELECT o.i.b FROM u WHERE k = 2")) == [("new",)]
    assert cql.error("DROP TYPE inner_type") == "Cannot drop user type 'k.inner_type' as it is still used by user types outer_type"
    assert cql.error("DROP TYPE outer_type") == "Cannot drop user type 'k.outer_type' as it is still used by tables u"
    assert cql.error("CREATE TYPE inner_type (a int)") == "A user type with name 'inner_type' already exists"
    assert cql.error("ALTER TYPE inner_type ADD b int") == (
        "Cannot add field b to type k.inner_type: a field with name b already exists"
    )
    assert cql.error("ALTER TYPE inner_type ADD o frozen<outer_type>").endswith("as it would create a circular reference")
    assert cql.error("DROP TYPE nope") == "Type 'k.nope' doesn't exist"
    assert cql.error("CREATE TYPE c (n counter)") == "A user type cannot contain counters"
    cql.run("DROP TABLE u", "DROP TYPE outer_type", "DROP TYPE inner_type")


# --- indexes ----------------------------------------------------------------------------------------------------------


def test_indexes(table):
    table.run(
        "INSERT INTO t (k, c, v, l, m) VALUES (1, 1, 10, [1, 2], {'a': 1})",
        "INSERT INTO t (k, c, v, l, m) VALUES (1, 2, 20, [2, 3], {'b': 1})",
        "INSERT INTO t (k, c, v, l, m) VALUES (2, 1, 10, [4], {'b': 2})",
        "CREATE INDEX ON t (v)",
        "CREATE INDEX by_element ON t (l)",
        "CREATE INDEX ON t (keys(m))",
        "CREATE INDEX ON t (entries(m))",
    )
    assert sorted(table("SELECT k, c FROM t WHERE v = 10")) == [(1, 1), (2, 1)]
    assert table("SELECT c FROM t WHERE k = 1 AND v = 20") == [(2,)]
    assert table("SELECT k, c FROM t WHERE l CONTAINS 3") == [(1, 2)]
    assert sorted(table("SELECT k, c FROM t WHERE m CONTAINS KEY 'b'")) == [(1, 2), (2, 1)]
    assert table("SELECT k, c FROM t WHERE m['b'] = 2") == [(2, 1)]
    assert table.error("SELECT * FROM t WHERE v > 10") == ALLOW_FILTERING
    assert table.error("SELECT * FROM t WHERE v = 10 AND l CONTAINS 1") == ALLOW_FILTERING
    assert table("SELECT k FROM t WHERE v = 10 AND l CONTAINS 1 ALLOW FILTERING") == [(1,)]
    facts = table.execute("SELECT * FROM t WHERE v = 20").facts
    assert (len(facts.partitions), facts.rows, facts.filtered) == (1, 1, 0)
    names = [name for (name,) in table("SELECT index_name FROM system_schema.indexes WHERE keyspace_name = 'k'")]
    assert names == ["by_element", "t_m_idx", "t_m_idx_1", "t_v_idx"]
    assert table.error("ALTER TABLE t DROP v") == "Cannot drop column v because it has dependent secondary indexes (t_v_idx)"
    table("DROP INDEX t_v_idx")
    assert table.error("SELECT * FROM t WHERE v = 10") == ALLOW_FILTERING
    assert table.error("DROP INDEX nope") == "Index 'k.nope' doesn't exist'"


def test_storage_attached_indexes(table):
    table.run(
        "INSERT INTO t (k, c, v, s) VALUES (1, 1, 10, 5)",
        "INSERT INTO t (k, c, v) VALUES (1, 2, 20)",
        "CREATE INDEX ON t (v) USING 'sai'",
        "CREATE CUSTOM INDEX ON t (s) USING 'StorageAttachedIndex'",
    )
    assert table("SELECT c FROM t WHERE v > 10") == [(2,)]
    assert table("SELECT c FROM t WHERE v >= 10 AND s = 5") == [(1,), (2,)]


def test_vectors(cql):
    cql.run("CREATE TABLE e (k int PRIMARY KEY, v vector<float, 2>)", "CREATE CUSTOM INDEX ON e (v) USING 'StorageAttachedIndex'")
    for k, vector in enumerate([[1, 0], [0, 1], [1, 1], [-1, 0]]):
        cql("INSERT INTO e (k, v) VALUES (?, ?)", k, vector)
    assert cql("SELECT k FROM e ORDER BY v ANN OF [1, 0.1] LIMIT 3") == [(0,), (2,), (1,)]
    assert cql.error("SELECT k FROM e ORDER BY v ANN OF [1, 0]").startswith("Top-K queries must have a limit specified")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CREATE INDEX ON nope (v)", "Table 'nope' doesn't exist"),
        ("CREATE INDEX ON t (nope)", "Undefined column name nope in table k.t"),
        ("CREATE INDEX ON t (k)", "Cannot create secondary index on the only partition key column k"),
        ("CREATE INDEX ON t (full(l))", "full() indexes can only be created on frozen collections"),
        ("CREATE INDEX ON t (values(v))", "Cannot create values() index on v. Non-collection columns only support simple indexes"),
    ],
)
def test_refusals_about_indexes(table, text, message):
    assert table.error(text) == message


# --- materialized views -----------------------------------------------------------------------------------------------

VIEW = (
    "CREATE MATERIALIZED VIEW by_v AS SELECT k, c, v FROM t WHERE v IS NOT NULL AND k IS NOT NULL AND c IS NOT NULL "
    "PRIMARY KEY (v, k, c)"
)


def test_views_are_off_unless_enabled(table):
    assert table.error(VIEW) == "Materialized views are disabled. Enable in cassandra.yaml to use."


def test_views(table):
    table.engine.schema.views_enabled = True
    table(VIEW)
    table.run(
        "INSERT INTO t (k, c, v) VALUES (1, 1, 10)",
        "INSERT INTO t (k, c, v) VALUES (2, 1, 10)",
        "INSERT INTO t (k, c, v) VALUES (3, 1, 20)",
        "INSERT INTO t (k, c) VALUES (4, 1)",
    )
    assert table("SELECT k FROM by_v WHERE v = 10") == [(1,), (2,)]
    table("UPDATE t SET v = 20 WHERE k = 1 AND c = 1")
    assert table("SELECT k FROM by_v WHERE v = 10") == [(2,)]
    assert sorted(table("SELECT v, k, c FROM by_v")) == [(10, 2, 1), (20, 1, 1), (20, 3, 1)]
    assert [len(page) for page in table.pages("SELECT * FROM by_v", 2)] == [2, 1]
    assert table.error("INSERT INTO by_v (v, k, c) VALUES (1, 1, 1)") == "Cannot directly modify a materialized view"
    assert table.error("DROP TABLE t") == "Cannot drop a table when materialized views still depend on it (k)"
    assert table("SELECT view_name, base_table_name, include_all_columns FROM system_schema.views WHERE keyspace_name = 'k'") == [
        ("by_v", "t", False)
    ]
    table("DROP MATERIALIZED VIEW by_v")
    table("DROP TABLE t")


@pytest.mark.parametrize(
    ("part", "instead", "message"),
    [
        ("(v, k, c)", "(v, k)", "Cannot create materialized view 'by_v' without primary key columns c from base table 't'"),
        ("v IS NOT NULL AND ", "", "Primary key columns v must be restricted with 'IS NOT NULL' or otherwise"),
        ("FROM t", "FROM nope", "Base table 'nope' doesn't exist"),
        ("SELECT k, c, v", "SELECT k, c, v, s", "Cannot include static column 's' in materialized view 'by_v'"),
    ],
)
def test_refusals_about_views(table, part, instead, message):
    table.engine.schema.views_enabled = True
    assert table.error(VIEW.replace(part, instead)) == message


# --- what drivers and cqlsh ask ---------------------------------------------------------------------------------------


def test_what_drivers_ask_on_connecting(cql):
    node = {"address": "127.0.0.1", "port": 9042, "host_id": uuid.uuid4(), "tokens": {"0"}}
    peer = {"address": "127.0.0.2", "port": 9043, "host_id": uuid.uuid4(), "tokens": {"1", "2"}}
    cql.engine.describe_ring(node, [peer])
    [row] = cql("SELECT cluster_name, partitioner, host_id, rpc_port, tokens, schema_version FROM system.local WHERE key = 'local'")
    assert row[:5] == ("Embedded Cluster", "org.apache.cassandra.dht.Murmur3Partitioner", node["host_id"], 9042, ["0"])
    [row] = cql("SELECT host_id, native_port, data_center, tokens FROM system.peers_v2")
    assert row == (peer["host_id"], 9043, "datacenter1", ["1", "2"])
    version = cql("SELECT schema_version FROM system.local")
    cql("CREATE TABLE a (k int PRIMARY KEY)")
    assert cql("SELECT schema_version FROM system.local") != version
    assert cql("SELECT schema_version FROM system.local") == cql("SELECT schema_version FROM system.peers")
    for name in "keyspaces tables columns types functions aggregates triggers indexes views dropped_columns column_masks".split():
        cql(f"SELECT * FROM system_schema.{name}")
    assert ("system_views",) in cql("SELECT keyspace_name FROM system_virtual_schema.keyspaces")
    assert ("system_views", "settings") in cql("SELECT keyspace_name, table_name FROM system_virtual_schema.tables")
    assert cql("SELECT value FROM system_views.settings WHERE name = 'materialized_views_enabled'") == [("false",)]


def test_virtual_tables_are_read_only(cql):
    message = "Modification is not supported by table system_views.settings"
    assert cql.error("INSERT INTO system_views.settings (name) VALUES ('x')") == message
    assert cql.error("TRUNCATE system_views.settings") == message.replace("Modification", "Truncation")
    with pytest.raises(Unauthorized):
        cql("TRUNCATE system.local")


def test_describe(table):
    [row] = table("DESCRIBE TABLE t")
    assert row[:3] == ("k", "table", "t")
    assert row[3].startswith("CREATE TABLE k.t (\n    k int,\n    c int,\n    s int static,\n    v int,\n    l list<int>,\n")
    assert "PRIMARY KEY (k, c)\n) WITH CLUSTERING ORDER BY (c ASC)\n    AND additional_write_policy = '99p'" in row[3]
    table.run("CREATE TYPE ty (a int)", "CREATE INDEX i ON t (v)")
    statements = [text for *_, text in table("DESCRIBE KEYSPACE k")]
    table("DROP KEYSPACE k")
    table.run(*statements)  # what DESCRIBE prints makes the same again
    assert [text for *_, text in table("DESCRIBE KEYSPACE k")] == statements
    assert ("k", "keyspace", "k") in table("DESCRIBE KEYSPACES")
    assert table("DESCRIBE TABLES") == [("k", "table", "t")]
    assert table.error("DESCRIBE TABLE nope") == "Table 'nope' not found in keyspace 'k'"
    assert table("DESCRIBE CLUSTER")[0][1] == "Murmur3Partitioner"


def test_tracing(table):
    session = uuid.uuid4()
    table("SELECT * FROM t WHERE k = 1", tracing=Trace(session, "127.0.0.9"))
    [(client, request, parameters)] = table(
        "SELECT client, request, parameters FROM system_traces.sessions WHERE session_id = ?", session
    )
    assert (str(client), request) == ("127.0.0.9", "Execute CQL3 query")
    assert ("query", "SELECT * FROM t WHERE k = 1") in parameters
    activities = [text for (text,) in table("SELECT activity FROM system_traces.events WHERE session_id = ?", session)]
    assert activities[0] == "Parsing SELECT * FROM t WHERE k = 1"


def test_reset(table):
    table.engine.reset()
    assert table.error("SELECT * FROM k.t") == "keyspace k does not exist"
    assert table("SELECT * FROM system_schema.keyspaces WHERE keyspace_name = 'k'") == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("GRANT SELECT ON ALL KEYSPACES TO x", Unauthorized),
        ("LIST ROLES", Unauthorized),
        ("CREATE FUNCTION f (a int) RETURNS NULL ON NULL INPUT RETURNS int LANGUAGE java AS 'return a;'", InvalidRequest),
    ],
)
def test_what_is_off_by_default(cql, text, error):
    with pytest.raises(error):
        cql(text)
