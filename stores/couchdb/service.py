"""The paths of CouchDB's interface on the embedded databases: who answers /, /db, /db/_find, /db/doc, /db/doc/file."""

import asyncio
import secrets

from stores.couchdb import documents, queries, replication
from stores.couchdb.database import Database, check_name
from stores.couchdb.errors import CouchError, not_allowed, not_found, not_here
from stores.couchdb.http import Answer

VERSION = "3.3.3"  # whose words these are


class Engine:
    """The databases by name."""

    def __init__(self, clock):
        self.clock = clock
        self.uuid = secrets.token_hex(16)
        self.address = ""  # http://127.0.0.1:port, set when it is known
        self.databases = {}
        self._waiting = set()

    def database(self, name):
        check_name(name)
        if name not in self.databases:
            raise not_found("Database does not exist.")
        return self.databases[name]

    def create(self, name):
        check_name(name)
        if name in self.databases:
            words = "The database could not be created, the file already exists."
            raise CouchError(412, "file_exists", words)
        self.databases[name] = Database(name, self.wake)
        return self.databases[name]

    def clear(self):
        self.databases.clear()
        self.wake()

    def wake(self):
        """Something changed: whoever waits for that looks again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def changed(self, seconds):
        """Wait for a change, at most so many real seconds. Return whether there was one."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            done, _ = await asyncio.wait([future], timeout=seconds)
            return bool(done)
        finally:
            self._waiting.discard(future)


class Connection:
    """The engine's side of one connection."""

    def __init__(self, engine):
        self._engine = engine

    async def open(self):
        """Nothing to open."""

    async def close(self):
        """Nothing to close."""

    async def call(self, request, operation):
        path = request.path
        if not path or path[0].startswith("_"):
            return self._server(request, operation)
        if len(path) == 1:
            return self._database(request)
        database = self._engine.database(path[0])
        if path[1] == "_changes":
            return await queries.changes(self._engine, database, request, operation)
        if path[1] in NOT_HERE or (path[1] == "_compact" and len(path) > 2):
            raise not_here(f"/{path[0]}/{'/'.join(path[1:])} is not part of the embedded CouchDB")
        if path[1] in OF_DATABASE and (len(path) == 2 or path[1] == "_index"):
            methods = OF_DATABASE[path[1]]
            return _method(methods, request)(database, request, operation)
        return documents.answer(database, request, operation)

    def _server(self, request, operation):
        name = "/".join(request.path)
        if name not in OF_SERVER:
            raise not_found("missing") if name.startswith("_replicat") else not_here(f"/{name} is not part of the embedded CouchDB")
        return _method(OF_SERVER[name], request)(self._engine, request, operation)

    def _database(self, request):
        name = request.path[0]
        if request.method == "PUT":
            if request.flag("partitioned"):
                raise not_here("partitioned databases are not part of the embedded CouchDB")
            self._engine.create(name)
            return Answer({"ok": True}, 201, {"Location": f"{self._engine.address}/{name}"})
        database = self._engine.database(name)
        if request.method in ("GET", "HEAD"):
            return Answer(database.info())
        if request.method == "DELETE":
            if "rev" in request.query:
                words = "You tried to DELETE a database with a ?=rev parameter. Did you mean to DELETE a document instead?"
                raise CouchError(400, "bad_request", words)
            del self._engine.databases[name]
            self._engine.wake()
            return Answer({"ok": True})
        if request.method == "POST":
            return documents.post(database, request)
        raise not_allowed("DELETE", "GET", "HEAD", "POST", "PUT")


def _method(methods, request):
    method = "GET" if request.method == "HEAD" and "GET" in methods else request.method
    if method not in methods:
        raise not_allowed(*methods, *(["HEAD"] if "GET" in methods else []))
    return methods[method]


def _welcome(engine, request, operation):
    return Answer({
        "couchdb": "Welcome",
        "version": VERSION,
        "git_sha": "embedded",
        "uuid": engine.uuid,
        "features": [],
        "vendor": {"name": "NoSQL course: a stand-in for Apache CouchDB"},
    })  # fmt: skip


def _all_dbs(engine, request, operation):
    names = sorted(engine.databases, reverse=request.flag("descending"))
    start, end = request.parameter("startkey", "start_key"), request.parameter("endkey", "end_key")
    backwards = request.flag("descending")
    kept = [
        name
        for name in names
        if (start is None or (name <= start if backwards else name >= start))
        and (end is None or (name >= end if backwards else name <= end))
    ]
    skip, limit = request.count("skip", 0), request.count("limit")
    return Answer(kept[skip : None if limit is None else skip + limit])


def _uuids(engine, request, operation):
    return Answer({"uuids": [secrets.token_hex(16) for _ in range(min(request.count("count", 1), 1000))]})


def _session(engine, request, operation):
    return Answer({"ok": True, "userCtx": {"name": None, "roles": ["_admin"]}, "info": {"authentication_handlers": []}})


def _compact(database, request, operation):
    request.check_type()  # the body may be empty
    database.compact()
    return Answer({"ok": True}, 202)


def _commit(database, request, operation):
    return Answer({"ok": True, "instance_start_time": "0"}, 201)


OF_SERVER = {
    "": {"GET": _welcome},
    "_all_dbs": {"GET": _all_dbs},
    "_uuids": {"GET": _uuids},
    "_session": {"GET": _session},
    "_up": {"GET": lambda engine, request, operation: Answer({"status": "ok", "seeds": {}})},
    "_active_tasks": {"GET": lambda engine, request, operation: Answer([])},
    "_replicate": {"POST": replication.replicate},
}
# What CouchDB has below a database and this server has not: without this list they would be taken for documents.
NOT_HERE = {
    "_auto_purge", "_design_docs", "_local_docs", "_partition", "_purge", "_purged_infos", "_purged_infos_limit", "_revs_limit",
    "_search_analyze", "_security", "_shards", "_sync_shards",
}  # fmt: skip
OF_DATABASE = {
    "_all_docs": {"GET": queries.all_docs, "POST": queries.all_docs},
    "_bulk_docs": {"POST": documents.bulk_docs},
    "_bulk_get": {"POST": documents.bulk_get},
    "_find": {"POST": queries.find},
    "_explain": {"POST": queries.explain},
    "_index": {"GET": queries.list_indexes, "POST": queries.create_index, "DELETE": queries.delete_index},
    "_revs_diff": {"POST": replication.revs_diff},
    "_missing_revs": {"POST": replication.missing_revs},
    "_compact": {"POST": _compact},
    "_view_cleanup": {"POST": lambda database, request, operation: Answer({"ok": True}, 202)},
    "_ensure_full_commit": {"POST": _commit},
}
