"""What plans look like and what they examine: as MongoDB's classic engine."""

import itertools

import pytest
from bson import Regex

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Operation
from stores.mongodb.stages import joining


def found(made, filter, **options):
    return list(made.find(filter, **options))


@pytest.fixture
def shop():
    made = Engine(Clock()).collection("shop", "orders")
    made.insert_many(
        [{"_id": n, "a": n % 5, "b": n % 20, "name": f"n{n % 40:02}", "tags": [n % 3, "t"], "o": {"x": n}} for n in range(400)]
    )
    made.create_indexes(
        [
            {"key": {"a": 1, "b": 1}, "name": "a_1_b_1"},
            {"key": {"name": 1}, "name": "name_1"},
            {"key": {"tags": 1}, "name": "tags_1"},
        ]
    )
    return made


def executed(made, kind="find", verbosity="executionStats", operation=None, **command):
    told = made.explain(kind, command, verbosity, operation or Operation())
    return told["stages"][0]["$cursor"] if "stages" in told else told


def stages_of(stage):
    inputs = [stage["inputStage"]] if "inputStage" in stage else stage.get("inputStages", [])
    return [stage["stage"], *itertools.chain.from_iterable(stages_of(each) for each in inputs)]


CASES = [
    # filter and options, stages of the winning plan, keys, documents, returned
    ({"filter": {"_id": 7}}, ["IDHACK"], 1, 1, 1),
    ({"filter": {"a": 3}}, ["FETCH", "IXSCAN"], 80, 80, 80),
    ({"filter": {"a": 3, "b": 8}}, ["FETCH", "IXSCAN"], 20, 20, 20),
    ({"filter": {"a": 3, "b": {"$gt": 8}}}, ["FETCH", "IXSCAN"], 40, 40, 40),
    ({"filter": {"b": 8}}, ["COLLSCAN"], 0, 400, 20),
    ({"filter": {"a": 3, "o.x": 8}}, ["FETCH", "IXSCAN"], 80, 80, 1),
    ({"filter": {"a": 3}, "sort": {"b": 1}}, ["FETCH", "IXSCAN"], 80, 80, 80),
    ({"filter": {"a": 3}, "sort": {"b": -1}, "limit": 5}, ["LIMIT", "FETCH", "IXSCAN"], 5, 5, 5),
    ({"filter": {"a": 3}, "sort": {"b": 1}, "skip": 3, "limit": 5}, ["LIMIT", "SKIP", "FETCH", "IXSCAN"], 8, 8, 5),
    ({"filter": {"a": {"$gt": 2}}, "sort": {"b": 1}}, ["SORT", "FETCH", "IXSCAN"], 160, 160, 160),
    ({"filter": {"a": {"$gt": 2}}, "sort": {"b": 1}, "limit": 2}, ["SORT", "FETCH", "IXSCAN"], 160, 160, 2),
    ({"filter": {"a": {"$in": [1, 3]}}, "sort": {"b": 1}, "limit": 4}, ["LIMIT", "FETCH", "SORT_MERGE", "IXSCAN", "IXSCAN"], 5, 4, 4),
    ({"filter": {"a": {"$in": [1, 3]}}}, ["FETCH", "IXSCAN"], 162, 160, 160),
    ({"filter": {"a": 3}, "projection": {"_id": 0, "a": 1, "b": 1}}, ["PROJECTION_COVERED", "IXSCAN"], 80, 0, 80),
    ({"filter": {"a": 3}, "projection": {"a": 1, "b": 1}}, ["PROJECTION_SIMPLE", "FETCH", "IXSCAN"], 80, 80, 80),
    ({"filter": {"name": {"$regex": "^n1"}}}, ["FETCH", "IXSCAN"], 101, 100, 100),
    ({"filter": {"name": {"$regex": "1$"}}}, ["FETCH", "IXSCAN"], 400, 40, 40),
    ({"filter": {"$or": [{"a": 1}, {"name": "n07"}]}}, ["FETCH", "OR", "IXSCAN", "IXSCAN"], 90, 90, 90),
    ({"filter": {"$or": [{"a": 1}, {"o": 1}]}}, ["COLLSCAN"], 0, 400, 80),
    # What stands beside an $or bounds its branches (since MongoDB 3.6): a = 3 with b below 8, and with b = 13.
    ({"filter": {"a": 3, "$or": [{"b": {"$lt": 8}}, {"b": 13}]}}, ["FETCH", "OR", "IXSCAN", "IXSCAN"], 40, 40, 40),
    (
        {"filter": {"a": 3, "$or": [{"b": {"$lt": 8}}, {"b": 13}]}, "sort": {"b": -1}, "limit": 5},
        ["LIMIT", "FETCH", "SORT_MERGE", "IXSCAN", "IXSCAN"], 6, 5, 5,
    ),
    ({"filter": {"a": 3, "$or": [{"b": 8}, {"o.x": 13}]}}, ["FETCH", "IXSCAN"], 80, 80, 21),
    ({"filter": {"tags": 2}}, ["FETCH", "IXSCAN"], 133, 133, 133),
    ({"filter": {"tags": {"$in": [1, 2]}}}, ["FETCH", "IXSCAN"], 267, 266, 266),
    ({"filter": {"tags": {"$gt": 0, "$lt": 2}}}, ["FETCH", "IXSCAN"], 266, 266, 133),
    ({"filter": {"tags": {"$elemMatch": {"$gt": 0, "$lt": 2}}}}, ["FETCH", "IXSCAN"], 133, 133, 133),
    ({"filter": {}, "limit": 3}, ["LIMIT", "COLLSCAN"], 0, 3, 3),
    ({"filter": {"o.x": 10}, "limit": 1}, ["LIMIT", "COLLSCAN"], 0, 11, 1),
    ({"filter": {"nowhere": None}, "sort": {"name": 1}, "limit": 1}, ["LIMIT", "FETCH", "IXSCAN"], 1, 1, 1),
    ({"filter": {"$expr": {"$eq": ["$a", 3]}}}, ["FETCH", "IXSCAN"], 80, 80, 80),
]


