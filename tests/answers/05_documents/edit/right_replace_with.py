# an update with a pipeline: $replaceWith a literal, and the version is counted by the server
class Conflict(Exception):
    pass


def edit(collection, _id, change, attempts=5, tried=0):
    if tried == attempts:
        raise Conflict(_id)
    read = collection.find_one({"_id": _id})
    if read is None:
        raise KeyError(_id)
    new = change(copy.deepcopy(read))
    if new is None:
        return read
    new = dict(new) | {"_id": _id, "version": read.get("version", 0) + 1}
    guard = {"_id": _id}
    guard |= {"version": read["version"]} if "version" in read else {"version": {"$exists": False}}
    result = collection.update_one(guard, [{"$replaceWith": {"$literal": new}}])
    return new if result.matched_count == 1 else edit(collection, _id, change, attempts, tried + 1)
