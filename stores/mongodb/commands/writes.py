"""insert, update, delete, findAndModify."""

from bson import ObjectId

from stores.mongodb import stages
from stores.mongodb.commands.call import whole
from stores.mongodb.commands.reads import share
from stores.mongodb.commands.registry import check_fields, command
from stores.mongodb.commands.statements import Statements, refuse_many
from stores.mongodb.errors import MongoError, failed_to_parse

WRITE = {
    **dict.fromkeys(("ordered", "bypassDocumentValidation", "bypassEmptyTsReplacement"), "bool"),
    **{"stmtId": "number", "stmtIds": "array", "let": "object", "isTimeseriesNamespace": "bool", "collectionUUID": "any"},
}
UPDATE = {
    **{"q": "object", "u": "object|array", "c": "object", "arrayFilters": "array", "hint": "object|string", "sort": "object"},
    **{"multi": "bool", "upsert": "bool", "collation": "object", "sampleId": "any", "upsertSupplied": "bool"},
}
DELETE = {"q": "object", "limit": "number", "hint": "object|string", "collation": "object", "sampleId": "any"}


def begin(call):
    """Give the engine's operation the options of a write."""
    operation = share(call)
    operation.bypass_validation = call.flag("bypassDocumentValidation")
    return operation


def required(call, field):
    """Return a field that a command cannot do without."""
    if call.get(field) is None:
        raise MongoError(40414, f"BSON field '{call.name}.{field}' is missing but a required field")
    return call.body[field]


@command("insert", fields={**WRITE, "documents": "array"}, in_transaction=True, api=True, retryable=True)
async def insert(call):
    """Insert documents, one after the other."""
    operation, collection, statements = begin(call), call.collection, Statements(call)
    count = 0
    async for _ in statements.run(required(call, "documents"), lambda document: collection.insert(with_id(document), operation)):
        count += 1
    return statements.reply({"n": count})


def with_id(document):
    """Return the document with its _id in front; without one it gets a new ObjectId."""
    if "_id" not in document:
        return {"_id": ObjectId(), **document}
    if next(iter(document)) != "_id":
        return {"_id": document["_id"], **document}
    return document


@command("update", fields={**WRITE, "updates": "array"}, in_transaction=True, api=True, retryable=True)
async def update(call):
    """Change documents, statement by statement."""
    begin(call)
    updates, statements = required(call, "updates"), Statements(call)
    for statement in updates:
        check_update(call, statement)
    matched, modified, upserted = 0, 0, []
    async for index, outcome in statements.run(updates, lambda statement: run_update(call, call.collection, statement)):
        matched += outcome.matched + outcome.upserted
        modified += outcome.modified
        if outcome.upserted:
            upserted.append({"index": index, "_id": outcome.upserted_id})
    answer = {"n": matched, "nModified": modified}
    if upserted:
        answer["upserted"] = upserted
    return statements.reply(answer)


def check_update(call, statement):
    """Raise MongoError for an update statement that is not well-formed."""
    check_fields("update.updates", statement, UPDATE)
    for field in ("q", "u"):
        if field not in statement:
            raise MongoError(40414, f"BSON field 'update.updates.{field}' is missing but a required field")
    refuse_many(call, statement.get("multi"), "multi=true")
    if isinstance(statement["u"], list):  # a pipeline that cannot be read fails the command, not the statement
        stages.check(statement["u"], names=(*call.get("let", {}), *(statement.get("c") or {})))


def run_update(call, collection, statement):
    """Execute one update statement and return the engine's Updated."""
    many = bool(statement.get("multi"))
    if many and statement.get("sort"):
        raise failed_to_parse("Cannot specify sort with multi=true")
    operation = for_statement(call, statement)
    if statement.get("c") is not None:
        if not isinstance(statement["u"], list):
            raise MongoError(51198, "Constant values may only be specified for pipeline updates")
        operation.let = {**(operation.let or {}), **statement["c"]}
    return collection.update(
        statement["q"],
        statement["u"],
        many,
        bool(statement.get("upsert")),
        statement.get("arrayFilters"),
        statement.get("sort"),
        operation,
    )


