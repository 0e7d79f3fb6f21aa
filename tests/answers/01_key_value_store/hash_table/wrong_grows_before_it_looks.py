# caught by: replacing a value never doubles the buckets
class HashTable:
    def __init__(self, hash_key):
        self.hash_key = hash_key
        self.buckets = [[] for _ in range(8)]
        self.count = 0

    def __len__(self):
        return self.count

    @property
    def capacity(self):
        return len(self.buckets)

    def bucket(self, key):
        return self.buckets[self.hash_key(key) % len(self.buckets)]

    def put(self, key, value):
        if (self.count + 1) / len(self.buckets) > 0.75:
            self.resize(2 * len(self.buckets))
        for pair in self.bucket(key):
            if pair[0] == key:
                pair[1] = value
                return
        self.bucket(key).append([key, value])
        self.count += 1

    def get(self, key):
        for pair in self.bucket(key):
            if pair[0] == key:
                return pair[1]
        raise KeyError(key)

    def remove(self, key):
        bucket = self.bucket(key)
        for place, pair in enumerate(bucket):
            if pair[0] == key:
                del bucket[place]
                self.count -= 1
                return
        raise KeyError(key)

    def resize(self, size):
        old = self.buckets
        self.buckets = [[] for _ in range(size)]
        for bucket in old:
            for key, value in bucket:
                self.bucket(key).append([key, value])
