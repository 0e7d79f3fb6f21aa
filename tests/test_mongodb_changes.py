"""Change streams: events of a collection, a database, the cluster; resumed after a break; ended by a drop."""

import threading
import time

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from stores.mongodb import changes
from stores.mongodb.embedded import EmbeddedMongoDB
from stores.mongodb.oplog import LENGTH, Change, Oplog
from stores.mongodb.updates import description

SOON = {"max_await_time_ms": 50}  # how long to wait for an event that does not come


@pytest.fixture(scope="module")
def server():
    server = EmbeddedMongoDB()
    yield server
    server.stop()


@pytest.fixture
def client(server):
    server.reset()
    with MongoClient(server.url) as client:
        yield client


@pytest.fixture
def events(client):
    client.shop.create_collection("events")
    return client.shop.events


def kinds(stream, count):
    return [stream.next()["operationType"] for _ in range(count)]


def test_each_kind_of_change(events):
    with events.watch(**SOON) as stream:
        events.insert_one({"_id": 1, "n": 1})
        events.update_one({"_id": 1}, {"$set": {"n": 2}, "$unset": {"x": 1}})
        events.replace_one({"_id": 1}, {"n": 3})
        events.delete_one({"_id": 1})
        inserted, updated, replaced, deleted = (stream.next() for _ in range(4))
    assert inserted["fullDocument"] == {"_id": 1, "n": 1} and inserted["ns"] == {"db": "shop", "coll": "events"}
    assert isinstance(inserted["clusterTime"], Timestamp) and inserted["wallTime"]
    assert updated["updateDescription"] == {"updatedFields": {"n": 2}, "removedFields": [], "truncatedArrays": []}
    assert "fullDocument" not in updated and updated["documentKey"] == {"_id": 1}
    assert (replaced["operationType"], replaced["fullDocument"]) == ("replace", {"_id": 1, "n": 3})
    assert deleted["operationType"] == "delete" and "fullDocument" not in deleted


def test_what_changes_nothing_is_no_event(events):
    events.insert_one({"_id": 1, "n": 1})
    with events.watch(**SOON) as stream:
        events.update_one({"_id": 1}, {"$set": {"n": 1}})
        events.update_one({"_id": 2}, {"$set": {"n": 1}})
        assert stream.try_next() is None


def test_the_whole_document_is_that_of_now(events):
    events.insert_one({"_id": 1, "n": 1})
    with events.watch(full_document="updateLookup", **SOON) as stream:
        events.update_one({"_id": 1}, {"$inc": {"n": 1}})
        events.update_one({"_id": 1}, {"$inc": {"n": 1}})
        assert [stream.next()["fullDocument"]["n"] for _ in range(2)] == [3, 3]
        events.update_one({"_id": 1}, {"$inc": {"n": 1}})
        events.delete_one({"_id": 1})
        assert stream.next()["fullDocument"] is None


def test_documents_before_a_change(client):
    kept = client.shop.create_collection("kept", changeStreamPreAndPostImages={"enabled": True})
    kept.insert_one({"_id": 1, "n": 1})
    with kept.watch(full_document="required", full_document_before_change="required", **SOON) as stream:
        kept.update_one({"_id": 1}, {"$inc": {"n": 1}})
        kept.delete_one({"_id": 1})
        updated, deleted = stream.next(), stream.next()
    assert (updated["fullDocumentBeforeChange"]["n"], updated["fullDocument"]["n"]) == (1, 2)
    assert deleted["fullDocumentBeforeChange"]["n"] == 2


def test_documents_before_a_change_that_nobody_keeps(events):
    events.insert_one({"_id": 1})
    with events.watch(full_document_before_change="whenAvailable", **SOON) as stream:
        events.delete_one({"_id": 1})
        assert stream.next()["fullDocumentBeforeChange"] is None
    with events.watch(full_document_before_change="required", **SOON) as stream:
        events.insert_one({"_id": 1})
        assert stream.next()["operationType"] == "insert"
        events.delete_one({"_id": 1})
        with pytest.raises(OperationFailure, match="pre-image"):
            stream.next()


