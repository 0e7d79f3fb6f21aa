# caught by: a key that is written again has the later time
class Tree:
    def __init__(self, limit, grace, clock):
        self.limit, self.grace, self.clock = limit, grace, clock
        self.memtable, self.runs = {}, []

    def _write(self, key, value):
        when = self.memtable[key][2] if key in self.memtable else self.clock()
        self.memtable[key] = (key, value, when)
        if len(self.memtable) >= self.limit:
            self.flush()

    def put(self, key, value):
        self._write(key, value)

    def delete(self, key):
        self._write(key, None)

    def flush(self):
        if self.memtable:
            self.runs.append(sorted(self.memtable.values()))
            self.memtable = {}

    def _merged(self, runs):
        newest = {}
        for run in runs:
            for entry in run:
                newest[entry[0]] = entry
        return newest

    def get(self, key):
        entry = self._merged([*self.runs, self.memtable.values()]).get(key)
        return entry[1] if entry else None

    def scan(self, start, end):
        entries = self._merged([*self.runs, self.memtable.values()])
        return [(key, entries[key][1]) for key in sorted(entries) if start <= key < end and entries[key][1] is not None]

    def compact(self, first, last):
        older = {entry[0] for run in self.runs[:first] for entry in run}
        now = self.clock()
        run = [entry for key, entry in sorted(self._merged(self.runs[first:last]).items())
               if entry[1] is not None or key in older or now - entry[2] <= self.grace]
        self.runs[first:last] = [run] if run else []
