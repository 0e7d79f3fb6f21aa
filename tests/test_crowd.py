"""Races that happen every time, and functions that survive them."""

import json
import threading
import time

import pytest
import redis
from pymongo import MongoClient

from course.crowd import Stuck, race, readers
from stores.mongodb.embedded import EmbeddedMongoDB
from stores.redis.embedded import EmbeddedRedis
from stores.redis.real import RealRedis

RUNS = 20  # of each race: every one must end the same


@pytest.fixture(params=["embedded", "real"])
def server(request):
    if request.param == "embedded":
        server = EmbeddedRedis()
    else:
        server = RealRedis(request.getfixturevalue("redis_server").url)
    yield server
    server.stop()


@pytest.fixture
def r(server):
    client = redis.Redis(host=server.host, port=server.port, decode_responses=True)
    yield client
    client.close()


def buy_naive(r):
    stock = int(r.get("stock"))
    if stock > 0:
        r.set("stock", stock - 1)
        return True
    return False


def buy_lua(r):
    code = (
        "if tonumber(redis.call('GET', KEYS[1])) > 0 then redis.call('DECR', KEYS[1]) return 1 end return 0"
    )
    return bool(r.eval(code, 1, "stock"))


def buy_watch(r):
    with r.pipeline() as pipe:
        while True:
            try:
                pipe.watch("stock")
                stock = int(pipe.get("stock"))
                if stock <= 0:
                    return False
                pipe.multi()
                pipe.set("stock", stock - 1)
                pipe.execute()
                return True
            except redis.WatchError:
                continue


def load_naive(r, load):
    if (cached := r.get("product:7")) is not None:
        return json.loads(cached)
    value = load()
    r.set("product:7", json.dumps(value), ex=60)
    return value


def load_once(r, load, nap=0.01):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if (cached := r.get("product:7")) is not None:
            return json.loads(cached)
        if r.set("product:7:lock", "1", nx=True, ex=10):
            value = load()
            r.set("product:7", json.dumps(value), ex=60)
            return value
        time.sleep(nap)
    raise TimeoutError


def test_the_naive_purchase_sells_twice_every_time(server, r):
    for _ in range(RUNS):
        r.set("stock", 1)
        assert race([buy_naive, buy_naive], server) == [True, True]


@pytest.mark.parametrize("buy", [buy_lua, buy_watch])
def test_the_atomic_purchase_sells_once_every_time(server, r, buy):
    for _ in range(RUNS):
        r.set("stock", 1)
        assert race([buy, buy], server) == [True, False]
        assert r.get("stock") == "0"


def test_the_order_decides_who_goes_next(server, r):
    r.set("stock", 1)
    assert race([buy_naive, buy_naive], server, order="AABB") == [True, False]
    r.set("stock", 1)
    assert race([buy_naive, buy_naive], server, order="BBAA") == [False, True]
    r.set("stock", 1)
    assert race([buy_naive, buy_naive], server, order="BABA") == [True, True]
    with pytest.raises(ValueError, match="Expected only A, B"):
        race([buy_naive, buy_naive], server, order="ABC")


def test_twenty_readers_without_a_lock_load_twenty_times(server, r):
    schedules = set()
    for _ in range(RUNS):
        r.delete("product:7")
        with readers(20, server) as crowd:
            load = crowd.slow(lambda: {"price": 900})
            outcomes = crowd.run(lambda r, load=load: load_naive(r, load))
        assert load.calls == 20 and outcomes == [{"price": 900}] * 20
        schedules.add(tuple(crowd.schedule))
    assert len(schedules) == 1
    assert schedules.pop()[:2] == (("reader-1", "GET product:7"), ("reader-2", "GET product:7"))


@pytest.mark.parametrize("nap", [0.01, 0.02, 0.05])
def test_twenty_readers_with_a_lock_load_once(server, r, nap):
    for _ in range(5):
        r.delete("product:7", "product:7:lock")
        with readers(20, server) as crowd:
            load = crowd.slow(lambda: {"price": 900})
            outcomes = crowd.run(lambda r, load=load: load_once(r, load, nap))
        assert load.calls == 1 and outcomes == [{"price": 900}] * 20


def test_polling_faster_than_the_crowd_looks_gives_one_schedule(server, r):
    schedules = set()
    for _ in range(RUNS):
        r.delete("product:7", "product:7:lock")
        with readers(6, server) as crowd:
            crowd.run(lambda r, crowd=crowd: load_once(r, crowd.slow(answer), 0.003))
        schedules.add(tuple(crowd.schedule))
    assert len(schedules) == 1


def answer():
    return 42


