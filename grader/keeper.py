"""Keeps one life of a kernel: forks it into its sandbox, gives it cell after cell, holds it to its limits, and ends it.

Runs in a process of its own, forked from the zygote, that never runs a learner's code. What it gives back are frames of the
kernel, as they came: whoever asked for the run reads them.
"""

import contextlib
import json
import os
import pickle
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from grader import line
from grader.limits import End
from grader.sandbox.watch import Watch, descendants

INTERRUPT = 3.0            # seconds that an interrupted cell has to end
TICK = 0.05                # seconds between two looks at memory and processes
KEPT = 3                   # times a cell's limit of output is taken in as raw frames, before the rest is dropped


@dataclass
class Task:
    """What a keeper is given: the requests (code, number of a check cell, names that it takes from elsewhere), the files, and
    what must hold."""
    requests: list[tuple[str, str, tuple[str, ...]]]
    files: dict[str, bytes]
    imports: dict[str, tuple[str, str]]
    limits: object
    seconds: float
    environment: dict[str, str]


@dataclass
class Ran:
    """What came of a request: the kernel's messages and its reply, as JSON; how it ended."""
    end: End = End.REPLIED
    messages: list[bytes] = field(default_factory=list)
    reply: bytes = b"{}"
    seconds: float = 0.0
    cpu: float = 0.0


class Gone(Exception):
    """Whoever asked for the run has gone."""


def keep(asker: socket.socket, start: Callable[[Task, socket.socket], int]) -> None:
    """Take a Task from `asker`, run it, send the list of Ran back. start(task, line) forks the kernel and returns its process id."""
    task: Task = pickle.loads(line.receive(asker)[1])
    ours, theirs = socket.socketpair()
    pid = start(task, theirs)
    theirs.close()
    try:
        ran = Keeper(asker, ours, pid, task).all_requests()
    finally:
        used = end(pid)
    if ran:
        ran[-1].cpu = used
    line.send(asker, line.REPLY, pickle.dumps(ran))


def end(kernel: int) -> float:
    """Kill the kernel and whatever it has started, and wait for them; returns their seconds of processor time.

    In a sandbox all others end with it. Without one, what has lost its parent has come to this process, or is a child's child.
    """
    seconds = 0.0
    while pids := [pid for pid in descendants(os.getpid()) if pid != os.getpid()] or [kernel]:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            used = os.wait4(-1, 0)[2]
        except ChildProcessError:
            break
        seconds += used.ru_utime + used.ru_stime
    return seconds


class Keeper:
    """The kernel's life, seen from outside."""

    def __init__(self, asker: socket.socket, kernel: socket.socket, pid: int, task: Task):
        self.asker, self.kernel, self.pid, self.task = asker, kernel, pid, task
        self.watch, self.looked = Watch(pid, task.limits), 0.0
        self.kernel.settimeout(INTERRUPT)             # for what is sent to it: it may not read
        self.line = line.Line()
        self.poll = select.poll()
        self.poll.register(kernel, select.POLLIN)
        self.poll.register(asker, select.POLLIN)      # which sends nothing more: it can only close

    def all_requests(self) -> list[Ran]:
        ran, until = [], time.monotonic() + self.task.seconds
        for number, request in enumerate(self.task.requests):
            if time.monotonic() > until:
                break
            ran.append(self.one(str(number), *request))
            if ran[-1].end.deadly:
                break
        return ran

    def one(self, name: str, code: str, number: str, names: tuple[str, ...]) -> Ran:
        """Have the kernel run one cell."""
        ran, started, self.taken = Ran(), time.monotonic(), 0
        limit, interrupted = started + self.task.limits.cell, False
        try:
            line.send(self.kernel, line.REQUEST, json.dumps({"id": name, "code": code, "number": number, "names": names}).encode())
            while True:
                if time.monotonic() > limit:
                    if interrupted:
                        ran.end = End.STUCK
                        break
                    interrupted, limit = True, time.monotonic() + INTERRUPT
                    os.kill(self.pid, signal.SIGINT)
                if self._take_in(ran, name, number):
                    ran.end = End.SLOW if interrupted else End.REPLIED
                    break
                if time.monotonic() - self.looked > TICK:
                    self.looked = time.monotonic()
                    if trouble := self.watch.trouble():
                        ran.end = trouble
                        break
        except (line.Garbled, ValueError, TypeError, KeyError, RecursionError):
            ran.end = End.FORGED
        except (EOFError, OSError):
            ran.end = End.DIED
        ran.seconds = time.monotonic() - started
        return ran

    def _take_in(self, ran: Ran, name: str, number: str) -> bool:
        """Wait a little for what the kernel says; True when that was its reply."""
        for descriptor, _ in self.poll.poll(TICK * 1000):
            if descriptor == self.asker.fileno():
                raise Gone
            data = self.kernel.recv(2**18)
            if not data:
                raise EOFError
            for letter, content in self.line.feed(data):
                if ran.reply != b"{}":
                    raise ValueError("something was said after the reply")
                if letter == line.OUTPUT:
                    if self.taken < KEPT * self.task.limits.cell_output:
                        ran.messages.append(content)
                    self.taken += len(content)
                else:
                    reply = json.loads(content)
                    if letter != line.REPLY or reply["id"] != name or reply["number"] != number:
                        raise ValueError("a reply to something else")
                    ran.reply = content
        return ran.reply != b"{}"
