"""Indexes: what may be created, what unique ones refuse and how, what listIndexes and the numbers say."""

import datetime
import threading

import pytest
from bson import Decimal128, ObjectId
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Operation


@pytest.fixture
def people():
    return Engine(Clock()).collection("t", "people")


def index(collection, key, **options):
    name = options.pop("name", "_".join(f"{path}_{way}" for path, way in key.items()))
    return collection.create_indexes([{"key": key, "name": name, **options}])


def refused(function, *arguments, **options):
    with pytest.raises(MongoError) as error:
        function(*arguments, **options)
    return error.value


# --- unique


def test_a_duplicate_key_tells_index_pattern_and_value(people):
    index(people, {"email": 1}, unique=True)
    people.insert({"_id": 1, "email": "a@b.c"})
    error = refused(people.insert, {"_id": 2, "email": "a@b.c"})
    assert error.code == 11000
    assert error.message == 'E11000 duplicate key error collection: t.people index: email_1 dup key: { email: "a@b.c" }'
    assert error.details == {"keyPattern": {"email": 1}, "keyValue": {"email": "a@b.c"}}


def test_the_id_is_unique_across_types_of_numbers(people):
    people.insert({"_id": 1})
    error = refused(people.insert, {"_id": 1.0})
    assert error.message == "E11000 duplicate key error collection: t.people index: _id_ dup key: { _id: 1.0 }"
    refused(people.insert, {"_id": Decimal128("1")})
    people.insert({"_id": True})
    people.insert({"_id": {"a": 1, "b": 2}})
    people.insert({"_id": {"b": 2, "a": 1}})
    assert people.count({}) == 4


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (ObjectId("65a000000000000000000000"), "ObjectId('65a000000000000000000000')"),
        (None, "null"),
        (1.5, "1.5"),
        (True, "true"),
        (datetime.datetime(1970, 1, 1, 0, 0, 1), "new Date(1000)"),
        ({"x": [1, "y"]}, '{ x: [ 1, "y" ] }'),
    ],
)
def test_keys_are_printed_as_mongodb_prints_them(people, value, shown):
    index(people, {"k": 1}, unique=True)
    people.insert({"k": value})
    assert refused(people.insert, {"k": value}).message.endswith(f"dup key: {{ k: {shown} }}")


def test_unique_compound_multikey_sparse_and_partial(people):
    index(people, {"a": 1, "b": -1}, unique=True)
    index(people, {"tags": 1}, unique=True, sparse=True)
    index(people, {"mail": 1}, unique=True, partialFilterExpression={"active": True})
    people.insert({"_id": 1, "a": 1, "b": 1, "tags": ["x", "x", "y"], "mail": "m", "active": True})
    error = refused(people.insert, {"_id": 2, "a": 1, "b": 1})
    assert error.details == {"keyPattern": {"a": 1, "b": -1}, "keyValue": {"a": 1, "b": 1}}
    error = refused(people.insert, {"_id": 2, "a": 2, "tags": ["z", "y"]})
    assert error.message.endswith('index: tags_1 dup key: { tags: "y" }')
    people.insert({"_id": 2, "a": 2, "mail": "m", "active": False})
    assert refused(people.update, {"_id": 2}, {"$set": {"active": True}}).code == 11000
    people.insert({"_id": 3, "a": 3})  # neither tags nor an active mail
    assert refused(people.insert, {"_id": 4, "a": 3}).message.endswith("dup key: { a: 3, b: null }")
    assert people.validate()["valid"]


def test_a_missing_field_counts_as_null_in_a_unique_index(people):
    index(people, {"k": 1}, unique=True)
    people.insert({"_id": 1})
    assert refused(people.insert, {"_id": 2, "k": None}).message.endswith("dup key: { k: null }")


def test_a_unique_index_over_duplicates_is_not_created(people):
    people.insert_many([{"_id": 1, "k": 5}, {"_id": 2, "k": 5}])
    assert refused(index, people, {"k": 1}, unique=True).code == 11000
    assert [each["name"] for each in people.list_indexes()] == ["_id_"]


