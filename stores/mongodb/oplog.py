"""What happened to the data, in order: the engine writes it, change streams and cluster times read it."""

from dataclasses import dataclass

from bson import Timestamp

LENGTH = 10_000  # changes kept at least: a change stream cannot resume before the oldest


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
    update: dict | None = None  # the operators of an update
    description: dict | None = None
    to: tuple | None = None
    session: tuple | None = None  # (lsid, txnNumber) of a transaction
    uuid: object = None  # of the collection
    # Given by the oplog:
    time: Timestamp = None
    seconds: float = 0.0  # the engine's time
    order: int = 0  # among the changes of one transaction


class Oplog:
    """The last changes, each with its cluster time.

    A reader keeps a position: the number of the next change it has not seen. `listeners` are called when there is more.
    """

    def __init__(self, clock):
        self._clock = clock
        self._last = Timestamp(int(clock.now()), 1)
        self._changes = []
        self._first = 0  # position of the oldest change that is kept
        self.forgotten = None  # the time of the youngest change that is kept no more
        self.listeners = set()

    @property
    def last(self):
        """The cluster time: of the last change."""
        return self._last

    @property
    def first(self):
        """The position of the oldest change that is kept."""
        return self._first

    @property
    def end(self):
        """The position of the next change."""
        return self._first + len(self._changes)

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
        self._changes.extend(changes)
        if len(self._changes) > 2 * LENGTH:
            self._forget(len(self._changes) - LENGTH)
        for listener in list(self.listeners):
            listener()

    def __getitem__(self, position):
        """Return the change at a position between `first` and `end`."""
        return self._changes[position - self._first]

    def clear(self):
        """Forget the changes; the cluster time goes on."""
        self._forget(len(self._changes))
        self.tick()

    def _forget(self, count):
        if count:
            self.forgotten = self._changes[count - 1].time
        del self._changes[:count]
        self._first += count
