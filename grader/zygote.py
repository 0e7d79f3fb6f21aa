"""The warm process: it has imported what notebooks import, and forks a kernel for each notebook.

    python -P -m grader.zygote DESCRIPTOR sandboxed|forked      (a Unix socket, on which jobs come; it ends with that)

Forking is sound because this process has one thread and has made nothing that a fork would break: no server, no client of a
database, no zmq context, no event loop. The first message on the socket says what to be ready for: {"guards": modules that the
seals of the first jobs will guard, "checks": check cells that they will hold}; it is answered by {"ready": true}. Each message
after that is a job, {"guards": modules}, and carries one end of another socket, on which a keeper (see keeper.py) is told more.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

from grader import child, keeper, line
from grader.place import BACKEND, lay_out
from grader.sandbox import walls
from grader.sandbox.kernel import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, set_option
from grader.seal import Seal

LINE = 3                   # the file descriptor of a kernel's line

# What notebooks import. Whatever is not there is left out: the cells that need it will say so.
WARM = """
course.check course.shopstream course.plots stores stores.base stores.wire stores.local
numpy pandas matplotlib matplotlib.backends.backend_agg
asyncio concurrent.futures concurrent.futures.thread multiprocessing sqlite3 secrets unittest.mock zoneinfo ssl http.client
psutil pygments.styles.default pygments.formatters.terminal256 pygments.lexers.python IPython.core.completer
""".split()
# A driver's companions, for the assignments that import the driver.
COMPANIONS = {
    "redis": "redis.asyncio fakeredis lupa course.crowd stores.redis.embedded",
    "pymemcache": "stores.memcached.embedded",
    "pymongo": "bson mongoengine stores.mongodb.embedded",
    "cassandra": "cassandra.cluster cassandra.concurrent cassandra.query stores.cassandra.embedded",
    "neo4j": "stores.neo4j.embedded",
    "happybase": "stores.hbase.embedded",
    "course": "course.threads",
}
REHEARSAL = """
1 + 1
---
print("x"); import sys; print("y", file=sys.stderr)
---
def f(x):
    assert x == [1], "no"
