"""A real CouchDB: the server that COUCHDB_URL names (http://user:password@host:5984), in databases of the course's own.

The front puts a prefix before the name of every database that a client uses, so a client sees those of the course and no
others, and adds the user and password. Each of the course's databases bears a mark, a local document; only what bears it
is ever deleted. What a killed kernel left behind goes at the next start on the same machine.
"""

import base64
import json
import os
import re
import socket
from contextlib import suppress
from hashlib import blake2b
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, unquote, urlsplit

import psutil

from stores.base import Clock, NotOnRealServer, unreachable, within
from stores.couchdb import VARIABLE
from stores.couchdb.errors import CouchError, bad_request
from stores.couchdb.front import CouchServer, HttpSession
from stores.couchdb.http import Answer
from stores.couchdb.relay import Relay
from stores.wire import Front

CONNECT = 1.5  # seconds for name look-up, connection and the first answers together
ANSWERS = 30  # seconds for one request of ours
MARK = "_local/nosql-course"
PREFIX = re.compile(r"nosql-course-([0-9a-f]{8})-(\d+)-")
ALLOWED = {"", "_up", "_uuids"}  # paths of the server that tell nothing of others


class RealCouchDB(CouchServer):
    """A real server, seen through the front."""

    kind = "real"

    def __init__(self, address):
        """Use the server at `address`. Raises Unreachable."""
        machine = blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
        self.prefix = f"nosql-course-{machine}-{os.getpid()}-"
        try:
            self.peer = Peer(address)
            version = within(CONNECT, self.peer.inspect)
        except TimeoutError:
            raise unreachable(address, f"it did not answer within {CONNECT:g} s", VARIABLE) from None
        except (OSError, ValueError, HTTPException) as error:
            raise unreachable(address, str(error), VARIABLE) from None
        front = Front(lambda front: HttpSession(front, Connection(self)))
        super().__init__(front, f"CouchDB {version} at {self.peer.host}:{self.peer.port}", RealClock())
        self._delete(lambda name: name.startswith(self.prefix) or _abandoned(name, machine))
        front.start()

    def clean(self):
        """Delete the databases that were made through this front."""
        self._delete(lambda name: name.startswith(self.prefix))

    def stop(self):
        if not self.running:
            return
        super().stop()
        with suppress(OSError, HTTPException, ValueError):  # the server is gone; the next start looks again
            self.clean()

    def _delete(self, ours):
        for name in filter(ours, self.peer.ask("GET", "/_all_dbs")[1]):
            path = "/" + quote(name, safe="")
            if self.peer.ask("GET", f"{path}/{MARK}")[0] == 200:
                self.peer.ask("DELETE", path)


class RealClock(Clock):
    """This machine's time: nothing in CouchDB depends on it."""

    def frozen(self):
        raise NotOnRealServer(f"a real server's time cannot be held still. Unset {VARIABLE} to run this part")


