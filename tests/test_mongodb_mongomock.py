"""mongomock in this process beside the embedded MongoDB behind its port: the same calls of PyMongo's interface, the same answers.

mongomock evaluates filters, updates and pipelines by code of its own, of which the embedded server uses nothing (only its stores hold
the documents). So the two are independent where mongomock is right. What it lacks or has wrong is left out of what is generated:
comparisons across types and with null, $pop where there is no array, $addToSet in $group (it takes "" for null), $group with _id null
of no documents (it gives one).
"""

from datetime import datetime

import mongomock
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import ASCENDING, DESCENDING, MongoClient, ReturnDocument
from pymongo.errors import DuplicateKeyError

from stores.mongodb.embedded import EmbeddedMongoDB

NUMBERS = st.integers(-3, 6)
WORDS = st.sampled_from(["ab", "abc", "b", "ba", ""])
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {"o": st.fixed_dictionaries({"x": NUMBERS, "y": WORDS})},
        optional={
            "n": NUMBERS,
            "s": WORDS,
            "tags": st.lists(WORDS, max_size=3),
            "on": st.booleans(),
            "at": st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3)).map(lambda at: at.replace(microsecond=0)),
        },
    ),
    max_size=8,
).map(lambda made: [{"_id": number, **document} for number, document in enumerate(made)])


def comparisons(values):
    return st.one_of(
        values,
        st.dictionaries(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), values, min_size=1, max_size=2),
        st.lists(values, max_size=3).flatmap(lambda chosen: st.sampled_from([{"$in": chosen}, {"$nin": chosen}])),
        st.booleans().map(lambda there: {"$exists": there}),
    )


CONDITIONS = st.one_of(
    *(comparisons(NUMBERS).map(lambda asked, path=path: {path: asked}) for path in ("n", "o.x", "_id")),
    *(comparisons(WORDS).map(lambda asked, path=path: {path: asked}) for path in ("s", "o.y")),
    comparisons(NUMBERS).map(lambda asked: {"n": {"$not": asked if isinstance(asked, dict) else {"$eq": asked}}}),
    st.sampled_from(["^a", "b$", "^.$", "A"]).map(lambda pattern: {"s": {"$regex": pattern}}),
    WORDS.map(lambda word: {"tags": word}),
    st.lists(WORDS, min_size=1, max_size=2).map(lambda words: {"tags": {"$all": words}}),
    st.integers(0, 3).map(lambda size: {"tags": {"$size": size}}),
    st.booleans().map(lambda on: {"on": on}),
    st.just({"at": {"$gte": datetime(2026, 1, 2)}}),
)
FILTERS = st.one_of(
    st.just({}),
    CONDITIONS,
    st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(CONDITIONS, min_size=1, max_size=3)).map(lambda pair: dict([pair])),
)
UPDATES = st.one_of(
    st.tuples(st.sampled_from(["$set", "$inc", "$max", "$min", "$setOnInsert"]), st.sampled_from(["n", "o.x", "new", "p.q"]), NUMBERS),
    st.tuples(st.just("$set"), st.sampled_from(["s", "o.y"]), WORDS),
    st.tuples(st.just("$unset"), st.sampled_from(["n", "o.x", "tags", "nowhere"]), st.just("")),
    st.tuples(st.sampled_from(["$push", "$addToSet", "$pull"]), st.just("tags"), WORDS),
    st.tuples(st.just("$push"), st.just("tags"), st.lists(WORDS, min_size=1, max_size=3).map(lambda words: {"$each": words})),
    st.tuples(st.just("$rename"), st.just("s"), st.just("renamed")),
).map(lambda parts: {parts[0]: {parts[1]: parts[2]}})
STAGES = st.one_of(
    FILTERS.map(lambda asked: {"$match": asked}),
    st.sampled_from([
        {"$sort": {"o.x": 1, "_id": 1}}, {"$sort": {"_id": -1}}, {"$limit": 3}, {"$skip": 1}, {"$unwind": "$tags"},
        {"$project": {"n": 1, "o.x": 1}}, {"$addFields": {"more": {"$add": ["$o.x", 1]}}}, {"$project": {"tags": 0}},
        {"$addFields": {"big": {"$cond": [{"$gt": ["$o.x", 2]}, "yes", "no"]}}}, {"$addFields": {"y": {"$concat": ["$o.y", "!"]}}},
    ]),
)  # fmt: skip
GROUPS = st.sampled_from([
    {"_id": "$o.y", "sum": {"$sum": "$o.x"}, "most": {"$max": "$o.x"}, "least": {"$min": "$o.x"}, "number": {"$sum": 1}},
    {"_id": "$o.x", "mean": {"$avg": "$_id"}, "all": {"$push": "$_id"}, "first": {"$first": "$_id"}},
])  # fmt: skip
WAYS = st.sampled_from([ASCENDING, DESCENDING])
SLOWLY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def embedded():
    server = EmbeddedMongoDB()
    with MongoClient(server.url) as client:
        yield client.overlap.things
    server.stop()


