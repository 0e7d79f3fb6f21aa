"""getMore and killCursors."""

import asyncio

from bson import Int64

from stores.mongodb import cursors
from stores.mongodb.commands import failpoints
from stores.mongodb.commands.registry import command
from stores.mongodb.errors import RESUMABLE, MongoError

# A driver opens a change stream anew after these: driver specification "Change Streams", resumable errors.
RESUMABLE_CODES = {6, 7, 43, 63, 89, 91, 133, 150, 189, 234, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436}
AWAIT = 1.0  # seconds that a cursor waits for data where the client does not say


@command(
    "getMore",
    fields={"getMore": "int|long", "collection": "string", "batchSize": "number", "term": "any", "lastKnownCommittedOpTime": "any"},
    in_transaction=True,
    api=True,
)
async def get_more(call):
    """Return the next batch of a cursor; one that awaits data waits for it."""
    cursor = call.node.cursors.get(call.body["getMore"])
    _check_owner(call, cursor)
    if "maxTimeMS" in call.body and not cursor.await_data:
        raise MongoError("BadValue", "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
    size = call.count("batchSize")
    call.cursor = cursor
    limit = cursor.operation.time_limit
    try:
        failpoints.at_get_more(call)
        if limit is not None:
            limit.resume()
        documents = await _batch(call, cursor, size or None)
        if limit is not None:
            limit.rest()
    except MongoError as error:
        call.node.cursors.kill(cursor.id)
        if cursor.resumable and error.code in RESUMABLE_CODES:
            error.labels = (*error.labels, RESUMABLE)
        raise
    call.returned = len(documents)
    if cursor.exhausted:
        call.node.cursors.kill(cursor.id)
    return {"cursor": cursors.reply(cursor, documents, first=False)}


def _check_owner(call, cursor):
    """A cursor belongs to the collection, the session and the transaction that it was made in."""
    name = f"{call.database}.{call.get('collection', '')}"
    if name != cursor.namespace:
        raise MongoError(
            "Unauthorized",
            f"Requested getMore on namespace '{name}', but cursor belongs to a different namespace {cursor.namespace}",
        )
    if cursor.session is not None and (call.session is None or call.session.id != cursor.session.id):
        code, other = (50737, "without an lsid") if call.session is None else (50738, f"in session {call.session.id.hex()}")
        raise MongoError(
            code, f"Cannot run getMore on cursor {cursor.id}, which was created in session {cursor.session.id.hex()}, {other}"
        )
    if cursor.session is None and call.session is not None:
        raise MongoError(
            50736, f"Cannot run getMore on cursor {cursor.id}, which was not created in a session, in session {call.session.id.hex()}"
        )
    number = call.number if call.transaction is not None else None
    if cursor.number != number:
        raise MongoError(
            50739,
            f"Cannot run getMore on cursor {cursor.id}, which was created in {_transaction(cursor.number)}, in {_transaction(number)}",
        )


def _transaction(number):
    return "no transaction" if number is None else f"transaction {number}"


async def _batch(call, cursor, size):
    documents = cursor.batch(size)
    if documents or not cursor.await_data or cursor.exhausted:
        return documents
    seconds = call.count("maxTimeMS", AWAIT * 1000) / 1000
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    changed = asyncio.Event()
    call.node.oplog.listeners.add(changed.set)
    try:
        while not documents and not cursor.exhausted and (left := deadline - loop.time()) > 0:
            try:
                await asyncio.wait_for(changed.wait(), left)
            except TimeoutError:
                break
            changed.clear()
            if cursor.id not in call.node.cursors:
                raise MongoError("CursorKilled", f"cursor id {cursor.id} was killed")
            documents = cursor.batch(size)
    finally:
        call.node.oplog.listeners.discard(changed.set)
    return documents


@command("killCursors", fields={"killCursors": "string", "cursors": "array"}, in_transaction=True, api=True)
def kill_cursors(call):
    """Close cursors of a collection."""
    killed, unknown = [], []
    ids = call.get("cursors")
    if not ids:
        raise MongoError("BadValue" if ids is not None else 40414, "BSON field 'killCursors.cursors' must hold at least one cursor id")
    for id_ in ids:
        (killed if call.node.cursors.kill(id_, call.namespace) else unknown).append(Int64(id_))
    return {"cursorsKilled": killed, "cursorsNotFound": unknown, "cursorsAlive": [], "cursorsUnknown": []}
