"""The planner: whatever the index, the documents are the same; what was looked at is what MongoDB would look at."""

import datetime
import itertools

import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.indexes.keystring import encode, invert
from stores.mongodb.operation import Operation
from stores.mongodb.ordering import sort_key

IDS = [ObjectId(bytes([n] * 12)) for n in range(3)]
DATES = [datetime.datetime(2024, 1, day) for day in (1, 2, 3)]
scalars = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -1.5, 2.0, float("nan"), float("inf"), Decimal128("2"), Decimal128("0.1"), Int64(2**53 + 1), 2.0**53]),
    st.sampled_from(["", "a", "ab", "abc", "b", "B", "ä"]),
    st.none(),
    st.booleans(),
    st.sampled_from(IDS + DATES),
    st.sampled_from([b"x", b"xy", MinKey(), MaxKey()]),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2), max_leaves=4
)
small = st.integers(0, 3)
documents = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "a": values,
            "b": small | values,
            "c": small,
            "d": st.lists(st.fixed_dictionaries({}, optional={"x": small, "y": small | values}), max_size=3) | small,
        },
    ),
    max_size=12,
)
PATHS = ("a", "b", "c", "d.x", "d.y", "a.x", "d.0.x")


@st.composite
def conditions(draw):
    kind = draw(st.sampled_from(["eq", "range", "in", "ne", "nin", "exists", "not", "regex", "two", "all", "element", "type", "mod"]))
    value = draw(small | values)
    match kind:
        case "eq":
            return value
        case "range":
            return {draw(st.sampled_from(["$gt", "$gte", "$lt", "$lte"])): value}
        case "in" | "nin":
            return {"$" + kind: draw(st.lists(small | values, max_size=3))}
        case "ne":
            return {"$ne": value}
        case "exists":
            return {"$exists": draw(st.booleans())}
        case "not":
            return (
                {"$not": {draw(st.sampled_from(["$gt", "$lte", "$eq", "$in"])): value}} if not isinstance(value, list) else {"$ne": 1}
            )
        case "regex":
            return {
                "$regex": draw(st.sampled_from(["^a", "^ab", "b$", "^a.*", "^", "a|b", "^A"])),
                "$options": draw(st.sampled_from(["", "i"])),
            }
        case "two":
            return {"$gte": draw(small), "$lt": draw(small)}
        case "all":
            return {"$all": draw(st.lists(small, min_size=1, max_size=2))}
        case "element":
            return draw(
                st.sampled_from(
                    [
                        {"$elemMatch": {"$gt": 0, "$lt": 3}},
                        {"$elemMatch": {"x": {"$gte": 1}, "y": {"$lt": 3}}},
                        {"$elemMatch": {"x": 1}},
                    ]
                )
            )
        case "type":
            return {"$type": draw(st.sampled_from(["number", "string", "null", "object", "array", "bool", "double"]))}
    return {"$mod": [2, draw(st.integers(0, 1))]}


def ok(condition):
    inner = condition.get("$not", {}) if isinstance(condition, dict) else {}
    return not (isinstance(inner, dict) and "$in" in inner and not isinstance(inner["$in"], list))


leaves = st.dictionaries(st.sampled_from(PATHS), conditions().filter(ok), min_size=1, max_size=3)
filters = st.one_of(
    leaves,
    st.builds(lambda a, b: {"$or": [a, b]}, leaves, leaves),
    st.builds(lambda a, b, c: {**a, "$or": [b, c]}, leaves, leaves, leaves),
    st.builds(lambda a, b: {"$and": [a, b]}, leaves, leaves),
)
directions = st.sampled_from([1, -1])
patterns = st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True).flatmap(
    lambda paths: st.tuples(*[st.tuples(st.just(path), directions) for path in paths]).map(dict)
)
indexes = st.lists(
    st.tuples(patterns, st.sampled_from([{}, {}, {}, {"sparse": True}, {"partialFilterExpression": {"c": {"$gt": 0}}}])), max_size=4
)


def collection(docs, specs):
    made = Engine(Clock()).collection("t", "c")
    made.create_indexes([{"key": {"_id": 1}, "name": "_id_"}])
    for pattern, options in specs:
        name = "_".join(f"{path}_{way}" for path, way in pattern.items()) + "_".join(options)
        try:
            made.create_indexes([{"key": pattern, "name": name, **options}])
        except MongoError as error:  # the same index twice
            assert error.code in (85, 86)
    for number, document in enumerate(docs):
        try:
            made.insert({"_id": number, **document})
        except MongoError as error:  # a compound index over two arrays; a number that is ambiguous
            assert error.code in (171, 16746)
    return made


def found(made, filter, **options):
    return list(made.find(filter, **options))


@given(documents, indexes, filters)
@settings(max_examples=400, deadline=None)
def test_an_index_never_changes_what_is_found(docs, specs, filter):
    made = collection(docs, specs)
    scan = found(made, filter, operation=Operation(hint={"$natural": 1}))
    planned = Operation()
    assert sorted(each["_id"] for each in found(made, filter, operation=planned)) == sorted(each["_id"] for each in scan)
    if "$or" not in filter:  # whose branches may each look at the same document, as in MongoDB
        assert planned.stats.documents_examined <= made.count({})
    for name in [index["name"] for index in made.list_indexes() if "sparse" not in index and "partialFilterExpression" not in index]:
        hinted = found(made, filter, operation=Operation(hint=name))
        assert [each["_id"] for each in scan] == sorted(each["_id"] for each in hinted), name


@given(
    documents,
    indexes,
    leaves,
    st.lists(st.tuples(st.sampled_from(PATHS[:-1]), directions), min_size=1, max_size=2),
    st.integers(0, 3),
    st.integers(0, 5),
)
@settings(max_examples=300, deadline=None)
def test_an_index_never_changes_the_order(docs, specs, filter, sort, skip, limit):
    made = collection(docs, specs)
    order = {**dict(sort), "_id": 1}
    scan = found(made, filter, sort=order, operation=Operation(hint={"$natural": 1}))
    for name in [None] + [
        index["name"] for index in made.list_indexes() if "sparse" not in index and "partialFilterExpression" not in index
    ]:
        planned = found(made, filter, sort=order, skip=skip, limit=limit, operation=Operation(hint=name))
        assert planned == (scan[skip : skip + limit] if limit else scan[skip:])


@given(documents, indexes, leaves)
@settings(max_examples=150, deadline=None)
def test_counting_and_distinct_agree_with_finding(docs, specs, filter):
    made = collection(docs, specs)
    scan = found(made, filter, operation=Operation(hint={"$natural": 1}))
    assert made.count(filter) == len(scan)
    for path in ("c", "b", "d.x"):
        plain = made.distinct(path, filter, Operation(hint={"$natural": 1}))
        assert [encode(each) for each in made.distinct(path, filter)] == [encode(each) for each in plain]


@given(values, values)
@settings(max_examples=600, deadline=None)
def test_keys_sort_as_values_do(a, b):
    one, other = encode(a), encode(b)
    assert (one < other) == (sort_key(a) < sort_key(b)) and (one == other) == (sort_key(a) == sort_key(b))
    assert (invert(one) > invert(other)) == (one < other)


numbers = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20).map(
        lambda d: Decimal128(str(d))
    ),
)


@given(numbers, numbers)
@settings(max_examples=600, deadline=None)
def test_numbers_sort_across_their_types(a, b):
    assert (encode(a) < encode(b)) == (sort_key(a) < sort_key(b)) and (encode(a) == encode(b)) == (sort_key(a) == sort_key(b))


# --- what is examined


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
