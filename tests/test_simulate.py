"""The models agree with independent implementations of the same idea."""

import functools
from collections import Counter
from itertools import combinations

import cachetools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course.simulate.eviction import FIFO, LFU, LRU, TTL, Random, hit_ratios, optimal, replay, zipf_requests
from course.simulate.expiry import loads_per_second

POLICIES = [FIFO, LFU, LRU, Random, TTL]
requests = st.lists(st.integers(0, 9), max_size=120)
capacities = st.integers(1, 8)


def hits_of(cache, keys) -> list[bool]:
    return [cache.request(key) for key in keys]


def hits_of_cachetools(cache, keys) -> list[bool]:
    hits = []
    for key in keys:
        hits.append(key in cache)
        if hits[-1]:
            cache[key]  # a lookup counts as use
        else:
            cache[key] = True
    return hits


# -- each policy against another implementation of it -----------------------------------------


@given(requests, capacities)
def test_lru_hits_where_the_standard_library_does(keys, capacity):
    @functools.lru_cache(maxsize=capacity)
    def load(key):
        return key

    expected = []
    for key in keys:
        before = load.cache_info().hits
        load(key)
        expected.append(load.cache_info().hits > before)
    assert hits_of(LRU(capacity), keys) == expected
    assert hits_of_cachetools(cachetools.LRUCache(capacity), keys) == expected


@given(requests, capacities)
def test_fifo_hits_where_cachetools_does(keys, capacity):
    assert hits_of(FIFO(capacity), keys) == hits_of_cachetools(cachetools.FIFOCache(capacity), keys)


@given(requests, capacities)
def test_lfu_drops_the_least_used_and_of_those_the_one_used_longest_ago(keys, capacity):
    expected, uses, last_use = [], {}, {}
    for now, key in enumerate(keys):
        expected.append(key in uses)
        if key not in uses and len(uses) == capacity:
            del uses[min(uses, key=lambda k: (uses[k], last_use[k]))]
        uses[key] = uses.get(key, 0) + 1
        last_use[key] = now
    assert hits_of(LFU(capacity), keys) == expected


@given(requests, capacities, st.integers(1, 30))
def test_ttl_hits_where_cachetools_does(keys, capacity, ttl):
    now = 0
    other = cachetools.TTLCache(capacity, ttl, timer=lambda: now)
    ours = TTL(capacity, ttl)
    for key in keys:
        now += 1
        (expected,) = hits_of_cachetools(other, [key])
        assert ours.request(key) == expected


@given(requests, capacities)
def test_random_drops_one_key_that_it_held(keys, capacity):
    cache, held = Random(capacity), set()
    for key in keys:
        before = set(held)
        assert cache.request(key) == (key in before)
        held = {k for k in range(10) if k in cache}
        assert held == set(cache.keys) and len(held) == len(cache) == len(cache.keys)
        gone = before - held
        assert len(gone) == (1 if key not in before and len(before) == capacity else 0)
        assert key in held


def test_random_drops_every_key_about_equally_often():
    gone = Counter()
    for seed in range(2000):
        cache = Random(4, seed)
        hits_of(cache, [0, 1, 2, 3, 4])
        gone.update(k for k in range(4) if k not in cache)
    assert sum(gone.values()) == 2000 and all(400 < gone[k] < 600 for k in range(4))


@given(st.lists(st.integers(0, 4), max_size=12), st.integers(1, 3))
def test_optimal_equals_trying_every_choice(keys, capacity):
    reachable = {frozenset(): 0}  # what a cache may hold now: the most hits on the way there
    for key in keys:
        after: dict = {}
        for held, hits in reachable.items():
            if key in held:
                choices, gained = [held], 1
            elif len(held) < capacity:
                choices, gained = [held | {key}], 0
            else:
                choices, gained = [frozenset(kept) | {key} for kept in combinations(held, capacity - 1)], 0
            for choice in choices:
                after[choice] = max(after.get(choice, 0), hits + gained)
        reachable = after
    best = max(reachable.values())
    assert round(optimal(keys, capacity) * len(keys)) == best


# -- what holds for all -----------------------------------------------------------------------


@pytest.mark.parametrize("policy", POLICIES)
@given(keys=requests, capacity=st.integers(0, 8))
def test_no_policy_overflows_miscounts_or_beats_the_optimum(policy, keys, capacity):
    cache = policy(capacity)
    hits = hits_of(cache, keys)
    assert len(cache) <= capacity
    assert (cache.hits, cache.misses) == (hits.count(True), hits.count(False))
    assert replay(policy, keys, capacity) == cache.hit_ratio <= optimal(keys, capacity) == replay(optimal, keys, capacity)


@pytest.mark.parametrize("policy", [*POLICIES, optimal])
def test_no_room_no_hit_and_room_for_all_misses_each_key_once(policy):
    keys = zipf_requests(n_keys=50, n_requests=900)
    assert replay(policy, keys, 0) == 0
    assert replay(policy, keys, 50) == pytest.approx(1 - len(set(keys)) / 900)
    assert replay(policy, [], 10) == 0


