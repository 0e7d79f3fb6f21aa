# caught by: eight threads count eight views, wherever one is held up
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        count = int(self.data.get(key, "0")) + by
        with self.lock:
            self.data[key] = str(count)
        return count
