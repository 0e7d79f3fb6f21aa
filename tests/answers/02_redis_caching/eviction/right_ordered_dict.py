from collections import OrderedDict


def lru(requests, capacity):
    cache, hits, evicted = OrderedDict(), 0, []
    for key in requests:
        if key in cache:
            hits += 1
            cache.move_to_end(key)
        elif capacity > 0:
            if len(cache) >= capacity:
                evicted.append(cache.popitem(last=False)[0])
            cache[key] = None
    return hits, evicted


def lfu(requests, capacity):
    uses, last, hits, evicted = {}, {}, 0, []
    for now, key in enumerate(requests):
        if key in uses:
            hits += 1
            uses[key] += 1
        else:
            if capacity == 0:
                continue
            if len(uses) == capacity:
                leaving = sorted(uses, key=lambda k: (uses[k], last[k]))[0]
                evicted.append(leaving)
                del uses[leaving], last[leaving]
            uses[key] = 1
        last[key] = now
    return hits, evicted
