"""The embedded Redis: fakeredis as the engine, in the front's own thread, with a clock of its own.

fakeredis has a TCP server too. It costs a second hop and a thread for each connection, a client that
vanishes during BLPOP leaves that thread behind, and it sends no RESP3 push frames; so the front gives each
connection one of fakeredis' asyncio sockets instead and encodes the replies itself.
"""

import asyncio
import sys
import threading
import time

import fakeredis
from fakeredis._helpers import NoResponse, SimpleError, SimpleString
from fakeredis._socket._async import AsyncFakeSocket

from stores.base import Clock, Server
from stores.redis.front import Policy, RedisSession
from stores.redis.resp import Error, Members, NullArray, Push, Status, encode
from stores.wire import Front

SCRIPT_STEPS = 100_000_000  # Lua instructions, one or two seconds
SUBSCRIPTIONS = {b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"UNSUBSCRIBE", b"PUNSUBSCRIBE", b"SUNSUBSCRIBE"}


class EmbeddedRedis(Server):
    """A Redis in this process; `version` is the Redis whose commands and messages it follows."""

    name = "redis"
    path = "/0"

    def __init__(self, version=(8,)):
        clock = Clock()
        self._engine = fakeredis.FakeServer(version=version)
        front = Front(self._session)
        super().__init__(front, f"fakeredis {fakeredis.__version__}", clock)
        front.start()
        front.run(_tell_time(clock))

    def _session(self, front):
        return RedisSession(front, lambda session: Upstream(session, self._engine), Policy())

    def clean(self):
        self.front.run(self._clean())

    async def _clean(self):
        with self._engine.lock:
            for database in self._engine.dbs.values():
                database.clear()
            self._engine.script_cache.clear()


class Upstream:
    """The engine's side of one connection."""

    def __init__(self, session, engine):
        self._session = session
        self._engine = engine
        self._socket = None
        self._reply = None  # the frame, or while a command blocks the future of it
        self._pushed = 0

    async def open(self):
        self._socket = Socket(self._engine, 0, client_class=fakeredis.FakeRedis)
        self._socket.upstream = self

    async def call(self, request):
        """Execute one request and return its reply frame, or None when the answer was push messages."""
        self._reply, self._pushed = None, 0
        try:
            self._socket.execute(request)
        except Exception as error:  # a defect of the engine: it must not look like one of the learner
            return encode(Error(f"ERR the embedded engine failed: {type(error).__name__}: {error}"))
        if self._reply is None and request[0].upper() in SUBSCRIPTIONS:
            if not self._pushed:  # nothing was subscribed; Redis says so, fakeredis is silent
                self.push([request[0].lower(), None, 0])
            return None
        if self._reply is None:
            self._reply = self._session.front.loop.create_future()
            return await self._reply
        return self._reply

    async def close(self):
        if self._socket is not None:
            await self._socket.aclose()

    def push(self, message):
        self._pushed += 1
        self._session.write(encode(Push(message), self._socket.protocol))

    def reply(self, frame):
        if isinstance(self._reply, asyncio.Future):
            if not self._reply.done():  # what a blocked command did not get is an array
                self._reply.set_result(b"*-1\r\n" if frame == b"$-1\r\n" else frame)
        else:
            self._reply = frame


class Frame(bytes):
    """An encoded reply, to tell it from a pub/sub message."""