def test_a_refused_update_changes_nothing(people):
    index(people, {"k": 1}, unique=True)
    people.insert_many([{"_id": 1, "k": 1}, {"_id": 2, "k": 2}])
    assert refused(people.update, {"_id": 2}, {"$set": {"k": 1, "z": 1}}).code == 11000
    assert list(people.find({"_id": 2})) == [{"_id": 2, "k": 2}]
    assert people.update({"_id": 2}, {"$set": {"k": 2}}).modified == 0


def test_unique_with_a_collation_ignores_case(people):
    index(people, {"name": 1}, unique=True, collation={"locale": "en", "strength": 2})
    people.insert({"name": "Ann"})
    assert refused(people.insert, {"name": "ANN"}).code == 11000
    people.insert({"name": "Änn"})
    same = Operation(collation={"locale": "en", "strength": 2})
    assert [each["name"] for each in people.find({"name": "ann"}, operation=same)] == ["Ann"]
    assert same.stats.documents_examined == 1
    plain = Operation()
    assert list(people.find({"name": "ann"}, operation=plain)) == [] and plain.stats.documents_examined == 2


def test_insert_many_ordered_and_unordered(people):
    documents = [{"_id": 1}, {"_id": 1}, {"_id": 2}]
    assert people.insert_many([dict(each) for each in documents])[0] == 1
    inserted, errors = people.insert_many([{"_id": 3}, {"_id": 3}, {"_id": 4}], ordered=False)
    assert inserted == 2 and [(position, error.code) for position, error in errors] == [(1, 11000)]


def test_writes_of_many_threads_are_atomic(people):
    index(people, {"k": 1}, unique=True)
    people.insert({"_id": "n", "n": 0})
    won, barrier = [], threading.Barrier(8)

    def work(number):
        barrier.wait()
        for turn in range(25):
            people.update({"_id": "n"}, {"$inc": {"n": 1}})
            try:
                people.insert({"_id": (number * 100 + turn), "k": turn})
                won.append(turn)
            except MongoError as error:
                assert error.code == 11000
            people.find_and_modify({"_id": "n"}, update={"$inc": {"m": 1}}, new=True)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert next(people.find({"_id": "n"})) == {"_id": "n", "n": 200, "m": 200}
    assert sorted(won) == list(range(25))


# --- what may be created


@pytest.mark.parametrize(
    ("key", "options", "code", "words"),
    [
        ({}, {"name": "x"}, 67, "empty object"),
        ({"a": 0}, {}, 67, "cannot be 0"),
        ({"a": "geo"}, {}, 67, "Unknown index plugin 'geo'"),
        ({"a": True}, {}, 67, "cannot be of type bool"),
        ({"a..b": 1}, {}, 67, "empty"),
        ({"$a": 1}, {}, 67, "starts with '$'"),
        ({"a": 1}, {"unknown": 1}, 197, "unknown"),
        ({"_id": 1}, {"unique": True, "name": "_id_"}, 197, "unique"),
        ({"a": 1}, {"sparse": True, "partialFilterExpression": {"a": 1}}, 67, "cannot mix"),
        ({"a": 1}, {"partialFilterExpression": {"a": {"$ne": 1}}}, 67, "not supported in partial index"),
        ({"a": 1, "b": 1}, {"expireAfterSeconds": 5}, 67, "single-field"),
        ({"a": 1}, {"expireAfterSeconds": "5"}, 67, "numeric"),
        ({"a": 1}, {"expireAfterSeconds": -1}, 67, "acceptable range"),
        ({"a": "hashed"}, {"unique": True}, 16764, "hashed"),
        ({"a": "text"}, {"weights": {"a": 0}}, 67, "weight"),
    ],
)
def test_what_mongodb_refuses_is_refused(people, key, options, code, words):
    error = refused(index, people, key, **options)
    assert error.code == code and words in error.message


def test_conflicts_of_names_and_keys(people):
    assert index(people, {"a": 1}) == (1, 2)
    assert index(people, {"a": 1}) == (2, 2)  # the same again is no error
    error = refused(index, people, {"a": 1}, name="other")
    assert (error.code, error.message) == (85, "Index already exists with a different name: a_1")
    assert refused(index, people, {"b": 1}, name="a_1").code == 86
    assert refused(index, people, {"a": 1}, unique=True).code == 86
    assert refused(index, people, {"a": 1}, expireAfterSeconds=5).code == 85
    assert index(people, {"a": -1}) == (2, 3)
    assert index(people, {"a": 1}, name="a_unique", unique=True) == (3, 4)


