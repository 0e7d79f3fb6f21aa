from collections import OrderedDict, defaultdict


def lru(requests, capacity):
    cache, hits, evicted = OrderedDict(), 0, []
    for key in requests if capacity else ():
        if key in cache:
            hits += 1
            cache.move_to_end(key)
            continue
        if len(cache) >= capacity:
            evicted.append(cache.popitem(last=False)[0])
        cache[key] = None
    return hits, evicted


def lfu(requests, capacity):
    count, buckets, least = {}, defaultdict(OrderedDict), 1
    hits, evicted = 0, []
    for key in requests if capacity else ():
        if key in count:
            hits += 1
            n = count[key]
            del buckets[n][key]
            if not buckets[n] and least == n:
                least = n + 1
            count[key] = n + 1
            buckets[n + 1][key] = None
            continue
        if len(count) >= capacity:
            gone, _ = buckets[least].popitem(last=False)
            del count[gone]
            evicted.append(gone)
        count[key] = least = 1
        buckets[1][key] = None
    return hits, evicted
