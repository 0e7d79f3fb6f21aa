"""bulkWrite: statements on several collections in one command, as MongoDB 8.0 has it."""

from stores.mongodb.commands.call import check_namespace
from stores.mongodb.commands.reads import first_batch
from stores.mongodb.commands.registry import check_fields, command
from stores.mongodb.commands.statements import Statements, refuse_many
from stores.mongodb.commands.writes import begin, required, run_delete, run_update, with_id
from stores.mongodb.cursors import Cursor
from stores.mongodb.errors import MongoError, bad_value

BULK = {
    **dict.fromkeys(("ordered", "errorsOnly", "bypassDocumentValidation", "bypassEmptyTsReplacement"), "bool"),
    **{"ops": "array", "nsInfo": "array", "let": "object", "cursor": "object", "stmtId": "number", "stmtIds": "array"},
}
INSERT = {"insert": "number", "document": "object"}
UPDATE = {
    **{"update": "number", "filter": "object", "updateMods": "object|array", "multi": "bool", "upsert": "bool", "constants": "object"},
    **{"arrayFilters": "array", "hint": "object|string", "collation": "object", "sort": "object", "sampleId": "any"},
}
DELETE = {"delete": "number", "filter": "object", "multi": "bool", "hint": "object|string", "collation": "object", "sampleId": "any"}
KINDS = {"insert": INSERT, "update": UPDATE, "delete": DELETE}


@command("bulkWrite", fields=BULK, in_transaction=True, api=True, retryable=True, admin=True)
async def bulk_write(call):
    """Execute inserts, updates and deletes in order; a cursor tells what became of each."""
    operation = begin(call)
    operations = required(call, "ops")
    collections = [_collection(call, about) for about in required(call, "nsInfo")]
    for each in operations:
        _check(call, each, len(collections))
    statements = Statements(call)
    totals = dict.fromkeys(("nErrors", "nInserted", "nMatched", "nModified", "nUpserted", "nDeleted"), 0)
    results = []
    async for index, outcome in statements.run(operations, lambda each: _execute(call, collections, each, operation)):
        told, counted = outcome
        for name, number in counted.items():
            totals[name] += number
        results.append({"ok": 1.0, "idx": index, **told})
    for error in statements.errors:
        index = error.pop("index")
        results.append({"ok": 0.0, "idx": index, "n": 0, **({"nModified": 0} if "update" in operations[index] else {}), **error})
    totals["nErrors"] = len(statements.errors)
    if call.transaction is not None and statements.errors:
        call.node.sessions.abort(call.session)
    shown = [result for result in sorted(results, key=lambda result: result["idx"]) if not (call.flag("errorsOnly") and result["ok"])]
    size = call.get("cursor", {}).get("batchSize")
    reply = first_batch(call, Cursor("admin.$cmd.bulkWrite", shown, operation), size)
    call.returned = None
    statements.errors = []
    return statements.reply({**reply, **totals})


def _collection(call, about):
    database, _, name = about.get("ns", "").partition(".")
    check_namespace(database, name)
    return call.engine.collection(database, name)


def _check(call, each, count):
    kind = next(iter(each), "")
    if kind not in KINDS:
        raise MongoError("FailedToParse", f"Unrecognized bulkWrite operation '{kind}': expected insert, update or delete")
    check_fields(f"bulkWrite.{kind}", each, KINDS[kind])
    if not 0 <= each[kind] < count:
        raise bad_value(f"BulkWrite ops entry has an invalid nsInfo index: {each[kind]}")
    refuse_many(call, each.get("multi"), "multi=true")


def _execute(call, collections, each, operation):
    """Return what the client is told of one statement, and what it adds to the totals."""
    kind = next(iter(each))
    collection = collections[each[kind]]
    if kind == "insert":
        operation.hint = operation.collation = None
        collection.insert(with_id(each["document"]), operation)
        return {"n": 1}, {"nInserted": 1}
    many = bool(each.get("multi"))
    if kind == "delete":
        count = run_delete(call, collection, {**each, "q": each["filter"], "limit": 0 if many else 1})
        return {"n": count}, {"nDeleted": count}
    renamed = {"q": each["filter"], "u": each["updateMods"], "c": each.get("constants")}
    done = run_update(call, collection, {**each, **renamed})
    told = {"n": done.matched + done.upserted, "nModified": done.modified}
    if done.upserted:
        told["upserted"] = {"_id": done.upserted_id}
    return told, {"nMatched": done.matched, "nModified": done.modified, "nUpserted": int(done.upserted)}
