"""A real Redis that others use: nothing of theirs changes, and two kernels never share a database."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import redis

import stores
from stores.redis.real import REGISTRY, RealRedis

HOSTILE = """
    FLUSHALL | FLUSHALL ASYNC | flushall | SELECT 1 | SELECT 15 | SWAPDB 0 1 | MOVE mine 1 | COPY mine a DB 1
    COPY mine a REPLACE db 1 | MIGRATE 127.0.0.1 1 mine 0 100 | CONFIG SET maxmemory 1 | CONFIG REWRITE
    CONFIG RESETSTAT | CONFIG GET requirepass | CONFIG GET * | CONFIG GET Requ* | SHUTDOWN NOSAVE | DEBUG SLEEP 0
    DEBUG FLUSHALL | ACL SETUSER x on nopass ~* +@all | ACL DELUSER default | REPLICAOF NO ONE
    SLAVEOF 127.0.0.1 1 | SCRIPT FLUSH | SCRIPT KILL | FUNCTION FLUSH | FUNCTION DELETE x | FCALL f 0
    FCALL_RO f 0 | CLIENT KILL TYPE normal | CLIENT PAUSE 1 | CLIENT UNPAUSE | CLIENT NO-SUCH | CLIENT REPLY OFF
    MONITOR | SAVE | BGSAVE | BGREWRITEAOF | RESET | AUTH x | MODULE LOAD /x | FAILOVER | CLUSTER RESET
    SLOWLOG RESET | LATENCY RESET | MEMORY PURGE | PSYNC ? -1 | SYNC | FT.DROPINDEX i DD | RESTORE-ASKING a 0 x
    HELLO 3 AUTH a b SETNAME c | FLUSHDB
