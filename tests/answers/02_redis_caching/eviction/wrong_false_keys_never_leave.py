# caught by: lru evicts keys that are false too
def lru(requests, capacity):
    """Replay `requests` through a cache of `capacity` keys that evicts the least recently used: (hits, evicted keys)."""
    if capacity == 0:
        return 0, []
    cache = {}          # in the order of the last request
    hits, evicted = 0, []
    for key in requests:
        if key in cache:
            hits += 1
            del cache[key]
        elif len(cache) == capacity:
            oldest = next(iter(cache))
            if oldest:
                del cache[oldest]
                evicted.append(oldest)
        cache[key] = True
    return hits, evicted


def lfu(requests, capacity):
    """The same for the least frequently used key; of several, the one used longest ago."""
    if capacity == 0:
        return 0, []
    cache = {}          # key: [how often, when last]
    hits, evicted = 0, []
    for now, key in enumerate(requests):
        if key in cache:
            hits += 1
            cache[key][0] += 1
            cache[key][1] = now
        else:
            if len(cache) == capacity:
                worst = min(cache, key=cache.get)
                del cache[worst]
                evicted.append(worst)
            cache[key] = [1, now]
    return hits, evicted
