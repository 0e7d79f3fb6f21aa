"""Partitions of sorted rows, and the mutations that change them.

Every write is a small partition of its own, a delta. Deltas may arrive in any order and more than once: the
partition that has merged them is the same (see cells.py).
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from stores.cassandra.cells import FAR, NEVER


class _High:
    """Comes after every value: the end of a prefix."""

    __slots__ = ()

    def __lt__(self, other):
        return False

    def __gt__(self, other):
        return other is not self

    def __le__(self, other):
        return other is self

    def __ge__(self, other):
        return True

    def __repr__(self):
        return "HIGH"


# A position lies between rows. Rows stand at the tuple of their clustering columns' sort keys; the position
# just before everything that begins with `prefix` is `prefix` itself, the one just after it prefix + (HIGH,).
HIGH = _High()
START, END = (), (HIGH,)
EVERYTHING = ((START, END),)  # slices: half-open (start, end), in order, not touching


def before(prefix):
    return tuple(prefix)


def after(prefix):
    return (*prefix, HIGH)


class Ranges:
    """Deletions of ranges of rows: sorted, not overlapping, each the latest that covers its positions."""

    __slots__ = ("ends", "starts", "times")

    def __init__(self):
        self.starts, self.ends, self.times = [], [], []

    def add(self, start, end, deletion):
        """Delete [start, end), where an older deletion or none covers it."""
        low = bisect_left(self.ends, start)  # the first that could touch
        high = bisect_right(self.starts, end)
        pieces, at = [], start
        for i in range(low, high):
            old_start, old_end, old = self.starts[i], self.ends[i], self.times[i]
            if old >= deletion:
                pieces += [(at, old_start, deletion), (old_start, old_end, old)]
            else:
                pieces += [(old_start, start, old), (at, min(old_end, end), deletion), (end, old_end, old)]
            at = max(at, min(old_end, end))
        pieces.append((at, end, deletion))
        joined = []
        for first, last, time in sorted(piece for piece in pieces if piece[0] < piece[1]):
            if joined and joined[-1][1] == first and joined[-1][2] == time:
                joined[-1] = (joined[-1][0], last, time)
            else:
                joined.append((first, last, time))
        self._replace(low, high, joined)

    def at(self, position):
        """Return the deletion that covers the row at `position`."""
        i = bisect_right(self.starts, position) - 1
        return self.times[i] if i >= 0 and position < self.ends[i] else NEVER

    def within(self, start, end):
        """Return the (start, end, deletion) that touch [start, end), cut to it."""
        low, high = bisect_right(self.ends, start), bisect_left(self.starts, end)
        return [(max(start, self.starts[i]), min(end, self.ends[i]), self.times[i]) for i in range(low, high)]

    def drop(self, useless):
        """Forget the deletions for which useless(deletion) is true."""
        kept = [piece for piece in self if not useless(piece[2])]
        self._replace(0, len(self.starts), kept)

    def _replace(self, low, high, pieces):
        self.starts[low:high] = [piece[0] for piece in pieces]
        self.ends[low:high] = [piece[1] for piece in pieces]
        self.times[low:high] = [piece[2] for piece in pieces]

    def __iter__(self):
        return zip(self.starts, self.ends, self.times, strict=True)

    def __len__(self):
        return len(self.starts)

    def __eq__(self, other):
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None


class Partition:
    """The rows of one partition key, sorted by position; also a delta, also a part of either.

    `key` is the tuple of the serialised values of the partition key columns.
    """

    __slots__ = ("deleted", "key", "oldest", "positions", "ranges", "rows", "static", "token")

    def __init__(self, key, token):
        self.key = key
        self.token = token
        self.deleted = NEVER
        self.static = None  # Row
        self.positions = []
        self.rows = []
        self.ranges = None
        self.oldest = FAR  # no tombstone in here is older, in seconds

    # what a delta is made with

    def put(self, position, row):
        """Merge one row in."""
        row = self._adopted(row, self.deletion_at(position))
        if row is None:
            return
        positions = self.positions
        if not positions or position > positions[-1]:
            positions.append(position)
            self.rows.append(row)
            return
        i = bisect_left(positions, position)
        if positions[i] == position:
            self.rows[i] = self.rows[i].merged(row)
        else:
            positions.insert(i, position)
            self.rows.insert(i, row)

    def put_static(self, row):
        row = self._adopted(row, self.deleted)
        if row is not None:
            self.static = row if self.static is None else self.static.merged(row)

    def delete(self, deletion):
        """Delete the whole partition."""
        if deletion > self.deleted:
            self.deleted = deletion
            self.oldest = min(self.oldest, deletion.when)
            if self.ranges is not None:
                self.ranges.drop(lambda other: other <= deletion)
            if self.static is not None:
                self.static = self.static.pruned(deletion)
            self._replace(0, len(self.rows), lambda position, row: row.pruned(deletion))

    def delete_range(self, start, end, deletion):
        """Delete the rows in [start, end)."""
        if start >= end or deletion <= self.deleted:
            return
        if self.ranges is None:
            self.ranges = Ranges()
        self.ranges.add(start, end, deletion)
        self.oldest = min(self.oldest, deletion.when)
        low, high = self._span(start, end)
        self._replace(low, high, lambda position, row: row.pruned(deletion))

    # what replicas do with deltas

    def merge(self, other):
        """Take in everything that `other` says."""
        self.delete(other.deleted)
        if other.ranges is not None:
            for start, end, deletion in other.ranges:
                self.delete_range(start, end, deletion)
        if other.static is not None:
            self.put_static(other.static)
        for position, row in zip(other.positions, other.rows, strict=True):
            self.put(position, row)

    def purge(self, now, grace):
        """Drop tombstones older than `grace` (seconds): those that every replica should have seen."""
        if self.oldest >= grace:
            return
        if self.deleted.when < grace:
            self.deleted = NEVER
        if self.ranges is not None:
            self.ranges.drop(lambda deletion: deletion.when < grace)
        if self.static is not None:
            self.static = self.static.purged(now, grace)
        self._replace(0, len(self.rows), lambda position, row: row.purged(now, grace))
        rows = self.rows if self.static is None else [self.static, *self.rows]
        times = [deletion.when for _, _, deletion in self.ranges or ()]
        self.oldest = min([self.deleted.when, *times, *(row.oldest() for row in rows)])

    # reading

    def __bool__(self):
        return bool(self.rows or self.static is not None or self.ranges or self.deleted is not NEVER)

    def deletion_at(self, position):
        """Return the deletion of the partition or of a range that covers the row at `position`."""
        return self.deleted if self.ranges is None else max(self.deleted, self.ranges.at(position))

    def row_at(self, position):
        i = bisect_left(self.positions, position)
        return self.rows[i] if i < len(self.rows) and self.positions[i] == position else None

    def items(self, slices=EVERYTHING, backwards=False):
        """Yield (position, row) in the order of the clustering columns, or backwards."""
        for start, end in reversed(slices) if backwards else slices:
            low, high = self._span(start, end)
            for i in range(high - 1, low - 1, -1) if backwards else range(low, high):
                yield self.positions[i], self.rows[i]

    def part(self, slices):
        """Return a copy with the rows and deletions inside `slices`; the static row and partition deletion too."""
        copy = Partition(self.key, self.token)
        copy.deleted, copy.static, copy.oldest = self.deleted, self.static, self.oldest
        for start, end in slices:
            low, high = self._span(start, end)
            copy.positions += self.positions[low:high]
            copy.rows += self.rows[low:high]
            for piece in self.ranges.within(start, end) if self.ranges else ():
                copy.ranges = copy.ranges or Ranges()
                copy.ranges.add(*piece)
        return copy

    def __eq__(self, other):
        if not isinstance(other, Partition):
            return NotImplemented
        mine = (self.key, self.deleted, self.static, self.positions, self.rows, list(self.ranges or ()))
        return mine == (other.key, other.deleted, other.static, other.positions, other.rows, list(other.ranges or ()))

    __hash__ = None

    def __repr__(self):
        return f"<Partition {self.key!r}: {len(self.rows)} rows>"

    def _span(self, start, end):
        low = 0 if start == START else bisect_left(self.positions, start)
        high = len(self.positions) if end == END else bisect_left(self.positions, end, low)
        return low, high

    def _adopted(self, row, deletion):
        oldest = row.oldest()
        if oldest < self.oldest:
            self.oldest = oldest
        if deletion is NEVER and row.deleted is NEVER and (row.cells or row.live):
            return row
        return row.pruned(deletion)

    def _replace(self, low, high, change):
        pairs = [(p, change(p, row)) for p, row in zip(self.positions[low:high], self.rows[low:high], strict=True)]
        self.positions[low:high] = [position for position, row in pairs if row is not None]
        self.rows[low:high] = [row for _, row in pairs if row is not None]


class Mutation(NamedTuple):
    """A delta for one partition of one table. `table` is a schema.Table."""

    table: object
    update: Partition