def test_several_indexes_are_created_together_or_not_at_all(people):
    specs = [{"key": {"a": 1}, "name": "a_1"}, {"key": {"b": 0}, "name": "b_0"}]
    assert refused(people.create_indexes, specs).code == 67
    people.insert_many([{"k": 1}, {"k": 1}])
    specs = [{"key": {"a": 1}, "name": "a_1"}, {"key": {"k": 1}, "name": "k_1", "unique": True}]
    assert refused(people.create_indexes, specs).code == 11000
    assert [each["name"] for each in people.list_indexes()] == ["_id_"]


def test_at_most_64_indexes(people):
    for number in range(63):
        index(people, {f"f{number}": 1})
    assert refused(index, people, {"one_more": 1}).code == 67


def test_listing_and_dropping(people):
    assert refused(people.list_indexes).code == 26
    index(people, {"a": 1, "b": -1}, unique=True, background=False)
    index(people, {"at": 1}, expireAfterSeconds=60)
    index(people, {"title": "text", "body": "text"}, weights={"title": 5}, name="words")
    assert people.list_indexes() == [
        {"v": 2, "key": {"_id": 1}, "name": "_id_"},
        {"v": 2, "key": {"a": 1, "b": -1}, "name": "a_1_b_-1", "unique": True},
        {"v": 2, "key": {"at": 1}, "name": "at_1", "expireAfterSeconds": 60},
        {
            "v": 2, "key": {"_fts": "text", "_ftsx": 1}, "name": "words", "weights": {"body": 1, "title": 5},
            "default_language": "english", "language_override": "language", "textIndexVersion": 3,
        },
    ]  # fmt: skip
    assert refused(people.drop_indexes, "_id_").code == 72
    assert refused(people.drop_indexes, "nope").message == "index not found with name [nope]"
    assert refused(people.drop_indexes, {"z": 1}).code == 27
    assert people.drop_indexes({"a": 1, "b": -1}) == 4
    assert people.drop_indexes("*") == 3
    assert [each["name"] for each in people.list_indexes()] == ["_id_"]


def test_parallel_arrays_cannot_be_indexed(people):
    index(people, {"a": 1, "b": 1})
    error = refused(people.insert, {"a": [1], "b": [2]})
    assert error.code == 171 and "parallel arrays" in error.message
    people.insert({"items": [{"a": 1, "b": 1}]})
    index(people, {"items.a": 1, "items.b": 1})
    people.insert({"_id": 1, "items": [{"a": 1, "b": 2}, {"a": 2, "b": 1}]})
    operation = Operation(hint="items.a_1_items.b_1")
    wanted = {"items": {"$elemMatch": {"a": 1, "b": 2}}}
    assert [each["_id"] for each in people.find(wanted, operation=operation)] == [1]
    assert operation.stats.keys_examined == 1


def test_hashed_indexes_find_equal_values_only(people):
    index(people, {"k": "hashed"})
    people.insert_many([{"_id": n, "k": n} for n in range(50)])
    operation = Operation()
    assert [each["_id"] for each in people.find({"k": 7.0}, operation=operation)] == [7]
    assert operation.stats.documents_examined == 1
    operation = Operation()
    assert len(list(people.find({"k": {"$gt": 40}}, operation=operation))) == 9
    assert operation.stats.keys_examined == 0
    assert refused(people.insert, {"k": [1]}).code == 16766


def test_wildcard_indexes_serve_any_path(people):
    people.insert_many([{"_id": n, "attributes": {"size": n % 10, "color": {"name": f"c{n % 4}"}}, "z": n} for n in range(100)])
    index(people, {"attributes.$**": 1})
    for filter, count in (({"attributes.size": 3}, 10), ({"attributes.color.name": "c1"}, 25), ({"attributes.size": {"$gt": 7}}, 20)):
        operation = Operation()
        assert len(list(people.find(filter, operation=operation))) == count
        assert operation.stats.documents_examined == count
    operation = Operation()
    list(people.find({"z": 3}, operation=operation))
    assert operation.stats.keys_examined == 0
    error = refused(index, people, {"$**": 1, "a": 1})
    assert error.code == 67 and "not in the embedded engine" in error.message


