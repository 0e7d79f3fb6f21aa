"""INSERT, UPDATE and DELETE compiled into modifications: functions from bound values to deltas of partitions."""

import decimal
import json

from stores.cassandra.cells import Deletion, Row
from stores.cassandra.cql import statements as cql
from stores.cassandra.errors import InvalidRequest, SyntaxException
from stores.cassandra.execute.conditions import Conditions
from stores.cassandra.execute.kinds import BIGINT, INT, TEXT
from stores.cassandra.execute.operations import Write, operation, set_value
from stores.cassandra.execute.ranges import checked, clustering_lister, decorated, key_lister, selector
from stores.cassandra.execute.terms import Compiler
from stores.cassandra.murmur3 import MIN_TOKEN
from stores.cassandra.relations import refuse
from stores.cassandra.restrictions import Restrictions
from stores.cassandra.results import UNSET
from stores.cassandra.schema import STATIC
from stores.cassandra.storage import Partition
from stores.cassandra.store import number

LONGEST_TTL = 20 * 365 * 24 * 3600


class Modification:
    """A compiled INSERT, UPDATE or DELETE.

    `targets(env)` lists the ((token, key), clustering or None for the static row) that it changes;
    `deltas(env, context)` lists the Partitions to merge. A `context` has the default timestamp, the time of
    new list elements and how to read (see engine.Writing).
    """

    plural = "updates"  # as messages say it

    def __init__(self, compiler, statement):
        self.compiler = compiler
        self.table = compiler.table
        self.statement = statement
        self.static_only = False
        self.writes_static = False
        self.conditions = None
        refuse(self.table.view is not None, "Cannot directly modify a materialized view")
        refuse(self.table.is_virtual, f"Modification is not supported by table {self.table}")
        self._prepare_using(statement.using)

    @property
    def bound(self):
        return self.compiler.bound

    @property
    def has_timestamp(self):
        return self._timestamp is not None

    def _prepare_using(self, using):
        compiler = self.compiler
        self._timestamp = compiler.value(using.timestamp, "[timestamp]", BIGINT) if using.timestamp else None
        self._ttl = compiler.value(using.ttl, "[ttl]", INT) if using.ttl else None
        if self.table.is_counter:
            refuse(self._timestamp, "Cannot provide custom timestamp for counter updates")
            refuse(self._ttl, "Cannot provide custom TTL for counter updates")

    def _conditions(self, conditions, if_exists=False, if_not_exists=False):
        if conditions or if_exists or if_not_exists:
            self.conditions = Conditions(self.compiler, conditions, if_exists, if_not_exists)
            refuse(self.table.is_counter, "Conditional updates are not supported on counter tables")
            refuse(self._timestamp, "Cannot provide custom timestamp for conditional updates")

    def write(self, env, context):
        """Return the Write for the values of USING."""
        timestamp, ttl = context.timestamp, self.table.options["default_time_to_live"]
        if self._timestamp is not None:
            value = self._timestamp(env)
            refuse(value is None, "Invalid null value of timestamp")
            if value is not UNSET:
                timestamp = number(value)
                refuse(timestamp == MIN_TOKEN, f"Out of bound timestamp, must be in [{-(2**63) + 1}, {2**63 - 1}]")
        if self._ttl is not None:
            value = self._ttl(env)
            if value is not UNSET:
                ttl = INT.deserialize(value) or 0 if value is not None else 0
                refuse(ttl < 0, f"A TTL must be greater or equal to 0, but was {ttl}")
                refuse(ttl > LONGEST_TTL, f"ttl is too large. requested ({ttl}) maximum ({LONGEST_TTL})")
        return Write(env, timestamp, ttl, env.now, context.new_time)

    def _row(self, delta, write, clustering, operations):
        """Put into `delta` what the operations make of one row, and of the static row."""
        static, cells = {}, {}
        for column, operate in operations:
            operate(static if column.kind == STATIC else cells, write)
        if static:
            delta.put_static(Row((), static))
        if clustering is not None and cells:
            delta.put(self.table.position(clustering), Row(clustering, cells))


