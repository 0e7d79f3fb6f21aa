# caught by: sweep removes the expired keys and says how many
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
        removed = 0
        for key in self.data:
            if self.dead(key):
                del self.data[key]
                removed += 1
        return removed
