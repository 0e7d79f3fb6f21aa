import threading
from collections import defaultdict


class Counters:
    """Threads wait for each other only when they count the same key."""

    def __init__(self, data):
        self.data = data
        self.door = threading.Lock()
        self.locks = defaultdict(threading.Lock)

    def incr(self, key, by=1):
        with self.door:
            lock = self.locks[key]
        with lock:
            count = int(self.data.get(key, 0)) + by
            self.data[key] = str(count)
        return count
