"""Stages that write: $out and $merge. They give no documents."""

from bson import ObjectId

from stores.mongodb.errors import MongoError, failed_to_parse
from stores.mongodb.expressions.base import variable_name
from stores.mongodb.ordering import MISSING, compare, equal, type_name
from stores.mongodb.stages.base import read, stage, through
from stores.mongodb.update import PIPELINE_STAGES
from stores.mongodb.values import show

WHEN_MATCHED = ("replace", "keepExisting", "merge", "fail")
WHEN_NOT_MATCHED = ("insert", "discard", "fail")


@stage("$out", last=True, inside_facet=False)
def out(operand, context):
    if isinstance(operand, dict):
        for name in operand:
            if name not in ("db", "coll", "timeseries"):
                raise MongoError(40415, f"BSON field '$out.{name}' is an unknown field.")
        for name in ("db", "coll"):
            if name not in operand:
                raise MongoError(40414, f"BSON field '$out.{name}' is missing but a required field")
        if "timeseries" in operand:
            raise failed_to_parse("$out's 'timeseries' is not in the embedded engine")
        target = operand["db"], operand["coll"]
    elif isinstance(operand, str):
        target = context.database, operand
    else:
        raise MongoError(16990, f"$out only supports a string or object argument, but found {type_name(operand)}")
    if not target[1] or target[1].startswith("$"):
        raise MongoError("InvalidNamespace", f"Invalid $out target namespace, {target[0]}.{target[1]}")

    def run(documents):
        made = [_with_id(dict(document)) for document in documents]
        context.replace(*target, made)
        yield from ()

    return run


def _with_id(document):
    return document if "_id" in document else {"_id": ObjectId(), **document}


@stage("$merge", last=True, inside_facet=False)
def merge(operand, context):
    return _Merge(operand, context).run