f(2)
---
def g(:
---
raise ValueError("x")
---
import asyncio
await asyncio.sleep(0)
---
from course.check import check, task
with task("0.0"):
    check("one", got=1, want=1)
---
import warnings
warnings.warn("only a warning")
---
import matplotlib.pyplot as plt
plt.plot([1, 2]);
---
[[1] * 3, {"a": 1.5}, "text", None]
""".split("---\n")


class Zygote:
    """What is made before the forks.

    guards  the modules that the first jobs' seals will guard: they are imported first, so that of a large package only those
            modules are guarded that they need
    checks  the check cells of the first jobs
    """

    def __init__(self, guards: frozenset[str], checks: list[str]):
        os.environ["MPLBACKEND"] = BACKEND
        for name in ("course.check", *sorted(guards)):
            bring(name)
        self.needed = {guards: set(sys.modules)}
        packages = {name.partition(".")[0] for name in guards}
        for name in [*WARM, *" ".join(COMPANIONS[each] for each in packages & COMPANIONS.keys()).split()]:
            bring(name)
        self.kernel = child.make()
        bring("matplotlib_inline.backend_inline")          # which asks, when it is imported, whose cells it shall draw for
        for name in self.rehearse():
            bring(name)
        self.practise()
        self.kernel.prepare(checks)
        if any("shopstream" in check for check in checks):
            sys.modules["course.shopstream"].load()         # the same for everybody, and kept by the module itself
        self.seal_for(guards)

    def seal_for(self, guards: frozenset[str]) -> None:
        """Import what a job's seal is to guard, and make the seal, unless the last job's will do."""
        if guards != getattr(self, "guards", None):
            for name in guards:
                bring(name)
            packages = {name.partition(".")[0] for name in guards}
            needed = self.needed.get(guards, sys.modules)
            self.guards, self.seal = guards, Seal(self.kernel.shell, packages | {"course", "stores"}, needed)
            gc.collect()
            gc.freeze()                     # what is here stays shared between the forks

    def practise(self) -> None:
        """Run some cells here: what Python and IPython learn by that (caches, specialised instructions) all forks have then."""
        shell, streams = self.kernel.shell, (sys.stdout, sys.stderr)
        _, nobody = socket.socketpair()
        self.kernel.session.begin(nobody, 0)
        for descriptor, stream in self.kernel.streams.items():
            stream.begin(descriptor)
            stream.take_in = lambda: None                   # this process's own output is nobody's
        sys.stdout, sys.stderr = self.kernel.streams[1], self.kernel.streams[2]
        for cell in REHEARSAL[:-2] * 3:
            shell.run_cell(cell, store_history=True)
        sys.stdout, sys.stderr = streams
        for stream in self.kernel.streams.values():
            del stream.take_in
        shell.reset(new_session=True)

    def rehearse(self) -> list[str]:
        """Run some cells in a fork; returns the modules that it came to import."""
        reading, writing = os.pipe()
        before = set(sys.modules)
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                _silence()
                sys.stdout, sys.stderr = self.kernel.streams[1], self.kernel.streams[2]
                _, nobody = socket.socketpair()
                self.kernel.session.begin(nobody, 0)
                for descriptor, stream in self.kernel.streams.items():
                    stream.begin(descriptor)
                for cell in REHEARSAL:
                    self.kernel.shell.run_cell(cell)
                new = [name for name, module in sys.modules.items() if name not in before and getattr(module, "__spec__", None)]
                os.write(writing, json.dumps(new).encode())
            os._exit(0)
        os.close(writing)
        with open(reading, "rb") as told:
            names = json.loads(told.read() or b"[]")
        os.waitpid(pid, 0)
        return names


def bring(name: str) -> None:
    with contextlib.suppress(Exception):
        importlib.import_module(name)


def _silence() -> None:
    """Standard input from nowhere; output and errors into files that only grow."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    for descriptor in (1, 2):
        file = os.memfd_create("output", 0)
        os.set_inheritable(file, True)
        appending = os.open(f"/proc/self/fd/{file}", os.O_RDWR | os.O_APPEND)
        os.dup2(appending, descriptor)
        os.close(appending)
        os.close(file)


def start(zygote: Zygote, shut_in: bool, task: keeper.Task, connection: socket.socket) -> int:
    """Fork the kernel that serves the other end of this connection; returns its process id."""
    if shut_in:
        walls.wall_off()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.dup2(connection.fileno(), LINE)
        os.closerange(LINE + 1, 4096)
        _silence()
        if shut_in:
            walls.lock_in(task.limits)
        else:
            set_option(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.environ.clear()
        os.environ.update(task.environment)
        os.chdir(lay_out(Path(task.environment["HOME"]).parent, task.files))
        tempfile.tempdir = None                        # what this process found out about folders is no longer so
        sys.path.insert(0, "")
        child.serve(zygote.kernel, zygote.seal, task.imports, socket.socket(fileno=LINE), 2 * task.limits.cell_output)
    except EOFError:
        os._exit(0)                                    # no more requests
    finally:
        os._exit(1)


def become_keeper(zygote: Zygote, shut_in: bool, asker: socket.socket) -> None:
    """In a fork: run what is asked for there."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    set_option(PR_SET_PDEATHSIG, signal.SIGKILL)
    set_option(PR_SET_CHILD_SUBREAPER, 1)              # without a sandbox, a process that loses its parent becomes this one's child
    with contextlib.suppress(keeper.Gone, OSError):
        keeper.keep(asker, partial(start, zygote, shut_in))


def reap(*_) -> None:
    """Take leave of the keepers that have ended (or, without a sandbox, of what they have left)."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main(descriptor: int, mode: str) -> None:
    control = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = json.loads(line.receive(control)[1])
    zygote = Zygote(frozenset(first["guards"]), first["checks"])
    if mode == "sandboxed":
        walls.jail()
    signal.signal(signal.SIGCHLD, reap)
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"the warm process must have one thread, and has {threads}")
    control.sendall(json.dumps({"ready": True}).encode() + b"\n")
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, 2**16, 1)
        if not data:
            os._exit(0)
        zygote.seal_for(frozenset(json.loads(data)["guards"]))
        if os.fork() == 0:
            try:
                control.close()
                become_keeper(zygote, mode == "sandboxed", socket.socket(fileno=descriptors[0]))
            finally:
                os._exit(0)
        os.close(descriptors[0])


if __name__ == "__main__":
    importlib.import_module("grader.zygote").main(int(sys.argv[1]), *sys.argv[2:])
