"""aggregate."""

from stores.mongodb import changes, cursors
from stores.mongodb.commands.call import check_namespace, whole
from stores.mongodb.commands.reads import explained, first_batch, share
from stores.mongodb.commands.registry import command
from stores.mongodb.commands.writes import required
from stores.mongodb.errors import MongoError, failed_to_parse, type_mismatch
from stores.mongodb.stages import STAGES

AGGREGATE = {
    **{"pipeline": "array", "cursor": "object", "hint": "object|string", "let": "object", "collation": "object"},
    **dict.fromkeys(
        ("explain", "allowDiskUse", "bypassDocumentValidation", "bypassEmptyTsReplacement", "allowPartialResults"), "bool"
    ),
    **{"collectionUUID": "any", "passthroughToShard": "any", "exchange": "any"},
}
WHOLE_DATABASE = "$cmd.aggregate"
WRITES = ("$out", "$merge")
WITHOUT_COLLECTION = ("$currentOp", "$documents", "$listLocalSessions")
NOT_IN_TRANSACTIONS = (*WRITES, "$changeStream", "$collStats", "$currentOp", "$indexStats", "$listSessions", "$listLocalSessions")
NOT_IN_API_1 = ("$currentOp", "$indexStats", "$listLocalSessions", "$listSessions", "$planCacheStats", "$search")


@command("aggregate", fields=AGGREGATE, in_transaction=True, api=True)
async def aggregate(call):
    """Return the first batch of what a pipeline gives, and a cursor to the rest."""
    pipeline = required(call, "pipeline")
    name = _collection_name(call)
    _check(call, pipeline)
    _check_target(name, pipeline)
    operation = share(call)
    operation.bypass_validation = call.flag("bypassDocumentValidation")
    operation.allow_disk = call.flag("allowDiskUse", True)
    collection = call.engine.collection(call.database, name)
    if call.flag("explain"):
        return explained(call, "aggregate", call.body, "queryPlanner")
    namespace = f"{call.database}.{name}"
    size = _batch_size(call)
    if pipeline and "$changeStream" in pipeline[0]:
        cursor = changes.ChangeStream(call, namespace, pipeline)
        return first_batch(call, cursor, size)
    if pipeline and any(stage in pipeline[-1] for stage in WRITES):
        await call.write(lambda: list(collection.aggregate(pipeline, operation)))
        return first_batch(call, cursors.Cursor(namespace, (), operation), size)
    return first_batch(call, cursors.Cursor(namespace, collection.aggregate(pipeline, operation), operation), size)


def _collection_name(call):
    target = call.body["aggregate"]
    if isinstance(target, str):
        check_namespace(call.database, target)
        return target
    if isinstance(target, bool) or target != 1:
        raise failed_to_parse("Invalid command format: the 'aggregate' field must specify a collection name or 1")
    return WHOLE_DATABASE


def _check(call, pipeline):
    for stage in pipeline:
        if not isinstance(stage, dict):
            raise type_mismatch("Each element of the 'pipeline' array must be an object")
        if len(stage) != 1:
            raise MongoError(40323, "A pipeline stage specification object must contain exactly one field.")
    if "cursor" not in call.body and not call.flag("explain"):
        raise failed_to_parse("The 'cursor' option is required, except for aggregate with the explain argument")
    for name in (next(iter(stage)) for stage in pipeline):
        if call.transaction is not None and name in NOT_IN_TRANSACTIONS:
            raise MongoError("OperationNotSupportedInTransaction", f"{name} cannot be used in a transaction")
        if name in WRITES and call.get("readConcern", {}).get("level") == "linearizable":
            raise MongoError("InvalidOptions", f"{name} cannot be used with a 'linearizable' read concern level")
        if call.flag("apiStrict") and name in NOT_IN_API_1:
            raise MongoError("APIStrictError", f"stage {name} is not allowed with 'apiStrict: true' in API Version 1")


def _check_target(name, pipeline):
    """Raise where the first stage reads a collection and none is named, or the other way round."""
    first = next(iter(pipeline[0]), None) if pipeline else None
    if name != WHOLE_DATABASE and first in WITHOUT_COLLECTION:
        raise MongoError("InvalidNamespace", f"'{first}' can only be run with {{aggregate: 1}}")
    if name == WHOLE_DATABASE and (first is None or first in STAGES) and first not in (*WITHOUT_COLLECTION, "$changeStream"):
        told = f"'{first}'; a collection is required." if first else "an empty pipeline."
        raise MongoError("InvalidNamespace", f"{{aggregate: 1}} is not valid for {told}")


def _batch_size(call):
    size = call.get("cursor", {}).get("batchSize")
    if size is None:
        return cursors.FIRST_BATCH
    if (number := whole(size, "cursor.batchSize")) < 0:
        raise MongoError(51024, f"BSON field 'batchSize' value must be >= 0, actual value '{number}'")
    return number
