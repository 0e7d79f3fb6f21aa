# caught by: a value that is not a number raises ValueError
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        with self.lock:
            old = self.data.get(key, "0")
            count = int(old) if old.isdigit() else 0
            count += by
            self.data[key] = str(count)
            return count
