"""The same program in several processes at once, for questions that threads cannot answer."""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

START = """
import sys, time
from pathlib import Path
folder = Path(sys.argv[1])
(folder / f"ready-{sys.argv[2]}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
"""


def processes(n: int, before: str, code: str, seconds: float = 60) -> list[str]:
    """Run Python source in `n` fresh processes and return what each one prints, stripped.

    before   source that runs first, in each process at its own pace: the imports
    code     source that all start at the same moment, when the last one is ready
    seconds  how long they may take in all

    Raises RuntimeError with its error output if a process fails, TimeoutError if they do not finish.
    """
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "program.py").write_text(f"{before}\n{START}\n{code}\n", encoding="utf-8")
        running = []
        for i in range(n):
            command = [sys.executable, str(folder / "program.py"), name, str(i)]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
            stack.enter_context(running[-1])
            stack.callback(running[-1].kill)
        while len(list(folder.glob("ready-*"))) < n:
            if time.monotonic() > deadline or any(process.poll() is not None for process in running):
                break  # below, each one says what went wrong
            time.sleep(0.002)
        (folder / "go").touch()
        return [_output(process, deadline) for process in running]


def _output(process: subprocess.Popen, deadline: float) -> str:
    try:
        out, err = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"process {process.pid} has not finished in time") from None
    if process.returncode:
        raise RuntimeError(f"process {process.pid} failed:\n{err.strip()}")
    return out.strip()
