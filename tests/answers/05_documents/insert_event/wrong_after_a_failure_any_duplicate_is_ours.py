# caught by: after a failed attempt another event with the same id is a ValueError too
# after a failed attempt it assumes the duplicate is its own without reading (ValueError missing there)
def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before."""
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, found {retries}")
    document = event.for_mongodb()
    for attempt in range(retries + 1):
        try:
            collection.insert_one(document)
            return True
        except DuplicateKeyError:
            stored = collection.find_one({"_id": document["_id"]})
            if stored is None:
                raise
            if attempt > 0:
                return True
            if Event.from_mongodb(stored) != event:
                raise ValueError(f"another event has the id {document['_id']}") from None
            return attempt > 0
        except AutoReconnect:
            if attempt == retries:
                raise
            sleep(min(2, 0.1 * 2 ** attempt))
