def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before."""
    if retries < 0:
        raise ValueError("retries must not be negative")
    failed_before = False
    pause = 0.1
    while True:
        try:
            collection.insert_one(event.for_mongodb())
        except DuplicateKeyError as error:
            if "_id" not in error.details["keyPattern"]:
                raise
            if Event.from_mongodb(collection.find_one(str(event.event_id))) == event:
                return failed_before
            raise ValueError("the id belongs to another event") from error
        except AutoReconnect:
            if retries == 0:
                raise
            retries -= 1
            failed_before = True
            sleep(pause)
            pause = min(2 * pause, 2)
        else:
            return True
