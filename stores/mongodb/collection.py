"""A collection as commands see it: every method is one statement, and raises MongoError."""

from contextlib import contextmanager

from stores.mongodb import collation, definition, planner, reading
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Blocked, Modified, Operation, Updated
from stores.mongodb.planner import explaining
from stores.mongodb.planner.request import Request
from stores.mongodb.projection import Projection
from stores.mongodb.update import Update
from stores.mongodb.writer import Writer


class Collection:
    """One collection, existing or not, or a view. `operation` (the last argument everywhere) is an Operation."""

    def __init__(self, engine, database, name):
        self.engine = engine
        self.database = database
        self.name = name

    @property
    def namespace(self):
        return f"{self.database}.{self.name}"

    def __repr__(self):
        return f"<Collection {self.namespace}>"

    def store(self, operation=None):
        """Return the store that an operation reads."""
        return self.engine.store(self.database, self.name, operation)

    @contextmanager
    def running(self, operation):
        """Run one statement: with the lock, and aborting the operation's transaction if it fails."""
        with self.engine.lock:
            if operation.transaction:
                operation.transaction.check()
            if operation.now is None:
                operation.now = self.engine.now()
            try:
                yield
            except MongoError:
                if operation.transaction:
                    self.engine.transactions.abort(operation.transaction)
                raise

    @contextmanager
    def writing(self, operation):
        """Run one statement that writes: give its Writer."""
        with self.running(operation):
            self.engine.views.refuse_write(self.database, self.name)
            writer = Writer(self.engine, self.database, self.name, operation)
            try:
                yield writer
            except Blocked:
                writer.undo()
                raise
            finally:
                writer.finish()

    # --- reading

    def find(self, filter, projection=None, sort=None, skip=0, limit=0, operation=None):
        """Return an iterator over the documents found; it goes on when the data changes meanwhile."""
        return reading.find(self, filter, projection, sort, skip, limit, operation or Operation())

    def aggregate(self, pipeline, operation=None):
        """Return an iterator over what the pipeline gives."""
        return reading.aggregate(self, pipeline, operation or Operation())

    def count(self, query=None, skip=0, limit=0, operation=None):
        """Return how many documents match."""
        return reading.count(self, query or {}, skip, limit, operation or Operation())

    def distinct(self, key, query=None, operation=None):
        """Return the different values of a path, arrays opened."""
        return reading.distinct(self, key, query or {}, operation or Operation())

    def explain(self, kind, command, verbosity="queryPlanner", operation=None):
        """Return how a command would be executed; above "queryPlanner" it is (but writes nothing), and counted."""
        return explaining.explain(self, kind, command, verbosity, operation or Operation())

    def tail(self, position=None):
        """Return (documents, position) of a capped collection behind a position; None is the beginning.

        Raises CappedPositionLost when the document at the position is gone.
        """
        return reading.tail(self, position)

    @property
    def capped(self):
        return bool(self.store().options.get("capped"))

    # --- writing

    def insert(self, document, operation=None):
        """Insert one document; it becomes the collection's own."""
        with self.writing(operation or Operation()) as writer:
            writer.insert(document)

    def insert_many(self, documents, ordered=True, operation=None):
        """Insert documents; return (number inserted, [(index, MongoError)])."""
        errors, inserted = [], 0
        operation = operation or Operation()
        with self.writing(operation) as writer:
            for index, document in enumerate(documents):
                try:
                    writer.insert(document)
                    inserted += 1
                except Blocked:
                    raise
                except MongoError as error:
                    if operation.transaction:
                        self.engine.transactions.abort(operation.transaction)
                    errors.append((index, error))
                    if ordered or operation.transaction:
                        break
        return inserted, errors

    def update(self, filter, update, multi=False, upsert=False, array_filters=None, sort=None, operation=None):
        """Update the first document that matches, or all; return Updated."""
        operation = operation or Operation()
        with self.writing(operation) as writer:
            request = self.request(filter, operation, sort=sort, limit=0 if multi else 1)
            change = self.change(update, array_filters, upsert, operation)
            if multi and change.kind == "replacement":
                raise MongoError("FailedToParse", "multi update is not supported for replacement-style update")
            rows = list(planner.choose(writer.store, request).rows())
            modified = 0
            for record, document in rows:
                new = change.apply(document, request.query.match(document))
                modified += writer.replace(record, new, change)
            if rows or not upsert:
                return Updated(len(rows), modified)
            made = writer.insert(change.insert(request.query))
            return Updated(0, 0, True, made["_id"])

    def delete(self, filter, multi=False, operation=None):
        """Delete the first document that matches, or all; return how many."""
        operation = operation or Operation()
        with self.writing(operation) as writer:
            request = self.request(filter, operation, limit=0 if multi else 1)
            rows = list(planner.choose(writer.store, request).rows())
            if rows and writer.store.options.get("capped") and operation.transaction:
                raise MongoError("IllegalOperation", f"cannot remove from a capped collection: {self.namespace}")
            for record, _ in rows:
                writer.remove(record)
            return len(rows)

    def find_and_modify(
        self, query, sort=None, projection=None, update=None, remove=False, new=False, upsert=False, array_filters=None, operation=None
    ):
        """Update or remove one document and return it, as it was or as it is now: Modified."""
        operation = operation or Operation()
        with self.writing(operation) as writer:
            request = self.request(query, operation, sort=sort, limit=1)
            shape = Projection(projection, request.query, operation.let, fold=request.fold, now=operation.now)
            change = None if remove else self.change(update, array_filters, upsert, operation)
            row = next(planner.choose(writer.store, request).rows(), None)
            if row is None:
                if remove or not upsert:
                    return Modified(None, False)
                made = writer.insert(change.insert(request.query))
                return Modified(shape.apply(made) if new else None, False, True, made["_id"])
            record, document = row
            match = request.query.match(document)
            if remove:
                writer.remove(record)
                return Modified(shape.apply(document, match), True)
            writer.replace(record, change.apply(document, match), change)
            shown = writer.store.documents_by_record[record] if new else document
            return Modified(shape.apply(shown, match), True)

    def change(self, update, array_filters, upsert, operation):
        """Return the Update of an operation."""
        return Update(update, array_filters, operation.let, self.fold(operation), operation.now, upsert)

    # --- what requests are made of

    def fold(self, operation):
        """Return the collation's function for an operation: its own collation's, or else the collection's."""
        if operation.collation is not None:
            return collation.fold(operation.collation)
        return self.store(operation).fold

    def request(self, filter, operation, **more):
        """Return the planner's Request for a filter and the options of an operation."""
        return reading.request(self, Request, filter, operation, **more)

    # --- indexes and numbers

    def create_indexes(self, specs, operation=None):
        """Create indexes; return how many there were before and after."""
        operation = operation or Operation()
        with self.running(operation):
            return definition.create_indexes(self, specs, operation)

    def list_indexes(self, operation=None):
        """Return the indexes. Raises NamespaceNotFound (26) if there is no collection."""
        return definition.list_indexes(self, operation)

    def drop_indexes(self, index):
        """Drop indexes by name, names, key pattern or "*"; return how many there were. Raises IndexNotFound (27)."""
        with self.engine.lock:
            return definition.drop_indexes(self, index)

    def stats(self):
        """Return what collStats shows."""
        return definition.stats(self)

    def validate(self, full=False):
        """Return what validate shows: whether indexes and documents agree."""
        return definition.validate(self)
