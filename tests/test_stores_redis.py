"""What chapters rely on, for the embedded Redis and for a real one through the same front."""

import asyncio
import contextlib
import gc
import os
import socket
import threading
import time

import fakeredis
import pytest
import redis
import redis.asyncio

import stores
from stores.redis.embedded import EmbeddedRedis
from stores.redis.real import RealRedis


@pytest.fixture(params=["embedded", "real"])
def server(request):
    if request.param == "embedded":
        server = EmbeddedRedis()
    else:
        server = RealRedis(request.getfixturevalue("redis_server").url)
    yield server
    server.stop()


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def r(request, server):
    with contextlib.closing(connect(server, protocol=request.param)) as client:
        yield client


def connect(server, **options):
    return redis.Redis(host=server.host, port=server.port, decode_responses=True, **options)


def test_a_learners_cell_works(r):
    assert r.set("k", "v", ex=60) and r.get("k") == "v" and r.ttl("k") == 60
    r.hset("h", mapping={"a": 1, "b": 2})
    assert r.hgetall("h") == {"a": "1", "b": "2"}
    r.zadd("z", {"x": 1.5, "y": 2})
    assert list(map(list, r.zrange("z", 0, -1, withscores=True))) == [["x", 1.5], ["y", 2.0]]
    assert r.dbsize() == 3 and sorted(r.scan_iter()) == ["h", "k", "z"] and r.randomkey() in "hkz"


def test_a_pipeline_is_one_round_trip_however_long(server, r):
    with server.record() as log:
        pipe = r.pipeline(transaction=False)
        for i in range(2_000):
            pipe.set(f"key:{i}", "x" * 20)
        pipe.execute()
        r.get("key:1")
        r.get("key:2")
    assert len(log) == 2_002 and log.count("set") == 2_000
    assert log.round_trips == 3


def test_what_was_read_ahead_does_not_split_a_pipeline(server):
    request = b"*1\r\n$4\r\nPING\r\n"
    with server.record() as log, socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(request * 1_500)  # more than the front reads ahead: it stops reading
        time.sleep(0.02)
        sock.sendall(request * 500)
        received = 0
        while received < 2_000 * len(b"+PONG\r\n"):
            received += len(sock.recv(2**16))
    assert (len(log), log.round_trips) == (2_000, 1)


def test_the_record_leaves_out_how_a_connection_is_set_up(server):
    client = connect(server, client_name="reader-3")
    with server.record() as log:
        client.get("k")
    assert log.commands == [stores.base.Command("GET", ("k",), "reader-3")]
    assert log.round_trips == 1
    client.get("k")
    assert len(log) == 1
    client.close()


def test_a_transaction_aborts_when_a_watched_key_changes(server, r):
    r.set("stock", 1)
    with r.pipeline() as pipe:
        pipe.watch("stock")
        connect(server).set("stock", 5)
        pipe.multi()
        pipe.set("stock", 0)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert r.get("stock") == "5"


def test_one_connection_blocks_while_others_go_on(server, r):
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(connect(server).blpop("queue", timeout=5)))
    waiting.start()
    time.sleep(0.05)
    assert r.ping() and not answers
    r.rpush("queue", "job")
    waiting.join(5)
    assert [list(answer) for answer in answers] == [["queue", "job"]]


def test_a_blocked_read_of_a_stream_sees_what_comes(server, r):
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(connect(server, protocol=2).xread({"s": "$"}, block=5000))
    )
    waiting.start()
    time.sleep(0.05)
    r.xadd("s", {"n": 1})
    waiting.join(5)
    assert answers[0][0][1][0][1] == {"n": "1"}


def test_a_client_that_vanishes_while_it_blocks_is_not_served(server):
    client = socket.create_connection((server.host, server.port))
    client.sendall(b"BLPOP queue 0\r\n")
    time.sleep(0.05)
    client.close()
    time.sleep(0.05)
    other = connect(server)
    other.rpush("queue", "job")
    time.sleep(0.02)
    assert other.llen("queue") == 1


def test_subscribers_hear_what_is_published(r):
    subscriber = r.pubsub()
    subscriber.subscribe("news")
    subscriber.psubscribe("n*")
    kinds = [subscriber.get_message(timeout=1)["type"] for _ in range(2)]
    assert kinds == ["subscribe", "psubscribe"]
    assert r.publish("news", "hello") == 2
    heard = [subscriber.get_message(timeout=1) for _ in range(2)]
    assert [(m["type"], m["data"]) for m in heard] == [("message", "hello"), ("pmessage", "hello")]
    subscriber.unsubscribe()
    assert subscriber.get_message(timeout=1)["type"] == "unsubscribe"
    subscriber.close()


