"""explain: the plan of a command in MongoDB's shape, and what it did when it is executed (writes are not).

https://www.mongodb.com/docs/manual/reference/explain-results/ (explainVersion "1", the classic engine).
"""

import hashlib
import json
import time

from stores.mongodb import reading, stages
from stores.mongodb.errors import MongoError
from stores.mongodb.planner.choice import choose, numbers
from stores.mongodb.planner.nodes import Node
from stores.mongodb.planner.predicates import analyse
from stores.mongodb.planner.residual import shown

VERBOSITIES = ("queryPlanner", "executionStats", "allPlansExecution")


def explain(collection, kind, command, verbosity, operation):
    """Return explainVersion, queryPlanner and perhaps executionStats, or the stages of an aggregation."""
    if verbosity not in VERBOSITIES:
        raise MongoError(
            "FailedToParse", f"verbosity string must be one of {{'queryPlanner', 'executionStats', 'allPlansExecution'}}: {verbosity}"
        )
    name, before = collection.engine.views.resolve(collection.database, collection.name)
    if before or name != collection.name:
        kind, command = "aggregate", {"pipeline": [*before, *as_pipeline(kind, command)]}
        collection = collection.engine.collection(collection.database, name)
    with collection.running(operation):
        if kind == "aggregate":
            return _aggregate(collection, command, verbosity, operation)
        asked = REQUESTS[kind](collection, command, operation)
        asked.explaining = True
        chosen = choose(collection.store(operation), asked)
        root = _written(kind, command, chosen.plan.root)
        return {"explainVersion": "1", **_sections(collection, asked, chosen, root, verbosity)}


def as_pipeline(kind, command):
    """Return a read of a view as the pipeline that MongoDB makes of it."""
    steps = {
        "find": [("$match", "filter"), ("$sort", "sort"), ("$skip", "skip"), ("$limit", "limit"), ("$project", "projection")],
        "count": [("$match", "query"), ("$skip", "skip"), ("$limit", "limit")],
        "distinct": [("$match", "query")],
    }
    if kind == "aggregate":
        return command["pipeline"]
    return [{stage: command[name]} for stage, name in steps.get(kind, ()) if command.get(name)]


def _find(collection, command, operation):
    get = command.get
    return reading.find_request(
        collection, get("filter") or {}, get("projection"), get("sort"), get("skip") or 0, get("limit") or 0, operation
    )


def _count(collection, command, operation):
    skip, limit = command.get("skip") or 0, abs(command.get("limit") or 0)
    return collection.request(command.get("query") or {}, operation, skip=skip, limit=limit, purpose="count", needs=set())


def _distinct(collection, command, operation):
    key = command["key"]
    return collection.request(command.get("query") or {}, operation, purpose="distinct", distinct=key, needs={key})


def _update(collection, command, operation):
    statement = command["updates"][0]
    operation.hint = operation.hint or statement.get("hint")
    limit = 0 if statement.get("multi") else 1
    return collection.request(statement["q"], operation, limit=limit)


def _delete(collection, command, operation):
    statement = command["deletes"][0]
    operation.hint = operation.hint or statement.get("hint")
    return collection.request(statement["q"], operation, limit=int(statement.get("limit", 0)))


def _find_and_modify(collection, command, operation):
    return collection.request(command.get("query") or {}, operation, sort=command.get("sort"), limit=1)


REQUESTS = {
    "find": _find, "count": _count, "distinct": _distinct, "update": _update, "delete": _delete, "findAndModify": _find_and_modify,
}  # fmt: skip


class Write(Node):
    """An update or a delete: it counts what it would do, and does nothing."""

    def __init__(self, name, upsert, source):
        super().__init__(source)
        self.name, self.upsert = name, upsert
        self.done = 0

    def numbers(self):
        if self.name == "DELETE":
            return {"nWouldDelete": self.done}
        return {"nMatched": self.done, "nWouldModify": self.done, "nWouldUpsert": int(self.upsert and not self.done)}


def _written(kind, command, root):
    """Return the stage that writes, above those that read; `root` itself for a command that only reads."""
    match kind:
        case "update":
            return Write("UPDATE", bool(command["updates"][0].get("upsert")), root)
        case "delete":
            return Write("DELETE", False, root)
        case "findAndModify":
            return Write("DELETE" if command.get("remove") else "UPDATE", bool(command.get("upsert")), root)
    return root


def _sections(collection, asked, chosen, root, verbosity):
    answer = {"queryPlanner": _planner(collection, asked, chosen, root)}
    if verbosity != "queryPlanner":
        answer["executionStats"] = _execution(chosen, root, verbosity)
    return answer


def _planner(collection, asked, chosen, root):
    parsed = shown(analyse(asked.filter))
    pattern = {"query": json.dumps(parsed, default=str), "sort": asked.sort, "projection": asked.projection_spec}
    digest = hashlib.md5(json.dumps(pattern, default=str).encode(), usedforsecurity=False).hexdigest().upper()
    section = {"namespace": collection.namespace, "indexFilterSet": False, "parsedQuery": parsed}
    if asked.collation:
        section["collation"] = asked.collation
    return {
        **section, "queryHash": digest[:8], "planCacheKey": digest[8:16], "maxIndexedOrSolutionsReached": False,
        "maxIndexedAndSolutionsReached": False, "maxScansToExplodeReached": False, "winningPlan": root.shape(),
        "rejectedPlans": [plan.root.shape() for plan in chosen.rejected],
    }  # fmt: skip


def _execution(chosen, root, verbosity):
    began = time.perf_counter()
    found = sum(row is not None for row in chosen.plan.rows())
    if isinstance(root, Write):
        root.done, root.works, root.ended = found, root.inputs[0].works, True
    section = {"executionSuccess": True, **numbers(root), "executionStages": root.executed()}
    section["executionTimeMillis"] = int((time.perf_counter() - began) * 1000)
    section.pop("executionTimeMillisEstimate")
    if verbosity == "allPlansExecution":
        section["allPlansExecution"] = [plan.tried for plan in (chosen.plan, *chosen.rejected) if plan.tried]
    return section


def _aggregate(collection, command, verbosity, operation):
    pipeline = command["pipeline"]
    stages.check(pipeline, operation.let or (), collection.fold(operation))
    asked, rest = reading.split_pipeline(collection, pipeline, operation)
    asked.explaining = True
    store = collection.store(operation)
    chosen = choose(store, asked)
    root = chosen.plan.root
    if not rest:
        return {"explainVersion": "1", **_sections(collection, asked, chosen, root, verbosity)}
    shown_stages = [{"$cursor": _sections(collection, asked, chosen, root, "queryPlanner")}]
    if verbosity == "queryPlanner":
        return {"explainVersion": "1", "stages": shown_stages + [dict(stage) for stage in rest]}
    kept = [row for row in chosen.plan.rows() if row is not None]
    documents = [store.documents_by_record[row[0]] for row in kept]
    shown_stages[0]["$cursor"]["executionStats"] = _execution(chosen, root, verbosity)
    shown_stages[0].update(nReturned=len(documents), executionTimeMillisEstimate=0)
    context = collection.engine.context(collection.database, collection.name, operation)
    for stage in rest:
        if next(iter(stage)) not in ("$out", "$merge"):  # explain writes nothing
            documents = list(stages.run(iter(documents), [stage], context))
        shown_stages.append({**stage, "nReturned": len(documents), "executionTimeMillisEstimate": 0})
    return {"explainVersion": "1", "stages": shown_stages}
