"""A sanitised notebook in, the same notebook with outputs out. No gradebook, no course folder to write to, nothing left behind.

`execute` is a pure function of a `Job`, and both a job and its result can be pickled: it may run here, in another process, or on
another machine. Something faster or safer may take its place with the same signature.
"""

import ast
import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils

from grader.kernel import GUARDS, GradingKernelManager
from grader.notes import Note, look, tampering

ROOT = Path(__file__).resolve().parent.parent
KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")


@dataclass(frozen=True)
class Limits:
    """How much a submission may take: seconds, characters, kernels."""
    cell: float = 30
    notebook: float = 300
    cell_output: int = 200_000
    restarts: int = 8


@dataclass(frozen=True)
class Job:
    """Everything that running a notebook needs. `imports` are the names that the instructor's cells import."""
    notebook: str                                   # JSON
    files: dict[str, bytes] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass(frozen=True)
class Executed:
    """The notebook with outputs, as JSON; what is to be said about the run; and the seconds it took."""
    notebook: str
    notes: list[Note]
    seconds: float


def execute(job: Job) -> Executed:
    """Run every code cell in order, in a fresh kernel, in a scratch copy of the submission's folder."""
    started = time.monotonic()
    others = set(psutil.Process().children(recursive=True))
    notebook = nbformat.reads(job.notebook, as_version=4)
    scratch = Path(tempfile.mkdtemp(prefix="grading-"))
    try:
        folder = _lay_out(scratch, job.files)
        run = Run(notebook, job, folder, _environment(scratch, job.imports), others)
        asyncio.run(run.all_cells())
    finally:
        end_children(others)
        shutil.rmtree(scratch, ignore_errors=True)
    return Executed(nbformat.writes(notebook), run.notes, time.monotonic() - started)


