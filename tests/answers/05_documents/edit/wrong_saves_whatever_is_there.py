# caught by: when somebody saved in between, the change starts again from their document
class Conflict(Exception):
    """Others saved first, every time."""


def edit(collection, _id, change, attempts=5):
    """Save change(document) if nobody else saved meanwhile, else try again on the new document; return what was saved.

    Raises KeyError if there is no document `_id`, and Conflict after `attempts` calls of `change`.
    """
    for _ in range(attempts):
        document = collection.find_one({"_id": _id})
        if document is None:
            raise KeyError(_id)
        new = change(copy.deepcopy(document))
        if new is None:
            return document
        saved = {**new, "_id": _id, "version": document.get("version", 0) + 1}
        read_version = document.get("version", {"$exists": False})
        if collection.replace_one({"_id": _id}, saved).matched_count:
            return saved
    if collection.find_one({"_id": _id}, {"_id": True}) is None:
        raise KeyError(_id)
    raise Conflict(f"{_id!r} was saved by others {attempts} times")