class Socket(AsyncFakeSocket):
    """fakeredis' connection, given parsed requests and giving encoded frames."""

    upstream = None
    _blocked_task = None

    @property
    def protocol(self):
        return self._client_info.protocol_version

    def execute(self, request):
        self._request = request
        self._process_command(request)

    def put_response(self, message):
        if isinstance(message, Frame):
            self.upstream.reply(message)
        elif message is None:  # a blocked command has waited long enough
            self.upstream.reply(Frame(encode(NullArray(), self.protocol)))
        else:
            self.upstream.push(message)

    def _decode_result(self, result):
        if isinstance(result, NoResponse):
            return result
        if isinstance(result, SimpleError):
            result = as_redis(self._request[0].decode(errors="replace").lower(), result, self.protocol)
        return Frame(encode(_plain(result), self.protocol))

    def _run_command(self, func, sig, args, from_script):
        # fakeredis restricts a subscribed connection in RESP3 too; Redis does so in RESP2 only.
        if self._pubsub and self.protocol == 3 and sig.name not in self.ACCEPTED_COMMANDS_WHILE_PUBSUB:
            subscriptions, self._pubsub = self._pubsub, 0
            try:
                result = super()._run_command(func, sig, args, from_script)
            finally:
                self._pubsub = subscriptions
        else:
            result = super()._run_command(func, sig, args, from_script)
        return result if from_script else as_redis(sig.name.lower(), result, self.protocol)

    def _unknown_command(self, command, args=None):
        """Name the command as the client spelt it, and its arguments, as Redis does."""
        name, *rest = [word.decode(errors="replace") for word in self._request]
        if command.split(" ")[0] != name.lower():  # called by a script
            return super()._unknown_command(command, args)
        if " " in command:
            return SimpleError(f"ERR unknown subcommand '{rest[0]}'. Try {name.upper()} HELP.")
        shown = "".join(f"'{word}' " for word in rest)[:128]
        return SimpleError(f"ERR unknown command '{name}', with args beginning with: {shown}")

    # fakeredis cuts the end of these keys down to a whole second; Redis keeps the milliseconds.

    def setex(self, key, seconds, value):
        status = super().setex(key, seconds, value)
        key.expireat = self._db.time + seconds
        return status

    def psetex(self, key, milliseconds, value):
        status = super().psetex(key, milliseconds, value)
        key.expireat = self._db.time + milliseconds / 1000
        return status

    def getex(self, key, *args):
        value = super().getex(key, *args)
        match [args[0].upper(), *args[1:]] if args else []:
            case [b"EX", seconds]:
                key.expireat = self._db.time + int(seconds)
            case [b"PX", milliseconds]:
                key.expireat = self._db.time + int(milliseconds) / 1000
            case [b"PXAT", milliseconds]:
                key.expireat = int(milliseconds) / 1000
        return value

    def _get_server_runtime(self, server):
        # A script without end would hold Python's lock, and so the learner's whole kernel, for ever.
        runtime = super()._get_server_runtime(server)
        runtime.execute(
            b"debug.sethook(function() error('the script takes too long') end, '', %d)" % SCRIPT_STEPS
        )
        return runtime

    async def _async_blocking(self, *args, **kwargs):
        self._blocked_task = asyncio.current_task()
        await super()._async_blocking(*args, **kwargs)

    async def aclose(self):
        """Close; a client that vanishes while a command blocks must not be served later."""
        if self._blocked_task is not None and not self._blocked_task.done():
            self._blocked_task.cancel()
            await asyncio.gather(self._blocked_task, return_exceptions=True)
        self.close()


# Where fakeredis' replies have another type or text than those of Redis.
NULL_ARRAYS = {
    "exec",
    "blpop",
    "brpop",
    "blmpop",
    "bzpopmin",
    "bzpopmax",
    "bzmpop",
    "lmpop",
    "zmpop",
    "xread",
}
SETS = {"smembers", "sinter", "sdiff", "sunion"}


def as_redis(name, result, protocol):
    """Return fakeredis' result of the command `name` as Redis would give it."""
    match result:
        case None if name in NULL_ARRAYS:
            return NullArray()
        case list() | dict() if not result and name in ("xread", "xreadgroup"):
            return NullArray()
        case list() if protocol == 3 and name in SETS:
            return Members(result)
        case SimpleError(value=text):
            return SimpleError(_error_text(name, text))
    return result


def _error_text(name, text):
    if text.startswith("ERR invalid expire time in "):
        return f"ERR invalid expire time in '{name}' command"
    if text.startswith("ERR Wrong number of args calling Redis command"):
        return f"ERR wrong number of arguments for '{name}' command"
    if name == "scan" and "not an integer" in text:
        return "ERR invalid cursor"
    return text.removeprefix("ERR ") if text.startswith("ERR BUSYGROUP") else text


def _plain(value):
    """Return fakeredis' reply in the types that resp.encode() knows."""
    match value:
        case SimpleString():
            return Status(value.value)
        case SimpleError():
            return Error(value.value)
        case Members():
            return value
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
    return value


# The clock. fakeredis asks time.time(); its modules are given a `time` that answers with the clock of the
# server whose thread asks. A fakeredis that the learner uses in another thread keeps the time of day.

_clocks = threading.local()


class _Time:
    """Stands for the module `time` inside fakeredis."""

    def time(self):
        clock = getattr(_clocks, "clock", None)
        return time.time() if clock is None else clock.now()

    def __getattr__(self, name):
        return getattr(time, name)


async def _tell_time(clock):
    _clocks.clock = clock


def _give_time():
    shim = _Time()
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "fakeredis" and getattr(module, "time", None) is time:
            module.time = shim


_give_time()
