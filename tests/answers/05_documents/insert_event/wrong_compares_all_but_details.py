# caught by: an event with the same id that differs in timestamp only is a ValueError
# compares all but details
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
            if {k: v for k, v in stored.items() if k not in ("details", "timestamp")} != {k: v for k, v in document.items() if k not in ("details", "timestamp")}:
                raise ValueError(f"another event has the id {document['_id']}") from None
            return attempt > 0
        except AutoReconnect:
            if attempt == retries:
                raise
            sleep(min(2, 0.1 * 2 ** attempt))
