"""The system tables: ordinary tables that the engine fills, so that drivers find what they look for on connecting."""

import re
import uuid

from stores.cassandra.cells import LIVE, Cell, Row
from stores.cassandra.execute.operations import Write, set_value
from stores.cassandra.murmur3 import token_of
from stores.cassandra.results import Consistency
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY, REGULAR, REPLICATED_SYSTEM, SYSTEM, VIRTUAL, Column, Keyspace, Table
from stores.cassandra.storage import Mutation, Partition
from stores.cassandra.types import NATIVE, ListType, MapType, SetType

RELEASE = "5.0.6"
CQL_VERSION = "3.4.7"
PARTITIONER = "org.apache.cassandra.dht.Murmur3Partitioner"
LOCATOR = "org.apache.cassandra.locator."
_MAP, _LIST = "frozen<map<text,text>>", "frozen<list<text>>"
_OPTIONS = f"""allow_auto_snapshot boolean, bloom_filter_fp_chance double, caching {_MAP}, comment text, compaction {_MAP},
    compression {_MAP}, memtable text, crc_check_chance double, default_time_to_live int, extensions frozen<map<text,blob>>,
    gc_grace_seconds int, incremental_backups boolean, max_index_interval int, memtable_flush_period_in_ms int, min_index_interval int,
    speculative_retry text, additional_write_policy text, cdc boolean, read_repair text"""
_PEER = "data_center text, host_id uuid, preferred_ip inet, rack text, release_version text, schema_version uuid, tokens set<text>"
_COLUMNS = """keyspace_name text, table_name text, column_name text, clustering_order text, column_name_bytes blob, kind text,
    position int, type text"""

# fmt: off
# keyspace: {table: (partition key, clustering columns, all columns)}
TABLES = {
    "system": {
        "local": ("key", "", """key text, bootstrapped text, broadcast_address inet, broadcast_port int, cluster_name text,
            cql_version text, data_center text, gossip_generation int, host_id uuid, listen_address inet, listen_port int,
            native_protocol_version text, partitioner text, rack text, release_version text, rpc_address inet, rpc_port int,
            schema_version uuid, tokens set<text>, truncated_at map<uuid,blob>"""),
        "peers": ("peer", "", f"peer inet, rpc_address inet, {_PEER}"),
        "peers_v2": ("peer", "peer_port", f"""peer inet, peer_port int, preferred_port int, native_address inet, native_port int,
            {_PEER}"""),
        "IndexInfo": ("table_name", "index_name", "table_name text, index_name text, value blob"),
        "prepared_statements": ("prepared_id", "", "prepared_id blob, logged_keyspace text, query_string text"),
    },
    "system_schema": {
        "keyspaces": ("keyspace_name", "", f"keyspace_name text, durable_writes boolean, replication {_MAP}"),
        "tables": ("keyspace_name", "table_name", f"""keyspace_name text, table_name text, id uuid, flags frozen<set<text>>,
            {_OPTIONS}"""),
        "columns": ("keyspace_name", "table_name column_name", _COLUMNS),
        "column_masks": ("keyspace_name", "table_name column_name", f"""keyspace_name text, table_name text, column_name text,
            function_argument_nulls frozen<list<boolean>>, function_argument_types {_LIST}, function_argument_values {_LIST},
            function_keyspace text, function_name text"""),
        "dropped_columns": ("keyspace_name", "table_name column_name", """keyspace_name text, table_name text, column_name text,
            dropped_time timestamp, kind text, type text"""),
        "triggers": ("keyspace_name", "table_name trigger_name",
            f"keyspace_name text, table_name text, trigger_name text, options {_MAP}"),
        "views": ("keyspace_name", "view_name", f"""keyspace_name text, view_name text, base_table_id uuid, base_table_name text,
            where_clause text, include_all_columns boolean, id uuid, {_OPTIONS}"""),
        "indexes": ("keyspace_name", "table_name index_name",
            f"keyspace_name text, table_name text, index_name text, kind text, options {_MAP}"),
        "types": ("keyspace_name", "type_name", f"keyspace_name text, type_name text, field_names {_LIST}, field_types {_LIST}"),
        "functions": ("keyspace_name", "function_name argument_types", f"""keyspace_name text, function_name text,
            argument_types {_LIST}, argument_names {_LIST}, body text, language text, return_type text,
            called_on_null_input boolean"""),
        "aggregates": ("keyspace_name", "aggregate_name argument_types", f"""keyspace_name text, aggregate_name text,
            argument_types {_LIST}, final_func text, initcond text, return_type text, state_func text, state_type text"""),
    },
    "system_virtual_schema": {
        "keyspaces": ("keyspace_name", "", "keyspace_name text"),
        "tables": ("keyspace_name", "table_name", "keyspace_name text, table_name text, comment text"),
        "columns": ("keyspace_name", "table_name column_name", _COLUMNS),
    },
    "system_views": {
        "settings": ("name", "", "name text, value text"),
        "thread_pools": ("name", "", "name text, active_tasks int, completed_tasks bigint"),
    },
    "system_traces": {
        "sessions": ("session_id", "", """session_id uuid, client inet, command text, coordinator inet, coordinator_port int,
            duration int, parameters map<text,text>, request text, started_at timestamp"""),
        "events": ("session_id", "event_id", """session_id uuid, event_id timeuuid, activity text, source inet, source_port int,
            source_elapsed int, thread text"""),
    },
    "system_auth": {
        "roles": ("role", "", "role text, can_login boolean, is_superuser boolean, member_of set<text>, salted_hash text"),
    },
    "system_distributed": {
        "view_build_status": ("keyspace_name view_name", "host_id", "keyspace_name text, view_name text, host_id uuid, status text"),
    },
}
# fmt: on
SETTINGS = {
    "cluster_name": "Embedded Cluster",
    "materialized_views_enabled": "false",
    "tombstone_failure_threshold": "100000",
    "tombstone_warn_threshold": "1000",
    "user_defined_functions_enabled": "false",
}


