"""Real programs: ready when they answer, gone with the block, the process, or kill -9 of the process."""

import os
import signal
import subprocess
import sys
import time

import pytest
import redis

import stores
from stores import local


def alive(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:
            return file.read().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def gone(pid):
    deadline = time.monotonic() + 3
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_a_program_is_ready_and_ends_with_its_block(launch):
    launch("redis-server").stop()  # skips where there is none
    with local.launch("redis-server", "--maxmemory", "3mb") as program:
        client = redis.Redis(host=program.host, port=program.port)
        assert client.config_get("maxmemory") == {b"maxmemory": b"3145728"} or client.ping()
        assert program.url == f"redis://127.0.0.1:{program.port}" and "running" in repr(program)
        assert "Ready to accept connections" in program.output()
        client.close()
    assert gone(program.process.pid) and not os.path.exists(program._folder)


def test_a_program_that_cannot_start_shows_its_output(launch):
    launch("redis-server").stop()
    with pytest.raises(RuntimeError, match="Bad directive or wrong number of arguments"):
        local.launch("redis-server", "--nonsense", "1")


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert local.find("redis-server") is None
    with pytest.raises(local.NotFound, match="redis-server is not on the PATH"):
        local.launch("redis-server")
    with pytest.raises(ValueError, match="Expected one of: redis-server, memcached"):
        local.launch("rm")


@pytest.mark.parametrize("end", ["exit", "kill"])
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a program with its parent")
def test_a_program_does_not_outlive_the_process_that_started_it(launch, end):
    launch("redis-server").stop()
    code = (
        "import sys, time, stores; p = stores.local.launch('redis-server'); print(p.process.pid, flush=True)\n"
        "time.sleep(60 if sys.argv[1] == 'kill' else 0)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, end], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    if end == "kill":
        os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


@pytest.mark.parametrize("end", ["exit", "kill"])
@pytest.mark.parametrize("name", stores.NAMES)
def test_an_embedded_server_does_not_outlive_its_process(name, end):
    code = (
        "import sys, time, socket, stores; s = stores.start(sys.argv[1]); c = socket.create_connection((s.host, s.port))\n"
        "print(s.port, flush=True)\n"
        "time.sleep(60 if sys.argv[2] == 'kill' else 0)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, name, end], stdout=subprocess.PIPE, text=True)
    port = int(parent.stdout.readline())
    if end == "kill":
        parent.kill()
    start = time.monotonic()
    parent.wait(10)
    parent.stdout.close()
    assert time.monotonic() - start < 3
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=port, retry=None).ping()


def test_importing_stores_is_light():
    code = "import sys, stores; print([m for m in ('redis', 'fakeredis', 'asyncio', 'lupa') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
