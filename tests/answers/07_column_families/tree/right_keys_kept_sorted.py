# bisect and heapq
class Tree:
    def __init__(self, limit, grace, clock):
        self.limit, self.grace, self.clock, self.keys, self.table, self.runs = limit, grace, clock, [], {}, []

    def put(self, key, value):
        if key not in self.table:
            from bisect import insort
            insort(self.keys, key)
        self.table[key] = (value, self.clock())
        if len(self.keys) == self.limit:
            self.flush()

    def delete(self, key):
        self.put(key, None)

    def _memory(self):
        return [(key, *self.table[key]) for key in self.keys]

    def flush(self):
        run, self.keys, self.table = self._memory(), [], {}
        self.runs += [run] if run else []

    @staticmethod
    def _find(run, key):
        at = bisect_left(run, key, key=lambda entry: entry[0])
        return run[at] if at < len(run) and run[at][0] == key else None

    def get(self, key):
        for run in [self._memory()] + self.runs[::-1]:
            entry = self._find(run, key)
            if entry is not None:
                return entry[1]
        return None

    @staticmethod
    def _merge(runs):
        """newest last in runs"""
        numbered = [[(entry[0], -age, entry) for entry in run] for age, run in enumerate(runs)]
        last = None
        for key, _, entry in heapq.merge(*numbered, key=lambda item: item[:2]):
            if key != last:
                yield entry
            last = key

    def scan(self, start, end):
        return [(k, v) for k, v, _ in self._merge(self.runs + [self._memory()]) if v is not None and start <= k < end]

    def compact(self, first, last):
        if first == last:
            return
        now = self.clock()
        merged = [e for e in self._merge(self.runs[first:last])
                  if not (e[1] is None and e[2] < now - self.grace and not any(self._find(r, e[0]) for r in self.runs[:first]))]
        self.runs = self.runs[:first] + ([merged] if merged else []) + self.runs[last:]
