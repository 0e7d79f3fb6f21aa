"""Races that happen every time: ordinary functions, ordinary clients, one schedule.

    with readers(20, server) as crowd:
        load = crowd.slow(load_from_database)
        crowd.run(lambda r: load_once(r, "product:7", load, ttl=60))
    load.calls

Each actor is a thread with a client of its own (redis.Redis, MongoClient), named "reader-1", "reader-2", …. The server holds every
command back until each actor has one pending (or has finished, sleeps or is blocked), then serves them one
by one in the order of the actors. So all of them read before any of them writes: the worst case, every time.
A transaction is one step, at its EXEC; without a transaction each command of a pipeline is a step of its own.
"""

import ctypes
import functools
import threading
import time
import types
from collections import deque
from contextlib import contextmanager

import redis
from redis.maint_notifications import MaintNotificationsConfig

# An actor that sends nothing and does not run for QUIET looks is sleeping or blocked: others go on.
LOOK = 0.004  # seconds between two looks
QUIET = 5  # looks, about 20 ms in all
BUSY = 200_000  # nanoseconds of processor time between two looks: more than waking up and sleeping again
# Commands that may wait for another actor. The reply to any other is waited for, however busy the machine is.
BLOCKING = {
    "BLMOVE",
    "BLMPOP",
    "BLPOP",
    "BRPOP",
    "BRPOPLPUSH",
    "BZMPOP",
    "BZPOPMAX",
    "BZPOPMIN",
    "WAIT",
    "WAITAOF",
    "GETMORE",
}

_here = threading.local()  # .schedule and .name, in an actor's thread


class Stuck(TimeoutError):
    """A run was stopped before every actor had finished. The message says who waited for what."""


@contextmanager
def readers(n, server, seconds=10):
    """Give a Crowd of `n` actors, "reader-1" to "reader-n", for the `with` block.

    `seconds` limits each run: what is stuck is released, and Stuck is raised.
    """
    crowd = Crowd([f"reader-{i}" for i in range(1, n + 1)], server, seconds)
    try:
        yield crowd
    finally:
        crowd.close()


def race(functions, server, order=None, seconds=10):
    """Run `functions`, each called with a client of its own, and return a list of their outcomes.

    The actors are called "A", "B", …; `order` such as "AABB" says whose command is served next. A letter
    whose actor has finished, sleeps or is blocked is skipped; after the last letter they take turns. An
    outcome is the value returned or the exception raised. Raises Stuck after `seconds`.
    """
    names = [chr(ord("A") + i) for i in range(len(functions))]
    if unknown := set(order or "") - set(names):
        raise ValueError(f"order={order!r} names {sorted(unknown)}. Expected only {', '.join(names)}")
    crowd = Crowd(names, server, seconds)
    try:
        return crowd.run_each(functions, order)
    finally:
        crowd.close()


class Crowd:
    """Actors that share a server. `schedule` lists the steps of the last run: (actor, what it did)."""

    def __init__(self, names, server, seconds=10):
        if server.name not in CLIENTS:
            raise ValueError(
                f"a crowd needs clients that give their name: expected {' or '.join(CLIENTS)}, found {server.name}"
            )
        self.names = list(names)
        self.server = server
        self.seconds = seconds
        self.schedule = []
        self._slow = {}
        self._clients = [CLIENTS[server.name](server, name) for name in self.names]

    def run(self, function):
        """Call function(r) in every actor and return the outcomes: values, or the exceptions raised."""
        return self.run_each([function] * len(self.names))

    def run_each(self, functions, order=None):
        """Call functions[i](r) in actor i, each with its own client; see race()."""
        schedule = Schedule(self.names, order, self.server.front.thread_id)
        self.schedule = schedule.steps
        outcomes = [None] * len(functions)
        work = zip(self.names, functions, self._clients, strict=True)
        actors = [
            threading.Thread(target=_act, args=(schedule, *job, outcomes, i), daemon=True, name=job[0])
            for i, job in enumerate(work)
        ]
        for client in self._clients:  # connect now: connecting is no part of the race
            _connect(client)
        with self.server.gated(schedule):
            for actor in actors:
                actor.start()
            try:
                schedule.conduct(time.monotonic() + self.seconds)
            except TimeoutError as error:
                raise Stuck(f"stopped after {self.seconds:g} s, when not all had finished: {error}") from None
            finally:
                self._release(schedule, actors)
        return outcomes

    def slow(self, load):
        """Return `load` made slow: while it loads, everyone else takes a turn. `.calls` counts its calls.

        The same `load` gives the same slow function; a plain function gets the attribute `calls` as well.
        """
        if load not in self._slow:
            self._slow[load] = _slow(load)
        return self._slow[load]

    def close(self):
        """Close the actors' connections."""
        for client in self._clients:
            client.close()

    def _release(self, schedule, actors):
        """Let everyone go. Only an actor that is stuck still runs here: it gets an exception to end it."""
        schedule.open()
        alive = [actor for actor in actors if actor.is_alive()]
        for actor in alive:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(actor.ident), ctypes.py_object(_Stop))
        if alive:
            self.server.disconnect(self.names)  # wakes those who wait for a reply
        for actor in alive:
            actor.join(0.5)


