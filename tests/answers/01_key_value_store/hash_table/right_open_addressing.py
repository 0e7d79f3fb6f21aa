EMPTY, REMOVED = object(), object()


class HashTable:
    """Linear probing: a key that finds its place taken goes to the next free one."""

    def __init__(self, hash_key):
        self.hash_key = hash_key
        self.count = 0
        self.used = 0                     # places that are not EMPTY: a search must walk over removed ones too
        self.places = [EMPTY] * 8

    def __len__(self):
        return self.count

    @property
    def capacity(self):
        return len(self.places)

    def put(self, key, value):
        place = self.search(key)
        if self.places[place] is not EMPTY:
            self.places[place] = (key, value)
            return
        self.places[place] = (key, value)
        self.count += 1
        self.used += 1
        if self.count > 0.75 * self.capacity:
            self.rebuild(2 * self.capacity)
        elif self.used > 0.9 * self.capacity:
            self.rebuild(self.capacity)

    def get(self, key):
        found = self.places[self.search(key)]
        if found is EMPTY:
            raise KeyError(key)
        return found[1]

    def remove(self, key):
        place = self.search(key)
        if self.places[place] is EMPTY:
            raise KeyError(key)
        self.places[place] = REMOVED
        self.count -= 1

    def search(self, key):
        """The place of the key, or the first empty place after where it should be."""
        place = self.hash_key(key) % self.capacity
        while self.places[place] is not EMPTY:
            if self.places[place] is not REMOVED and self.places[place][0] == key:
                return place
            place = (place + 1) % self.capacity
        return place

    def rebuild(self, capacity):
        pairs = [pair for pair in self.places if pair is not EMPTY and pair is not REMOVED]
        self.places = [EMPTY] * capacity
        self.used = len(pairs)
        for key, value in pairs:
            self.places[self.search(key)] = (key, value)
