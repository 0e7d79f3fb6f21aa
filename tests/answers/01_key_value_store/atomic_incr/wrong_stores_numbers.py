# caught by: the store holds text
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        with self.lock:
            count = int(self.data[key]) if key in self.data else 0
            count += by
            self.data[key] = count
            return count
