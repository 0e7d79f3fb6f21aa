# caught by: 4.5 is not a whole number
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        with self.lock:
            count = int(float(self.data.get(key, "0"))) + by
            self.data[key] = str(count)
            return count