def test_resp3_push_frames_come_between_replies(server):
    with contextlib.closing(socket.create_connection((server.host, server.port))) as sock:
        sock.settimeout(2)
        sock.sendall(b"HELLO 3\r\n")
        assert sock.recv(4096).startswith(b"%")
        sock.sendall(b"SUBSCRIBE c\r\nSET k v\r\nPUBLISH c hi\r\nGET k\r\nUNSUBSCRIBE c\r\nUNSUBSCRIBE\r\n")
        time.sleep(0.1)
        answer = sock.recv(4096)
    message = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n"
    assert answer.startswith(b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n+OK\r\n")
    assert message in answer and b"$1\r\nv\r\n" in answer.replace(b"+v", b"$1\r\nv")
    assert answer.endswith(b">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n")


def test_lua_runs_by_text_by_digest_and_registered(r):
    assert r.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, "n", 5) == 5
    script = r.register_script("return redis.call('INCR', KEYS[1])")
    assert script(keys=["n"]) == 6 and r.evalsha(script.sha, 1, "n") == 7
    assert r.script_exists(script.sha, "0" * 40) == [True, False]
    assert r.script_load("return 1") == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"


def test_asyncio_clients_connect(server):
    async def session():
        async with redis.asyncio.Redis(host=server.host, port=server.port) as client:
            await asyncio.gather(*(client.incr("n") for _ in range(50)))
            async with client.pubsub() as subscriber:
                await subscriber.subscribe("c")
                await subscriber.get_message(timeout=1)
                await client.publish("c", "x")
                message = await subscriber.get_message(timeout=1)
            return int(await client.get("n")), message["data"]

    assert asyncio.run(session()) == (50, b"x")


def test_values_of_ten_megabytes_pass(server):
    client = redis.Redis(host=server.host, port=server.port)
    value = os.urandom(10 * 2**20)
    assert client.set("big", value) and client.get("big") == value
    client.close()


def test_malformed_input_closes_only_its_connection(server, r):
    with contextlib.closing(socket.create_connection((server.host, server.port))) as sock:
        sock.sendall(b"PING\r\n*1\r\n$x\r\n")
        answer = b""
        while data := sock.recv(100):
            answer += data
    assert answer == b"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"
    assert r.ping()


def test_the_clock_moves_ttls_and_nothing_else(server, r):
    r.set("short", 1, ex=60)
    r.set("long", 1, ex=90)
    r.set("forever", 1)
    before = server.clock.now(), time.time()
    server.clock.advance(61)
    assert 61 <= server.clock.now() - before[0] < 63 and time.time() - before[1] < 2
    assert r.mget("short", "long", "forever") == [None, "1", "1"]
    assert 25 <= r.ttl("long") <= 29
    with pytest.raises(ValueError, match="forward"):
        server.clock.advance(-1)


def test_a_transient_error_is_not_executed_and_may_be_tried_again(server):
    client = connect(server, retry=None)
    with server.faults.transient("INCRBY", times=1):
        with pytest.raises(redis.BusyLoadingError):
            client.incr("n")
        assert client.incr("n") == 1
    client.close()
    client = connect(server)
    server.faults.transient("INCRBY")
    assert client.incr("n") == 2  # a default client tries again by itself
    client.close()


def test_a_lost_reply_is_lost_after_the_command(server):
    client = connect(server, retry=None)
    with server.faults.drop_reply("INCRBY"):  # what redis-py sends for incr()
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
        assert client.get("n") == "1"
        assert client.incr("n") == 2  # times=1: the fault is used up
    client.close()


def test_a_default_client_retries_a_lost_reply_and_counts_twice(server):
    client = connect(server)
    server.faults.drop_reply("INCRBY")
    assert client.incr("n") == 2
    client.close()


def test_a_refusing_server_is_down_and_comes_back_on_the_same_port(server):
    client = connect(server, retry=None)
    client.set("k", 1)
    with server.faults.refuse():
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                client.get("k")
    assert client.get("k") == "1"
    server.faults.refuse()
    server.reset()
    assert client.get("k") is None
    client.close()


def test_a_delay_holds_the_named_command_only(server, r):
    with server.faults.delay(0.1, "GET"):
        start = time.perf_counter()
        r.set("k", 1)
        between = time.perf_counter()
        r.get("k")
        assert between - start < 0.09 <= time.perf_counter() - between
    start = time.perf_counter()
    r.get("k")
    assert time.perf_counter() - start < 0.09


def test_reset_is_a_clean_slate(server, r):
    r.set("k", 1)
    r.script_load("return 1")
    server.clock.advance(1000)
    server.faults.delay(5)
    server.reset()
    assert r.dbsize() == 0 and r.script_exists("e0e1f9fabfc9d4800c877a703b823ac0578ff8db") == [False]
    assert abs(server.clock.now() - time.time()) < 2


