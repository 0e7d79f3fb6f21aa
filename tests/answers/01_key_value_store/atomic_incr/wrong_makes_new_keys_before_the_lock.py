# caught by: eight calls return 1 to 8, each once
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        if key not in self.data:
            self.data[key] = "0"
        with self.lock:
            count = int(self.data[key]) + by
            self.data[key] = str(count)
            return count
