# caught by: a second prepare keeps every event
def prepare(buckets):
    """Make the indexes that store and latest need. May be called again."""
    buckets.drop()
    buckets.create_index([("user_id", ASCENDING), ("last", DESCENDING)])
    buckets.create_index("events._id", unique=True)


def store(buckets, event, limit=50):
    """Put `event` (an Event) into its user's open bucket, or a new one. False if it is in a bucket already."""
    document = event.for_mongodb()
    try:
        buckets.update_one(
            # Not the bucket that holds it: then the upsert makes a new one, which the unique index refuses.
            {"user_id": event.user_id, "count": {"$lt": limit}, "events._id": {"$ne": document["_id"]}},
            {"$push": {"events": document}, "$inc": {"count": 1}, "$max": {"last": document["timestamp"]}},
            upsert=True,
        )
    except DuplicateKeyError:
        return False
    return True


def latest(buckets, user_id, n):
    """The user's n newest events as a list of documents, newest first; ties by _id, the larger first."""
    newest = []
    if n > 0:
        for bucket in buckets.find({"user_id": user_id}).sort("last", DESCENDING).batch_size(2):
            if len(newest) == n and bucket["last"] < newest[-1]["timestamp"]:
                break
            newest += bucket["events"]
            newest.sort(key=lambda event: (event["timestamp"], event["_id"]), reverse=True)
            del newest[n:]
    return newest
