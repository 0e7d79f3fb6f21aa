"""The engine's collections: limits, validators, TTL, capped collections, views, time series, listings, the oplog."""

import datetime

import mongomock
import pytest
from bson import ObjectId, Timestamp

from stores.base import Clock
from stores.mongodb.engine import Engine
from stores.mongodb.errors import MongoError
from stores.mongodb.operation import Operation

NOW = datetime.datetime(2024, 5, 1, 12)


class FixedClock(Clock):
    """A clock that stands at NOW but for advance()."""

    def now(self):
        return (NOW - datetime.datetime(1970, 1, 1)).total_seconds() + self._offset


@pytest.fixture
def engine():
    return Engine(FixedClock())


@pytest.fixture
def logs(engine):
    return engine.collection("app", "logs")


def refused(function, *arguments, **options):
    with pytest.raises(MongoError) as error:
        function(*arguments, **options)
    return error.value


def changes_of(engine):
    return [engine.oplog[position] for position in range(engine.oplog.first, engine.oplog.end)]


def ids(collection, filter=None):
    collection.engine.sweep()
    return [each["_id"] for each in collection.find(filter or {})]


# --- documents


def test_an_id_is_made_and_stands_first(logs):
    logs.insert({"a": 1})
    logs.insert({"a": 1, "_id": "x"})
    first, second = logs.find({})
    assert isinstance(first["_id"], ObjectId) and list(second) == ["_id", "a"]


@pytest.mark.parametrize(("document", "code"), [({"_id": [1]}, 2), ({"_id": {"$a": 1}}, 52), ({"a": "x" * 17_000_000}, 10334)])
def test_what_cannot_be_stored(logs, document, code):
    assert refused(logs.insert, document).code == code
    assert logs.count({}) == 0


def test_sixteen_megabytes_are_the_limit_also_after_an_update(logs):
    logs.insert({"_id": 1, "a": "x" * (16 * 2**20 - 100)})
    error = refused(logs.update, {"_id": 1}, {"$set": {"b": "y" * 200}})
    assert error.code == 17419 and "larger than 16777216" in error.message
    assert "b" not in next(logs.find({}))


def test_a_hundred_levels_are_the_limit(logs):
    def nested(levels):
        document = {"v": "x" * 300}
        for _ in range(levels - 1):
            document = {"n": document}
        return document

    logs.insert(nested(100))
    assert refused(logs.insert, nested(101)).code == 15


def test_an_empty_timestamp_becomes_now(logs):
    logs.insert({"_id": 1, "t": Timestamp(0, 0)})
    assert next(logs.find({}))["t"].time == int(logs.engine.clock.now())


def test_an_update_that_changes_nothing_modifies_nothing(logs):
    logs.insert({"_id": 1, "n": 1})
    assert logs.update({"_id": 1}, {"$set": {"n": 1}}) == (1, 0, False, None)
    assert logs.update({"_id": 1}, {"$set": {"n": 1.0}}).modified == 1
    assert [each.operation for each in changes_of(logs.engine)] == ["create", "insert", "update"]


def test_upserts(logs):
    told = logs.update({"_id": 5, "k": "a"}, {"$set": {"n": 1}}, upsert=True)
    assert (told.matched, told.modified, told.upserted, told.upserted_id) == (0, 0, True, 5)
    assert list(logs.find({})) == [{"_id": 5, "k": "a", "n": 1}]
    told = logs.find_and_modify({"k": "b"}, update={"$inc": {"n": 2}}, upsert=True, new=True)
    assert told.upserted and (told.value["k"], told.value["n"]) == ("b", 2)


def test_find_and_modify(logs):
    logs.insert_many([{"_id": n, "n": n} for n in range(3)])
    assert logs.find_and_modify({}, sort={"n": -1}, update={"$inc": {"n": 10}}).value == {"_id": 2, "n": 2}
    assert logs.find_and_modify({"_id": 2}, update={"$inc": {"n": 1}}, new=True, projection={"_id": 0}).value == {"n": 13}
    assert logs.find_and_modify({}, sort={"n": 1}, remove=True).value == {"_id": 0, "n": 0}
    assert logs.find_and_modify({"_id": 99}, remove=True) == (None, False, False, None)


# --- TTL


def at(seconds):
    return NOW + datetime.timedelta(seconds=seconds)


@pytest.mark.parametrize("way", [1, -1])
def test_documents_go_at_their_time_to_the_millisecond(engine, logs, way):
    logs.create_indexes([{"key": {"at": way}, "name": "ttl", "expireAfterSeconds": 60}])
    logs.insert_many(
        [{"_id": 1, "at": NOW}, {"_id": 2, "at": at(30)}, {"_id": 3}, {"_id": 4, "at": "no date"}, {"_id": 5, "at": None}]
    )
    engine.clock.advance(59.999)
    assert ids(logs) == [1, 2, 3, 4, 5]
    engine.clock.advance(0.002)
    assert ids(logs) == [2, 3, 4, 5]
    engine.clock.advance(1_000_000)
    assert ids(logs) == [3, 4, 5]
    assert [each.key["_id"] for each in changes_of(engine) if each.operation == "delete"] == [1, 2]