def type_named(text):
    """Return the type of a name as the texts above write it."""
    if text.startswith("frozen<"):
        return type_named(text[len("frozen<") : -1]).frozen()
    for name, collection in (("list", ListType), ("set", SetType), ("map", MapType)):
        if text.startswith(name + "<"):
            return collection(*map(type_named, text[len(name) + 1 : -1].split(",")))
    return NATIVE[text]


def add_system_keyspaces(schema):
    """Put the system keyspaces and their tables, still empty, into a new schema."""
    for name, tables in TABLES.items():
        replication = {"class": f"{LOCATOR}LocalStrategy"}
        if name in REPLICATED_SYSTEM:
            replication = {"class": f"{LOCATOR}SimpleStrategy", "replication_factor": "1"}
        keyspace = schema.keyspaces[name] = Keyspace(name, replication)
        for table, (keys, clustering, columns) in tables.items():
            keyspace.tables[table] = _table(name, table, keys.split(), clustering.split(), columns)


def _table(keyspace, name, keys, clustering, columns):
    made = []
    for text in re.split(r",\s+", columns):  # types are written without spaces
        column, type_ = text.split()
        kind, place = REGULAR, -1
        if column in keys:
            kind, place = PARTITION_KEY, keys.index(column)
        elif column in clustering:
            kind, place = CLUSTERING, clustering.index(column)
        made.append(Column(column, type_named(type_), kind, place))
    table = Table(keyspace, name, made)
    # The same id in every process, as in Cassandra.
    table.id = uuid.uuid3(uuid.NAMESPACE_OID, f"{keyspace}.{name}")
    return table


def put(store, table, values, timestamp):
    """Write one row of Python values by column name into a store; None deletes a value."""
    raw = {name: None if value is None else table.columns[name].type.serialize(value) for name, value in values.items()}
    key = tuple(raw[column.name] for column in table.partition_key)
    clustering = tuple(raw[column.name] for column in table.clustering)
    write, cells = Write(None, timestamp, 0, 0, None), {}
    for column in table.regular:
        if column.name in raw:
            set_value(cells, write, column, raw[column.name])
    delta = Partition(key, token_of(key))
    delta.put(table.position(clustering), Row(clustering, cells, Cell(timestamp, LIVE, 0, b"")))
    store.apply(Mutation(table, delta))


