"""The data of collections: mongomock's stores, with records, sorted indexes and the options of a collection.

mongomock keeps documents by `_id` in a dictionary. Here a record has a number, in insertion order, so that `_id`s of
every type are told apart as MongoDB does, and each index knows records. The names mongomock's own Collection calls
are all kept, so that it works on the same data.
"""

import itertools
import uuid

import bson
from mongomock import store as mongomock_store

from stores.mongodb.indexes import kinds, spec
from stores.mongodb.indexes.keystring import encode


class Store(mongomock_store.CollectionStore):
    """The documents of one collection. They are shared with readers: a write replaces a document, never changes it.

    `documents_by_record` maps a record's number to its document, `sizes` to its size in bytes. `options` are those of
    the create command.
    """

    def __init__(self, name):
        super().__init__(name)
        self._documents = {}
        self.records = itertools.count(1)
        self.namespace = name
        self._empty()

    def _empty(self):
        self._documents = {}
        self.sizes = {}
        self.bytes = 0
        self.ids = {}
        self.options = {}
        self.uuid = uuid.uuid4()
        self.fold = None
        self.validator = None
        self.trees = {}  # name: Index
        self.reserved = {}  # (index's name, key): the open transaction that wrote it
        self.writers = {}  # record: the open transaction that wrote it
        self.oldest_kept = 0  # capped: records up to here are gone

    @property
    def documents_by_record(self):
        return self._documents

    @property
    def records_in_order(self):
        """The numbers of the records in the order in which a scan finds them: a clustered collection's lie by their _id."""
        if "clusteredIndex" in self.options:
            return [entry[-1] for entry in self.trees["_id_"].entries]
        return list(self._documents)

    def create(self):
        """Make the collection exist, with its index on _id."""
        if not self._is_force_created:
            self._is_force_created = True
            tree = self.add_index(dict(spec.ID_INDEX, **({"collation": self.options["collation"]} if self.fold else {})))
            tree.unique = not self.is_time_series

    def drop(self):
        super().drop()
        self._empty()

    @property
    def is_time_series(self):
        """Return whether it holds measurements: several may have the same _id."""
        return "timeseries" in self.options

    @property
    def is_created(self):
        return self._is_force_created

    # --- indexes

    @property
    def indexes(self):
        """The indexes as mongomock describes them, without that on _id."""
        return {name: {**tree.spec, "key": list(tree.pattern.items())} for name, tree in self.trees.items() if name != "_id_"}

    @indexes.setter
    def indexes(self, _):
        """mongomock begins with none."""

    def add_index(self, index_spec, internal=False):
        """Build an index over the documents. Raises DuplicateKey if it is unique and they are not."""
        from stores.mongodb import collation, query

        rules, partial = index_spec.get("collation"), index_spec.get("partialFilterExpression")
        tree = kinds.make(index_spec, collation.fold(rules), query.Query(partial) if partial is not None else None)
        tree.internal = internal
        tree.build(self._documents.items(), self.namespace)
        self.trees[tree.name] = tree
        return tree

    def create_index(self, index_name, index_dict):
        self.create()
        self.add_index({"v": 2, **index_dict, "key": dict(index_dict["key"]), "name": index_name})

    def drop_index(self, index_name):
        del self.trees[index_name]

    # --- writing records

    def new_keys(self, document, but=None):
        """Return {index: keys} of a document. Raises DuplicateKey where another record than `but` has one of them."""
        made = {}
        for tree in self.trees.values():
            keys = made[tree] = tree.keys(document)
            if tree.unique and (but is None or keys != tree.keys_of.get(but)):
                tree.check(keys, document, self.namespace, but)
        return made

    def put(self, record, document, keys, size):
        """Insert or replace a record whose keys were checked."""
        if record in self._documents:
            self._unindex(record)
        self._documents[record] = document
        self.sizes[record] = size
        self.bytes += size
        self.ids[encode(document["_id"], self.fold)] = record
        for tree, its_keys in keys.items():
            tree.add(record, its_keys)

    def take(self, record):
        """Remove a record and return its document."""
        self._unindex(record)
        return self._documents.pop(record)

    def make_room(self):
        """Take the oldest documents out of a capped collection until the others are no more than it may hold."""
        most = self.options.get("max") or 0
        while len(self) > 1 and (self.bytes > self.options["size"] or (most and len(self) > most)):
            self.oldest_kept = next(iter(self._documents))
            self.take(self.oldest_kept)

    def _unindex(self, record):
        document = self._documents[record]
        self.bytes -= self.sizes.pop(record)
        self.ids.pop(encode(document["_id"], self.fold), None)
        for tree in self.trees.values():
            tree.remove(record)

    def record_of(self, identifier):
        """Return the number of the record with this _id, or None."""
        return self.ids.get(encode(identifier, self.fold))

    def adopt(self, other):
        """Become what a transaction created: its options and its indexes; the documents follow."""
        self.options, self.fold, self.validator, self.uuid = other.options, other.fold, other.validator, other.uuid
        self.create()
        for tree in other.trees.values():
            if tree.name not in self.trees:
                self.add_index(tree.spec)

    def fork(self):
        """Return a copy that changes on its own: what a transaction sees. Documents and record numbers are shared."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy._documents, copy.sizes, copy.ids = dict(self._documents), dict(self.sizes), dict(self.ids)
        copy.trees = {name: tree.fork() for name, tree in self.trees.items()}
        copy.options = dict(self.options)
        return copy

    # --- what mongomock's own Collection calls: documents by _id

    @property
    def is_empty(self):
        return not self._documents

    def __contains__(self, identifier):
        return self.record_of(identifier) is not None

    def __getitem__(self, identifier):
        return self._documents[self.ids[encode(identifier, self.fold)]]

    def __setitem__(self, identifier, document):
        self.create()
        record = self.record_of(identifier)
        keys = self.new_keys(document, record)
        self.put(next(self.records) if record is None else record, document, keys, len(bson.encode(document)))

    def __delitem__(self, identifier):
        self.take(self.ids[encode(identifier, self.fold)])

    def __len__(self):
        return len(self._documents)

    @property
    def documents(self):
        yield from list(self._documents.values())


class DatabaseStore(mongomock_store.DatabaseStore):
    """The collections of one database."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def __getitem__(self, name):
        store = self._collections.get(name)
        if store is None:
            store = self._collections[name] = Store(name)
            store.namespace = f"{self.name}.{name}"
        return store

    def get(self, name):
        """Return the store of a collection that exists, or None."""
        store = self._collections.get(name)
        return store if store is not None and store.is_created else None

    def replace(self, name, store):
        """Put a store in the place of another: what $out and renames do."""
        self._collections[name] = store
        store.name, store.namespace = name, f"{self.name}.{name}"

    def forget(self, name):
        """Drop a collection."""
        self._collections.pop(name, None)


class ServerStore(mongomock_store.ServerStore):
    """The databases of the server."""

    def __getitem__(self, name):
        database = self._databases.get(name)
        if database is None:
            database = self._databases[name] = DatabaseStore(name)
        return database

    def get(self, database, collection):
        """Return the store of a collection that exists, or None."""
        found = self._databases.get(database)
        return found and found.get(collection)

    def stores(self):
        """Yield (database, collection, store) for all that exist."""
        for database, found in self._databases.items():
            for collection in found.list_created_collection_names():
                yield database, collection, found[collection]
