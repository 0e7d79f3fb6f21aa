"""DESCRIBE: the schema as the statements that would make it, in the result sets that cqlsh expects."""

from stores.cassandra.cql.nodes import quoted
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import TEXT
from stores.cassandra.relations import refuse
from stores.cassandra.results import ResultColumn, Rows
from stores.cassandra.schema import STATIC, SYSTEM
from stores.cassandra.system import PARTITIONER, shown_relation

# In the order in which Cassandra shows them.
OPTIONS = (
    "additional_write_policy allow_auto_snapshot bloom_filter_fp_chance caching cdc comment compaction compression memtable "
    "crc_check_chance default_time_to_live extensions gc_grace_seconds incremental_backups max_index_interval "
    "memtable_flush_period_in_ms min_index_interval read_repair speculative_retry"
).split()
UNSET_OPTIONS = {"cdc": False, "memtable": "default"}


def describe(schema, statement, current, context, local):
    """Return the Rows for a Describe."""
    what, name = statement.what, statement.name
    if what == "cluster":
        columns = ("cluster", "partitioner", "snitch")
        row = [local.get("cluster_name", "Embedded Cluster"), PARTITIONER.rsplit(".", 1)[-1], "DynamicEndpointSnitch"]
        return _rows(columns, [row], context)
    if what in ("keyspaces", "tables", "types", "functions", "aggregates"):
        return _rows(("keyspace_name", "type", "name"), list(_listed(schema, what, current)), context)
    elements = list(_schema(schema, statement.full) if what == "schema" else _elements(schema, what, name, current))
    rows = [(keyspace, kind, quoted(element), text) for keyspace, kind, element, text in elements]
    return _rows(("keyspace_name", "type", "name", "create_statement"), rows, context)


def _rows(names, rows, context):
    columns = [ResultColumn("system", "describe", name, TEXT) for name in names]
    return Rows(columns, [[text.encode() for text in row] for row in rows], facts=context.facts, warnings=context.warnings)


def _listed(schema, what, current):
    names = [current] if current else sorted(schema.keyspaces)
    for name in sorted(schema.keyspaces) if what == "keyspaces" else names:
        keyspace = schema.keyspaces[name]
        if what == "keyspaces":
            yield quoted(name), "keyspace", quoted(name)
        elif what == "tables":
            for table in sorted(each.name for each in keyspace.tables.values() if each.view is None):
                yield quoted(name), "table", quoted(table)
        elif what == "types":
            for each in sorted(keyspace.types):
                yield quoted(name), "type", quoted(each)


def _schema(schema, full):
    for name in sorted(schema.keyspaces):
        if full or name not in SYSTEM:
            yield from keyspace_elements(schema.keyspaces[name])


def _elements(schema, what, name, current):
    wanted = (name.name if name else current) if what == "keyspace" else None
    if what == "element" and name.keyspace is None and name.name in schema.keyspaces:
        what, wanted = "keyspace", name.name
    if what == "keyspace":
        refuse(not wanted, "No keyspace specified and no current keyspace")
        refuse(wanted not in schema.keyspaces, f"'{wanted}' not found in keyspaces")
        yield from keyspace_elements(schema.keyspaces[wanted])
        return
    owner = name.keyspace or current
    refuse(not owner, "No keyspace specified and no current keyspace")
    keyspace = schema.keyspaces.get(owner)
    refuse(keyspace is None, f"'{owner}' not found in keyspaces")
    found = False
    table = keyspace.tables.get(name.name)
    if table is not None and what in ("table", "element") and table.view is None:
        yield from table_elements(table)
        found = True
    elif table is not None and what in ("view", "element") and table.view is not None:
        yield view_element(table)
        found = True
    elif what in ("index", "element") and keyspace.index(name.name):
        yield index_element(*keyspace.index(name.name))
        found = True
    elif what in ("type", "element") and name.name in keyspace.types:
        yield type_element(keyspace.types[name.name])
        found = True
    if not found:
        words = {
            "table": "Table '{}' not found in keyspace '{}'",
            "view": "Materialized view '{}' not found in '{}'",
            "index": "Table for existing index '{}' not found in '{}'",
            "type": "User defined type '{}' not found in '{}'",
            "function": "User defined function '{}' not found in '{}'",
            "aggregate": "User defined aggregate '{}' not found in '{}'",
        }
        raise InvalidRequest(words.get(what, "'{}' not found in keyspace '{}'").format(name.name, owner))


