"""find, count, distinct, explain."""

from stores.mongodb import cursors
from stores.mongodb.commands.call import values_of, whole
from stores.mongodb.commands.handshake import VERSION
from stores.mongodb.commands.registry import COMMANDS, check_fields, command
from stores.mongodb.errors import MongoError, bad_value, failed_to_parse
from stores.mongodb.operation import Operation
from stores.mongodb.tailing import TailCursor

SHARED = {"collation": "object", "hint": "object|string", "let": "object"}
FIND = {
    **SHARED,
    **dict.fromkeys(("filter", "projection", "sort", "min", "max"), "object"),
    **dict.fromkeys(("skip", "limit", "batchSize"), "number"),
    **dict.fromkeys(("singleBatch", "allowDiskUse", "returnKey", "showRecordId", "tailable", "awaitData"), "bool"),
    **dict.fromkeys(("noCursorTimeout", "allowPartialResults", "oplogReplay", "mirrored"), "bool"),
}


def share(call):
    """Give the engine's operation the options that reads and writes have in common."""
    operation: Operation = call.operation
    operation.let = call.let
    operation.collation = call.get("collation")
    operation.hint = call.get("hint")
    operation.comment = call.get("comment")
    return operation


@command("find", fields=FIND, in_transaction=True, api=True)
def find(call):
    """Return the first batch of the documents that match, and a cursor to the others."""
    operation = share(call)
    limit, single = call.count("limit", 0), call.flag("singleBatch")
    size = call.count("batchSize", cursors.FIRST_BATCH)
    if call.flag("awaitData") and not call.flag("tailable"):
        raise failed_to_parse("Cannot set 'awaitData' without also setting 'tailable'")
    operation.min, operation.max = call.get("min"), call.get("max")
    operation.return_key, operation.record_id = call.flag("returnKey"), call.flag("showRecordId")
    if (call.get("min") or call.get("max")) and not operation.hint:
        raise MongoError(51173, "When using min()/max() a hint of which index to use must be provided")
    if call.flag("tailable"):
        cursor = _tail(call, single)
    else:
        documents = call.collection.find(
            call.get("filter", {}), call.get("projection"), call.get("sort"), call.count("skip", 0), limit, operation
        )
        cursor = cursors.Cursor(call.namespace, documents, operation, limit or None)
    cursor.no_timeout = call.flag("noCursorTimeout")
    return first_batch(call, cursor, size, single)


def _tail(call, single):
    """Return a cursor that stays open at the end of a capped collection."""
    if single:
        raise failed_to_parse("Cannot use tailable option with the 'singleBatch' option")
    if call.get("sort") not in (None, {}, {"$natural": 1}):
        raise bad_value("cannot use tailable option with a sort other than {$natural: 1}")
    if call.engine.exists(call.database, call.collection_name) and not call.collection.capped:
        raise bad_value(f"error processing query: ns={call.namespace} tailable cursor requested on non capped collection")
    return TailCursor(call, call.flag("awaitData"))


def first_batch(call, cursor, size, single=False):
    """Return the reply that begins a cursor; keep the cursor where there may be more."""
    call.cursor = cursor
    documents = cursor.batch(size)
    if single and not cursor.exhausted:
        cursor.close()
    call.returned = len(documents)
    if not cursor.exhausted:
        cursor.session, cursor.number = call.session, call.number if call.transaction is not None else None
        cursor.command = {name: value for name, value in call.body.items() if name not in ("lsid", "$clusterTime", "$db")}
        call.node.cursors.add(cursor)
    part = cursors.reply(cursor, documents, first=True)
    if call.snapshot is not None:
        part["atClusterTime"] = call.snapshot
    return {"cursor": part}


COUNT = {**SHARED, "query": "object", "limit": "number", "skip": "number", "fields": "any"}


@command("count", fields=COUNT, api=True)
def count(call):
    """Count the documents that match."""
    limit = abs(whole(call.get("limit", 0), "count.limit"))  # a negative limit has always meant a positive one
    return {"n": call.collection.count(call.get("query", {}), call.count("skip", 0), limit, share(call))}


@command("distinct", fields={**SHARED, "key": "string", "query": "object"}, in_transaction=True)
def distinct(call):
    """Return the values that a field has."""
    if "key" not in call.body:
        raise MongoError(40414, "BSON field 'distinct.key' is missing but a required field")
    reply = {"values": call.collection.distinct(call.body["key"], call.get("query", {}), share(call))}
    return reply if call.snapshot is None else {**reply, "atClusterTime": call.snapshot}


EXPLAINABLE = {"aggregate", "count", "delete", "distinct", "find", "findAndModify", "update"}
VERBOSITY = ("queryPlanner", "executionStats", "allPlansExecution")


@command("explain", fields={"verbosity": "string"}, api=True)
def explain(call):
    """Say how a command would be executed; a write is not."""
    inner = call.body["explain"]
    verbosity = call.get("verbosity", "allPlansExecution")
    if not isinstance(inner, dict) or not inner:
        raise failed_to_parse("explain command requires a nested object")
    if verbosity not in VERBOSITY:
        raise bad_value(f"verbosity string must be one of {{'queryPlanner', 'executionStats', 'allPlansExecution'}}: {verbosity}")
    spec = COMMANDS.get(next(iter(inner)))
    if spec is None:
        raise MongoError("CommandNotFound", f"Explain failed due to unknown command: {next(iter(inner))}")
    if spec.name not in EXPLAINABLE:
        raise MongoError("IllegalOperation", f"Explain of the command '{spec.name}' is not possible")
    check_fields(spec.name, inner, spec.fields, {"$db", "readConcern", "writeConcern", "maxTimeMS", "comment", "lsid", "txnNumber"})
    return explained(call, spec.name, inner, verbosity)


def explained(call, kind, inner, verbosity):
    operation = call.operation
    operation.let = values_of(inner.get("let"), operation.now)
    operation.collation, operation.hint = inner.get("collation"), inner.get("hint")
    name = next(iter(inner.values()))
    collection = call.engine.collection(call.database, name if isinstance(name, str) else "$cmd.aggregate")
    told = collection.explain(kind, inner, verbosity, operation)
    host, _, port = call.node.address.rpartition(":")
    return {
        **told,
        "command": {**inner, "$db": call.database},
        "serverInfo": {"host": host, "port": int(port), "version": VERSION, "gitVersion": "embedded"},
    }
