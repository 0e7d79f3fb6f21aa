"""A real memcached, under keys of the course's own.

Memcached has no databases and no owners, and flush_all empties it for everybody. So the front puts a prefix
of its own before every key, remembers the keys it wrote, and deletes these and nothing else. Memory is shared
all the same: items of the course could push out those of others. So a server that holds anybody else's
items is refused. What a killed kernel left behind is recognized by the prefix and does no harm.
"""

import asyncio
import secrets
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from stores.base import Clock, NotOnRealServer, Server, unreachable, within
from stores.memcached import VARIABLE
from stores.memcached.front import MemcachedSession
from stores.memcached.text import KEY_LIMIT, WITH_DATA, Request
from stores.wire import Front

PREFIX = b"nosql-course:"
CONNECT = 1.5  # seconds for name look-up, connection and first answers together
WITH_KEY = WITH_DATA | {b"incr", b"decr", b"touch", b"delete"}
PASSED = {b"version"}  # besides commands with keys, flush_all and stats


class RealMemcached(Server):
    """A real server, seen through the front."""

    name = "memcached"
    kind = "real"

    def __init__(self, address):
        """Use the server at `address` (memcached://host:port). Raises Unreachable."""
        self._prefix = PREFIX + secrets.token_hex(2).encode() + b":"
        self._keys = set()
        try:
            self._peer, version = within(CONNECT, lambda: _inspect(*_parse(address)))
        except TimeoutError:
            raise unreachable(address, f"it did not answer within {CONNECT:g} s", VARIABLE) from None
        except (OSError, ValueError) as error:
            raise unreachable(address, str(error), VARIABLE) from None
        front = Front(lambda front: MemcachedSession(front, Upstream(self._peer, self._prefix, self._keys)))
        super().__init__(front, f"memcached {version} at {self._peer[0]}:{self._peer[1]}", RealClock(self))
        front.start()

    @property
    def memory_limit(self):
        raise NotOnRealServer("the memory of a real memcached is set where it is started (-m)")

    def clean(self):
        """Delete the keys that were written through this front."""
        with self._connect() as sock:
            for key in list(self._keys):
                _ask(sock, b"delete " + key, b"\r\n")
        self._keys.clear()

    def stop(self):
        if not self.running:
            return
        super().stop()
        with suppress(OSError):  # the server is gone, and its items with it
            self.clean()

    def advance(self, seconds):
        """Shorten every TTL of the course's items by `seconds`, rounded to whole ones."""
        with self._connect() as sock:
            for key in list(self._keys):
                answer = _ask(sock, b"mg " + key + b" t", b"\r\n").rstrip()
                if answer.startswith((b"ERROR", b"CLIENT_ERROR")):
                    raise NotOnRealServer("moving the clock needs memcached 1.6 or later")
                if not answer.startswith(b"HD t") or answer == b"HD t-1":
                    continue  # no such item, or one without TTL
                left = int(answer[4:]) - round(seconds)
                change = b"touch %s %d" % (key, left) if left > 0 else b"delete " + key
                _ask(sock, change, b"\r\n")

    def _connect(self):
        return socket.create_connection(self._peer, timeout=CONNECT)


class RealClock(Clock):
    """This machine's time; advance() shortens the TTLs of the course's items."""

    def __init__(self, server):
        super().__init__()
        self._server = server

    def advance(self, seconds):
        super().advance(seconds)
        self._server.advance(seconds)

    def frozen(self):
        raise NotOnRealServer(
            "a real server's time cannot be held still. Unset MEMCACHED_URL to run this part"
        )


