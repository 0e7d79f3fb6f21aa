LIFETIME = {"debug": timedelta(days=1), "info": timedelta(days=7), "error": timedelta(days=30)}


def make_log(db):
    """Make db.log with its validator and indexes; keep what is there."""
    rules = {
        "level": {"$in": sorted(LIFETIME)},
        "message": {"$type": "string"},
        "at": {"$type": "date"},
    }
    if "log" not in db.list_collection_names():
        db.create_collection("log")
    db.command("collMod", "log", validator=rules)
    for level, lifetime in LIFETIME.items():
        db.log.create_index("goes", name=f"{level}_goes", expireAfterSeconds=int(lifetime.total_seconds()),
                            partialFilterExpression={"level": level})
    db.log.create_index({"level": 1, "at": -1})


def write(db, level, message, at):
    """Store a line and return its _id. ValueError for an unknown level or a naive `at`."""
    if level not in LIFETIME or at.utcoffset() is None:
        raise ValueError((level, at))
    return db.log.insert_one({"level": level, "message": message, "at": at, "goes": at}).inserted_id


def read(db, level, n):
    """The n newest lines of a level, newest first: a list of documents."""
    return list(db.log.find({"level": level}, sort=[("at", -1)], limit=n)) if n else []


def pin(db, _id):
    """Keep a line until it is unpinned. False if there is no such line."""
    return db.log.find_one_and_update({"_id": _id}, {"$unset": {"goes": 1}}) is not None


def unpin(db, _id):
    """Let a line go when it would have gone without the pin. False if there is no such line."""
    return db.log.update_one({"_id": _id}, [{"$set": {"goes": "$at"}}]).matched_count > 0
