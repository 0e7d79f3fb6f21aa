# caught by: false values are values
import heapq


class TTLStore:
    """Deadlines in a heap, so that a sweep looks only at keys that may have expired."""

    def __init__(self, clock):
        self.clock = clock
        self.values, self.deadlines, self.heap = {}, {}, []

    def __len__(self):
        return len(self.values)

    def set(self, key, value, ttl=None):
        if ttl is not None and not ttl > 0:
            raise ValueError("ttl must be greater than zero")
        self.values[key] = value
        self.deadlines.pop(key, None)
        if ttl is not None:
            self.deadlines[key] = self.clock() + ttl
            heapq.heappush(self.heap, (self.deadlines[key], key))

    def get(self, key):
        if self.ttl(key) == -2:
            self.drop(key)
            return None
        return self.values[key] or None

    def ttl(self, key):
        if key not in self.values:
            return -2
        if key not in self.deadlines:
            return -1
        left = self.deadlines[key] - self.clock()
        return left if left > 0 else -2

    def delete(self, key):
        alive = self.ttl(key) != -2
        self.drop(key)
        return alive

    def sweep(self):
        removed = 0
        while self.heap and self.heap[0][0] < self.clock():
            deadline, key = heapq.heappop(self.heap)
            if self.deadlines.get(key) == deadline:      # else it was set again, or is gone
                self.drop(key)
                removed += 1
        return removed

    def drop(self, key):
        self.values.pop(key, None)
        self.deadlines.pop(key, None)
