"""The engine: texts of CQL and bound values in, results out. All that the protocol's side knows of CQL is here.

There is one Engine for each node of a cluster; they share a Schema. What belongs to users goes to the `cluster`
(store.SingleNode, or a node's coordinator in a ring), system tables stay with the engine.
"""

import hashlib
import time
from dataclasses import dataclass, field

from stores.cassandra.cql import definitions
from stores.cassandra.cql import statements as cql
from stores.cassandra.cql.nodes import BindMarker, ColumnRelation
from stores.cassandra.cql.parser import parse
from stores.cassandra.errors import CqlError, InvalidRequest, Unprepared
from stores.cassandra.execute import ddl, ddl_indexes, ddl_tables, literals, selectors
from stores.cassandra.execute.access import ACCESS
from stores.cassandra.execute.batch import BatchPlan, check_kinds, run_batch
from stores.cassandra.execute.context import Context
from stores.cassandra.execute.describe import describe
from stores.cassandra.execute.lightweight import applied_column, run_conditional
from stores.cassandra.execute.modify import modification
from stores.cassandra.execute.select import SelectPlan
from stores.cassandra.execute.terms import Env
from stores.cassandra.results import UNSET, BindColumn, Options, SchemaChange, SetKeyspace, Void
from stores.cassandra.schema import SYSTEM, Schema
from stores.cassandra.store import Store
from stores.cassandra.system import CQL_VERSION, PARTITIONER, RELEASE, Catalogue, add_system_keyspaces, put, trace_rows
from stores.cassandra.types import TEXT

# These modules register what they compile or execute.
REGISTERED = (literals, selectors, ddl_tables, ddl_indexes)
MODIFICATIONS = (cql.Insert, cql.InsertJson, cql.Update, cql.Delete)
MOST_PLANS = 1_000  # compiled statements that are remembered
MOST_BYTES_OF_TEXT = 16 * 1024  # longer ones are not


class ModificationPlan:
    """A single INSERT, UPDATE or DELETE."""

    def __init__(self, schema, statement, keyspace):
        self.modification = modification(schema, statement, keyspace)
        self.table = self.modification.table
        self.bound = self.modification.bound
        self.columns = [applied_column(self.table)] if self.modification.conditions else []

    def run(self, env, context):
        if self.modification.conditions:
            return run_conditional([(self.modification, env)], context)
        deltas = self.modification.deltas(env, context)
        context.write([(self.table, delta) for delta in deltas], "COUNTER" if self.table.is_counter else "SIMPLE")
        return Void(facts=context.facts, warnings=context.warnings)


@dataclass
class Prepared:
    """A prepared statement. `bind_columns` says what each value is for, `pk_indexes` which of them make the partition key.

    `id` and `result_id` are MD5 sums; the second changes when a changed table gives other columns.
    """

    id: bytes
    text: str
    keyspace: str | None
    statement: object
    plan: object = None
    generation: int = -1
    bind_columns: list = field(default_factory=list)
    pk_indexes: list = field(default_factory=list)
    result_columns: list = field(default_factory=list)
    result_id: bytes = b""