class Upstream:
    """The real server's side of one connection: own keys only."""

    def __init__(self, peer, prefix, keys):
        self._peer = peer
        self._prefix = prefix
        self._keys = keys
        self._writer = None

    async def open(self):
        self._reader, self._writer = await asyncio.open_connection(*self._peer)

    async def close(self):
        if self._writer is not None:
            self._writer.transport.abort()

    async def call(self, request):
        """Return the reply to one request, its keys without the prefix."""
        if request.error is not None:
            return request.error + b"\r\n"
        if request.name == b"flush_all":
            return await self._flush(request)
        keys = self._keys_of(request)
        if any(len(key) > KEY_LIMIT - len(self._prefix) for key in keys):
            limit = KEY_LIMIT - len(self._prefix)
            return (
                b"CLIENT_ERROR key too long: on a real server the course's keys have at most %d bytes\r\n"
                % limit
            )
        if not keys and request.name not in PASSED and request.words != [b"stats"]:
            return b"ERROR %s is not available on a real server\r\n" % request.name
        if request.data is not None:
            self._keys.add(self._prefix + request.words[1])
        return await self._send(request, keys)

    def _keys_of(self, request):
        if request.name in WITH_KEY:
            return request.words[1:2]
        first = {b"get": 1, b"gets": 1, b"gat": 2, b"gats": 2}.get(request.name)
        return request.words[first:] if first else []

    async def _send(self, request, keys):
        words = request.words[:-1] if request.noreply else list(request.words)
        start = words.index(keys[0], 2 if request.name.startswith(b"gat") else 1) if keys else len(words)
        words[start : start + len(keys)] = [self._prefix + key for key in keys]
        block = b"" if request.data is None else request.data + b"\r\n"
        self._writer.write(b" ".join(words) + b"\r\n" + block)
        return await self._reply()

    async def _reply(self):
        lines = []
        while True:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("the real server closed the connection")
            if line.startswith(b"VALUE "):
                _, key, flags, length, *unique = line.split()
                line = b" ".join([b"VALUE", key.removeprefix(self._prefix), flags, length, *unique]) + b"\r\n"
                line += await self._reader.readexactly(int(length) + 2)
            elif not line.startswith(b"STAT "):
                return b"".join([*lines, line])
            lines.append(line)

    async def _flush(self, request):
        """Delete the course's own keys: flush_all would empty the server for everybody."""
        if request.words[1 : len(request.words) - request.noreply] not in ([], [b"0"]):
            return b"CLIENT_ERROR flush_all with a delay is not available on a real server\r\n"
        for key in list(self._keys):
            await self._send(Request([b"delete", key.removeprefix(self._prefix)]), [key[len(self._prefix) :]])
        self._keys.clear()
        return b"OK\r\n"


def _parse(address):
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.scheme not in ("", "memcached") or not parts.hostname:
        raise ValueError("the address is not of the form memcached://host:11211")
    return parts.hostname, parts.port or 11211


def _inspect(host, port):
    """Return ((ip, port), version) of a server that holds the course's items only, or raise."""
    try:
        sock = socket.create_connection((host, port), timeout=CONNECT)
    except socket.gaierror:
        raise ValueError("its host name is not known") from None
    except ConnectionRefusedError:
        raise ValueError("nothing listens there (connection refused)") from None
    with sock:
        version = _ask(sock, b"version", b"\r\n")
        if not version.startswith(b"VERSION "):
            raise ValueError("what answers there is not a memcached")
        stats = _ask(sock, b"stats", b"END\r\n").split()
        if int(stats[stats.index(b"curr_items") + 1]) and _foreign_items(sock):
            raise ValueError(
                "it holds items of others, which those of the course could push out. Give one that is empty"
            )
        return sock.getpeername()[:2], version.split()[1].decode()


def _foreign_items(sock):
    listing = _ask(sock, b"lru_crawler metadump all", b"\r\n")
    while listing.startswith(b"key=") and not listing.endswith(b"END\r\n"):
        listing += sock.recv(2**16)
    if not listing.startswith((b"key=", b"END")):
        return True  # it does not list its keys: better not
    lines = listing.split(b"\r\n") if b"\r\nkey=" in listing else listing.split(b"\n")
    return any(line.startswith(b"key=") and not line.startswith(b"key=nosql-course%3A") for line in lines)


def _ask(sock, line, end):
    sock.sendall(line + b"\r\n")
    answer = b""
    while not answer.endswith(end):
        more = sock.recv(2**16)
        if not more:
            raise ConnectionError("it closed the connection")
        answer += more
    return answer
