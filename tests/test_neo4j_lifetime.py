"""The engine's process: it ends with its owner however that ends, leaves nothing behind, and listens on loopback only."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from stores.neo4j import embedded

SOON = 10  # seconds


def folders(pid):
    return set(Path(tempfile.gettempdir()).glob(f"{embedded.PREFIX}{pid}-*"))


def until(condition):
    """Return whether condition() becomes true soon."""
    deadline = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def owner(root):
    """Give run(code): a Python process with a running server called `server`, which has printed its engine's pid."""
    processes = []

    def run(code, **options):
        start = "import os, signal, sys, time, stores\nserver = stores.start('neo4j')\nprint(server._process._child.pid, flush=True)\n"
        process = subprocess.Popen(
            [sys.executable, "-c", start + textwrap.dedent(code)],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        processes.append(process)
        return process, int(process.stdout.readline())

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("end", ["kill", "exit", "os._exit(1)", "raise SystemExit(3)", "1 / 0"])
def test_the_engine_ends_with_its_owner(owner, end):
    process, engine = owner("time.sleep(60)" if end == "kill" else f"time.sleep(0.1)\n{'pass' if end == 'exit' else end}")
    assert psutil.pid_exists(engine) or end != "kill"
    if end == "kill":
        process.kill()
    process.wait(SOON)
    assert until(lambda: not psutil.pid_exists(engine)), "the engine outlives its owner"
    assert until(lambda: not folders(process.pid)), "a folder is left"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_that_the_owner_forked_does_not_keep_the_engine(owner):
    """The fork holds the pipe that tells the engine of its owner's end."""
    process, engine = owner("""
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        print("forked", flush=True)
        time.sleep(60)
    """)
    process.stdout.readline()
    process.kill()
    process.wait(SOON)
    assert until(lambda: not psutil.pid_exists(engine))


@pytest.mark.skipif(os.name != "posix", reason="interrupts are sent to process groups on POSIX systems")
def test_an_interrupt_of_the_kernel_does_not_reach_the_engine(owner):
    process, engine = owner(
        """
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            import neo4j
            with neo4j.GraphDatabase.driver(server.uri, auth=server.auth) as driver:
                print(driver.execute_query("RETURN 1 AS x").records[0]["x"], flush=True)
        """,
        start_new_session=True,
    )
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline().strip() == "1"
    assert psutil.pid_exists(engine)


def test_ten_starts_leave_nothing(owner):
    process, _ = owner("""
        import psutil
        stores.stop_all()
        me = psutil.Process()
        open_before = me.num_fds() if hasattr(me, "num_fds") else me.num_handles()
        for _ in range(10):
            stores.start("neo4j")
            stores.stop_all()
        open_after = me.num_fds() if hasattr(me, "num_fds") else me.num_handles()
        print(len(me.children()), open_after - open_before, me.num_threads(), flush=True)
    """)
    children, more_open, threads = map(int, process.stdout.readline().split())
    assert children == 0
    assert more_open <= 3
    assert threads <= 3
    process.wait(SOON)
    assert until(lambda: not folders(process.pid))


def test_everything_listens_on_loopback(owner):
    process, engine = owner("time.sleep(30)")
    listening = [
        connection.laddr.ip
        for pid in (process.pid, engine)
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 3  # the front, the engine's Bolt, its HTTP
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


def test_the_engine_itself_lets_nobody_in(owner):
    """Its Bolt and HTTP ports ask for a password that only the front knows, and no command line shows it."""
    process, engine = owner("print(server._process.password, flush=True); time.sleep(30)")
    password = process.stdout.readline().strip()
    assert len(password) >= 24
    assert password not in " ".join(psutil.Process(engine).cmdline())
    assert password not in " ".join(psutil.Process(engine).environ().values())
    ports = [c.laddr.port for c in psutil.Process(engine).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    for path in ("/api/v1/server", "/api/v1/databases", "/api/v1/exists/course0", "/api/v1/mcp"):
        answers = [http_status(port, path) for port in ports]
        assert b"401" in b"".join(answers), (path, answers)
        assert not any(answer.startswith(b"HTTP/1.1 200") for answer in answers)


def http_status(port, path):
    with socket.create_connection(("127.0.0.1", port), SOON) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        try:
            return client.recv(4096).split(b"\r\n")[0]
        except OSError:
            return b""


def test_the_folder_of_a_dead_owner_is_swept():
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = Path(tempfile.mkdtemp(prefix=f"{embedded.PREFIX}{dead.pid}-"))
    mine = Path(tempfile.mkdtemp(prefix=f"{embedded.PREFIX}{os.getpid()}-"))
    try:
        embedded.sweep()
        assert not left.exists()
        assert mine.exists()
    finally:
        mine.rmdir()


def test_a_system_without_the_engine_is_told_what_to_do(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "arcadedb" else find(name, *rest))
    with pytest.raises(embedded.EngineFailed, match=r"(?s)needs the package arcadedb.*NEO4J_URI.*docker run"):
        embedded.EmbeddedNeo4j()


def test_an_engine_that_fails_says_why(monkeypatch):
    monkeypatch.setattr(embedded, "SCRIPT", Path(__file__).parent / "no-such-engine.py")
    before = folders(os.getpid())
    with pytest.raises(embedded.EngineFailed, match="no-such-engine"):
        embedded.EmbeddedNeo4j()
    assert folders(os.getpid()) <= before