@pytest.mark.parametrize(("command", "stages", "keys", "examined", "returned"), CASES, ids=[str(case[0]) for case in CASES])
def test_plans_examine_what_mongodb_would(shop, command, stages, keys, examined, returned):
    told = executed(shop, **command)
    numbers = told["executionStats"]
    assert stages_of(told["queryPlanner"]["winningPlan"]) == stages
    assert (numbers["totalKeysExamined"], numbers["totalDocsExamined"], numbers["nReturned"]) == (keys, examined, returned)


def test_what_explain_counts_is_what_a_find_examines(shop):
    for command, _, keys, examined, _ in CASES:
        operation = Operation()
        list(
            shop.find(
                command["filter"],
                command.get("projection"),
                command.get("sort"),
                command.get("skip", 0),
                command.get("limit", 0),
                operation,
            )
        )
        assert (operation.stats.keys_examined, operation.stats.documents_examined) == (keys, examined), command


def test_counts_need_no_documents(shop):
    told = executed(shop, "count", query={"a": 3})
    assert stages_of(told["queryPlanner"]["winningPlan"]) == ["COUNT", "COUNT_SCAN"]
    assert told["executionStats"]["totalDocsExamined"] == 0
    assert told["executionStats"]["executionStages"]["nCounted"] == 80
    assert stages_of(executed(shop, "count", query={})["queryPlanner"]["winningPlan"]) == ["RECORD_STORE_FAST_COUNT"]
    assert (shop.count({"a": 3}), shop.count({}, skip=10, limit=5), shop.count({"a": 3}, skip=78, limit=5)) == (80, 5, 2)


def test_distinct_jumps_from_value_to_value(shop):
    told = executed(shop, "distinct", key="a", query={})
    assert stages_of(told["queryPlanner"]["winningPlan"]) == ["PROJECTION_COVERED", "DISTINCT_SCAN"]
    assert told["executionStats"]["totalKeysExamined"] == 5
    assert shop.distinct("a") == [0, 1, 2, 3, 4]
    assert shop.distinct("tags", {"a": 1}) == [0, 1, 2, "t"]