class InsertPlan(Modification):
    """INSERT, and INSERT JSON."""

    def __init__(self, compiler, statement):
        super().__init__(compiler, statement)
        table = self.table
        refuse(table.is_counter, "INSERT statements are not allowed on counter tables, use UPDATE instead")
        self._values = self._json(statement) if isinstance(statement, cql.InsertJson) else self._columns(statement)
        self._others = [column for column in (*table.static, *table.regular)]
        self._conditions((), if_not_exists=statement.if_not_exists)

    def _columns(self, statement):
        table, values = self.table, {}
        refuse(len(statement.columns) != len(statement.values), "Unmatched column names/values")
        for name, term in zip(statement.columns, statement.values, strict=True):
            column = table.column(name)
            refuse(name in values, "The column names contains duplicates")
            values[name] = self.compiler.value(term, name, column.type)
        given = [table.columns[name] for name in values]
        self.static_only = (
            bool(table.clustering)
            and any(column.kind == STATIC for column in given)
            and all(column.kind in (STATIC, "partition_key") for column in given)
        )
        self.writes_static = any(column.kind == STATIC for column in given)
        missing = [column.name for column in table.partition_key if column.name not in values]
        refuse(missing, f"Some partition key parts are missing: {', '.join(missing)}")
        missing = [column.name for column in table.clustering if column.name not in values]
        refuse(missing and not self.static_only, f"Some clustering keys are missing: {', '.join(missing)}")
        pairs = list(values.items())
        return lambda env: {name: evaluate(env) for name, evaluate in pairs}

    def _json(self, statement):
        evaluate = self.compiler.value(statement.json, "[json]", TEXT)
        absent = UNSET if statement.default_unset else None

        def values(env):
            text = evaluate(env)
            refuse(text is None or text is UNSET, "Got null for INSERT JSON values")
            return _from_json(self.table, text.decode(), absent)

        return values

    def targets(self, env):
        values = self._values(env)
        return [(self._key(values), self._clustering(values))]

    def _key(self, values):
        return decorated([checked(column.name, values[column.name]) for column in self.table.partition_key])

    def _clustering(self, values):
        if self.static_only:
            return None
        return tuple(checked(column.name, values[column.name]) for column in self.table.clustering)

    def deltas(self, env, context):
        values, write = self._values(env), self.write(env, context)
        token, key = self._key(values)
        delta = Partition(key, token)
        static, cells = {}, {}
        for column in self._others:
            value = values.get(column.name, UNSET)
            if value is not UNSET:
                set_value(static if column.kind == STATIC else cells, write, column, value)
        if static:
            delta.put_static(Row((), static))
        clustering = self._clustering(values)
        if clustering is not None:
            delta.put(self.table.position(clustering), Row(clustering, cells, write.cell(b"")))
        return [delta]


def _from_json(table, text, absent):
    """Return the serialised values by column of a JSON object."""
    try:
        found = json.loads(text, parse_float=decimal.Decimal)
    except ValueError as error:
        raise InvalidRequest(f"Could not decode JSON string as a map: {error}. (String was: {text})") from None
    refuse(found is None, "Got null for INSERT JSON values")
    refuse(not isinstance(found, dict), f"Could not decode JSON string as a map: expected an object. (String was: {text})")
    found = {_column_name(name): value for name, value in found.items()}
    unknown = [name for name in found if name not in table.columns]
    refuse(unknown, f"JSON values map contains unrecognized column: {''.join(unknown[:1])}")
    values = {}
    for column in table.all:
        value = found.get(column.name)
        if column.name not in found:
            values[column.name] = None if column.is_key else absent
        elif value is None:
            values[column.name] = None
        else:
            try:
                values[column.name] = column.type.from_json(value)
            except InvalidRequest as error:
                raise InvalidRequest(f"Error decoding JSON value for {column.name}: {error.message}") from None
    return values


def _column_name(key):
    return key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key.lower()


