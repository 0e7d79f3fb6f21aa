"""What happens to every command before and after its handler: fields, session, transaction, concerns, times."""

import inspect

from bson import Int64, Timestamp

from stores.mongodb.commands import failpoints, registry
from stores.mongodb.commands.call import Call, whole
from stores.mongodb.errors import RETRYABLE_WRITE, TRANSIENT, MongoError, bad_value, failed_to_parse
from stores.mongodb.operation import TimeLimit
from stores.mongodb.protocol.messages import OP_QUERY

LEVELS = ("local", "available", "majority", "linearizable", "snapshot")
SIGNATURE = {"hash": b"\0" * 20, "keyId": Int64(0)}
ENDS_TRANSACTION = ("commitTransaction", "abortTransaction")
TRANSIENT_CODES = {24, 112, 246, 251, 267}  # LockTimeout, WriteConflict, SnapshotUnavailable, NoSuchTransaction, PreparedTransaction…
# HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, ExceededTimeLimit, SocketException …
RETRYABLE_CODES = {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}


async def run(node, request, connection):
    """Execute a request and return (reply, call); `call` is None where the request was refused at once; no reply means that a
    fail point wants the connection closed."""
    call = None
    try:
        if request.error is not None:
            raise request.error
        call = _accept(node, request, connection)
        if node.test_commands:
            await failpoints.before(call, connection)
        _limit_time(call)
        _enter_session(call)
        _check_read_concern(call)
        reply = call.spec.handler(call)
        if inspect.isawaitable(reply):
            reply = await reply
        if call.operation.time_limit is not None:
            call.operation.time_limit.rest()
        reply = reply if "ok" in reply else {**reply, "ok": 1.0}
        if call.transaction is not None and "writeErrors" in reply:
            node.sessions.abort(call.session)
        if concern_error := _concern_error(call):
            reply["writeConcernError"] = concern_error
            _label(call, reply, concern_error["code"], only_concern=True)
    except failpoints.ConnectionGone:
        return None, call
    except MongoError as error:
        reply = _failed(node, call, error)
    if call is not None and call.reply_lost:
        return None, call
    return _with_times(node, reply), call


def _accept(node, request, connection):
    body = request.body
    name = next(iter(body), "")
    spec = registry.look_up(name)
    if request.opcode == OP_QUERY and spec.name not in ("hello", "isMaster"):
        raise MongoError(
            "UnsupportedOpQueryCommand", f"Unsupported OP_QUERY command: {name}. The client driver may require an upgrade"
        )
    if not isinstance(body.get("$db"), str):
        raise MongoError(40571, "OP_MSG requests require a $db argument")
    call = Call(node, connection, request, spec)
    if spec.admin and call.database != "admin":
        raise MongoError("Unauthorized", f"{spec.name} may only be run against the admin database.")
    _check_api(call)
    registry.check_fields(spec.name, call.body, spec.fields, registry.GENERIC)
    return call


def _check_api(call):
    version = call.get("apiVersion")
    if version is None:
        if any(call.body.get(name) is not None for name in registry.API[1:]):
            raise MongoError("APIVersionError", "Provided apiStrict and/or apiDeprecationErrors without passing apiVersion")
    elif version != "1":
        raise MongoError("APIVersionError", f'API version must be "1": found "{version}"')
    elif call.flag("apiStrict") and not call.spec.api:
        raise MongoError(
            "APIStrictError",
            f"Provided apiStrict:true, but the command {call.spec.name} is not in API Version 1. Information on supported commands "
            "and migrations in API Version 1 can be found at https://dochub.mongodb.org/core/manual-versioned-api",
        )


def _limit_time(call):
    """Note the client's time limit; a command that a fault has held back for longer has lost its time already."""
    limit = call.get("maxTimeMS")
    if limit is None:
        return
    milliseconds = whole(limit, "maxTimeMS")
    if not 0 <= milliseconds <= 2**31 - 1:
        raise bad_value(f"{milliseconds} value for maxTimeMS is out of range [0, 2147483647]")
    if not milliseconds or call.spec.name == "getMore":  # there it says how long to wait for data
        return
    limit = call.operation.time_limit = TimeLimit(milliseconds / 1000)
    if call.connection.front.loop.time() - call.request.arrived > limit.seconds:
        raise MongoError("MaxTimeMSExpired", "operation exceeded time limit")
    limit.resume()


def _enter_session(call):
    body, sessions = call.body, call.node.sessions
    if body.get("lsid") is None:
        if body.get("txnNumber") is not None:
            raise MongoError("InvalidOptions", "Transaction number requires a session ID to also be specified")
        return
    call.session = sessions.use(body["lsid"])
    call.connection.node.joined(call.connection, call.session)
    if body.get("txnNumber") is None:
        if body.get("autocommit") is not None:
            raise MongoError("InvalidOptions", "'autocommit' field requires a transaction number to also be specified")
        return
    call.number = whole(body["txnNumber"], "txnNumber")
    if body.get("autocommit") is None:
        if not call.spec.retryable:
            raise MongoError(
                50768,
                f"txnNumber may only be provided for multi-document transactions and retryable write commands. "
                f"autocommit:false was not provided, and {call.spec.name} is not a retryable write command.",
            )
        sessions.retry(call.session, call.number)
        return
    if body["autocommit"] is not False:
        raise MongoError("InvalidOptions", "Specifying autocommit=true is not allowed.")
    _enter_transaction(call)


