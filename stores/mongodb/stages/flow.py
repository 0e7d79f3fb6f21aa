"""Stages that let documents through or hold them back: $match, $sort, $limit, $skip, $sample, $redact, $count, $facet."""

import itertools
import math
import random

from stores.mongodb.errors import MongoError
from stores.mongodb.expressions import read as read_expression
from stores.mongodb.ordering import Sort, type_name
from stores.mongodb.query import Query
from stores.mongodb.stages.base import Marked, carry, read, stage, through
from stores.mongodb.values import integral, is_number, show, to_double

INT64 = range(-(2**63), 2**63)


@stage("$match")
def match(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(15959, "the match filter must be an expression in an object")
    query = Query(operand, context.let, context.fold, context.variables()["NOW"])
    if query.near is not None:
        raise MongoError(
            5626500, "$geoNear, $near, and $nearSphere are not allowed in this context, use $geoNear as the first stage instead"
        )
    if query.text is None or context.checking:
        return lambda documents: (document for document in documents if query(document))
    score = context.text_search(context.database, context.collection, query.text)
    scored = Query(operand, context.let, context.fold, context.variables()["NOW"], score)
    return lambda documents: (Marked(document, {"textScore": score(document)}) for document in documents if scored(document))


@stage("$sort")
def sort(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(15973, "the $sort key specification must be an object")
    if not operand:
        raise MongoError(15976, "$sort stage must have at least one sort key")
    order = Sort(operand, context.fold)

    def run(documents):
        return iter(sorted(documents, key=lambda document: order.key(document, getattr(document, "metadata", None))))

    return run


def whole(name, operand, code):
    """Return a stage's number as an int that is not negative."""
    number = integral(operand, INT64) if is_number(operand) else None
    if number is None or number < 0:
        raise MongoError(code, f"invalid argument to {name} stage: Expected a non-negative number in: {name}: {show(operand)}")
    return number


@stage("$limit")
def limit(operand, context):
    number = whole("$limit", operand, 5107201)
    if number == 0:
        raise MongoError(15958, "the limit must be positive")
    return lambda documents: itertools.islice(documents, number)


@stage("$skip")
def skip(operand, context):
    number = whole("$skip", operand, 5107200)
    return lambda documents: itertools.islice(documents, number, None)


@stage("$sample")
def sample(operand, context):
    if not isinstance(operand, dict):
        raise MongoError(28745, "the $sample stage specification must be an object")
    for name in operand:
        if name != "size":
            raise MongoError(28748, f"unrecognized option to $sample: {name}")
    if "size" not in operand:
        raise MongoError(28749, "$sample stage must specify a size")
    if not is_number(operand["size"]):
        raise MongoError(28746, "size argument to $sample must be a number")
    size = math.floor(to_double(operand["size"])) if math.isfinite(to_double(operand["size"])) else 0
    if size <= 0:
        raise MongoError(28747, "size argument to $sample must be a positive integer")

    def run(documents):
        found = list(documents)
        return iter(random.sample(found, min(size, len(found))))

    return run


@stage("$count")
def count(operand, context):
    if not isinstance(operand, str):
        raise MongoError(40156, "the count field must be a non-empty string")
    if not operand:
        raise MongoError(40157, "the count field must be a non-empty string")
    if operand.startswith("$"):
        raise MongoError(40158, "the count field cannot be a $-prefixed path")
    if "\0" in operand:
        raise MongoError(40159, "the count field cannot contain a null byte")
    if "." in operand:
        raise MongoError(40160, "the count field cannot contain '.'")

    def run(documents):
        number = sum(1 for _ in documents)
        if number:
            yield {operand: number}

    return run


DECISIONS = ("DESCEND", "PRUNE", "KEEP")


@stage("$redact")
def redact(operand, context):
    node = read_expression(operand, context.scope.having(*DECISIONS))
    shared = {**context.variables(), **{name: name.lower() for name in DECISIONS}}

    def decide(document, root):
        decision = node({**shared, "ROOT": root, "CURRENT": document})
        if decision == "keep":
            return document
        if decision == "prune":
            return None
        if decision != "descend":
            raise MongoError(
                17053,
                "$redact's expression should not return anything aside from the variables $$KEEP, $$DESCEND, and $$PRUNE, but "
                f"returned {show(decision)}",
            )
        made = {}
        for name, value in document.items():
            kept = descend(value, root)
            if kept is not None or value is None:
                made[name] = kept
        return made

    def descend(value, root):
        if isinstance(value, dict):
            return decide(value, root)
        if isinstance(value, list):
            kept = [descend(inner, root) if isinstance(inner, (dict, list)) else inner for inner in value]
            return [inner for inner, before in zip(kept, value, strict=True) if inner is not None or before is None]
        return value

    def run(documents):
        for document in documents:
            if (made := decide(document, document)) is not None:
                yield carry(document, made)

    return run


@stage("$facet", inside_facet=False)
def facet(operand, context):
    if not isinstance(operand, dict) or not operand:
        raise MongoError(40169, f"the $facet specification must be a non-empty object, but found {show(operand)}")
    pipelines = {}
    for name, pipeline in operand.items():
        if name.startswith("$") or "." in name:
            raise MongoError(
                40170 if name.startswith("$") else 40169, f"$facet: the name of an output may hold neither '$' nor '.': {name}"
            )
        if not isinstance(pipeline, list):
            raise MongoError(40170, f"arguments to $facet must be arrays, {name} is type {type_name(pipeline)}")
        read(pipeline, context, "$facet")
        for spec in pipeline:
            if next(iter(spec)) in ("$out", "$merge", "$collStats", "$indexStats", "$geoNear", "$facet", "$documents"):
                raise MongoError(40600, f"{next(iter(spec))} is not allowed to be used within a $facet stage")
        pipelines[name] = pipeline

    def run(documents):
        found, made = list(documents), {}
        for name, pipeline in pipelines.items():
            made[name] = [dict(document) for document in through(found, pipeline, context, "$facet")]
        yield made

    return run
