"""Changing documents by MongoDB's update language: operators, a whole new document, or a pipeline.

    update = Update({"$inc": {"qty": -1}, "$push": {"log": "sold"}})
    update.apply({"_id": 1, "qty": 3})        {"_id": 1, "qty": 2, "log": ["sold"]}

An update is read once; what MongoDB refuses raises MongoError then, or when it is applied. Documents given are never
changed. mongomock updates too; this replaces its own, which changes documents in place, knows `$` only for documents in
arrays, and neither arrayFilters nor $mul nor conflicts of paths.
"""

import datetime

import bson
from bson import ObjectId

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import equal
from stores.mongodb.update.operators import Change, read_changes
from stores.mongodb.update.places import ArrayFilters, clone, put_path
from stores.mongodb.values import show

PIPELINE_STAGES = ("$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith")


class Update:
    """An update that was read. `kind` is "operators", "replacement" or "pipeline".

    `array_filters` is the command's list, `let` the values of variables for a pipeline, `now` the time (a naive datetime in
    UTC) for $currentDate and $$NOW.
    """

    def __init__(self, update, array_filters=None, let=None, fold=None, now=None, upsert=False):
        self.update = update
        self.fold = fold
        self.now = now or datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.let = let or {}
        if isinstance(update, list):
            self.kind = "pipeline"
            self._check_pipeline(array_filters)
        elif not isinstance(update, dict):
            raise MongoError("FailedToParse", "Update argument must be either an object or an array")
        elif next(iter(update), "").startswith("$"):
            self.kind = "operators"
            self.filters = ArrayFilters(array_filters or [], fold)
            self.changes = read_changes(update, self.filters, fold)
            self.filters.check_used(update)
        else:
            self.kind = "replacement"
            self._check_replacement(array_filters)

    def _check_pipeline(self, array_filters):
        from stores.mongodb.stages import check

        if array_filters:
            raise MongoError("FailedToParse", "arrayFilters may not be specified for pipeline-syle updates")
        for stage in self.update:
            name = next(iter(stage), "") if isinstance(stage, dict) else ""
            if name not in PIPELINE_STAGES:
                raise MongoError("InvalidOptions", f"{name} is not allowed to be used within an update")
        check(self.update, names=self.let)

    def _check_replacement(self, array_filters):
        if array_filters:
            raise MongoError("FailedToParse", "arrayFilters may not be specified for replacement-style updates")
        for name in self.update:
            if name.startswith("$"):
                message = (
                    "is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with "
                    "$replaceWith."
                )
                raise MongoError("DollarPrefixedFieldName", f"The dollar ($) prefixed field '{name}' in '{name}' {message}")

    def apply(self, document, match=None, inserting=False):
        """Return the changed document, or the very same object if nothing changes. Raises 66 where _id would change."""
        if self.kind == "replacement":
            made = {**({"_id": document["_id"]} if "_id" in document else {}), **self.update}
        elif self.kind == "pipeline":
            made = self._run(document)
        else:
            made = clone(document)
            change = Change(made, document, match, inserting, self.now, self.fold)
            for one in self.changes:
                one.apply(change)
        if "_id" in document and not equal(made.get("_id"), document["_id"]):
            self._refuse_new_id(made)
        return document if same(made, document) else made

    def _run(self, document):
        from stores.mongodb.stages import Context, run

        context = Context(now=self.now, let=self.let, fold=self.fold)
        (made,) = run([document], self.update, context)
        if "_id" in document and "_id" not in made:
            made = {"_id": document["_id"], **made}
        return made

    def _refuse_new_id(self, made):
        if self.kind == "operators":
            raise MongoError("ImmutableField", "Performing an update on the path '_id' would modify the immutable field '_id'")
        message = "After applying the update, the (immutable) field '_id' was found to have been altered to _id: "
        raise MongoError("ImmutableField", message + show(made.get("_id")))

    def insert(self, query):
        """Return the document that an upsert inserts: what the query says for sure, changed by the update, with an _id."""
        if self.kind == "replacement":
            known = {path: value for path, value in query.equalities().items() if path == "_id"}
        else:
            known = query.equalities()
        begun = {}
        for path, value in known.items():
            put_path(begun, path.split("."), clone(value))
        made = clone(self.apply(begun, None, inserting=True))
        identity = made.pop("_id", None) if "_id" in made else ObjectId()
        if isinstance(identity, list):
            raise MongoError("InvalidIdField", "The '_id' value cannot be of type array")
        return {"_id": identity, **made}


def same(a, b):
    """Return whether two documents are the same to the byte: also the kinds of their numbers and the order of fields."""
    return a is b or bson.encode(a) == bson.encode(b)
