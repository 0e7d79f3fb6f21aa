"""TTL indexes: documents go when their time is over, by the engine's clock."""

from datetime import timedelta

from stores.mongodb.indexes.keystring import DATE, LAST, encode, invert
from stores.mongodb.operation import Blocked, Operation
from stores.mongodb.writer import Writer


class Expiry:
    """Deletes expired documents whenever somebody is about to look, instead of once a minute as MongoDB does."""

    def __init__(self, engine):
        self.engine = engine

    def sweep(self):
        """Delete the documents whose date plus expireAfterSeconds is not later than now."""
        now = None
        for database, name, store in list(self.engine.data.stores()):
            for tree in list(store.trees.values()):
                seconds = tree.spec.get("expireAfterSeconds")
                if seconds is not None and tree.entries:
                    now = now or self.engine.now()
                    self._expire(database, name, tree, now, seconds)

    def _expire(self, database, name, tree, now, seconds):
        # An array expires by its earliest date: that is its first entry in the index.
        try:
            low, high = (DATE,), (encode(now - timedelta(seconds=seconds)),)
        except OverflowError:  # before the year 1: nothing is that old
            return
        if tree.directions[0] < 0:
            low, high = (invert(high[0]),), (invert(DATE) + LAST * 9,)
        records = dict.fromkeys(entry[-1] for entry in tree.entries.irange(low, tree.above(high)))
        if not records:
            return
        writer = Writer(self.engine, database, name, Operation())
        for record in records:
            try:
                writer.remove(record)
            except Blocked:
                continue  # a transaction is writing it: it goes another time
        writer.finish()
