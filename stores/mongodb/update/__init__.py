"""Changing documents by MongoDB's update language."""

import copy

import mongomock
from bson import ObjectId


class Update:
    """An update document, a replacement or a pipeline, compiled once."""

    def __init__(self, update, array_filters=None, let=None, fold=None, now=None, upsert=False):
        self.update = update
        operators = isinstance(update, dict) and any(name.startswith("$") for name in update)
        self.kind = "pipeline" if isinstance(update, list) else "operators" if operators else "replacement"

    def apply(self, document, match=None, inserting=False):
        if self.kind == "replacement":
            return {"_id": document["_id"], **self.update}
        made = copy.deepcopy(document)
        collection = mongomock.MongoClient().db.collection
        collection._apply_update_document(made, {}, self.update, inserting)
        return made

    def insert(self, query):
        made = self.apply({"_id": ObjectId(), **query.equalities()}, inserting=True)
        return made
