# caught by: no thread is stuck after an error in another
import threading


class Counters:
    def __init__(self, data):
        self.data = data
        self.lock = threading.Lock()

    def incr(self, key, by=1):
        self.lock.acquire()
        count = int(self.data.get(key, "0")) + by
        self.data[key] = str(count)
        self.lock.release()
        return count