def for_statement(call, statement):
    """Return the engine's operation with the options of one statement."""
    operation = call.operation
    operation.hint, operation.collation = statement.get("hint"), statement.get("collation")
    operation.let = call.let
    return operation


@command("delete", fields={**WRITE, "deletes": "array"}, in_transaction=True, api=True, retryable=True)
async def delete(call):
    """Delete documents, statement by statement."""
    begin(call)
    deletes, statements = required(call, "deletes"), Statements(call)
    for statement in deletes:
        check_fields("delete.deletes", statement, DELETE)
        for field in ("q", "limit"):
            if field not in statement:
                raise MongoError(40414, f"BSON field 'delete.deletes.{field}' is missing but a required field")
        if (limit := whole(statement["limit"], "delete.deletes.limit")) not in (0, 1):
            raise failed_to_parse(f"The limit field in delete objects must be 0 or 1. Got {limit}")
        refuse_many(call, limit == 0, "limit=0")
    count = 0
    async for _, number in statements.run(deletes, lambda statement: run_delete(call, call.collection, statement)):
        count += number
    return statements.reply({"n": count})


def run_delete(call, collection, statement):
    """Execute one delete statement and return how many documents it deleted."""
    return collection.delete(statement["q"], not statement["limit"], for_statement(call, statement))


FIND_AND_MODIFY = {
    **WRITE,
    **dict.fromkeys(("query", "fields", "sort", "collation"), "object"),
    **dict.fromkeys(("remove", "new", "upsert"), "bool"),
    **{"update": "object|array", "arrayFilters": "array", "hint": "object|string"},
}


@command("findAndModify", "findandmodify", fields=FIND_AND_MODIFY, in_transaction=True, api=True, retryable=True)
async def find_and_modify(call):
    """Change or delete one document and return it as it was, or as it is."""
    begin(call)
    _check_find_and_modify(call)
    statements = Statements(call)
    async for _, outcome in statements.run([call.body], lambda _: _modify(call)):
        reply = {"lastErrorObject": _last_error(call, outcome), "value": outcome.value}
        call.returned = int(outcome.value is not None)
        return {**reply, "retriedStmtId": statements.retried[0]} if statements.retried else reply
    first = statements.errors[0]
    details = {name: value for name, value in first.items() if name not in ("index", "code", "errmsg")}
    raise MongoError(first["code"], first["errmsg"], **details)


NOT_WITH_REMOVE = {
    "update": "Cannot specify both an update and remove=true",
    "upsert": "Cannot specify both upsert=true and remove=true",
    "new": "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document",
}


def _check_find_and_modify(call):
    if call.flag("remove"):
        for option, told in NOT_WITH_REMOVE.items():
            if call.get(option):
                raise failed_to_parse(told)
        if call.get("arrayFilters"):
            raise failed_to_parse("Cannot specify arrayFilters and remove=true")
    elif call.get("update") is None:
        raise failed_to_parse("Either an update or remove=true must be specified")
    elif isinstance(call.get("update"), list) and call.get("arrayFilters"):
        raise failed_to_parse("Cannot specify arrayFilters and a pipeline update")


def _modify(call):
    return call.collection.find_and_modify(
        call.get("query", {}),
        call.get("sort"),
        call.get("fields"),
        call.get("update"),
        call.flag("remove"),
        call.flag("new"),
        call.flag("upsert"),
        call.get("arrayFilters"),
        call.operation,
    )


def _last_error(call, outcome):
    if call.flag("remove"):
        return {"n": int(outcome.found)}
    told = {"n": int(outcome.found or outcome.upserted), "updatedExisting": outcome.found}
    if outcome.upserted:
        told["upserted"] = outcome.upserted_id
    return told