class Engine:
    """Executes CQL for one node. `clock` is a stores.base.Clock."""

    def __init__(self, clock, cluster, schema=None):
        self.clock = clock
        self.cluster = cluster
        if schema is None:
            schema = Schema(clock)
        if not schema.keyspaces:
            add_system_keyspaces(schema)
            schema.store = Store(clock, b"schema")
            schema.catalogue = Catalogue(schema, schema.store)
        self.schema = schema
        self.local = Store(clock, b"local")
        self.address = "127.0.0.1"
        self._plans = {}  # (text, keyspace): Prepared
        self._prepared = {}  # id: (Prepared, the shape of its table)
        self.schema.listeners.append(self._schema_changed)
        self._local_row = {}
        self._peers = []

    # --- the ring as this node sees it

    def describe_ring(self, local, peers=()):
        """Fill system.local, system.peers and system.peers_v2.

        `local` has at least address, port, host_id, tokens (texts); each of `peers` too. data_center, rack and
        cluster_name have defaults.
        """
        self.address = local["address"]
        for name in ("local", "peers", "peers_v2"):
            self.local.truncate(self.schema.keyspaces["system"].tables[name])
        self._local_row, self._peers = dict(local), [dict(peer) for peer in peers]
        self._write_ring()

    def _schema_changed(self, keyspaces):
        if self._local_row:
            self._write_ring()

    def _write_ring(self):
        row = self._local_row
        self._put(
            "local",
            {
                "key": "local",
                "bootstrapped": "COMPLETED",
                "broadcast_address": row["address"],
                "broadcast_port": 7000,
                "cluster_name": row.get("cluster_name", "Embedded Cluster"),
                "cql_version": CQL_VERSION,
                "gossip_generation": 1,
                "listen_address": row["address"],
                "listen_port": 7000,
                "native_protocol_version": "5",
                "partitioner": PARTITIONER,
                "rpc_address": row["address"],
                "rpc_port": row["port"],
                **self._node(row),
            },
        )
        for peer in self._peers:
            node = {"peer": peer["address"], **self._node(peer)}
            self._put("peers", {**node, "rpc_address": peer["address"]})
            self._put(
                "peers_v2",
                {**node, "peer_port": peer.get("storage_port", 7000), "native_address": peer["address"], "native_port": peer["port"]},
            )

    def _node(self, row):
        return {
            "data_center": row.get("data_center", "datacenter1"),
            "rack": row.get("rack", "rack1"),
            "release_version": RELEASE,
            "host_id": row["host_id"],
            "tokens": row["tokens"],
            "schema_version": self.schema.version,
        }

    def _put(self, table, values):
        put(self.local, self.schema.keyspaces["system"].tables[table], values, self.schema.timestamp())

    # --- preparing

    def prepare(self, text, keyspace=None):
        """Return the Prepared for a text; `keyspace` is the session's, or that of the request."""
        prepared = self._compiled(text, keyspace)
        self._prepared[prepared.id] = prepared, _shape(prepared)
        return prepared

    def prepared(self, statement_id):
        """Return what was prepared under this id.

        Raises Unprepared when it was not, or when its table is no longer as it was: the driver then prepares the
        text again, and meets the error if there is one.
        """
        prepared, shape = self._prepared.get(statement_id, (None, None))
        try:
            if prepared is not None:
                self._compile(prepared)
            if prepared is None or _shape(prepared) != shape:
                raise Unprepared(statement_id)
        except CqlError:
            self._prepared.pop(statement_id, None)
            raise Unprepared(statement_id) from None
        return prepared

    def _compiled(self, text, keyspace):
        prepared = self._plans.get((text, keyspace))
        if prepared is None:
            statement_id = hashlib.md5(((keyspace or "") + text).encode(), usedforsecurity=False).digest()
            prepared = Prepared(statement_id, text, keyspace, parse(text))
            if len(text) <= MOST_BYTES_OF_TEXT:
                if len(self._plans) >= MOST_PLANS:
                    del self._plans[next(iter(self._plans))]
                self._plans[text, keyspace] = prepared
        self._compile(prepared)
        return prepared

    def _compile(self, prepared):
        if prepared.generation == self.schema.generation:
            return
        plan_class = PLANS.get(type(prepared.statement))
        if plan_class is not None:
            prepared.plan = plan = plan_class(self.schema, prepared.statement, prepared.keyspace)
            prepared.bind_columns = [each or BindColumn(prepared.keyspace or "", "", "?", TEXT) for each in plan.bound]
            prepared.result_columns = list(plan.columns)
            prepared.pk_indexes = _key_markers(prepared.statement, plan.table)
        shown = repr([(*column[:3], str(column.type)) for column in prepared.result_columns])
        prepared.result_id = hashlib.md5(shown.encode(), usedforsecurity=False).digest()
        prepared.generation = self.schema.generation

    # --- executing

    def execute(self, statement, values=(), *, keyspace=None, options=None):
        """Execute a text or a Prepared. `values` are serialised, in the markers' order or a dict by their names."""
        options = options or Options()
        prepared = self._ready(statement, keyspace)
        context = self._context(options)
        started = time.perf_counter()
        if prepared.plan is not None:
            env = Env(_values(prepared, values), context.moment)
            result = prepared.plan.run(env, context)
        else:
            result = self._run_other(prepared, keyspace or prepared.keyspace, context)
        if options.tracing is not None:
            self._trace(options.tracing, context, prepared.text, started)
        return result

    def batch(self, kind, entries, *, keyspace=None, options=None):
        """Execute the protocol's BATCH: `kind` LOGGED, UNLOGGED or COUNTER, entries (text or Prepared, values)."""
        options = options or Options()
        context = self._context(options)
        started = time.perf_counter()
        changes = []
        for statement, values in entries:
            prepared = self._ready(statement, keyspace)
            if not isinstance(prepared.statement, MODIFICATIONS):
                raise InvalidRequest("Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.")
            changes.append((prepared.plan.modification, Env(_values(prepared, values), context.moment)))
        check_kinds(kind, [each for each, _ in changes])
        result = run_batch(kind, changes, context) if changes else Void()
        if options.tracing is not None:
            self._trace(options.tracing, context, "BATCH", started)
        return result

    def _ready(self, statement, keyspace):
        """Return the Prepared of a text, or a Prepared compiled for the schema as it is."""
        if not isinstance(statement, Prepared):
            return self._compiled(statement, keyspace)
        self._compile(statement)
        return statement

    def _context(self, options):
        return Context(self.schema, self.cluster, self.local, self.schema.store, options)

    def _run_other(self, prepared, keyspace, context):
        """Execute what needs no plan: USE, DESCRIBE, definitions, roles."""
        statement = prepared.statement
        if isinstance(statement, definitions.Use):
            self.schema.keyspace(statement.keyspace)
            return SetKeyspace(statement.keyspace)
        if isinstance(statement, cql.Describe):
            return describe(self.schema, statement, keyspace, context, self._local_row)
        if type(statement) in ACCESS:
            return ACCESS[type(statement)](self, statement, context)
        definer = ddl.Definer(self.schema, self.cluster, keyspace)
        change = ddl.EXECUTE[type(statement)](definer, statement)
        if change is None:
            return Void()
        self.schema.changed(change.keyspace)
        return SchemaChange(change.change, change.target, change.keyspace, change.name, warnings=list(change.warnings))

    def _trace(self, trace, context, text, started):
        duration = max(1, int((time.perf_counter() - started) * 1_000_000))
        session, events = trace_rows(trace, context, text, duration, self.address)
        tables = self.schema.keyspaces["system_traces"].tables
        put(self.schema.store, tables["sessions"], session, self.schema.timestamp())
        for event in events:
            put(self.schema.store, tables["events"], event, self.schema.timestamp())

    def reset(self):
        """Drop everything that users have made."""
        mine = [name for name in self.schema.keyspaces if name not in SYSTEM]
        for name in mine:
            for table in self.schema.keyspaces.pop(name).tables.values():
                self.cluster.drop(table)
        self._plans.clear()
        self._prepared.clear()
        if mine:
            self.schema.changed(*mine)


