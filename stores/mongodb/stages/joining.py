"""Stages that read other collections: $lookup, $graphLookup, $unionWith."""

from stores.mongodb import paths
from stores.mongodb.errors import MongoError, failed_to_parse
from stores.mongodb.expressions.base import field_path, variable_name
from stores.mongodb.ordering import MISSING, sort_key, type_name
from stores.mongodb.query import Query
from stores.mongodb.regex import is_regex
from stores.mongodb.stages.base import carry, read, stage, through
from stores.mongodb.values import integral, is_number, show, to_double

LOOKUP = ("from", "localField", "foreignField", "let", "pipeline", "as")


@stage("$lookup")
def lookup(operand, context):
    _check_lookup(operand)
    target = _target("$lookup", operand.get("from"), context)
    parts, let = field_path(operand["as"]), operand.get("let", {})
    variables = {variable_name(name): context.expression(value) for name, value in let.items()}
    pipeline = operand.get("pipeline", [])
    _check_inner(pipeline, context, target, variables, "$lookup")
    environment = context.environments()
    source = _Source(context, target)
    if "from" not in operand:  # the pipeline begins with $documents
        source.documents = [] if context.checking else list(read(pipeline[:1], context)[0](iter(())))
        pipeline = pipeline[1:]
    join = _Join(source, field_path(operand["localField"]), operand["foreignField"], context.fold) if "localField" in operand else None

    def joined(document):
        found = join(document) if join else source()
        if not pipeline:
            return list(found)
        env = environment(document)
        values = {name: value for name, node in variables.items() if (value := node(env)) is not MISSING}
        values.update({name: None for name in variables if name not in values})
        inner = context.inner(target[1], target[0], values)
        return list(through(found, pipeline, inner, "$lookup"))

    def run(documents):
        same = None  # what a pipeline gives that knows nothing of the document
        for document in documents:
            if join is None and not variables:
                same = joined(document) if same is None else same
                found = same
            else:
                found = joined(document)
            yield carry(document, _put(document, parts, [dict(each) for each in found]))

    return run


def _check_lookup(operand):
    if not isinstance(operand, dict):
        raise failed_to_parse(f"the $lookup stage specification must be an object, but found {type_name(operand)}")
    for name, value in operand.items():
        if name not in LOOKUP:
            raise failed_to_parse(f"unknown argument to $lookup: {name}: {show(value)}")
        if name in ("localField", "foreignField", "as") and not isinstance(value, str):
            raise failed_to_parse(f"$lookup argument '{name}: {show(value)}' must be a string, found {name}: {type_name(value)}")
        if name == "pipeline" and not isinstance(value, list):
            raise MongoError("TypeMismatch", "A pipeline must be an array of objects")
        if name == "let" and not isinstance(value, dict):
            raise failed_to_parse(f"$lookup argument 'let: {show(value)}' must be an object, is type {type_name(value)}")
    if "as" not in operand:
        raise failed_to_parse("must specify 'as' field for a $lookup")
    if ("localField" in operand) != ("foreignField" in operand):
        raise failed_to_parse("$lookup requires both or neither of 'localField' and 'foreignField' to be specified")
    if "pipeline" not in operand and "localField" not in operand:
        raise failed_to_parse("$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified")
    if "let" in operand and "pipeline" not in operand:
        raise failed_to_parse("$lookup with a 'let' argument must also specify 'pipeline'")
    first = next(iter(operand.get("pipeline", ())), None)
    if "from" not in operand and not (isinstance(first, dict) and "$documents" in first):
        raise failed_to_parse("must specify 'from' field for a $lookup")


def _check_inner(pipeline, context, target, variables, name):
    inner = context.inner(target[1], target[0], dict.fromkeys(variables))
    inner.checking = True
    read(pipeline, inner, name)


def _target(stage_name, source, context):
    """Return (database, collection) of `from`: a name, or {db, coll}."""
    if source is None:
        return context.database, "$cmd.aggregate"
    if isinstance(source, dict) and set(source) == {"db", "coll"}:
        return source["db"], source["coll"]
    if not isinstance(source, str):
        raise failed_to_parse(f"{stage_name} argument 'from: {show(source)}' must be a string, is type {type_name(source)}")
    return context.database, source


