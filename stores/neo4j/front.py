"""One driver's Bolt connection: who may enter, what reaches the engine, and what comes back."""

import hmac
import itertools
import secrets

from stores.base import Clock, Command, Server
from stores.neo4j import bolt
from stores.neo4j.cypher import read
from stores.neo4j.plan import total
from stores.neo4j.policy import Failure
from stores.neo4j.record import GraphLog, Query
from stores.neo4j.upstream import Upstream
from stores.wire import Front, Session

AGENT = "Neo4j/5.26.0"  # drivers refuse a server that does not begin so
UNAUTHORIZED = Failure(
    "Neo.ClientError.Security.Unauthorized",
    "The client is unauthorized due to authentication failure: expected auth=server.auth.",
)
FORGOTTEN = Failure("Neo.TransientError.Transaction.Terminated", "server.reset() has ended this transaction.")
DEADLOCK = Failure(
    "Neo.TransientError.Transaction.DeadlockDetected",
    "The transaction was chosen as the victim of a deadlock (a fault that server.faults injected). Try it again.",
)


class Timeless(Clock):
    """The clock of a store in which nothing expires."""

    def advance(self, seconds):
        raise NotImplementedError("nothing in Neo4j expires, so there is no clock to advance")


class GraphServer(Server):
    """What the embedded and the real Neo4j share: a front that speaks Bolt, with credentials of its own."""

    name = "neo4j"
    scheme = "bolt"
    log = GraphLog
    database = "neo4j"  # what the engine calls the database that drivers know as neo4j
    generation = 0  # raised by every clean slate: transactions of an earlier one are over
    nodes = 0  # created through this front since the last clean slate; None when a failure left that unknown

    def __init__(self, policy, engine, upstream, login, tls=None):
        self.auth = ("neo4j", secrets.token_urlsafe(12))
        self.policy = policy
        self.upstream = upstream
        self.login = login
        self.tls = tls
        super().__init__(Front(lambda front: BoltSession(front, self)), engine, Timeless())
        self.front.start()

    def forget_transactions(self):
        """Roll back what clients have begun, at once: it may hold locks. They are told at their next request."""
        self.generation += 1
        self.front.run(_call(lambda: [session.forget() for session in self.front.sessions]))

    @property
    def uri(self):
        """The address for a driver: GraphDatabase.driver(server.uri, auth=server.auth)."""
        return self.url