PLANS = {cql.Select: SelectPlan, cql.Batch: BatchPlan, **dict.fromkeys(MODIFICATIONS, ModificationPlan)}


def _values(prepared, values):
    """Return the bound values in the order of the markers, checked in number."""
    columns = prepared.bind_columns
    if isinstance(values, dict):
        return [values.get(column.name, UNSET) for column in columns]
    if len(values) != len(columns):
        if len(values) > len(columns) > 0:
            raise InvalidRequest("Invalid amount of bind variables")
        raise InvalidRequest(f"there were {len(columns)} markers(?) in CQL but {len(values)} bound variables")
    return values


def _shape(prepared):
    """Return what a prepared statement relies on: which table, with which columns."""
    table = getattr(prepared.plan, "table", None)
    return table and (table.id, [(name, str(column.type)) for name, column in table.columns.items()])


def _key_markers(statement, table):
    """Return the places of the markers that give the partition key, in its order; [] when some do not come from markers."""
    if table is None:
        return []
    places = {}
    for each in getattr(statement, "statements", (statement,)):
        pairs = list(zip(getattr(each, "columns", ()), getattr(each, "values", ()), strict=False))
        for relation in getattr(each, "where", ()):
            if isinstance(relation, ColumnRelation) and relation.operator == "=":
                pairs.append((relation.column, relation.value))
        for name, term in pairs:
            if isinstance(term, BindMarker):
                places.setdefault(name, term.index)
    names = [column.name for column in table.partition_key]
    return [places[name] for name in names] if all(name in places for name in names) else []
