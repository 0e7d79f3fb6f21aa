"""The unmodified PyMongo, sync and async, on the embedded server: connecting, names, record, faults, gates, threads, GridFS."""

import asyncio
import subprocess
import sys
import threading
import time

import gridfs
import pytest
from pymongo import AsyncMongoClient, MongoClient, ReturnDocument
from pymongo.errors import AutoReconnect, DuplicateKeyError, NetworkTimeout, ServerSelectionTimeoutError

import stores
from stores.mongodb.embedded import EmbeddedMongoDB


@pytest.fixture(scope="module")
def server():
    server = EmbeddedMongoDB()
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def clean(server):
    server.reset()


@pytest.fixture
def client(server):
    with MongoClient(server.host, server.port) as client:
        yield client


@pytest.fixture
def events(client):
    return client.shop.events


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_one_server_for_a_kernel(monkeypatch):
    monkeypatch.delenv("MONGODB_URI", raising=False)
    server = stores.start("mongodb")
    assert stores.start("mongodb") is server
    assert (server.name, server.kind) == ("mongodb", "embedded")
    assert server.url == f"mongodb://127.0.0.1:{server.port}" and server.url in repr(server)
    assert "mongomock" in server.engine
    server.stop()


@pytest.mark.parametrize(
    "connect",
    [
        lambda server: MongoClient(server.host, server.port),
        lambda server: MongoClient(server.url),
        lambda server: MongoClient(server.url, directConnection=True),
        lambda server: MongoClient(server.url, replicaSet="rs0"),
        lambda server: MongoClient(f"mongodb://localhost:{server.port}/shop?retryWrites=true&w=majority"),
    ],
    ids=["host and port", "url", "direct", "replica set", "localhost"],
)
def test_one_connects_at_once(server, connect):
    times = []
    for _ in range(5):
        with connect(server) as client:
            times.append(seconds(lambda: client.admin.command("ping")))
    assert min(times) < 0.05


def test_the_async_client(server, client):
    async def work():
        async with AsyncMongoClient(server.url) as client:
            events = client.shop.events
            await events.insert_many([{"_id": number} for number in range(300)])
            count = 0
            async for _ in events.find(batch_size=50):
                count += 1
            async with client.start_session() as session, await session.start_transaction():
                await events.insert_one({"_id": "in"}, session=session)
            with server.faults.drop_reply("insert"):
                await events.insert_one({"_id": "again"})
            async with await events.watch() as stream:
                await events.insert_one({"_id": "seen"})
                event = await stream.next()
            return count, await events.count_documents({}), event["documentKey"]

    assert asyncio.run(work()) == (300, 303, {"_id": "seen"})


# The record.


def test_setting_up_a_connection_is_not_recorded(server):
    with server.record() as log:
        with MongoClient(server.url, appname="somebody") as client:
            client.shop.events.insert_one({"_id": 1})
        time.sleep(0.05)
    assert [(command.name, command.client) for command in log.commands] == [("INSERT", "somebody")]
    assert log.round_trips == 1
    (command,) = log.commands
    assert command.args[0] == "shop.events" and command.args[1]["documents"] == [{"_id": 1}]


def test_what_operations_cost(server, events):
    events.insert_many([{"_id": number, "kind": "ab"[number % 2], "n": number} for number in range(100)])
    with server.record() as scan:
        list(events.find({"kind": "a", "n": {"$lt": 10}}))
    assert (scan.documents_examined, scan.keys_examined, scan.returned) == (100, 0, 5)
    events.create_index([("kind", 1), ("n", 1)])
    with server.record() as indexed:
        list(events.find({"kind": "a", "n": {"$lt": 10}}))
        events.count_documents({"kind": "b", "n": {"$gte": 98}})
    found, counted = indexed.operations
    assert (found.name, found.namespace, found.documents_examined, found.returned) == ("FIND", "shop.events", 5, 5)
    assert 5 <= found.keys_examined <= 6
    assert counted.keys_examined <= 2
    assert "documents" in repr(indexed)


def test_round_trips(server, events):
    with server.record() as one_by_one:
        for number in range(20):
            events.insert_one({"_id": number})
    events.drop()
    with server.record() as together:
        events.insert_many([{"_id": number} for number in range(20)])
    assert (one_by_one.round_trips, together.round_trips) == (20, 1)


# Faults.


def test_a_server_that_refuses(server):
    with MongoClient(server.url, serverSelectionTimeoutMS=150) as client:
        client.shop.events.insert_one({"_id": 1})
        with server.faults.refuse(), pytest.raises((ServerSelectionTimeoutError, AutoReconnect)):
            client.shop.events.insert_one({"_id": 2})
    with MongoClient(server.url) as client:
        assert client.shop.events.count_documents({}) == 1


def test_a_client_finds_the_server_again(server, client, events):
    events.insert_one({"_id": 1})
    with server.faults.refuse():
        pass
    assert events.find_one() == {"_id": 1}


def test_a_slow_server(server, events):
    with server.faults.delay(0.1, "find"):
        assert seconds(events.find_one) >= 0.1
        assert seconds(events.estimated_document_count) < 0.1
    with MongoClient(server.url, socketTimeoutMS=50, retryReads=False) as hurried:
        hurried.shop.events.count_documents({})
        with server.faults.delay(0.2, "find"), pytest.raises(NetworkTimeout):
            hurried.shop.events.find_one()


