"""Secondary indexes, SAI among them, and materialized views."""

import re

from stores.cassandra.cql import definitions as cql
from stores.cassandra.cql import nodes
from stores.cassandra.cql.nodes import quoted
from stores.cassandra.errors import AlreadyExists, ConfigurationException, InvalidRequest
from stores.cassandra.execute.ddl import Change, defines
from stores.cassandra.execute.ddl_tables import check_name, clustering_order
from stores.cassandra.execute.properties import table_options
from stores.cassandra.relations import refuse
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY, REGULAR, STATIC, Column, Index, Table, View

ATTACHED = ("sai", "storageattachedindex")
ATTACHED_OPTIONS = (
    "case_sensitive normalize ascii similarity_function optimize_for maximum_node_connections construction_beam_width".split()
)
EXPERIMENTAL = "Materialized views are experimental and are not recommended for production use."
VECTORS_ARE_NEW = (
    "SAI ANN indexes on vector columns are experimental and are not recommended for production use.\n"
    "They don't yet support SELECT queries with:\n * Consistency level higher than ONE/LOCAL_ONE.\n * Paging.\n"
    " * No LIMIT clauses.\n * PER PARTITION LIMIT clauses.\n * GROUP BY clauses.\n * Aggregation functions.\n"
    " * Filters on columns without a SAI index."
)


@defines(cql.CreateIndex)
def create_index(definer, statement):
    keyspace = definer.keyspace(statement.table)
    table = keyspace.tables.get(statement.table.name)
    refuse(table is None, f"Table '{statement.table.name}' doesn't exist")
    class_name = statement.using
    if statement.custom and not class_name:
        class_name = "legacy_local_table"
    attached = bool(class_name) and class_name.rsplit(".", 1)[-1].lower() in ATTACHED
    refuse(
        class_name and not statement.custom and not attached and class_name.lower() != "legacy_local_table",
        "Cannot specify index class for a non-CUSTOM index",
    )
    if statement.custom and not attached:
        raise ConfigurationException(f"Unable to find custom indexer class '{class_name}'")
    if statement.name is not None and keyspace.index(statement.name):
        refuse(not statement.if_not_exists, f"Index '{statement.name}' already exists")
        return None
    refuse(table.is_counter, "Secondary indexes on counter tables aren't supported")
    refuse(table.view is not None, "Secondary indexes on materialized views aren't supported")
    refuse(not statement.targets, "Only CUSTOM indexes can be created without specifying a target column")
    refuse(len(statement.targets) > 1, "Only CUSTOM indexes support multiple columns")
    index = _index(keyspace, table, statement, attached)
    if index is None:
        return None
    table.indexes[index.name] = index
    warnings = (VECTORS_ARE_NEW,) if table.columns[index.column].type.kind == "vector" else ()
    return Change("UPDATED", "TABLE", keyspace.name, table.name, warnings)


def _index(keyspace, table, statement, attached):
    target = statement.targets[0]
    column = table.column(target.column)
    kind = _target_kind(table, column, target.kind, attached)
    is_collection = column.type.kind in ("list", "set", "map")
    shown = f"{kind}({quoted(column.name)})" if is_collection and kind != "simple" else quoted(column.name)
    options = {"target": shown}
    if attached:
        options["class_name"] = statement.using
        given = statement.properties.get("options", {})
        refuse("class_name" in given, "Cannot specify class_name as a CUSTOM option")
        options.update(_attached_options(given))
    else:
        refuse(statement.properties.get("options"), "Cannot specify options for a non-CUSTOM index")
    chosen = statement.name or _free_name(keyspace, table, column)
    for other in table.indexes.values():
        if other.options["target"] == shown and other.is_sai == attached:
            refuse(not statement.if_not_exists, f"Index {chosen} is a duplicate of existing index {other.name}")
            return None
    return Index(chosen, column.name, kind, "CUSTOM" if attached else "COMPOSITES", options)


def _attached_options(given):
    """Return the options of a storage-attached index, checked."""
    unknown = [name for name in given if name not in ATTACHED_OPTIONS]
    if unknown:
        raise ConfigurationException(f"Properties specified [{', '.join(unknown)}] are not understood by StorageAttachedIndex")
    for name in ("case_sensitive", "normalize", "ascii"):
        value = given.get(name, "true")
        refuse(value.lower() not in ("true", "false"), f"Illegal value for boolean option '{name}': {value}")
    similarity = given.get("similarity_function", "cosine")
    refuse(
        similarity.lower() not in ("cosine", "dot_product", "euclidean"),
        f"Similarity function {similarity} was not recognized for SAI. Valid values are: COSINE, DOT_PRODUCT, EUCLIDEAN",
    )
    return given


