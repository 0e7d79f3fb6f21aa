"""A log-structured merge tree: how Cassandra, ScyllaDB and HBase store rows without ever changing a file.

    tree = LSMTree(memtable_limit=4)
    tree.put("u1", "Ada")       # to the write-ahead log and the memtable
    tree.flush()                # the memtable becomes an immutable sorted run, an SSTable
    tree.delete("u1")           # writes a tombstone
    tree.lookup("u1")           # the value, and which runs were read to find it
    tree.compact()              # all runs become one

After O'Neil, Cheng, Gawlick, O'Neil: The log-structured merge-tree (1996); sizes and rules as Cassandra names them.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """One version of one key.

    timestamp   the later one wins, wherever it lies
    deleted_at  None for a value; for a tombstone, when it was written (seconds), so that its age is known
    """

    key: Any
    timestamp: int
    value: Any = None
    deleted_at: float | None = None

    @property
    def is_tombstone(self) -> bool:
        return self.deleted_at is not None

    def beats(self, other: "Entry | None") -> bool:
        """The later timestamp wins; of two alike, the tombstone, and then the larger value as text."""
        return other is None or self._rank > other._rank

    @property
    def _rank(self):
        return self.timestamp, self.is_tombstone, repr(self.value)


class BloomFilter:
    """Bits that say of a key "certainly not here" or "perhaps". A key that was added is never denied.

    bits_per_key   10 make about one wrong "perhaps" in 100; 0 answers "perhaps" to everything
    """

    def __init__(self, keys: Sequence, bits_per_key: int = 10):
        self.size = len(keys) * bits_per_key
        self.hashes = max(1, round(bits_per_key * 0.69))  # ln 2: what makes the fewest wrong answers
        self.bits = 0
        for key in keys:
            for place in self._places(key):
                self.bits |= 1 << place

    def might_contain(self, key) -> bool:
        return all(self.bits >> place & 1 for place in self._places(key))

    def _places(self, key) -> list[int]:
        digest = blake2b(repr(key).encode(), digest_size=16).digest()  # the same in every process, unlike hash()
        one, two = int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
        return [(one + n * two) % self.size for n in range(self.hashes)] if self.size else []


class Run:
    """A sorted run: entries in the order of their keys, one for each key, never changed. An SSTable."""

    def __init__(self, entries: Iterable[Entry], number: int, level: int = 0, bits_per_key: int = 10):
        self.entries = tuple(entries)
        self.keys = tuple(entry.key for entry in self.entries)
        self.number = number
        self.level = level
        self.newest = max(entry.timestamp for entry in self.entries)
        self.bloom = BloomFilter(self.keys, bits_per_key)

    @property
    def first(self):
        return self.keys[0]

    @property
    def last(self):
        return self.keys[-1]

    def find(self, key) -> Entry | None:
        """Binary search: the one access to the disk that a lookup in a run costs."""
        place = bisect_left(self.keys, key)
        return self.entries[place] if place < len(self) and self.keys[place] == key else None

    def overlaps(self, other: "Run") -> bool:
        """Whether the key ranges share a key, so that both may hold versions of it."""
        return self.first <= other.last and other.first <= self.last

    def __len__(self):
        return len(self.entries)

    def __repr__(self):
        return f"<Run {self.number}, level {self.level}: {len(self)} entries, {self.first!r} to {self.last!r}>"


@dataclass
class Lookup:
    """What a read found, and what it cost. The numbers are those of runs."""

    value: Any = None
    found: bool = False
    read: list[int] = field(default_factory=list)  # searched: each is an access to the disk
    out_of_range: list[int] = field(default_factory=list)  # the key lies outside their first and last
    filtered: list[int] = field(default_factory=list)  # their bloom filter said no

    @property
    def read_amplification(self) -> int:
        """Runs that were read to answer one question."""
        return len(self.read)


class Layout(NamedTuple):
    """Where every entry lies at one moment, for a picture: the memtable's in key order, then the runs, newest first."""

    memtable: tuple[Entry, ...]
    runs: tuple[Run, ...]


