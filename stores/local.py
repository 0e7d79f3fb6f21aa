"""Real programs, on a free loopback port, for as long as a `with` block or this process lives.

with stores.local.launch("redis-server") as program:
    program.url, program.port

From a shell, until Ctrl-C: python -m stores cassandra
"""

import atexit
import ctypes
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HOST = "127.0.0.1"
READY = 10.0  # seconds for the first answer
STOP = 3.0  # seconds to end in good order


class NotFound(FileNotFoundError):
    """The program, or what it needs to run, is not on this machine."""


# What each program needs: its arguments, and a query with the first bytes of its answer that say "ready".
# Programs that are more than an executable on the PATH are described by PROGRAM in stores/<name>/program.py: with
# find() -> path or None, missing() -> text that says what to install, command(port, folder) -> list, `ready` and `stop` in seconds.
PROGRAMS = {
    "redis-server": {
        "arguments": lambda port, folder: [
            *("--port", str(port), "--bind", HOST, "--dir", folder),
            *("--save", "", "--appendonly", "no", "--daemonize", "no"),
        ],
        "query": b"*1\r\n$4\r\nPING\r\n",
        "answer": b"+PONG",
        "scheme": "redis",
        "variable": "REDIS_URL",
    },
    "memcached": {
        "arguments": lambda port, folder: [
            *("-p", str(port), "-l", HOST, "-U", "0"),
            *(("-u", "root") if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
        ],
        "query": b"version\r\n",
        "answer": b"VERSION",
        "scheme": "memcached",
        "variable": "MEMCACHED_URL",
    },
}


DESCRIBED = ("cassandra", "neo4j")
OF_STORE = {"redis": "redis-server", "memcached": "memcached", "cassandra": "cassandra", "neo4j": "neo4j"}


def find(name):
    """Return the path of the program `name` (for Java programs that of java), or None when it cannot run here."""
    return about(name)["find"]() if name in DESCRIBED else shutil.which(name)


def about(name):
    """Return the settings of a program."""
    if name in DESCRIBED:
        return importlib.import_module(f"stores.{name}.program").PROGRAM
    if name in PROGRAMS:
        return PROGRAMS[name]
    raise ValueError(f"no settings for {name!r}. Expected one of: {', '.join([*PROGRAMS, *DESCRIBED])}")


def launch(name, *arguments):
    """Start the program `name` with more `arguments` and return it, ready, as a context manager.

    It has host, port and url. Raises NotFound when it is not on the PATH, RuntimeError with its output when
    it does not get ready.
    """
    settings = about(name)
    path = find(name)
    if path is None:
        package = name.split("-")[0]
        missing = settings.get("missing", lambda: f"is not on the PATH. Install it (Debian: apt install {package})")
        raise NotFound(f"{name} {missing()}")
    return Program(name, path, arguments)


class Program:
    """A running program: `host`, `port`, `url`, `process`, its `settings`, and `output()` so far."""

    def __init__(self, name, path, arguments):
        self.name = name
        self.host = HOST
        self.port = free_port()
        self.settings = about(name)
        self.url = f"{self.settings['scheme']}://{HOST}:{self.port}"
        self._folder = tempfile.mkdtemp(prefix=f"{name}-")
        self._output = open(os.path.join(self._folder, "output.txt"), "w+b")  # noqa: SIM115 (closed by stop)
        if "command" in self.settings:
            command = self.settings["command"](self.port, self._folder)
        else:
            command = [path, *self.settings["arguments"](self.port, self._folder)]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            **_dies_with_us(),
        )
        atexit.register(self.stop)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def environment(self):
        """Return the variables by which the course uses this program, such as {"REDIS_URL": "redis://127.0.0.1:6379"}."""
        if "environment" in self.settings:  # more than an address: it is also given a password, for example
            return self.settings["environment"](self)
        address = f"{self.host}:{self.port}" if self.settings.get("bare") else self.url
        return {self.settings["variable"]: address}

    def output(self):
        """Return what the program has printed, as text."""
        with open(self._output.name, "rb") as file:
            return file.read().decode(errors="replace")

    def stop(self):
        """End the program. Stopping twice is allowed."""
        atexit.unregister(self.stop)
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(self.settings.get("stop", STOP))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __repr__(self):
        state = "running" if self.process.poll() is None else "ended"
        return f"<{self.name} {self.url}, process {self.process.pid}, {state}>"

    def _wait_until_ready(self):
        ready = self.settings.get("ready", READY)
        deadline = time.monotonic() + ready
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self.process.returncode}:\n{self.output()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer after {ready:g} s:\n{self.output()}")
            time.sleep(0.02)

    def _answers(self):
        try:
            with socket.create_connection((self.host, self.port), timeout=0.5) as sock:
                sock.sendall(self.settings["query"])
                return sock.recv(64).startswith(self.settings["answer"])
        except OSError:
            return False


def free_port():
    """Return a loopback port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]


def _dies_with_us():
    """Return Popen settings so that the program does not outlive this process.

    Linux: the kernel kills it when the thread that started it ends, also after kill -9. Windows and macOS
    have no such call here: the program ends with `with`, stop() or the normal exit of this process.
    """
    if sys.platform != "linux":
        return {}
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: the child must do little
    return {"preexec_fn": lambda: prctl(1, signal.SIGKILL)}  # 1: PR_SET_PDEATHSIG
