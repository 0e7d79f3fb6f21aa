# caught by: eight threads count eight views, wherever one is held up
class Counters:
    def __init__(self, data):
        self.data = data

    def incr(self, key, by=1):
        count = int(self.data.get(key, "0")) + by
        self.data[key] = str(count)
        return count