class Catalogue:
    """Keeps the tables of system_schema and system_virtual_schema as the schema says."""

    def __init__(self, schema, store):
        self._schema = schema
        self._store = store
        for name, value in SETTINGS.items():
            self._put("system_views", "settings", name=name, value=value)
        self._put("system_auth", "roles", role="cassandra", can_login=True, is_superuser=True)
        for name in VIRTUAL:
            self._put_virtual(name)
        self.refresh([name for name in SYSTEM if name not in VIRTUAL])
        schema.listeners.append(self.refresh)

    def _put(self, keyspace, table, **values):
        put(self._store, self._schema.keyspaces[keyspace].tables[table], values, self._schema.timestamp())

    def _put_virtual(self, name):
        self._put("system_virtual_schema", "keyspaces", keyspace_name=name)
        for table in self._schema.keyspaces[name].tables.values():
            self._put("system_virtual_schema", "tables", keyspace_name=name, table_name=table.name, comment="")
            self._put_columns("system_virtual_schema", table)

    def _put_columns(self, keyspace, table):
        for column in table.all:
            self._put(
                keyspace,
                "columns",
                keyspace_name=table.keyspace,
                table_name=table.name,
                column_name=column.name,
                clustering_order=column.order,
                column_name_bytes=column.name.encode(),
                kind=column.kind,
                position=column.place,
                type=str(column.type),
            )

    def refresh(self, names):
        """Write the rows of these keyspaces again."""
        for name in names:
            for table in self._schema.keyspaces["system_schema"].tables.values():
                self._store.forget(table, (name.encode(),))
            keyspace = self._schema.keyspaces.get(name)
            if keyspace is not None:
                self._put_keyspace(keyspace)

    def _put_keyspace(self, keyspace):
        name = keyspace.name
        self._put(
            "system_schema", "keyspaces", keyspace_name=name, durable_writes=keyspace.durable_writes, replication=keyspace.replication
        )
        for each in keyspace.types.values():
            self._put(
                "system_schema",
                "types",
                keyspace_name=name,
                type_name=each.name,
                field_names=list(each.names),
                field_types=[str(element) for element in each.elements],
            )
        for table in keyspace.tables.values():
            self._put_table(table)

    def _put_table(self, table):
        options = {name: value for name, value in table.options.items() if value is not None}
        common = {"keyspace_name": table.keyspace, "id": table.id, **options}
        if table.view is None:
            flags = {"compound", "counter"} if table.is_counter else {"compound"}
            self._put("system_schema", "tables", table_name=table.name, flags=flags, **common)
        else:
            base = table.view.base
            where = " AND ".join(map(shown_relation, table.view.where))
            self._put(
                "system_schema",
                "views",
                view_name=table.name,
                base_table_id=base.id,
                base_table_name=base.name,
                include_all_columns=table.view.include_all,
                where_clause=where,
                **common,
            )
        self._put_columns("system_schema", table)
        named = {"keyspace_name": table.keyspace, "table_name": table.name}
        for index in table.indexes.values():
            self._put("system_schema", "indexes", index_name=index.name, kind=index.kind, options=index.options, **named)
        for column, when in table.dropped.values():
            self._put(
                "system_schema",
                "dropped_columns",
                column_name=column.name,
                dropped_time=when // 1000,
                kind=column.kind,
                type=str(column.type),
                **named,
            )


def shown_relation(relation):
    """Return a relation of a view as CQL."""
    return str(relation).replace("IS NOT null", "IS NOT NULL")


def trace_rows(trace, context, text, duration, coordinator):
    """Return (sessions row, events rows) of a traced statement, as Python values; `duration` in µs."""
    started = int(context.moment * 1_000_000)
    session = {
        "session_id": trace.id,
        "client": trace.client,
        "command": "QUERY",
        "coordinator": coordinator,
        "coordinator_port": 7000,
        "duration": duration,
        "request": "Execute CQL3 query",
        "started_at": started // 1000,
        "parameters": {"query": text, "consistency_level": Consistency(context.options.consistency).name},
    }
    activities = [f"Parsing {text}", "Preparing statement", *activities_of(context.facts)]
    events = []
    for i, activity in enumerate(activities):
        elapsed = duration * (i + 1) // (len(activities) + 1)
        events.append(
            {
                "session_id": trace.id,
                "event_id": time_uuid(started + elapsed, i),
                "activity": activity,
                "source": coordinator,
                "source_port": 7000,
                "source_elapsed": elapsed,
                "thread": "Native-Transport-Requests-1",
            }
        )
    return session, events


def activities_of(facts):
    """Return what a statement did as the lines of a trace."""
    lines = list(facts.events)
    if facts.mutations:
        lines.append(f"Determining replicas for mutation of {facts.mutations} partition{'s' if facts.mutations > 1 else ''}")
        lines.append("Appending to commitlog")
        lines += [f"Adding to {table} memtable" for table in dict.fromkeys(name for name, _, _ in facts.partitions)]
    elif facts.partitions:
        many = len(facts.partitions)
        table = facts.partitions[0][0]
        kind = (
            f"Executing single-partition query on {table}" if many == 1 else f"Executing seq scan across {many} partitions for {table}"
        )
        lines.append(kind)
        lines.append(f"Read {facts.rows} live rows and {facts.tombstones} tombstone cells")
    return lines


def time_uuid(micros, clock):
    """Return a timeuuid of that time; `clock` tells apart those of the same µs."""
    ticks = micros * 10 + 0x01B21DD213814000
    return uuid.UUID(
        fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 & 0x0FFF | 0x1000, 0x80 | clock >> 8 & 0x3F, clock & 0xFF, 1)
    )