"""
SCRIPTS = [
    "redis.call('FLUSHALL')",
    "redis.pcall('flushall', 'ASYNC')",
    "redis.call('FLUSH' .. 'ALL')",
    "redis.call('SELECT', 0) redis.call('SET', 'k', 'stolen')",
    "redis.pcall('SELECT', 1) redis.call('FLUSHDB')",
    "redis.call('SWAPDB', 0, 1)",
    "redis.call('SET', 'a', 1) redis.call('MOVE', 'a', 1)",
    "redis.call('SET', 'k', 1) redis.call('COPY', 'k', 'k', 'DB', 0, 'REPLACE')",
    "_G.redis.call('SELECT', 0) _G.redis.call('FLUSHDB')",
    "_G['_G'].redis.pcall('FLUSHALL')",
    "server.call('FLUSHALL')",
    "loadstring('redis.call(\"FLUSHALL\")')()",
    "loadstring('return _G')().redis.call('FLUSHALL')",
    "loadstring('end end redis.call(\"FLUSHALL\") do do')()",
    "loadstring('loadstring(\"redis.call([[FLUSHALL]])\")()')()",
    "load(function() return nil end)",
    "getfenv(0).redis.call('FLUSHALL')",
    "setfenv(1, {})",
    "getmetatable(redis).__index.call('FLUSHALL')",
    "getmetatable(_G).__index('x', 'redis').call('FLUSHALL')",
    "rawget(_G, 'redis').call('FLUSHALL')",
    "for k, v in pairs(_G) do if k == 'redis' then v.call('FLUSHALL') end end",
    "string.upper = function() return 'GET' end redis.call('FLUSHALL')",
    "tostring = function() return 'GET' end redis.call('FLUSHALL')",
    "redis.call = nil redis.call('FLUSHALL')",
    "coroutine.wrap(function() redis.call('FLUSHALL') end)()",
    "redis.call(setmetatable({}, {__tostring=function() return 'GET' end}))",
    "redis.call('CONFIG', 'SET', 'maxmemory', '1')",
    "redis.call('SCRIPT', 'FLUSH')",
    "xpcall(function() redis.call('FLUSHALL') end, function(e) _G.redis.call('FLUSHALL') end)",
    "--]] redis.call('FLUSHALL')\nredis.call('FLUSHALL')",
]
SESSION = """
    import sys, time, redis
    from stores.redis.real import RealRedis
    server = RealRedis(sys.argv[1])
    r = redis.Redis(port=server.port)
    r.mset({f"left:{i}": i for i in range(100)})
    print(server._db, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def busy(launch):
    """A redis-server of its own, with keys of others in databases 0, 3 and 15."""
    program = launch("redis-server")
    for db in (0, 3, 15):
        client = redis.Redis(port=program.port, db=db)
        client.set("k", os.urandom(50))
        client.hset("h", mapping={"a": 1, "b": db})
        client.rpush("l", *range(200))
        client.zadd("z", {"m": 1.5})
        client.xadd("s", {"f": "v"}, id="1-1")
        client.set("ttl", 1, ex=10_000)
        client.close()
    yield program
    program.stop()


def snapshot(program, ours=()):
    """Return DUMP and expiry of every key of every database but `ours`."""
    found = {}
    for db in set(range(16)) - set(ours):
        client = redis.Redis(port=program.port, db=db)
        for key in client.scan_iter():
            found[db, key] = client.dump(key), client.execute_command("PEXPIRETIME", key)
        client.close()
    return found


def hostile_session(server):
    client = redis.Redis(port=server.port, retry=None, socket_timeout=3)
    for line in HOSTILE.replace("\n", "|").split("|"):
        if words := line.split():
            attempt(client, *words)
    for script in SCRIPTS:
        attempt(client, "EVAL", script, 0)
        attempt(client, "EVAL", "#!lua\n" + script, 0)
        attempt(client, "EVAL_RO", script, 0)
        sha = attempt(client, "SCRIPT", "LOAD", script)
        attempt(client, "EVALSHA", sha if isinstance(sha, str | bytes) else "0" * 40, 0)
    pipe = client.pipeline()
    for words in ("SET", "mine", "1"), ("FLUSHALL",), ("SELECT", "3"), ("FLUSHDB",):
        pipe.execute_command(*words)
    with pytest.raises(redis.RedisError):
        pipe.execute()
    client.close()


def attempt(client, *words):
    try:
        return client.execute_command(*words)
    except redis.RedisError as error:
        return error


def test_a_hostile_session_leaves_everybody_elses_keys_byte_for_byte(busy):
    before = snapshot(busy)
    config = redis.Redis(port=busy.port).config_get()
    server = RealRedis(busy.url)
    ours = server._db, server._home
    hostile_session(server)
    assert redis.Redis(port=server.port).set("still", "works")
    assert snapshot(busy, ours) == before
    server.clock.advance(20_000)
    server.reset()
    server.stop()
    assert snapshot(busy) == before
    assert redis.Redis(port=busy.port).config_get() == config


def test_every_hostile_command_is_answered_by_an_error(busy):
    server = RealRedis(busy.url)
    client = redis.Redis(port=server.port, socket_timeout=3)
    harmless = {"HELLO 3 AUTH a b SETNAME c", "FLUSHDB"}
    lines = [line.strip() for line in HOSTILE.replace("\n", "|").split("|") if line.strip()]
    passed = [line for line in lines if not isinstance(attempt(client, *line.split()), redis.RedisError)]
    assert set(passed) == harmless
    server.stop()


def test_a_script_of_somebody_else_does_not_run(busy):
    owner = redis.Redis(port=busy.port)
    sha = owner.script_load("return redis.call('FLUSHALL')")
    server = RealRedis(busy.url)
    client = redis.Redis(port=server.port)
    with pytest.raises(redis.exceptions.NoScriptError):
        client.evalsha(sha, 0)
    assert client.script_exists(sha) == [False] and owner.script_exists(sha) == [True]
    server.stop()


def test_line_numbers_of_a_guarded_script_are_the_learners(redis_server):
    server = RealRedis(redis_server.url)
    with pytest.raises(redis.ResponseError, match="user_script:3:"):
        redis.Redis(port=server.port).eval("local t = {}\n\nreturn t.x.y", 0)
    server.stop()


def start_session(program):
    code = textwrap.dedent(SESSION)
    process = subprocess.Popen([sys.executable, "-c", code, program.url], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def test_after_kill_9_the_next_start_takes_the_database_back(busy):
    before = snapshot(busy)
    process, db = start_session(busy)
    assert redis.Redis(port=busy.port, db=db).dbsize() == 100
    live = RealRedis(busy.url)
    assert live._db != db  # the session lives: its database is taken
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(0.1)
    after = RealRedis(busy.url)
    assert after._db == db and redis.Redis(port=after.port).dbsize() == 0
    after.stop()
    live.stop()
    assert snapshot(busy) == before  # the registry is gone too


def test_the_exit_of_a_process_gives_the_database_back(busy):
    before = snapshot(busy)
    code = "import redis, stores; s = stores.start('redis'); redis.Redis(port=s.port).set('k', 1); print(s)"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "REDIS_URL": busy.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0 and "real, Redis" in answer.stdout, answer.stderr
    assert snapshot(busy) == before


def test_a_session_whose_named_connection_was_closed_stays_alive(busy, monkeypatch):
    monkeypatch.setattr("stores.redis.real.HEARTBEAT", 0.05)
    server = RealRedis(busy.url)
    redis.Redis(port=server.port).set("k", 1)
    other = redis.Redis(port=busy.port)
    named = [c for c in other.client_list() if c["name"] == "nosql-course:" + server._token]
    for connection in named:
        other.client_kill_filter(_id=connection["id"])
    time.sleep(0.3)
    second = RealRedis(busy.url)
    assert named and second._db != server._db and redis.Redis(port=server.port).get("k") == b"1"
    second.stop()
    server.stop()


def test_kernels_that_start_together_take_different_databases(redis_server):
    servers = []
    threads = [threading.Thread(target=lambda: servers.append(RealRedis(redis_server.url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({server._db for server in servers}) == 6
    assert len({server._home for server in servers}) == 1
    for server in servers:
        server.stop()


def test_a_dead_sessions_database_that_somebody_else_uses_now_is_left_alone(busy):
    process, db = start_session(busy)
    process.kill()
    process.wait()
    process.stdout.close()
    stranger = redis.Redis(port=busy.port, db=db)
    stranger.flushdb()
    stranger.set("theirs", 1)
    server = RealRedis(busy.url)
    assert server._db != db and stranger.get("theirs") == b"1"
    server.stop()


def test_without_its_mark_a_database_is_not_flushed(busy):
    server = RealRedis(busy.url)
    redis.Redis(port=server.port).set("k", 1)
    redis.Redis(port=busy.port, db=server._home).delete(REGISTRY)
    with pytest.raises(RuntimeError, match="Nothing was deleted"):
        server.reset()
    server.stop()
    assert redis.Redis(port=busy.port, db=server._db).get("k") == b"1"


def test_the_address_may_name_an_empty_database(busy):
    server = RealRedis(f"{busy.url}/7")
    assert server._db == 7
    server.stop()
    with pytest.raises(stores.Unreachable, match="database 3 is not empty"):
        RealRedis(f"{busy.url}/3")


@pytest.mark.parametrize(
    ("databases", "message"), [(1, "one database only"), (2, "none of its databases 1 to 1")]
)
def test_a_server_without_room_is_refused(launch, databases, message):
    program = launch("redis-server", "--databases", str(databases))
    with pytest.raises(stores.Unreachable, match=message):
        RealRedis(program.url)
    program.stop()


def test_hash_fields_and_keys_get_older_together(redis_server):
    server = RealRedis(redis_server.url)
    r = redis.Redis(port=server.port, decode_responses=True)
    r.hset("h", "a", 1)
    r.expire("h", 100)
    if server._version >= (7, 4):
        r.hexpire("h", 50, "a")
    server.clock.advance(60)
    assert 38 <= r.ttl("h") <= 40 or server._version >= (7, 4)
    server.clock.advance(60)
    assert r.dbsize() == 0
    with pytest.raises(stores.NotOnRealServer, match="Unset REDIS_URL"):
        server.clock.frozen()
    server.stop()


def certificates(folder):
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    files = [f"{folder}/key.pem", f"{folder}/cert.pem"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    try:
        subprocess.run(
            [*make, "-keyout", files[0], "-out", files[1], *names], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate here: {error}")
    return files


def test_tls_and_a_password_are_the_fronts_business(launch, tmp_path):
    key, cert = certificates(tmp_path)
    secure = stores.local.free_port()
    options = (
        "--tls-port",
        secure,
        "--tls-cert-file",
        cert,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        cert,
    )
    program = launch("redis-server", *map(str, options), "--tls-auth-clients", "no")
    redis.Redis(port=program.port).config_set("requirepass", "s3cret")
    address = f"rediss://:s3cret@127.0.0.1:{secure}/?ssl_ca_certs={cert}"
    server = RealRedis(address)
    client = redis.Redis(port=server.port, decode_responses=True)
    assert client.set("k", "v") and client.get("k") == "v"
    assert "s3cret" not in repr(server) + server._repr_html_() + str(
        attempt(client, "CONFIG", "GET", "requirep*")
    )
    server.stop()
    with pytest.raises(stores.Unreachable, match="does not let the course in") as error:
        RealRedis(address.replace("s3cret", "wr0ng"))
    assert "wr0ng" not in str(error.value) and ":***@" in str(error.value)
    with pytest.raises(stores.Unreachable, match="certificate verify failed"):
        RealRedis(address.split("?")[0])
    program.stop()


def blackhole(monkeypatch):
    """An address that never answers: the connection hangs as if the packets were lost."""
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: time.sleep(30))
    return "127.0.0.1:6379"


def slow_dns(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    return "redis.example:6379"


def silent(monkeypatch):
    """A port that accepts connections and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr(sys.modules[__name__], "_listener", listener, raising=False)
    return f"127.0.0.1:{listener.getsockname()[1]}"


def closed(_):
    return f"127.0.0.1:{stores.local.free_port()}"


@pytest.mark.parametrize("where", [blackhole, slow_dns, silent, closed])
@pytest.mark.parametrize(("name", "variable"), [("redis", "REDIS_URL"), ("memcached", "MEMCACHED_URL")])
def test_an_unreachable_address_is_an_error_within_two_seconds(monkeypatch, where, name, variable):
    place = where(monkeypatch)
    monkeypatch.setenv(variable, f"{name}://user:s3cret@{place}")
    start = time.monotonic()
    with pytest.raises(stores.Unreachable) as error:
        stores.start(name)
    assert time.monotonic() - start < 2
    text = str(error.value)
    assert place in text and "s3cret" not in text and f"unset {variable}" in text
    assert "did not answer within 1" in text or "connection refused" in text


@pytest.mark.parametrize(
    "address", ["http://localhost:6379", "localhost:6379", "redis://host:port", "unix:///x"]
)
def test_an_address_that_is_none_says_so(monkeypatch, address):
    monkeypatch.setenv("REDIS_URL", address)
    with pytest.raises(stores.Unreachable, match="unset REDIS_URL"):
        stores.start("redis")
