# caught by: keys with the same hash keep their own values
class HashTable:
    def __init__(self, hash_key):
        self.hash_key = hash_key
        self.values = [None] * 8
        self.count = 0

    def __len__(self):
        return self.count

    @property
    def capacity(self):
        return len(self.values)

    def put(self, key, value):
        place = self.hash_key(key) % len(self.values)
        if self.values[place] is None:
            self.count += 1
        self.values[place] = value

    def get(self, key):
        value = self.values[self.hash_key(key) % len(self.values)]
        if value is None:
            raise KeyError(key)
        return value

    def remove(self, key):
        self.get(key)
        self.values[self.hash_key(key) % len(self.values)] = None
        self.count -= 1
