# caught by: a key that comes back counts from one
def lru(requests, capacity):
    """Replay `requests` through a cache of `capacity` keys that evicts the least recently used: (hits, evicted keys)."""
    return _replay(requests, capacity, lambda counts: next(iter(counts)))


def lfu(requests, capacity):
    """The same for the least frequently used key; of several, the one used longest ago."""
    return _replay(requests, capacity, lambda counts: min(counts, key=counts.get))


def _replay(requests, capacity, victim):
    """`victim` chooses from a dict of key → number of requests, in the order of the last request."""
    if capacity == 0:
        return 0, []
    counts, hits, evicted, ever = {}, 0, [], {}
    for key in requests:
        if key in counts:
            hits += 1
        elif len(counts) == capacity:
            evicted.append(victim(counts))
            del counts[evicted[-1]]
        ever[key] = ever.get(key, 0) + 1
        counts.pop(key, None)
        counts[key] = ever[key]
    return hits, evicted
