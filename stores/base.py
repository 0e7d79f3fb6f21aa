"""What every server offers, whichever store it is: an address, a clock, a record, faults, a clean slate.

A store is a folder with the same files as `redis/`: `embedded.py` (the engine), `front.py` (its sessions),
a parser named after the protocol, `real.py` (the real server). The classes here and in `wire.py` are shared.
"""

import threading
import time
from contextlib import contextmanager
from html import escape
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit


class Unreachable(ConnectionError):
    """The real server that the environment names cannot be used. The message says the way back."""


class NotOnRealServer(RuntimeError):
    """The embedded server can do this and a real one cannot."""


def unreachable(address, tried, variable):
    """Return the Unreachable error for `address`: its password masked, what was tried, the way back."""
    return Unreachable(
        f"{variable}={mask(address)} cannot be used: {tried}. "
        f"Start that server or correct the address; or unset {variable} to use the embedded server."
    )


def mask(address):
    """Return `address` with the password replaced by ***."""
    try:
        parts = urlsplit(address)
        if parts.password is None:
            return address
    except ValueError:  # not a URL: show no more than what stands before a possible password
        return address.split("@")[-1]
    user, host = parts.netloc.rsplit("@", 1)
    return urlunsplit(parts._replace(netloc=f"{user.split(':')[0]}:***@{host}"))


def within(seconds, function):
    """Return function(), or raise TimeoutError after `seconds`, whatever blocks it (a slow DNS server too).

    The thread is a daemon, so that a look-up that hangs for a minute does not hold the exit of the process.
    """
    outcome = []

    def run():
        try:
            outcome.append((function(), None))
        except BaseException as error:  # handed to the caller below
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True, name="stores-probe")
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:g} s")
    value, error = outcome[0]
    if error is not None:
        raise error
    return value


class Clock:
    """The time of one engine, in seconds since 1970 (UTC). The learner's own time.time() never moves."""

    def __init__(self):
        self._offset = 0.0
        self._frozen_at = None

    def now(self):
        """Return the engine's time: float seconds."""
        return (time.time() if self._frozen_at is None else self._frozen_at) + self._offset

    def advance(self, seconds):
        """Move the engine's time forward. Keys whose TTL ends on the way are gone afterwards."""
        if seconds < 0:
            raise ValueError(f"a clock only moves forward: expected seconds >= 0, found {seconds}")
        self._offset += seconds

    @contextmanager
    def frozen(self):
        """Hold the time still inside the block, but for advance(): what a test at ±1 ms needs."""
        before, self._frozen_at = self._frozen_at, time.time()
        try:
            yield self
        finally:
            self._frozen_at = before

    def reset(self):
        """Return to the time of day."""
        self._offset = 0.0


class Command(NamedTuple):
    """One command as the server received it: name in capitals, arguments as text where they are text."""

    name: str
    args: tuple = ()
    client: str = ""


class Log:
    """What clients sent while it recorded.

    `commands` is a list of Command, `round_trips` the number of times a client sent something and waited.
    """

    def __init__(self):
        self.commands = []
        self.round_trips = 0

    def add(self, command, starts_round_trip):
        """Note one command; `starts_round_trip` when its client was not already waiting for a reply."""
        self.commands.append(command)
        self.round_trips += starts_round_trip

    def count(self, name):
        """Return how often the command `name` was sent, in any spelling of case."""
        return sum(command.name == name.upper() for command in self.commands)

    def __len__(self):
        return len(self.commands)

    def __iter__(self):
        return iter(self.commands)

    def __repr__(self):
        names = " ".join(command.name for command in self.commands[:12])
        more = " …" if len(self.commands) > 12 else ""
        return f"<Log: {len(self)} commands in {self.round_trips} round trips: {names}{more}>"


