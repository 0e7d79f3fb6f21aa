"""The stand-in: items in order of use, evicted from the cold end, with a clock of its own.

It keeps one list of items where memcached keeps one for each size class with hot, warm and cold parts: which
item is evicted first differs in detail, that the least recently used go first does not.
"""

from collections import OrderedDict
from dataclasses import dataclass

from stores.base import Clock, Server
from stores.memcached.front import MemcachedSession
from stores.memcached.text import BAD_FORMAT, KEY_LIMIT, item_size
from stores.wire import Front

VERSION = "1.6.18"  # whose replies these are
MEMORY = 64 * 2**20  # bytes, memcached's default
MONTH = 30 * 24 * 3600  # a longer TTL is a time of day
NOT_A_NUMBER = b"CLIENT_ERROR cannot increment or decrement non-numeric value"
BAD_DELTA = b"CLIENT_ERROR invalid numeric delta argument"
BAD_TIME = b"CLIENT_ERROR invalid exptime argument"
DELETE_USAGE = BAD_FORMAT + b".  Usage: delete <key> [noreply]"
TOO_SMALL = b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"


class EmbeddedMemcached(Server):
    """A stand-in for memcached in this process. `memory_limit` (bytes) may be lowered to see evictions."""

    name = "memcached"

    def __init__(self):
        clock = Clock()
        self._cache = Cache(clock)
        front = Front(lambda front: MemcachedSession(front, Upstream(self._cache)))
        super().__init__(front, f"stand-in for memcached {VERSION}", clock)
        front.start()

    @property
    def memory_limit(self):
        return self._cache.limit

    @memory_limit.setter
    def memory_limit(self, size):
        self._cache.limit = size

    def clean(self):
        self.front.run(self._clean())

    async def _clean(self):
        self._cache.__init__(self.clock)


class Upstream:
    """The engine's side of one connection."""

    def __init__(self, cache):
        self._cache = cache

    async def open(self):
        """Nothing to open."""

    async def close(self):
        """Nothing to close."""

    async def call(self, request):
        return self._cache.execute(request)


@dataclass(slots=True)
class Item:
    flags: bytes
    value: bytes
    expires: float | None  # engine time in seconds
    unique: int  # changes with each store; what cas compares
    stored: float