def _redis(server, name):
    # An actor does not tell the server which library it uses (redis-py would look up its version for each client, which
    # takes longer than to connect) and asks for no news of maintenance: half of what is said when it connects.
    quiet = {"driver_info": None, "maint_notifications_config": MaintNotificationsConfig(enabled=False)}
    return redis.Redis(host=server.host, port=server.port, decode_responses=True, client_name=name, **quiet)


def _mongodb(server, name):
    from pymongo import MongoClient  # only courses that get there need it

    return MongoClient(server.url, appname=name)


CLIENTS = {"redis": _redis, "mongodb": _mongodb}


def _connect(client):
    if isinstance(client, redis.Redis):
        client.connection_pool.release(client.connection_pool.get_connection())
    else:
        client.admin.command("hello")  # asks what every connection asks: no record counts it


class _Stop(BaseException):
    """Ends an actor that ran out of time; `except Exception` does not hold it."""


class Turn:
    """One step that an actor wants to take; `last` when everyone else goes first."""

    def __init__(self, what, grant, last=False):
        self.what = what
        self.grant = grant  # called when it is this step's turn
        self.last = last
        self.over = False
        self.may_block = True


class CommandTurn(Turn):
    """A command held in the server's thread, which awaits it."""

    def __init__(self, command, loop):
        self._granted = loop.create_future()
        super().__init__(_describe(command), lambda: loop.call_soon_threadsafe(self._go))
        self.may_block = command.name in BLOCKING or "BLOCK" in map(str.upper, map(str, command.args[:5]))

    def _go(self):
        if not self._granted.done():
            self._granted.set_result(None)

    def __await__(self):
        return self._granted.__await__()


