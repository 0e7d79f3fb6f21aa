"""Kernels forked from a warm process: this side of it. The first life starts the zygote of this process; it ends with it."""

import atexit
import contextlib
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path

from grader import line, sandbox
from grader.keeper import Ran, Task
from grader.life import Outcome, Recorder, Request, finish, slow
from grader.limits import End
from grader.place import ROOT, environment, guards
from grader.sandbox.watch import descendants
from grader.seal import free_names

READY_WITHIN = 120        # seconds
GRACE = 60                # seconds beyond a run's own limits until its keeper is taken for hung


class Broken(RuntimeError):
    """The zygote does not start, or has ended."""


@cache
def mode() -> str:
    """How kernels can be forked here: "sandboxed", "forked" (without a sandbox), or "" (not at all)."""
    if sys.platform != "linux":
        return ""
    return "sandboxed" if sandbox.probe() else "forked"


def begin(engine: str, imports: dict[str, tuple[str, str]], checks: Sequence[str]) -> None:
    """Start to become warm for jobs with these imports and check cells, and return meanwhile."""
    def start() -> None:
        with contextlib.suppress(Broken, OSError):     # said again where it is needed
            zygote(how, guards(imports), checks)

    if how := ("" if engine == "portable" else engine or mode()):
        threading.Thread(target=start, daemon=True).start()


def live(job, requests: list[Request], seconds: float) -> list[Outcome]:
    """Run the requests in a kernel forked for them until one ends it or the time is up."""
    how = job.engine or mode()
    scratch = sandbox.HOME if how == "sandboxed" else tempfile.mkdtemp(prefix="grading-")
    asked = [(each.code, each.number, free_names(each.code) if each.number else ()) for each in requests]
    task = Task(asked, job.files, job.imports, job.limits, seconds, environment(Path(scratch)))
    try:
        checks = [each.code for each in requests if each.number]
        ran = zygote(how, guards(job.imports), checks).run(task, guards(job.imports))
    finally:
        if how != "sandboxed":
            shutil.rmtree(scratch, ignore_errors=True)
    return outcomes(requests, ran, job.limits)


def outcomes(requests: list[Request], ran: list[Ran], limits) -> list[Outcome]:
    """What the kernel said → cells with outputs."""
    recorder = Recorder(requests[:len(ran)], limits.cell_output)
    return [_outcome(recorder, i, each, limits) for i, each in enumerate(ran)]


def _outcome(recorder: Recorder, i: int, ran: Ran, limits) -> Outcome:
    cell, reply, end = recorder.nb.cells[i], {}, ran.end
    recorder.begin()
    try:
        for message in map(json.loads, ran.messages):
            if message["parent_header"].get("msg_id") == str(i):      # else: a thread of an earlier cell, which is over
                recorder.process_message(message, cell, i)
        reply = json.loads(ran.reply) | (slow(limits.cell) if end is End.SLOW else {})
        cell.execution_count = reply.get("execution_count")
        finish(cell, reply, limits.cell_output)
    except Exception:                      # no kernel has said this
        end = end if end.deadly else End.FORGED
    return Outcome(cell, end, reply, ran.seconds, ran.cpu)


class Zygote:
    """The handle of a warm process."""

    def __init__(self, how: str, guards: Set[str], checks: Sequence[str]):
        self.control, theirs = socket.socketpair()
        self.lock = threading.Lock()
        variables = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "HOME") if name in os.environ}
        command = [sys.executable, "-P", "-m", "grader.zygote", str(theirs.fileno()), how]
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=variables | {"PYTHONPATH": str(ROOT)}, cwd=ROOT,
                                        stdin=subprocess.DEVNULL)
        theirs.close()
        self.control.settimeout(READY_WITHIN)
        line.send(self.control, line.REQUEST, json.dumps({"guards": sorted(guards), "checks": list(checks)}).encode())
        self.told = json.loads(self.control.makefile("rb").readline() or b"{}")
        if not self.told.get("ready"):
            raise Broken("the warm process did not start")

    def run(self, task: Task, guards: set[str]) -> list[Ran]:
        """Raises EOFError when the keeper has ended without an answer, TimeoutError when it does not give one."""
        ours, theirs = socket.socketpair()
        ours.settimeout(task.seconds + task.limits.cell + GRACE)
        with ours:
            with theirs, self.lock:
                socket.send_fds(self.control, [json.dumps({"guards": sorted(guards)}).encode()], [theirs.fileno()])
            line.send(ours, line.REQUEST, pickle.dumps(task))
            return pickle.loads(line.receive(ours)[1])

    def end_lives(self) -> None:
        """End what runs: whoever waits for it gets an EOFError."""
        _kill(descendants(self.process.pid)[1:])

    def stop(self) -> None:
        """End what runs, then the zygote. Stopping twice is allowed."""
        self.control.close()                   # at which it ends by itself, when it is not stopped in the middle of something
        self.end_lives()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            _kill(descendants(self.process.pid))
            self.process.wait()


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def stop_all() -> None:
    """End this process's zygotes."""
    for key, each in list(_zygotes.items()):
        if key[0] == os.getpid():
            each.stop()
            del _zygotes[key]


atexit.register(stop_all)


def end_lives() -> None:
    """End everything that this process's zygotes have forked; they themselves stay."""
    for (pid, _), each in _zygotes.items():
        if pid == os.getpid():
            each.end_lives()


_zygotes: dict[tuple[int, str], Zygote] = {}        # a fork of this process needs one of its own
_starting = threading.Lock()


def zygote(how: str, guards: Set[str] = frozenset(), checks: Sequence[str] = ()) -> Zygote:
    """This process's zygote of that mode, started at the first call, and again if it has ended."""
    with _starting:
        key = os.getpid(), how
        found = _zygotes.get(key)
        if found is None or found.process.poll() is not None:
            found = _zygotes[key] = Zygote(how, guards, checks)
        return found