class Cache:
    """The items, and one method for each command: words (and data) in, reply lines out."""

    def __init__(self, clock, limit=MEMORY):
        self.limit = limit
        self._clock = clock
        self._items = OrderedDict()  # key -> Item, least recently used first
        self._size = 0
        self._unique = 0
        self._flush_at = None
        self._started = clock.now()
        self._counts = dict.fromkeys(
            (
                "cmd_get",
                "cmd_set",
                "cmd_flush",
                "cmd_touch",
                "get_hits",
                "get_misses",
                "evictions",
                "total_items",
            ),
            0,
        )

    def execute(self, request):
        """Return the reply as bytes."""
        if request.error is not None:
            if request.error.startswith(b"SERVER_ERROR"):
                self._remove(request.words[1])  # a value that does not fit replaces the old one by nothing
            return request.error + b"\r\n"
        words = request.words[:-1] if request.noreply else request.words
        method = COMMANDS.get(request.name)
        if method is None:
            return b"ERROR\r\n"
        if request.data is not None:
            return method(self, words, request.data) + b"\r\n"
        return method(self, words) + b"\r\n"

    # Storage.

    def store(self, words, data):
        name, key, flags, ttl = words[:4]
        self._counts["cmd_set"] += 1
        old = self._live(key)
        if name == b"cas":
            if old is None:
                return b"NOT_FOUND"
            if old.unique != int(words[5]):
                return b"EXISTS"
        if (old is None) == (name in (b"replace", b"append", b"prepend")) or (
            old is not None and name == b"add"
        ):
            if old is not None:
                self._items.move_to_end(key)
            if old is None or name == b"add":
                return b"NOT_STORED"
        if name in (b"append", b"prepend"):
            value = old.value + data if name == b"append" else data + old.value
            self._put(key, old.flags, value, old.expires)
        else:
            self._put(key, flags, data, self._expiry(int(ttl)))
        return b"STORED"

    def change(self, words):
        if len(words) != 3:
            return b"ERROR"
        name, key, delta = words
        if len(key) > KEY_LIMIT:
            return BAD_FORMAT
        if not delta.isdigit() or int(delta) >= 2**64:
            return BAD_DELTA
        item = self._live(key)
        if item is None:
            return b"NOT_FOUND"
        number = item.value.rstrip(b" ")
        if not number.isdigit() or int(number) >= 2**64:
            return NOT_A_NUMBER
        if name == b"incr":
            result = b"%d" % ((int(number) + int(delta)) % 2**64)
        else:  # stops at 0, and keeps the length with spaces
            result = b"%d" % max(0, int(number) - int(delta))
        self._put(key, item.flags, result.ljust(len(item.value)), item.expires)
        return result

    def touch(self, words):
        if len(words) != 3:
            return b"ERROR"
        if len(words[1]) > KEY_LIMIT:
            return BAD_FORMAT
        if not words[2].removeprefix(b"-").isdigit():
            return BAD_TIME
        self._counts["cmd_touch"] += 1
        item = self._live(words[1])
        if item is None:
            return b"NOT_FOUND"
        item.expires = self._expiry(int(words[2]))
        return b"TOUCHED"

    def delete(self, words):
        if len(words) < 2:
            return b"ERROR"
        if len(words) > 2 and words[2:] != [b"0"]:
            return DELETE_USAGE
        if len(words[1]) > KEY_LIMIT:
            return BAD_FORMAT
        found = self._live(words[1]) is not None
        self._remove(words[1])
        return b"DELETED" if found else b"NOT_FOUND"

    # Retrieval.

    def get(self, words):
        return self._values(words[0], words[1:], None)

    def get_and_touch(self, words):
        if len(words) < 2:
            return b"ERROR"
        if not words[1].removeprefix(b"-").isdigit():
            return BAD_TIME
        return self._values(words[0], words[2:], int(words[1]))

    def _values(self, name, keys, ttl):
        if not keys and ttl is None:
            return b"ERROR"
        lines = []
        for key in keys:
            if len(key) > KEY_LIMIT:
                return BAD_FORMAT
            self._counts["cmd_get"] += 1
            item = self._live(key)
            self._counts["get_misses" if item is None else "get_hits"] += 1
            if item is None:
                continue
            self._items.move_to_end(key)
            if ttl is not None:
                item.expires = self._expiry(ttl)
            unique = b" %d" % item.unique if name.endswith(b"s") else b""
            lines.append(b"VALUE %s %s %d%s" % (key, item.flags, len(item.value), unique))
            lines.append(item.value)
        return b"\r\n".join([*lines, b"END"])

    # The whole cache.

    def flush_all(self, words):
        self._counts["cmd_flush"] += 1
        delay = words[1] if len(words) > 1 else b"0"
        if not delay.isdigit():
            return b"OK" if delay.removeprefix(b"-").isdigit() else BAD_TIME
        if int(delay):
            self._flush_at = self._expiry(int(delay))
        else:
            self._items.clear()
            self._size, self._flush_at = 0, None
        return b"OK"

    def stats(self, words):
        if len(words) > 1:
            if words[1] == b"reset":
                self._counts = dict.fromkeys(self._counts, 0)
                return b"RESET"
            # The stand-in has no slabs, and no settings to tell.
            return b"END" if words[1] in (b"items", b"settings", b"sizes", b"slabs") else b"ERROR"
        now = self._clock.now()
        for key in list(self._items):
            self._live(key)
        stats = {
            **{"version": VERSION, "time": int(now), "uptime": int(now - self._started)},
            **self._counts,
            **{"curr_items": len(self._items), "bytes": self._size, "limit_maxbytes": self.limit},
        }
        return "\r\n".join([*(f"STAT {name} {value}" for name, value in stats.items()), "END"]).encode()

    def version(self, _):
        return f"VERSION {VERSION}".encode()

    def verbosity(self, words):
        return b"OK" if len(words) > 1 else b"ERROR"

    def limit_memory(self, words):
        if len(words) != 2 or not words[1].isdigit():
            return b"ERROR"
        if int(words[1]) < 8:
            return TOO_SMALL
        self.limit = int(words[1]) * 2**20
        return b"OK"

    # Items.

    def _live(self, key):
        """Return the item, or None when it is absent, expired or flushed."""
        item = self._items.get(key)
        if item is None:
            return None
        now = self._clock.now()
        flushed = self._flush_at is not None and item.stored < self._flush_at <= now
        if flushed or (item.expires is not None and item.expires <= now):
            self._remove(key)
            return None
        return item

    def _put(self, key, flags, value, expires):
        self._remove(key)
        self._unique += 1
        self._items[key] = Item(flags, value, expires, self._unique, self._clock.now())
        self._size += item_size(key, int(flags), len(value))
        self._counts["total_items"] += 1
        while self._size > self.limit and len(self._items) > 1:
            self._remove(next(iter(self._items)))
            self._counts["evictions"] += 1

    def _remove(self, key):
        item = self._items.pop(key, None)
        if item is not None:
            self._size -= item_size(key, int(item.flags), len(item.value))

    def _expiry(self, ttl):
        if ttl == 0:
            return None
        if ttl < 0:
            return 0.0
        return float(ttl) if ttl > MONTH else self._clock.now() + ttl


COMMANDS = {
    **dict.fromkeys((b"set", b"add", b"replace", b"append", b"prepend", b"cas"), Cache.store),
    **dict.fromkeys((b"incr", b"decr"), Cache.change),
    **dict.fromkeys((b"get", b"gets"), Cache.get),
    **dict.fromkeys((b"gat", b"gats"), Cache.get_and_touch),
    b"touch": Cache.touch,
    b"delete": Cache.delete,
    b"flush_all": Cache.flush_all,
    b"stats": Cache.stats,
    b"version": Cache.version,
    b"verbosity": Cache.verbosity,
    b"cache_memlimit": Cache.limit_memory,
}
