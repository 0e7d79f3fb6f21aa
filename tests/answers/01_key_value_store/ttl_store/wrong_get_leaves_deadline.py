# caught by: an expired key that get has removed is not counted by sweep
class TTLStore:
    def __init__(self, clock):
        self.clock = clock
        self.data = {}
        self.deadlines = {}

    def __len__(self):
        return len(self.data)

    def expired(self, key):
        return key in self.deadlines and self.clock() > self.deadlines[key]

    def set(self, key, value, ttl=None):
        if ttl is not None and ttl <= 0:
            raise ValueError("ttl must be greater than zero")
        self.deadlines.pop(key, None)
        self.data[key] = value
        if ttl is not None:
            self.deadlines[key] = self.clock() + ttl

    def get(self, key):
        if self.expired(key):
            self.data.pop(key, None)
        return self.data.get(key)

    def ttl(self, key):
        if key not in self.data or self.expired(key):
            return -2
        if key not in self.deadlines:
            return -1
        return self.deadlines[key] - self.clock()

    def delete(self, key):
        there = key in self.data and not self.expired(key)
        self.data.pop(key, None)
        self.deadlines.pop(key, None)
        return there

    def sweep(self):
        dead = [key for key in self.deadlines if self.expired(key)]
        for key in dead:
            self.delete(key)
        return len(dead)
