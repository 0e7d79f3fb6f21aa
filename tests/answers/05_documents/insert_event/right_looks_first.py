# looks first; what another writer does in between is found out by the insert
def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before."""
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, found {retries}")
    document = event.for_mongodb()
    seen = collection.find_one({"_id": document["_id"]})
    if seen is not None and Event.from_mongodb(seen) == event:
        return False
    for attempt in range(retries + 1):
        try:
            collection.insert_one(document)
            return True
        except DuplicateKeyError:
            stored = collection.find_one({"_id": document["_id"]})
            if stored is None:
                raise
            if Event.from_mongodb(stored) != event:
                raise ValueError(f"another event has the id {document['_id']}") from None
            return attempt > 0
        except AutoReconnect:
            if attempt == retries:
                raise
            sleep(min(2, 0.1 * 2 ** attempt))