class Schedule:
    """Decides whose step is next. It is the gate of the server (arrive, leave) and of slow()."""

    def __init__(self, names, order=None, server_thread=None):
        self.steps = []
        self._order = deque(order or ())
        self._waiting = {name: deque() for name in names}  # the turns that each actor waits for
        self._serving = {}  # name -> the step granted last, for the error message
        self._alive = list(names)
        self._clocks = {}  # name -> its thread's processor clock, where the system has one
        self._threads = {"": server_thread}  # name -> the system's number of its thread
        self._events = 0
        self._open = False
        self._changed = threading.Condition()

    # The server's thread.

    def arrive(self, client, command, loop):
        """Hold a command of an actor: return what to await. None for a stranger's, which passes."""
        if client not in self._waiting or self._open:
            return None
        turn = CommandTurn(command, loop)
        self._wait_for(client, turn)
        return turn

    def leave(self, client, turn):
        """Note that the command is done, or its connection gone."""
        with self._event():
            turn.over = True
            if turn in self._waiting[client]:
                self._waiting[client].remove(turn)

    # The actors' threads.

    def begin(self, name):
        """An actor starts."""
        self._threads[name] = threading.get_native_id()
        if hasattr(time, "pthread_getcpuclockid"):  # Linux; elsewhere only commands are signs of life
            self._clocks[name] = time.pthread_getcpuclockid(threading.get_ident())

    def finish(self, name):
        """An actor has returned or raised."""
        with self._event():
            self._clocks.pop(name, None)
            self._threads.pop(name, None)
            self._alive.remove(name)

    @contextmanager
    def step(self, name, what, last=False):
        """Wait for a turn that is no command, and hold it for the block."""
        granted = threading.Event()
        turn = Turn(what, granted.set, last)
        if not self._open:
            self._wait_for(name, turn)
            granted.wait()
        try:
            yield
        finally:
            self.leave(name, turn)

    # The thread that runs the crowd.

    def conduct(self, deadline):
        """Grant turns until every actor has finished. Raises TimeoutError that says who waits for what."""
        while self._alive:
            self._until(lambda: all(self._waiting[name] for name in self._alive), deadline)
            for name, turn in self._round():
                self._grant(name, turn)
                self._until(lambda turn=turn: turn.over, deadline, after=turn)

    def open(self):
        """Grant every turn, now and later."""
        with self._event():
            self._open = True
            for turns in self._waiting.values():
                for turn in turns:
                    turn.grant()

    def _round(self):
        """Return the turns to grant next, at most one an actor."""
        with self._changed:
            ready = {name: turns[0] for name, turns in self._waiting.items() if turns}
        while self._order:
            name = self._order.popleft()
            if name in ready:
                return [(name, ready[name])]
        return sorted(ready.items(), key=lambda item: item[1].last)  # stable: else in the actors' order

    def _grant(self, name, turn):
        with self._changed:
            if turn not in self._waiting[name]:
                return  # its connection has gone meanwhile
            self._waiting[name].remove(turn)
            self._serving[name] = turn
        self.steps.append((name, turn.what))
        turn.grant()

    def _until(self, reached, deadline, after=None):
        """Wait until `reached()`, or until all is quiet and somebody waits for a turn.

        `after` is the step just granted: when it may block, quiet alone is enough; otherwise it must end.
        """
        quiet, events, used = 0, None, 0
        with self._changed:
            while self._alive and not reached():
                if time.monotonic() > deadline:
                    raise TimeoutError(self._who_waits())
                used, before = self._processor_time(), used
                alive = self._events != events or used - before >= BUSY or self._anyone_runs()
                quiet = 0 if alive else quiet + 1
                events = self._events
                go_on = after.may_block if after else any(self._waiting.values())
                if quiet >= QUIET and go_on:
                    return
                self._changed.wait(LOOK)

    def _processor_time(self):
        total = 0
        for clock in list(self._clocks.values()):
            try:
                total += time.clock_gettime_ns(clock)
            except OSError:  # the thread has just ended
                continue
        return total

    def _anyone_runs(self):
        """Return whether a thread runs, or would if a busy machine let it. Only Linux tells."""
        for number in list(self._threads.values()):
            try:
                with open(f"/proc/self/task/{number}/stat", "rb") as file:
                    state = file.read().rpartition(b")")[2].split()[0]
            except OSError:  # another system, or the thread has just ended
                continue
            if state != b"S":
                return True
        return False

    def _wait_for(self, name, turn):
        with self._event():
            self._waiting[name].append(turn)
            if self._open:
                turn.grant()

    @contextmanager
    def _event(self):
        with self._changed:
            yield
            self._events += 1
            self._changed.notify_all()

    def _who_waits(self):
        lines = []
        for name in self._alive[:5]:
            turn = self._serving.get(name)
            if self._waiting[name]:
                lines.append(f"{name} waits for its turn to {self._waiting[name][0].what}")
            elif turn is not None and not turn.over:
                lines.append(f"{name} waits for the reply to {turn.what}")
            else:
                lines.append(f"{name} sends nothing" + (f" after {turn.what}" if turn else ""))
        more = len(self._alive) - len(lines)
        return "; ".join(lines) + (f"; and {more} more" if more else "")


def _act(schedule, name, function, client, outcomes, i):
    _here.schedule, _here.name = schedule, name
    schedule.begin(name)
    try:
        outcomes[i] = function(client)
    except BaseException as error:  # an outcome like any other
        outcomes[i] = error
    finally:
        schedule.finish(name)


def _slow(load):
    lock = threading.Lock()

    @functools.wraps(load, updated=())
    def slow(*args, **kwargs):
        with lock:
            slow.calls += 1
            if plain:
                load.calls = slow.calls
        schedule = getattr(_here, "schedule", None)
        if schedule is None:
            return load(*args, **kwargs)
        try:
            with schedule.step(_here.name, "load"):
                return load(*args, **kwargs)
        finally:
            with schedule.step(_here.name, "return what it loaded", last=True):
                pass

    plain = isinstance(load, types.FunctionType)
    slow.calls = 0
    if plain:
        load.calls = 0
    return slow


def _describe(command):
    words = [command.name, *map(str, command.args[:2])]
    return " ".join(word if len(word) <= 30 else word[:29] + "…" for word in words)
