"""What the server says of itself and of its data."""

import hashlib
import os
import platform
import socket

import bson
import psutil
from bson import Int64

from stores.mongodb.commands.collections import each_stats
from stores.mongodb.commands.handshake import SET_NAME, VERSION
from stores.mongodb.commands.refused import refuse, refuse_search
from stores.mongodb.commands.registry import COMMANDS, command
from stores.mongodb.commands.writes import required
from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import date_of


@command("serverStatus", fields=dict.fromkeys(("repl", "metrics", "locks", "opcounters", "wiredTiger", "mirroredReads"), "any"))
def server_status(call):
    """Say what the server does and has done; only what is counted here is told."""
    node = call.node
    uptime = node.clock.now() - node.started
    transactions = [session.transaction for session in node.sessions if session.transaction is not None]
    return {
        "host": node.address,
        "version": VERSION,
        "process": "embedded",
        "pid": Int64(os.getpid()),
        "uptime": uptime,
        "uptimeMillis": Int64(uptime * 1000),
        "uptimeEstimate": Int64(uptime),
        "localTime": date_of(node.clock.now() * 1000),
        "mem": _memory(),
        "connections": {"current": len(node.connections), "available": 65_536, "totalCreated": node.total_connections},
        "logicalSessionRecordCache": {"activeSessionsCount": len(node.sessions)},
        "metrics": {
            "cursor": {
                "timedOut": Int64(node.cursors.timed_out),
                "totalOpened": Int64(node.cursors.opened),
                "open": {
                    "noTimeout": Int64(sum(cursor.no_timeout for cursor in node.cursors)),
                    "total": Int64(len(node.cursors)),
                },
            }
        },
        "opcounters": {name: Int64(number) for name, number in node.counters.items()},
        "repl": {
            **{"setName": SET_NAME, "setVersion": 1, "isWritablePrimary": True, "secondary": False},
            **{"primary": node.address, "me": node.address, "hosts": [node.address]},
        },
        "storageEngine": {"name": "embedded", "persistent": False, "supportsSnapshotReadConcern": True},
        "transactions": {"currentOpen": Int64(sum(transaction.state == "in progress" for transaction in transactions))},
    }


def _memory():
    """Return the memory of this process in MB, in serverStatus' words."""
    used = psutil.Process().memory_info()
    return {"bits": 64, "resident": used.rss >> 20, "virtual": used.vms >> 20, "supported": True}


COLL_STATS = {"scale": "number"}


@command("collStats", "collstats", fields=COLL_STATS)
def coll_stats(call):
    """Say how many documents a collection has and how large they are, in bytes or in units of `scale` bytes."""
    if not call.engine.exists(call.database, call.collection_name):
        empty = dict.fromkeys(("size", "count", "numOrphanDocs", "storageSize", "totalIndexSize", "totalSize", "nindexes"), 0)
        return {"ns": call.namespace, **empty, "indexSizes": {}, "scaleFactor": 1}
    return scaled(call.collection.stats(), call.count("scale", 1, least=1))


SIZES = ("size", "storageSize", "totalIndexSize", "totalSize", "maxSize", "dataSize", "indexSize")