def keyspace_elements(keyspace):
    """Yield (keyspace, kind, name, CQL) of a keyspace and all that is in it."""
    name = quoted(keyspace.name)
    replication = literal({**keyspace.replication, "class": keyspace.replication["class"].rsplit(".", 1)[-1]})
    durable = str(keyspace.durable_writes).lower()
    yield name, "keyspace", keyspace.name, f"CREATE KEYSPACE {name} WITH replication = {replication}  AND durable_writes = {durable};"
    for each in keyspace.types.values():
        yield type_element(each)
    for table in sorted(keyspace.tables.values(), key=lambda table: table.name):
        if table.view is None:
            yield from table_elements(table)


def type_element(type_):
    fields = ",\n".join(f"    {quoted(name)} {element}" for name, element in zip(type_.names, type_.elements, strict=True))
    text = f"CREATE TYPE {quoted(type_.keyspace)}.{quoted(type_.name)} (\n{fields}\n);"
    return quoted(type_.keyspace), "type", type_.name, text


def table_elements(table):
    """Yield the table, its indexes and its views."""
    lines = []
    simple = len(table.partition_key) == 1 and not table.clustering
    for column in _in_order(table):
        static = " static" if column.kind == STATIC else ""
        key = " PRIMARY KEY" if simple and column in table.partition_key else ""
        lines.append(f"    {quoted(column.name)} {column.type}{static}{key}")
    if not simple:
        lines.append(f"    {primary_key(table)}")
    text = f"CREATE TABLE {table} (\n" + ",\n".join(lines) + f"\n) WITH {options(table)};"
    yield quoted(table.keyspace), "table", table.name, text
    for index in table.indexes.values():
        yield index_element(table, index)
    for view in table.views:
        yield view_element(view)


def _in_order(table):
    """Return the columns as CREATE TABLE lists them: those of one cell before collections."""
    others = [sorted(columns, key=lambda column: (column.type.is_multicell, column.name)) for columns in (table.static, table.regular)]
    return [*table.partition_key, *table.clustering, *others[0], *others[1]]


def primary_key(table):
    keys = ", ".join(quoted(column.name) for column in table.partition_key)
    if len(table.partition_key) > 1:
        keys = f"({keys})"
    return f"PRIMARY KEY ({', '.join([keys, *(quoted(column.name) for column in table.clustering)])})"


def options(table):
    """Return what stands behind WITH."""
    parts = []
    if table.clustering:
        order = ", ".join(f"{quoted(column.name)} {column.order.upper()}" for column in table.clustering)
        parts.append(f"CLUSTERING ORDER BY ({order})")
    for name in OPTIONS:
        value = table.options[name]
        parts.append(f"{name} = {literal(UNSET_OPTIONS[name] if value is None else value)}")
    return "\n    AND ".join(parts)


def literal(value):
    """Return an option's value as CQL."""
    if isinstance(value, dict):
        pairs = ((key, f"0x{each.hex()}" if isinstance(each, bytes) else f"'{each}'") for key, each in sorted(value.items()))
        return "{" + ", ".join(f"'{key}': {each}" for key, each in pairs) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else "'" + value.replace("'", "''") + "'"


def index_element(table, index):
    target = index.options["target"]
    if not index.is_sai:
        text = f"CREATE INDEX {quoted(index.name)} ON {table} ({target});"
        return quoted(table.keyspace), "index", index.name, text
    extra = {name: value for name, value in index.options.items() if name not in ("target", "class_name")}
    with_options = f" WITH OPTIONS = {literal(extra)}" if extra else ""
    text = f"CREATE CUSTOM INDEX {quoted(index.name)} ON {table} ({target}) USING '{index.options['class_name']}'{with_options};"
    return quoted(table.keyspace), "index", index.name, text


def view_element(table):
    selected = "*" if table.view.include_all else ", ".join(quoted(column.name) for column in table.all)
    where = " AND ".join(map(shown_relation, table.view.where))
    text = (
        f"CREATE MATERIALIZED VIEW {table} AS\n    SELECT {selected}\n    FROM {table.view.base}\n    WHERE {where}\n"
        f"    {primary_key(table)}\n WITH {options(table)};"
    )
    return quoted(table.keyspace), "view", table.name, text
