"""What a run is allowed, and how it ended. Imports little: the warm process needs it, and nbformat is slow to import."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Limits:
    """How much a submission may take: seconds for a cell and for the notebook; characters of output for a cell; kernels that may
    end; megabytes of memory, of one file and of all files; processes and threads. Only the sandbox holds it to the last four."""
    cell: float = 30
    notebook: float = 300
    cell_output: int = 200_000
    restarts: int = 8
    memory: int = 1_500
    file: int = 100
    files: int = 300
    processes: int = 250


class End(StrEnum):
    """How the run of a cell ended."""
    REPLIED = "replied"            # whether with an error or not
    SLOW = "slow"                  # over its time, and interrupted; its kernel goes on
    STUCK = "stuck"                # over its time, and deaf to interrupts: its kernel was killed
    DIED = "died"                  # its process ended
    MEMORY = "memory"              # together its processes took more memory than is allowed: killed
    PROCESSES = "processes"        # it started more processes than are allowed: killed
    FORGED = "forged"              # something else than the kernel spoke on the kernel's line: killed

    @property
    def deadly(self) -> bool:
        """Must what follows run in another kernel?"""
        return self not in (End.REPLIED, End.SLOW)
