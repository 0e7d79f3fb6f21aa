"""CREATE, ALTER, DROP and TRUNCATE of tables."""

from stores.cassandra import types
from stores.cassandra.cql import definitions as cql
from stores.cassandra.cql.nodes import quoted
from stores.cassandra.errors import AlreadyExists, ConfigurationException, InvalidRequest, Unauthorized
from stores.cassandra.execute.ddl import NAME, Change, defines
from stores.cassandra.execute.properties import refuse_counter_ttl, table_id, table_options
from stores.cassandra.relations import refuse
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY, REGULAR, STATIC, SYSTEM, Column, Table

LONGEST_NAME = 222
STATIC_NEEDS_CLUSTERING = "Static columns are only useful (and thus allowed) if the table has at least one clustering column"
NO_MIXED_COUNTERS = "Cannot mix counter and non counter columns in the same table"


@defines(cql.CreateTable)
def create_table(definer, statement):
    keyspace, name = definer.keyspace(statement.table), statement.table.name
    if name in keyspace.tables:
        if statement.if_not_exists:
            return None
        raise AlreadyExists(keyspace.name, name)
    refuse(statement.compact_storage, "COMPACT STORAGE tables are not allowed starting with version 4.0")
    table = Table(keyspace.name, name, columns(definer, keyspace, statement), table_options(statement.properties))
    table.id = table_id(statement.properties) or table.id
    others = [*table.static, *table.regular]
    refuse(table.is_counter and any(column.type.cql_name != "counter" for column in others), NO_MIXED_COUNTERS)
    refuse_counter_ttl(table)
    keyspace.tables[name] = table
    return Change("CREATED", "TABLE", keyspace.name, name)


def check_name(keyspace, name):
    """Refuse names of tables and views that would make no names of files."""
    if not NAME.fullmatch(name):
        raise ConfigurationException(
            f'{keyspace}.{name}: Table name must not be empty or not contain non-alphanumeric-underscore characters (got "{name}")'
        )
    if len(name) > LONGEST_NAME:
        raise ConfigurationException(
            f"{keyspace}.{name}: Table name must not be more than {LONGEST_NAME} characters long "
            f'(got {len(name)} characters for "{name}")'
        )


def columns(definer, keyspace, statement):
    """Return the Columns of a new table, checked."""
    name, defined = statement.table.name, {}
    check_name(keyspace.name, name)
    for each in statement.columns:
        refuse(each.name in defined, f"Duplicate column '{each.name}' declaration for table '{name}'")
        type_ = types.resolve(each.type, keyspace.name, definer.schema.user_type)
        refuse(
            _has_multicell_fields(definer, keyspace, type_),
            "Non-frozen UDTs with nested non-frozen collections are not supported",
        )
        defined[each.name] = Column(each.name, type_, STATIC if each.static else REGULAR, written=each.type, mask=each.mask)
    refuse(not statement.partition_key, f"No PRIMARY KEY specifed for table '{name}' (exactly one required)")
    keys = [*statement.partition_key, *statement.clustering_columns]
    for i, key in enumerate(keys):
        refuse(key not in defined, f"Unknown column '{key}' referenced in PRIMARY KEY for table '{name}'")
        refuse(key in keys[:i], f"Duplicate column '{key}' in PRIMARY KEY clause for table '{name}'")
        _refuse_key(defined[key])
    order = clustering_order(statement)
    refuse(not statement.clustering_columns and any(column.kind == STATIC for column in defined.values()), STATIC_NEEDS_CLUSTERING)
    for place, key in enumerate(statement.partition_key):
        defined[key].kind, defined[key].place = PARTITION_KEY, place
    for place, key in enumerate(statement.clustering_columns):
        column = defined[key]
        column.kind, column.place, column.descending = CLUSTERING, place, order.get(key, False)
    return defined.values()


