# caught by: so is one with a zone that does not say its offset
# an ambiguous naive test: tzinfo set whose utcoffset is None counts as aware
LIFETIME = {"debug": timedelta(days=1), "info": timedelta(days=7), "error": timedelta(days=30)}


def make_log(db):
    rules = {"$jsonSchema": {
        "required": ["level", "message", "at"],
        "properties": {"level": {"enum": list(LIFETIME)}, "message": {"bsonType": "string"}, "at": {"bsonType": "date"}}}}
    try:
        db.create_collection("log", validator=rules)
    except CollectionInvalid:
        db.command("collMod", "log", validator=rules)
    db.log.create_index("expires", expireAfterSeconds=0)
    db.log.create_index([("level", ASCENDING), ("at", DESCENDING)])


def write(db, level, message, at):
    if level not in LIFETIME:
        raise ValueError(level)
    if at.tzinfo is None:
        raise ValueError("naive")
    return db.log.insert_one({"level": level, "message": message, "at": at, "expires": at + LIFETIME[level]}).inserted_id


def read(db, level, n):
    return list(db.log.find({"level": level}).sort("at", DESCENDING).limit(n)) if n else []


def pin(db, _id):
    return db.log.update_one({"_id": _id}, {"$rename": {"expires": "would_expire"}}).matched_count == 1


def unpin(db, _id):
    return db.log.update_one({"_id": _id}, {"$rename": {"would_expire": "expires"}}).matched_count == 1