def test_places_must_be_places(people):
    index(people, {"at": "2dsphere"})
    people.insert({"at": {"type": "Point", "coordinates": [13.4, 52.5]}})
    people.insert({"_id": "nowhere"})
    assert refused(people.insert, {"at": {"type": "Point", "coordinates": [200, 0]}}).code == 16755
    assert refused(people.insert, {"at": "Berlin"}).code == 16755
    assert people.count({}) == 2


def test_the_use_of_indexes_is_counted(people):
    index(people, {"a": 1})
    people.insert_many([{"a": n} for n in range(5)])
    for _ in range(3):
        list(people.find({"a": 2}))
    context = people.engine.context("t", "people", Operation())
    used = {each["name"]: each["accesses"]["ops"] for each in context.index_stats()}
    assert used == {"_id_": 0, "a_1": 3}


def test_the_numbers_of_a_collection(people):
    index(people, {"a": 1})
    people.insert_many([{"_id": n, "a": n} for n in range(10)])
    told = people.stats()
    assert (told["count"], told["nindexes"], set(told["indexSizes"])) == (10, 2, {"_id_", "a_1"})
    assert told["size"] == 10 * told["avgObjSize"] > 0
    people.delete({}, multi=True)
    assert (people.stats()["count"], people.stats()["size"]) == (0, 0)


# --- incremental upkeep


class Upkeep(RuleBasedStateMachine):
    """Whatever is written, every index has exactly the keys of the documents."""

    def __init__(self):
        super().__init__()
        self.collection = Engine(Clock()).collection("t", "c")
        self.model = {}
        index(self.collection, {"a": 1, "b": -1})
        index(self.collection, {"l.x": 1}, sparse=True)
        index(self.collection, {"b": 1}, name="partial", partialFilterExpression={"a": {"$gt": 1}})
        index(self.collection, {"u": 1}, unique=True, sparse=True)

    bodies = st.fixed_dictionaries(
        {},
        optional={
            "a": st.integers(0, 3),
            "b": st.lists(st.integers(0, 2), max_size=2) | st.none(),
            "l": st.lists(st.fixed_dictionaries({}, optional={"x": st.integers(0, 2)}), max_size=2),
            "u": st.integers(0, 5),
        },
    )

    def _is_free(self, body, but=None):
        return "u" not in body or all(each.get("u") != body["u"] for key, each in self.model.items() if key != but)

    @rule(key=st.integers(0, 6), body=bodies)
    def insert(self, key, body):
        try:
            self.collection.insert({"_id": key, **body})
        except MongoError as error:
            assert error.code == 11000 and (key in self.model or not self._is_free(body))
        else:
            self.model[key] = body

    @rule(key=st.integers(0, 6), body=bodies)
    def replace(self, key, body):
        try:
            told = self.collection.update({"_id": key}, body)
        except MongoError as error:
            assert error.code == 11000 and not self._is_free(body, key)
        else:
            assert told.matched == (key in self.model)
            if told.matched:
                self.model[key] = body

    @rule(a=st.integers(0, 3))
    def raise_many(self, a):
        self.collection.update({"a": a}, {"$inc": {"a": 1}}, multi=True)
        for key, body in self.model.items():
            if body.get("a") == a:
                self.model[key] = {**body, "a": a + 1}

    @rule(a=st.integers(0, 3))
    def delete_many(self, a):
        gone = [key for key, body in self.model.items() if body.get("a") == a]
        assert self.collection.delete({"a": a}, multi=True) == len(gone)
        for key in gone:
            del self.model[key]

    @invariant()
    def the_documents_are_there_and_indexed(self):
        assert {each["_id"]: {k: v for k, v in each.items() if k != "_id"} for each in self.collection.find({})} == self.model
        assert self.collection.validate()["valid"]


TestUpkeep = Upkeep.TestCase
TestUpkeep.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