def test_a_pipeline_chooses_and_shapes(events):
    pipeline = [{"$match": {"operationType": "insert", "fullDocument.n": {"$gt": 1}}}, {"$addFields": {"big": True}}]
    with events.watch(pipeline, **SOON) as stream:
        events.insert_many([{"_id": n, "n": n} for n in range(4)])
        assert [(event["documentKey"]["_id"], event["big"]) for event in (stream.next(), stream.next())] == [(2, True), (3, True)]
        assert stream.try_next() is None


@pytest.mark.parametrize(("stage", "code"), [({"$group": {"_id": None}}, 20), ({"$nonsense": 1}, 40324)])
def test_stages_that_a_stream_cannot_have(events, stage, code):
    with pytest.raises(OperationFailure) as refused:
        events.watch([stage], **SOON)
    assert refused.value.code == code


def test_a_pipeline_may_not_touch_the_token(events):
    with events.watch([{"$addFields": {"_id": 1}}], **SOON) as stream:
        events.insert_one({})
        with pytest.raises(OperationFailure) as refused:
            stream.next()
    assert refused.value.code == 280 and refused.value.has_error_label("NonResumableChangeStreamError")


def test_a_database_and_the_cluster(client, events):
    with client.shop.watch(**SOON) as shop, client.watch(**SOON) as cluster:
        client.shop.other.insert_one({})
        client.elsewhere.things.insert_one({})
        events.insert_one({})
        assert [shop.next()["ns"]["coll"] for _ in range(2)] == ["other", "events"]
        assert shop.try_next() is None
        assert [cluster.next()["ns"]["db"] for _ in range(3)] == ["shop", "elsewhere", "shop"]


def test_a_drop_ends_the_stream_of_a_collection(client, events):
    with events.watch(**SOON) as stream, client.shop.watch(**SOON) as shop:
        events.insert_one({})
        events.drop()
        assert kinds(stream, 3) == ["insert", "drop", "invalidate"]
        with pytest.raises(StopIteration):
            stream.next()
        assert not stream.alive
        assert kinds(shop, 2) == ["insert", "drop"] and shop.try_next() is None and shop.alive


def test_a_rename_too(client, events):
    with events.watch(**SOON) as stream:
        events.rename("archive")
        renamed = stream.next()
        assert renamed["to"] == {"db": "shop", "coll": "archive"} and kinds(stream, 1) == ["invalidate"]


def test_a_rename_over_another_collection_is_one_event(client, events):
    client.shop.other.insert_one({})
    with client.shop.watch(show_expanded_events=True, **SOON) as stream, client.shop.other.watch(**SOON) as target:
        events.rename("other", dropTarget=True)
        event = stream.next()
        assert event["operationType"] == "rename" and "dropTarget" in event["operationDescription"]
        assert stream.try_next() is None
        assert kinds(target, 2) == ["rename", "invalidate"]


def test_dropping_the_database_ends_its_stream(client, events):
    with client.shop.watch(**SOON) as stream:
        client.drop_database("shop")
        assert kinds(stream, 3) == ["drop", "dropDatabase", "invalidate"]


def test_after_an_invalidate_one_starts_after(client, events):
    with events.watch(**SOON) as stream:
        events.drop()
        kinds(stream, 2)
        token = stream.resume_token
    with pytest.raises(OperationFailure) as refused:
        events.watch(resume_after=token, **SOON)
    assert refused.value.code == 260
    with events.watch(start_after=token, **SOON) as stream:
        events.insert_one({"_id": 1})
        assert stream.next()["documentKey"] == {"_id": 1}