def test_zero_seconds_arrays_and_col_mod(engine, logs):
    logs.create_indexes([{"key": {"until": 1}, "name": "ttl", "expireAfterSeconds": 0}])
    logs.insert_many([{"_id": 1, "until": at(10)}, {"_id": 2, "until": [at(100), at(5)]}, {"_id": 3, "until": at(500)}])
    engine.clock.advance(5.001)
    assert ids(logs) == [1, 3]
    engine.clock.advance(5)
    assert ids(logs) == [3]
    told = engine.coll_mod("app", "logs", {"index": {"keyPattern": {"until": 1}, "expireAfterSeconds": 1000}})
    assert told == {"expireAfterSeconds_old": 0, "expireAfterSeconds_new": 1000}
    engine.clock.advance(1400)
    assert ids(logs) == [3]
    engine.clock.advance(100)
    assert ids(logs) == []


def test_ttl_with_a_partial_filter(engine, logs):
    logs.create_indexes([{"key": {"at": 1}, "name": "ttl", "expireAfterSeconds": 1, "partialFilterExpression": {"level": "debug"}}])
    logs.insert_many([{"_id": 1, "at": NOW, "level": "debug"}, {"_id": 2, "at": NOW, "level": "error"}])
    engine.clock.advance(2)
    assert ids(logs) == [2]


# --- capped


def test_a_capped_collection_keeps_the_newest(engine):
    engine.create_collection("app", "ring", {"capped": True, "size": 100_000, "max": 3})
    ring = engine.collection("app", "ring")
    assert ring.capped and engine.list_collections("app")[0]["options"] == {"capped": True, "size": 100_096, "max": 3}
    documents, position = ring.tail()
    assert documents == []
    for n in range(5):
        ring.insert({"_id": n})
    assert ids(ring) == [2, 3, 4]
    documents, position = ring.tail()
    assert [each["_id"] for each in documents] == [2, 3, 4]
    ring.insert({"_id": 5})
    documents, later = ring.tail(position)
    assert [each["_id"] for each in documents] == [5] and ring.tail(later) == ([], later)
    for n in range(6, 12):
        ring.insert({"_id": n})
    assert refused(ring.tail, position).code == 136
    assert [each["_id"] for each in ring.find({}, operation=Operation(hint={"$natural": -1}))] == [11, 10, 9]


def test_a_capped_collection_by_size(engine):
    engine.create_collection("app", "ring", {"capped": True, "size": 4096})
    ring = engine.collection("app", "ring")
    ring.insert_many([{"_id": n, "text": "x" * 100} for n in range(100)])
    assert ring.stats()["size"] <= 4096 and ids(ring)[-1] == 99
    assert refused(ring.update, {"_id": 99}, {"$set": {"text": "y"}}).code == 10003
    assert ring.update({"_id": 99}, {"$set": {"text": "y" * 100}}).modified == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"capped": True}, 72),
        ({"size": 100}, 72),
        ({"capped": True, "size": 0}, 2),
        ({"unknown": 1}, 40415),
        ({"validationLevel": "soft"}, 2),
        ({"pipeline": []}, 72),
        ({"timeseries": {}}, 40414),
        ({"expireAfterSeconds": 5}, 72),
        ({"clusteredIndex": {"key": {"a": 1}, "unique": True}}, 197),
    ],
)
def test_options_that_are_refused(engine, options, code):
    assert refused(engine.create_collection, "app", "c", options).code == code
    assert not engine.exists("app", "c")


# --- validators

SCHEMA = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["name", "age"],
        "properties": {"name": {"bsonType": "string", "description": "its name"}, "age": {"bsonType": "int", "minimum": 0}},
    }
}


def test_a_schema_says_what_is_wrong(engine):
    engine.create_collection("app", "users", {"validator": SCHEMA})
    users = engine.collection("app", "users")
    users.insert({"_id": 1, "name": "a", "age": 3})
    error = refused(users.insert, {"_id": 2, "name": 5})
    assert (error.code, error.message) == (121, "Document failed validation")
    info = error.details["errInfo"]
    assert info["failingDocumentId"] == 2 and info["details"]["operatorName"] == "$jsonSchema"
    assert info["details"]["schemaRulesNotSatisfied"] == [
        {"operatorName": "required", "specifiedAs": {"required": ["name", "age"]}, "missingProperties": ["age"]},
        {
            "operatorName": "properties",
            "propertiesNotSatisfied": [
                {
                    "propertyName": "name",
                    "description": "its name",
                    "details": [
                        {
                            "operatorName": "bsonType",
                            "specifiedAs": {"bsonType": "string"},
                            "reason": "type did not match",
                            "consideredValue": 5,
                            "consideredType": "int",
                        }
                    ],
                }
            ],
        },
    ]
    assert refused(users.update, {"_id": 1}, {"$set": {"age": -1}}).code == 121
    assert users.insert({"_id": 2}, Operation(bypass_validation=True)) is None