@pytest.fixture
def both(embedded):
    """A function that returns the two collections, filled with the documents."""

    def fill(documents):
        embedded.drop()
        pair = embedded, mongomock.MongoClient().overlap.things
        for collection in pair:
            if documents:
                collection.insert_many(documents)
        return pair

    return fill


@given(DOCUMENTS, FILTERS, st.sampled_from([None, {"n": 1}, {"_id": 0, "o.x": 1}, {"tags": 0}]))
@SLOWLY
def test_filters_find_the_same(both, documents, asked, shown):
    ours, theirs = both(documents)
    assert list(ours.find(asked, shown)) == list(theirs.find(asked, shown))
    assert ours.count_documents(asked) == theirs.count_documents(asked)


@given(DOCUMENTS, FILTERS, st.sampled_from(["n", "s", "o.x", "at"]), WAYS, st.integers(0, 3), st.integers(0, 4))
@SLOWLY
def test_sorted_pages_are_the_same(both, documents, asked, path, way, skip, limit):
    ours, theirs = ([*c.find(asked).sort([(path, way), ("_id", 1)]).skip(skip).limit(limit)] for c in both(documents))
    assert ours == theirs


@given(DOCUMENTS, FILTERS, UPDATES)
@SLOWLY
def test_updates_leave_the_same(both, documents, asked, change):
    ours, theirs = both(documents)
    one, other = ours.update_many(asked, change), theirs.update_many(asked, change)
    assert one.matched_count == other.matched_count
    assert list(ours.find()) == list(theirs.find())


@given(DOCUMENTS, st.lists(STAGES, max_size=3), st.none() | GROUPS)
@SLOWLY
def test_pipelines_give_the_same(both, documents, stages, group):
    pipeline = [*stages, {"$group": group}] if group else stages
    ours, theirs = (list(c.aggregate(pipeline)) for c in both(documents))
    if group:  # the order of groups is nobody's promise
        ours, theirs = (sorted(found, key=lambda each: str(each["_id"])) for found in (ours, theirs))
    assert ours == theirs


@given(DOCUMENTS, FILTERS, st.booleans())
@SLOWLY
def test_single_documents_are_taken_the_same(both, documents, asked, after):
    order, when = [("o.x", -1), ("_id", 1)], ReturnDocument.AFTER if after else ReturnDocument.BEFORE
    changed, deleted, left, distinct = zip(
        *(
            (
                c.find_one_and_update(asked, {"$inc": {"o.x": 1}}, sort=order, return_document=when),
                c.find_one_and_delete(asked, sort=order),
                list(c.find()),
                sorted(c.distinct("o.x")),
            )
            for c in both(documents)
        ),
        strict=True,
    )
    assert changed[0] == changed[1] and deleted[0] == deleted[1] and left[0] == left[1] and distinct[0] == distinct[1]


def test_unique_indexes_refuse_the_same(both):
    for collection in both([{"_id": 1, "n": 1}]):
        collection.create_index("n", unique=True)
        with pytest.raises(DuplicateKeyError) as refused:
            collection.insert_one({"n": 1})
        assert refused.value.code == 11000
        assert collection.index_information()["n_1"]["key"] == [("n", 1)] and collection.index_information()["n_1"]["unique"]
