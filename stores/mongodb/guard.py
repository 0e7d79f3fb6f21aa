"""What a learner's commands may do on a real server: all inside the databases that the course has made, nothing outside."""

from dataclasses import dataclass

from stores.mongodb.errors import MongoError

WHAT_IT_IS = "on a real server a learner works in databases that this kernel has made"
# Of the database that they are sent to.
READS = {
    *("find", "aggregate", "count", "distinct", "getMore", "killCursors", "listCollections", "listIndexes", "explain"),
    *("collStats", "collstats", "dbStats", "dbstats", "validate", "dataSize", "datasize", "dbHash", "dbhash"),
}
WRITES = {
    *("insert", "update", "delete", "findAndModify", "findandmodify", "create", "createIndexes", "collMod", "drop"),
    *("dropIndexes", "deleteIndexes", "dropDatabase", "createSearchIndexes"),
}
# Of no database.
HARMLESS = {
    *("hello", "isMaster", "ismaster", "ping", "buildInfo", "buildinfo", "connectionStatus", "whatsmyuri", "hostInfo"),
    *("serverStatus", "endSessions", "refreshSessions", "startSession", "commitTransaction", "abortTransaction"),
    *("listDatabases", "listCommands", "logout"),
}
LOGIN = {"saslStart", "saslContinue", "authenticate", "getnonce"}
OUTSIDE = {"$currentOp", "$listSessions", "$listLocalSessions", "$queryStats", "$shardedDataDistribution", "$listClusterCatalog"}
SYSTEM = ("admin", "config", "local")


@dataclass
class Reach:
    """What a command touches: the names of databases it reads, and of those it writes."""

    read: set
    written: set


def reach(body):
    """Return the Reach of a command with all its fields. Raises Unauthorized for what may not be done at all."""
    name, database = next(iter(body), ""), body.get("$db", "")
    if name in HARMLESS:
        return Reach(set(), set())
    if name in LOGIN:
        raise refusal("The course has logged in already: connect without a name and a password")
    if name == "bulkWrite":
        return Reach(set(), {_database(about.get("ns")) for about in body.get("nsInfo", ())})
    if name == "renameCollection":
        return Reach(set(), {_database(body[name]), _database(body.get("to"))})
    if name == "explain" and isinstance(body[name], dict):
        inner = reach({**body[name], "$db": database})
        return Reach(inner.read | inner.written, set())
    found = Reach({database}, set()) if name in READS else Reach(set(), {database})
    if name not in READS | WRITES:
        raise refusal(f"{name} is refused on a real server: it reaches outside the course's own databases")
    if name in ("aggregate", "create"):
        _follow(body.get("pipeline", ()), found)
    if name == "update":
        for statement in body.get("updates", ()):
            _follow(statement.get("u"), found)
    return found


def _follow(pipeline, found):
    """Add the databases that a pipeline's stages name."""
    if not isinstance(pipeline, list):
        return
    for stage in pipeline:
        for name, options in stage.items() if isinstance(stage, dict) else ():
            _follow_stage(name, options, found)


def _follow_stage(name, options, found):
    if name in OUTSIDE:
        raise refusal(f"{name} is refused on a real server: it shows what others do")
    if not isinstance(options, dict):
        return
    if name == "$changeStream" and options.get("allChangesForCluster"):
        raise refusal("A change stream of the whole cluster is refused on a real server: watch a database")
    if name == "$out" and "db" in options:
        found.written.add(options["db"])
    target = options.get("into" if name == "$merge" else "from" if name in ("$lookup", "$graphLookup") else "coll")
    if isinstance(target, dict) and "db" in target:
        (found.written if name == "$merge" else found.read).add(target["db"])
    if name == "$unionWith" and "db" in options:
        found.read.add(options["db"])
    _follow(options.get("pipeline"), found)
    if name == "$facet":
        for pipeline in options.values():
            _follow(pipeline, found)


def refusal(message):
    """Return the error for what the course does not pass on."""
    return MongoError("Unauthorized", message)


def foreign(database):
    """Return the error for a database of somebody else."""
    return refusal(f"Database {database} exists and is not the course's: {WHAT_IT_IS}. Choose another name")


def _database(namespace):
    return str(namespace).partition(".")[0]