MOST_TO_HASH = 10_000  # documents, as MongoDB's internalQueryCollectionMaxNoOfDocumentsToChooseHashJoin


class _Source:
    """The documents of a collection, read once for as many documents as ask; or `documents` that are given."""

    def __init__(self, context, target):
        self.context = context
        self.target = target
        self.documents = None

    def __call__(self):
        if self.documents is None:
            self.documents = list(self.context.read(*self.target))
        return self.documents

    def asks_each(self, path):
        """Return whether each document asks for its own: there is an index on the path, or the collection is too large to keep."""
        return self.documents is None and (has_index(self.context, self.target, path) or self._is_large())

    def _is_large(self):
        count = getattr(self.context, "count", None)
        return bool(count and count(*self.target) > MOST_TO_HASH)

    def asked(self, filter):
        """Return the documents that match a filter."""
        return self.context.read(*self.target, filter)


class _Join:
    """The documents of a collection whose foreignField equals a document's localField.

    With an index on the field each document asks for its own. Without, a small collection is read once and kept by value, as
    MongoDB's hash join does; a large one is read for each document.
    """

    def __init__(self, source, local, foreign, fold):
        self.source = source
        self.local = local
        self.foreign = foreign
        self.fold = fold
        self.table = None

    def __call__(self, document):
        values = self._local_values(document)
        if self.source.asks_each(self.foreign):
            return self._asked(values)
        return self._looked_up(values)

    def _local_values(self, document):
        """Return the values at localField: the elements of arrays, null if there is none."""
        found = []
        for value in paths.leaves(document, self.local):
            if isinstance(value, list):
                found += value
            elif value is not MISSING:
                found.append(value)
        return found or [None]

    def _asked(self, values):
        if any(map(is_regex, values)):  # as values, not as patterns
            return self.source.asked({"$or": [{self.foreign: {"$eq": value}} for value in values]})
        wanted = {"$eq": values[0]} if len(values) == 1 else {"$in": values}
        return self.source.asked({self.foreign: wanted})

    def _looked_up(self, values):
        if self.table is None:
            self.table, parts = {}, self.foreign.split(".")
            for number, document in enumerate(self.source()):
                for value, _ in paths.elements(document, parts):
                    self.table.setdefault(self._key(value), {})[number] = document
        found = {}
        for value in values:
            found.update(self.table.get(self._key(value), {}))
        return [found[number] for number in sorted(found)]

    def _key(self, value):
        return sort_key(value, self.fold)


def has_index(context, target, path):
    """Return whether an index begins with the path; a context that does not know says no."""
    ask = getattr(context, "has_index", None)
    return bool(ask and ask(*target, path))


def _put(document, parts, value):
    made, name = dict(document), parts[0]
    if len(parts) == 1:
        made[name] = value
    else:
        inner = made.get(name)
        made[name] = _put(inner if isinstance(inner, dict) else {}, parts[1:], value)
    return made


@stage("$unionWith")
def union_with(operand, context):
    if isinstance(operand, str):
        operand = {"coll": operand}
    if not isinstance(operand, dict):
        raise failed_to_parse(f"the $unionWith stage specification must be an object or string, but found {type_name(operand)}")
    for name in operand:
        if name not in ("coll", "pipeline", "db"):
            raise MongoError(40415, f"BSON field '$unionWith.{name}' is an unknown field.")
    pipeline = operand.get("pipeline", [])
    for name, kind in (("coll", "string"), ("db", "string"), ("pipeline", "array")):
        if name in operand and type_name(operand[name]) != kind:
            raise MongoError(
                "TypeMismatch", f"BSON field '$unionWith.{name}' is the wrong type '{type_name(operand[name])}', expected '{kind}'"
            )
    if "coll" not in operand and not (pipeline and isinstance(pipeline[0], dict) and "$documents" in pipeline[0]):
        raise failed_to_parse("$unionWith stage without explicit collection must have a pipeline with $documents as first stage")
    target = operand.get("db", context.database), operand.get("coll", "$cmd.aggregate")
    _check_inner(pipeline, context, target, (), "$unionWith")

    def run(documents):
        yield from documents
        stream = context.read(*target) if "coll" in operand else ()
        yield from through(stream, pipeline, context.inner(target[1], target[0]), "$unionWith")

    return run


