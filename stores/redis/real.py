"""A real Redis, in a database of its own that the course found empty.

Which database belongs to whom stands in a registry: a hash in one more database that was empty too, field =
database number, value = the session's token. The mark is not a key in the course's own database, because
DBSIZE, KEYS, SCAN, RANDOMKEY and every script would see it, and FLUSHDB, which lessons use, would delete it.
All steps that look and then act are Lua scripts, so that two kernels cannot take the same database.

A session lives as long as a connection named after its token is in CLIENT LIST. After kill -9 that connection
is gone, and the next start empties the database and takes it. What no registry entry names is never flushed.
Database 0 is never taken: it is where other programs work.
"""

import asyncio
import json
import secrets
import socket
import ssl
from contextlib import suppress

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from stores.base import Clock, NotOnRealServer, Server, unreachable, within
from stores.redis import VARIABLE
from stores.redis.front import RedisSession
from stores.redis.guard import Guard
from stores.redis.resp import Frames, encode_request
from stores.redis.scripts import ADVANCE, CLAIM, CLEAN, OWNERS, RELEASE
from stores.wire import Front

REGISTRY = "nosql-course:registry"
PREFIX = "nosql-course:"  # of the name of the connection that says "alive"
CONNECT = 1.5  # seconds for name look-up, connection and log-in together
COMMAND = 1.0  # seconds for one command of ours
HEARTBEAT = 5.0  # seconds; keeps the named connection open where the server closes idle ones


class RealRedis(Server):
    """A real server, seen through the front."""

    name = "redis"
    kind = "real"
    path = "/0"

    def __init__(self, address):
        """Take a database of the server at `address` (redis:// or rediss://). Raises Unreachable."""
        self._token = secrets.token_hex(8)
        self._admin = None
        try:
            self._options, self._wanted = _parse(address)
            self._tls = _tls_context(self._options)
            self._peer = within(CONNECT, self._connect)
            version = self._describe()
            self._claim()
        except (OSError, ValueError, redis.RedisError) as error:
            if self._admin is not None:
                self._admin.close()
            raise unreachable(address, _tried(error), VARIABLE) from None
        self._guard = Guard(version, self._admin_commands())
        front = Front(lambda front: RedisSession(front, self._upstream, self._guard))
        super().__init__(front, f"{self._label}, database {self._db}", RealClock(self))
        front.start()
        front.run(self._start_heartbeat())

    def clean(self):
        self._guard.clear()
        self.own(CLEAN)

    def stop(self):
        if not self.running:
            return
        super().stop()
        # Where the server is gone, or the database no longer ours, there is nothing to give back.
        with suppress(redis.RedisError, RuntimeError):
            self.own(RELEASE)
        self._admin.close()

    def own(self, script, *args):
        """Run one of the scripts above on the course's database, if the registry still says it is ours."""
        if not self._admin.eval(script, 0, REGISTRY, self._token, self._home, self._db, *args):
            raise RuntimeError(
                f"database {self._db} of {self._label} is no longer marked as this session's: expected its "
                f"token in {REGISTRY}, found none. Nothing was deleted. Restart the kernel to take a new one"
            )

    def advance(self, seconds):
        """Shorten every TTL in the course's database by `seconds`."""
        self.own(ADVANCE, round(seconds * 1000), int(self._version >= (7, 4)))

    def time(self):
        """Return the server's own time, float seconds."""
        seconds, microseconds = self._admin.time()
        return seconds + microseconds / 1_000_000

    # Start.

    def _connect(self):
        """Return the (ip, port) that answers, and log in with a connection named after the token."""
        options = self._options
        with socket.create_connection((options["host"], options["port"]), timeout=CONNECT) as sock:
            peer = sock.getpeername()[:2]
        self._admin = redis.Redis(
            **options,
            client_name=PREFIX + self._token,
            protocol=2,
            decode_responses=True,
            socket_connect_timeout=COMMAND,
            socket_timeout=COMMAND,
            retry=Retry(NoBackoff(), 0),
        )
        self._admin.ping()
        return peer

    def _describe(self):
        info = self._admin.info("server")
        name = "Valkey" if "valkey_version" in info else "Redis"
        text = str(info.get("valkey_version") or info.get("redis_version", "0"))
        self._label = f"{name} {text} at {self._options['host']}:{self._options['port']}"
        self._version = tuple(int(part) for part in text.split(".") if part.isdigit())
        return self._version

    def _claim(self):
        """Take an empty database, or one whose session has died."""
        # First the registry, then the clients: a session names its connection before it claims, so an owner
        # that the registry shows and the later list of clients lacks is dead.
        owners = self._owners()
        clients = self._admin.client_list()
        alive = {
            client["name"].removeprefix(PREFIX) for client in clients if client["name"].startswith(PREFIX)
        }
        dead = {token: True for token in owners if token not in alive}
        busy = {client["db"]: True for client in clients}
        last, *taken = self._admin.eval(
            CLAIM, 0, REGISTRY, self._token, self._wanted or "", json.dumps(dead), json.dumps(busy)
        )
        if not taken:
            raise ValueError(_refusal(last, self._wanted))
        self._home, self._db = taken

    def _owners(self):
        return set(self._admin.eval(OWNERS, 0, REGISTRY))

    def _admin_commands(self):
        try:
            commands = self._admin.command()
        except redis.RedisError:  # some hosts do not allow it; the fixed list stands
            return ()
        return [name.encode() for name, about in commands.items() if "admin" in about["flags"]]

    async def _start_heartbeat(self):
        async def beat():
            while True:
                await asyncio.sleep(HEARTBEAT)
                with suppress(
                    redis.RedisError
                ):  # a server that is down is for the learner's own client to find
                    try:
                        self._admin.ping()
                    except (
                        redis.ConnectionError
                    ):  # closed meanwhile: this connects again, under the same name
                        self._admin.ping()

        self._heartbeat = asyncio.create_task(beat())

    # Connections.

    def _upstream(self, session):
        return Upstream(session, self._peer, self._tls, self._options["host"], self._log_in())

    def _log_in(self):
        """Return the requests that put a new connection into the course's database."""
        password, user = self._options.get("password"), self._options.get("username")
        log_in = (
            [] if password is None else [[b"AUTH", *(word.encode() for word in (user, password) if word)]]
        )
        return [*log_in, [b"SELECT", b"%d" % self._db]]


