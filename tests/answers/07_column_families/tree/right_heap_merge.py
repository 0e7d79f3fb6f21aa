import heapq
from itertools import groupby


class Tree:
    def __init__(self, limit, grace, clock):
        self.limit, self.grace, self.clock = limit, grace, clock
        self.memtable, self.runs = {}, []

    def put(self, key, value):
        self._write(key, value)

    def delete(self, key):
        self._write(key, None)

    def _write(self, key, value):
        self.memtable[key] = key, value, self.clock()
        if len(self.memtable) >= self.limit:
            self.flush()

    def flush(self):
        if run := [self.memtable.pop(key) for key in sorted(self.memtable)]:
            self.runs.append(run)

    def get(self, key):
        return dict(self.scan(key, key + chr(0))).get(key)

    def scan(self, start, end):
        memory = [self.memtable[key] for key in sorted(self.memtable)]
        return [(key, value) for key, value, _ in self._merge([*self.runs, memory]) if value is not None and start <= key < end]

    def compact(self, first, last):
        old_keys = set()
        for run in self.runs[:first]:
            old_keys.update(key for key, *_ in run)
        run = []
        for entry in self._merge(self.runs[first:last]):
            key, value, written = entry
            if value is not None or key in old_keys or written + self.grace >= self.clock():
                run.append(entry)
        del self.runs[first:last]
        if run:
            self.runs.insert(first, run)

    def _merge(self, runs):
        """One entry a key; of several the one from the last run."""
        numbered = [[(entry[0], -number, entry) for entry in run] for number, run in enumerate(runs)]
        for _, same in groupby(heapq.merge(*numbered, key=lambda item: item[:2]), key=lambda item: item[0]):
            yield next(same)[2]