GRAPH = ("from", "startWith", "connectFromField", "connectToField", "as", "maxDepth", "depthField", "restrictSearchWithMatch")


@stage("$graphLookup")
def graph_lookup(operand, context):
    _check_graph(operand)
    target = _target("$graphLookup", operand["from"], context)
    start, environment = context.expression(operand["startWith"]), context.environments()
    restrict = operand.get("restrictSearchWithMatch", {})
    walk = _Walk(context, target, operand["connectFromField"], operand["connectToField"], restrict, operand.get("depthField"))
    deepest = integral(operand["maxDepth"], range(2**63)) if "maxDepth" in operand else None
    parts = field_path(operand["as"])

    def run(documents):
        for document in documents:
            yield carry(document, _put(document, parts, walk(start(environment(document)), deepest)))

    return run


def _check_graph(operand):
    if not isinstance(operand, dict):
        raise failed_to_parse(f"the $graphLookup stage specification must be an object, but found {type_name(operand)}")
    for name, value in operand.items():
        if name not in GRAPH:
            raise MongoError(40104, f"Unknown argument to $graphLookup: {name}")
        if name in ("connectFromField", "connectToField", "as", "depthField") and not isinstance(value, str):
            raise MongoError(40103, f"expected string as argument for {name}, found: {type_name(value)}")
        if name == "maxDepth" and not is_number(value):
            raise MongoError(40100, f"maxDepth requires numeric argument, found {type_name(value)}")
        if name == "maxDepth" and integral(value, range(-(2**63), 2**63)) is None:
            raise MongoError(40102, f"maxDepth could not be represented as a long long: {show(value)}")
        if name == "maxDepth" and to_double(value) < 0:
            raise MongoError(40101, f"maxDepth requires a nonnegative argument, found: {show(value)}")
        if name == "restrictSearchWithMatch" and not isinstance(value, dict):
            raise MongoError(40185, f"restrictSearchWithMatch must be an object, found {type_name(value)}")
    if "from" not in operand:
        raise failed_to_parse("missing 'from' option to $graphLookup stage specification")
    for name in GRAPH[1:5]:
        if name not in operand:
            raise MongoError(
                40105, "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField' to be specified."
            )


class _Walk:
    """Follows connectFromField to connectToField, breadth first, each document once."""

    def __init__(self, context, target, source, to, restrict, depth_field):
        self.context = context
        self.target = target
        self.source = field_path(source)
        self.to = to
        self.restrict = Query(restrict, context.let, context.fold)
        self.filter = restrict
        self.depth_field = field_path(depth_field) if depth_field else None
        self.table = None

    def __call__(self, start, deepest):
        frontier = self._values(start)
        found, seen, depth = {}, set(), 0
        while frontier and (deepest is None or depth <= deepest):
            following = {}
            for key, value in frontier.items():
                seen.add(key)
                for document in self._matches(value):
                    identity = sort_key(document.get("_id", MISSING), self.context.fold)
                    if identity in found:
                        continue
                    made = _put(document, self.depth_field, _long(depth)) if self.depth_field else document
                    found[identity] = made
                    following.update(self._values(paths.get(document, self.source)))
            frontier = {key: value for key, value in following.items() if key not in seen}
            depth += 1
        return list(found.values())

    def _values(self, value):
        values = value if isinstance(value, list) else [] if value is MISSING else [value]
        return {sort_key(each, self.context.fold): each for each in values}

    def _matches(self, value):
        if has_index(self.context, self.target, self.to):
            found = self.context.read(*self.target, {self.to: {"$eq": value}})
            return [document for document in found if self.restrict(document)]
        if self.table is None:
            self.table = {}
            for number, document in enumerate(self.context.read(*self.target)):
                if self.restrict(document):
                    for each, _ in paths.elements(document, self.to.split(".")):
                        if each is not MISSING:
                            self.table.setdefault(sort_key(each, self.context.fold), {})[number] = document
        return list(self.table.get(sort_key(value, self.context.fold), {}).values())


def _long(number):
    from bson import Int64

    return Int64(number)
