"""Indexes of a collection, made and dropped; the numbers of collStats; validate."""

import bson

from stores.mongodb.errors import MongoError
from stores.mongodb.indexes import spec as specs_of
from stores.mongodb.indexes.values import shown
from stores.mongodb.oplog import Change
from stores.mongodb.writer import Writer


def existing(collection, operation=None):
    """Return the store of a collection. Raises NamespaceNotFound (26) if it does not exist, 166 if it is a view."""
    store = collection.store(operation)
    if not store.is_created:
        raise MongoError("NamespaceNotFound", f"ns does not exist: {collection.namespace}")
    collection.engine.views.refuse_write(collection.database, collection.name)
    return store


def create_indexes(collection, specs, operation):
    """Create indexes, and the collection if need be. Returns the numbers of indexes before and after."""
    if not specs:
        raise MongoError("BadValue", "Must specify at least one index to create")
    collection.engine.views.refuse_write(collection.database, collection.name)
    writer = Writer(collection.engine, collection.database, collection.name, operation)
    store, implicit = writer.store, collection.store(operation).is_created
    made = [specs_of.normalise(each, store.options.get("collation")) for each in specs]
    writer.create()
    before, added = len(_visible(store)) if implicit else 1, []
    try:
        for each in made:
            if specs_of.conflict(each, [tree.spec for tree in _visible(store)]):
                continue
            if len(_visible(store)) >= specs_of.MOST_INDEXES:
                message = f"add index fails, too many indexes for {collection.namespace} key:{shown(each['key'])}"
                raise MongoError("CannotCreateIndex", message)
            if operation.transaction and store.documents_by_record:
                message = f"Cannot create new indexes on existing collection {collection.namespace} in a multi-document transaction."
                raise MongoError("OperationNotSupportedInTransaction", message)
            store.add_index(each)
            added.append(each)
    except MongoError:
        for each in added:  # all or none
            store.drop_index(each["name"])
        raise
    for each in added:
        change = Change("createIndexes", collection.database, collection.name, description={"indexes": [each]}, uuid=store.uuid)
        writer.changes.append(change)
    writer.finish()
    return before, len(_visible(store))


def _visible(store):
    return [tree for tree in store.trees.values() if not tree.internal]


def list_indexes(collection, operation=None):
    """Return the indexes as listIndexes shows them."""
    store = existing(collection, operation)
    clustered = store.options.get("clusteredIndex")
    listed = [dict(tree.spec) for tree in _visible(store)]
    return [{**clustered, "clustered": True}, *listed[1:]] if clustered else listed


def drop_indexes(collection, index):
    """Drop an index by name or key pattern, several by name, or all but that on _id ("*")."""
    store = existing(collection)
    collection.engine.transactions.preserve(collection.database, collection.name)
    before = _visible(store)
    if index == "*":
        dropped = [tree for tree in before if tree.name != "_id_"]
    else:
        dropped = [_find(store, each) for each in (index if isinstance(index, list) else [index])]
    for tree in dropped:
        if tree.name == "_id_":
            raise MongoError("InvalidOptions", "cannot drop _id index")
        store.drop_index(tree.name)
        description = {"indexes": [tree.spec]}
        collection.engine.oplog.add(
            Change("dropIndexes", collection.database, collection.name, description=description, uuid=store.uuid)
        )
    return len(before)


def _find(store, wanted):
    if isinstance(wanted, str):
        found = [tree for tree in _visible(store) if tree.name == wanted]
        if not found:
            raise MongoError("IndexNotFound", f"index not found with name [{wanted}]")
        return found[0]
    found = [tree for tree in _visible(store) if list(tree.pattern.items()) == list(wanted.items()) or _as_asked(tree) == wanted]
    if not found:
        raise MongoError("IndexNotFound", f"can't find index with key: {shown(wanted)}")
    if len(found) > 1:
        message = f"{len(found)} indexes found for key: {shown(wanted)}, identify by name instead. Conflicting indexes: "
        raise MongoError("AmbiguousIndexKeyPattern", message + ", ".join(tree.name for tree in found))
    return found[0]


def _as_asked(tree):
    """Return a text index's key pattern as it was asked for: { title: "text" }."""
    if "weights" not in tree.spec:
        return None
    before = {path: way for path, way in tree.pattern.items() if path not in ("_fts", "_ftsx")}
    return {**before, **dict.fromkeys(tree.spec["weights"], "text")}


def stats(collection):
    """Return the numbers of a collection: sizes are those of BSON, in bytes. Zeros if it does not exist."""
    store = collection.store()
    trees = _visible(store) if store.is_created else []
    sizes = {tree.name: 4096 + tree.bytes for tree in trees}
    answer = {"ns": collection.namespace, "size": store.bytes, "count": len(store)}
    if len(store):
        answer["avgObjSize"] = store.bytes // len(store)
    answer |= {
        "numOrphanDocs": 0, "storageSize": store.bytes and store.bytes + 4096, "freeStorageSize": 0,
        "capped": bool(store.options.get("capped")),
        "nindexes": len(trees), "indexBuilds": [], "totalIndexSize": sum(sizes.values()),
        "totalSize": sum(sizes.values()) + (store.bytes and store.bytes + 4096), "indexSizes": sizes, "scaleFactor": 1,
    }  # fmt: skip
    if answer["capped"]:
        answer |= {"max": store.options.get("max", 0), "maxSize": store.options["size"]}
    if "timeseries" in store.options:
        answer["timeseries"] = {"bucketsNs": f"{collection.database}.system.buckets.{collection.name}", **store.options["timeseries"]}
    return answer


def index_stats(collection):
    """Return what $indexStats shows: each index with the number of operations that used it."""
    store = existing(collection)
    since = collection.engine.now()
    return [
        {
            "name": tree.name, "key": dict(tree.pattern), "host": collection.engine.host,
            "accesses": {"ops": bson.Int64(tree.accesses), "since": tree.__dict__.setdefault("since", since)}, "spec": dict(tree.spec),
        }
        for tree in _visible(store)
    ]  # fmt: skip


def validate(collection):
    """Check that every index has exactly the keys of the documents, and that these obey the validator."""
    store = existing(collection)
    errors, details, counts = [], {}, {}
    for tree in _visible(store):
        expected = {(*key, record) for record, document in store.documents_by_record.items() for key in tree.keys(document)}
        counts[tree.name] = len(tree.entries)
        details[tree.name] = {"valid": expected == set(tree.entries)}
        if not details[tree.name]["valid"]:
            errors.append(f"Index {tree.name} does not have the keys of the documents")
    invalid = sum(not store.validator(each) for each in store.documents_by_record.values()) if store.validator else 0
    warnings = ["Detected one or more documents not compliant with the collection's schema."] if invalid else []
    return {
        "ns": collection.namespace, "nInvalidDocuments": 0, "nNonCompliantDocuments": invalid, "nrecords": len(store),
        "nIndexes": len(counts),
        "keysPerIndex": counts, "indexDetails": details, "valid": not errors, "repaired": False, "warnings": warnings,
        "errors": errors,
        "extraIndexEntries": [], "missingIndexEntries": [], "corruptRecords": [],
    }  # fmt: skip