def test_lru_survives_a_change_of_fashion_that_lfu_does_not():
    keys = [0, 1] * 50 + [2, 3] * 50
    assert replay(LRU, keys, 2) == 196 / 200
    assert replay(LFU, keys, 2) < 0.75


def test_lfu_survives_a_scan_that_lru_does_not():
    keys = [0, 1] * 50 + [*range(100, 150), 0, 1] * 4
    assert replay(LFU, keys, 3) > replay(LRU, keys, 3)


def test_hit_ratios_collects_replays_by_name():
    keys = zipf_requests(100, 2000)
    table = hit_ratios([LRU, optimal], keys, [10, 50])
    assert table == {
        "LRU": [replay(LRU, keys, 10), replay(LRU, keys, 50)],
        "optimal": [optimal(keys, 10), optimal(keys, 50)],
    }


def test_a_cache_cannot_hold_less_than_nothing():
    with pytest.raises(ValueError, match="capacity is -1"):
        LRU(-1)


# -- Zipf -------------------------------------------------------------------------------------


def test_zipf_requests_follow_zipfs_law():
    counts = Counter(zipf_requests(n_keys=100, n_requests=50_000, skew=1.0))
    harmonic = sum(1 / rank for rank in range(1, 101))
    for key in (0, 1, 4, 9):
        assert counts[key] == pytest.approx(50_000 / harmonic / (key + 1), rel=0.1)


def test_skew_zero_asks_for_all_keys_alike():
    counts = Counter(zipf_requests(n_keys=10, n_requests=20_000, skew=0))
    assert set(counts) == set(range(10)) and all(1800 < count < 2200 for count in counts.values())


@given(st.integers(1, 50), st.integers(0, 200), st.floats(0, 3), st.integers(0, 9))
def test_zipf_requests_stay_in_range_and_repeat(n_keys, n_requests, skew, seed):
    keys = zipf_requests(n_keys, n_requests, skew, seed)
    assert len(keys) == n_requests and all(0 <= key < n_keys for key in keys)
    assert keys == zipf_requests(n_keys, n_requests, skew, seed)


def test_zipf_needs_a_key():
    with pytest.raises(ValueError, match="n_keys is 0"):
        zipf_requests(0, 10)


# -- expiry -----------------------------------------------------------------------------------


def herd_by_the_millisecond(n_keys: int, ttl: float, seconds: int, reads_per_second: float) -> int:
    """Count loads in an unhurried way: real TTL caches, every read of every key, no jitter and no load time."""
    import random

    dice, now = random.Random(1), 0.0
    cache = cachetools.TTLCache(n_keys, ttl, timer=lambda: now)
    for key in range(n_keys):
        cache[key] = True
    loads = 0
    while (now := now + dice.expovariate(n_keys * reads_per_second)) < seconds:
        key = dice.randrange(n_keys)
        if key not in cache:
            cache[key] = True
            loads += 1
    return loads


def test_as_many_loads_as_an_unhurried_simulation():
    slow = herd_by_the_millisecond(n_keys=200, ttl=5, seconds=60, reads_per_second=2)
    fast = sum(loads_per_second(n_keys=200, ttl=5, seconds=60, reads_per_second=2))
    assert fast == pytest.approx(slow, rel=0.03)


def test_equal_ttls_make_a_herd_and_jitter_spreads_it():
    same = loads_per_second(n_keys=1000, ttl=60, seconds=70, reads_per_second=50)
    spread = loads_per_second(n_keys=1000, ttl=60, jitter=0.1, seconds=70, reads_per_second=50)
    assert sum(same) == sum(spread) == 1000
    assert same[60] > 990 and sum(same[:60]) == 0
    assert sum(spread[:54]) == sum(spread[67:]) == 0  # within 10 % of the TTL
    assert max(spread) < 150


def test_without_a_lock_every_reader_during_a_load_asks_the_database():
    traffic = {"n_keys": 300, "ttl": 60, "seconds": 80, "reads_per_second": 10, "load_seconds": 0.5}
    locked = loads_per_second(**traffic, lock=True)
    unlocked = loads_per_second(**traffic)
    assert sum(locked) == 300
    assert sum(unlocked) == pytest.approx(300 * (1 + 10 * 0.5), rel=0.1)


@given(
    n_keys=st.integers(0, 20),
    ttl=st.floats(0.5, 30),
    jitter=st.floats(0, 0.99),
    seconds=st.integers(0, 60),
    load_seconds=st.floats(0, 2),
)
def test_a_locked_key_is_loaded_at_most_once_per_shortest_ttl(n_keys, ttl, jitter, seconds, load_seconds):
    loads = loads_per_second(n_keys, ttl, jitter, seconds, load_seconds=load_seconds, lock=True)
    assert len(loads) == seconds and all(count >= 0 for count in loads)
    assert sum(loads) <= n_keys * seconds / (ttl * (1 - jitter))


@pytest.mark.parametrize("wrong", [{"jitter": 1.0}, {"jitter": -0.1}, {"ttl": 0}, {"reads_per_second": 0}])
def test_impossible_traffic_is_refused(wrong):
    with pytest.raises(ValueError, match=r"ttl|TTL"):
        loads_per_second(**{"n_keys": 1, "ttl": 10} | wrong)
