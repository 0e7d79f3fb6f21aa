# caught by: eight calls return 1 to 8, each once
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.locks = {}

    def incr(self, key, by=1):
        if key not in self.locks:
            self.locks[key] = threading.Lock()
        with self.locks[key]:
            count = int(self.data.get(key, "0")) + by
            self.data[key] = str(count)
        return count
