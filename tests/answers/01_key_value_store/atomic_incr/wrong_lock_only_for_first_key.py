# caught by: eight calls return 1 to 8, each once
import threading


class Counters:
    """Locks while the counter exists, and forgets that creating one is a race too."""

    def __init__(self, data):
        self.data = data
        self.locks = {key: threading.Lock() for key in data}

    def incr(self, key, by=1):
        if key not in self.locks:
            self.data[key] = str(int(self.data.get(key, "0")) + by)
            return int(self.data[key])
        with self.locks[key]:
            count = int(self.data[key]) + by
            self.data[key] = str(count)
            return count
