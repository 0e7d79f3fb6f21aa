# caught by: a tombstone that hides something in an older run stays
class Tree:
    """A log-structured merge tree of texts.

    limit  keys that the memtable holds before it becomes a run
    grace  seconds that a tombstone is kept at least
    clock  a function that returns the time in seconds
    """

    def __init__(self, limit, grace, clock):
        self.limit, self.grace, self.clock = limit, grace, clock
        self.memtable = {}   # key → entry
        self.runs = []

    def put(self, key, value):
        """Write a value."""
        self.memtable[key] = (key, value, self.clock())
        if len(self.memtable) >= self.limit:
            self.flush()

    def delete(self, key):
        """Write a tombstone."""
        self.put(key, None)

    def flush(self):
        """Turn the memtable into the newest run, unless it is empty."""
        if self.memtable:
            self.runs.append(sorted(self.memtable.values()))
            self.memtable = {}

    def get(self, key):
        """The value written last, or None if there is none or it was deleted."""
        if key in self.memtable:
            return self.memtable[key][1]
        for run in reversed(self.runs):
            at = bisect_left(run, (key,))
            if at < len(run) and run[at][0] == key:
                return run[at][1]
        return None

    def scan(self, start, end):
        """The list of (key, value) with start <= key < end, by key, without what was deleted."""
        newest = _newest(*self.runs, self.memtable.values())
        return [(key, value) for key, value, _ in newest if value is not None and start <= key < end]

    def compact(self, first, last):
        """Merge runs[first:last] into one run, without the tombstones that nobody needs any more."""
        hidden_before = {key for run in self.runs[:first] + self.runs[last:] for key, _, _ in run}
        forget = self.clock() - self.grace     # a tombstone may go if it was written before this
        kept = [(key, value, written) for key, value, written in _newest(*self.runs[first:last])
                if value is not None or written >= forget or key in hidden_before]
        self.runs[first:last] = [kept] if kept else []


def _newest(*runs):
    """The newest entry of each key, by key. `runs` are given from the oldest to the newest."""
    return sorted({entry[0]: entry for run in runs for entry in run}.values())