class RealClock(Clock):
    """The time of a real server.

    advance() shortens TTLs. It moves neither TIME nor stream ids, idle times or timeouts of blocked clients.
    """

    def __init__(self, server):
        super().__init__()
        self._server = server

    def now(self):
        return self._server.time() + self._offset

    def advance(self, seconds):
        super().advance(seconds)
        self._server.advance(seconds)

    def frozen(self):
        raise NotOnRealServer("a real server's time cannot be held still. Unset REDIS_URL to run this part")


class Upstream(asyncio.Protocol):
    """The real server's side of one connection."""

    def __init__(self, session, peer, tls, host, log_in):
        self._session = session
        self._peer = peer
        self._tls = tls
        self._host = host  # the name that the certificate must show
        self._log_in = log_in
        self._frames = Frames()
        self._reply = None  # future, while a request is answered
        self._subscribing = False
        self._transport = None

    async def open(self):
        self._transport, _ = await self._session.front.loop.create_connection(
            lambda: self, *self._peer, ssl=self._tls, server_hostname=self._host if self._tls else None
        )
        for request in self._log_in:
            if (reply := await self.call(request)).startswith(b"-"):
                raise ConnectionError(reply.decode(errors="replace"))

    async def call(self, request):
        """Send one request and return its reply frame, or None when the answer was push messages."""
        if self._transport.is_closing():
            raise ConnectionError("the real server has closed the connection")
        self._reply = self._session.front.loop.create_future()
        self._subscribing = request[0].upper().endswith(b"SUBSCRIBE")
        self._transport.write(encode_request(request))
        try:
            return await self._reply
        finally:
            self._reply = None

    async def close(self):
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data):
        for frame in self._frames.feed(data):
            self._receive(frame)

    def connection_lost(self, _):
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(ConnectionError("the real server closed the connection"))
        self._session.transport.abort()

    def _receive(self, frame):
        """A push frame, or any frame that no request waits for, is the subscriber's."""
        waiting = self._reply is not None and not self._reply.done()
        if waiting and self._subscribing:
            self._session.write(frame)
            self._reply.set_result(None)
        elif waiting and not frame.startswith(b">"):
            self._reply.set_result(frame)
        elif self._reply is not None:  # the session has yet to write the reply that came before this frame
            self._session.front.loop.call_soon(self._session.write, frame)
        else:
            self._session.write(frame)


def _parse(address):
    """Return the options of redis.Redis that `address` means, and the database it names (0: any)."""
    if not address.startswith(("redis://", "rediss://")):
        raise ValueError(
            "the address is not a URL like redis://host:6379 or rediss://user:password@host:6380"
        )
    options = {"host": "localhost", "port": 6379, **parse_url(address)}
    options["ssl"] = options.pop("connection_class", None) is not None
    wanted = options.pop("db", 0)
    known = {"host", "port", "username", "password", "ssl"}
    return {
        name: value for name, value in options.items() if name in known or name.startswith("ssl_")
    }, wanted


def _tls_context(options):
    """Return the TLS settings of the address for the front's own connections, or None without TLS."""
    if not options["ssl"]:
        return None
    context = ssl.create_default_context(
        cafile=options.get("ssl_ca_certs"), capath=options.get("ssl_ca_path")
    )
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    required = str(options.get("ssl_cert_reqs", "required")).lower()
    if required in ("none", "optional"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE if required == "none" else ssl.CERT_OPTIONAL
    return context


def _tried(error):
    """Say what went wrong, for the message of Unreachable."""
    match error:
        case TimeoutError():
            return f"it did not answer within {CONNECT:g} s"
        case redis.TimeoutError():
            return f"it accepts connections but did not answer within {COMMAND:g} s"
        case socket.gaierror():
            return "its host name is not known"
        case ConnectionRefusedError():
            return "nothing listens there (connection refused)"
        case redis.AuthenticationError() | redis.exceptions.NoPermissionError():
            return f"it answered, but does not let the course in ({error})"
    return str(error)


def _refusal(last, wanted):
    if last == 0:
        return "it has one database only, and the course never works in database 0"
    if wanted:
        return (
            f"database {wanted} is not empty, is in use, or leaves no other empty one for the course's "
            "registry. Name another in the address, or none"
        )
    return (
        f"none of its databases 1 to {last} is free: the course needs an empty one for itself, and one for "
        "its registry. Empty one, or raise `databases` in redis.conf"
    )
