"""A sanitised notebook in, the same notebook with outputs out. No gradebook, no course folder to write to, nothing left behind.

`execute` is a pure function of a `Job`, and both a job and its result can be pickled: it may run here, in another process, or on
another machine. Here is what must be decided about a run whichever kernel it is in; the kernels are in `warm` (forked from a
process that has imported everything, in a sandbox: Linux) and `portable` (started anew, as stock nbgrader does: anywhere).
"""

import secrets
import time
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbgrader import utils

from grader.life import Outcome, Request
from grader.limits import End, Limits
from grader.notes import Note, look, tampering
from grader.verdict import fail, settle

__all__ = ["Executed", "Job", "Limits", "execute"]

SAYS = {      # how a cell ended → (kind of the error in its outputs, what is said of it)
    End.SLOW: ("CellTimeoutError", "did not finish in {limits.cell:g} seconds"),
    End.STUCK: ("CellTimeoutError", "could not be interrupted after {seconds:.0f} seconds"),
    End.DIED: ("KernelDied", "ended the kernel"),
    End.MEMORY: ("KernelDied", "ended the kernel: it took more than {limits.memory:,} MB of memory"),
    End.PROCESSES: ("KernelDied", "ended the kernel: it started more than {limits.processes} processes"),
    End.FORGED: ("Tampering", "wrote on the line that the kernel reports on"),
}


@dataclass(frozen=True)
class Job:
    """Everything that running a notebook needs. `imports` are the names that the instructor's cells import.

    engine  "" for the best that this system allows, else "sandboxed", "forked" (without a sandbox) or "portable"
    """
    notebook: str                                   # JSON
    files: dict[str, bytes] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    engine: str = ""


@dataclass(frozen=True)
class Executed:
    """The notebook with outputs, as JSON; what is to be said about the run; the seconds it took; and of these, as far as it is
    known, the seconds of processor time that its cells took."""
    notebook: str
    notes: list[Note]
    seconds: float
    cpu: float = 0.0


def execute(job: Job) -> Executed:
    """Run every code cell in order, in a fresh kernel, in a scratch copy of the submission's folder.

    A cell that ends its kernel costs itself only: what follows runs in a fresh one, brought to where the last one stood by the
    learner's cells that did no harm, run again and unrecorded.
    """
    started = time.monotonic()
    run = Run(nbformat.reads(job.notebook, as_version=4), job, _engine(job.engine))
    run.all_cells()
    return Executed(nbformat.writes(run.notebook), run.notes, time.monotonic() - started, run.cpu)


def _engine(name: str):
    """The function that gives a kernel one life. Chosen here and nowhere else."""
    from grader import portable, warm

    if name == "portable" or (not name and not warm.mode()):
        return portable.live
    return warm.live


class Run:
    """One notebook's run, over as many kernels as it takes."""

    def __init__(self, notebook: NotebookNode, job: Job, live):
        self.notebook, self.job, self.live = notebook, job, live
        self.notes: list[Note] = []
        self.cpu = 0.0
        self.deadly: set[int] = set()             # positions of cells not to be run again
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        self.waiting = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]

    def all_cells(self) -> None:
        limits, starts = self.job.limits, 0
        deadline = time.monotonic() + limits.notebook
        while self.waiting:
            left = deadline - time.monotonic()
            if left <= 0 or starts > limits.restarts:
                self._give_up(f"the notebook took longer than {limits.notebook:g} seconds" if left <= 0
                              else f"the kernel died {starts} times")
                return
            starts += 1
            self._one_life(left)

    def _one_life(self, seconds: float) -> None:
        """Run what waits in one kernel, until it ends or the time is up."""
        cells = self.notebook.cells
        again = [i for i in range(self.waiting[0]) if cells[i].cell_type == "code" and i not in self.deadly
                 and cells[i].source.strip() and not utils.is_grade(cells[i])]
        positions = again + self.waiting
        requests = [Request(cells[i].source, secrets.token_hex(16) if i in self.waiting and _is_check(cells[i]) else "")
                    for i in positions]
        for i, request, outcome in zip(positions, requests, self.live(self.job, requests, seconds), strict=False):
            self.cpu += outcome.cpu
            if i in self.waiting:
                self.waiting.remove(i)
                self._record(cells[i], request, outcome)
            if outcome.end is not End.REPLIED:
                self._remark(i, outcome)

    def _record(self, cell: NotebookNode, request: Request, outcome: Outcome) -> None:
        cell.outputs, cell.execution_count = outcome.cell.outputs, outcome.cell.execution_count
        if outcome.end.deadly:
            kind, what = SAYS[outcome.end]
            fail(cell, kind, "this cell " + what.format(limits=self.job.limits, seconds=outcome.seconds))
        elif request.number:
            try:
                settle(cell, outcome.reply, request.number, self.notes)
            except (KeyError, TypeError, AttributeError):      # no kernel gives such a verdict
                fail(cell, "Tampering", "this cell " + SAYS[End.FORGED][1])
                self.notes.append(tampering(f"{cell.metadata.nbgrader.grade_id} {SAYS[End.FORGED][1]}"))

    def _remark(self, i: int, outcome: Outcome) -> None:
        self.deadly.add(i)
        name = self.notebook.cells[i].metadata.get("nbgrader", {}).get("grade_id", f"cell {i + 1}")
        what = SAYS[outcome.end][1].format(limits=self.job.limits, seconds=outcome.seconds)
        self.notes.append((tampering if outcome.end is End.FORGED else look)(f"{name} {what}"))

    def _give_up(self, why: str) -> None:
        self.notes.append(look(f"{why}; the cells after that were not run"))
        for i in self.waiting:
            fail(self.notebook.cells[i], "NotRun", why)
        self.waiting = []


def _is_check(cell: NotebookNode) -> bool:
    return utils.is_grade(cell) and not utils.is_solution(cell)
