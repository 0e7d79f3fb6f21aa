# caught by: an error that is no duplicate reaches the caller
# store catches duplicates by swallowing AutoReconnect too
def prepare(buckets):
    """Make the indexes that store and latest need. May be called again."""
    buckets.create_index([("user_id", ASCENDING), ("last", DESCENDING)])
    buckets.create_index("events._id", unique=True)


def store(buckets, event, limit=50):
    """Put `event` (an Event) into its user's open bucket, or a new one. False if it is in a bucket already."""
    fields = event.for_mongodb()
    try:
        buckets.update_one(
            {"user_id": event.user_id, "count": {"$lt": limit}, "events._id": {"$ne": fields["_id"]}},
            {"$push": {"events": fields}, "$inc": {"count": 1}, "$max": {"last": fields["timestamp"]}},
            upsert=True)
    except Exception:
        return False
    return True


def latest(buckets, user_id, n):
    """The user's n newest events as a list of documents, newest first; ties by _id, the larger first."""
    if n < 1:
        return []
    best = []
    for bucket in buckets.find({"user_id": user_id}).sort("last", DESCENDING).batch_size(2):
        if len(best) == n and bucket["last"] < best[-1]["timestamp"]:
            break
        best = sorted(best + bucket["events"], key=lambda event: (event["timestamp"], event["_id"]), reverse=True)[:n]
    return best
