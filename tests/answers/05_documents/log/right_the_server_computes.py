# the moment of deletion is computed again by the server, with an update pipeline
LIFETIME = {"debug": timedelta(days=1), "info": timedelta(days=7), "error": timedelta(days=30)}
RULES = {"$jsonSchema": {"bsonType": "object", "required": ["level", "message", "at"], "properties": {
    "level": {"bsonType": "string", "enum": ["debug", "info", "error"]},
    "message": {"bsonType": "string"}, "at": {"bsonType": "date"},
    "goes": {"bsonType": ["date", "null"]}}}}


def make_log(db):
    if not list(db.list_collections(filter={"name": "log"})):
        db.create_collection("log")
    db.command("collMod", "log", validator=RULES)
    from pymongo import IndexModel
    db.log.create_indexes([IndexModel([("goes", 1)], expireAfterSeconds=0), IndexModel([("level", 1), ("at", -1), ("_id", -1)])])


def write(db, level, message, at):
    life = LIFETIME.get(level) if isinstance(level, str) else None
    if life is None or at.utcoffset() is None:
        raise ValueError("level or at")
    line = dict(level=level, message=message, at=at, goes=at + life)
    db.log.insert_one(line)
    return line["_id"]


def read(db, level, n):
    cursor = db.log.find({"level": level}).sort([("at", -1), ("_id", -1)]).limit(n)
    return cursor.to_list() if n > 0 else []


def pin(db, _id):
    return db.log.find_one_and_update({"_id": _id}, {"$set": {"goes": None}}) is not None


def unpin(db, _id):
    days = {"$switch": {"branches": [{"case": {"$eq": ["$level", level]}, "then": life.days} for level, life in LIFETIME.items()]}}
    return db.log.find_one_and_update({"_id": _id}, [
        {"$set": {"goes": {"$dateAdd": {"startDate": "$at", "unit": "day", "amount": days}}}}]) is not None