def test_one_resumes_after_any_event(events):
    with events.watch(**SOON) as stream:
        events.insert_many([{"_id": n} for n in range(5)])
        tokens = [stream.next()["_id"] for _ in range(5)]
    assert tokens == sorted(tokens, key=lambda token: token["_data"])
    for number, token in enumerate(tokens[:-1]):
        with events.watch(resume_after=token, **SOON) as stream:
            assert stream.next()["documentKey"] == {"_id": number + 1}
    with events.watch(resume_after=tokens[-1], **SOON) as stream:
        assert stream.try_next() is None


def test_a_stream_without_events_has_a_token_too(client, events):
    with events.watch(**SOON) as stream:
        client.shop.other.insert_many([{} for _ in range(3)])
        assert stream.try_next() is None
        token = stream.resume_token
    events.insert_one({"_id": 1})
    with events.watch(resume_after=token, **SOON) as stream:
        assert stream.next()["documentKey"] == {"_id": 1}


def test_one_starts_at_a_time(client, events):
    time_before = client.admin.command("ping")["operationTime"]
    first = events.insert_one({"_id": 1})
    events.insert_one({"_id": 2})
    assert first.acknowledged
    with events.watch(start_at_operation_time=Timestamp(time_before.time, time_before.inc + 1), **SOON) as stream:
        assert [stream.next()["documentKey"]["_id"] for _ in range(2)] == [1, 2]


def test_the_driver_resumes_after_a_lost_connection(server, events):
    with events.watch(max_await_time_ms=100) as stream:
        events.insert_one({"_id": 1})
        assert stream.next()["documentKey"]["_id"] == 1
        with server.faults.drop_reply("getMore"):
            events.insert_one({"_id": 2})
            assert stream.next()["documentKey"]["_id"] == 2
        with server.faults.transient("getMore"):
            events.insert_one({"_id": 3})
            assert stream.next()["documentKey"]["_id"] == 3


def test_nonsense_is_no_token(events):
    for token in ({"_data": "82"}, {"_data": "nonsense"}, {"x": 1}):
        with pytest.raises(OperationFailure) as refused:
            events.watch(resume_after=token, **SOON)
        assert refused.value.code == 260


def test_what_is_forgotten_cannot_be_resumed(server, client, events):
    with events.watch(**SOON) as stream:
        events.insert_many([{}, {}])
        token = stream.next()["_id"]
    server.reset()
    with pytest.raises(OperationFailure) as lost:
        client.shop.events.watch(resume_after=token, **SOON)
    assert lost.value.code == 286


def test_a_transactions_changes_come_together_when_it_commits(client, events):
    with events.watch(**SOON) as stream, client.start_session() as session:
        session.start_transaction()
        events.insert_many([{"_id": 1}, {"_id": 2}], session=session)
        assert stream.try_next() is None
        session.commit_transaction()
        one, two = stream.next(), stream.next()
        assert one["clusterTime"] == two["clusterTime"] and one["_id"]["_data"] < two["_id"]["_data"]
        assert one["txnNumber"] == two["txnNumber"] and one["lsid"]["id"] == two["lsid"]["id"] == session.session_id["id"]
        session.start_transaction()
        events.insert_one({"_id": 3}, session=session)
        session.abort_transaction()
        assert stream.try_next() is None


def test_next_waits_for_what_comes(events):
    seen = []
    with events.watch(max_await_time_ms=5_000) as stream:
        waiting = threading.Thread(target=lambda: seen.append(stream.next()))
        waiting.start()
        time.sleep(0.05)
        began = time.monotonic()
        events.insert_one({"_id": 1})
        waiting.join(3)
        assert seen and time.monotonic() - began < 1


def test_an_upsert_is_an_insert_and_ttl_deletes_are_deletes(server, client, events):
    events.create_index("at", expireAfterSeconds=10)
    with events.watch(**SOON) as stream:
        events.update_one({"_id": 1}, {"$currentDate": {"at": True}}, upsert=True)
        assert kinds(stream, 1) == ["insert"]
        server.clock.advance(3600)
        client.admin.command("ping")
        assert kinds(stream, 1) == ["delete"]


