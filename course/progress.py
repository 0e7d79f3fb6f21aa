"""Run a program and show what it says as one line that counts the seconds (standard library only)."""

import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque

TICK = 0.2  # seconds between two looks at the clock
QUIET = 30  # where there is no terminal, say at least this often that work goes on, in seconds

NOTEWORTHY = re.compile(r"\s*(Collecting|Using cached|Downloading|Building|Resolved|Prepared|Installing|Installed)\b")


class Progress:
    """Stages of a job, each one line: on a terminal the line is rewritten, elsewhere it is printed when it ends.

    >>> show = Progress(stages=2, out=sys.stdout)
    >>> with show.stage("making the folder"):
    ...     pass
    [1/2] making the folder ... 0 s
    """

    def __init__(self, stages, out=None):
        self.stages, self.out = stages, out or sys.stderr
        self.live = self.out.isatty()
        self.number, self.title, self.started, self.spoke = 0, "", 0.0, 0.0

    def stage(self, title):
        """Begin the next stage; used as `with`, so that its line is closed whatever happens."""
        self.number += 1
        self.title, self.started = title, time.monotonic()
        self.spoke = self.started
        self.tick("")
        return self

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        seconds = time.monotonic() - self.started
        self._write(f"{self._head()} ... {'stopped after ' if kind else ''}{seconds:.0f} s", end="\n")

    def tick(self, detail):
        """Show that work goes on, and what the installer said last."""
        now = time.monotonic()
        line = f"{self._head()} {now - self.started:3.0f} s  {detail}"
        if self.live:
            self._write(line, end="")
        elif now - self.spoke >= QUIET:
            self.spoke = now
            self._write(line, end="\n")

    def _head(self):
        return f"[{self.number}/{self.stages}] {self.title}"

    def _write(self, line, end):
        if self.live:  # spaces wipe what the longer line before left (older Windows consoles know no escape codes)
            width = shutil.get_terminal_size().columns - 1
            line = "\r" + line[:width].ljust(width)
        self.out.write(line + end)
        self.out.flush()


def run(command, progress, log, env=None, keep_open=()):
    """Run `command`, feeding its output to `progress` and to the open text file `log`.

    Returns (exit code, the last 200 lines of output). `keep_open` are file descriptors that the program inherits
    (POSIX). On Ctrl-C the program is stopped before KeyboardInterrupt goes on.
    """
    pass_on = {"pass_fds": keep_open} if os.name == "posix" else {}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, encoding="utf-8", errors="replace", env=env, **pass_on)
    lines = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    tail, detail, ended = deque(maxlen=200), "", False
    try:
        while not ended:
            try:
                line = lines.get(timeout=TICK)
                ended = line is None
                if line:
                    log.write(line + "\n")
                    tail.append(line)
                    if NOTEWORTHY.match(line):
                        detail = " ".join(line.split()[:2])
            except queue.Empty:
                pass
            progress.tick(detail)
        return process.wait(), list(tail)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
        log.flush()


def _read(stream, lines):
    """Move lines from a pipe to a queue: the main thread must not block, it has a clock to show."""
    with stream:
        for line in stream:
            lines.put(line.rstrip())
    lines.put(None)