def test_a_query_validates_too(engine, logs):
    logs.insert({"_id": 0, "n": -1})
    engine.coll_mod("app", "logs", {"validator": {"n": {"$gte": 0}}})
    error = refused(logs.insert, {"_id": 1, "n": -5})
    assert error.details["errInfo"]["details"] == {
        "operatorName": "$gte", "specifiedAs": {"n": {"$gte": 0}}, "reason": "comparison failed", "consideredValue": -5,
    }  # fmt: skip
    assert refused(logs.update, {"_id": 0}, {"$set": {"m": 1}}).code == 121
    engine.coll_mod("app", "logs", {"validationLevel": "moderate"})
    assert logs.update({"_id": 0}, {"$set": {"m": 1}}).modified == 1
    assert refused(logs.insert, {"_id": 2, "n": -5}).code == 121
    engine.coll_mod("app", "logs", {"validationAction": "warn"})
    logs.insert({"_id": 2, "n": -5})
    assert logs.validate()["nNonCompliantDocuments"] == 2


# --- views and time series


def test_views(engine, logs):
    logs.insert_many([{"_id": n, "level": "error" if n % 2 else "info", "n": n} for n in range(6)])
    engine.create_collection("app", "errors", {"viewOn": "logs", "pipeline": [{"$match": {"level": "error"}}]})
    engine.create_collection("app", "late", {"viewOn": "errors", "pipeline": [{"$match": {"n": {"$gt": 2}}}]})
    late = engine.collection("app", "late")
    assert ids(late) == [3, 5] and ids(late, {"n": 5}) == [5]
    assert late.count({}) == 2 and late.distinct("n") == [3, 5]
    assert [each["_id"] for each in late.find({}, sort={"n": -1}, limit=1)] == [5]
    assert refused(late.insert, {"_id": 9}).code == 166
    assert refused(late.create_indexes, [{"key": {"a": 1}, "name": "a_1"}]).code == 166
    assert refused(engine.create_collection, "app", "logs", {"viewOn": "late", "pipeline": []}).code == 48
    engine.create_collection("app", "x", {"viewOn": "y", "pipeline": []})
    assert refused(engine.create_collection, "app", "y", {"viewOn": "x", "pipeline": []}).name == "GraphContainsCycle"
    kinds = {each["name"]: each["type"] for each in engine.list_collections("app")}
    assert kinds == {"logs": "collection", "errors": "view", "late": "view", "x": "view"}


def test_time_series(engine):
    engine.create_collection("app", "weather", {"timeseries": {"timeField": "ts", "metaField": "sensor"}, "expireAfterSeconds": 60})
    weather = engine.collection("app", "weather")
    (listed,) = engine.list_collections("app")
    assert listed["type"] == "timeseries"
    assert listed["options"]["timeseries"] == {
        "timeField": "ts",
        "metaField": "sensor",
        "granularity": "seconds",
        "bucketMaxSpanSeconds": 3600,
    }
    assert refused(weather.insert, {"sensor": 1}).code == 2
    weather.insert_many([{"_id": 1, "ts": NOW, "sensor": 1}, {"_id": 2, "ts": at(50), "sensor": 1}])
    weather.insert({"_id": 2, "ts": at(55), "v": 1})  # measurements need no _id of their own
    assert len(list(weather.find({"_id": 2}))) == 2
    engine.clock.advance(61)
    assert ids(weather) == [2, 2]
    assert [each["name"] for each in weather.list_indexes()] == ["_id_"]


def test_a_clustered_collection_lies_in_the_order_of_its_ids(engine):
    engine.create_collection("app", "sorted", {"clusteredIndex": {"key": {"_id": 1}, "unique": True}})
    made = engine.collection("app", "sorted")
    made.insert_many([{"_id": 3}, {"_id": 1}, {"_id": 2}])
    assert [each["_id"] for each in made.find({})] == [1, 2, 3]
    assert [each["_id"] for each in made.find({}, sort={"$natural": -1})] == [3, 2, 1]


