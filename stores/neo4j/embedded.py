"""The embedded Neo4j: ArcadeDB's openCypher engine in a child process, behind a front that speaks as Neo4j does."""

import importlib.util
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

from stores.base import within
from stores.neo4j.arcadedb import ArcadePolicy
from stores.neo4j.front import GraphServer
from stores.neo4j.upstream import Upstream

PREFIX = "course-neo4j-"  # of the engine's folder: course-neo4j-<pid of its owner>-<random>
SCRIPT = Path(__file__).with_name("engine.py")
STARTS_WITHIN = 30  # seconds; it takes about half of one, but a cold disk may be slow

NO_ENGINE = """\
The embedded Neo4j needs the package arcadedb, which is not installed. It exists for Linux with glibc 2.28 or later
(x86-64, arm64), for macOS on Apple silicon and for Windows x64. There: python -m course doctor repairs the environment.
Elsewhere, use a real Neo4j: set NEO4J_URI, NEO4J_USERNAME and NEO4J_PASSWORD to those of a local server
(docker run -p 127.0.0.1:7687:7687 -e NEO4J_AUTH=neo4j/choose-a-password neo4j:5) or of a free instance of Neo4j Aura."""


class EngineFailed(RuntimeError):
    """The engine's process did not start, or ended."""


class EmbeddedNeo4j(GraphServer):
    """A Neo4j stand-in in a process of its own, which ends with this one."""

    def __init__(self):
        self._process = Process()
        self._fresh()
        super().__init__(
            ArcadePolicy(self.names),
            engine=f"ArcadeDB {self._process.version} as Neo4j 5",
            upstream=("127.0.0.1", self._process.port),
            login=("root", self._process.password),
        )

    def clean(self):
        self.forget_transactions()
        self._fresh()

    def stop(self):
        super().stop()
        self._process.stop()

    async def names(self):
        """Return (labels, relationship types) that the engine knows, as two sets."""
        upstream = await Upstream(self).open()
        try:
            labels = await upstream.rows("CALL db.labels() YIELD label RETURN label")
            types = await upstream.rows("CALL db.relationshipTypes() YIELD relationshipType AS type RETURN type")
        finally:
            upstream.close()
        return {row["label"] for row in labels}, {row["type"] for row in types}

    def _fresh(self):
        self.database = f"course{self.generation}"
        self._process.ask(f"fresh {self.database}")


class Process:
    """The engine's process: where it listens, and what it is told."""

    def __init__(self):
        if importlib.util.find_spec("arcadedb") is None:
            raise EngineFailed(NO_ENGINE)
        sweep()
        self.password = secrets.token_urlsafe(24)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._errors = (self.folder / "stderr.txt").open("wb")
        self._child = subprocess.Popen(
            # -P: the modules of this folder must not hide those of the engine's bindings.
            [sys.executable, "-P", str(SCRIPT), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            **_out_of_reach_of_interrupts(),
        )
        try:
            ready = self.ask(self.password)
        except BaseException:
            self.stop()
            raise
        self.port, self.version = ready["port"], ready["version"]

    def ask(self, line):
        """Send one line and return the answer, a dict. Raises EngineFailed when the process has ended."""
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
            return json.loads(within(STARTS_WITHIN, self._child.stdout.readline))
        except (OSError, ValueError, TimeoutError) as error:
            told = f"the embedded Neo4j does not answer ({error}). {self._last_words()} "
            raise EngineFailed(told + "server.stop(), then stores.start('neo4j') starts another.") from None

    def stop(self):
        """End the process and remove its folder. Stopping twice is allowed."""
        with suppress(OSError):
            self._child.stdin.close()  # which it takes as the wish to end
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()
        self._errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _last_words(self):
        try:
            lines = (self.folder / "stderr.txt").read_text("utf-8", "replace").split("\n")
        except OSError:
            lines = []
        said = " | ".join(line.strip() for line in lines[-6:] if line.strip())
        return f"It said: {said}" if said else "It said nothing: python -m course doctor looks for the reason."


def sweep():
    """Remove the folders of owners that were killed together with their engine."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        owner = folder.name[len(PREFIX) :].split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _out_of_reach_of_interrupts():
    """Jupyter interrupts the kernel's whole process group: the engine must be in another one."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