def _has_multicell_fields(definer, keyspace, type_):
    if type_.kind != "udt" or not type_.is_multicell:
        return False
    written = keyspace.written_types[type_.name]
    return any(types.resolve(each, keyspace.name, definer.schema.user_type).is_multicell for _, each in written)


def _refuse_key(column):
    type_, name = column.type, column.name
    if type_.is_multicell:
        kind = "user-defined" if type_.kind == "udt" else "collection"
        raise InvalidRequest(f"Invalid non-frozen {kind} type {type_} for PRIMARY KEY column '{name}'")
    refuse(type_.cql_name == "counter", f"counter type is not supported for PRIMARY KEY column '{name}'")
    refuse(type_.mentions(lambda each: each.cql_name == "duration"), f"duration type is not supported for PRIMARY KEY column '{name}'")
    refuse(column.kind == STATIC, f"Static column '{name}' cannot be part of the PRIMARY KEY")


def clustering_order(statement):
    """Return the CLUSTERING ORDER: whether descending, by column; checked. The last columns may be left out: they ascend."""
    order, keys = dict(statement.clustering_order), statement.clustering_columns
    if not order:
        return order
    others = [name for name in order if name not in keys]
    refuse(
        others,
        f"Only clustering key columns can be defined in CLUSTERING ORDER directive: [{', '.join(others)}] are not clustering columns",
    )
    for name, key in zip(order, keys, strict=False):
        refuse(key not in order, f"Missing CLUSTERING ORDER for column {key}")
        refuse(
            name != key,
            "The order of columns in the CLUSTERING ORDER directive must match that of the clustering columns "
            f"({key} must appear before {name})",
        )
    return order


@defines(cql.AlterTable)
def alter_table(definer, statement):
    keyspace, name = definer.existing(statement.table, "ALTER"), statement.table.name
    table = keyspace and keyspace.tables.get(name)
    if table is None:
        refuse(not statement.if_exists, f"Table '{statement.table.keyspace or definer.current}.{name}' doesn't exist")
        return None
    refuse(table.view is not None, "Cannot use ALTER TABLE on a materialized view; use ALTER MATERIALIZED VIEW instead")
    change = statement.change
    if isinstance(change, cql.AddColumns):
        _add(definer, table, change)
    elif isinstance(change, cql.DropColumns):
        _drop(definer, table, change)
    elif isinstance(change, cql.RenameColumns):
        _rename(table, change)
    elif isinstance(change, cql.MaskColumn):
        _mask(table, change)
    elif isinstance(change, cql.AlterProperties):
        refuse(table_id(change.properties) is not None, "Cannot alter table id.")
        options = table_options(change.properties)
        refuse(table.is_counter and options.get("default_time_to_live"), "Cannot set default_time_to_live on a table with counters")
        refuse(
            table.views and options.get("gc_grace_seconds") == 0,
            "Cannot alter gc_grace_seconds of the base table of a materialized view to 0, since this value is used to TTL "
            "undelivered updates. Setting gc_grace_seconds too low might cause undelivered updates to expire before being replayed.",
        )
        table.options = {**table.options, **options}
    elif isinstance(change, cql.DropCompactStorage):
        raise InvalidRequest("DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.")
    else:
        raise InvalidRequest("Altering column types is no longer supported")
    table.arrange()
    return Change("UPDATED", "TABLE", keyspace.name, name)


