"""Tailable cursors: they stay open at the end of a capped collection, as `tail -f` does of a file."""

from stores.mongodb.cursors import Cursor
from stores.mongodb.projection import Projection
from stores.mongodb.query import Query


class TailCursor(Cursor):
    """Reads a capped collection in the order of insertion, and what is added later."""

    tailable = True

    def __init__(self, call, await_data):
        self._collection = call.collection
        self._query = Query(call.get("filter", {}), let=call.get("let"), now=call.operation.now)
        self._projection = Projection(call.get("projection"))
        self._position = None
        super().__init__(call.namespace, self._documents(call.count("skip", 0)), call.operation, call.count("limit", 0) or None)
        self.await_data = await_data
        if not call.engine.exists(call.database, call.collection_name):
            self.exhausted = True

    def _documents(self, skip):
        """Yield the documents that match; None where there is no further one yet."""
        while True:
            found, self._position = self._collection.tail(self._position)
            for document in found:
                self.operation.stats.documents_examined += 1
                if not self._query(document):
                    continue
                if skip:
                    skip -= 1
                    continue
                yield self._projection.apply(document)
            yield None

    def ended(self):
        """There is nothing now; there may be later. Where the collection is empty the cursor is dead at once, as in MongoDB."""
        self.exhausted = self._position is None
