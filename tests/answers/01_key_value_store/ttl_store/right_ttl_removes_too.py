# One dict of (value, deadline); no deadline is infinity; at the deadline itself a key is gone; the clock is read once a call; ttl() also removes.
from math import inf


class TTLStore:
    def __init__(self, clock):
        self.clock = clock
        self.entries = {}

    def __len__(self):
        return len(self.entries)

    def set(self, key, value, ttl=None):
        if ttl is None:
            deadline = inf
        elif ttl > 0:
            deadline = self.clock() + ttl
        else:
            raise ValueError(f"ttl must be greater than zero, not {ttl}")
        self.entries[key] = value, deadline

    def _alive(self, key):
        """(value, seconds left), or None; a dead entry is dropped."""
        if key not in self.entries:
            return None
        value, deadline = self.entries[key]
        left = deadline - self.clock()
        if left <= 0:
            del self.entries[key]
            return None
        return value, left

    def get(self, key):
        entry = self._alive(key)
        return None if entry is None else entry[0]

    def ttl(self, key):
        entry = self._alive(key)
        if entry is None:
            return -2
        return -1 if entry[1] == inf else entry[1]

    def delete(self, key):
        there = self._alive(key) is not None
        self.entries.pop(key, None)
        return there

    def sweep(self):
        now, before = self.clock(), len(self.entries)
        self.entries = {k: e for k, e in self.entries.items() if e[1] > now}
        return before - len(self.entries)
