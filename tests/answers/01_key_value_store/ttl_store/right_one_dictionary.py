class TTLStore:
    def __init__(self, clock):
        self.clock = clock
        self.data = {}          # key → (value, deadline or None)

    def __len__(self):
        return len(self.data)

    def dead(self, key):
        deadline = self.data[key][1]
        return deadline is not None and self.clock() >= deadline

    def set(self, key, value, ttl=None):
        if ttl is None:
            self.data[key] = (value, None)
        elif ttl > 0:
            self.data[key] = (value, self.clock() + ttl)
        else:
            raise ValueError(ttl)

    def get(self, key):
        if key not in self.data:
            return None
        if self.dead(key):
            del self.data[key]
            return None
        return self.data[key][0]

    def ttl(self, key):
        if key not in self.data or self.dead(key):
            return -2
        deadline = self.data[key][1]
        return -1 if deadline is None else deadline - self.clock()

    def delete(self, key):
        if key not in self.data:
            return False
        dead = self.dead(key)
        del self.data[key]
        return not dead

    def sweep(self):
        before = len(self.data)
        self.data = {key: pair for key, pair in self.data.items() if not self.dead(key)}
        return before - len(self.data)