def test_counting_in_a_pipeline_needs_no_documents(shop):
    operation = Operation()
    assert list(shop.aggregate([{"$match": {"a": 3}}, {"$group": {"_id": 1, "n": {"$sum": 1}}}], operation)) == [{"_id": 1, "n": 80}]
    assert operation.stats.documents_examined == 0


def test_pipelines_push_their_beginning_down(shop):
    told = shop.explain("aggregate", {"pipeline": [{"$match": {"a": 3}}, {"$sort": {"b": 1}}, {"$limit": 4}]}, "executionStats")
    assert stages_of(told["queryPlanner"]["winningPlan"]) == ["LIMIT", "FETCH", "IXSCAN"]
    assert told["executionStats"]["totalDocsExamined"] == 4
    told = shop.explain("aggregate", {"pipeline": [{"$match": {"a": 3}}, {"$group": {"_id": "$name"}}]}, "executionStats")
    assert [next(iter(stage)) for stage in told["stages"]] == ["$cursor", "$group"]
    assert told["stages"][0]["nReturned"] == 80
    told = executed(shop, "aggregate", pipeline=[{"$match": {"a": 3}}, {"$group": {"_id": "$b", "n": {"$sum": "$a"}}}])
    assert stages_of(told["queryPlanner"]["winningPlan"]) == ["PROJECTION_COVERED", "IXSCAN"]


def test_bounds_are_printed_as_mongodb_prints_them(shop):
    def bounds(filter):
        plan = executed(shop, filter=filter)["queryPlanner"]["winningPlan"]
        return plan["inputStage"]["indexBounds"]

    assert bounds({"a": 3}) == {"a": ["[3, 3]"], "b": ["[MinKey, MaxKey]"]}
    assert bounds({"a": 3, "b": {"$gt": 5, "$lte": 9}}) == {"a": ["[3, 3]"], "b": ["(5, 9]"]}
    assert bounds({"a": {"$lt": 2.5}}) == {"a": ["[-inf.0, 2.5)"], "b": ["[MinKey, MaxKey]"]}
    assert bounds({"name": {"$in": ["b", "a"]}}) == {"name": ['["a", "a"]', '["b", "b"]']}
    assert bounds({"name": {"$regex": "^ab"}}) == {"name": ['["ab", "ac")', "[/^ab/, /^ab/]"]}
    assert bounds({"name": {"$ne": "x"}}) == {"name": ['[MinKey, "x")', '("x", MaxKey]']}
    assert bounds({"name": {"$gte": "x"}}) == {"name": ['["x", {})']}
    assert bounds({"name": None}) == {"name": ["[null, null]"]}


def test_hints_by_name_by_pattern_and_bad_ones(shop):
    for hint in ("name_1", {"name": 1}):
        told = executed(shop, filter={"a": 3}, operation=Operation(hint=hint))
        assert told["queryPlanner"]["winningPlan"]["inputStage"]["indexName"] == "name_1"
        assert told["executionStats"]["totalDocsExamined"] == 400
    assert stages_of(executed(shop, filter={"a": 3}, operation=Operation(hint={"$natural": -1}))["queryPlanner"]["winningPlan"]) == [
        "COLLSCAN"
    ]
    with pytest.raises(MongoError, match="hint provided does not correspond to an existing index") as refused:
        found(shop, {}, operation=Operation(hint="nope"))
    assert refused.value.code == 2


def test_min_and_max_bound_an_index(shop):
    options = {"hint": {"a": 1, "b": 1}, "min": {"a": 3, "b": 8}, "max": {"a": 3, "b": 13}}
    operation = Operation(**options)
    assert {each["b"] for each in found(shop, {}, operation=operation)} == {8}
    assert operation.stats.keys_examined == 20
    with pytest.raises(MongoError) as refused:
        found(shop, {}, operation=Operation(min={"a": 1}))
    assert refused.value.code == 51173


