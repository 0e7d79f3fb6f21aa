"""Lightweight transactions: INSERT, UPDATE and DELETE with IF, alone or in a batch."""

from stores.cassandra.execute.kinds import BOOLEAN
from stores.cassandra.execute.rows import EMPTY, RowView, inspect, reader
from stores.cassandra.relations import refuse
from stores.cassandra.results import ResultColumn, Rows

APPLIED, NOT_APPLIED = b"\1", b"\0"


def applied_column(table):
    return ResultColumn(table.keyspace, table.name, "[applied]", BOOLEAN)


def run_conditional(changes, context, in_batch=False):
    """Apply the (modification, env) pairs if all conditions hold; return the Rows that say so.

    When they do not, the answer shows the rows as they are.
    """
    attempt = Attempt(changes, context, in_batch)
    context.compare_and_set(attempt.table, attempt.key, attempt.decide)
    return Rows(*attempt.result(), facts=context.facts, warnings=context.warnings)


class Attempt:
    """One transaction: its changes all concern one partition."""

    def __init__(self, changes, context, in_batch):
        self._context = context
        self._in_batch = in_batch
        self._changes = [(modification, env, *self._target(modification, env)) for modification, env in changes]
        self.table = changes[0][0].table
        self.key = self._changes[0][2]
        refuse(any(key != self.key for _, _, key, _ in self._changes), "Batch with conditions cannot span multiple partitions")
        self._applied = False
        self._seen = []  # RowViews

    def _target(self, modification, env):
        targets = modification.targets(env)
        refuse(
            len({key for key, _ in targets}) != 1, f"IN on the partition key is not supported with conditional {modification.plural}"
        )
        refuse(len(targets) > 1, f"IN on the clustering key columns is not supported with conditional {modification.plural}")
        return targets[0]

    def decide(self, partition):
        """Return the deltas to write for the partition as it is: none when a condition does not hold."""
        self._applied, self._seen = True, []
        for modification, env, _, clustering in self._changes:
            conditions = modification.conditions
            if conditions is None:
                continue
            row, static = self._rows(partition, clustering, env.now)
            looks_at_static = modification.static_only or conditions.on_static
            subject = row if row is not None else static if looks_at_static else None
            self._applied = conditions.hold(env, subject) and self._applied
            if subject is not None and not any(other.position == subject.position for other in self._seen):
                self._seen.append(subject)
        if not self._applied:
            return []
        return [delta for modification, env, _, _ in self._changes for delta in modification.deltas(env, self._context)]

    def _rows(self, partition, clustering, now):
        """Return the row and the static row as RowViews, None where they do not exist."""
        if partition is None:
            return None, None
        statics = partition.static.cells if partition.static is not None else EMPTY.cells
        static = row = None
        if partition.static is not None and inspect(partition.static, now)[0]:
            static = RowView(partition, None, EMPTY, statics, now)
        if clustering is not None:
            position = self.table.position(clustering)
            found = partition.row_at(position)
            if found is not None and inspect(found, now)[0]:
                row = RowView(partition, position, found, statics, now)
        return row, static

    def result(self):
        """Return (columns, rows)."""
        table, columns = self.table, [applied_column(self.table)]
        if self._applied:
            return columns, [[APPLIED]]
        if not self._seen:
            return columns, [[NOT_APPLIED]]
        shown = self._shown()
        readers = [reader(table, column) for column in shown]
        columns += [ResultColumn(table.keyspace, table.name, column.name, column.type) for column in shown]
        return columns, [[NOT_APPLIED, *(read(view) for read in readers)] for view in self._seen]

    def _shown(self):
        """Return the columns of the answer: those of the conditions, or all for IF [NOT] EXISTS."""
        asked = [column for change in self._changes if change[0].conditions for column in change[0].conditions.columns]
        if not asked:
            return self.table.all
        keys = [*self.table.partition_key, *self.table.clustering] if self._in_batch else []
        return list(dict.fromkeys([*keys, *asked]))
