"""createIndexes, listIndexes, dropIndexes."""

from stores.mongodb.commands.reads import first_batch
from stores.mongodb.commands.registry import command
from stores.mongodb.commands.writes import required
from stores.mongodb.cursors import FIRST_BATCH, Cursor
from stores.mongodb.errors import MongoError, bad_value


@command(
    "createIndexes",
    fields={"indexes": "array", "commitQuorum": "any", "ignoreUnknownIndexOptions": "bool"},
    in_transaction=True,
    api=True,
)
def create_indexes(call):
    """Create indexes, all or none."""
    specs = required(call, "indexes")
    if not specs:
        raise bad_value("Must specify at least one index to create")
    created = not call.engine.exists(call.database, call.collection_name)
    if call.transaction is not None and not created and not _exist(call, specs):
        raise MongoError(
            "OperationNotSupportedInTransaction",
            f"Cannot create new indexes on existing collection {call.namespace} in a multi-document transaction.",
        )
    before, after = call.collection.create_indexes(specs, call.operation)
    reply = {"numIndexesBefore": before, "numIndexesAfter": after, "createdCollectionAutomatically": created}
    if before == after:
        reply["note"] = "all indexes already exist"
    return reply


def _exist(call, specs):
    names = {each["name"] for each in call.collection.list_indexes(call.operation)}
    return all(spec.get("name") in names for spec in specs)


@command("listIndexes", fields={"cursor": "object", "includeIndexBuildInfo": "bool", "includeBuildUUIDs": "bool"}, api=True)
def list_indexes(call):
    """Return the descriptions of a collection's indexes."""
    must_exist(call)
    size = call.get("cursor", {}).get("batchSize", FIRST_BATCH)
    return first_batch(call, Cursor(call.namespace, call.collection.list_indexes(call.operation), call.operation), size)


@command("dropIndexes", "deleteIndexes", fields={"index": "string|object|array"}, api=True)
def drop_indexes(call):
    """Drop an index by its name or key, several, or with "*" all but the one on _id."""
    must_exist(call)
    dropped = required(call, "index")
    reply = {"nIndexesWas": call.collection.drop_indexes(dropped)}
    if dropped == "*":
        reply["msg"] = "non-_id indexes dropped for collection"
    return reply


def must_exist(call):
    """Raise NamespaceNotFound where there is no such collection."""
    if not call.engine.exists(call.database, call.collection_name):
        told = "ns not found" if call.name == "dropIndexes" else "ns does not exist:"
        raise MongoError("NamespaceNotFound", f"{told} {call.namespace}")
