"""The servers behind the drivers.

    import redis, stores
    server = stores.start("redis")
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

A store runs embedded in this process unless the environment names a real server (`REDIS_URL=redis://…`).
The driver is never wrapped: only the address changes.

Start servers after a fork, never before: a server is a thread, and threads do not survive a fork.
"""

import atexit
import importlib
import os
import threading

from stores import local
from stores.base import NotOnRealServer, Unreachable

__all__ = ["NAMES", "NotOnRealServer", "Unreachable", "local", "running", "start", "stop_all", "variable"]

# One folder each, with the same shape: VARIABLE (the environment variable that names a real server),
# start_embedded(**options) -> Server, start_real(address, **options) -> Server.
NAMES = ("cassandra", "couchdb", "hbase", "memcached", "mongodb", "neo4j", "redis")

_running = {}  # (name, address, options) -> Server
_lock = threading.RLock()


def variable(name):
    """Return the name of the environment variable that names the real server of the store `name`."""
    return importlib.import_module(f"stores.{name}").VARIABLE


def start(name, *, embedded=False, **options):
    """Return the running server called `name`, starting it at the first call.

    Without an address in the environment it is embedded. With one it is that real server, or an error:
    there is no silent fall-back. `embedded=True` asks for the embedded one whatever the environment names, for
    what nobody may do to a real server, such as stopping its nodes. The second call in one process with the same
    `options` (those of the store: `nodes=3` for Cassandra) returns the same server.

    Raises ValueError for an unknown name, Unreachable (a ConnectionError, in under two seconds) when the
    real server that the environment names does not answer or cannot give the course a place of its own.
    """
    if name not in NAMES:
        raise ValueError(f"no store is called {name!r}. Expected one of: {', '.join(NAMES)}")
    store = importlib.import_module(f"stores.{name}")
    address = "" if embedded else os.environ.get(store.VARIABLE, "").strip()
    with _lock:
        key = (name, address, tuple(sorted(options.items())))
        server = _running.get(key)
        if server is None or not server.running:
            server = store.start_real(address, **options) if address else store.start_embedded(**options)
            _running[key] = server
        return server


def running():
    """Return the servers that start() started here and that have not stopped."""
    with _lock:
        return [server for server in _running.values() if server.running]


def stop_all():
    """Stop every server that start() started here. Real servers give back what they lent."""
    with _lock:
        while _running:
            _running.popitem()[1].stop()


atexit.register(stop_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    # The child inherits the parent's servers as memory without their threads: it must start its own.
    os.register_at_fork(after_in_child=_running.clear)
