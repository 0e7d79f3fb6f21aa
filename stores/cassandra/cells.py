"""Cells, the values with a time, and rows of them: how two versions of either become one.

Merging takes the latest of everything and is commutative, associative and idempotent. What a deletion hides
is dropped as soon as both have met, so that a row has one form only for what it means.
"""

from typing import NamedTuple

LIVE, EXPIRING, TOMBSTONE = range(3)  # in the order in which they win at the same timestamp
MIN_TIMESTAMP, MAX_TIMESTAMP = -(2**63), 2**63 - 1
FAR = 2**63 - 1  # seconds; later than every deletion


class Cell(NamedTuple):
    """One value with its time. The fields are in the order in which Cassandra compares two cells.

    `timestamp` is in microseconds, `expires` in seconds: for a tombstone the time of the deletion.
    """

    timestamp: int
    kind: int
    expires: int
    value: bytes | None
    ttl: int = 0

    def alive(self, now):
        return self.kind == LIVE or (self.kind == EXPIRING and self.expires > now)

    def pruned(self, deletion):
        """Return self, or None when `deletion` hides it."""
        return self if self.timestamp > deletion.timestamp else None

    def purged(self, now, grace):
        """Return self, or None for a tombstone of before `grace` (seconds)."""
        # An expired cell counts as deleted from the moment it was written, as in Cassandra.
        return None if self.kind and self.expires - self.ttl < grace and not self.alive(now) else self


def cell(timestamp, value, now, ttl=0):
    """Return the cell that a write makes: a tombstone when `value` is None."""
    if value is None:
        return Cell(timestamp, TOMBSTONE, now, None)
    if ttl:
        return Cell(timestamp, EXPIRING, now + ttl, value, ttl)
    return Cell(timestamp, LIVE, 0, value)


class Deletion(NamedTuple):
    """Everything up to and with `timestamp` (microseconds) is deleted; `when` (seconds) starts the grace period."""

    timestamp: int
    when: int


NEVER = Deletion(MIN_TIMESTAMP, FAR)


class Complex:
    """A column of many cells: a collection or UDT that is not frozen, or a counter (a cell for each node)."""

    __slots__ = ("cells", "deleted")

    def __init__(self, cells=None, deleted=NEVER):
        self.cells = {} if cells is None else cells  # path: Cell
        self.deleted = deleted

    def merged(self, other):
        deleted = max(self.deleted, other.deleted)
        cells = dict(self.cells)
        for path, new in other.cells.items():
            old = cells.get(path)
            cells[path] = new if old is None else max(old, new)
        return Complex(cells, deleted).pruned(NEVER)

    def pruned(self, deletion):
        """Return self without what `deletion` or its own deletion hides; None when nothing is left."""
        deleted = self.deleted if self.deleted > deletion else NEVER
        bound = max(deletion.timestamp, deleted.timestamp)
        cells = self.cells
        if any(each.timestamp <= bound for each in cells.values()):
            cells = {path: each for path, each in cells.items() if each.timestamp > bound}
        if not cells and deleted is NEVER:
            return None
        return Complex(cells, deleted)

    def purged(self, now, grace):
        deleted = NEVER if self.deleted.when < grace else self.deleted
        cells = {path: each for path, each in self.cells.items() if each.purged(now, grace) is not None}
        return Complex(cells, deleted) if cells or deleted is not NEVER else None

    def __eq__(self, other):
        return isinstance(other, Complex) and (self.deleted, self.cells) == (other.deleted, other.cells)

    __hash__ = None

    def __repr__(self):
        return f"Complex({self.cells!r}, {self.deleted!r})"


class Row:
    """The cells of one row by column name. Rows in a partition are never changed, only replaced.

    `live` is the marker that INSERT leaves, so that a row without values exists; `clustering` holds the
    serialised values of the clustering columns, () for the static row.
    """

    __slots__ = ("cells", "clustering", "deleted", "live")

    def __init__(self, clustering=(), cells=None, live=None, deleted=NEVER):
        self.clustering = clustering
        self.cells = {} if cells is None else cells  # name: Cell or Complex
        self.live = live
        self.deleted = deleted

    def merged(self, other):
        deleted = max(self.deleted, other.deleted)
        live = other.live if self.live is None else self.live if other.live is None else max(self.live, other.live)
        cells = dict(self.cells)
        for name, new in other.cells.items():
            old = cells.get(name)
            if old is None:
                cells[name] = new
            elif isinstance(new, Complex):
                cells[name] = old.merged(new)
            else:
                cells[name] = max(old, new)
        row = Row(self.clustering, cells, live, deleted)
        return row if deleted is NEVER else row.pruned(NEVER)

    def pruned(self, deletion):
        """Return self without what `deletion` or its own deletion hides; None when nothing is left."""
        deleted = self.deleted if self.deleted > deletion else NEVER
        bound = max(deletion, deleted)
        live = self.live and self.live.pruned(bound)
        cells = {name: left for name, each in self.cells.items() if (left := each.pruned(bound)) is not None}
        if not cells and live is None and deleted is NEVER:
            return None
        return Row(self.clustering, cells, live, deleted)

    def purged(self, now, grace):
        """Return self without the tombstones that are older than the grace period; None when nothing is left."""
        deleted = NEVER if self.deleted.when < grace else self.deleted
        live = self.live and self.live.purged(now, grace)
        cells = {name: left for name, each in self.cells.items() if (left := each.purged(now, grace)) is not None}
        if not cells and live is None and deleted is NEVER:
            return None
        return Row(self.clustering, cells, live, deleted)

    def oldest(self):
        """Return when (in seconds) the first thing in here was or will be deleted."""
        times = [self.deleted.when]
        if self.live is not None and self.live.kind:
            times.append(self.live.expires - self.live.ttl)
        for each in self.cells.values():
            if isinstance(each, Complex):
                times.append(each.deleted.when)
                times += [inner.expires - inner.ttl for inner in each.cells.values() if inner.kind]
            elif each.kind:
                times.append(each.expires - each.ttl)
        return min(times)

    def __eq__(self, other):
        return isinstance(other, Row) and (self.clustering, self.live, self.deleted, self.cells) == (
            other.clustering,
            other.live,
            other.deleted,
            other.cells,
        )

    __hash__ = None

    def __repr__(self):
        return f"Row({self.clustering!r}, {self.cells!r}, live={self.live!r}, deleted={self.deleted!r})"
