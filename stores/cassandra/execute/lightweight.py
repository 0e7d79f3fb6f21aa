"""Lightweight transactions: INSERT, UPDATE and DELETE with IF, alone or in a batch."""

from stores.cassandra.cells import Row
from stores.cassandra.execute.kinds import BOOLEAN
from stores.cassandra.execute.rows import EMPTY, RowView, inspect, reader
from stores.cassandra.relations import refuse
from stores.cassandra.results import ResultColumn, Rows
from stores.cassandra.schema import STATIC

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
        self._check_mixed()
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
            static = RowView(partition, *self._first_row(partition, now), statics, now)
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
        readers = [self._reader(column) for column in shown]
        columns += [ResultColumn(table.keyspace, table.name, column.name, column.type) for column in shown]
        return columns, [[NOT_APPLIED, *(read(view) for read in readers)] for view in self._seen]

    def _reader(self, column):
        """Return the reader of a column. Static ones are only read when the transaction writes or asks about static columns."""
        conditions = [each[0].conditions for each in self._changes if each[0].conditions]
        asked = any(column in each.columns for each in conditions) or any(each[0].writes_static for each in self._changes)
        return reader(self.table, column) if column.kind != STATIC or asked else lambda view: None

    def _first_row(self, partition, now):
        """Return (position, row) that Cassandra shows beside static columns: the keys of the partition's first row."""
        for position, row in partition.items():
            if inspect(row, now)[0]:
                return position, Row(row.clustering)
        return None, EMPTY

    def _check_mixed(self):
        """Refuse conditions on one row that exclude each other."""
        kinds = {}
        for modification, _, _, clustering in self._changes:
            conditions = modification.conditions
            if conditions:
                kind = "IF EXISTS" if conditions.if_exists else "IF NOT EXISTS" if conditions.if_not_exists else "IF"
                kinds.setdefault(clustering, set()).add(kind)
        for found in kinds.values():
            refuse({"IF EXISTS", "IF NOT EXISTS"} <= found, "Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row")
            others = found - {"IF"}
            refuse("IF" in found and others, f"Cannot mix IF conditions and {''.join(sorted(others)[:1])} for the same row")

    def _shown(self):
        """Return the columns of the answer: those of the conditions, or all for IF [NOT] EXISTS."""
        asked = [column for change in self._changes if change[0].conditions for column in change[0].conditions.columns]
        if not asked or any(change[0].conditions.on_existence for change in self._changes if change[0].conditions):
            return self.table.all
        asked.sort(key=lambda column: column.kind == STATIC)
        keys = [*self.table.partition_key, *self.table.clustering] if self._in_batch else []
        return list(dict.fromkeys([*keys, *asked]))
