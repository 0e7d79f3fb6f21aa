"""Caches that are full: which key leaves when another comes?

    requests = zipf_requests(n_keys=1000, n_requests=20_000, skew=1.0)
    replay(LRU, requests, capacity=100)         # hit ratio of one policy
    replay(optimal, requests, capacity=100)     # what no policy can beat

A model keeps keys only. It hears `request(key)` and answers whether the key was there.
"""

import random
from bisect import bisect_right
from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import accumulate


class Cache:
    """A set of at most `capacity` keys. A policy says what it notes at a hit and at a store, and which
    key leaves.

    hits, misses  how the requests were answered so far
    """

    def __init__(self, capacity: int):
        if capacity < 0:
            raise ValueError(f"capacity is {capacity}; a cache holds 0 keys or more")
        self.capacity = capacity
        self.hits = 0
        self.misses = 0

    def request(self, key: Hashable) -> bool:
        """Ask for `key`: True for a hit. A miss stores the key, and evicts another if the cache is full."""
        if key in self:
            self.hits += 1
            self.note_hit(key)
            return True
        self.misses += 1
        if self.capacity:
            if len(self) >= self.capacity:
                self.evict()
            self.store(key)
        return False

    @property
    def hit_ratio(self) -> float:
        """Hits per request, from 0 to 1; 0 before the first request."""
        requests = self.hits + self.misses
        return self.hits / requests if requests else 0.0

    def __contains__(self, key: Hashable) -> bool:
        raise NotImplementedError("a policy says where it keeps its keys")

    def __len__(self) -> int:
        raise NotImplementedError("a policy says where it keeps its keys")

    def note_hit(self, key: Hashable) -> None:
        """Remember that `key` was asked for. Some policies do not care."""

    def store(self, key: Hashable) -> None:
        raise NotImplementedError("a policy says where it keeps its keys")

    def evict(self) -> Hashable:
        """Drop one key and return it."""
        raise NotImplementedError("a policy says which key leaves")


class _Queue(Cache):
    """Keys in a row, the next to leave in front."""

    def __init__(self, capacity: int):
        super().__init__(capacity)
        self.row: OrderedDict = OrderedDict()

    def __contains__(self, key):
        return key in self.row

    def __len__(self):
        return len(self.row)

    def store(self, key):
        self.row[key] = None

    def evict(self):
        return self.row.popitem(last=False)[0]


class FIFO(_Queue):
    """First in, first out: the key that was stored longest ago leaves, however popular it is."""


class LRU(_Queue):
    """The least recently used key leaves: a hit sends a key to the back of the row."""

    def note_hit(self, key):
        self.row.move_to_end(key)


class LFU(Cache):
    """The least frequently used key leaves; of several, the one used longest ago. Counts start anew at a
    store."""

    def __init__(self, capacity: int):
        super().__init__(capacity)
        self.uses: dict[Hashable, int] = {}
        self.rows: dict[int, OrderedDict] = defaultdict(OrderedDict)  # count: its keys in order of use

    def __contains__(self, key):
        return key in self.uses

    def __len__(self):
        return len(self.uses)

    def note_hit(self, key):
        self._leave_row(key)
        self.uses[key] += 1
        self.rows[self.uses[key]][key] = None

    def store(self, key):
        self.uses[key] = 1
        self.rows[1][key] = None

    def evict(self):
        key = next(iter(self.rows[min(self.rows)]))
        self._leave_row(key)
        del self.uses[key]
        return key

    def _leave_row(self, key):
        row = self.rows[self.uses[key]]
        del row[key]
        if not row:
            del self.rows[self.uses[key]]


class Random(Cache):
    """Any key leaves. It needs no memory of what was used, and loses less than one expects."""

    def __init__(self, capacity: int, seed: int = 7):
        super().__init__(capacity)
        self.keys: list = []  # to draw from
        self.held: set = set()  # the same keys, to look up
        self._random = random.Random(seed).random

    def __contains__(self, key):
        return key in self.held

    def __len__(self):
        return len(self.keys)

    def store(self, key):
        self.keys.append(key)
        self.held.add(key)

    def evict(self):
        place = int(self._random() * len(self.keys))
        self.keys[place], self.keys[-1] = self.keys[-1], self.keys[place]  # leaving from the end moves nobody else
        key = self.keys.pop()
        self.held.remove(key)
        return key