def test_a_refused_command_spoils_its_transaction(server, r):
    pipe = r.pipeline()
    pipe.set("k", 1)
    pipe.execute_command("MONITOR")
    with pytest.raises(redis.ResponseError):
        pipe.execute()
    assert r.get("k") is None and r.set("k", 2)


def test_servers_with_different_clocks_leave_a_learners_fakeredis_alone():
    first, second = EmbeddedRedis(), EmbeddedRedis()
    own = fakeredis.FakeRedis()
    for client in (connect(first), connect(second), own):
        client.set("k", 1, ex=60)
    first.clock.advance(61)
    assert connect(first).get("k") is None
    assert connect(second).ttl("k") == 60 and own.ttl("k") == 60
    assert abs(own.time()[0] - time.time()) < 2
    first.stop()
    second.stop()


def test_a_frozen_clock_decides_by_the_millisecond():
    server = EmbeddedRedis()
    r = connect(server)
    with server.clock.frozen():
        r.set("k", 1, px=5_000)
        server.clock.advance(4.999)
        assert r.get("k") == "1" and r.pttl("k") == 1
        server.clock.advance(0.002)
        assert r.get("k") is None
    server.stop()


def test_every_way_to_set_a_ttl_keeps_the_milliseconds():
    server = EmbeddedRedis()
    r = connect(server)
    with server.clock.frozen():
        r.set("getex", 1), r.set("getex px", 1), r.set("getex pxat", 1)
        r.set("set", 1, ex=5), r.setex("setex", 5, 1), r.psetex("psetex", 5_000, 1)
        r.getex("getex", ex=5), r.getex("getex px", px=5_000)
        r.getex("getex pxat", pxat=round(1000 * server.clock.now()) + 5_000)
        server.clock.advance(4.5)
        assert {round(r.pttl(key), -1) for key in r.scan_iter()} == {500}
        assert r.getex("missing", ex=5) is None and r.getex("set", persist=True) == "1" and r.ttl("set") == -1
    server.stop()


def test_a_script_without_end_is_ended():
    server = EmbeddedRedis()
    r = connect(server)
    with pytest.raises(redis.ResponseError, match="the script takes too long"):
        r.eval("while true do end", 0)
    assert r.eval("return 1", 0) == 1
    server.stop()


def test_hash_fields_follow_the_clock():
    server = EmbeddedRedis()
    r = connect(server)
    r.hset("h", mapping={"a": 1, "b": 2})
    r.hexpire("h", 60, "a")
    server.clock.advance(61)
    assert r.hgetall("h") == {"b": "2"}
    server.stop()


def test_start_gives_the_same_server_until_it_is_stopped():
    server = stores.start("redis")
    assert stores.start("redis") is server
    assert (server.name, server.kind, server.url) == (
        "redis",
        "embedded",
        f"redis://127.0.0.1:{server.port}/0",
    )
    assert server.engine == f"fakeredis {fakeredis.__version__}" and server.engine in repr(server)
    assert server.url in server._repr_html_() and "embedded" in server._repr_html_()
    stores.stop_all()
    assert "stopped" in repr(server) and stores.start("redis") is not server
    stores.stop_all()
    with pytest.raises(ValueError, match="Expected one of: cassandra, couchdb, hbase, memcached, mongodb, neo4j, redis"):
        stores.start("mongo")


def sockets_and_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize("name", stores.NAMES)
def test_ten_starts_and_stops_leave_nothing(name):
    def cycle():
        server = stores.start(name)
        clients = [socket.create_connection((server.host, server.port)) for _ in range(5)]
        clients[0].sendall(b"BLPOP q 0\r\n")
        stores.stop_all()
        for client in clients:
            client.close()

    cycle()
    files, threads = sockets_and_files(), threading.active_count()
    for _ in range(10):
        cycle()
    assert threading.active_count() == threads
    assert sockets_and_files() <= files


def test_thousands_of_connections_leave_nothing(server):
    def connections(n):
        for i in range(n):
            with contextlib.closing(socket.create_connection((server.host, server.port))) as sock:
                if i % 2:
                    sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nhalf")  # vanishes in mid-command

    connections(10)
    time.sleep(0.1)
    files, threads = sockets_and_files(), threading.active_count()
    connections(2_000)
    deadline = time.monotonic() + 30
    while sockets_and_files() > files + 1 and time.monotonic() < deadline:
        time.sleep(0.02)  # until the last ones are accepted and closed
    assert sockets_and_files() <= files + 1 and not server.front.sessions
    assert threading.active_count() == threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_starts_its_own_server():
    parent = stores.start("redis")
    child = os.fork()
    if child == 0:
        server = stores.start("redis")
        os._exit(0 if server.port != parent.port and connect(server).ping() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert connect(parent).ping()
    stores.stop_all()