def _target_kind(table, column, kind, attached):
    """Return what of the column is indexed: simple, values, keys, entries or full. Refuse what does not fit."""
    type_, name = column.type, column.name
    is_collection, is_frozen = type_.kind in ("list", "set", "map"), not type_.is_multicell
    if not kind:
        kind = "values" if is_collection else "simple"
    refuse(
        column.kind == PARTITION_KEY and len(table.partition_key) == 1,
        f"Cannot create secondary index on the only partition key column {name}",
    )
    if type_.mentions(lambda each: each.cql_name == "duration"):
        what = {"native": "duration columns", "tuple": "tuples containing durations", "udt": "UDTs containing durations"}
        raise InvalidRequest(f"Secondary indexes are not supported on {what.get(type_.kind, 'collections containing durations')}")
    refuse(type_.kind == "udt" and type_.is_multicell, f"Cannot create index on non-frozen UDT column {name}")
    if type_.kind == "vector":
        refuse(not attached, "Vectors can only be indexed with SAI: CREATE CUSTOM INDEX … USING 'StorageAttachedIndex'")
    if kind == "full":
        refuse(not (is_collection and is_frozen), "full() indexes can only be created on frozen collections")
        return kind
    if kind == "simple":
        return kind
    refuse(not is_collection, f"Cannot create {kind}() index on {name}. Non-collection columns only support simple indexes")
    refuse(
        is_frozen,
        f"Cannot create {kind}() index on frozen column {name}. Frozen collections are immutable and must be fully "
        f"indexed by using the 'full({name})' modifier",
    )
    refuse(kind in ("keys", "entries") and type_.kind != "map", f"Cannot create index on {kind} of column {name} with non-map type")
    return kind


def _free_name(keyspace, table, column):
    base = re.sub(r"\W", "", f"{table.name}_{column.name}_idx")
    name, number = base, 0
    while keyspace.index(name):
        number += 1
        name = f"{base}_{number}"
    return name


@defines(cql.DropIndex)
def drop_index(definer, statement):
    keyspace = definer.existing(statement.name, "DROP")
    found = keyspace and keyspace.index(statement.name.name)
    if not found:
        refuse(not statement.if_exists, f"Index '{statement.name.keyspace or definer.current}.{statement.name.name}' doesn't exist'")
        return None
    table, index = found
    del table.indexes[index.name]
    return Change("UPDATED", "TABLE", keyspace.name, table.name)


# --- materialized views -----------------------------------------------------------------------------------------------


@defines(cql.CreateView)
def create_view(definer, statement):
    refuse(not definer.schema.views_enabled, "Materialized views are disabled. Enable in cassandra.yaml to use.")
    keyspace, name = definer.keyspace(statement.view), statement.view.name
    refuse(
        (statement.table.keyspace or definer.current) != keyspace.name,
        "Cannot create a materialized view on a table in a different keyspace",
    )
    refuse(statement.markers, "Bind variables are not allowed in CREATE MATERIALIZED VIEW statements")
    base = keyspace.tables.get(statement.table.name)
    refuse(base is None or base.view is not None, f"Base table '{statement.table.name}' doesn't exist")
    existing = keyspace.tables.get(name)
    if existing is not None:
        if existing.view is not None and statement.if_not_exists:
            return None
        if existing.view is not None:
            raise AlreadyExists(keyspace.name, name)
        raise InvalidRequest(f"Cannot create materialized view '{name}' - a table with the same name already exists")
    refuse(base.is_counter, "Materialized views are not supported on counter tables")
    check_name(keyspace.name, name)
    options = table_options(statement.properties)
    refuse(
        options.get("default_time_to_live"),
        "Cannot set default_time_to_live for a materialized view. Data in a materialized view always expire at the same time "
        "than the corresponding data in the parent table.",
    )
    columns = _view_columns(base, statement)
    view = Table(keyspace.name, name, columns, options, View(base, statement.where, not statement.selections))
    base.views.append(view)
    keyspace.tables[name] = view
    return Change("CREATED", "TABLE", keyspace.name, name, (EXPERIMENTAL,))


