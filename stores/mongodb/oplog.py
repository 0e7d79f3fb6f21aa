"""What happened to the data, in order: the engine writes it, change streams and cluster times read it."""

from collections import deque
from dataclasses import dataclass, field

from bson import Timestamp

LENGTH = 10_000  # entries kept: a change stream cannot resume before the oldest


@dataclass
class Change:
    """One change of a document, a collection or a database.

    `operation` is a change stream's operationType: insert, update, replace, delete, create, createIndexes, dropIndexes,
    modify, rename, drop, dropDatabase. `before` and `after` are the whole documents; `key` is {"_id": …}. `description`
    holds what an event of DDL tells further (operationDescription), `to` the namespace (database, collection) of a rename.
    """

    operation: str
    database: str
    collection: str = ""
    key: dict | None = None
    before: dict | None = None
    after: dict | None = None
    description: dict | None = None
    to: tuple | None = None
    session: tuple | None = None  # (lsid, txnNumber) of a transaction
    uuid: object = None  # of the collection
    # Given by the oplog:
    time: Timestamp = field(default=None)
    seconds: float = 0.0  # the engine's time
    order: int = 0  # among the changes of one transaction


class Oplog:
    """The last changes, each with its cluster time; `listeners` are called with each list of changes that became visible."""

    def __init__(self, clock):
        self._clock = clock
        self._last = Timestamp(int(clock.now()), 1)
        self.changes = deque(maxlen=LENGTH)
        self.forgotten = self._last  # the time of the youngest change that is kept no more
        self.listeners = []

    @property
    def last(self):
        """The cluster time: of the last change."""
        return self._last

    def tick(self):
        """Return the next cluster time: seconds of the engine's clock and a number within the second."""
        now = int(self._clock.now())
        seconds, number = (now, 1) if now > self._last.time else (self._last.time, self._last.inc + 1)
        self._last = Timestamp(seconds, number)
        return self._last

    def add(self, *changes):
        """Note changes that became visible together: one write's, or those of a transaction's commit."""
        if not changes:
            return
        time, seconds = self.tick(), self._clock.now()
        for order, change in enumerate(changes):
            change.time, change.seconds, change.order = time, seconds, order
            if len(self.changes) == self.changes.maxlen:
                self.forgotten = self.changes[0].time
            self.changes.append(change)
        for listener in list(self.listeners):
            listener(changes)

    def clear(self):
        """Forget the changes; the cluster time goes on."""
        if self.changes:
            self.forgotten = self.changes[-1].time
        self.changes.clear()