class Fault:
    """One fault in force. As a `with` block it ends with the block; otherwise at faults.clear()."""

    def __init__(self, faults, kind, command=None, seconds=0.0, times=None):
        self._faults = faults
        self.kind = kind
        self.command = command.upper() if command else None
        self.seconds = seconds
        self.times = times

    def matches(self, kind, command):
        return self.kind == kind and self.command in (None, command.name)

    def end(self):
        self._faults.end(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def __repr__(self):
        return f"<Fault: {self.kind} {self.command or 'every command'}>"


class Faults:
    """What goes wrong on purpose between the driver and the engine.

    The tuple of faults is replaced, never changed, so that the server's thread reads it without a lock.
    """

    def __init__(self, front):
        self._front = front
        self._faults = ()
        self._lock = threading.Lock()

    def refuse(self):
        """Refuse new connections and close the existing ones, as a server that is down."""
        fault = self._begin(Fault(self, "refuse"))
        self._front.refuse()
        return fault

    def drop_reply(self, command=None, times=1):
        """Execute `command` (every command when None), then close the connection before its reply."""
        return self._begin(Fault(self, "drop_reply", command, times=times))

    def delay(self, seconds, command=None):
        """Hold `command` (every command when None) back for `seconds` before the engine sees it."""
        return self._begin(Fault(self, "delay", command, seconds=seconds))

    def __bool__(self):
        """Return whether any fault is in force."""
        return bool(self._faults)

    def transient(self, command=None, times=1):
        """Answer `command` (any command when None) with the store's error for "try again", and do not execute it."""
        return self._begin(Fault(self, "transient", command, times=times))

    def clear(self):
        """End every fault."""
        for fault in self._faults:
            self.end(fault)

    def end(self, fault):
        """End one fault; ending it twice is allowed."""
        with self._lock:
            self._faults = tuple(f for f in self._faults if f is not fault)
            still_down = any(f.kind == "refuse" for f in self._faults)
        if fault.kind == "refuse" and not still_down:
            self._front.accept()

    def delay_for(self, command):
        """Return the seconds to hold `command` back (asked by the server's thread)."""
        return sum(fault.seconds for fault in self._faults if fault.matches("delay", command))

    def takes_reply(self, command):
        """Return whether the reply to `command` is to be lost, and use up one time."""
        return self._used_up("drop_reply", command)

    def fails(self, command):
        """Return whether `command` is to fail for this time, and use up one time."""
        return self._used_up("transient", command)

    def _used_up(self, kind, command):
        for fault in self._faults:
            if fault.matches(kind, command):
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.end(fault)
                return True
        return False

    def _begin(self, fault):
        with self._lock:
            self._faults = (*self._faults, fault)
        return fault


class Server:
    """A running server: where it is, what it is, and what a course needs beyond the protocol."""

    name = ""  # "redis"
    kind = "embedded"  # or "real"
    scheme = ""  # of the url
    path = ""  # of the url
    log = Log  # what record() gives

    def __init__(self, front, engine, clock):
        self.front = front
        self.engine = engine
        self.clock = clock
        self.faults = front.faults
        self.running = True

    @property
    def host(self):
        return self.front.host

    @property
    def port(self):
        return self.front.port

    @property
    def url(self):
        return f"{self.scheme or self.name}://{self.host}:{self.port}{self.path}"

    @contextmanager
    def record(self):
        """Record the commands that clients send inside the block; connection set-up is left out."""
        log = self.log()
        self.front.logs = (*self.front.logs, log)
        try:
            yield log
        finally:
            self.front.logs = tuple(other for other in self.front.logs if other is not log)

    @contextmanager
    def gated(self, gate):
        """Let `gate` decide inside the block when each command is served.

        In the server's thread, gate.arrive(client name, command, loop) returns what to await before the
        command is executed, or None to let it pass; gate.leave(client name, that) follows when it is done.
        """
        if self.front.gate is not None:
            raise RuntimeError("another crowd is running on this server: expected one at a time")
        self.front.gate = gate
        try:
            yield
        finally:
            self.front.gate = None

    def disconnect(self, names):
        """Close the connections of the clients that call themselves one of `names`."""
        self.front.disconnect(names)

    def reset(self):
        """Make a clean slate: no data, no faults, the time of day. Connections stay."""
        self.faults.clear()
        self.clean()
        self.clock.reset()

    def clean(self):
        """Delete the course's data: each store says how."""
        raise NotImplementedError

    def stop(self):
        """Close every connection and the port. Stopping twice is allowed."""
        if self.running:
            self.running = False
            self.front.stop()

    def __repr__(self):
        state = "" if self.running else ", stopped"
        return f"<{self.name} server: {self.kind}, {self.engine}, {self.url}{state}>"

    def _repr_html_(self):
        # JupyterLab's own variables, so that the card follows a light or a dark theme.
        state = self.kind if self.running else "stopped"
        return (
            '<div style="display:inline-block;padding:.5em .9em;border-radius:4px;line-height:1.5;'
            "border:1px solid var(--jp-border-color2,#9e9e9e);"
            "border-left:4px solid var(--jp-brand-color1,#1976d2);"
            'color:var(--jp-content-font-color1,inherit);background:var(--jp-layout-color1,transparent)">'
            f"<strong>{escape(self.name)}</strong> · {escape(state)}<br>"
            f'<span style="color:var(--jp-content-font-color2,inherit)">{escape(self.engine)}<br>'
            f"<code>{escape(self.url)}</code></span></div>"
        )