class _Merge:
    def __init__(self, operand, context):
        if isinstance(operand, str):
            operand = {"into": operand}
        if not isinstance(operand, dict):
            raise MongoError(51182, f"$merge only supports a string or object argument, not {type_name(operand)}")
        for name in operand:
            if name not in ("into", "on", "let", "whenMatched", "whenNotMatched"):
                raise MongoError(40415, f"BSON field '$merge.{name}' is an unknown field.")
        if "into" not in operand:
            raise MongoError(40414, "BSON field '$merge.into' is missing but a required field")
        self.context = context
        self.target = self._into(operand["into"])
        self.on = self._on(operand.get("on", "_id"))
        self.matched = operand.get("whenMatched", "merge")
        self.not_matched = operand.get("whenNotMatched", "insert")
        self._check_modes()
        let = operand.get("let", {"new": "$$ROOT"})
        if "let" in operand and not isinstance(self.matched, list):
            raise MongoError(51199, "Cannot use 'let' variables with 'whenMatched: " + str(self.matched) + "' mode")
        if isinstance(self.matched, list) and "new" not in let:
            let = {"new": "$$ROOT", **let}
        self.variables = {variable_name(name): context.expression(value) for name, value in let.items()}
        if isinstance(self.matched, list):
            self._check_pipeline()
        self.environment = context.environments()

    def _into(self, into):
        if isinstance(into, str) and into:
            return self.context.database, into
        if isinstance(into, dict) and "coll" in into:
            return into.get("db", self.context.database), into["coll"]
        raise MongoError(51178, f"$merge 'into' field must be either a string or an object, but found {type_name(into)}")

    def _on(self, on):
        fields = [on] if isinstance(on, str) else on
        if not isinstance(fields, list):
            raise MongoError(51186, f"$merge 'on' field must be either a string or an array of strings, but found {type_name(on)}")
        for field in fields:
            if not isinstance(field, str):
                raise MongoError(51134, f"$merge 'on' array elements must be strings, but found {type_name(field)}")
        if not fields:
            raise MongoError(51187, "If explicitly specifying $merge 'on', must include at least one field")
        if len(set(fields)) < len(fields):
            raise MongoError(31465, f"Found a duplicate field in the $merge.on list: {show(fields)}")
        return fields

    def _check_modes(self):
        if not isinstance(self.matched, list) and self.matched not in WHEN_MATCHED:
            if not isinstance(self.matched, str):
                raise MongoError(
                    51191, f"$merge 'whenMatched' field must be either a string or an array, but found {type_name(self.matched)}"
                )
            raise MongoError("BadValue", f"Enumeration value '{self.matched}' for field 'whenMatched' is not a valid value.")
        if self.not_matched not in WHEN_NOT_MATCHED:
            raise MongoError(
                "BadValue", f"Enumeration value '{self.not_matched}' for field '$merge.whenNotMatched' is not a valid value."
            )
        if self.matched == "fail" and self.not_matched != "insert":
            raise MongoError(
                51181, f"Combination of $merge modes 'whenMatched: fail' and 'whenNotMatched: {self.not_matched}' is not supported"
            )
        if self.matched == "keepExisting" and self.not_matched in ("discard", "fail"):
            raise MongoError(
                51181,
                f"Combination of $merge modes 'whenMatched: keepExisting' and 'whenNotMatched: {self.not_matched}' is not supported",
            )

    def _check_pipeline(self):
        for spec in self.matched:
            name = next(iter(spec), "")
            if name not in PIPELINE_STAGES:
                raise MongoError("InvalidOptions", f"{name} is not allowed to be used within an update")
        inner = self.context.inner(self.target[1], self.target[0], dict.fromkeys(self.variables))
        inner.checking = True
        read(self.matched, inner)

    def run(self, documents):
        """Merge every document; what comes is taken whole first, for the target may be the source."""
        documents = list(documents)
        if not self.context.unique_on(*self.target, self.on):
            raise MongoError(51183, "Cannot find index to verify that join fields will be unique")
        failed = None
        for document in documents:  # each is tried, as in an unordered bulk write; the first that fails is told at the end
            try:
                self._merge(dict(document))
            except MongoError as error:
                if error.code not in (11000, 13113):
                    raise
                failed = failed or error
        if failed:
            raise failed
        yield from ()

    def _merge(self, document):
        if "_id" in self.on:
            document = _with_id(document)
        found = self.context.find_one(*self.target, {field: self._key(document, field) for field in self.on})
        if found is None:
            self._unmatched(document)
        elif self.matched == "fail":
            namespace = ".".join(self.target)
            key = {field: self._key(document, field)["$eq"] for field in self.on}
            raise MongoError(
                "DuplicateKey",
                f"E11000 duplicate key error collection: {namespace} index: _id_ dup key: {show(key)} found value: {show(key)}",
                keyPattern=dict.fromkeys(self.on, 1), keyValue=key,
            )  # fmt: skip
        elif self.matched != "keepExisting":
            made = self._made(document, found)
            if not equal(made.get("_id"), found["_id"]):
                raise MongoError(
                    "ImmutableField",
                    "$merge failed to update the matching document, did you attempt to modify the _id or the shard key?",
                )
            if compare(made, found):
                self.context.put(*self.target, found["_id"], made)

    def _key(self, document, field):
        value = document
        for part in field.split("."):
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
        if isinstance(value, list):
            raise MongoError(51185, f"$merge write error: 'on' field '{field}' cannot be an array")
        if value is None or value is MISSING:
            raise MongoError(51132, f"$merge write error: 'on' field '{field}' cannot be missing, null, undefined or an array")
        return {"$eq": value}

    def _unmatched(self, document):
        if self.not_matched == "fail":
            message = (
                "$merge could not find a matching document in the target collection for at least one document in the source collection"
            )
            raise MongoError(13113, message)
        if self.not_matched == "insert":
            self.context.insert(*self.target, _with_id(document))

    def _made(self, document, found):
        if self.matched == "replace":
            return {"_id": found["_id"], **document}
        if self.matched == "merge":
            return {**found, **document}
        env = self.environment(document)
        inner = self.context.inner(self.target[1], self.target[0], {name: node(env) for name, node in self.variables.items()})
        (made,) = through([found], self.matched, inner)
        return dict(made) if "_id" in made else {"_id": found["_id"], **made}
