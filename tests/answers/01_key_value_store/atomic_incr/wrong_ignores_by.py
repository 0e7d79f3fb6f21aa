# caught by: a key that is not there counts as 0
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        with self.lock:
            count = int(self.data[key]) if key in self.data else 0
            count += 1
            self.data[key] = str(count)
            return count
