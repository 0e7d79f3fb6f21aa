"""The kernel of a forked child: ipykernel's own, but for how its messages travel: over one socket, without zmq, ports and threads.

It is made once, before the fork (`make`), and serves one line after it (`serve`).
"""

import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from types import SimpleNamespace
from typing import ClassVar

from ipykernel.compiler import XCachingCompiler, get_file_name, get_tmp_directory
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.session import Session, extract_header
from traitlets import Type
from traitlets.config import Config

from grader import line
from grader.seal import Seal

FLUSH = 0.2                  # seconds after which printed text is sent on, as in ipykernel
HELD = 50_000                # characters at which it is sent on before that
_now, _write, _fstat, _pread, _getpid = time.monotonic, os.write, os.fstat, os.pread, os.getpid     # whatever a learner replaces


class Messages(Session):
    """Sends the kernel's messages as frames. A process that the learner's code forks has no voice here."""

    def begin(self, connection: socket.socket, allowed: int) -> None:
        self.connection, self.lock, self.owner = connection, threading.Lock(), _getpid()
        self.allowed = self.left = allowed

    def msg(self, msg_type, content=None, parent=None, header=None, metadata=None):
        return {"header": {"msg_type": msg_type}, "msg_type": msg_type, "content": content or {}, "metadata": metadata or {},
                "parent_header": {} if parent is None else extract_header(parent)}

    def send(self, stream, msg_or_type, content=None, parent=None, ident=None, buffers=None, track=False, header=None,
             metadata=None):
        message = msg_or_type if isinstance(msg_or_type, dict) else self.msg(msg_or_type, content, parent, header, metadata)
        data = json.dumps(message, default=str).encode("utf-8", "replace")
        self.left -= len(data)
        if self.left > -len(data) and len(data) < line.LONGEST:     # the first beyond the limit goes out: it says that there is more
            self.frame(line.OUTPUT, data)
        return message

    def frame(self, letter: bytes, data: bytes) -> None:
        if _getpid() == self.owner:
            with self.lock:
                line.send(self.connection, letter, data)


class NoThread(IOPubThread):
    """What an OutStream wants of ipykernel's output thread, without the thread."""

    def __init__(self):
        self.thread = self.socket = None
        self.io_loop = SimpleNamespace(call_later=lambda *_: None, add_callback=lambda *_: None)

    def schedule(self, f):
        f()


class Stream(OutStream):
    """sys.stdout or sys.stderr. Takes in what C code and other processes write to its file descriptor, in order."""

    def begin(self, descriptor: int) -> None:
        """`descriptor` is 1 or 2, and open on a file of its own that is only appended to."""
        self.descriptor, self._master_pid = descriptor, _getpid()
        self.read, self.sent, self.held = 0, 0.0, 0

    def write(self, string):
        if _getpid() != self._master_pid:          # a forked process: its parent takes it from there
            _write(self.descriptor, string.encode("utf-8", "replace"))
            return len(string)
        self.take_in()
        if self.session.left < 0:                  # there is more than will be shown: it is said already
            return len(string)
        count = super().write(string)
        self.held += len(string)
        if self.held > HELD or _now() - self.sent > FLUSH:
            self.flush()
        return count

    def flush(self):
        if _getpid() == self._master_pid:
            self.take_in()
            self.sent, self.held = _now(), 0
            super().flush()

    def take_in(self) -> None:
        """What was written to the file since the last time."""
        if (size := _fstat(self.descriptor).st_size) > self.read:
            data = _pread(self.descriptor, min(size - self.read, self.session.allowed), self.read)
            self.read = size
            super().write(data.decode("utf-8", "replace"))

    def fileno(self):
        return self.descriptor


class Compiler(XCachingCompiler):
    """ipykernel's, which calls a cell by a hash of its code. Those of the check cells are computed once for the class."""
    hashes: ClassVar[dict[str, str]] = {}

    def get_code_name(self, raw_code, code, number):
        known = self.hashes.get(raw_code)
        return super().get_code_name(raw_code, code, number) if known is None else f"{get_tmp_directory()}{os.sep}{known}"


