# no count and no last: the array's own positions and the multikey index do it
def prepare(buckets):
    buckets.create_index([("user_id", 1), ("events.timestamp", -1)])
    buckets.create_index([("events._id", 1)], unique=True)


def store(buckets, event, limit=50):
    doc = event.for_mongodb()
    try:
        before = buckets.find_one_and_update(
            {"user_id": event.user_id, f"events.{limit - 1}": {"$exists": False}, "events._id": {"$ne": doc["_id"]}},
            {"$push": {"events": {"$each": [doc], "$sort": {"timestamp": -1}}}},
            projection={"_id": 1}, upsert=True, return_document=ReturnDocument.AFTER)
    except DuplicateKeyError:
        return False
    return before is not None


def latest(buckets, user_id, n):
    import heapq
    key = lambda event: (event["timestamp"], event["_id"])
    found = []
    if not n:
        return found
    with buckets.find({"user_id": user_id}, {"events": 1}, batch_size=2).sort([("events.timestamp", -1)]) as cursor:
        for bucket in cursor:
            newest = max(event["timestamp"] for event in bucket["events"])
            if len(found) >= n and newest < found[n - 1]["timestamp"]:
                break
            found = heapq.nlargest(n, found + bucket["events"], key=key)
    return found