def _add(definer, table, change):
    added = []
    for each in change.columns:
        type_ = types.resolve(each.type, table.keyspace, definer.schema.user_type)
        if each.name in table.columns:
            refuse(not change.if_not_exists, f"Column with name '{each.name}' already exists")
            continue
        refuse(any(each.name == other.name for other in added), f"Column with name '{each.name}' already exists")
        refuse(each.static and not table.clustering, STATIC_NEEDS_CLUSTERING)
        kind = STATIC if each.static else REGULAR
        if each.name in table.dropped:
            old = table.dropped[each.name][0]
            again = f"Cannot re-add previously dropped column '{each.name}' of"
            refuse(old.type != type_, f"{again} type {type_}, incompatible with previous type {old.type}")
            refuse(old.kind != kind, f"{again} kind {kind.upper()}, incompatible with previous kind {old.kind.upper()}")
            refuse(table.is_counter, f"Cannot re-add previously dropped counter column {each.name}")
        if (table.static or table.regular) and (type_.cql_name == "counter") != table.is_counter:
            kinds = ("a non counter", "a counter") if table.is_counter else ("a counter", "a non counter")
            raise ConfigurationException(f'{table}: Cannot have {kinds[0]} column ("{each.name}") in {kinds[1]} table')
        added.append(Column(each.name, type_, kind, written=each.type, mask=each.mask))
    for column in added:
        table.columns[column.name] = column
        for view in table.views if column.kind == REGULAR else ():
            if view.view.include_all:
                view.columns[column.name] = Column(column.name, column.type, written=column.written)
                view.arrange()


def _drop(definer, table, change):
    for name in change.columns:
        column = table.columns.get(name)
        if column is None:
            refuse(not change.if_exists, f"Column {name} was not found in table '{table}'")
            continue
        refuse(column.is_key, f"Cannot drop PRIMARY KEY column {name}")
        refuse(
            column.type.kind == "udt" and column.type.is_multicell, f"Cannot drop non-frozen column {name} of user type {column.type}"
        )
        indexes = [index.name for index in table.indexes.values() if index.column == name]
        refuse(indexes, f"Cannot drop column {name} because it has dependent secondary indexes ({', '.join(indexes)})")
        refuse(table.views, f"Cannot drop column {name} on base table {table.name} with materialized views")
        del table.columns[name]
        when = definer.schema.timestamp() if change.timestamp is None else change.timestamp
        table.dropped[name] = (column, when)
        definer.cluster.drop_column(table, name)


def _rename(table, change):
    for old, new in change.renamed:
        column = table.columns.get(old)
        refuse(column is None, f"Undefined column name {quoted(old)} in table {table}")
        refuse(not column.is_key, f"Cannot rename non PRIMARY KEY column {old}")
        refuse(
            new in table.columns,
            f"Cannot rename column {old} to {new} in table '{table}'; another column with that name already exists",
        )
        indexes = [index.name for index in table.indexes.values() if index.column == old]
        refuse(indexes, f"Can't rename column {old} because it has dependent secondary indexes ({', '.join(indexes)})")
        column.name = new
        table.columns = {each.name: each for each in table.columns.values()}


def _mask(table, change):
    column = table.columns.get(change.column)
    if column is None:
        refuse(not change.if_exists, f"Column with name '{change.column}' doesn't exist on table '{table.name}'")
        return
    column.mask = change.mask


@defines(cql.DropTable)
def drop_table(definer, statement):
    keyspace, name = definer.existing(statement.table, "DROP"), statement.table.name
    table = keyspace and keyspace.tables.get(name)
    if table is None:
        refuse(not statement.if_exists, f"Table '{statement.table.keyspace or definer.current}.{name}' doesn't exist")
        return None
    refuse(table.view is not None, "Cannot use DROP TABLE on a materialized view. Please use DROP MATERIALIZED VIEW instead.")
    refuse(
        table.views,
        f"Cannot drop a table when materialized views still depend on it ({keyspace.name})",
    )
    del keyspace.tables[name]
    definer.cluster.drop(table)
    return Change("DROPPED", "TABLE", keyspace.name, name)


@defines(cql.Truncate)
def truncate(definer, statement):
    table = definer.schema.table(statement.table, definer.current)
    refuse(table.view is not None, "Cannot TRUNCATE materialized view directly; must truncate base table instead")
    refuse(table.is_virtual, f"Truncation is not supported by table {table}")
    if table.keyspace in SYSTEM:
        raise Unauthorized("Cannot TRUNCATE system table")
    definer.cluster.truncate(table)
