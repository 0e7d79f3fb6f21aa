"""The engine's process: ArcadeDB with its Bolt listener on loopback. Run by embedded.py, never imported.

    python engine.py FOLDER

The first line of its standard input is the password for its user root. When it is ready it prints one line of JSON,
{"port": …, "version": …}, and then obeys the lines that follow:

    fresh NAME    make the empty database NAME, answer {"database": NAME}, and drop the one before

It ends at the end of its standard input, which is also what it sees when its parent is killed.
"""

import base64
import contextlib
import json
import os
import random
import re
import shutil
import sys
import threading
import time
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"
LISTENING = re.compile(r"BOLT connections on \S*:(\d+)")
HTTP = re.compile(r"HTTP Server started \(host=\S+ port=(\d+)")


def main(folder, password):
    parent = os.getppid()
    os.environ["ARCADEDB_LOG_DIR"] = str(folder)
    os.environ["ARCADEDB_LOG_CONSOLE"] = "0"  # standard output is for the parent
    os.environ["ARCADEDB_NATIVE_ISOLATE_ARGS"] = "-Xmx128m"
    # The bindings want numpy for data frames only, and it takes longer to import than the engine takes to start.
    sys.modules["numpy"] = None
    import arcadedb

    server = arcadedb.create_server(str(folder), root_password=password, config=settings())
    server.start()
    log = (folder / "arcadedb.log.0").read_text("utf-8", "replace")
    admin = Admin(int(HTTP.search(log)[1]), password)
    say(port=int(LISTENING.search(log)[1]), version=arcadedb.ENGINE_VERSION)
    threading.Thread(target=end_with, args=(parent, folder), daemon=True).start()
    database = None
    for line in sys.stdin:
        _, name = line.split()
        server.create_database(name)
        say(database=name)
        if database:  # takes a sixth of a second, and nobody has to wait for it
            threading.Thread(target=admin.drop, args=(database,), daemon=True).start()
        database = name
    leave(folder)


def settings():
    # A port of 0 is a free one, which the log names. The HTTP listener cannot be switched off; its log line
    # does not name a port that was 0, so it is given a range to look for a free one in.
    first = random.randrange(20_000, 60_000)
    return {
        "host": HOST,
        "http_port": f"{first}-{first + 500}",
        "server_plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
        "bolt_host": HOST,
        "bolt_port": 0,
        # The password is random and lives as long as this process: stretching it would cost a third of the start.
        "server_saltIterations": 1,
        "serverMetrics": False,
        "studio_enabled": False,
    }


class Admin:
    """Drops databases: the one thing that the bindings cannot do to a running server."""

    def __init__(self, port, password):
        self._url = f"http://{HOST}:{port}/api/v1/server"
        self._login = "Basic " + base64.b64encode(f"root:{password}".encode()).decode()

    def drop(self, database):
        command = json.dumps({"command": f"drop database {database}"}).encode()
        request = urllib.request.Request(self._url, command, {"Authorization": self._login, "Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(request, timeout=10):
            pass  # a database that stays costs a megabyte, and goes with the folder


def say(**message):
    print(json.dumps(message), flush=True)


def end_with(parent, folder):
    """End when the parent has: a process that the parent forked may hold our standard input open."""
    while os.name == "posix" and os.getppid() == parent:
        time.sleep(1)
    if os.name == "posix":
        leave(folder)


def leave(folder):
    """End at once. Nothing here outlives the process, so nothing needs an orderly shutdown."""
    for _ in range(20):  # the engine's threads may be writing there yet
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(0.05)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.readline().strip())
