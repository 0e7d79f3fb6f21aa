"""Transactions: each works on collections as they were when it began, and on its own writes; commit is all or nothing.

Nothing is copied when a transaction begins. A collection is forked for it when it first writes there, or when somebody
else is about to (`Transactions.preserve`). Of two writers of one document the first wins (see `check_record`).
"""

from stores.mongodb.errors import MongoError, write_conflict
from stores.mongodb.operation import Blocked

LIFETIME = 60.0  # seconds that a transaction may last: transactionLifetimeLimitSeconds


class Transaction:
    """What one transaction sees and has written. `state`: "in progress", "committed" or "aborted".

    `session` is (lsid, txnNumber), by which change streams tell what belongs together.
    """

    def __init__(self, owner, began, session=None):
        self.owner = owner
        self.began = began
        self.session = session
        self.state = "in progress"
        self.forks = {}  # (database, collection): Store as it was, with this one's writes
        self.written = {}  # (database, collection): {record}
        self.reserved = []  # (the store's dict of reserved keys, key)
        self.changes = []

    def check(self):
        """Raise NoSuchTransaction unless it is in progress."""
        if self.state != "in progress":
            raise MongoError("NoSuchTransaction", f"Transaction has been {self.state}.", labels=["TransientTransactionError"])

    def store(self, database, collection):
        """Return the store to read: a fork, or the common one while nobody has written there since the beginning."""
        fork = self.forks.get((database, collection))
        return self.owner.data[database][collection] if fork is None else fork

    def writable(self, database, collection):
        """Return the store to write: the fork."""
        place = database, collection
        if place not in self.forks:
            self.forks[place] = self.owner.data[database][collection].fork()
        self.written.setdefault(place, set())
        return self.forks[place]

    def check_record(self, place, record):
        """Claim a record for writing. Raises WriteConflict if another one wrote it since this one began."""
        common, own = self.owner.data[place[0]][place[1]], self.forks[place]
        if record in self.written[place]:
            return
        if common.documents_by_record.get(record) is not own.documents_by_record.get(record) or record in common.writers:
            raise write_conflict()
        self.claim(place, record)

    def claim(self, place, record):
        """Note that this transaction writes the record."""
        self.owner.data[place[0]][place[1]].writers[record] = self
        self.written[place].add(record)

    def check_keys(self, place, keys):
        """Reserve the keys of unique indexes. Raises WriteConflict if another one took them since this one began."""
        common = self.owner.data[place[0]][place[1]]
        for tree, its_keys in keys.items():
            theirs = common.trees.get(tree.name)
            if not tree.unique or theirs is None:
                continue
            for key in its_keys:
                holder = theirs.has(key)
                if (holder is not None and holder not in self.written[place]) or common.reserved.get(
                    (tree.name, key), self
                ) is not self:
                    raise write_conflict()
                common.reserved[tree.name, key] = self
                self.reserved.append((common.reserved, (tree.name, key)))


class Transactions:
    """The open transactions over the data of a server (`data`, a ServerStore)."""

    def __init__(self, data, clock, oplog):
        self.data = data
        self.clock = clock
        self.oplog = oplog
        self.open = []
        self.lifetime = LIFETIME

    def begin(self, session=None):
        """Return a new transaction on the data as it is now."""
        transaction = Transaction(self, self.clock.now(), session)
        self.open.append(transaction)
        return transaction

    def preserve(self, database, collection, but=None):
        """Keep a collection as it is for the open transactions: somebody is about to change it."""
        for transaction in self.open:
            if transaction is not but and (database, collection) not in transaction.forks:
                transaction.forks[database, collection] = self.data[database][collection].fork()

    def check_free(self, store, record=None, keys=None):
        """Raise Blocked if an open transaction has written the record or one of the keys of unique indexes."""
        if record in store.writers:
            raise Blocked
        if store.reserved and keys:
            for tree, its_keys in keys.items():
                if any((tree.name, key) in store.reserved for key in its_keys):
                    raise Blocked

    def commit(self, transaction):
        """Make the writes of a transaction visible, all at once."""
        transaction.check()
        for place in transaction.written:
            self.preserve(*place, but=transaction)
            self._apply(place, transaction)
        self._end(transaction, "committed")
        for change in transaction.changes:
            change.session = transaction.session
        self.oplog.add(*transaction.changes)

    def _apply(self, place, transaction):
        own, common = transaction.forks[place], self.data[place[0]][place[1]]
        if own.is_created and not common.is_created:
            common.adopt(own)
        records = sorted(transaction.written[place])
        for record in records:
            if record in common.documents_by_record and record not in own.documents_by_record:
                common.take(record)
        for record in records:
            document = own.documents_by_record.get(record)
            if document is not None:
                common.put(record, document, {tree: tree.keys(document) for tree in common.trees.values()}, own.sizes[record])

    def abort(self, transaction):
        """Forget a transaction. One that has ended stays as it is."""
        if transaction.state == "in progress":
            self._end(transaction, "aborted")

    def _end(self, transaction, state):
        transaction.state = state
        self.open.remove(transaction)
        for reserved, key in transaction.reserved:
            reserved.pop(key, None)
        for database, collection in transaction.written:
            writers = self.data[database][collection].writers
            for record in transaction.written[database, collection]:
                writers.pop(record, None)
        transaction.forks = {}

    def sweep(self):
        """Abort the transactions that have lasted too long by the clock."""
        now = self.clock.now()
        for transaction in list(self.open):
            if now - transaction.began > self.lifetime:
                self.abort(transaction)

    def clear(self):
        """Abort all."""
        for transaction in list(self.open):
            self.abort(transaction)
