"""Writing: what every document goes through on its way into a collection, and one statement's changes."""

import bson
from bson import ObjectId, Timestamp

from stores.mongodb.errors import MongoError, document_too_large
from stores.mongodb.oplog import Change
from stores.mongodb.validation import check_document

MOST_BYTES = 16 * 2**20
MOST_LEVELS = 100


class Writer:
    """Writes of one statement to one collection: outside transactions, or in the operation's.

    Each write is complete or raises; `finish` tells the oplog, `undo` takes back what was done.
    """

    def __init__(self, engine, database, collection, operation):
        self.engine = engine
        self.place = database, collection
        self.operation = operation
        self.transaction = operation.transaction
        self.changes = []
        self._undo = []
        if self.transaction:
            self.store = self.transaction.writable(database, collection)
        else:
            engine.transactions.preserve(database, collection)
            self.store = engine.data[database][collection]
        if self.transaction and self.store.options.get("capped"):
            message = f"Collection '{self.store.namespace}' is a capped collection."
            message += " Writes in transactions are not allowed on capped collections."
            raise MongoError("OperationNotSupportedInTransaction", message)

    def create(self):
        """Make the collection exist, as the first write to it does."""
        if not self.store.is_created:
            self.engine.check_name(*self.place)
            self.store.create()
            self._undo.append(self.store.drop)
            self._note("create", description={"idIndex": {"v": 2, "key": {"_id": 1}, "name": "_id_"}})

    def insert(self, document):
        """Insert one document (which becomes the collection's own) and return it as stored."""
        self.create()
        document = self._for_insert(document)
        size = checked_size(document)
        check_document(self.store, document, self.operation)
        keys = self._keys(document)
        record = next(self.store.records)
        if self.transaction:
            self.transaction.claim(self.place, record)
        self.store.put(record, document, keys, size)
        self._undo.append(lambda: self.store.take(record))
        self._note("insert", document, after=document)
        if "capped" in self.store.options:
            self.store.make_room()
        return document

    def replace(self, record, new, change=None):
        """Put a new version in the place of a document; `change` is the Update it came from, None for a whole new one.

        Returns False, and writes nothing, if they are the same.
        """
        old = self.store.documents_by_record[record]
        if new is old:
            return False
        data = bson.encode(new)
        if len(data) == self.store.sizes[record] and data == bson.encode(old):
            return False
        if len(data) > MOST_BYTES:
            raise MongoError(17419, f"Resulting document after update is larger than {MOST_BYTES}")
        check_levels(new, len(data))
        if self.store.options.get("capped") and len(data) != self.store.sizes[record]:
            size = self.store.sizes[record]
            raise MongoError(
                "CannotGrowDocumentInCappedNamespace",
                f"Cannot change the size of a document in a capped collection: {size} != {len(data)}",
            )
        self._claim(record)
        check_document(self.store, new, self.operation, old)
        keys, size = self._keys(new, record), self.store.sizes[record]
        self.store.put(record, new, keys, len(data))
        self._undo.append(lambda: self.store.put(record, old, {tree: tree.keys(old) for tree in self.store.trees.values()}, size))
        operators = change.update if change is not None and change.kind == "operators" else None
        replaced = change is None or change.kind == "replacement"
        self._note("replace" if replaced else "update", new, before=old, after=new, update=operators)
        return True

    def remove(self, record):
        """Delete a document."""
        self._claim(record)
        size = self.store.sizes[record]
        old = self.store.take(record)
        self._undo.append(lambda: self.store.put(record, old, {tree: tree.keys(old) for tree in self.store.trees.values()}, size))
        self._note("delete", old, before=old)
        return old

    def _claim(self, record):
        if self.transaction:
            self.transaction.check_record(self.place, record)
        else:
            self.engine.transactions.check_free(self.store, record)

    def _keys(self, document, record=None):
        keys = self.store.new_keys(document, record)
        if self.transaction:
            self.transaction.check_keys(self.place, keys)
        elif self.store.reserved:
            self.engine.transactions.check_free(self.store, keys=keys)
        return keys

    def _for_insert(self, document):
        identifier = document.get("_id", self)
        if identifier is self:
            document = {"_id": ObjectId(), **document}
        elif next(iter(document)) != "_id":
            document = {"_id": identifier, **document}
        check_id(document["_id"])
        for name, value in document.items():
            if type(value) is Timestamp and not value.time and not value.inc and name != "_id":
                document[name] = self.engine.oplog.last
        return document

    def _note(self, operation, document=None, **more):
        key = None if document is None else {"_id": document["_id"]}
        self.changes.append(Change(operation, *self.place, key=key, uuid=self.store.uuid, **more))

    def finish(self):
        """Tell the oplog, or the transaction, what was done."""
        if self.transaction:
            self.transaction.changes += self.changes
        elif self.changes:
            self.engine.oplog.add(*self.changes)
        self.changes = []

    def undo(self):
        """Take back everything that was done, last first."""
        while self._undo:
            self._undo.pop()()
        self.changes = []


def check_id(identifier):
    """Raise for an _id that MongoDB does not take."""
    if isinstance(identifier, list):
        raise MongoError("BadValue", "can't use an array for _id")
    if hasattr(identifier, "pattern"):
        raise MongoError("BadValue", "can't use a regex for _id")
    if isinstance(identifier, dict):
        for name in identifier:
            if name.startswith("$"):
                raise MongoError(
                    "DollarPrefixedFieldName", f"_id fields may not contain '$'-prefixed fields: {name} is not valid for storage."
                )


def checked_size(document):
    """Return the size of a document in bytes. Raises for one that is too large or too deep."""
    size = len(bson.encode(document))
    if size > MOST_BYTES:
        raise document_too_large(size)
    check_levels(document, size)
    return size


def check_levels(document, size):
    """Raise for more than 100 levels of documents and arrays (a level takes 8 bytes at least)."""
    if size < 8 * MOST_LEVELS:
        return
    level = [document]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise MongoError("Overflow", f"cannot insert document because it exceeds {MOST_LEVELS} levels of nesting")
