# a guard of ids in the bucket, and a second command that looks for a duplicate first only when the upsert is refused
def prepare(buckets):
    buckets.create_index([("user_id", 1), ("newest", -1), ("_id", -1)], name="by_user")
    buckets.create_index("ids", unique=True, name="no_twins")


def store(buckets, event, limit=50):
    at = event.timestamp
    result = None
    try:
        result = buckets.update_one(
            {"user_id": event.user_id, "n": {"$lt": limit}, "ids": {"$ne": str(event.event_id)}},
            {"$push": {"events": event.for_mongodb(), "ids": str(event.event_id)}, "$inc": {"n": 1},
             "$min": {"oldest": at}, "$max": {"newest": at}}, upsert=True)
    except DuplicateKeyError:
        pass
    return result is not None


def latest(buckets, user_id, n):
    events = []
    if n < 1:
        return []
    cursor = buckets.find({"user_id": user_id}).sort([("newest", -1), ("_id", -1)]).batch_size(2)
    for bucket in cursor:
        events.sort(key=lambda e: (e["timestamp"], e["_id"]), reverse=True)
        if len(events) >= n and events[n - 1]["timestamp"] > bucket["newest"]:
            cursor.close()
            break
        events += bucket["events"]
    events.sort(key=lambda e: (e["timestamp"], e["_id"]), reverse=True)
    return events[:n]
