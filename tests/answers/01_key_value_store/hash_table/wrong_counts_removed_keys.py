# caught by: keys that come and go do not double the buckets
GRAVE = object()


class HashTable:
    def __init__(self, hash_key):
        self.hash_key = hash_key
        self.slots = [None] * 8
        self.live = 0
        self.filled = 0

    def __len__(self):
        return self.live

    @property
    def capacity(self):
        return len(self.slots)

    def seek(self, key):
        i = self.hash_key(key) % len(self.slots)
        while self.slots[i] is not None:
            if self.slots[i] is not GRAVE and self.slots[i][0] == key:
                return i
            i = (i + 1) % len(self.slots)
        return i

    def put(self, key, value):
        i = self.seek(key)
        if self.slots[i] is not None:
            self.slots[i] = (key, value)
            return
        self.slots[i] = (key, value)
        self.live += 1
        self.filled += 1
        if self.filled / len(self.slots) > 0.75:
            old = [s for s in self.slots if s is not None and s is not GRAVE]
            self.slots = [None] * (2 * len(self.slots))
            self.filled = len(old)
            for pair in old:
                self.slots[self.seek(pair[0])] = pair

    def get(self, key):
        slot = self.slots[self.seek(key)]
        if slot is None:
            raise KeyError(key)
        return slot[1]

    def remove(self, key):
        i = self.seek(key)
        if self.slots[i] is None:
            raise KeyError(key)
        self.slots[i] = GRAVE
        self.live -= 1
