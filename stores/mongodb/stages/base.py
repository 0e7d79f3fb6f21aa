"""How pipelines are read, and what stages see of the engine."""

import datetime
from typing import NamedTuple

from stores.mongodb.errors import MongoError, not_embedded
from stores.mongodb.expressions import Scope, environment
from stores.mongodb.expressions import read as read_expression
from stores.mongodb.expressions.base import SYSTEM
from stores.mongodb.ordering import type_name

STAGES = {}  # "$match" → Stage
REFUSED = {}  # "$search" → what it needs


class Stage(NamedTuple):
    """reader(operand, context) → function from documents to documents; where in a pipeline the stage may stand."""

    reader: object
    first: bool = False  # it makes documents itself
    last: bool = False  # it writes them
    inside_facet: bool = True


def stage(*names, first=False, last=False, inside_facet=True):
    """Register a reader under the names of a stage."""

    def register(reader):
        for name in names:
            STAGES[name] = Stage(reader, first, last, inside_facet)
        return reader

    return register


class Context:
    """What a pipeline sees of the engine. The engine fills in the methods; without one they refuse.

    `now` is the time of $$NOW (a naive datetime in UTC), `let` the values of variables, `fold` a collation's function,
    `database` and `collection` the names of what the pipeline runs on. `checking` is set while a pipeline is only read.
    """

    checking = False
    host = ""  # the server's address
    time_limit = None  # the operation's TimeLimit

    def __init__(self, database="", collection="", now=None, let=None, fold=None):
        self.database = database
        self.collection = collection
        self.now = now
        self.let = let or {}
        self.fold = fold

    def read(self, database, collection, filter=None):
        """Yield the documents of a collection, the session's view of it; `filter` tells which are enough."""
        raise not_embedded("reading another collection from a pipeline that has no engine")

    def find_one(self, database, collection, filter):
        """Return a document or None."""
        return next(iter(self.read(database, collection, filter)), None)

    def replace(self, database, collection, documents):
        """Make the documents the whole content of a collection ($out)."""
        raise not_embedded("$out in a pipeline that has no engine")

    def insert(self, database, collection, document):
        """Insert a document ($merge)."""
        raise not_embedded("$merge in a pipeline that has no engine")

    def put(self, database, collection, _id, document):
        """Put a document in place of the one with that _id ($merge)."""
        raise not_embedded("$merge in a pipeline that has no engine")

    def unique_on(self, database, collection, fields):
        """Return whether a unique index has exactly these fields."""
        return set(fields) == {"_id"}

    def geo_field(self, database, collection):
        """Return (path, "2dsphere" or "2d") of the collection's geo index, or None."""
        return None

    def text_search(self, database, collection, spec):
        """Return the function document → score for an operand of $text. Raises 27 without a text index."""
        raise MongoError("IndexNotFound", "text index required for $text query")

    # Reading ---------------------------------------------------------------------------------------------------

    @property
    def scope(self):
        """What an expression of the pipeline may name."""
        return Scope(SYSTEM | set(self.let), self.fold)

    def variables(self):
        """The values of the variables that all documents share."""
        return {"NOW": self.now or datetime.datetime.now(datetime.UTC).replace(tzinfo=None), **self.let}

    def expression(self, expression, *names):
        """Return the node of an expression; `names` are further variables."""
        return read_expression(expression, self.scope.having(*names))

    def environments(self):
        """Return the function document → env for nodes."""
        shared = self.variables()

        def make(document):
            env = environment(document, shared)
            if isinstance(document, Marked):
                env["META"] = document.metadata
            return env

        return make

    def inner(self, collection=None, database=None, let=None):
        """Return a context like this one for a pipeline inside ($lookup's, $unionWith's)."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.let = {**self.let, **(let or {})}
        made.database, made.collection = database or self.database, collection or self.collection
        return made


class Marked(dict):
    """A document with metadata for $meta: {"textScore": 1.5}. Stages that change documents hand it on (see carry)."""

    def __init__(self, document, metadata):
        super().__init__(document)
        self.metadata = metadata


def carry(document, made):
    """Return the changed document with the metadata of the one it was made of."""
    return Marked(made, document.metadata) if isinstance(document, Marked) else made


def read(pipeline, context, inside=""):
    """Return the functions of a pipeline's stages. `inside` names the stage whose pipeline it is. Raises 40323, 40324 …"""
    if not isinstance(pipeline, list):
        raise MongoError("TypeMismatch", "A pipeline must be an array of objects")
    made = []
    for position, spec in enumerate(pipeline):
        if not isinstance(spec, dict):
            raise MongoError("TypeMismatch", "Each element of the 'pipeline' array must be an object")
        if len(spec) != 1:
            raise MongoError(40323, "A pipeline stage specification object must contain exactly one field.")
        ((name, operand),) = spec.items()
        found = STAGES.get(name)
        if found is None:
            if name in REFUSED:
                raise MongoError(40324, f"{name} is not in the embedded engine ({REFUSED[name]}). A real server has it")
            raise MongoError(40324, f"Unrecognized pipeline stage name: '{name}'")
        _check_place(name, found, position, len(pipeline), inside)
        made.append(found.reader(operand, context))
    return made


def through(documents, pipeline, context, inside=""):
    """Return an iterator over what a pipeline makes of documents, within the context's time limit."""
    stream = iter(documents)
    for function in read(pipeline, context, inside):
        stream = function(_limited(stream, context.time_limit) if context.time_limit is not None else stream)
    return stream


def _limited(documents, time_limit):
    for document in documents:
        time_limit.check()
        yield document


def _check_place(name, found, position, length, inside):
    if found.first and position > 0:
        raise MongoError(40602, f"{name} is only valid as the first stage in a pipeline")
    if found.last and position < length - 1:
        raise MongoError(40601, f"{name} can only be the final stage in the pipeline")
    if found.last and inside in ("$lookup", "$unionWith"):
        raise MongoError(51047, f"{name} is not allowed to be used within a {inside} stage")
    if inside == "$facet" and not found.inside_facet:
        raise MongoError(40600, f"{name} is not allowed to be used within a $facet stage")


def options(name, operand, known, code=9, required=(), missing=9, not_object=9):
    """Return a stage's operand, an object with known fields. Raises the codes that MongoDB has for each mistake."""
    if not isinstance(operand, dict):
        raise MongoError(not_object, f"the {name} stage specification must be an object, but found {type_name(operand)}")
    for field in operand:
        if field not in known:
            raise MongoError(
                code,
                f"BSON field '{name}.{field}' is an unknown field." if code == 40415 else f"Unrecognized option to {name}: {field}",
            )
    for field in required:
        if field not in operand:
            raise MongoError(missing, f"BSON field '{name}.{field}' is missing but a required field")
    return operand