class Run(NotebookClient):
    """One notebook's run, over as many kernels as it takes: a cell that kills its kernel costs itself only."""

    def __init__(self, notebook: NotebookNode, job: Job, folder: Path, environment: dict[str, str],
                 others: set[psutil.Process]):
        super().__init__(notebook, timeout=int(job.limits.cell) or 1, interrupt_on_timeout=True, iopub_timeout=3,
                         error_on_timeout=_error("CellTimeoutError", f"stopped after {job.limits.cell:g} seconds"),
                         kernel_manager_class=GradingKernelManager, allow_errors=True, skip_cells_with_tag="",
                         coalesce_streams=True)
        self.log.setLevel("CRITICAL")
        self.job, self.folder, self.environment, self.others = job, folder, environment, others
        self.notes: list[Note] = []
        self.deadly: set[int] = set()             # positions of cells not to be run again
        self.reply: dict | None = None
        self.printed = 0
        self.on_cell_executed = self._keep_reply

    async def all_cells(self) -> None:
        self.deadline = time.monotonic() + self.job.limits.notebook
        code = [i for i, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        starts = 0
        try:
            for i in code:
                if time.monotonic() > self.deadline or starts > self.job.limits.restarts:
                    self._give_up(i, starts)
                    continue
                if self.km is None:
                    starts += 1
                    await self._start(before=i)
                await self._cell(i)
        finally:
            await self._stop()

    def _give_up(self, i: int, starts: int) -> None:
        why = (f"the notebook took longer than {self.job.limits.notebook:g} seconds" if time.monotonic() > self.deadline
               else f"the kernel died {starts} times")
        note = look(f"{why}; the cells after that were not run")
        if note not in self.notes:
            self.notes.append(note)
        fail(self.nb.cells[i], "NotRun", why)

    async def _start(self, before: int) -> None:
        """A fresh kernel, brought to where the last one stood: the learner's cells that did no harm run again, unrecorded."""
        for attempt in (1, 2, 3):
            self.create_kernel_manager()
            try:
                await self.async_start_new_kernel(cwd=str(self.folder), env=self.environment, stderr=subprocess.DEVNULL)
                await self.async_start_new_kernel_client()
                break
            except RuntimeError:                   # another kernel took the port, or the machine is busy
                await self._stop()
                if attempt == 3:
                    raise
        for i in range(before):
            cell = self.nb.cells[i]
            if cell.cell_type == "code" and i not in self.deadly and not utils.is_grade(cell) and self.km is not None:
                await self._cell(i, record=False)

    async def _stop(self) -> None:
        if self.km is not None:
            await self._async_cleanup_kernel()
        self.km = self.kc = None

    async def _cell(self, i: int, record: bool = True) -> None:
        """Run the cell at this position; settle what it earned, if it is a check."""
        cell = self.nb.cells[i] if record else nbformat.from_dict(self.nb.cells[i])
        kept = self.nb.cells[i]
        graded = utils.is_grade(cell) and not utils.is_solution(cell)
        number = secrets.token_hex(16)
        self.kc.metadata = {"graded": {"number": number, "imports": self.job.imports}} if graded else {}
        self.reply, self.printed = None, 0
        before = time.monotonic()
        try:
            await self.async_execute_cell(cell, i)
            if self._timed_out():
                self._stopped(i, cell, f"did not finish in {self.job.limits.cell:g} seconds")
            if graded:
                settle(cell, self.reply, number, self.notes)
        except (DeadKernelError, CellTimeoutError, RuntimeError) as error:
            died = isinstance(error, DeadKernelError)
            await self._stop()
            end_children(self.others)
            seconds = time.monotonic() - before
            why = "ended the kernel" if died else f"could not be interrupted after {seconds:.0f} seconds"
            fail(cell, "KernelDied" if died else "CellTimeoutError", f"this cell {why}")
            self._stopped(i, cell, why)
        if not record:
            self.nb.cells[i] = kept

    def _timed_out(self) -> bool:
        return self.reply is not None and self.reply["content"].get("ename") == "CellTimeoutError"

    def _stopped(self, i: int, cell: NotebookNode, what: str) -> None:
        self.deadly.add(i)
        name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {i + 1}")
        self.notes.append(look(f"{name} {what}"))

    def _keep_reply(self, cell, cell_index, execute_reply) -> None:
        self.reply = execute_reply
        content = execute_reply["content"]
        if content["status"] == "error" and not any(output.output_type == "error" for output in cell.outputs):
            error = _error(content.get("ename", ""), content.get("evalue", ""))
            cell.outputs.append(new_output("error", **error | {"traceback": content.get("traceback") or error["traceback"]}))

    def output(self, outs, msg, display_id, cell_index):
        """Keep no more than the limit of what a cell puts out; the rest is dropped as it arrives."""
        size = len(str(msg["content"])) if self.printed <= self.job.limits.cell_output else 0
        if self.printed > self.job.limits.cell_output:
            return None
        self.printed += size
        if self.printed > self.job.limits.cell_output and msg["msg_type"] != "error":
            text = f"\n… more than {self.job.limits.cell_output:,} characters of output; the rest is left out\n"
            kept = msg["content"].get("text", "")[:self.job.limits.cell_output] if msg["msg_type"] == "stream" else ""
            outs.append(new_output("stream", name="stdout", text=kept + text))
            return None
        return super().output(outs, msg, display_id, cell_index)


# ── what a check cell earned ────────────────────────────────────────────────────────────────────────────


def settle(cell: NotebookNode, reply: dict | None, number: str, notes: list[Note]) -> None:
    """Make the outputs of a check cell say what its verdict says, since nbgrader scores by outputs.

    Passed: no error, nothing on stderr, no value that could be read as a number of points. Anything else: an error.
    """
    grade_id = cell.metadata.nbgrader.grade_id
    content = (reply or {}).get("content", {})
    verdict = content.get("verdict") or {}
    if verdict.get("before"):
        notes.append(tampering(f"before {grade_id}, these had been replaced and were put back: {_some(verdict['before'])}"))
    if not _ends_in_value(cell.source) and any(output.output_type == "execute_result" for output in cell.outputs):
        notes.append(tampering(f"{grade_id} showed a value that it does not have"))
        cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    trouble = _trouble(cell.source, verdict, number, content.get("status") == "ok")
    if trouble:
        notes.append(tampering(f"{grade_id} earned nothing: {trouble}"))
        fail(cell, "Tampering", trouble)
    elif content.get("status") != "ok":
        cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    else:
        cell.outputs = [_believed(output) for output in cell.outputs]


def _believed(output: NotebookNode) -> NotebookNode:
    """An output of a check that passed, as plain text where nbgrader would read a failure in it."""
    if output.output_type == "error":              # shown by something else than the cell
        return new_output("stream", name="stdout", text="\n".join(output.traceback))
    if output.output_type == "stream":             # a warning on stderr is no failure
        return new_output("stream", name="stdout", text=output.text)
    return output


def _trouble(source: str, verdict: dict, number: str, ended_well: bool) -> str:
    """Why the run of a check cell is not believed; "" if it is."""
    if verdict.get("number") != number:
        return "the kernel gave no verdict" if ended_well else ""
    if verdict["during"]:
        return f"the answer replaced {_some(verdict['during'])} while it was checked"
    blocks, lines = expected(source)
    if ended_well and verdict["finished"] < blocks:
        return "the check did not run to its end"
    missed = [first for first, last in lines if not any(first <= line <= last for line in verdict["passed"])]
    if ended_well and missed:
        return f"{len(missed)} of its {len(lines)} checks did not run"
    return ""


def _ends_in_value(source: str) -> bool:
    """Is the last statement an expression, whose value Jupyter shows (and nbgrader reads as partial credit)?"""
    return isinstance((ast.parse(source).body or [None])[-1], ast.Expr)


def expected(source: str) -> tuple[int, list[tuple[int, int]]]:
    """What must happen when a check cell passes: how many `task` blocks end, and in which lines a `check` passes.

    Only what runs in any case is counted: not the bodies of functions, loops, conditions and handlers.
    """
    blocks, lines = 0, []
    pending = list(ast.parse(source).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.With):
            blocks += any(_calls(item.context_expr, "task") for item in node.items)
            pending += node.body
        elif isinstance(node, ast.Try):
            pending += node.body + node.finalbody
        elif isinstance(node, ast.Expr) and _calls(node.value, "check"):
            lines.append((node.lineno, node.end_lineno))
    return blocks, sorted(lines)


def _calls(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def fail(cell: NotebookNode, kind: str, message: str) -> None:
    """Leave only an error and what was printed in a cell's outputs: nbgrader then gives it no points."""
    cell.outputs = [output for output in cell.get("outputs", []) if output.output_type not in ("error", "execute_result")]
    cell.outputs.append(new_output("error", **_error(kind, message)))


def _error(kind: str, message: str) -> dict:
    return {"ename": kind, "evalue": message, "traceback": [f"{kind}: {message}"]}


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


# ── folder, environment, processes ──────────────────────────────────────────────────────────────────────


def _lay_out(scratch: Path, files: dict[str, bytes]) -> Path:
    """The submission's files in a folder of their own."""
    folder = scratch / "work"
    for name in ("work", "home", "tmp"):
        (scratch / name).mkdir()
    for name, content in files.items():
        path = folder / name
        if path.resolve().is_relative_to(folder.resolve()):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def _environment(scratch: Path, imports: dict[str, tuple[str, str]]) -> dict[str, str]:
    """What a submission may see of the environment: no passwords, no addresses of real servers."""
    home, tmp = str(scratch / "home"), str(scratch / "tmp")
    guards = {module for module, _ in imports.values() if module.partition(".")[0] not in sys.stdlib_module_names}
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return kept | {
        "HOME": home, "USERPROFILE": home, "IPYTHONDIR": home, "JUPYTER_CONFIG_DIR": home, "TMPDIR": tmp, "TEMP": tmp, "TMP": tmp,
        "MPLCONFIGDIR": _copy_font_cache(scratch), "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "NBGRADER_EXECUTION": "autograde",
        GUARDS: ",".join(sorted(guards))}


def _copy_font_cache(scratch: Path) -> str:
    """matplotlib searches the machine's fonts for seconds if it has no cache."""
    import matplotlib

    shutil.copytree(matplotlib.get_cachedir(), scratch / "matplotlib", dirs_exist_ok=True)
    return str(scratch / "matplotlib")


def end_children(others: set[psutil.Process] = frozenset()) -> None:
    """Kill every process that descends from this one, but for `others`: kernels, and what they left running."""
    children = [child for child in psutil.Process().children(recursive=True) if child not in others]
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=3)
