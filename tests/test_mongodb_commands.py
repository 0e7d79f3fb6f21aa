"""MongoDB's commands as a client meets them: answers, errors with MongoDB's codes, cursors, collections, diagnostics."""

import pytest
from bson import Int64, ObjectId
from pymongo import CursorType, DeleteMany, DeleteOne, InsertOne, MongoClient, ReplaceOne, UpdateMany, UpdateOne
from pymongo.errors import (
    BulkWriteError,
    ClientBulkWriteException,
    CollectionInvalid,
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    WriteError,
)

from stores.mongodb.commands.registry import COMMANDS
from stores.mongodb.embedded import EmbeddedMongoDB


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
def shop(client):
    return client.shop


@pytest.fixture
def events(shop):
    shop.events.insert_many([{"_id": number, "n": number} for number in range(10)])
    return shop.events


def refused(attempt):
    """Return (code, message) of the error that the server answers."""
    with pytest.raises(OperationFailure) as error:
        attempt()
    return error.value.code, error.value.details.get("errmsg", str(error.value))


# Cursors.


def test_batches(server, events):
    with server.record() as log:
        assert len(list(events.find(batch_size=3))) == 10
    assert [command.name for command in log.commands] == ["FIND", "GETMORE", "GETMORE", "GETMORE"]
    assert [operation.returned for operation in log.operations] == [3, 3, 3, 1]
    assert (log.returned, log.documents_examined, log.round_trips) == (10, 10, 4)


def test_the_first_batch_has_101_documents(server, shop):
    shop.many.insert_many([{"_id": number} for number in range(250)])
    with server.record() as log:
        list(shop.many.find())
    assert [operation.returned for operation in log.operations] == [101, 149]


def test_a_batch_has_at_most_16_mb(server, shop):
    shop.large.insert_many([{"_id": number, "text": "x" * 3_000_000} for number in range(12)])
    with server.record() as log:
        assert len(list(shop.large.find())) == 12
    assert [operation.returned for operation in log.operations] == [5, 5, 2]


def test_a_limit_needs_no_further_question(server, events):
    with server.record() as log:
        assert len(list(events.find(limit=4, batch_size=4))) == 4
        assert len(list(events.find(limit=-4))) == 4
    assert log.count("getMore") == 0


def test_cursors_end_after_ten_minutes(server, client, events):
    cursor, kept = events.find(batch_size=2), events.find(batch_size=2, no_cursor_timeout=True)
    next(cursor), next(kept)
    server.clock.advance(601)
    client.admin.command("ping")
    with pytest.raises(CursorNotFound):
        list(cursor)
    assert len(list(kept)) == 9
    assert client.admin.command("serverStatus")["metrics"]["cursor"]["timedOut"] == 1


def test_a_closed_cursor_is_gone(server, client, events):
    cursor = events.find(batch_size=2)
    next(cursor)
    assert client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] == 1
    cursor.close()
    assert client.admin.command("serverStatus")["metrics"]["cursor"]["open"]["total"] == 0


def test_kill_cursors_tells_which(shop, events):
    reply = shop.command("find", "events", batchSize=2)
    id_ = reply["cursor"]["id"]
    killed = shop.command("killCursors", "events", cursors=[Int64(id_), Int64(7)])
    assert (killed["cursorsKilled"], killed["cursorsNotFound"]) == ([id_], [7])
    assert refused(lambda: shop.command("getMore", Int64(id_), collection="events"))[0] == 43


def test_a_cursor_belongs_to_its_collection(client, shop, events):
    id_ = shop.command("find", "events", batchSize=2)["cursor"]["id"]
    assert refused(lambda: shop.command("getMore", Int64(id_), collection="other"))[0] == 13


@pytest.mark.parametrize("end", ["drop", "rename", "drop the database"])
def test_a_cursor_ends_with_its_collection(client, events, end):
    cursor = events.find(batch_size=2)
    next(cursor)
    {"drop": events.drop, "rename": lambda: events.rename("other"), "drop the database": lambda: client.drop_database("shop")}[end]()
    with pytest.raises(CursorNotFound):
        list(cursor)


