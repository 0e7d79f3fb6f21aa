"""Reading a collection: find, aggregate, count, distinct, tail."""

from stores.mongodb import planner, stages
from stores.mongodb.errors import MongoError
from stores.mongodb.indexes.keystring import encode
from stores.mongodb.ordering import MISSING
from stores.mongodb.paths import leaves, split
from stores.mongodb.planner.building import needed
from stores.mongodb.planner.dependencies import dependencies
from stores.mongodb.planner.request import Request
from stores.mongodb.projection import Projection
from stores.mongodb.query import Query
from stores.mongodb.query.text import TextSearch


def request(collection, kind, filter, operation, **more):
    """Return a Request (`kind` is the class) for a filter and the options of an operation."""
    store, fold = collection.store(operation), collection.fold(operation)
    natural = (more.get("sort") or {}).get("$natural")
    if natural:
        more["sort"] = None
    search = text_search(store, filter)
    query = Query(filter, let=operation.let, fold=fold, now=operation.now, text=search and search.score)
    rules = operation.collation if operation.collation is not None else store.options.get("collation")
    metadata = search and (lambda document: {"textScore": search.score(document)})
    return kind(
        filter, query, fold=fold, collation=rules, hint={"$natural": natural} if natural else operation.hint,
        min=operation.min, max=operation.max, allow_disk=operation.allow_disk,
        stats=operation.stats, time_limit=operation.time_limit, text=search, metadata=metadata, **more,
    )  # fmt: skip


def text_search(store, filter):
    """Return the TextSearch for a filter with $text, by the collection's text index. None without $text."""
    wanted = text_of(filter)
    if wanted is None:
        return None
    for tree in store.trees.values():
        if "weights" in tree.spec:
            return TextSearch(tree.weights, wanted, tree.language)
    raise MongoError("IndexNotFound", "text index required for $text query")


def text_of(filter):
    """Return the $text of a filter, at its top or inside $and, or None."""
    if isinstance(filter, dict):
        if "$text" in filter:
            return filter["$text"]
        for inner in filter.get("$and") or ():
            if text_of(inner) is not None:
                return text_of(inner)
    return None


def find(collection, filter, projection, sort, skip, limit, operation):
    """Return an iterator over the documents; errors of the command are raised at once."""
    name, pipeline = collection.engine.views.resolve(collection.database, collection.name)
    if pipeline or name != collection.name:
        steps = [("$match", filter), ("$sort", sort), ("$skip", skip), ("$limit", limit), ("$project", projection)]
        return aggregate(collection, [{stage: value} for stage, value in steps if value], operation)
    with collection.running(operation):
        asked = find_request(collection, filter, projection, sort, skip, limit, operation)
        shape = Projection(projection, asked.query, operation.let, fold=asked.fold, now=operation.now)
        chosen = planner.choose(collection.store(operation), asked)
        if operation.return_key:
            found = (chosen.key_of(document) for _, document in chosen.rows())
        else:
            found = _shaped(chosen.rows(), asked, shape, projection, operation.record_id)
        return iter(list(found)) if operation.transaction else found


def find_request(collection, filter, projection, sort, skip, limit, operation):
    """Return the Request of a find."""
    return collection.request(
        filter, operation, sort=sort, skip=skip, limit=abs(limit or 0), projection_spec=projection, needs=needed(projection)
    )


def _shaped(rows, asked, shape, projection, record_id):
    if not projection and not record_id:
        yield from (document for _, document in rows)
        return
    positional = any(path.endswith(".$") for path in projection or ())
    metadata = asked.metadata
    for record, document in rows:
        match = asked.query.match(document) if positional else None
        made = shape.apply(document, match, metadata(document) if metadata else None)
        yield {**made, "$recordId": record} if record_id else made


def count(collection, query, skip, limit, operation):
    """Return the number of documents; limit 0 is none."""
    name, pipeline = collection.engine.views.resolve(collection.database, collection.name)
    if pipeline or name != collection.name:
        steps = [("$match", query), ("$skip", skip), ("$limit", limit)]
        found = aggregate(collection, [*({stage: value} for stage, value in steps if value), {"$count": "n"}], operation)
        return next((each["n"] for each in found), 0)
    with collection.running(operation):
        asked = collection.request(query, operation, skip=skip, limit=abs(limit), purpose="count", needs=set())
        return planner.choose(collection.store(operation), asked).count()


