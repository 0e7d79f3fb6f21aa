LIFETIME = {"debug": timedelta(days=1), "info": timedelta(days=7), "error": timedelta(days=30)}


def make_log(db):
    """Make db.log with its validator and indexes; keep what is there."""
    rules = {"$jsonSchema": {
        "required": ["level", "message", "at"],
        "properties": {
            "level": {"enum": list(LIFETIME)},
            "message": {"bsonType": "string"},
            "at": {"bsonType": "date"},
            "expires": {"bsonType": "date"},
        },
    }}
    try:
        db.create_collection("log", validator=rules)
    except CollectionInvalid:        # it is there already, perhaps without rules
        db.command("collMod", "log", validator=rules)
    db.log.create_index("expires", expireAfterSeconds=0)
    db.log.create_index([("level", ASCENDING), ("at", DESCENDING)])


def write(db, level, message, at):
    """Store a line and return its _id. ValueError for an unknown level or a naive `at`."""
    if level not in LIFETIME:
        raise ValueError(f"level is {level!r}; use one of {', '.join(LIFETIME)}")
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone")
    line = {"level": level, "message": message, "at": at, "expires": at + LIFETIME[level]}
    return db.log.insert_one(line).inserted_id


def read(db, level, n):
    """The n newest lines of a level, newest first: a list of documents."""
    return list(db.log.find({"level": level}).sort("at", DESCENDING).limit(n)) if n > 0 else []


def pin(db, _id):
    """Keep a line until it is unpinned. False if there is no such line."""
    return db.log.update_one({"_id": _id}, {"$unset": {"expires": ""}}).matched_count == 1


def unpin(db, _id):
    """Let a line go when it would have gone without the pin. False if there is no such line."""
    line = db.log.find_one({"_id": _id})
    if line is None:
        return False
    return db.log.update_one({"_id": _id}, {"$set": {"expires": line["at"] + LIFETIME[line["level"]]}}).matched_count == 1