def test_all_plans_tell_how_they_did(shop):
    shop.create_indexes([{"key": {"b": 1}, "name": "b_1"}])
    told = executed(shop, verbosity="allPlansExecution", filter={"a": 3, "b": {"$gt": 5}})
    assert told["queryPlanner"]["winningPlan"]["inputStage"]["indexName"] == "a_1_b_1"
    assert len(told["queryPlanner"]["rejectedPlans"]) == 1
    plans = told["executionStats"]["allPlansExecution"]
    assert len(plans) == 2 and plans[0]["score"] > plans[1]["score"] > 1


def test_writes_are_explained_and_not_done(shop):
    told = executed(shop, "update", updates=[{"q": {"a": 3}, "u": {"$set": {"z": 1}}, "multi": True}])
    stage = told["executionStats"]["executionStages"]
    assert (stage["stage"], stage["nMatched"], stage["nWouldModify"]) == ("UPDATE", 80, 80)
    stage = executed(shop, "delete", deletes=[{"q": {"a": 3}, "limit": 1}])["executionStats"]["executionStages"]
    assert (stage["stage"], stage["nWouldDelete"]) == ("DELETE", 1)
    assert shop.count({"z": 1}) == 0 and shop.count({"a": 3}) == 80


def test_hidden_sparse_and_partial_indexes_are_left_out_where_they_would_miss_documents():
    made = Engine(Clock()).collection("t", "c")
    made.insert_many([{"_id": n, **({"a": n} if n % 2 else {}), "c": n % 4} for n in range(20)])
    made.create_indexes([{"key": {"a": 1}, "name": "sparse", "sparse": True}])
    made.create_indexes([{"key": {"b": 1}, "name": "partial", "partialFilterExpression": {"c": {"$gte": 2}}}])
    assert stages_of(executed(made, filter={"a": None})["queryPlanner"]["winningPlan"]) == ["COLLSCAN"]
    assert stages_of(executed(made, filter={}, sort={"a": 1})["queryPlanner"]["winningPlan"]) == ["SORT", "COLLSCAN"]
    assert stages_of(executed(made, filter={"a": {"$gt": 3}})["queryPlanner"]["winningPlan"]) == ["FETCH", "IXSCAN"]
    assert stages_of(executed(made, filter={"b": None})["queryPlanner"]["winningPlan"]) == ["COLLSCAN"]
    assert stages_of(executed(made, filter={"b": None, "c": {"$gt": 2}})["queryPlanner"]["winningPlan"]) == ["FETCH", "IXSCAN"]
    made.engine.coll_mod("t", "c", {"index": {"name": "sparse", "hidden": True}})
    assert stages_of(executed(made, filter={"a": {"$gt": 3}})["queryPlanner"]["winningPlan"]) == ["COLLSCAN"]


def test_a_cursor_survives_what_is_written_meanwhile(shop):
    cursor = shop.find({"a": {"$gte": 0}}, operation=Operation(hint="a_1_b_1"))
    first = [next(cursor)["_id"] for _ in range(10)]
    shop.delete({"a": 0}, multi=True)
    shop.insert({"_id": 1000, "a": 4, "b": 99})
    rest = [each["_id"] for each in cursor]
    assert len(set(first + rest)) == len(first + rest) == 10 + 320 + 1


def test_a_regex_is_found_by_its_beginning_even_as_a_value(shop):
    shop.insert({"_id": "r", "name": Regex("^n1")})
    assert "r" in [each["_id"] for each in found(shop, {"name": {"$regex": "^n1"}})]


@pytest.mark.parametrize(("most", "index", "examined"), [(400, False, 3 + 400), (399, False, 3 + 3 * 400), (399, True, 3 + 3 * 80)])
def test_a_join_without_an_index_reads_a_large_collection_for_each_document(shop, monkeypatch, most, index, examined):
    monkeypatch.setattr(joining, "MOST_TO_HASH", most)
    people = shop.engine.collection("shop", "people")
    people.insert_many([{"_id": n, "likes": n} for n in range(3)])
    join = {"from": "orders", "localField": "likes", "foreignField": "a" if index else "o.x", "as": "found"}
    operation = Operation()
    found = list(people.aggregate([{"$lookup": join}], operation))
    assert [len(each["found"]) for each in found] == [80 if index else 1] * 3
    assert operation.stats.documents_examined == examined
