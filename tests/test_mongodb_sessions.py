"""Sessions, retryable writes and transactions: what PyMongo sends again is done once, what is aborted leaves nothing."""

import subprocess
import sys
import threading
import time

import pytest
from bson import Timestamp
from pymongo import DeleteOne, InsertOne, MongoClient, ReadPreference, UpdateOne, WriteConcern, monitoring
from pymongo.errors import AutoReconnect, BulkWriteError, ConnectionFailure, DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern

from stores.mongodb.embedded import EmbeddedMongoDB


@pytest.fixture(scope="module")
def server():
    server = EmbeddedMongoDB()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def clean(server):
    server.reset()


class Sent(monitoring.CommandListener):
    """The commands that the driver sends."""

    def __init__(self):
        self.commands = []

    def started(self, event):
        self.commands.append((event.command_name, dict(event.command)))

    def succeeded(self, event):
        pass

    def failed(self, event):
        pass

    def names(self):
        return [name for name, _ in self.commands]


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def client(server, sent):
    with MongoClient(server.host, server.port, event_listeners=[sent]) as client:
        client.shop.accounts.insert_many([{"_id": "a", "balance": 10}, {"_id": "b", "balance": 0}])
        sent.commands.clear()
        yield client


@pytest.fixture
def accounts(client):
    return client.shop.accounts


def balances(accounts):
    return {each["_id"]: each["balance"] for each in accounts.find()}


# Retryable writes.

WRITES = {
    "insert": lambda accounts: accounts.insert_one({"_id": "c", "balance": 1}),
    "update": lambda accounts: accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}),
    "delete": lambda accounts: accounts.delete_one({"balance": {"$gte": 0}}),
    "findAndModify": lambda accounts: accounts.find_one_and_update({"_id": "a"}, {"$inc": {"balance": 1}}),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_reply_is_lost_is_done_once(server, client, accounts, sent, name):
    before = balances(accounts)
    sent.commands.clear()
    with server.faults.drop_reply(name):
        WRITES[name](accounts)
    assert sent.names() == [name, name]
    assert len({command["txnNumber"] for _, command in sent.commands}) == 1
    after = balances(accounts)
    changed = {
        "insert": {**before, "c": 1},
        "update": {**before, "a": 11},
        "delete": {"b": 0},
        "findAndModify": {**before, "a": 11},
    }
    assert after == changed[name]


def test_without_retries_a_lost_reply_is_an_error_after_the_write(server):
    with MongoClient(server.url, retryWrites=False) as client:
        counters = client.shop.counters
        counters.insert_one({"_id": 1, "n": 0})
        with server.faults.drop_reply("update"), pytest.raises(AutoReconnect):
            counters.update_one({"_id": 1}, {"$inc": {"n": 1}})
        assert counters.find_one()["n"] == 1


def test_a_retry_answers_what_the_first_try_would_have(server, accounts):
    with server.faults.drop_reply("update"):
        done = accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}})
    assert (done.matched_count, done.modified_count) == (1, 1)
    with server.faults.drop_reply("update"):
        made = accounts.update_one({"_id": "new"}, {"$set": {"balance": 5}}, upsert=True)
    assert made.upserted_id == "new"
    with server.faults.drop_reply("findAndModify"):
        assert accounts.find_one_and_update({"_id": "a"}, {"$inc": {"balance": 1}})["balance"] == 11
    with server.faults.drop_reply("delete"):
        assert accounts.delete_one({"_id": "new"}).deleted_count == 1


def test_a_bulk_write_is_retried_statement_by_statement(server, accounts):
    requests = [
        *(InsertOne({"_id": number, "balance": 0}) for number in range(5)),
        UpdateOne({"_id": "a"}, {"$inc": {"balance": 1}}),
        DeleteOne({"_id": 0}),
    ]
    for name in ("insert", "update", "delete"):
        server.faults.drop_reply(name)
    done = accounts.bulk_write(requests)
    server.faults.clear()
    assert (done.inserted_count, done.modified_count, done.deleted_count) == (5, 1, 1)
    assert balances(accounts) == {"a": 11, "b": 0, 1: 0, 2: 0, 3: 0, 4: 0}


def test_reads_are_retried_too(server, accounts, sent):
    with server.faults.drop_reply("find"):
        assert accounts.find_one({"_id": "a"})["balance"] == 10
    assert sent.names() == ["find", "find"]


def test_a_transient_error_is_retried_and_not_executed(server, accounts, sent):
    with server.faults.transient("update"):
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}})
    assert sent.names() == ["update", "update"] and balances(accounts)["a"] == 11


def test_two_lost_replies_are_one_too_many(server, accounts):
    with server.faults.drop_reply("update", times=2), pytest.raises(ConnectionFailure):
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}})
    assert balances(accounts)["a"] == 11


def test_a_retry_does_not_wait_for_half_a_second(server, accounts):
    began = time.monotonic()
    for _ in range(4):
        with server.faults.drop_reply("update"):
            accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}})
    assert time.monotonic() - began < 1.5  # a driver left to itself takes 4 times 0.25 s and more