def test_faults_of_every_command_do_not_meet_monitors(server):
    with server.faults.delay(0.05), server.faults.drop_reply(times=1), MongoClient(server.url) as client:
        assert seconds(lambda: client.shop.events.insert_one({})) < 1
    assert not server.faults or server.faults.clear() is None


def test_transient_errors_without_retries(server):
    with MongoClient(server.url, retryWrites=False) as client:
        with server.faults.transient("insert"), pytest.raises(AutoReconnect) as told:
            client.shop.events.insert_one({"_id": "never"})
        assert told.value.details["code"] == 189 and told.value.has_error_label("RetryableWriteError")
        assert client.shop.events.find_one({"_id": "never"}) is None


# Gates.


class Gate:
    """Holds every command of the clients that give their names until all of them have one waiting, then lets them go one by one."""

    def __init__(self, names):
        self.names, self.waiting, self.order = set(names), {}, []

    def arrive(self, name, command, loop):
        if name not in self.names:
            return None
        turn = loop.create_future()
        self.waiting[name] = turn
        if set(self.waiting) == self.names:
            self._next()
        return turn

    def leave(self, name, turn):
        self.order.append(name)
        del self.waiting[name]
        self._next()

    def _next(self):
        if self.waiting and not any(turn.done() for turn in self.waiting.values()):
            self.waiting[min(self.waiting)].set_result(None)


def test_a_gate_decides_who_is_served(server, events):
    events.insert_one({"_id": 1, "n": 0})
    names = ["a", "b", "c"]
    gate = Gate(names)
    clients = [MongoClient(server.url, appname=name) for name in names]
    for client in clients:
        client.admin.command("ping")
    with server.gated(gate):
        threads = [threading.Thread(target=client.shop.events.update_one, args=({"_id": 1}, {"$inc": {"n": 1}})) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert gate.order == names
    assert events.find_one()["n"] == 3
    for client in clients:
        client.close()


# Several clients, several threads.


def crowd(count, work):
    outcomes = []
    threads = [threading.Thread(target=lambda number=number: outcomes.append(work(number))) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_counters_and_unique_values_stay_right(server, client, events):
    events.create_index("email", unique=True)
    client.shop.counters.insert_one({"_id": "c", "n": 0})

    def work(number):
        with MongoClient(server.url) as mine:
            for _ in range(20):
                mine.shop.counters.update_one({"_id": "c"}, {"$inc": {"n": 1}})
            try:
                mine.shop.events.insert_one({"email": "one@example.org"})
            except DuplicateKeyError:
                return 0
            return 1

    assert sum(crowd(8, work)) == 1
    assert client.shop.counters.find_one()["n"] == 160


def test_each_job_is_taken_once(client):
    jobs = client.shop.jobs
    jobs.insert_many([{"_id": number, "taken": False} for number in range(50)])

    def work(_):
        taken = []
        while (
            job := jobs.find_one_and_update(
                {"taken": False}, {"$set": {"taken": True}}, sort=[("_id", 1)], return_document=ReturnDocument.AFTER
            )
        ) is not None:
            taken.append(job["_id"])
        return taken

    assert sorted(job for taken in crowd(4, work) for job in taken) == list(range(50))


# Life.


def test_reset_is_a_clean_slate_and_clients_stay_connected(server, client, events):
    events.insert_one({"_id": 1})
    server.clock.advance(1000)
    server.faults.delay(10)
    server.reset()
    assert events.count_documents({}) == 0 and abs(server.clock.now() - time.time()) < 5
    assert client.list_database_names() == []


def test_a_stopped_server_is_gone():
    server = EmbeddedMongoDB()
    with MongoClient(server.url, serverSelectionTimeoutMS=100) as client:
        client.shop.events.insert_one({})
        server.stop()
        server.stop()
        with pytest.raises((AutoReconnect, ServerSelectionTimeoutError)):
            client.shop.events.find_one()


def test_ttl_follows_the_servers_clock(server, events):
    events.create_index("at", expireAfterSeconds=60)
    events.update_one({"_id": 1}, {"$currentDate": {"at": True}}, upsert=True)
    server.clock.advance(59)
    assert events.count_documents({}) == 1
    server.clock.advance(62)
    assert events.count_documents({}) == 0


def test_a_process_with_a_server_ends_by_itself():
    code = "import stores, pymongo; s = stores.start('mongodb'); pymongo.MongoClient(s.url).a.b.insert_one({}); print('done')"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "done\n" and done.stderr == ""
    assert time.monotonic() - began < 20


def test_starting_takes_milliseconds():
    servers = []
    assert seconds(lambda: servers.append(EmbeddedMongoDB())) < 1
    servers[0].stop()


# GridFS.


def test_files(client):
    bucket = gridfs.GridFSBucket(client.shop)
    data = bytes(range(256)) * 4096  # 1 MB, several chunks
    id_ = bucket.upload_from_stream("picture.png", data, chunk_size_bytes=100_000, metadata={"kind": "png"})
    assert bucket.open_download_stream(id_).read() == data
    assert bucket.open_download_stream_by_name("picture.png").read() == data
    bucket.rename(id_, "portrait.png")
    (file,) = bucket.find({"metadata.kind": "png"})
    assert (file.filename, file.length) == ("portrait.png", len(data))
    assert client.shop["fs.chunks"].count_documents({}) == 11
    bucket.delete(id_)
    assert client.shop["fs.chunks"].count_documents({}) == 0
    with pytest.raises(gridfs.NoFile):
        bucket.open_download_stream(id_)
