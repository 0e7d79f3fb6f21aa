# caught by: edit returns what it saved, not what somebody saved after it
# $set keeps fields on second attempt only
class Conflict(Exception):
    """Others saved first, every time."""


def edit(collection, _id, change, attempts=5):
    for _ in range(attempts):
        found = collection.find_one({"_id": _id})
        if found is None:
            raise KeyError(_id)
        changed = change(copy.deepcopy(found))
        if changed is None:
            return found
        version = found.get("version", 0)
        new = {**changed, "_id": _id, "version": version + 1}
        same = {"_id": _id, "version": found["version"] if "version" in found else {"$exists": False}}
        if collection.replace_one(same, new).matched_count:
            return collection.find_one({"_id": _id})
    raise Conflict(_id)