def test_exhaust_cursors_are_sent_without_being_asked(server, events):
    with server.record() as log:
        assert len(list(events.find(cursor_type=CursorType.EXHAUST, batch_size=2))) == 10
    assert log.count("getMore") == 1  # the others come by themselves


def test_tailable_cursors_go_on_where_they_were(shop):
    log = shop.create_collection("log", capped=True, size=100_000)
    log.insert_many([{"_id": 1}, {"_id": 2}])
    cursor = log.find(cursor_type=CursorType.TAILABLE_AWAIT).max_await_time_ms(100)
    assert [next(cursor)["_id"], next(cursor)["_id"]] == [1, 2]
    log.insert_one({"_id": 3})
    assert next(cursor)["_id"] == 3 and cursor.alive
    with pytest.raises(StopIteration):
        next(cursor)
    assert cursor.alive
    log.insert_one({"_id": 4})
    assert next(cursor)["_id"] == 4


def test_tailable_needs_a_capped_collection(events):
    assert refused(lambda: next(events.find(cursor_type=CursorType.TAILABLE)))[0] == 2


def test_a_cursor_reads_on_while_others_write(events):
    cursor = events.find(batch_size=2).sort("_id", 1)
    first = [next(cursor) for _ in range(2)]
    events.delete_many({"n": {"$gt": 5}})
    events.insert_one({"_id": 99})
    assert len(first + list(cursor)) >= 6


