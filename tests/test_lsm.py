"""The log-structured merge tree is a dict, whatever it does to its files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from course.simulate.lsm import BloomFilter, Entry, Leveled, LSMTree, SizeTiered

KEYS = st.integers(0, 12)
COMPACTIONS = {"none": lambda: None, "size-tiered": lambda: SizeTiered(min_runs=3), "leveled": lambda: Leveled(run_limit=2, fanout=2)}


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


class AsADict(RuleBasedStateMachine):
    """Any sequence of steps, with a clock that sometimes passes the grace of tombstones."""

    compaction = "none"

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.tree = LSMTree(memtable_limit=3, compaction=COMPACTIONS[self.compaction](), grace=10, clock=self.clock)
        self.dict = {}

    @rule(key=KEYS, value=st.integers())
    def put(self, key, value):
        self.tree.put(key, value)
        self.dict[key] = value

    @rule(key=KEYS)
    def delete(self, key):
        self.tree.delete(key)
        self.dict.pop(key, None)

    @rule()
    def flush(self):
        self.tree.flush()
        assert not self.tree.memtable and not self.tree.log

    @rule()
    def compact(self):
        self.tree.compact()

    @rule(data=st.data())
    def merge_some(self, data):
        some = data.draw(st.sets(st.sampled_from(range(len(self.tree.runs))))) if self.tree.runs else ()
        self.tree.merge([self.tree.runs[place] for place in some])

    @rule(seconds=st.sampled_from([1, 9, 10]))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule()
    def crash_and_recover(self):
        self.tree.crash()
        self.tree.recover()

    @invariant()
    def reads_as_the_dict(self):
        assert dict(self.tree.scan()) == self.dict and [key for key, _ in self.tree.scan()] == sorted(self.dict)
        for key in range(13):
            answer = self.tree.lookup(key)
            assert (answer.found, answer.value) == (key in self.dict, self.dict.get(key))
            asked = answer.read + answer.out_of_range + answer.filtered
            assert len(asked) == len(set(asked)) <= len(self.tree.runs)

    @invariant()
    def runs_are_sorted_and_newest_first(self):
        for run in self.tree.runs:
            assert list(run.keys) == sorted(set(run.keys)) and len(run) > 0
        newest = [run.newest for run in self.tree.runs]
        assert newest == sorted(newest, reverse=True)


class AsADictSizeTiered(AsADict):
    compaction = "size-tiered"


class AsADictLeveled(AsADict):
    compaction = "leveled"
    merge_some = None  # merging across levels by hand would put overlapping runs on one

    @invariant()
    def a_key_lies_in_one_run_of_a_level(self):
        for level in {run.level for run in self.tree.runs} - {0}:
            keys = [key for run in self.tree.runs if run.level == level for key in run.keys]
            assert len(keys) == len(set(keys))
            assert sum(run.level == level for run in self.tree.runs) <= 2**level


TestAsADict = AsADict.TestCase
TestAsADictSizeTiered = AsADictSizeTiered.TestCase
TestAsADictLeveled = AsADictLeveled.TestCase


@given(st.permutations(range(6)), st.data())
def test_the_latest_timestamp_wins_in_whatever_order_writes_arrive(order, data):
    tree = LSMTree(memtable_limit=2, clock=Clock())
    for timestamp in order:
        if timestamp == 3:
            tree.delete("k", timestamp)
        else:
            tree.put("k", timestamp, timestamp)
        if data.draw(st.booleans()):
            tree.flush()
        if data.draw(st.booleans()):
            tree.compact()
    assert tree.get("k") == 5
    tree.delete("k", 5)
    assert not tree.lookup("k").found  # of two alike, the tombstone


def test_reads_stop_at_the_newest_run_that_has_the_key():
    tree = LSMTree(memtable_limit=10, clock=Clock(), bits_per_key=0)
    for round_ in range(3):
        for key in "adz" if round_ < 2 else "az":
            tree.put(key, round_)
        tree.flush()
    assert [run.number for run in tree.runs] == [3, 2, 1]
    assert tree.lookup("a").read == [3]
    assert tree.lookup("d").read == [3, 2]  # run 3 covers "d" and does not have it
    assert tree.lookup("q").read == [3, 2, 1] and not tree.lookup("q").found
    assert tree.lookup("zz").out_of_range == [3, 2, 1] and tree.lookup("zz").read_amplification == 0


def test_a_bloom_filter_spares_reads_of_absent_keys():
    tree = LSMTree(memtable_limit=100, clock=Clock())
    for key in range(0, 2000, 2):
        tree.put(key, key)
    assert len(tree.runs) == 10
    for key in range(0, 2000, 2):
        assert tree.lookup(key).found
    tree.compact()
    absent = [tree.lookup(key) for key in range(1, 1999, 2)]
    assert not any(answer.found for answer in absent)
    assert sum(map(len, (answer.read for answer in absent))) < 40  # about 1 in 100 is a wrong "perhaps"


@given(st.lists(st.text(), min_size=1), st.integers(0, 12))
def test_a_bloom_filter_never_denies_a_key(keys, bits):
    assert all(map(BloomFilter(keys, bits).might_contain, keys))


def test_a_tombstone_is_dropped_after_its_grace_and_not_before():
    clock = Clock()
    tree = LSMTree(memtable_limit=10, grace=60, clock=clock)
    tree.put("a", 1)
    tree.delete("a")
    tree.flush()
    clock.now += 59.999
    tree.compact()
    assert [entry.is_tombstone for run in tree.runs for entry in run.entries] == [True]
    clock.now += 0.001
    assert tree.compact() == []


def test_a_tombstone_stays_while_an_older_run_has_what_it_hides():
    clock = Clock()
    tree = LSMTree(memtable_limit=10, grace=0, clock=clock)
    tree.put("a", 1)
    old = tree.flush()
    tree.delete("a")
    new = tree.flush()
    tree.merge([new])
    assert tree.lookup("a").read and not tree.lookup("a").found
    assert len(tree.runs) == 2
    tree.merge([old, tree.runs[0]])
    assert tree.runs == []


def test_a_replica_that_missed_the_delete_brings_the_key_back_after_the_grace():
    clock = Clock()
    heard, missed = (LSMTree(memtable_limit=10, grace=60, clock=clock) for _ in range(2))
    row = Entry("a", 1, "Ada")
    heard.apply(row), missed.apply(row)
    heard.delete("a")
    heard.flush()
    clock.now += 61
    heard.compact()
    for entry in missed.layout().memtable:  # a repair
        heard.apply(entry)
    assert heard.get("a") == "Ada"


def test_without_recovery_a_crash_loses_what_was_not_flushed():
    tree = LSMTree(memtable_limit=2, clock=Clock())
    for key in "abc":
        tree.put(key, key.upper())
    tree.crash()
    assert [tree.get(key) for key in "abc"] == ["A", "B", None]
    assert tree.recover() == 1 and tree.get("c") == "C"


def test_leveled_reads_less_and_writes_more_than_size_tiered():
    costs = {}
    for name, compaction in {"none": None, "tiered": SizeTiered(), "leveled": Leveled(run_limit=8)}.items():
        tree = LSMTree(memtable_limit=8, compaction=compaction, clock=Clock(), bits_per_key=0)
        for n in range(2000):
            tree.put(n * 7919 % 500, n)
        tree.flush()
        reads = sum(tree.lookup(key).read_amplification for key in range(500)) / 500
        costs[name] = reads, tree.write_amplification, len(tree.runs)
        assert {key: tree.get(key) for key in range(500)} == dict(tree.scan())
    assert costs["none"][1] == 1
    assert costs["leveled"][0] < costs["tiered"][0] < costs["none"][0]
    assert costs["none"][1] < costs["tiered"][1] < costs["leveled"][1]


def test_amplifications_count_entries():
    tree = LSMTree(memtable_limit=2, clock=Clock())
    assert tree.write_amplification == tree.space_amplification == 0
    for key in "abab":
        tree.put(key, key)
    assert (tree.write_amplification, tree.space_amplification) == (1, 2)
    tree.compact()
    assert (tree.write_amplification, tree.space_amplification) == (1.5, 1)


def test_a_memtable_of_nothing_is_refused():
    with pytest.raises(ValueError, match="1 entry or more"):
        LSMTree(memtable_limit=0)