def test_slow_counts_and_lets_everyone_else_go_first(server, r):
    r.set("price", 1)

    def reader(r, load):
        r.set("cached", load(r))

    def writer(r):
        r.get("anything")
        r.set("price", 2)

    with readers(2, server) as crowd:
        load = crowd.slow(lambda client: r.get("price"))
        crowd.run_each([lambda r: reader(r, load), writer])
    assert load.calls == 1
    assert (r.get("price"), r.get("cached")) == ("2", "1")  # read before the write, stored after it


def test_slow_of_one_function_is_one_function(server):
    with readers(3, server) as crowd:
        crowd.run(lambda r: crowd.slow(answer)())
    assert answer.calls == 3 and crowd.slow(answer).calls == 3


def test_an_exception_is_an_outcome(server):
    def fail(r):
        r.ping()
        raise KeyError("x")

    first, second = race([fail, lambda r: r.ping()], server)
    assert isinstance(first, KeyError) and second is True


def test_a_failing_loader_raises_in_its_reader_only(server, r):
    def load():
        raise OSError("database down")

    with readers(2, server) as crowd:
        outcomes = crowd.run(lambda r: load_naive(r, crowd.slow(load)))
    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]
    assert r.get("product:7") is None


def test_blocking_and_publishing_actors_meet(server):
    def listener(r):
        with r.pubsub() as subscriber:
            subscriber.subscribe("c")
            messages = [subscriber.get_message(timeout=2) for _ in range(2)]
            return messages[1]["data"]

    def consumer(r):
        return r.blpop("queue", timeout=5)[1]

    def producer(r):
        time.sleep(0.06)
        r.publish("c", "hello")
        r.rpush("queue", "job")

    assert race([listener, consumer, producer], server) == ["hello", "job", None]


def test_the_commands_of_a_plain_pipeline_interleave_and_a_transaction_does_not(server, r):
    def write(r, transaction):
        pipe = r.pipeline(transaction=transaction)
        for _ in range(3):
            pipe.rpush("list", r.client_getname())
        pipe.execute()

    race([lambda r: write(r, False)] * 2, server)
    assert r.lrange("list", 0, -1) == ["A", "B"] * 3
    r.delete("list")
    race([lambda r: write(r, True)] * 2, server)
    assert r.lrange("list", 0, -1) == ["A"] * 3 + ["B"] * 3


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="no clock of another thread here")
def test_computing_is_not_mistaken_for_sleeping(server, r):
    def compute(r):
        end = time.thread_time() + 0.08  # four times as long as a quiet actor is waited for
        while time.thread_time() < end:
            pass
        r.rpush("order", "computed")

    race([compute, lambda r: r.rpush("order", "at once")], server)
    assert r.lrange("order", 0, -1) == ["computed", "at once"]


def test_a_stuck_crowd_says_who_waits_for_what_and_is_released(server):
    def poll(r):
        while r.get("never") is None:
            time.sleep(0.005)

    before = threading.active_count()
    start = time.monotonic()
    with pytest.raises(Stuck) as error:
        race([lambda r: r.blpop("empty"), poll, lambda r: threading.Event().wait(0.4)], server, seconds=0.3)
    assert time.monotonic() - start < 2.5
    assert str(error.value).startswith("stopped after 0.3 s, when not all had finished: A waits for the reply to BLPOP empty 0; B ")
    time.sleep(0.2)
    assert threading.active_count() == before
    assert race([lambda r: r.ping()], server) == [True]


def test_strangers_pass_while_a_crowd_runs(server, r):
    def look(_):
        return r.ping()

    assert race([look, look], server) == [True, True]


def test_slow_works_without_a_crowd(server):
    with readers(1, server) as crowd:
        load = crowd.slow(lambda x: x + 1)
    assert load(1) == 2 and load.calls == 1


def test_a_crowd_of_mongodb_clients():
    """The lost update of read, compute, replace; and the one that compares the version it has read."""
    server = EmbeddedMongoDB()
    client = MongoClient(server.url)
    stock = client.shop.stock

    def careless(mine):
        item = mine.shop.stock.find_one({"_id": 1})
        mine.shop.stock.update_one({"_id": 1}, {"$set": {"left": item["left"] - 1}})

    def careful(mine):
        while True:
            item = mine.shop.stock.find_one({"_id": 1})
            change = {"$set": {"left": item["left"] - 1}, "$inc": {"version": 1}}
            if mine.shop.stock.update_one({"_id": 1, "version": item["version"]}, change).modified_count:
                return

    for buy, left in ((careless, 9), (careful, 7)):
        stock.replace_one({"_id": 1}, {"left": 10, "version": 0}, upsert=True)
        with readers(3, server) as crowd, server.record() as log:
            crowd.run(buy)
        assert stock.find_one()["left"] == left
        if buy is careless:
            assert [step[0] for step in crowd.schedule] == ["reader-1", "reader-2", "reader-3"] * 2
            assert [command.name for command in log] == ["FIND"] * 3 + ["UPDATE"] * 3
    client.close()
    server.stop()
