"""The kinds of index beside the ordinary one, and collations: they too never change what is found."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Operation
from stores.mongodb.planner.nodes import above

small = st.integers(0, 3)
inner = st.fixed_dictionaries({}, optional={"x": small | st.lists(small, max_size=2), "y": small | st.none()})
documents = st.lists(
    st.fixed_dictionaries(
        {}, optional={"a": small | inner | st.lists(inner | small, max_size=2), "b": small | st.text("ab", max_size=2)}
    ),
    max_size=10,
)
values = small | st.none() | st.text("ab", max_size=1) | inner
conditions = st.one_of(
    values,
    st.builds(lambda op, v: {op: v}, st.sampled_from(["$gt", "$lte", "$ne", "$eq"]), small),
    st.builds(lambda v: {"$in": v}, st.lists(values, max_size=3)),
    st.builds(lambda v: {"$exists": v}, st.booleans()),
    st.just({"$type": "number"}),
)
filters = st.dictionaries(st.sampled_from(["a", "b", "a.x", "a.y", "a.0", "a.1.x"]), conditions, min_size=1, max_size=2)
KINDS = [
    [{"key": {"$**": 1}, "name": "all"}],
    [{"key": {"a.$**": -1}, "name": "below"}],
    [{"key": {"$**": 1}, "name": "some", "wildcardProjection": {"b": 1}}],
    [{"key": {"b": "hashed"}, "name": "hashed"}],
    [{"key": {"a": 1, "b": "hashed"}, "name": "mixed"}],
]


def collection():
    return Engine(Clock()).collection("t", "c")


def ids(made, filter, **options):
    return sorted(each["_id"] for each in made.find(filter, operation=Operation(**options)))


@given(st.sampled_from(KINDS), documents, filters)
@settings(max_examples=300, deadline=None)
def test_wildcard_and_hashed_indexes_never_change_what_is_found(specs, docs, filter):
    made = collection()
    made.create_indexes(specs)
    for number, document in enumerate(docs):
        try:
            made.insert({"_id": number, **document})
        except MongoError as error:  # a hashed field with an array
            assert error.code == 16766
    assert ids(made, filter) == ids(made, filter, hint={"$natural": 1})


words = st.lists(st.sampled_from(["coffee", "Coffees", "tea", "cakes", "the", "café", "running"]), max_size=4).map(" ".join)


@given(
    st.lists(st.fixed_dictionaries({}, optional={"t": words, "u": st.lists(words, max_size=2)}), max_size=8),
    words,
    st.sampled_from(["", " -tea", ' "tea cakes"']),
)
@settings(max_examples=150, deadline=None)
def test_a_text_index_finds_what_has_a_score(docs, search, more):
    made = collection()
    made.create_indexes([{"key": {"t": "text", "u": "text"}, "name": "words", "weights": {"t": 3}}])
    made.insert_many([{"_id": number, **document} for number, document in enumerate(docs)])
    operand = {"$search": search + more}
    score = made.engine.context("t", "c", Operation()).text_search("t", "c", operand)
    wanted = [each["_id"] for each in made.find({}) if score(each)]
    operation = Operation()
    assert sorted(each["_id"] for each in made.find({"$text": operand}, operation=operation)) == wanted
    assert operation.stats.documents_examined <= len(docs)


places = st.tuples(st.integers(-5, 5), st.integers(-5, 5)).map(list)


@pytest.mark.parametrize("kind", ["2dsphere", "2d"])
@given(st.lists(places, max_size=12), places, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_places_are_found_near_and_within(kind, points, center, radius):
    made = collection()
    made.create_indexes([{"key": {"at": kind}, "name": "at"}])
    made.insert_many([{"_id": number, "at": point} for number, point in enumerate(points)])
    made.insert({"_id": "nowhere"})
    region = {"at": {"$geoWithin": {"$center": [center, radius]}}}
    assert set(ids(made, region)) == {n for n, (x, y) in enumerate(points) if (x - center[0]) ** 2 + (y - center[1]) ** 2 <= radius**2}
    near = [each["at"] for each in made.find({"at": {"$near": center}} if kind == "2d" else {"at": {"$nearSphere": center}})]
    assert sorted(near) == sorted(points)
    if kind == "2d":
        far = [(x - center[0]) ** 2 + (y - center[1]) ** 2 for x, y in near]
        assert far == sorted(far)


names = st.text("aAäÄbB", max_size=2)


@given(st.lists(names, max_size=8), names, st.sampled_from([1, 2, 3]))
@settings(max_examples=200, deadline=None)
def test_an_index_with_a_collation_finds_and_sorts_as_a_scan_does(docs, name, strength):
    rules = {"locale": "en", "strength": strength}
    made = collection()
    made.create_indexes([{"key": {"n": 1}, "name": "folded", "collation": rules}, {"key": {"n": 1}, "name": "plain"}])
    made.insert_many([{"_id": number, "n": each} for number, each in enumerate(docs)])
    for filter in ({"n": name}, {"n": {"$gte": name}}, {"n": {"$in": [name, "a"]}}):
        for collation in (rules, None):
            assert ids(made, filter, collation=collation) == ids(made, filter, collation=collation, hint={"$natural": 1})

    def order(**options):
        return [
            each["_id"]
            for each in made.find({"n": {"$gte": ""}}, sort={"n": 1, "_id": 1}, operation=Operation(collation=rules, **options))
        ]

    assert order() == order(hint={"$natural": 1})


def test_a_collation_of_the_collection_is_the_default():
    engine = Engine(Clock())
    engine.create_collection("t", "c", {"collation": {"locale": "en", "strength": 2}})
    made = engine.collection("t", "c")
    made.create_indexes([{"key": {"n": 1}, "name": "n_1", "unique": True}])
    made.insert({"_id": "A", "n": "x"})
    assert made.list_indexes()[1]["collation"]["strength"] == 2
    assert ids(made, {"n": "X"}) == ["A"] and ids(made, {"_id": "a"}) == ["A"]
    assert ids(made, {"n": "X"}, collation={"locale": "simple"}) == []
    with pytest.raises(MongoError) as refused:
        made.insert({"_id": "a", "n": "y"})
    assert refused.value.code == 11000


def test_a_collation_of_another_alphabet_is_refused():
    with pytest.raises(MongoError, match="not in the embedded engine"):
        list(collection().find({"n": "a"}, operation=Operation(collation={"locale": "sv"})))


def test_sorting_needs_memory(monkeypatch):
    made = collection()
    made.insert_many([{"_id": n, "text": "x" * 1000} for n in range(50)])
    monkeypatch.setattr(above, "MOST_SORT_BYTES", 10_000)
    with pytest.raises(MongoError, match="Sort exceeded memory limit of 10000 bytes") as refused:
        list(made.find({}, sort={"text": 1}, operation=Operation(allow_disk=False)))
    assert refused.value.code == 292
    assert len(list(made.find({}, sort={"text": 1}, limit=5, operation=Operation(allow_disk=False)))) == 5
    told = made.explain("find", {"filter": {}, "sort": {"text": 1}}, "executionStats")
    assert told["executionStats"]["executionStages"]["usedDisk"] is True


def test_a_plan_by_text_is_explained():
    made = collection()
    made.create_indexes([{"key": {"t": "text"}, "name": "t_text"}])
    made.insert_many([{"t": "red apple"}, {"t": "green pear"}])
    told = made.explain("find", {"filter": {"$text": {"$search": "apples"}}}, "executionStats")
    assert told["queryPlanner"]["winningPlan"]["stage"] == "TEXT_MATCH"
    assert (told["executionStats"]["totalKeysExamined"], told["executionStats"]["totalDocsExamined"]) == (1, 1)


def test_near_needs_a_geo_index():
    made = collection()
    made.insert({"at": [1, 2]})
    with pytest.raises(MongoError) as refused:
        list(made.find({"at": {"$near": [0, 0]}}))
    assert refused.value.code == 291