def test_updates_of_many_are_not_retried(server, accounts, sent):
    with server.faults.drop_reply("update"), pytest.raises(AutoReconnect):
        accounts.update_many({}, {"$inc": {"balance": 1}})
    assert "txnNumber" not in sent.commands[0][1]
    assert balances(accounts) == {"a": 11, "b": 1}


def test_an_old_number_is_refused(client):
    with client.start_session() as session:
        lsid = session.session_id
    insert = {"insert": "numbers", "documents": [{}], "lsid": lsid}
    client.shop.command({**insert, "txnNumber": 5})
    with pytest.raises(OperationFailure) as refused:
        client.shop.command({**insert, "txnNumber": 4})
    assert refused.value.code in (225, 72) or "txnNumber" in str(refused.value)


# Transactions.


def transfer(accounts, session, amount):
    accounts.update_one({"_id": "a"}, {"$inc": {"balance": -amount}}, session=session)
    accounts.update_one({"_id": "b"}, {"$inc": {"balance": amount}}, session=session)


def test_a_transaction_is_seen_when_it_commits(client, accounts):
    with client.start_session() as session, session.start_transaction():
        transfer(accounts, session, 4)
        assert accounts.find_one({"_id": "a"}, session=session)["balance"] == 6
        assert balances(accounts) == {"a": 10, "b": 0}
    assert balances(accounts) == {"a": 6, "b": 4}


def test_an_aborted_transaction_leaves_nothing(client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        transfer(accounts, session, 4)
        accounts.insert_one({"_id": "c", "balance": 1}, session=session)
        session.abort_transaction()
    assert balances(accounts) == {"a": 10, "b": 0}


def test_an_exception_aborts(client, accounts):
    with client.start_session() as session, pytest.raises(ZeroDivisionError), session.start_transaction():
        transfer(accounts, session, 1 / 0)
    assert balances(accounts) == {"a": 10, "b": 0}


def test_it_reads_the_data_as_it_was_when_it_began(client, accounts):
    with client.start_session() as session, session.start_transaction():
        assert accounts.count_documents({}, session=session) == 2
        accounts.insert_one({"_id": "later", "balance": 0})
        assert accounts.count_documents({}, session=session) == 2
    assert accounts.count_documents({}) == 3


def test_two_transactions_that_write_the_same_document(client, accounts):
    with client.start_session() as one, client.start_session() as other:
        one.start_transaction()
        other.start_transaction()
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=one)
        with pytest.raises(OperationFailure) as conflict:
            accounts.update_one({"_id": "a"}, {"$inc": {"balance": 2}}, session=other)
        assert conflict.value.code == 112 and conflict.value.has_error_label("TransientTransactionError")
        one.commit_transaction()
    assert balances(accounts)["a"] == 11


def test_with_transaction_tries_again(client, accounts):
    attempts = []

    def work(session):
        attempts.append(1)
        accounts.find_one({"_id": "a"}, session=session)
        if len(attempts) == 1:
            accounts.update_one({"_id": "a"}, {"$inc": {"balance": 100}})  # somebody else, meanwhile
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=session)

    with client.start_session() as session:
        session.with_transaction(work)
    assert len(attempts) == 2 and balances(accounts)["a"] == 111


def test_a_lost_reply_to_commit_is_asked_for_again(server, client, accounts, sent):
    with client.start_session() as session, server.faults.drop_reply("commitTransaction"):
        session.with_transaction(lambda session: transfer(accounts, session, 4))
    assert sent.names().count("commitTransaction") == 2
    assert balances(accounts) == {"a": 6, "b": 4}


