"""What a process and all that descend from it take, from /proc."""

import mmap
import os

from grader.limits import End

PAGE = mmap.PAGESIZE


def descendants(pid: int) -> list[int]:
    """The process and its children's children, as far as they are there."""
    found, pending = [], [pid]
    while pending:
        each = pending.pop()
        found.append(each)
        try:
            for thread in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{thread}/children") as file:
                    pending += map(int, file.read().split())
        except OSError:                    # it has ended meanwhile
            continue
    return found


class Watch:
    """Says when a kernel takes more than its limits allow. What it shares with the warm process is not counted."""

    def __init__(self, pid: int, limits):
        self.pid, self.limits = pid, limits
        self.before = _resident(pid)

    def trouble(self) -> End | None:
        pids = descendants(self.pid)
        if len(pids) > self.limits.processes or sum(map(_threads, pids)) > 4 * self.limits.processes:
            return End.PROCESSES
        limit = self.limits.memory * 2**20
        # Resident pages count shared ones for each process; the exact number is dear, and asked for only when it matters.
        if sum(map(_resident, pids)) - self.before > limit and sum(map(_own_share, pids)) > limit:
            return End.MEMORY
        return None


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE
    except OSError:
        return 0


def _own_share(pid: int) -> int:
    """Bytes, where a page that n processes share counts as an nth."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return _resident(pid)


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0
