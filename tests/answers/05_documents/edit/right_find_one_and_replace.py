class Conflict(Exception):
    """Others saved first, every time."""


def edit(collection, _id, change, attempts=5):
    """Save change(document) if nobody else saved meanwhile, else try again on the new document; return what was saved."""
    left = attempts
    while (document := collection.find_one(_id)) is not None:
        if left == 0:
            raise Conflict(_id)
        left -= 1
        version = document.get("version")
        new = change({**collection.find_one({"_id": _id, "version": version})} if False else copy.deepcopy(document))
        if new is None:
            return document
        new = dict(new)
        new.pop("_id", None)
        new["version"] = (version or 0) + 1
        saved = collection.find_one_and_replace({"_id": _id, "version": version}, new, return_document=ReturnDocument.AFTER)
        if saved is not None:
            return saved
    raise KeyError(f"there is no document {_id!r}")
