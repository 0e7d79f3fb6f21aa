"""Databases and collections: what there is, create, change, rename, drop."""

from stores.mongodb.commands.call import check_namespace
from stores.mongodb.commands.indexes import must_exist
from stores.mongodb.commands.reads import first_batch
from stores.mongodb.commands.registry import command
from stores.mongodb.commands.writes import required
from stores.mongodb.cursors import Cursor
from stores.mongodb.errors import MongoError, not_embedded
from stores.mongodb.query import Query

CREATE = {
    **dict.fromkeys(("capped", "autoIndexId", "encryptedFields", "changeStreamPreAndPostImages", "clusteredIndex", "flags"), "any"),
    **{"size": "number", "max": "number", "storageEngine": "object", "validator": "object", "validationLevel": "string"},
    **{"validationAction": "string", "indexOptionDefaults": "object", "viewOn": "string", "pipeline": "array"},
    **{"collation": "object", "timeseries": "object", "expireAfterSeconds": "any", "temp": "bool", "idIndex": "object"},
}


def options_of(call):
    """Return the command's own fields: what is to be created or changed, and how."""
    own = call.spec.fields.keys() - {call.spec.name}
    return {name: value for name, value in call.body.items() if name in own}


@command("create", fields=CREATE, in_transaction=True, api=True)
def create(call):
    """Create a collection or a view."""
    name, options = call.collection_name, options_of(call)
    for option in ("encryptedFields", "storageEngine"):
        if option in options:
            raise not_embedded(f"The option '{option}' of create", "InvalidOptions")
    if call.transaction is not None and call.engine.exists(call.database, name):
        raise MongoError("NamespaceExists", f"Collection {call.namespace} already exists.")
    call.engine.create_collection(call.database, name, options, call.operation)
    return {}


COLL_MOD = {
    **{"index": "object", "validator": "object", "validationLevel": "string", "validationAction": "string", "viewOn": "string"},
    **{"pipeline": "array", "changeStreamPreAndPostImages": "object", "expireAfterSeconds": "any", "timeseries": "object"},
    **{"cappedSize": "number", "cappedMax": "number", "dryRun": "bool"},
}


@command("collMod", fields=COLL_MOD, api=True)
def coll_mod(call):
    """Change the options of a collection, a view or an index."""
    must_exist(call)
    options = options_of(call)
    return call.engine.coll_mod(call.database, call.collection_name, options) or {}


@command("convertToCapped", fields={"size": "number"})
def convert_to_capped(call):
    """Make a collection capped: its youngest documents stay, and of its indexes that on _id."""
    call.engine.convert_to_capped(call.database, call.collection_name, required(call, "size"))
    _close_cursors(call, lambda namespace: namespace == call.namespace)
    return {}


@command("drop", fields={}, api=True)
def drop(call):
    """Drop a collection; dropping one that does not exist is no error."""
    name = call.collection_name
    if not call.engine.exists(call.database, name):
        return {}
    count = 0
    if next(each for each in call.engine.list_collections(call.database) if each["name"] == name)["type"] != "view":
        count = len(call.collection.list_indexes())
    call.engine.drop_collection(call.database, name)
    _close_cursors(call, lambda namespace: namespace == call.namespace)
    return {"nIndexesWas": count, "ns": call.namespace}


def _close_cursors(call, gone):
    """Close the cursors of what is gone; change streams have an event to tell of it yet."""
    call.node.cursors.kill_where(lambda cursor: gone(cursor.namespace) and not cursor.resumable)


@command("dropDatabase", fields={}, api=True)
def drop_database(call):
    """Drop a database."""
    if call.database in ("admin", "config", "local"):
        raise MongoError("IllegalOperation", f"Dropping the '{call.database}' database is prohibited.")
    existed = call.database in call.engine.database_names()
    call.engine.drop_database(call.database)
    _close_cursors(call, lambda namespace: namespace.startswith(f"{call.database}."))
    return {"dropped": call.database} if existed else {}


@command("renameCollection", fields={"to": "string", "dropTarget": "bool"}, admin=True)
def rename_collection(call):
    """Rename a collection, or move it to another database."""
    source, _, name = call.body["renameCollection"].partition(".")
    target, _, new_name = required(call, "to").partition(".")
    for database, collection in ((source, name), (target, new_name)):
        check_namespace(database, collection)
    if not call.engine.exists(source, name):
        raise MongoError("NamespaceNotFound", f"Source collection {source}.{name} does not exist")
    if (source, name) == (target, new_name):
        raise MongoError("IllegalOperation", "Can't rename a collection to itself")
    if call.engine.exists(target, new_name) and not call.flag("dropTarget"):
        raise MongoError("NamespaceExists", "target namespace exists")
    call.engine.rename(source, name, target, new_name, call.flag("dropTarget"))
    _close_cursors(call, lambda namespace: namespace == f"{source}.{name}")
    return {}


@command(
    "listCollections", fields={"filter": "object", "nameOnly": "bool", "authorizedCollections": "bool", "cursor": "object"}, api=True
)
def list_collections(call):
    """Return descriptions of the database's collections and views, by name."""
    chosen = Query(call.get("filter", {}))
    found = sorted(call.engine.list_collections(call.database), key=lambda each: each["name"])
    shown = [each for each in found if chosen(each)]
    if call.flag("nameOnly"):
        shown = [{"name": each["name"], "type": each["type"]} for each in shown]
    size = call.get("cursor", {}).get("batchSize")
    return first_batch(call, Cursor(f"{call.database}.$cmd.listCollections", shown, call.operation), size)


@command(
    "listDatabases",
    fields={"filter": "object", "nameOnly": "bool", "authorizedDatabases": "bool"},
    admin=True,
    api=True,
)
def list_databases(call):
    """Return the databases with the sizes of their documents in bytes."""
    chosen = Query(call.get("filter", {}))
    found = [{"name": name, **_size(call.engine, name)} for name in sorted(call.engine.database_names())]
    shown = [each for each in found if chosen(each)]
    if call.flag("nameOnly"):
        return {"databases": [{"name": each["name"]} for each in shown]}
    total = sum(each["sizeOnDisk"] for each in shown)
    return {"databases": shown, "totalSize": total, "totalSizeMb": total // 2**20}


def _size(engine, database):
    size = sum(stats["storageSize"] + stats["totalIndexSize"] for stats in each_stats(engine, database))
    return {"sizeOnDisk": size, "empty": not size}


def each_stats(engine, database):
    """Yield the statistics of a database's collections, without its views."""
    for each in engine.list_collections(database):
        if each["type"] != "view":
            yield engine.collection(database, each["name"]).stats()