def _enter_transaction(call):
    sessions, ending = call.node.sessions, call.spec.name in ENDS_TRANSACTION
    if not (call.spec.in_transaction or ending):
        raise MongoError("OperationNotSupportedInTransaction", f"Cannot run '{call.spec.name}' in a multi-document transaction.")
    if "writeConcern" in call.body and not ending:
        raise MongoError("InvalidOptions", "writeConcern is not allowed within a multi-statement transaction")
    if call.flag("startTransaction"):
        if ending:
            raise MongoError(
                "OperationNotSupportedInTransaction", f"Cannot run '{call.spec.name}' as the first command of a transaction"
            )
        call.transaction = sessions.begin(call.session, call.number)
    else:
        if call.get("readConcern", {}).get("level") is not None:
            raise MongoError("InvalidOptions", "Only the first command in a transaction may specify a readConcern")
        call.transaction = sessions.transaction(call.session, call.number, ending)
    if not ending:
        call.operation.transaction = call.transaction


def _check_read_concern(call):
    concern = call.get("readConcern")
    if concern is None:
        return
    if not isinstance(concern, dict):
        raise MongoError("TypeMismatch", "readConcern must be an object")
    level = concern.get("level", "local")
    if level not in LEVELS:
        raise bad_value(f"Enumeration value '{level}' for field 'readConcern.level' is not a valid value.")
    after = concern.get("afterClusterTime")
    if after is not None and (not isinstance(after, Timestamp) or after > call.node.oplog.last):
        raise MongoError(
            "InvalidOptions",
            "readConcern afterClusterTime value must not be greater than the current clusterTime. "
            f"Requested clusterTime: {after!r}; current clusterTime: {call.node.oplog.last!r}",
        )
    if level == "snapshot" and call.transaction is None and call.spec.name != "getMore":
        _enter_snapshot(call, concern.get("atClusterTime"))


def _enter_snapshot(call, time):
    """Read what was there at a cluster time: a session keeps the data of its first snapshot read."""
    if call.spec.name in ("getMore", "killCursors"):
        return  # PyMongo repeats its session's read concern here; the cursor has its snapshot already
    if call.spec.name not in ("find", "aggregate", "distinct"):
        raise MongoError("InvalidOptions", f'Command {call.spec.name} does not support readConcern {{ level: "snapshot" }}')
    if time is None:
        time = call.node.oplog.last
        call.operation.transaction = call.engine.begin()
        if call.session is not None:
            call.session.forget_old_snapshots()
            call.session.snapshots[time] = call.operation.transaction
    else:
        snapshot = call.session.snapshots.get(time) if call.session is not None else None
        if snapshot is None or snapshot.state != "in progress":
            raise MongoError("SnapshotTooOld", f"Read timestamp {time} is older than the oldest available timestamp.")
        call.operation.transaction = snapshot
    call.snapshot = time


def _concern_error(call):
    """Return writeConcernError for a write that a replica set of one can never acknowledge as asked, or None."""
    if call.fail and "writeConcernError" in call.fail:
        call.labels = call.fail.get("errorLabels", call.fail["writeConcernError"].get("errorLabels"))
        return {name: value for name, value in call.fail["writeConcernError"].items() if name != "errorLabels"}
    concern = call.get("writeConcern")
    if concern is None or call.spec.name in ("find", "getMore"):
        return None
    if not isinstance(concern, dict):
        raise failed_to_parse("writeConcern must be an object")
    wanted = concern.get("w", 1)
    if isinstance(wanted, str) and wanted != "majority":
        told = f"No write concern mode named '{wanted}' found in replica set configuration"
        return {"code": 79, "codeName": "UnknownReplWriteConcern", "errmsg": told}
    if isinstance(wanted, int) and wanted > 1:
        return {"code": 100, "codeName": "UnsatisfiableWriteConcern", "errmsg": "Not enough data-bearing nodes"}
    return None


def _failed(node, call, error):
    """Return the reply to a command that fails, with its labels; a transaction whose command fails is over."""
    if call is not None and call.transaction is not None and call.spec.name not in ENDS_TRANSACTION:
        node.sessions.abort(call.session)
    reply = error.reply()
    if call is not None:
        _label(call, reply, error.code)
    return reply


def _label(call, reply, code, only_concern=False):
    """Add what a driver must know of an error: whether the write or the transaction may be tried again."""
    labels = set(reply.get("errorLabels", ()))
    in_transaction = call.body.get("autocommit") is False
    ending = call.spec.name in ENDS_TRANSACTION
    if call.labels is not None:
        labels = set(call.labels)
    elif call.body.get("txnNumber") is not None:
        if code in RETRYABLE_CODES and (ending or not in_transaction):
            labels.add(RETRYABLE_WRITE)
        if not only_concern and in_transaction and code in (TRANSIENT_CODES if ending else TRANSIENT_CODES | RETRYABLE_CODES):
            labels.add(TRANSIENT)
    if labels:
        reply["errorLabels"] = sorted(labels)


def _with_times(node, reply):
    time = node.oplog.last
    return {**reply, "$clusterTime": {"clusterTime": time, "signature": SIGNATURE}, "operationTime": time}
