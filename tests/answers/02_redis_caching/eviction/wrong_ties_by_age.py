# caught by: of several least frequent keys the one used longest ago leaves
def lru(requests, capacity):
    if not capacity:
        return 0, []
    row, hits, evicted = [], 0, []
    for key in requests:
        if key in row:
            hits += 1
            row.remove(key)
        elif len(row) == capacity:
            evicted.append(row.pop(0))
        row.append(key)
    return hits, evicted


def lfu(requests, capacity):
    """Of several keys with the lowest count the one that was stored first leaves, however recently it was used."""
    if not capacity:
        return 0, []
    counts, hits, evicted = {}, 0, []
    for key in requests:
        if key in counts:
            hits += 1
            counts[key] += 1
            continue
        if len(counts) == capacity:
            evicted.append(min(counts, key=counts.get))
            del counts[evicted[-1]]
        counts[key] = 1
    return hits, evicted
