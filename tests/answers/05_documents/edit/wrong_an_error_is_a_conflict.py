# caught by: what change raises reaches the caller, at once
# KeyError for a falsy id / catches KeyErrors of change itself as "not there": errors of change become Conflict
class Conflict(Exception):
    """Others saved first, every time."""


def edit(collection, _id, change, attempts=5):
    for _ in range(attempts):
        found = collection.find_one({"_id": _id})
        if found is None:
            raise KeyError(_id)
        try:
            changed = change(copy.deepcopy(found))
        except Exception:
            continue
        if changed is None:
            return found
        version = found.get("version", 0)
        new = {**changed, "_id": _id, "version": version + 1}
        same = {"_id": _id, "version": found["version"] if "version" in found else {"$exists": False}}
        if collection.replace_one(same, new).matched_count:
            return new
    raise Conflict(_id)