class SizeTiered:
    """Merge runs of similar size once there are enough: few rewrites, many runs to read (Cassandra's default).

    min_runs   how many similar runs start a compaction
    similar    sizes from 1 / similar to `similar` times their average belong together
    """

    def __init__(self, min_runs: int = 4, similar: float = 1.5):
        self.min_runs, self.similar = min_runs, similar

    def choose(self, runs: Sequence[Run]) -> tuple[list[Run], int] | None:
        """The runs to merge and the level of the result; None when nothing is to do."""
        for group in self._groups(runs):
            if len(group) >= self.min_runs:
                return group, 0
        return None

    def _groups(self, runs):
        groups: list[list[Run]] = []
        for run in sorted(runs, key=len):
            if groups and len(run) <= self.similar * sum(map(len, groups[-1])) / len(groups[-1]):
                groups[-1].append(run)
            else:
                groups.append([run])
        return groups

    def cut(self, entries: list[Entry]) -> list[list[Entry]]:
        """What becomes one run each: here, all."""
        return [entries]


class Leveled:
    """Keep the runs of a level apart, so that a key lies in at most one of each: few runs to read, many rewrites.

    run_limit   entries in a run of level 1 and above
    fanout      level n holds at most fanout ** n runs, then one moves down; level 0 takes flushes, `fanout` of them
    """

    def __init__(self, run_limit: int = 4, fanout: int = 4):
        self.run_limit, self.fanout = run_limit, fanout

    def choose(self, runs: Sequence[Run]) -> tuple[list[Run], int] | None:
        """The runs to merge and the level of the result; None when nothing is to do."""
        for level in range(max((run.level for run in runs), default=0) + 1):
            here = [run for run in runs if run.level == level]
            if len(here) >= self.fanout if level == 0 else len(here) > self.fanout**level:
                # Flushes overlap, so all of them go down; of a level whose runs do not, the oldest.
                moving = here if level == 0 else [min(here, key=lambda run: run.number)]
                below = [run for run in runs if run.level == level + 1 and any(map(run.overlaps, moving))]
                return moving + below, level + 1
        return None

    def cut(self, entries: list[Entry]) -> list[list[Entry]]:
        """What becomes one run each: `run_limit` entries."""
        return [entries[start : start + self.run_limit] for start in range(0, len(entries), self.run_limit)]


