"""Where a submission's code runs on Linux: a corner of the system from which it sees and reaches nothing else.

`walls` builds it, `landlock`, `seccomp` and `kernel` are what it is built of, `watch` counts what is used inside. Here: whether this
system allows it.
"""

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = "/learner"                       # of whoever is inside; all that can be written to, with /dev/shm
PROCESSORS = ("x86_64", "aarch64")      # whose numbers of system calls are known


@dataclass(frozen=True)
class Probe:
    """What this system allows. `missing` says in words what it does not; empty: submissions can be shut in."""
    missing: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.missing


def probe() -> Probe:
    """Try to shut a process in, in a process of its own."""
    if sys.platform != "linux":
        return Probe((f"the sandbox is built of parts of Linux, and this is {sys.platform}",))
    if platform.machine() not in PROCESSORS:
        return Probe(("the sandbox knows processors of the kinds x86-64 and ARM64 only",))
    trial = subprocess.run([sys.executable, "-P", "-m", "grader.sandbox"], env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    try:
        return Probe(tuple(json.loads(trial.stdout)))
    except json.JSONDecodeError:
        return Probe((f"the trial ended with {trial.stderr.strip()[-300:] or trial.returncode}",))
