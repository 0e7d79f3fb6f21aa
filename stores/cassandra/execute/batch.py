"""BATCH: several modifications at once, as a statement or as a message of the protocol."""

from stores.cassandra.cells import Complex
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import BIGINT
from stores.cassandra.execute.lightweight import run_conditional
from stores.cassandra.execute.modify import modification
from stores.cassandra.execute.terms import Compiler
from stores.cassandra.relations import refuse
from stores.cassandra.results import UNSET, Void
from stores.cassandra.storage import Partition
from stores.cassandra.store import number

SIZE_WARN, SIZE_FAIL = 5 * 1024, 50 * 1024  # bytes
MANY_PARTITIONS = 10
# What Cassandra counts of a batch besides the values, in bytes: see dataSize() of PartitionUpdate, Row, Cell and their parts.
PARTITION_SIZE, ROW_SIZE, TTL_SIZE, CELL_SIZE, COMPLEX_SIZE = 8, 21, 12, 20, 12
RANGE_LIST_SIZE, RANGE_SIZE = 4, 12
LIST_PATH_SIZE = 16  # a timeuuid; here the places in a list have another form


class BatchPlan:
    """A compiled BATCH statement."""

    columns = ()

    def __init__(self, schema, statement, keyspace):
        markers = statement.markers
        self.kind = statement.kind
        self.modifications = [modification(schema, each, keyspace, markers) for each in statement.statements]
        table = self.modifications[0].table if self.modifications else None
        own = Compiler(schema, table, markers, keyspace)
        using = statement.using
        refuse(using.ttl is not None, "Global TTL on the BATCH statement is not supported.")
        self._timestamp = own.value(using.timestamp, "[timestamp]", BIGINT) if using.timestamp is not None else None
        if self._timestamp is not None:
            refuse(self.kind == "COUNTER", "Cannot provide custom timestamp for counter BATCH")
            refuse(any(each.conditions for each in self.modifications), "Cannot provide custom timestamp for conditional BATCH")
            refuse(
                any(each.has_timestamp for each in self.modifications),
                "Timestamp must be set either on BATCH or individual statements",
            )
        check_kinds(self.kind, self.modifications)
        parts = [own.bound, *(each.bound for each in self.modifications)]
        self.bound = [next((part[i] for part in parts if part[i] is not None), None) for i in range(len(markers))]
        self.table = table

    def run(self, env, context):
        if self._timestamp is not None:
            value = self._timestamp(env)
            refuse(value is None, "Invalid null value of timestamp")
            if value is not UNSET:
                context.timestamp = number(value)
        return run_batch(self.kind, [(each, env) for each in self.modifications], context)


def check_kinds(kind, modifications):
    """Refuse batches that mix counters with other tables."""
    counters = [each.table.is_counter for each in modifications]
    refuse(kind == "COUNTER" and not all(counters), "Cannot include non-counter statement in a counter batch")
    refuse(any(counters) and not all(counters), "Counter and non-counter mutations cannot exist in the same batch")
    refuse(kind == "LOGGED" and any(counters), "Cannot include a counter statement in a logged batch")
    if any(each.conditions for each in modifications):
        refuse(len({each.table.id for each in modifications}) > 1, "Batch with conditions cannot span multiple tables")


def run_batch(kind, changes, context):
    """Execute (modification, env) pairs as one batch."""
    if any(each.conditions for each, _ in changes):
        return run_conditional(changes, context, in_batch=True)
    if changes and changes[0][0].table.is_counter:
        # Two increments of one counter add up, so each is a mutation of its own.
        for each, env in changes:
            context.write([(each.table, delta) for delta in each.deltas(env, context)], "COUNTER")
        return Void(facts=context.facts, warnings=context.warnings)
    merged = {}
    for each, env in changes:
        for delta in each.deltas(env, context):
            place = (each.table.id, delta.key)
            if place not in merged:
                merged[place] = (each.table, Partition(delta.key, delta.token))
            merged[place][1].merge(delta)
    _check_size(kind, merged.values(), context)
    context.write(list(merged.values()), "BATCH" if kind == "LOGGED" else "UNLOGGED_BATCH")
    return Void(facts=context.facts, warnings=context.warnings)


def _check_size(kind, deltas, context):
    tables = list(dict.fromkeys(str(table) for table, _ in deltas))
    shown = f"[{', '.join(tables)}]"
    mutations = {(table.keyspace, delta.key) for table, delta in deltas}  # what goes to one partition's nodes goes together
    if len(mutations) > 1:  # a batch for one partition may be as large as it likes
        size = sum(_size(*each) for each in deltas)
        if size > SIZE_FAIL:
            raise InvalidRequest("Batch too large")
        if size > SIZE_WARN:
            context.warnings.append(
                f"Batch for {shown} is of size {size}, exceeding specified threshold of {SIZE_WARN} by {size - SIZE_WARN}."
            )
    keys = {delta.key for _, delta in deltas}
    if kind == "UNLOGGED" and len(keys) > MANY_PARTITIONS:
        context.warnings.append(
            f"Unlogged batch covering {len(keys)} partitions detected against table{'s' if len(tables) > 1 else ''} {shown}. "
            "You should use a logged batch for atomicity, or asynchronous writes for performance."
        )


def _size(table, delta):
    """Return the bytes of a delta as Cassandra counts them: neither its key nor the names of columns.

    Of a deleted range the bounds are left out, which are known in another form here.
    """
    size = PARTITION_SIZE + sum(_row_size(table, row) for row in delta.rows)
    size += ROW_SIZE if delta.static is None else _row_size(table, delta.static)
    return size if delta.ranges is None else size + RANGE_LIST_SIZE + RANGE_SIZE * len(delta.ranges)


def _row_size(table, row):
    size = ROW_SIZE + sum(len(value) for value in row.clustering if value)
    if row.live is not None and row.live.ttl:
        size += TTL_SIZE
    for name, column in row.cells.items():
        if isinstance(column, Complex):
            is_list = table.columns[name].type.kind == "list"
            size += COMPLEX_SIZE + sum(LIST_PATH_SIZE if is_list else len(path) for path in column.cells)
            size += sum(map(_cell_size, column.cells.values()))
        else:
            size += _cell_size(column)
    return size


def _cell_size(cell):
    return CELL_SIZE + len(cell.value or b"")