class Kernel(IPythonKernel):
    """An IPython kernel with a line instead of sockets. `checks` are cells that are known before, as IPython would run them."""
    compiler_class = Type(Compiler)

    def prepare(self, checks: list[str]) -> None:
        """Do beforehand what IPython does with a cell before it runs it. (Not those that await: they take the usual way.)"""
        self.checks = {code: self.shell.transform_cell(code) for code in checks if "await" not in code and "async" not in code}
        Compiler.hashes = {code: os.path.basename(get_file_name(code)) for code in self.checks}

    def __init__(self):
        self.checks: dict[str, str] = {}
        settings = Config()
        settings.HistoryManager.enabled = False            # it would start a thread
        silent = logging.getLogger("grader.kernel")
        silent.addHandler(logging.NullHandler())
        silent.propagate = False
        super().__init__(session=Messages(key=b""), config=settings, user_ns={}, log=silent)
        self.shell_channel_thread = SimpleNamespace(parent_thread=threading.main_thread())

    def begin(self, connection: socket.socket, allowed: int, loop: asyncio.AbstractEventLoop) -> None:
        """After the fork: from now on this process speaks on that line."""
        self.session.begin(connection, allowed)
        self.io_loop = SimpleNamespace(add_callback=loop.call_soon_threadsafe)
        for descriptor, stream in self.streams.items():
            stream.begin(descriptor)
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = self.streams[1], self.streams[2]

    def make_streams(self) -> None:
        nobody = NoThread()
        self.streams = {number: Stream(self.session, nobody, name, watchfd=False) for number, name in ((1, "stdout"), (2, "stderr"))}


def _without_debugger() -> None:
    """Have ipykernel find no debugger: it would make sockets, and takes long to import."""
    sys.modules["debugpy.server"] = None
    importlib.import_module("ipykernel.debugger")
    del sys.modules["debugpy.server"]


def make() -> Kernel:
    """The kernel, ready but for its line. Starts no thread."""
    _without_debugger()
    kernel = Kernel()
    kernel.make_streams()
    IPKernelApp.instance().kernel = kernel          # where %matplotlib looks for it; the application itself is not started
    return kernel


def serve(kernel: Kernel, seal: Seal, imports: dict[str, tuple[str, str]], connection: socket.socket, allowed: int) -> None:
    """Run the cells that are asked for on the line, until its end."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    kernel.begin(connection, allowed, loop)
    seal.streams = sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.default_int_handler)
    connection.setblocking(True)
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)      # the learner's tasks go on while the next cell is waited for
    execute = _Executor(kernel, seal, imports)
    while True:
        with contextlib.suppress(KeyboardInterrupt):       # one that came too late for its cell
            loop.run_until_complete(_wait(ready))
            _, data = line.receive(connection)
            loop.run_until_complete(execute(json.loads(data)))


async def _wait(ready: asyncio.Event) -> None:
    ready.clear()
    await ready.wait()


class _Executor:
    """Runs one request after another and replies to each."""

    def __init__(self, kernel: Kernel, seal: Seal, imports: dict[str, tuple[str, str]]):
        self.kernel, self.seal, self.imports = kernel, seal, imports
        self.again = False

    async def __call__(self, request: dict) -> None:
        kernel, session = self.kernel, self.kernel.session
        session.left = session.allowed
        for stream in kernel.streams.values():
            stream.sent = 0.0              # the first that a cell prints goes out at once: it may be the last
        parent = {"header": {"msg_id": request["id"], "msg_type": "execute_request"}, "metadata": {}, "content": {}}
        kernel.set_parent([], parent)
        reply = await self._sealed(request) if request["number"] else await self._run(request["code"])
        self.again = bool(request["number"])
        kernel.streams[1].flush()
        kernel.streams[2].flush()
        content = {"id": request["id"], "number": request["number"]} | reply
        session.frame(line.REPLY, json.dumps(content, default=str).encode("utf-8", "replace"))

    async def _run(self, code: str, prepared: str | None = None) -> dict:
        count = self.kernel.shell.execution_count
        try:
            if prepared is None:
                content = await IPythonKernel.do_execute(self.kernel, code, False, True, {}, False, cell_meta={}, cell_id=None)
            else:
                content = await self._run_prepared(code, prepared)
        except Exception as error:           # the answer broke something that IPython itself stands on
            content = {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}
        return {name: content.get(name) for name in ("status", "ename", "evalue", "traceback")} | {"execution_count": count}

    async def _run_prepared(self, code: str, prepared: str) -> dict:
        """What do_execute does, less what was done beforehand."""
        kernel, shell = self.kernel, self.kernel.shell
        kernel._forward_input(False)
        shell._last_traceback, shell._last_traceback_during_displayhook = None, False
        try:
            result = None
            try:
                result = await shell.run_cell_async(code, store_history=True, silent=False, transformed_cell=prepared)
            finally:
                shell.events.trigger("post_execute")
                shell.events.trigger("post_run_cell", result)
        finally:
            kernel._restore_input()
        error = result.error_before_exec or result.error_in_exec
        if result.success and not shell._last_traceback_during_displayhook:
            return {"status": "ok"}
        return {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": shell._last_traceback or []}

    async def _sealed(self, request: dict) -> dict:
        self.seal.close(request["names"], self.imports, self.again)
        try:
            content = await self._run(request["code"], self.kernel.checks.get(request["code"]))
        finally:
            verdict = self.seal.open()
        return content | {"verdict": verdict | {"number": request["number"]}}