class LSMTree:
    """A key-value store on one log, one memtable and any number of sorted runs.

    memtable_limit  entries that the memtable holds before it is flushed
    compaction      SizeTiered(), Leveled(), or None: only `compact()` merges
    grace           seconds that a tombstone is kept, as gc_grace_seconds: time for replicas to hear of it
    clock           returns the time in seconds, such as `server.clock.now`
    bits_per_key    of the bloom filters; 0 for none

    log             entries that are not in a run yet, oldest first
    memtable        {key: its latest entry}
    runs            newest first
    written, rewritten   entries of the user, and entries written to runs by flushes and compactions
    """

    def __init__(
        self,
        memtable_limit: int = 4,
        compaction: SizeTiered | Leveled | None = None,
        grace: float = 864_000,
        clock: Callable[[], float] = time.time,
        bits_per_key: int = 10,
    ):
        if memtable_limit < 1:
            raise ValueError(f"memtable_limit is {memtable_limit}; a memtable holds 1 entry or more")
        self.memtable_limit = memtable_limit
        self.compaction = compaction
        self.grace = grace
        self.clock = clock
        self.bits_per_key = bits_per_key
        self.log: list[Entry] = []
        self.memtable: dict[Any, Entry] = {}
        self.runs: list[Run] = []
        self.written = 0
        self.rewritten = 0
        self._latest = 0
        self._numbers = 0

    # -- writes -----------------------------------------------------------------------------------

    def put(self, key, value, timestamp: int | None = None) -> None:
        """Store `value`. Without a timestamp (microseconds) it is later than every write before it."""
        self.apply(Entry(key, self._stamp(timestamp), value))

    def delete(self, key, timestamp: int | None = None) -> None:
        """Write a tombstone, whether or not there is such a key: looking would cost a read."""
        self.apply(Entry(key, self._stamp(timestamp), deleted_at=self.clock()))

    def apply(self, entry: Entry) -> None:
        """Take an entry as it is, such as one that another replica sends."""
        self.log.append(entry)  # before the memtable: what is acknowledged survives a crash
        self._remember(entry)
        self.written += 1
        if len(self.memtable) >= self.memtable_limit:
            self.flush()

    def flush(self) -> Run | None:
        """Write the memtable as a new run, and empty the log. Return the run, or None if there was nothing."""
        if not self.memtable:
            return None
        (run,) = self._write([sorted(self.memtable.values(), key=lambda entry: entry.key)], level=0)
        self.memtable.clear()
        self.log.clear()
        self._settle()
        return run

    def crash(self) -> None:
        """Lose what is in memory. Until `recover()`, the latest writes are missing."""
        self.memtable.clear()

    def recover(self) -> int:
        """Read the log again after a crash. Return the number of entries that it had."""
        for entry in self.log:
            self._remember(entry)
        return len(self.log)

    def _stamp(self, timestamp):
        if timestamp is None:
            timestamp = max(int(self.clock() * 1_000_000), self._latest + 1)
        self._latest = max(self._latest, timestamp)
        return timestamp

    def _remember(self, entry):
        if entry.beats(self.memtable.get(entry.key)):
            self.memtable[entry.key] = entry

    # -- reads ------------------------------------------------------------------------------------

    def get(self, key, default=None):
        """The value of `key`, or `default`."""
        answer = self.lookup(key)
        return answer.value if answer.found else default

    def lookup(self, key) -> Lookup:
        """Ask the memtable, then the runs that may hold `key`, newest first, until no later entry can come."""
        answer, winner = Lookup(), self.memtable.get(key)
        for run in self.runs:
            if winner and winner.timestamp > run.newest:
                break  # this run and all after it are older
            if not run.first <= key <= run.last:
                answer.out_of_range.append(run.number)
            elif not run.bloom.might_contain(key):
                answer.filtered.append(run.number)
            else:
                answer.read.append(run.number)
                if (entry := run.find(key)) and entry.beats(winner):
                    winner = entry
        if winner and not winner.is_tombstone:
            answer.found, answer.value = True, winner.value
        return answer

    def scan(self, start=None, stop=None) -> Iterator[tuple[Any, Any]]:
        """The keys from `start` to before `stop` (None: open) with their values, in order: every run is read."""
        for entry in _merged([*self._all_entries()]):
            if (start is None or entry.key >= start) and (stop is None or entry.key < stop) and not entry.is_tombstone:
                yield entry.key, entry.value

    def _all_entries(self):
        yield from self.memtable.values()
        for run in self.runs:
            yield from run.entries

    # -- compaction -------------------------------------------------------------------------------

    def compact(self) -> list[Run]:
        """Merge all runs (a major compaction). Return the runs there are then; the memtable is not touched."""
        if self.runs:
            self.merge(list(self.runs), max(run.level for run in self.runs))
            self._settle()
        return list(self.runs)

    def merge(self, runs: Sequence[Run], level: int = 0) -> list[Run]:
        """Replace `runs` by new ones of `level` that hold the latest entry of each key. Return the new runs.

        A tombstone is dropped when its grace is over and nothing older can lie elsewhere that it must hide.
        """
        others = [run for run in self.runs if run not in runs]
        kept = [entry for entry in _merged(entry for run in runs for entry in run.entries) if not self._is_over(entry, others)]
        self.runs = others
        return self._write(self.compaction.cut(kept) if self.compaction else [kept], level)

    def _settle(self):
        while self.compaction and (choice := self.compaction.choose(self.runs)):
            self.merge(*choice)

    def _is_over(self, entry, others):
        if not entry.is_tombstone or self.clock() < entry.deleted_at + self.grace or entry.key in self.memtable:
            return False
        return not any(run.first <= entry.key <= run.last and run.bloom.might_contain(entry.key) for run in others)

    def _write(self, cuts, level):
        written = []
        for entries in filter(None, cuts):
            self._numbers += 1
            written.append(Run(entries, self._numbers, level, self.bits_per_key))
            self.rewritten += len(entries)
        self.runs = sorted(self.runs + written, key=lambda run: (run.newest, run.number), reverse=True)
        return written

    # -- what it costs ----------------------------------------------------------------------------

    @property
    def write_amplification(self) -> float:
        """Entries written to runs for each entry that the user wrote; the log is not counted."""
        return self.rewritten / self.written if self.written else 0.0

    @property
    def space_amplification(self) -> float:
        """Entries stored (values, old values, tombstones) for each key that a reader sees."""
        seen = sum(1 for _ in self.scan())
        return sum(1 for _ in self._all_entries()) / seen if seen else 0.0

    def layout(self) -> Layout:
        """Where everything lies now. Runs never change, so this stays true of this moment."""
        return Layout(tuple(sorted(self.memtable.values(), key=lambda entry: entry.key)), tuple(self.runs))


def _merged(entries: Iterable[Entry]) -> list[Entry]:
    """The latest entry of each key, in key order."""
    latest: dict[Any, Entry] = {}
    for entry in entries:
        if entry.beats(latest.get(entry.key)):
            latest[entry.key] = entry
    return sorted(latest.values(), key=lambda entry: entry.key)
