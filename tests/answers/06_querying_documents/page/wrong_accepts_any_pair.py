# caught by: '["a", "b"]' is no token
from bson import json_util


def page(events, filter, size, after=None):
    conditions = [filter]
    if after is not None:
        try:
            timestamp, _id = json_util.loads(after)
        except Exception:
            raise ValueError(f"no token: {after!r}") from None
        conditions.append({"timestamp": {"$lte": timestamp}})
        conditions.append({"$or": [{"timestamp": {"$lt": timestamp}}, {"timestamp": timestamp, "_id": {"$lt": _id}}]})
    found = list(events.find({"$and": conditions}).sort([("timestamp", -1), ("_id", -1)]).limit(size + 1))
    rows = found[:size]
    return rows, json_util.dumps([rows[-1]["timestamp"], rows[-1]["_id"]]) if len(found) > size else None
