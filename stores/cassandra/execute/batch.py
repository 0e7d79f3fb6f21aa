"""BATCH: several modifications at once, as a statement or as a message of the protocol."""

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
CELL_SIZE = 16  # bytes that a cell takes besides its value, about


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
    if len(deltas) > 1:  # a batch for one partition may be as large as it likes
        size = sum(_size(delta) for _, delta in deltas)
        if size > SIZE_FAIL:
            raise InvalidRequest("Batch too large")
        if size > SIZE_WARN:
            context.warnings.append(
                f"Batch for {shown} is of size {size}, exceeding specified threshold of {SIZE_WARN} by {size - SIZE_WARN}."
            )
    if kind == "UNLOGGED" and len(deltas) > MANY_PARTITIONS:
        context.warnings.append(
            f"Unlogged batch covering {len(deltas)} partitions detected against table{'s' if len(tables) > 1 else ''} {shown}. "
            "You should use a logged batch for atomicity, or asynchronous writes for performance."
        )


def _size(delta):
    """Return about how many bytes the values of a delta are."""
    size = sum(map(len, delta.key))
    for row in [*delta.rows, *([delta.static] if delta.static else [])]:
        size += sum(map(len, row.clustering)) + CELL_SIZE
        for each in row.cells.values():
            for cell in getattr(each, "cells", {0: each}).values():
                size += CELL_SIZE + len(cell.value or b"")
    return size
