class Tree:
    def __init__(self, limit, grace, clock):
        self.limit = limit
        self.grace = grace
        self.clock = clock
        self.memory = []    # entries in the order of the writes, one for each key
        self.runs = []

    def put(self, key, value):
        self.memory = [entry for entry in self.memory if entry[0] != key]
        self.memory.append((key, value, self.clock()))
        if len(self.memory) == self.limit:
            self.flush()

    def delete(self, key):
        self.put(key, None)

    def flush(self):
        run, self.memory = sorted(self.memory, key=lambda entry: entry[0]), []
        if run:
            self.runs += [run]

    def get(self, key):
        for place in [self.memory, *self.runs[::-1]]:
            for name, value, _ in place:
                if name == key:
                    return value

    def scan(self, start, end):
        keys = {entry[0] for place in [self.memory, *self.runs] for entry in place if start <= entry[0] < end}
        found = [(key, self.get(key)) for key in sorted(keys)]
        return [pair for pair in found if pair[1] is not None]

    def compact(self, first, last):
        merged = []
        for run in reversed(self.runs[first:last]):
            seen = {entry[0] for entry in merged}
            merged += [entry for entry in run if entry[0] not in seen]
        merged.sort(key=lambda entry: entry[0])
        kept = []
        for key, value, written in merged:
            old = self.clock() - written > self.grace
            shadows = any(entry[0] == key for run in self.runs[:first] for entry in run)
            if value is None and old and not shadows:
                continue
            kept.append((key, value, written))
        if first < last:
            self.runs = self.runs[:first] + ([kept] if kept else []) + self.runs[last:]
