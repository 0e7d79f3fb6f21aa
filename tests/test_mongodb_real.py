"""A real MongoDB through the front: its part is played by the embedded one behind a name and a password."""

import os
import subprocess
import sys
import time
from urllib.parse import quote_plus

import pytest
from mongodb_login import PASSWORD, USER, LockedMongoDB
from pymongo import InsertOne, MongoClient
from pymongo.errors import OperationFailure

from stores import NotOnRealServer, Unreachable
from stores.mongodb import start_real
from stores.mongodb.ledger import NAME as LEDGER

NAME = quote_plus(USER)


@pytest.fixture(scope="module")
def locked():
    server = LockedMongoDB()
    yield server
    server.stop()


def address(locked, password=PASSWORD, options=""):
    return f"mongodb://{NAME}:{quote_plus(password)}@{locked.host}:{locked.port}/{options}"


@pytest.fixture(scope="module")
def outside(locked):
    """Somebody else's client, past the front, with a database of theirs."""
    with MongoClient(address(locked)) as client:
        client.theirs.things.insert_one({"_id": 1})
        yield client


@pytest.fixture
def server(locked, outside):
    server = start_real(address(locked))
    yield server
    server.stop()


@pytest.fixture
def client(server):
    with MongoClient(server.host, server.port, retryWrites=True) as client:
        yield client


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
def test_it_logs_in_where_the_learner_does_not(mechanism):
    locked = LockedMongoDB([mechanism])
    server = start_real(address(locked, options=f"?authMechanism={mechanism}"))
    with MongoClient(server.url) as client:
        client.shop.things.insert_one({"_id": 1})
        assert client.shop.things.find_one() == {"_id": 1}
    assert (server.name, server.kind) == ("mongodb", "real")
    server.stop()
    locked.stop()


def test_a_wrong_password_is_told_without_showing_it(locked):
    began = time.monotonic()
    with pytest.raises(Unreachable, match="Authentication failed") as told:
        start_real(address(locked, "wrong-secret"))
    assert "wrong-secret" not in str(told.value) and "unset MONGODB_URI" in str(told.value)
    assert time.monotonic() - began < 3


def test_an_address_where_nothing_listens_is_told_soon():
    began = time.monotonic()
    with pytest.raises(Unreachable, match="unset MONGODB_URI"):
        start_real("mongodb://127.0.0.1:1")
    assert time.monotonic() - began < 3


def test_an_address_of_another_kind_is_told():
    with pytest.raises(Unreachable, match="MONGODB_URI=http://"):
        start_real("http://127.0.0.1:1")


def test_the_driver_sees_one_member_and_stays_on_the_front(server, client):
    client.shop.things.insert_one({"_id": 1})
    assert client.nodes == {(server.host, server.port)} and client.address == (server.host, server.port)


def test_databases_of_others_are_out_of_reach(client, outside):
    for attempt in (
        client.theirs.things.find_one,
        lambda: client.theirs.things.insert_one({"_id": 2}),
        lambda: client.drop_database("theirs"),
        lambda: client.shop.things.aggregate([{"$match": {}}, {"$out": {"db": "theirs", "coll": "things"}}]),
        lambda: client.shop.things.aggregate([{"$merge": {"into": {"db": "theirs", "coll": "things"}}}]),
        lambda: client.shop.things.aggregate([{"$facet": {"a": [{"$lookup": {"from": {"db": "theirs", "coll": "x"}, "as": "x"}}]}}]),
        lambda: client.bulk_write([InsertOne({"_id": 3}, namespace="theirs.things")]),
        lambda: client.admin.command("renameCollection", "theirs.things", to="shop.things"),
        lambda: client[LEDGER].databases.delete_many({}),
        client.admin["system.users"].find_one,
        lambda: client.theirs.command("explain", {"find": "things"}),
    ):
        with pytest.raises(OperationFailure) as refused:
            attempt()
        reason = getattr(refused.value, "error", None) or refused.value  # bulk_write tells it as a cause
        assert reason.code == 13 and "course's" in str(reason), reason
    assert list(outside.theirs.things.find()) == [{"_id": 1}]


