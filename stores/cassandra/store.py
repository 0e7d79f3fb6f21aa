"""The tables of one node, and a cluster of one node: what the engine writes to and reads from."""

import struct
from bisect import bisect_left, insort
from dataclasses import dataclass

from stores.cassandra.cells import LIVE, Cell, Complex, Row
from stores.cassandra.storage import EVERYTHING, Mutation, Partition

# In an increment, the counter's cell stands at this path until a replica has counted it under its own name.
INCREMENT = b""


@dataclass(frozen=True)
class ReadCommand:
    """What to read of one table: the partitions with these keys, or else a range of the ring.

    `keys` are (token, key) pairs in the order wanted; a key is the tuple of serialised values. A range goes
    from `start` up to but not with `end`, both (token,), (token, key) or (token, key, 0), the place after that
    key; None means the end of the ring. `slices` are the parts of each partition that matter (see storage.py)
    and `limit`, if any, is how many rows of a partition the reader expects to look at.
    """

    keys: tuple | None = None
    start: tuple | None = None
    end: tuple | None = None
    slices: tuple = EVERYTHING
    backwards: bool = False
    limit: int | None = None

    def holds(self, token, key):
        """Return whether the partition is one of those to read."""
        if self.keys is not None:
            return (token, key) in self.keys
        place = (token, key)
        return (self.start is None or place >= self.start) and (self.end is None or place < self.end)


class Store:
    """The data of one node by table id. `name` (bytes) tells its counts from those of other nodes."""

    def __init__(self, clock, name=b"1"):
        self.clock = clock
        self.name = name
        self._tables = {}  # id: {key: Partition}
        self._ring = {}  # id: sorted [(token, key)]
        self._counts = {}  # id: {((key, position), column): Cell}, this node's own counts

    def apply(self, mutation):
        """Merge one mutation in."""
        delta = mutation.update
        partitions = self._tables.setdefault(mutation.table.id, {})
        partition = partitions.get(delta.key)
        if partition is None:
            partition = partitions[delta.key] = Partition(delta.key, delta.token)
            insort(self._ring.setdefault(mutation.table.id, []), (delta.token, delta.key))
        partition.merge(delta)

    def count(self, mutation):
        """Return the mutation in which this node's own counts stand in place of the increments.

        A counter is the sum of a count for each node; each node changes only its own.
        """
        delta = mutation.update
        partition = self.partition(mutation.table, delta.key)
        counted = delta.part(())
        counted.static, counted.ranges = None, delta.ranges
        if delta.static is not None:
            counted.put_static(self._counted(mutation.table, (delta.key, None), delta.static, partition and partition.static))
        for position, row in zip(delta.positions, delta.rows, strict=True):
            old = partition and partition.row_at(position)
            counted.put(position, self._counted(mutation.table, (delta.key, position), row, old))
        return Mutation(mutation.table, counted)

    def _counted(self, table, place, row, old):
        # As Cassandra's counter cache, ours remembers counts beyond the deletion of their row: they go on from there.
        cells, known = {}, self._counts.setdefault(table.id, {})
        for name, column in row.cells.items():
            cells[name] = column
            if isinstance(column, Complex) and INCREMENT in column.cells:
                before = known.get((place, name))
                if before is None:
                    before = old and old.cells.get(name)
                    before = before and before.cells.get(self.name)
                new = column.cells[INCREMENT]
                value, timestamp = number(new.value), new.timestamp
                if before:
                    value, timestamp = value + number(before.value), max(timestamp, before.timestamp + 1)
                others = {path: each for path, each in column.cells.items() if path != INCREMENT}
                known[place, name] = count = Cell(timestamp, LIVE, 0, wrapped(value))
                cells[name] = Complex({**others, self.name: count}, column.deleted)
        return Row(row.clustering, cells, row.live, row.deleted)

    def read(self, table, command):
        """Yield the partitions that exist, whole: the reader keeps to the slices of the command."""
        partitions = self._tables.get(table.id)
        if not partitions:
            return
        now = int(self.clock.now())
        for _, key in self.keys(table, command):
            partition = partitions.get(key)
            if partition is not None:
                partition.purge(now, now - table.gc_grace)
                if partition:
                    yield partition

    def keys(self, table, command):
        """Return the (token, key) that the command names, or those that exist in its range of the ring."""
        if command.keys is not None:
            return command.keys
        ring = self._ring.get(table.id, [])
        low = 0 if command.start is None else bisect_left(ring, command.start)
        high = len(ring) if command.end is None else bisect_left(ring, command.end)
        return ring[low:high]

    def partition(self, table, key):
        """Return one partition or None."""
        return self._tables.get(table.id, {}).get(key)

    def truncate(self, table):
        """Forget a table's data."""
        for each in (self._tables, self._ring, self._counts):
            each.pop(table.id, None)

    def forget(self, table, key):
        """Forget one partition, leaving no tombstone: for tables that the engine itself fills."""
        partition = self._tables.get(table.id, {}).pop(key, None)
        if partition is not None:
            ring = self._ring[table.id]
            del ring[bisect_left(ring, (partition.token, key))]

    def drop_column(self, table, name):
        """Forget the values of one column."""
        for partition in self._tables.get(table.id, {}).values():
            for row in partition.rows if partition.static is None else [partition.static, *partition.rows]:
                row.cells.pop(name, None)

    def compact(self, table):
        """Drop the tombstones that are older than the table's grace period."""
        now = int(self.clock.now())
        for key, partition in list(self._tables.get(table.id, {}).items()):
            partition.purge(now, now - table.gc_grace)
            if not partition:
                self.forget(table, key)


def number(value):
    """Return the number in a serialised bigint."""
    return struct.unpack(">q", value)[0]


def wrapped(value):
    """Return a number as a serialised bigint; beyond 64 bits it starts again at the other end, as in Java."""
    return struct.pack(">q", (value + 2**63) % 2**64 - 2**63)


class SingleNode:
    """A cluster of one node that is always available. A ring offers the same methods (see coordinator.py).

    `consistency` is Cassandra's number of a consistency level; `kind` the write type that a timeout names:
    SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, CAS, VIEW.
    """

    def __init__(self, clock):
        self.store = Store(clock)

    def write(self, mutations, consistency, kind="SIMPLE"):
        """Apply mutations. Those of counter tables (kind COUNTER) hold increments."""
        for mutation in mutations:
            self.store.apply(self.store.count(mutation) if kind == "COUNTER" else mutation)

    def read(self, table, command, consistency):
        """Yield the partitions that the command names, in its order, merged over the replicas asked."""
        return self.store.read(table, command)

    def compare_and_set(self, table, key, decide, serial_consistency, consistency):
        """Read the partition of (token, key), call decide(partition or None) and apply the mutations it returns."""
        partition = next(self.read(table, ReadCommand(keys=(key,)), serial_consistency), None)
        self.write(decide(partition), consistency, "CAS")

    def truncate(self, table):
        self.store.truncate(table)

    def drop(self, table):
        """Forget a table that no longer exists."""
        self.store.truncate(table)

    def drop_column(self, table, name):
        self.store.drop_column(table, name)
