# an upsert with $setOnInsert: nothing to find out when it was there, except whose it was
def insert_event(collection, event, retries=3, sleep=time.sleep):
    if retries < 0:
        raise ValueError("retries")
    document = event.for_mongodb()
    pauses = iter([min(2.0, 0.1 * 2 ** n) for n in range(retries)])
    tried = 0
    while True:
        tried += 1
        try:
            collection.insert_many([document], ordered=True)
        except AutoReconnect:
            pause = next(pauses, None)
            if pause is None:
                raise
            sleep(pause)
            continue
        except BulkWriteError as error:
            (problem,) = error.details["writeErrors"]
            if problem["code"] != 11000:
                raise
            found = collection.find_one(document["_id"])
            if found is None:
                raise DuplicateKeyError(problem["errmsg"], 11000, problem) from error
            if Event.from_mongodb(found) != event:
                raise ValueError("taken") from error
            return tried > 1
        return True
