# caught by: your code raised an error
def page(events, filter, size, after=None):
    """(at most `size` events that match, newest first; the token for the next page, or None after the last)."""
    conditions = [filter]
    if after is not None:
        last = events.find_one({"_id": after})
        if last is None:
            raise ValueError(after)
        conditions += [{"timestamp": {"$lte": last["timestamp"]}},
                       {"$or": [{"timestamp": {"$lt": last["timestamp"]}}, {"_id": {"$lt": after}}]}]
    found = list(events.find({"$and": conditions}).sort([("timestamp", -1), ("_id", -1)]).limit(size + 1))
    return found[:size], found[size - 1]["_id"] if len(found) > size else None
