"""One Redis client's connection: which commands pass, and how its replies and push messages come back."""

from stores.base import Command
from stores.redis.resp import Error, Requests, Status, encode
from stores.wire import Session

# How a connection is set up, not what its client came to do: neither recorded nor gated.
SET_UP = {b"AUTH", b"CLIENT", b"HELLO", b"QUIT", b"RESET", b"SELECT"}
ENDS_TRANSACTION = {b"EXEC", b"DISCARD", b"RESET"}
NO_SINGLE_REPLY = {
    (b"MONITOR",): "MONITOR shows every client of the server. Use server.record() instead",
    (b"CLIENT", b"REPLY"): "CLIENT REPLY is not available: the course's server answers every command",
}


class Policy:
    """Which commands reach the engine, and in which form."""

    def rewrite(self, session, request):
        """Return the request to execute (a list of bytes), or an Error that says why not."""
        name = request[0].upper()
        if name == b"HELLO" and request[1:2] not in ([], [b"2"], [b"3"]):
            return Error("NOPROTO unsupported protocol version")
        reason = NO_SINGLE_REPLY.get((name,)) or NO_SINGLE_REPLY.get((name, second(request)))
        return Error(f"ERR {reason}") if reason else request

    def reply(self, request, reply):
        """Return the reply frame as the client is to see it."""
        return reply


class RedisSession(Session):
    """Serves one connection: requests go one at a time to `upstream`, the engine's side of it.

    An upstream has open(), close() and call(request) -> reply frame, all coroutines; it hands what no
    request asked for (pub/sub messages, RESP3 push frames) to session.write().
    """

    def __init__(self, front, upstream, policy):
        super().__init__(front)
        self.parser = Requests()
        self.in_transaction = False
        self._spoiled = False  # the transaction holds a refused command
        self._upstream = upstream(self)
        self._policy = policy

    async def opened(self):
        await self._upstream.open()

    async def closed(self):
        await self._upstream.close()

    def describe(self, request):
        name = request[0].upper()
        if name in SET_UP:
            return None
        return Command(_text(name), tuple(map(_text, request[1:])), self.name)

    def gated(self, command):
        # MULTI and what it queues change nothing before EXEC: a transaction is one step of a schedule.
        return command.name != "MULTI" and (not self.in_transaction or command.name == "EXEC")

    async def execute(self, request):
        name = request[0].upper()
        if name == b"QUIT":
            self.closing = True
            return encode(Status(b"OK"))
        allowed = self._policy.rewrite(self, request)
        if isinstance(allowed, Error):
            self._spoiled = self.in_transaction
            return encode(allowed)
        if name == b"EXEC" and self._spoiled:
            allowed = [b"DISCARD"]
        reply = await self._upstream.call(allowed)
        if name == b"EXEC" and self._spoiled:
            reply = encode(Error("EXECABORT Transaction discarded because of previous errors."))
        if reply is not None:
            reply = self._policy.reply(request, reply)
        self._follow(name, request, reply)
        return reply

    def transient_error(self, request):
        return encode(Error("LOADING Redis is loading the dataset in memory"))

    def protocol_error(self, error):
        return encode(Error(f"ERR Protocol error: {error}"))

    def _follow(self, name, request, reply):
        """Keep what the session must know of the connection's state."""
        if name in ENDS_TRANSACTION:
            self.in_transaction = self._spoiled = False
        if reply is None or reply.startswith((b"-", b"!")):
            return
        if name == b"MULTI":
            self.in_transaction = True
        elif name == b"CLIENT" and second(request) == b"SETNAME":
            self.name = _text(request[2])
        elif name == b"HELLO":
            words = [word.upper() for word in request]
            if b"SETNAME" in words[2:-1]:
                self.name = _text(request[words.index(b"SETNAME", 2) + 1])
        elif name == b"RESET":
            self.name = ""


def second(request):
    """Return the second word of a request in capitals, or b""."""
    return request[1].upper() if len(request) > 1 else b""


def _text(data):
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