class TTL(LRU):
    """An LRU cache whose keys also expire `ttl` requests after they were stored. A hit does not prolong a
    key."""

    def __init__(self, capacity: int, ttl: int = 1000):
        super().__init__(capacity)
        self.ttl = ttl
        self.now = 0  # the clock of this model ticks once for each request
        self.stored: deque = deque()  # (moment, key) in the order of storing, so in the order of expiring

    def request(self, key):
        self.now += 1
        while self.stored and self.stored[0][0] <= self.now - self.ttl:
            self._forget(self.stored.popleft())
        return super().request(key)

    def store(self, key):
        self.row[key] = self.now
        self.stored.append((self.now, key))

    def _forget(self, entry):
        moment, key = entry
        if self.row.get(key) == moment:  # else it was evicted earlier, and perhaps stored again since
            del self.row[key]


def replay(policy, requests: Sequence[Hashable], capacity: int) -> float:
    """The hit ratio (0 to 1) of a fresh cache of `policy` after all `requests`.

    policy    a class of this module, or any function of capacity that returns an object with `request(key)`
              and `hit_ratio`, such as `lambda capacity: TTL(capacity, ttl=50)`; or `optimal`
    """
    if policy is optimal:
        return optimal(requests, capacity)
    cache = policy(capacity)
    for key in requests:
        cache.request(key)
    return cache.hit_ratio


def optimal(requests: Sequence[Hashable], capacity: int) -> float:
    """The best hit ratio there can be: evict the key that is needed again last (Belady, 1966).

    No cache can do it, because it takes knowing the future; it tells how much a cleverer policy could
    still win.
    """
    if not requests or not capacity:
        return 0.0
    next_use = _next_uses(requests)
    cached: set[Hashable] = set()
    farthest: list[tuple[int, int]] = []  # heap of (-next use of a key, position where it was asked for)
    hits = 0
    for position, key in enumerate(requests):
        if key in cached:
            hits += 1
        elif len(cached) >= capacity:
            # Entries of earlier requests for a key stay in the heap, but their next use has passed: they come last.
            _, asked_at = heappop(farthest)
            cached.remove(requests[asked_at])
        cached.add(key)
        heappush(farthest, (-next_use[position], position))
    return hits / len(requests)


def _next_uses(requests: Sequence[Hashable]) -> list[int]:
    """For each request, the position at which its key is asked for again; `len(requests)` if never."""
    upcoming: dict[Hashable, int] = {}
    next_uses = []
    for position in reversed(range(len(requests))):
        next_uses.append(upcoming.get(requests[position], len(requests)))
        upcoming[requests[position]] = position
    return next_uses[::-1]


def zipf_requests(n_keys: int, n_requests: int, skew: float = 1.0, seed: int = 7) -> list[int]:
    """Requests for the keys 0 to n_keys - 1, where key k is asked for in proportion to 1 / (k + 1) ** skew.

    skew 0 asks for all keys alike; about 1 is what web caches see; the larger, the more a few keys get.
    """
    if n_keys < 1:
        raise ValueError(f"n_keys is {n_keys}; there must be a key to ask for")
    ends = list(accumulate((k + 1) ** -skew for k in range(n_keys)))
    roll = random.Random(seed).random
    return [min(bisect_right(ends, roll() * ends[-1]), n_keys - 1) for _ in range(n_requests)]


def hit_ratios(policies: Iterable, requests: Sequence[Hashable], capacities: Iterable[int]) -> dict:
    """Replay each policy at each capacity: {"LRU": [a hit ratio for each capacity], ...}."""
    capacities = list(capacities)
    return {policy.__name__: [replay(policy, requests, c) for c in capacities] for policy in policies}