def test_a_collection_made_capped_keeps_its_youngest(engine, logs):
    logs.insert_many([{"_id": n, "text": "x" * 100} for n in range(10)])
    logs.create_indexes([{"key": {"n": 1}, "name": "n_1"}])
    engine.convert_to_capped("app", "logs", 512)
    assert [each["_id"] for each in logs.find({})] == [6, 7, 8, 9]
    assert logs.capped and [each["name"] for each in logs.list_indexes()] == ["_id_"]
    logs.insert({"_id": 10, "text": "x" * 100})
    assert [each["_id"] for each in logs.find({})] == [7, 8, 9, 10]
    engine.coll_mod("app", "logs", {"cappedMax": 2})
    assert [each["_id"] for each in logs.find({})] == [9, 10]


def test_a_clustered_collection_expires_by_its_id(engine):
    engine.create_collection("app", "by_time", {"clusteredIndex": {"key": {"_id": 1}, "unique": True}, "expireAfterSeconds": 60})
    made = engine.collection("app", "by_time")
    made.insert_many([{"_id": NOW}, {"_id": at(30)}])
    engine.clock.advance(61)
    assert ids(made) == [at(30)]
    assert made.list_indexes() == [{"v": 2, "key": {"_id": 1}, "name": "_id_", "unique": True, "clustered": True}]
    assert refused(made.insert, {"_id": at(30)}).code == 11000


# --- names, listings, the oplog


def test_collections_come_and_go(engine, logs):
    assert not engine.exists("app", "logs") and engine.database_names() == []
    logs.insert({"_id": 1})
    logs.create_indexes([{"key": {"a": 1}, "name": "a_1"}])
    assert engine.exists("app", "logs") and engine.database_names() == ["app"]
    engine.create_collection("app", "logs", {})  # the same options again
    assert refused(engine.create_collection, "app", "logs", {"capped": True, "size": 1000}).code == 48
    engine.rename("app", "logs", "other", "renamed")
    moved = engine.collection("other", "renamed")
    assert ids(moved) == [1] and ids(logs) == [] and len(moved.list_indexes()) == 2
    assert refused(moved.insert, {"_id": 1}).message.startswith("E11000 duplicate key error collection: other.renamed index")
    logs.insert({"_id": 2})
    assert refused(engine.rename, "app", "logs", "other", "renamed").code == 48
    assert refused(engine.rename, "app", "nothing", "app", "x").code == 26
    engine.rename("app", "logs", "other", "renamed", drop_target=True)
    assert ids(moved) == [2]
    engine.drop_database("other")
    assert engine.database_names() == []


@pytest.mark.parametrize("name", ["", ".a", "a.", "a$b", "a..b", "x" * 300])
def test_bad_names(engine, name):
    assert refused(engine.collection("app", name).insert, {"_id": 1}).code == 73


def test_the_oplog_tells_everything_once(engine, logs):
    logs.insert({"_id": 1, "n": 1})
    logs.update({"_id": 1}, {"$inc": {"n": 1}})
    logs.update({"_id": 1}, {"m": 1})
    logs.create_indexes([{"key": {"n": 1}, "name": "n_1"}])
    logs.delete({"_id": 1})
    engine.drop_collection("app", "logs")
    changes = changes_of(engine)
    assert [each.operation for each in changes] == ["create", "insert", "update", "replace", "createIndexes", "delete", "drop"]
    assert (changes[2].before, changes[2].after, changes[2].update) == ({"_id": 1, "n": 1}, {"_id": 1, "n": 2}, {"$inc": {"n": 1}})
    assert changes[5].before == {"_id": 1, "m": 1}


def test_mongomock_itself_works_on_the_same_data(engine, logs):
    logs.create_indexes([{"key": {"n": 1}, "name": "n_1", "unique": True}])
    logs.insert_many([{"_id": n, "n": n} for n in range(5)])
    theirs = mongomock.MongoClient(_store=engine.data)["app"]["logs"]
    assert theirs.count_documents({"n": {"$gt": 2}}) == 2 and theirs.find_one({"_id": 3}) == {"_id": 3, "n": 3}
    theirs.insert_one({"_id": 9, "n": 9})
    assert list(logs.find({"n": 9})) == [{"_id": 9, "n": 9}] and logs.validate()["valid"]
    assert set(theirs.index_information()) == {"_id_", "n_1"}


def test_twelve_thousand_documents_are_nothing_special(logs):
    import time

    logs.create_indexes([{"key": {"n": 1}, "name": "n_1"}])
    began = time.process_time()
    logs.insert_many([{"_id": n, "n": n, "text": "some text"} for n in range(12_000)])
    assert time.process_time() - began < 12_000 / 3_000, "expected at least 3,000 inserts a second"
    operation = Operation()
    for n in range(0, 12_000, 1_000):
        assert [each["_id"] for each in logs.find({"n": n}, operation=operation)] == [n]
        assert [each["n"] for each in logs.find({"_id": n}, operation=operation)] == [n]
    assert operation.stats.documents_examined == 24
