# A dict from the full number to parallel lists: Python's dict does the hashing of the (whole) number, capacity is bookkeeping.
class HashTable:
    def __init__(self, hash_key):
        self.hash_key, self.capacity_, self.size = hash_key, 8, 0
        self.groups = {}

    def __len__(self):
        return self.size

    @property
    def capacity(self):
        return self.capacity_

    def put(self, key, value):
        keys, values = self.groups.setdefault(self.hash_key(key), ([], []))
        try:
            values[keys.index(key)] = value
        except ValueError:
            keys.append(key)
            values.append(value)
            self.size += 1
            if self.size / self.capacity_ > 0.75:
                self.capacity_ *= 2

    def get(self, key):
        keys, values = self.groups.get(self.hash_key(key), ([], []))
        try:
            return values[keys.index(key)]
        except ValueError:
            raise KeyError(key) from None

    def remove(self, key):
        keys, values = self.groups.get(self.hash_key(key), ([], []))
        try:
            at = keys.index(key)
        except ValueError:
            raise KeyError(key) from None
        del keys[at], values[at]
        self.size -= 1
