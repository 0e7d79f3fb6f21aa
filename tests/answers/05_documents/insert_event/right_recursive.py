def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before."""
    if not retries >= 0:
        raise ValueError(retries)
    pauses = [min(0.1 * 2 ** n, 2.0) for n in range(retries)]
    return _attempt(collection, event, pauses, sleep, again=False)


def _attempt(collection, event, pauses, sleep, again):
    document = event.for_mongodb()
    try:
        collection.insert_one(document)
        return True
    except AutoReconnect:
        if not pauses:
            raise
    except DuplicateKeyError:
        there = collection.find_one(document["_id"])
        if not there:
            raise
        if Event.from_mongodb(there) == event:
            return again
        raise ValueError("taken") from None
    sleep(pauses[0])
    return _attempt(collection, event, pauses[1:], sleep, again=True)