class UpdatePlan(Modification):
    """UPDATE."""

    def __init__(self, compiler, statement):
        super().__init__(compiler, statement)
        self._operations = _operations(compiler, statement.assignments, "PRIMARY KEY part {} found in SET part")
        columns = [column for column, _ in self._operations]
        self.writes_static = any(column.kind == STATIC for column in columns)
        self.static_only = bool(columns) and all(column.kind == STATIC for column in columns)
        restrictions = Restrictions(compiler, statement.where, "UPDATE", static_only=self.static_only)
        self._keys, self._clusterings = key_lister(restrictions), clustering_lister(restrictions)
        self._conditions(statement.conditions, statement.if_exists)

    def targets(self, env):
        clusterings = [None] if self.static_only else self._clusterings(env)
        return [(key, clustering) for key in self._keys(env) for clustering in clusterings]

    def deltas(self, env, context):
        write, deltas = self.write(env, context), {}
        for key, clustering in self.targets(env):
            delta = deltas.get(key)
            if delta is None:
                delta = deltas[key] = Partition(key[1], key[0])
            write.current = context.reader(self.table, key, clustering)
            self._row(delta, write, clustering, self._operations)
        return list(deltas.values())


class DeletePlan(Modification):
    """DELETE: of columns, rows, slices of rows, or partitions."""

    plural = "deletions"

    def __init__(self, compiler, statement):
        super().__init__(compiler, statement)
        message = "Invalid identifier {} for deletion (should not be a PRIMARY KEY part)"
        self._operations = _operations(compiler, statement.deletions, message)
        columns = [column for column, _ in self._operations]
        self.writes_static = any(column.kind == STATIC for column in columns)
        self.static_only = bool(columns) and all(column.kind == STATIC for column in columns)
        restrictions = Restrictions(compiler, statement.where, "DELETE", static_only=self.static_only)
        self._keys, self._clusterings = key_lister(restrictions), clustering_lister(restrictions)
        self._slices = selector(restrictions)
        self._whole_partitions = not restrictions.clusterings
        self._is_range = self._clusterings is None
        self._conditions(statement.conditions, statement.if_exists)
        if self.conditions and self._is_range:
            message = "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to {}"
            refuse(not self.static_only, message.format("delete non static columns"))
            refuse(self.conditions.on_regular, message.format("use IF condition on non static columns"))

    def targets(self, env):
        clusterings = [None] if self._is_range or self.static_only else self._clusterings(env)
        return [(key, clustering) for key in self._keys(env) for clustering in clusterings]

    def deltas(self, env, context):
        refuse(self._is_range and self._operations and not self.static_only, "Range deletions are not supported for specific columns")
        write, deltas = self.write(env, context), {}
        deletion = Deletion(write.timestamp, write.now)
        for key, clustering in self.targets(env):
            delta = deltas.setdefault(key, Partition(key[1], key[0]))
            if self._operations:
                write.current = context.reader(self.table, key, clustering)
                self._row(delta, write, clustering, self._operations)
            elif self._whole_partitions:
                delta.delete(deletion)
            elif self._is_range:
                for start, end in self._slices(env).slices:
                    delta.delete_range(start, end, deletion)
            else:
                delta.put(self.table.position(clustering), Row(clustering, deleted=deletion))
        return list(deltas.values())


def _operations(compiler, nodes, key_message):
    """Return (column, function) for assignments or deletions, or refuse those that contradict each other."""
    operations, seen = [], {}
    for node in nodes:
        column = compiler.table.column(node.column)
        refuse(column.is_key, key_message.format(column.name))
        whole = isinstance(node, cql.SetColumn)
        if column.name in seen and (whole or seen[column.name]):
            raise SyntaxException(f"Multiple incompatible setting of column {column.name}")
        seen[column.name] = whole
        operations.append((column, operation(compiler, column, node)))
    return operations


PLANS = {cql.Insert: InsertPlan, cql.InsertJson: InsertPlan, cql.Update: UpdatePlan, cql.Delete: DeletePlan}


def modification(schema, statement, keyspace, markers=None):
    """Compile INSERT, UPDATE or DELETE. `markers` are those of the batch around it, if there is one."""
    table = schema.table(statement.table, keyspace)
    compiler = Compiler(schema, table, statement.markers if markers is None else markers)
    return PLANS[type(statement)](compiler, statement)
