def prepare(buckets):
    """Make the indexes that store and latest need. May be called again."""
    buckets.create_index([("events._id", 1)], unique=True, name="each_event_once")
    buckets.create_index([("user_id", 1), ("newest", -1)], name="newest_first")


def store(buckets, event, limit=50):
    """Put `event` (an Event) into its user's open bucket, or a new one. False if it is in a bucket already."""
    fields = event.for_mongodb()
    open_bucket = {"user_id": event.user_id, f"events.{limit - 1}": {"$exists": False}, "events._id": {"$ne": fields["_id"]}}
    try:
        buckets.find_one_and_update(open_bucket, {"$push": {"events": fields}, "$max": {"newest": fields["timestamp"]}}, upsert=True)
    except DuplicateKeyError:
        return False
    else:
        return True


def latest(buckets, user_id, n):
    """The user's n newest events as a list of documents, newest first; ties by _id, the larger first."""
    if n == 0:
        return []
    found, skip = [], 0
    while True:
        batch = list(buckets.find({"user_id": user_id}).sort([("newest", -1)]).skip(skip).limit(1))
        if not batch or (len(found) >= n and batch[0]["newest"] < found[n - 1]["timestamp"]):
            return found[:n]
        found = sorted(found + batch[0]["events"], key=lambda e: (e["timestamp"], e["_id"]))[::-1]
        skip += 1