def test_events_of_collections_on_demand(client):
    with client.shop.watch(show_expanded_events=True, **SOON) as stream:
        made = client.shop.create_collection("made")
        made.create_index("a")
        made.drop_index("a_1")
        assert kinds(stream, 3) == ["create", "createIndexes", "dropIndexes"]


# What changed: updateDescription.


def told(before, after, update=None):
    found = description(before, after, update)
    return found["updatedFields"], found["removedFields"], found["truncatedArrays"]


@pytest.mark.parametrize(
    ("before", "after", "update", "expected"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, {"$set": {"a": 2, "b": 3}}, ({"a": 2, "b": 3}, [], [])),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"$set": {"a.x": 2}}, ({"a.x": 2}, [], [])),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"$set": {"a": {"x": 2}}}, ({"a": {"x": 2}}, [], [])),
        ({}, {"a": {"b": 1}}, {"$set": {"a.b": 1}}, ({"a": {"b": 1}}, [], [])),
        ({"a": 1, "b": 2}, {"b": 2}, {"$unset": {"a": ""}}, ({}, ["a"], [])),
        ({"a": 1}, {"b": 1}, {"$rename": {"a": "b"}}, ({"b": 1}, ["a"], [])),
        ({"t": ["x"]}, {"t": ["x", "y"]}, {"$push": {"t": "y"}}, ({"t.1": "y"}, [], [])),
        ({"t": ["x", "y"]}, {"t": ["y"]}, {"$pull": {"t": "x"}}, ({"t": ["y"]}, [], [])),
        ({"t": [1, 2, 3]}, {"t": [1, 2]}, None, ({}, [], [{"field": "t", "newSize": 2}])),
        ({"t": [{"n": 1}, {"n": 2}]}, {"t": [{"n": 1}, {"n": 5}]}, {"$set": {"t.$[e].n": 5}}, ({"t.1.n": 5}, [], [])),
        ({"a": 1}, {"a": 1.0}, None, ({"a": 1.0}, [], [])),
    ],
)
def test_what_an_update_is_told_as(before, after, update, expected):
    assert told(before, after, update) == expected


names = st.sampled_from("abc")
plain = st.recursive(
    st.integers(0, 3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)


@given(st.dictionaries(names, plain, max_size=3), st.dictionaries(names, plain, max_size=3))
def test_a_description_leads_from_before_to_after(before, after):
    """Apply what is told to the document before, step by step: the outcome is the document after."""
    found = description(before, after)
    document = copied(before)
    for path in found["removedFields"]:
        parent, last = walk(document, path)
        del parent[last]
    for each in found["truncatedArrays"]:
        parent, last = walk(document, each["field"])
        del parent[last][each["newSize"] :]
    for path, value in found["updatedFields"].items():
        parent, last = walk(document, path)
        if isinstance(parent, list) and last == len(parent):
            parent.append(value)
        else:
            parent[last] = value
    assert document == after


def walk(document, path):
    *steps, last = path.split(".")
    for step in steps:
        document = document[int(step) if isinstance(document, list) else step]
    return document, int(last) if isinstance(document, list) else last


def copied(value):
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


times = st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
places = st.tuples(times, st.integers(0, 2**32 - 1), st.sampled_from([changes.EVENT, changes.INVALIDATE]))


@given(places, places)
def test_tokens_come_back_and_sort_as_events(one, other):
    assert changes.parse_token(changes.token(*one)) == one
    assert (changes.token(*one)["_data"] < changes.token(*other)["_data"]) == (one < other)


class Still:
    """A clock that stands still."""

    def now(self):
        return 1_000_000.0


def test_the_oplog_forgets_the_oldest_and_keeps_its_positions():
    oplog = Oplog(Still())
    for number in range(2 * LENGTH + 1):
        oplog.add(Change("insert", "shop", "events", {"_id": number}))
    assert oplog.end == 2 * LENGTH + 1 and oplog.end - oplog.first == LENGTH
    assert oplog[oplog.first].key == {"_id": LENGTH + 1} and oplog.forgotten == Timestamp(1_000_000, LENGTH + 2)