def _view_columns(base, statement):
    name = statement.view.name
    selected = [column.name for column in base.all if column.kind != STATIC]
    if statement.selections:
        for each in statement.selections:
            refuse(each.alias, f"Cannot use aliases when defining a materialized view (got {each.selector} AS {each.alias})")
            refuse(
                not isinstance(each.selector, nodes.Column),
                f"Can only select columns by name when defining a materialized view (got {each.selector})",
            )
        selected = [each.selector.name for each in statement.selections]
    for column in selected:
        refuse(base.column(column).kind == STATIC, f"Cannot include static column '{column}' in materialized view '{name}'")
    keys = [*statement.partition_key, *statement.clustering_columns]
    refuse(not statement.partition_key, f"Must provide at least one partition key column for materialized view '{name}'")
    for i, key in enumerate(keys):
        refuse(
            key not in base.columns or key not in selected,
            f"Unknown column '{key}' referenced in PRIMARY KEY for materialized view '{name}'",
        )
        refuse(key in keys[:i], f"Duplicate column '{key}' in PRIMARY KEY clause for materialized view '{name}'")
        refuse(base.columns[key].kind == STATIC, f"Cannot include static column '{key}' in materialized view '{name}'")
        refuse(
            base.columns[key].type.is_multicell,
            f"Invalid non-frozen collection type '{base.columns[key].type.java_name}' for PRIMARY KEY column '{key}'",
        )
    base_keys = [column.name for column in (*base.partition_key, *base.clustering)]
    missing = [key for key in base_keys if key not in keys]
    refuse(
        missing,
        f"Cannot create materialized view '{name}' without primary key columns {', '.join(missing)} from base table '{base.name}'",
    )
    extra = [key for key in keys if key not in base_keys]
    refuse(
        len(extra) > 1,
        f"Cannot include more than one non-primary key column in materialized view primary key (got {', '.join(extra)})",
    )
    _check_view_where(statement, keys)
    order = clustering_order(statement)
    columns = []
    for column in [*keys, *(each for each in selected if each not in keys)]:
        old = base.columns[column]
        kind = PARTITION_KEY if column in statement.partition_key else CLUSTERING if column in keys else REGULAR
        place = {PARTITION_KEY: statement.partition_key, CLUSTERING: statement.clustering_columns, REGULAR: (column,)}[kind].index(
            column
        )
        descending = kind == CLUSTERING and order.get(column, old.descending)
        columns.append(Column(column, old.type, kind, -1 if kind == REGULAR else place, descending, old.written))
    return columns


def _check_view_where(statement, keys):
    restricted = set()
    for relation in statement.where:
        refuse(isinstance(relation, nodes.TokenRelation), "Cannot use token relation when defining a materialized view")
        refuse(
            isinstance(relation, nodes.IndexExpression),
            f"WHERE clause for materialized view '{statement.view.name}' cannot contain custom index expressions",
        )
        names = getattr(relation, "columns", None) or (relation.column,)
        restricted.update(names)
        illegal = [name for name in names if name not in keys and relation.operator != "IS NOT"]
        refuse(
            illegal,
            f"Non-primary key columns can only be restricted with 'IS NOT NULL' (got: {', '.join(illegal)} restricted illegally)",
        )
    missing = [key for key in keys if key not in restricted]
    refuse(missing, f"Primary key columns {', '.join(missing)} must be restricted with 'IS NOT NULL' or otherwise")


@defines(cql.AlterView)
def alter_view(definer, statement):
    keyspace = definer.existing(statement.view, "ALTER")
    view = keyspace and keyspace.tables.get(statement.view.name)
    if view is None or view.view is None:
        refuse(
            not statement.if_exists,
            f"Materialized view '{statement.view.keyspace or definer.current}.{statement.view.name}' doesn't exist",
        )
        return None
    options = table_options(statement.properties)
    refuse(
        options.get("default_time_to_live"),
        "Forbidden default_time_to_live detected for a materialized view. Data in a materialized view always expire at the same "
        "time than the corresponding data in the parent table. default_time_to_live must be set to zero, see CASSANDRA-12868 "
        "for more information",
    )
    refuse(
        options.get("gc_grace_seconds") == 0,
        "Cannot alter gc_grace_seconds of a materialized view to 0, since this value is used to TTL undelivered updates. "
        "Setting gc_grace_seconds too low might cause undelivered updates to expire before being replayed.",
    )
    view.options = {**view.options, **options}
    return Change("UPDATED", "TABLE", keyspace.name, view.name)


@defines(cql.DropView)
def drop_view(definer, statement):
    keyspace = definer.existing(statement.view, "ALTER")
    view = keyspace and keyspace.tables.get(statement.view.name)
    if view is None or view.view is None:
        refuse(
            not statement.if_exists,
            f"Materialized view '{statement.view.keyspace or definer.current}.{statement.view.name}' doesn't exist",
        )
        return None
    view.view.base.views.remove(view)
    del keyspace.tables[view.name]
    return Change("DROPPED", "TABLE", keyspace.name, view.name)
