# Optimistic: read and add without the lock; under the lock, write only if nobody changed the value, else try again.
import threading


class Counters:
    def __init__(self, data):
        self._data = data
        self._commit = threading.Lock()

    def _swap(self, key, old, new):
        with self._commit:
            if self._data.get(key) != old:
                return False
            self._data[key] = new
            return True

    def incr(self, key, by=1):
        while True:
            old = self._data.get(key)
            number = (0 if old is None else int(old)) + by
            if self._swap(key, old, str(number)):
                return number