class Peer:
    """The real server: where it is, who we are there, and requests of our own."""

    def __init__(self, address):
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("the address is not of the form http://user:password@host:5984")
        self.tls = parts.scheme == "https"
        self.host, self.port = parts.hostname, parts.port or (443 if self.tls else 5984)
        self.headers = {"Host": f"{self.host}:{self.port}", "Accept": "application/json"}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    def ask(self, method, path, body=None):
        """Return (status, JSON) of one request."""
        kind = HTTPSConnection if self.tls else HTTPConnection
        connection = kind(self.host, self.port, timeout=ANSWERS)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {**self.headers, "Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def inspect(self):
        """Return the version of a CouchDB that lets us in, or raise."""
        try:
            status, told = self.ask("GET", "/")
        except socket.gaierror:
            raise ValueError("its host name is not known") from None
        except ConnectionRefusedError:
            raise ValueError("nothing listens there (connection refused)") from None
        if not isinstance(told, dict) or not {"couchdb", "express-pouchdb"} & set(told):
            raise ValueError("what answers there is not a CouchDB")
        status, names = self.ask("GET", "/_all_dbs")
        if status != 200 or not isinstance(names, list):
            raise ValueError(f"it does not list its databases ({names}): give a user and a password of an administrator")
        return told["version"]


class Connection:
    """The real server's side of one connection: own databases only."""

    def __init__(self, server):
        self._server = server
        self._relay = Relay(server.peer)

    async def open(self):
        """The relay connects when it is first used."""

    async def close(self):
        self._relay.close()

    async def call(self, request, operation):
        operation.examined = None  # it does not tell
        path, prefix = request.path, self._server.prefix
        if not path or path[0].startswith("_"):
            return await self._of_server(request)
        if len(path) > 1 and path[1] == "_changes" and request.query.get("feed", "normal") not in ("normal", "longpoll"):
            raise CouchError(501, "not_implemented", "the front relays the feeds normal and longpoll")
        if {".", ".."} & set(path):
            raise bad_request("expected a path without . and ..")
        query = request.target.partition("?")[2]
        target = "/" + "/".join(quote(part, safe="") for part in [prefix + path[0], *path[1:]]) + ("?" + query if query else "")
        answer = await self._relay.send(request.method, target, request.headers, request.body)
        if request.method == "PUT" and len(path) == 1 and answer.status in (201, 202):
            await self._mark(prefix + path[0])
        return self._without_prefix(answer)

    async def _of_server(self, request):
        name = "/".join(request.path)
        if name == "_all_dbs":
            answer = await self._relay.send("GET", "/_all_dbs", {}, b"")
            kept = [name for name in json.loads(answer.body) if name.startswith(self._server.prefix)]
            return self._without_prefix(Answer(json.dumps(kept).encode() + b"\n", answer.status, answer.headers))
        if name == "_replicate" and request.method == "POST":
            return await self._replicate(request.json_object())
        if name in ALLOWED and request.method in ("GET", "HEAD"):
            return await self._relay.send(request.method, request.target, request.headers, b"")
        raise CouchError(403, "forbidden", f"on a real server the course uses its own databases only, not /{name}")

    async def _replicate(self, job):
        """A replication between the course's own databases, with their real addresses."""
        if job.get("continuous") or job.get("cancel"):
            raise CouchError(403, "forbidden", "a continuous replication would outlive the course: leave out continuous")
        source, target = self._end(job, "source"), self._end(job, "target")
        body = {**job, "source": self._address(source), "target": self._address(target)}
        answer = await self._relay.send("POST", "/_replicate", JSON, json.dumps(body).encode())
        if job.get("create_target") and answer.status in (200, 202):
            await self._mark(target)
        return self._without_prefix(answer)

    def _end(self, job, end):
        """The real name of the database at an end of a replication."""
        url = job.get(end)
        url = url.get("url") if isinstance(url, dict) else url
        if not isinstance(url, str) or not url.startswith(self._server.url + "/"):
            raise bad_request(f"expected as `{end}` a database of {self._server.url}, found {url!r}")
        return self._server.prefix + unquote(url[len(self._server.url) :].strip("/"))

    def _address(self, name):
        """How the replicator reaches a database, with the password if there is one."""
        url = f"{self._server.peer.url}/{quote(name, safe='')}"
        login = self._server.peer.headers.get("Authorization")
        return {"url": url, "headers": {"Authorization": login}} if login else url

    async def _mark(self, name):
        marked = await self._relay.send("PUT", f"/{quote(name, safe='')}/{MARK}", JSON, b'{"course": true}')
        if marked.status not in (201, 202, 409):
            raise CouchError(500, "unmarked", "the database could not be marked as the course's")

    def _without_prefix(self, answer):
        body = answer.body.replace(self._server.prefix.encode(), b"").replace(
            self._server.peer.url.encode(), self._server.url.encode()
        )
        return Answer(body, answer.status, answer.headers)


JSON = {"content-type": "application/json"}


def _abandoned(name, machine):
    """Whether a database belongs to a kernel of this machine that is gone."""
    match = PREFIX.match(name)
    return bool(match) and match[1] == machine and not psutil.pid_exists(int(match[2]))