@pytest.mark.parametrize(
    "command",
    [
        *({"shutdown": 1}, {"fsync": 1}, {"createUser": "me", "pwd": "x", "roles": []}, {"usersInfo": 1}, {"getLog": "global"}),
        *({"killAllSessions": []}, {"setParameter": 1, "ttlMonitorEnabled": False}, {"replSetStepDown": 1}, {"currentOp": 1}),
        *({"getCmdLineOpts": 1}, {"killOp": 1, "op": 1}, {"applyOps": []}, {"saslStart": 1, "mechanism": "PLAIN", "payload": b""}),
    ],
    ids=lambda command: next(iter(command)),
)
def test_what_reaches_outside_is_refused(client, command):
    with pytest.raises(OperationFailure) as refused:
        client.admin.command(command)
    assert refused.value.code == 13


def test_one_lists_the_courses_databases_alone(client, outside):
    client.shop.things.insert_one({"_id": 1})
    assert client.list_database_names() == ["shop"]
    assert {"shop", "theirs", LEDGER} <= set(outside.list_database_names())


def test_two_kernels_do_not_share(locked, server, client):
    client.shop.things.insert_one({"_id": 1})
    other = start_real(address(locked))
    with MongoClient(other.url) as second, pytest.raises(OperationFailure, match="not the course's"):
        second.shop.things.insert_one({"_id": 2})
    other.stop()
    assert client.shop.things.count_documents({}) == 1


def test_reset_and_stop_leave_what_others_have(locked, server, client, outside):
    client.shop.things.insert_one({"_id": 1})
    server.reset()
    assert client.list_database_names() == []
    client.shop.things.insert_one({"_id": 2})
    client.close()
    server.stop()
    assert "shop" not in outside.list_database_names()
    assert outside.theirs.things.count_documents({}) == 1
    assert list(outside[LEDGER].databases.find()) == []


def test_what_a_dead_kernel_left_is_dropped(locked, outside):
    outside.left.things.insert_one({"_id": 1})
    outside[LEDGER].kernels.insert_one({"_id": "dead", "seen": outside.admin.command("hello")["localTime"].replace(year=2020)})
    outside[LEDGER].databases.insert_one({"_id": "left", "kernel": "dead"})
    start_real(address(locked)).stop()
    assert "left" not in outside.list_database_names()
    assert outside[LEDGER].databases.count_documents({}) == 0


def test_a_ledger_that_is_not_the_courses_is_refused():
    locked = LockedMongoDB()
    with MongoClient(address(locked)) as client:
        client[LEDGER].about.insert_one({"mine": True})
        with pytest.raises(Unreachable, match=f"a database {LEDGER} that the course did not make"):
            start_real(address(locked))
    locked.stop()


def test_sessions_transactions_cursors_and_change_streams_pass(client):
    things = client.shop.things
    things.insert_many([{"_id": number} for number in range(10)])
    assert len(list(things.find(batch_size=3))) == 10
    with client.start_session() as session:
        session.with_transaction(lambda session: things.insert_one({"_id": "in"}, session=session))
    with things.watch() as stream:
        things.insert_one({"_id": "seen"})
        assert stream.next()["documentKey"] == {"_id": "seen"}
    assert things.count_documents({}) == 12


def test_record_and_faults_work_on_the_front(server, client):
    things = client.shop.things
    things.insert_one({"_id": 0})
    with server.record() as log, server.faults.drop_reply("insert"):
        things.insert_one({"_id": 1})
    assert log.count("insert") == 2 and things.count_documents({}) == 2
    with server.record() as log:
        list(things.find())
    assert (log.returned, log.documents_examined, log.round_trips) == (2, None, 1)


def test_the_time_of_a_real_server_cannot_be_moved(server):
    with pytest.raises(NotOnRealServer, match="Unset MONGODB_URI"):
        server.clock.advance(1)


def test_the_environment_names_it(locked):
    code = "import stores; server = stores.start('mongodb'); print(server.kind, server.engine)"
    environment = {**os.environ, "MONGODB_URI": address(locked)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.startswith("real MongoDB 8.0.0 at 127.0.0.1")
