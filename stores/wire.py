"""The front: a small asyncio server on loopback, in a daemon thread, between a driver and an engine.

Every command passes here one at a time per connection, whichever engine answers it. That makes the record,
the faults and the gates of `course.crowd` the same for the embedded engine and for a real server.
"""

import asyncio
import errno
import os
import socket
import threading
from collections import deque

from stores.base import Faults

HOST = "127.0.0.1"
QUEUED = 1_000  # requests read ahead of the engine, per connection
STOP = 5  # seconds for the connections to close
BACKLOG = 64 * 2**20  # bytes that a client may leave unread
# A client that pipelines a lot sends several packets. While somebody counts round trips, the reply to a
# large burst waits a little for the rest of it; an ordinary command never waits. It looks often and briefly,
# rather than once for long: on a busy machine each look gives the client's thread another chance to send.
LARGE_BURST = 4096  # bytes
LOOK = 0.002  # seconds
WINDOW = 4 * 2**20  # bytes that a client can send ahead; a full window would stall it while its reply is held
LOOKS_FOR_PIPELINE = 25  # after two commands or more
LOOKS_FOR_COMMAND = 2  # after one: most likely it only has a long argument


class ProtocolError(Exception):
    """The client's bytes are not the protocol; the connection ends after this message."""


class Front:
    """Listens on a free loopback port and gives each connection a session.

    `session(front)` makes one. `logs`, `faults` and `gate` are looked at by the sessions for each command.
    A store of several nodes has an address for each: `hosts` are loopback addresses, different ones share a port.
    `addresses` are the pairs of host and port; a session's `place` says to which of them its client has come.
    """

    def __init__(self, session, hosts=(HOST,)):
        self._hosts = hosts
        self.addresses = []
        self.logs = ()
        self.gate = None  # see course.crowd
        self.faults = Faults(self)
        self.sessions = set()
        self._session = session
        self._sockets = []
        self._listeners = {}  # by place; those that refuse have none
        # Not the default loop: Windows' proactor loop cannot be stopped as cleanly from another thread.
        self.loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True, name="stores-front")

    def start(self):
        """Listen; the addresses are known afterwards."""
        self._sockets = _bound_together(self._hosts)
        self.addresses = [sock.getsockname() for sock in self._sockets]
        self._thread.start()
        self.run(self._listen())
        return self

    @property
    def host(self):
        return self.addresses[0][0]

    @property
    def port(self):
        return self.addresses[0][1]

    @property
    def thread_id(self):
        """The system's number of the front's thread."""
        return self._thread.native_id

    def run(self, coroutine, seconds=10):
        """Run a coroutine in the front's thread and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    def refuse(self, place=None):
        """Close the port and every connection (at one place). The port stays ours, so that nobody else takes it."""
        if self.on_loop():
            self._refuse(place)
        else:
            self.run(_call(lambda: self._refuse(place)))

    def disconnect(self, names):
        """Close the connections of the clients called `names`."""
        self.run(_call(lambda: self._disconnect(names)))

    def accept(self, place=None):
        """Listen again on the same port (at one place)."""
        if self.on_loop():
            self.loop.create_task(self._listen(place))
        elif self._thread.is_alive():
            self.run(self._listen(place))

    def stop(self):
        """Close everything and end the thread."""
        if self._thread.is_alive():
            try:
                self.run(self._close(), STOP)
            except TimeoutError:
                return  # the engine is in a long computation; the thread ends with the process
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(STOP)
            self.loop.close()
        for sock in self._sockets:
            sock.close()

    async def _listen(self, place=None):
        for each in range(len(self.addresses)) if place is None else (place,):
            if each not in self._listeners:
                self._listeners[each] = await self.loop.create_server(
                    lambda: self._session(self), sock=self._sockets[each], backlog=512
                )

    def _refuse(self, place=None):
        for each in range(len(self.addresses)) if place is None else (place,):
            if each in self._listeners:
                self._listeners.pop(each).close()
                # Bound but not listening: a client that connects is told "connection refused".
                self._sockets[each] = _bound(*self.addresses[each])
        self._disconnect(place=place)

    def _disconnect(self, names=None, place=None):
        for session in list(self.sessions):
            if (names is None or session.name in names) and (place is None or session.place == place):
                session.transport.abort()

    async def _close(self):
        self._refuse()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the transports close their sockets

    def on_loop(self):
        return threading.current_thread() is self._thread


class Session(asyncio.Protocol):
    """One client's connection. A store's session says how to parse, describe and execute its requests."""

    parser = None  # .feed(bytes) -> list of requests, the last may be a ProtocolError

    def __init__(self, front):
        self.front = front
        self.name = ""  # what the client calls itself
        self.closing = False  # set by execute() to close after its reply
        self._requests = deque()
        self._replies = []
        self._arrived = None  # future, while the task waits for a request
        self._drained = None  # future, while the client reads too slowly
        self._flushing = None
        self._holding = False
        self._burst = 0  # commands since the client last had all its replies
        self._burst_bytes = 0

    # What a store's session defines.

    async def opened(self):
        """Open the engine's side."""

    async def closed(self):
        """Close the engine's side."""

    def describe(self, request):
        """Return the Command to record and gate, or None for connection set-up."""
        raise NotImplementedError

    def gated(self, command):
        """Return whether a gate holds this command (a command that is only queued need not wait)."""
        return True

    async def execute(self, request):
        """Return the reply as bytes, or None for no reply."""
        raise NotImplementedError

    def transient_error(self, request):
        """Return the reply that means "this failed for now, try again" in the store's own words."""
        raise NotImplementedError

    async def finish(self, command):
        """Complete what `command` began and a later request would complete: its reply is about to be lost."""

    def protocol_error(self, error):
        """Return the last bytes that a client gets which does not speak the protocol."""
        raise NotImplementedError

    # What asyncio calls.

    def connection_made(self, transport):
        self.transport = transport
        self.place = self.front.addresses.index(transport.get_extra_info("sockname"))
        self.front.sessions.add(self)
        self._task = self.front.loop.create_task(self._serve())

    def data_received(self, data):
        self._burst_bytes += len(data)
        self._requests.extend(self.parser.feed(data))
        if len(self._requests) > QUEUED:
            self.transport.pause_reading()
        if self._requests and self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def connection_lost(self, _):
        self.front.sessions.discard(self)
        self._task.cancel()

    def pause_writing(self):
        self._drained = self.front.loop.create_future()

    def resume_writing(self):
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # The life of a connection.

    async def _serve(self):
        try:
            await self.opened()
            while not self.closing:
                if not self._requests:
                    await self._next_burst()
                await self._serve_one(self._requests.popleft())
        except OSError:  # the engine's side is gone: so is ours
            pass
        except Exception as error:  # a defect of ours: say so, and end this connection only
            self.front.loop.call_exception_handler({"message": "a session failed", "exception": error})
        finally:
            self._flush()
            self.transport.close()
            await self.closed()

    async def _serve_one(self, request):
        if isinstance(request, ProtocolError):
            self.write(self.protocol_error(request))
            self.closing = True
            return
        command = self.describe(request)
        if command is None:
            reply = await self.execute(request)
        else:
            self._record(command)
            if seconds := self.front.faults.delay_for(command):
                await asyncio.sleep(seconds)
            if self.front.faults.fails(command):
                reply = self.transient_error(request)
            else:
                reply = await self._at_gate(command, request)
            if self.front.faults.takes_reply(command):
                await self.finish(command)
                self.transport.abort()
                self.closing = True
                return
        if reply is not None:
            self.write(reply)
        if self._drained is not None:
            await self._drained

    async def _at_gate(self, command, request):
        gate = self.front.gate
        if gate is None or not self.gated(command):
            return await self.execute(request)
        turn = gate.arrive(self.name, command, self.front.loop)
        if turn is None:
            return await self.execute(request)
        try:
            await turn
            return await self.execute(request)
        finally:
            gate.leave(self.name, turn)

    def _record(self, command):
        for log in self.front.logs:
            log.add(command, starts_round_trip=self._burst == 0)
        self._burst += 1

    async def _next_burst(self):
        """Send the replies and wait until the client sends more."""
        self.transport.resume_reading()  # all that was read ahead is served; the rest of a burst may be waiting
        if self.front.logs and self._burst_bytes >= LARGE_BURST:
            self._holding = True
            for _ in range(LOOKS_FOR_PIPELINE if self._burst > 1 else LOOKS_FOR_COMMAND):
                self._acknowledge()
                await self._wait(LOOK)
                if self._requests:
                    break
            self._holding = False
            if self._requests:
                return
        self._flush()
        self._burst = self._burst_bytes = 0
        while not self._requests:
            await self._wait()

    def _acknowledge(self):
        """Have the kernel acknowledge now what has arrived.

        It likes to do so together with a reply; while the reply is held, a client with a full window would
        wait 40 ms for it. Only Linux has, and needs, the option.
        """
        if hasattr(socket, "TCP_QUICKACK"):
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _wait(self, seconds=None):
        self._arrived = self.front.loop.create_future()
        try:
            if seconds is None:
                await self._arrived
            else:
                await asyncio.wait([self._arrived], timeout=seconds)
        finally:
            self._arrived = None

    def write(self, data):
        """Send bytes to the client, at the latest when this task next waits."""
        self._replies.append(data)
        if self._flushing is None:
            self._flushing = self.front.loop.call_soon(self._flush_soon)

    def _flush_soon(self):
        self._flushing = None
        if not self._holding:
            self._flush()

    def _flush(self):
        if self._replies and not self.transport.is_closing():
            self.transport.write(b"".join(self._replies))
            if self.transport.get_write_buffer_size() > BACKLOG:
                self.transport.abort()
        self._replies.clear()


def _bound_together(hosts):
    """Return sockets bound to free ports: different hosts share one, the same host again gets another."""
    for _ in range(20):
        sockets = []
        try:
            for place, host in enumerate(hosts):
                shared = place and host not in hosts[:place]
                sockets.append(_bound(host, sockets[0].getsockname()[1] if shared else 0))
            return sockets
        except OSError as error:
            for sock in sockets:
                sock.close()
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no port is free on all of {', '.join(hosts)}")


def _bound(host, port):
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it a second reply waits 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # to bind the port again while old connections linger; on Windows it means "steal"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)  # inherited by its connections
    sock.bind((host, port))
    return sock


async def _call(function):
    function()
