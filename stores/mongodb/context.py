"""What a pipeline sees of the engine."""

from stores.mongodb import definition, reading, stages
from stores.mongodb.operation import Operation


class EngineContext(stages.Context):
    """The collection that a pipeline runs on, and the others that its stages read and write."""

    def __init__(self, engine, collection, operation):
        self.engine = engine
        self.host = engine.host
        self.base = collection
        self.operation = operation
        self.time_limit = operation.time_limit
        super().__init__(
            collection.database, collection.name, operation.now or engine.now(), operation.let, collection.fold(operation)
        )

    def _other(self):
        mine = self.operation
        return Operation(
            transaction=mine.transaction, let=mine.let, collation=mine.collation, now=self.now,
            time_limit=mine.time_limit, stats=mine.stats,
        )  # fmt: skip

    def read(self, database, collection, filter=None):
        """Return the documents of a collection or a view, those that match `filter` if there is one."""
        return self.engine.collection(database, collection).find(filter or {}, operation=self._other())

    def run(self, database, collection, pipeline, let=None):
        """Return what a pipeline gives on a collection or a view; its leading stages are planned."""
        operation = self._other()
        operation.let = {**self.let, **(let or {})}
        return self.engine.collection(database, collection).aggregate(pipeline, operation)

    def find_one(self, database, collection, filter):
        """Return one document or None."""
        return next(self.engine.collection(database, collection).find(filter, limit=1, operation=self._other()), None)

    def replace(self, database, collection, documents):
        """Make `documents` the whole content of a collection, as $out does: its indexes and options stay."""
        target = self.engine.collection(database, collection)
        operation = Operation(now=self.now, transaction=self.operation.transaction)
        with target.writing(operation) as writer:
            try:
                for record in list(writer.store.documents_by_record):
                    writer.remove(record)
                writer.create()
                for document in documents:
                    writer.insert(dict(document))
            except Exception:
                writer.undo()
                raise

    def insert(self, database, collection, document):
        """Insert one document."""
        self.engine.collection(database, collection).insert(dict(document), self._other())

    def put(self, database, collection, _id, new_document):
        """Put a document in the place of the one with this _id."""
        with self.engine.collection(database, collection).writing(self._other()) as writer:
            writer.replace(writer.store.record_of(_id), new_document)

    def unique_on(self, database, collection, fields):
        """Return whether a unique index has exactly these fields."""
        store = self.engine.store(database, collection, self.operation)
        if set(fields) == {"_id"}:
            return True
        return any(tree.unique and set(tree.fields) == set(fields) and tree.matches is None for tree in store.trees.values())

    def count(self, database, collection):
        """Return how many documents a collection has; 0 for a view."""
        return len(self.engine.store(database, collection, self.operation))

    def has_index(self, database, collection, path):
        """Return whether an index begins with the path, so that asking for one value is quick."""
        store = self.engine.store(database, collection, self.operation)
        return any(tree.fields[0] == path and not (tree.hidden or tree.sparse or tree.matches) for tree in store.trees.values())

    def text_search(self, database, collection, spec):
        """Return the function document → score by the collection's text index. Raises 27 without one."""
        return reading.text_search(self.engine.store(database, collection, self.operation), {"$text": spec}).score

    def geo_field(self, database, collection):
        """Return (field, kind) of the collection's geo index, or None."""
        store = self.engine.store(database, collection, self.operation)
        for tree in store.trees.values():
            for field, way in tree.pattern.items():
                if way in ("2dsphere", "2d"):
                    return field, way
        return None

    def coll_stats(self):
        """Return the numbers of the collection, for $collStats."""
        return definition.stats(self.base)

    def index_stats(self):
        """Return the use of each index, for $indexStats."""
        return definition.index_stats(self.base)

    def current_op(self):
        """Return the running operations, as far as the server tells the engine."""
        return self.engine.current_op()

    def list_sessions(self):
        """Return the sessions, as far as the server tells the engine."""
        return self.engine.list_sessions()