# Commands in general.


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ({"find": "events", "nonsense": 1}, 40415, "BSON field 'find.nonsense' is an unknown field."),
        ({"find": "events", "filter": "x"}, 14, "BSON field 'find.filter' is the wrong type 'string', expected type 'object'"),
        ({"find": "events", "limit": -1}, 51024, "BSON field 'limit' value must be >= 0, actual value '-1'"),
        ({"find": ""}, 73, "Invalid namespace specified 'shop.'"),
        ({"find": 7}, 73, "collection name has invalid type int"),
        ({"insert": "events"}, 40414, "BSON field 'insert.documents' is missing but a required field"),
        ({"insert": "events", "documents": []}, 16, None),
        ({"aggregate": "events", "pipeline": []}, 9, None),
        ({"aggregate": "events", "pipeline": [{"$match": {}, "$limit": 1}], "cursor": {}}, 40323, None),
        ({"aggregate": "events", "pipeline": [{"$nonsense": 1}], "cursor": {}}, 40324, None),
        ({"delete": "events", "deletes": [{"q": {}, "limit": 2}]}, 9, None),
        ({"findAndModify": "events", "query": {}}, 9, "Either an update or remove=true must be specified"),
        ({"listDatabases": 1}, 13, "listDatabases may only be run against the admin database."),
        ({"listIndexes": "nothing"}, 26, "ns does not exist: shop.nothing"),
        ({"dropIndexes": "nothing", "index": "*"}, 26, "ns not found shop.nothing"),
        ({"collMod": "nothing"}, 26, None),
        ({"getMore": Int64(1), "collection": "events"}, 43, "cursor id 1 not found"),
        ({"explain": {"ping": 1}}, 20, None),
        ({"ping": 1, "apiVersion": "2"}, 322, None),
        ({"serverStatus": 1, "apiVersion": "1", "apiStrict": True}, 323, None),
        ({"find": "events", "readConcern": {"level": "nonsense"}}, 2, None),
        ({"createUser": "me", "pwd": "x", "roles": []}, 115, None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_refused_as_mongodb_does(shop, command, code, message):
    found = refused(lambda: shop.command(command))
    assert found[0] == code
    assert message in (None, found[1])


def test_what_the_engine_lacks_is_told(client):
    code, message = refused(lambda: client.admin.command("replSetStepDown", 60))
    assert code == 115 and "not in the embedded engine" in message


def test_every_command_is_described():
    for spec in COMMANDS.values():
        assert spec.handler.__doc__, spec.name


def test_a_time_limit_holds_against_a_slow_server(server, events):
    with server.faults.delay(0.1, "find"), pytest.raises(ExecutionTimeout) as late:
        events.find_one({}, max_time_ms=20)
    assert late.value.code == 50
    assert events.find_one({"_id": 1}, max_time_ms=2_000) == {"_id": 1, "n": 1}


@pytest.mark.parametrize(
    "work",
    [
        lambda events: list(events.find({"$expr": {"$gt": [SLOW, 0]}}, max_time_ms=20)),
        lambda events: list(events.aggregate([{"$group": {"_id": None, "sum": {"$sum": SLOW}}}], maxTimeMS=20)),
        lambda events: list(events.aggregate([{"$limit": 1}, {"$lookup": JOINED}], maxTimeMS=20)),
        lambda events: events.count_documents({"$expr": {"$gt": [SLOW, 0]}}, maxTimeMS=20),
        lambda events: list(events.find({"$expr": {"$gt": [SLOW, 0]}}, batch_size=1, max_time_ms=200)),  # in all batches together
    ],
)
def test_a_time_limit_holds_while_documents_are_looked_at(events, work):
    events.insert_many([{"n": n} for n in range(3_000)])
    with pytest.raises(ExecutionTimeout) as late:
        work(events)
    assert late.value.code == 50 and "exceeded time limit" in str(late.value)
    assert len(list(events.find({}, max_time_ms=30_000))) > 3_000


# Some milliseconds of work for each document.
SLOW = {"$reduce": {"input": {"$range": [0, 1_000]}, "initialValue": 0, "in": {"$add": ["$$value", "$n"]}}}
JOINED = {"from": "events", "let": {"n": "$n"}, "pipeline": [{"$match": {"$expr": {"$gt": [SLOW, "$$n"]}}}], "as": "joined"}


def test_variables_are_values_of_expressions(events):
    found = events.find({"$expr": {"$eq": ["$n", "$$wanted"]}}, let={"wanted": {"$add": [3, 4]}})
    assert [each["_id"] for each in found] == [7]
    (shown,) = events.aggregate([{"$match": {"n": 1}}, {"$project": {"told": "$$text"}}], let={"text": {"$literal": "$bar"}})
    assert shown["told"] == "$bar"
    events.update_one({"_id": 1}, [{"$set": {"n": "$$twice"}}], let={"twice": {"$multiply": [2, 50]}})
    assert events.find_one({"_id": 1})["n"] == 100


def test_a_result_that_is_too_large(shop):
    shop.large.insert_many([{"text": "x" * 6_000_000} for _ in range(3)])
    assert refused(lambda: list(shop.large.aggregate([{"$group": {"_id": None, "all": {"$push": "$text"}}}])))[0] == 10334


# Writes.


def test_the_shape_of_a_duplicate_key_error(events):
    events.create_index("n", unique=True)
    with pytest.raises(DuplicateKeyError) as found:
        events.insert_one({"_id": "x", "n": 3})
    details = found.value.details
    assert (details["keyPattern"], details["keyValue"], details["code"]) == ({"n": 1}, {"n": 3}, 11000)
    assert details["errmsg"] == "E11000 duplicate key error collection: shop.events index: n_1 dup key: { n: 3 }"
    with pytest.raises(DuplicateKeyError) as found:
        events.find_one_and_update({"_id": 1}, {"$set": {"n": 3}})
    assert found.value.details["keyValue"] == {"n": 3}


def test_ordered_and_unordered_bulks(events):
    requests = [InsertOne({"_id": 20}), InsertOne({"_id": 1}), InsertOne({"_id": 21}), InsertOne({"_id": 2})]
    with pytest.raises(BulkWriteError) as ordered:
        events.bulk_write(requests)
    assert (ordered.value.details["nInserted"], [error["index"] for error in ordered.value.details["writeErrors"]]) == (1, [1])
    events.delete_one({"_id": 20})
    with pytest.raises(BulkWriteError) as unordered:
        events.bulk_write(requests, ordered=False)
    assert (unordered.value.details["nInserted"], [error["index"] for error in unordered.value.details["writeErrors"]]) == (2, [1, 3])


def test_a_bulk_of_everything(events):
    done = events.bulk_write(
        [
            *(InsertOne({"_id": 50}), UpdateOne({"_id": 1}, {"$set": {"x": 1}}), UpdateMany({"n": {"$gt": 7}}, {"$set": {"x": 2}})),
            *(ReplaceOne({"_id": 2}, {"r": 1}), UpdateOne({"_id": "u"}, {"$set": {"x": 3}}, upsert=True)),
            *(DeleteOne({"_id": 3}), DeleteMany({"n": {"$in": [4, 5]}})),
        ]
    )
    assert (done.inserted_count, done.matched_count, done.modified_count, done.deleted_count) == (1, 4, 4, 3)
    assert done.upserted_ids == {4: "u"}


def test_a_bulk_over_several_collections(client):
    done = client.bulk_write(
        [
            InsertOne({"_id": 1}, namespace="shop.one"),
            InsertOne({"_id": 1}, namespace="other.two"),
            UpdateOne({"_id": 1}, {"$set": {"x": 1}}, namespace="shop.one"),
            UpdateOne({"_id": 2}, {"$set": {"x": 1}}, upsert=True, namespace="shop.one"),
            DeleteOne({"_id": 1}, namespace="other.two"),
        ],
        verbose_results=True,
    )
    assert (done.inserted_count, done.modified_count, done.upserted_count, done.deleted_count) == (2, 1, 1, 1)
    assert done.update_results[3].upserted_id == 2 and done.delete_results[4].deleted_count == 1
    with pytest.raises(ClientBulkWriteException) as failed:
        client.bulk_write([InsertOne({"_id": 1}, namespace="shop.one"), InsertOne({"_id": 9}, namespace="shop.one")], ordered=False)
    assert failed.value.write_errors[0]["code"] == 11000 and failed.value.partial_result.inserted_count == 1


def test_ids(shop):
    reply = shop.command("insert", "ids", documents=[{"a": 1}])
    assert reply["n"] == 1
    (made,) = shop.ids.find()
    assert isinstance(made["_id"], ObjectId) and list(made) == ["_id", "a"]
    for wrong in ([1], {"$regex": "x"}):
        with pytest.raises(WriteError):
            shop.ids.insert_one({"_id": wrong})


def test_an_update_that_grows_too_large(events):
    events.update_one({"_id": 1}, {"$set": {"text": "x" * 15_000_000}})
    with pytest.raises(WriteError) as large:
        events.update_one({"_id": 1}, {"$set": {"more": "x" * 2_000_000}})
    assert large.value.code in (10334, 17419, 17420)
    assert "more" not in events.find_one({"_id": 1})


# Databases and collections.


def test_databases(client):
    client.one.things.insert_one({"text": "x" * 1000})
    client.two.things.insert_one({})
    assert client.list_database_names() == ["one", "two"]
    one, two = client.list_databases()
    assert one["sizeOnDisk"] > two["sizeOnDisk"] > 0 and one["empty"] is False
    assert [each["name"] for each in client.list_databases(filter={"name": "two"})] == ["two"]
    client.drop_database("one")
    assert client.list_database_names() == ["two"]


def test_collections(shop):
    shop.create_collection("log", capped=True, size=4096, max=3)
    shop.create_collection("plain")
    shop.create_collection("view", viewOn="plain", pipeline=[{"$match": {"a": 1}}])
    kinds = {each["name"]: each["type"] for each in shop.list_collections()}
    assert kinds["log"] == kinds["plain"] == "collection" and kinds["view"] == "view"
    (log,) = shop.list_collections(filter={"name": "log"})
    assert log["options"]["capped"] is True and log["options"]["max"] == 3 and log["idIndex"]["key"] == {"_id": 1}
    assert shop.list_collection_names(filter={"type": "view"}) == ["view"]
    with pytest.raises(CollectionInvalid):
        shop.create_collection("plain")
    assert refused(lambda: shop.command("create", "log"))[0] == 48
    assert shop.command("create", "plain")["ok"] == 1.0  # with the same options it is there already


def test_rename_and_drop(client, events):
    events.rename("archive")
    assert client.shop.list_collection_names() == ["archive"]
    client.shop.other.insert_one({})
    assert refused(lambda: client.shop.archive.rename("other"))[0] == 48
    client.shop.archive.rename("other", dropTarget=True)
    assert client.shop.other.count_documents({}) == 10
    assert refused(lambda: client.shop.nothing.rename("x"))[0] == 26
    client.shop.drop_collection("other")
    client.shop.drop_collection("never")


def test_indexes(shop, events):
    assert events.create_index([("n", 1), ("m", -1)]) == "n_1_m_-1"
    assert events.index_information()["n_1_m_-1"]["key"] == [("n", 1), ("m", -1)]
    reply = shop.command("createIndexes", "events", indexes=[{"key": {"n": 1, "m": -1}, "name": "n_1_m_-1"}])
    assert (reply["numIndexesBefore"], reply["numIndexesAfter"], reply["note"]) == (2, 2, "all indexes already exist")
    events.drop_index("n_1_m_-1")
    assert refused(lambda: events.drop_index("n_1_m_-1"))[0] == 27
    assert shop.command("createIndexes", "fresh", indexes=[{"key": {"a": 1}, "name": "a_1"}])["createdCollectionAutomatically"] is True


# What the server says of itself.


def test_hello(server, client):
    told = client.admin.command("hello")
    address = f"{server.host}:{server.port}"
    assert told["isWritablePrimary"] and told["hosts"] == [address] and told["setName"] == "rs0"
    assert (told["maxBsonObjectSize"], told["maxMessageSizeBytes"], told["maxWriteBatchSize"]) == (16777216, 48000000, 100000)
    assert told["logicalSessionTimeoutMinutes"] == 30 and told["maxWireVersion"] == 25


def test_build_info_is_honest(client):
    told = client.server_info()
    assert told["version"] == "8.0.0" and told["versionArray"] == [8, 0, 0, 0]
    assert told["modules"] == ["embedded"] and "mongomock" in told["embedded"]


def test_statistics(client, shop, events):
    stats = shop.command("collStats", "events")
    assert (stats["ns"], stats["count"], stats["nindexes"]) == ("shop.events", 10, 1)
    assert stats["size"] == 10 * stats["avgObjSize"] > 0
    assert shop.command("collStats", "events", scale=1024)["scaleFactor"] == 1024
    assert shop.command("collStats", "nothing")["count"] == 0
    told = shop.command("dbStats")
    assert (told["db"], told["collections"], told["objects"], told["dataSize"]) == ("shop", 1, 10, stats["size"])
    assert shop.validate_collection("events")["valid"] is True


def test_counters(client, events):
    before = client.admin.command("serverStatus")["opcounters"]
    events.insert_many([{}, {}, {}])
    events.find_one()
    events.update_one({}, {"$set": {"x": 1}})
    events.delete_one({})
    after = client.admin.command("serverStatus")["opcounters"]
    changed = {name: after[name] - before[name] for name in ("insert", "query", "update", "delete")}
    assert changed == {"insert": 3, "query": 1, "update": 1, "delete": 1}


def test_uptime_follows_the_servers_clock(server, client):
    before = client.admin.command("serverStatus")["uptime"]
    server.clock.advance(3600)
    assert client.admin.command("serverStatus")["uptime"] - before >= 3600


def test_explain_by_command(shop, events):
    told = shop.command("explain", {"find": "events", "filter": {"n": 3}}, verbosity="executionStats")
    assert told["executionStats"]["nReturned"] == 1 and told["executionStats"]["totalDocsExamined"] == 10
    assert told["serverInfo"]["version"] == "8.0.0" and told["command"]["find"] == "events"
    assert events.find({"n": 3}).explain()["queryPlanner"]["winningPlan"]
    planned = shop.command("aggregate", "events", pipeline=[{"$match": {"n": 1}}], explain=True)
    assert planned["ok"] == 1.0


@pytest.mark.parametrize(
    "command", ["hostInfo", "getCmdLineOpts", "replSetGetStatus", "replSetGetConfig", "listCommands", "currentOp"]
)
def test_it_tells(client, command):
    assert client.admin.command(command)["ok"] == 1.0


def test_parameters(client):
    assert client.admin.command("getParameter", 1, transactionLifetimeLimitSeconds=1)["transactionLifetimeLimitSeconds"] == 60
    assert client.admin.command("getParameter", "*")["enableTestCommands"] is False
    assert refused(lambda: client.admin.command("getParameter", 1, nonsense=1))[0] == 72


def test_fail_points_need_test_commands(client):
    assert refused(lambda: client.admin.command("configureFailPoint", "failCommand", mode="off"))[0] == 59