class BoltSession(Session):
    """Serves one connection: requests go one at a time to the engine, unless the front answers them itself."""

    _numbers = itertools.count(1)

    def __init__(self, front, server):
        super().__init__(front)
        self.parser = bolt.Messages()
        self.failed = False  # until RESET every request is ignored
        self._server = server
        self._policy = server.policy
        self._upstream = None
        self._trusted = False
        self._begun = None  # the extra of BEGIN inside a transaction
        self._streams = {}  # number → (Query, columns as the engine names them): what is not all fetched yet
        self._last = -1  # the number of the newest; outside a transaction there is one, without number
        self._wrapped = False  # it runs in a transaction that the client did not ask for
        self._made = 0  # nodes created and not deleted in the transaction

    async def closed(self):
        self.forget()

    def forget(self):
        """Close the engine's side, which rolls back a transaction."""
        if self._upstream is not None:
            self._upstream.close()

    # What wire.Session asks.

    def describe(self, request):
        if isinstance(request, bolt.Handshake) or self.failed or request.tag not in bolt.NAMES:
            return None
        arguments = request.fields[:2] if request.tag == bolt.RUN else ()
        return Command(bolt.NAMES[request.tag], tuple(arguments), self.name)

    def gated(self, command):
        return command.name not in ("PULL", "DISCARD")

    async def execute(self, request):
        if isinstance(request, bolt.Handshake):
            self.closing = not request.speaks
            return bolt.agreed(request.speaks)
        if request.tag == bolt.GOODBYE:
            self.closing = True
            return None
        if request.tag == bolt.RESET:
            return await self._reset()
        if self.failed:
            return bolt.encode(bolt.IGNORED)
        answer = ANSWERS.get(request.tag)
        if answer is None or (not self._trusted and request.tag not in (bolt.HELLO, bolt.LOGON)):
            self.closing = True
            return self._fail(Failure("Neo.ClientError.Request.Invalid", "The connection is not in a state for this message."))
        return await answer(self, request)

    def transient_error(self, request):
        return self._fail(DEADLOCK)

    async def finish(self, command):
        """Fetch the records of a query outside a transaction: the engine commits when they are fetched."""
        if command.name == "RUN" and self._streams and self._begun is None:
            await self._fetch(bolt.Message(bolt.DISCARD, ({"n": -1},), b""))

    def protocol_error(self, error):
        return bolt.encode(bolt.FAILURE, {"code": "Neo.ClientError.Request.InvalidFormat", "message": str(error)})

    # What the front answers itself.

    async def _hello(self, request):
        agent = request.fields[0].get("user_agent", "")
        self.name = "" if agent.startswith("neo4j-") else agent
        number = next(self._numbers)
        return _success(server=f"{AGENT} ({self._server.engine})", connection_id=f"bolt-{number}", hints={})

    async def _logon(self, request):
        token = request.fields[0]
        given = (str(token.get("principal")), str(token.get("credentials")))
        # Compared in constant time: the password guards against other users of this machine.
        same = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, self._server.auth, strict=True)]
        if not all(same):
            self.closing = True
            return self._fail(UNAUTHORIZED)
        self._trusted = True
        return _success()

    async def _logoff(self, request):
        self._trusted = False
        return _success()

    async def _route(self, request):
        here = [f"{self._server.host}:{self._server.port}"]
        servers = [{"role": role, "addresses": here} for role in ("ROUTE", "READ", "WRITE")]
        return _success(rt={"ttl": 300, "db": "neo4j", "servers": servers})

    async def _telemetry(self, request):
        return _success()

    # What goes to the engine.

    async def _begin(self, request):
        extra = request.fields[0]
        if failure := self._policy.refuses_database(extra.get("db")):
            return self._fail(failure)
        _, summary = await self._ask(request.tag, {**extra, "db": self._server.database})
        if summary.tag == bolt.SUCCESS:
            self._begun = extra
        return await self._reply(summary)

    async def _run(self, request):
        text, parameters, extra = request.fields
        reading = read(text)
        mode = (extra if self._begun is None else self._begun).get("mode", "w")
        failure = self._policy.refuses_database(extra.get("db")) or self._policy.refuses(text, reading, mode)
        if failure:
            return self._fail(failure)
        if self._begun is None:
            extra = {**extra, "db": self._server.database}
            if self._policy.wraps(text, reading):
                _, summary = await self._ask(bolt.BEGIN, extra)
                if summary.tag != bolt.SUCCESS:
                    return await self._reply(summary)
                self._wrapped, extra = True, {}
        query = Query(text, parameters, self.name)
        for log in self.front.logs:
            log.queries.append(query)
        _, summary = await self._ask(bolt.RUN, self._policy.rewrite(text, reading), parameters, extra)
        if summary.tag == bolt.SUCCESS:
            metadata = summary.fields[0]
            fields = list(metadata.get("fields", ()))
            self._last = metadata.get("qid", -1)
            self._streams[self._last] = query, fields
            return bolt.encode(bolt.SUCCESS, {**metadata, "fields": self._policy.fields(text, fields)})
        return await self._reply(summary, text)

    async def _fetch(self, request):
        """Pass on a PULL or DISCARD."""
        number = request.fields[0].get("qid", -1)
        number = self._last if number == -1 else number
        query, fields = self._streams.get(number, (Query("", {}), []))
        records, summary = await self._ask(request.tag, *request.fields)
        if summary.tag != bolt.SUCCESS:
            return await self._reply(summary, query.text)
        records = self._policy.records(query.text, fields, records)
        query.rows += len(records)
        metadata = summary.fields[0]
        if not metadata.get("has_more"):
            self._streams.pop(number, None)
            if self._wrapped:
                self._wrapped = False
                _, committed = await self._ask(bolt.COMMIT)
                if committed.tag != bolt.SUCCESS:
                    return await self._reply(committed, query.text)
                metadata = {**metadata, **committed.fields[0]}
            metadata = self._policy.summarise(read(query.text), metadata)
            self._note(query, metadata)
        return b"".join(map(bolt.frame, records)) + bolt.encode(bolt.SUCCESS, metadata)

    def _note(self, query, metadata):
        """Keep what the summary tells of a query."""
        query.counters = metadata.get("stats", {})
        query.work = total(metadata.get("profile"), "rows")
        query.hits = total(metadata.get("profile"), "dbHits")
        self._made += query.counters.get("nodes-created", 0) - query.counters.get("nodes-deleted", 0)
        if self._begun is None:
            self._committed()

    async def _end(self, request):
        _, summary = await self._ask(request.tag)
        self._begun = None
        self._streams.clear()
        if request.tag == bolt.COMMIT and summary.tag == bolt.SUCCESS:
            self._committed()
        return await self._reply(summary)

    def _committed(self):
        if self._server.nodes is not None:
            self._server.nodes += self._made
        self._made = 0

    async def _reset(self):
        self.failed = self._wrapped = False
        self._begun = None
        self._streams.clear()
        self._made = 0
        if self._upstream is not None:
            if self._stale():
                self._leave()
            else:
                await self._upstream.send(bolt.RESET)
        return _success()

    async def _ask(self, tag, *fields):
        """Send a message to the engine and return (payloads of the records, the summary's Message)."""
        if self._stale():
            self._leave()
            if self._begun is not None or tag not in (bolt.RUN, bolt.BEGIN):
                return [], bolt.Message(bolt.FAILURE, ({"code": FORGOTTEN.code, "message": FORGOTTEN.message},), b"")
        if self._upstream is None:
            self._upstream = await Upstream(self._server).open()
        try:
            return await self._upstream.send(tag, *fields)
        except OSError:  # whether it committed is not known
            self._server.nodes = None
            raise

    async def _reply(self, summary, text=""):
        """Return a summary without records as the client gets it. `text` is the query that it is about."""
        if summary.tag != bolt.FAILURE:
            return bolt.encode(summary.tag, *summary.fields)
        told = summary.fields[0]
        failure = Failure(told.get("code") or "Neo.DatabaseError.General.UnknownError", told.get("message") or "")
        if "TRANSACTIONS" in text.upper():  # CALL … IN TRANSACTIONS may have committed a part
            self._server.nodes = None
        return self._fail(await self._policy.translate(failure, text))

    def _leave(self):
        self._upstream.close()
        self._upstream = None

    def _stale(self):
        return self._upstream is not None and self._upstream.generation != self._server.generation

    def _fail(self, failure):
        self.failed = True
        return bolt.encode(bolt.FAILURE, {"code": failure.code, "message": failure.message})


ANSWERS = {
    bolt.HELLO: BoltSession._hello,
    bolt.LOGON: BoltSession._logon,
    bolt.LOGOFF: BoltSession._logoff,
    bolt.ROUTE: BoltSession._route,
    bolt.TELEMETRY: BoltSession._telemetry,
    bolt.BEGIN: BoltSession._begin,
    bolt.RUN: BoltSession._run,
    bolt.PULL: BoltSession._fetch,
    bolt.DISCARD: BoltSession._fetch,
    bolt.COMMIT: BoltSession._end,
    bolt.ROLLBACK: BoltSession._end,
}


async def _call(function):
    function()


def _success(**metadata):
    return bolt.encode(bolt.SUCCESS, metadata)