def distinct(collection, key, query, operation):
    """Return the different values of a path in the order of BSON's values when an index gives it, else as found."""
    name, pipeline = collection.engine.views.resolve(collection.database, collection.name)
    if pipeline or name != collection.name:
        documents = aggregate(collection, [{"$match": query}], operation)
        return different(documents, key, collection.fold(operation))
    with collection.running(operation):
        asked = collection.request(query, operation, purpose="distinct", distinct=key, needs={key})
        rows = planner.choose(collection.store(operation), asked).rows()
        return different((document for _, document in rows), key, asked.fold)


def different(documents, path, fold):
    """Return the different values at a path, arrays opened."""
    parts, found = split(path), {}
    for document in documents:
        for value in leaves(document, parts):
            for each in value if isinstance(value, list) else [value]:
                if each is not MISSING:
                    found.setdefault(encode(each, fold), each)
    return [found[key] for key in sorted(found)]


def tail(collection, position):
    """Return (documents, position) behind a position in a capped collection."""
    store = collection.store()
    if position is not None and position <= store.oldest_kept:
        raise MongoError(
            "CappedPositionLost",
            f"CollectionScan died due to position in capped collection being deleted. Last seen record id: RecordId({position})",
        )
    records = [record for record in store.documents_by_record if position is None or record > position]
    return [store.documents_by_record[record] for record in records], records[-1] if records else position


def aggregate(collection, pipeline, operation):
    """Return an iterator over what a pipeline gives; its beginning is left to the planner."""
    name, before = collection.engine.views.resolve(collection.database, collection.name)
    base = collection.engine.collection(collection.database, name)
    with base.running(operation):
        pipeline = [*before, *pipeline]
        stages.check(pipeline, operation.let or (), base.fold(operation))
        context = collection.engine.context(base.database, base.name, operation)
        if pipeline and next(iter(pipeline[0])) in ALONE:
            return iter(list(stages.run(iter(()), pipeline, context)))
        documents, rest = planned(base, pipeline, operation)
        found = stages.run(documents, rest, context) if rest else documents
        writes = pipeline and next(iter(pipeline[-1])) in ("$out", "$merge")
        return iter(list(found)) if writes or operation.transaction else found


# Stages that read by themselves: they stand first.
ALONE = {
    "$collStats",
    "$indexStats",
    "$documents",
    "$currentOp",
    "$listSessions",
    "$listLocalSessions",
    "$planCacheStats",
    "$changeStream",
}


def planned(collection, pipeline, operation):
    """Return (documents, the stages left to run): the leading stages are done by a plan."""
    asked, rest = split_pipeline(collection, pipeline, operation)
    rows = planner.choose(collection.store(operation), asked).rows()
    if asked.metadata and rest:
        return (stages.Marked(document, asked.metadata(document)) for _, document in rows), rest
    return (document for _, document in rows), rest


def split_pipeline(collection, pipeline, operation):
    """Return (Request, rest): leading $match, $sort, $skip and $limit are for the planner."""
    rest = list(pipeline)
    filters, sort, skip, limit = [], None, 0, 0
    while rest:
        (stage, value), *_ = rest[0].items()
        if stage == "$match" and sort is None and not skip and not limit:
            filters.append(value)
        elif stage == "$sort" and sort is None and not skip and not limit:
            sort = value
        elif stage == "$skip" and not limit:
            skip += int(value)
        elif stage == "$limit" and value > 0:
            limit = min(limit or int(value), int(value))
        else:
            break
        rest.pop(0)
    filters = [each for each in filters if each]
    filter = filters[0] if len(filters) == 1 else {"$and": filters} if filters else {}
    needs = dependencies(rest)
    projection = dict.fromkeys(sorted(needs - {"_id"}), 1) | {"_id": int("_id" in needs)} if needs else None
    asked = request(collection, Request, filter, operation, sort=sort, skip=skip, limit=limit, needs=needs, projection_spec=projection)
    return asked, rest