def test_a_commit_whose_outcome_is_unknown_can_be_repeated(server, client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        transfer(accounts, session, 4)
        with server.faults.drop_reply("commitTransaction", times=2), pytest.raises(ConnectionFailure) as unknown:
            session.commit_transaction()
        assert unknown.value.has_error_label("UnknownTransactionCommitResult")
        session.commit_transaction()
    assert balances(accounts) == {"a": 6, "b": 4}


def test_a_write_outside_waits_for_the_transaction(client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=session)
        outside = threading.Thread(target=lambda: accounts.update_one({"_id": "a"}, {"$inc": {"balance": 10}}))
        outside.start()
        time.sleep(0.05)
        assert outside.is_alive()
        session.commit_transaction()
        outside.join(5)
    assert balances(accounts)["a"] == 21


def test_an_error_inside_ends_the_transaction(client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        accounts.insert_one({"_id": "c", "balance": 0}, session=session)
        with pytest.raises(DuplicateKeyError):
            accounts.insert_one({"_id": "a"}, session=session)
        with pytest.raises(OperationFailure) as over:
            accounts.find_one({}, session=session)
        assert over.value.code == 251
    assert balances(accounts) == {"a": 10, "b": 0}


def test_a_transaction_lives_a_minute(server, client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=session)
        server.clock.advance(61)
        with pytest.raises(OperationFailure) as over:
            session.commit_transaction()
        assert over.value.code == 251 and over.value.has_error_label("TransientTransactionError")
    assert balances(accounts)["a"] == 10


@pytest.mark.parametrize("command", ["listIndexes", "count", "dropDatabase", "collMod"])
def test_some_commands_cannot_be_in_a_transaction(client, command):
    with client.start_session() as session:
        session.start_transaction()
        with pytest.raises(OperationFailure) as refused:
            client.shop.command(command, "accounts", session=session)
        assert refused.value.code == 263


def test_collections_can_be_created_in_a_transaction(client):
    with client.start_session() as session, session.start_transaction():
        client.shop.fresh.insert_one({"_id": 1}, session=session)
        assert "fresh" not in client.shop.list_collection_names()
    assert client.shop.fresh.find_one() == {"_id": 1}


def test_indexes_of_a_collection_that_exists_cannot_be_created_in_a_transaction(client, accounts):
    with client.start_session() as session:
        session.start_transaction()
        with pytest.raises(OperationFailure) as refused:
            accounts.create_index("balance", session=session)
        assert refused.value.code == 263
    with client.start_session() as session, session.start_transaction():
        client.shop.fresh.create_index("a", session=session)
        client.shop.fresh.insert_one({"a": 1}, session=session)
    assert "a_1" in client.shop.fresh.index_information()


# Sessions.


def test_sessions_carry_times(client, accounts, sent):
    with client.start_session(causal_consistency=True) as session:
        accounts.insert_one({"_id": "c", "balance": 0}, session=session)
        assert isinstance(session.operation_time, Timestamp)
        assert session.cluster_time["clusterTime"] >= session.operation_time
        accounts.find_one({}, session=session)
    assert sent.commands[-1][1]["readConcern"]["afterClusterTime"] >= sent.commands[-2][1]["$clusterTime"]["clusterTime"]


def test_a_snapshot_session_sees_one_moment(client, accounts):
    with client.start_session(snapshot=True) as session:
        assert accounts.count_documents({}, session=session) == 2
        accounts.insert_one({"_id": "c", "balance": 0})
        assert accounts.count_documents({}, session=session) == 2
        assert accounts.find_one({"_id": "c"}, session=session) is None
        assert sorted(accounts.distinct("_id", session=session)) == ["a", "b"]
        with pytest.raises(OperationFailure):
            accounts.insert_one({}, session=session)
    assert accounts.count_documents({}) == 3


def test_a_session_that_ends_takes_its_transaction_with_it(client, accounts):
    session = client.start_session()
    session.start_transaction()
    accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=session)
    client.admin.command("endSessions", [session.session_id])
    accounts.update_one({"_id": "a"}, {"$inc": {"balance": 5}})
    assert balances(accounts)["a"] == 15


def test_sessions_in_several_threads(client, accounts):
    def move(_):
        with client.start_session() as session:
            for _ in range(5):
                session.with_transaction(lambda session: transfer(accounts, session, 1))

    threads = [threading.Thread(target=move, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert balances(accounts) == {"a": -10, "b": 20}


def test_concerns(client, accounts):
    assert accounts.with_options(write_concern=WriteConcern("majority", j=True)).insert_one({"_id": "m", "balance": 0}).acknowledged
    assert not accounts.with_options(write_concern=WriteConcern(0)).insert_one({"_id": "w0", "balance": 0}).acknowledged
    for level in ("local", "available", "majority", "linearizable"):
        assert accounts.with_options(read_concern=ReadConcern(level)).count_documents({"_id": "m"}) == 1
    with pytest.raises(OperationFailure) as refused:
        accounts.with_options(read_concern=ReadConcern("total")).find_one()
    assert refused.value.code == 2
    assert accounts.with_options(read_preference=ReadPreference.SECONDARY_PREFERRED).find_one() is not None


def test_a_write_concern_that_cannot_be_met_is_told_after_the_write(accounts):
    with pytest.raises(BulkWriteError) as told:
        accounts.with_options(write_concern=WriteConcern(3)).bulk_write([InsertOne({"_id": "w3"})])
    assert told.value.details["writeConcernErrors"][0]["code"] == 100
    assert accounts.find_one({"_id": "w3"}) is not None


DYING = """
import os, sys
from pymongo import MongoClient
client = MongoClient(sys.argv[1], appname="dying")
session = client.start_session()
session.start_transaction()
client.shop.accounts.update_one({"_id": "a"}, {"$inc": {"balance": 1}}, session=session)
cursor = client.shop.many.find(batch_size=2)
next(cursor)
print("ready", flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process as Unix does")
def test_a_killed_client_leaves_nothing_behind(server, client, accounts):
    client.shop.many.insert_many([{} for _ in range(10)])
    dying = subprocess.run([sys.executable, "-c", DYING, server.url], capture_output=True, text=True, timeout=60, check=False)
    assert dying.stdout == "ready\n"
    accounts.update_one({"_id": "a"}, {"$inc": {"balance": 5}})  # waits no longer than for the burial
    assert balances(accounts)["a"] == 15
    status = client.admin.command("serverStatus")
    assert status["metrics"]["cursor"]["open"]["total"] == 0
    assert status["transactions"]["currentOpen"] == 0