def scaled(stats, scale):
    """Return statistics with the sizes in units of `scale` bytes."""
    told = {name: value // scale if name in SIZES else value for name, value in stats.items()}
    if "indexSizes" in told:
        told["indexSizes"] = {name: size // scale for name, size in told["indexSizes"].items()}
    return {**told, "scaleFactor": scale}


@command("dbStats", "dbstats", fields={"scale": "number", "freeStorage": "number"})
def db_stats(call):
    """Say how much a database holds."""
    listed = call.engine.list_collections(call.database)
    stats = list(each_stats(call.engine, call.database))
    objects, size = (sum(each[name] for each in stats) for name in ("count", "size"))
    storage, indexes = (sum(each[name] for each in stats) for name in ("storageSize", "totalIndexSize"))
    told = {
        "db": call.database,
        "collections": Int64(len(stats)),
        "views": Int64(len(listed) - len(stats)),
        "objects": Int64(objects),
        "avgObjSize": size / objects if objects else 0.0,
        "dataSize": size,
        "storageSize": storage,
        "indexes": Int64(sum(each["nindexes"] for each in stats)),
        "indexSize": indexes,
        "totalSize": storage + indexes,
    }
    return scaled(told, call.count("scale", 1, least=1))


@command("dataSize", "datasize", fields=dict.fromkeys(("keyPattern", "min", "max", "estimate"), "any"))
def data_size(call):
    """Say how large a collection is, named with its database."""
    database, _, name = call.body[next(iter(call.body))].partition(".")
    stats = call.engine.collection(database, name).stats()
    return {"size": stats["size"], "numObjects": stats["count"], "millis": 0, "estimate": False}


VALIDATE = ("full", "repair", "metadata", "checkBSONConformance", "background", "fixMultikey", "scandata")


@command("validate", fields=dict.fromkeys(VALIDATE, "bool"))
def validate(call):
    """Check a collection's indexes against its documents."""
    if not call.engine.exists(call.database, call.collection_name):
        raise MongoError("NamespaceNotFound", f"Collection '{call.namespace}' does not exist to validate.")
    return call.collection.validate(call.flag("full"))


@command("hostInfo")
def host_info(call):
    """Say on which machine this is."""
    return {
        "system": {
            "currentTime": date_of(call.node.clock.now() * 1000),
            "hostname": socket.gethostname(),
            "cpuAddrSize": 64,
            "numCores": os.cpu_count(),
            "cpuArch": platform.machine(),
        },
        "os": {"type": platform.system(), "name": platform.system(), "version": platform.release()},
        "extra": {"pythonVersion": platform.python_version()},
    }


PARAMETERS = {
    "cursorTimeoutMillis": Int64(600_000),
    "featureCompatibilityVersion": {"version": VERSION.rpartition(".")[0]},
    "localLogicalSessionTimeoutMinutes": 30,
    "transactionLifetimeLimitSeconds": 60,
    "ttlMonitorEnabled": True,
    "authenticationMechanisms": [],
    "requireApiVersion": False,
}


@command("getParameter", admin=True)
def get_parameter(call):
    """Return settings of the server."""
    settings = {**PARAMETERS, "enableTestCommands": call.node.test_commands}
    asked = call.body["getParameter"]
    if asked == "*" or (isinstance(asked, dict) and asked.get("allParameters")):
        return settings
    found = {name: settings[name] for name in call.body if name in settings}
    if not found:
        raise MongoError("InvalidOptions", "no option found to get")
    return found


@command("getCmdLineOpts", admin=True)
def get_command_line_options(call):
    """There is no command line."""
    parameters = {"setParameter": {"enableTestCommands": 1}} if call.node.test_commands else {}
    return {"argv": ["embedded"], "parsed": {**parameters, "net": {"bindIp": call.node.front.host, "port": call.node.front.port}}}


@command("getLog", admin=True)
def get_log(call):
    """There is no log; clients such as mongosh look for warnings in it."""
    if call.body["getLog"] == "*":
        return {"names": ["global", "startupWarnings"]}
    return {"totalLinesWritten": 0, "log": []}


@command("listCommands", api=False)
def list_commands(call):
    """Return the commands that there are."""
    known = {spec.name: spec for spec in COMMANDS.values() if spec.handler not in (refuse, refuse_search)}
    return {"commands": {name: {"help": _help(spec), "adminOnly": spec.admin} for name, spec in known.items()}}


def _help(spec):
    return (spec.handler.__doc__ or "").strip().split("\n")[0]


@command("replSetGetStatus", admin=True)
def replica_set_status(call):
    """Say how the replica set is: it has one member."""
    node = call.node
    member = {"_id": 0, "name": node.address, "health": 1.0, "state": 1, "stateStr": "PRIMARY", "self": True}
    return {"set": SET_NAME, "date": date_of(node.clock.now() * 1000), "myState": 1, "term": Int64(1), "members": [member]}


@command("replSetGetConfig", admin=True)
def replica_set_config(call):
    """Say what the replica set consists of."""
    return {"config": {"_id": SET_NAME, "version": 1, "term": 1, "members": [{"_id": 0, "host": call.node.address}]}}


@command("currentOp", fields={"$all": "any", "$ownOps": "any"}, admin=True)
def current_op(call):
    """Return the connections: of their commands one at a time is executed, now this one."""
    mine = call.connection.number
    return {"inprog": [{**each, "active": each["connectionId"] == mine} for each in call.node.current_op()]}


@command("killOp", fields={"op": "any"}, admin=True)
def kill_op(call):
    """Take note of the wish: as in MongoDB an operation that is over is no error, and none runs beside this command."""
    required(call, "op")
    return {"info": "attempting to kill op"}


@command("dbHash", "dbhash", fields={"collections": "array"})
def db_hash(call):
    """Return a checksum of each collection's documents."""
    hashes = {}
    for each in call.engine.list_collections(call.database):
        if each["type"] != "view" and each["name"] in call.get("collections", [each["name"]]):
            documents = call.engine.collection(call.database, each["name"]).find({}, None, {"_id": 1}, 0, 0, call.operation)
            digest = hashlib.md5(usedforsecurity=False)
            for document in documents:
                digest.update(bson.encode(document))
            hashes[each["name"]] = digest.hexdigest()
    whole = hashlib.md5("".join(hashes.values()).encode(), usedforsecurity=False).hexdigest()
    return {"host": call.node.address, "collections": hashes, "md5": whole, "timeMillis": 0}
