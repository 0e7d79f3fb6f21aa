"""A kernel started anew for each notebook, as stock nbgrader does: slow, without a sandbox, and possible everywhere."""

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from grader.kernel import GUARDS, GradingKernelManager
from grader.life import Outcome, Recorder, Request, error, finish
from grader.limits import End
from grader.place import environment, guards, lay_out


def live(job, requests: list[Request], seconds: float) -> list[Outcome]:
    """Run the requests in a fresh kernel, in a scratch folder, until one ends it or the time is up."""
    others = set(psutil.Process().children(recursive=True))
    scratch = Path(tempfile.mkdtemp(prefix="grading-"))
    try:
        folder = lay_out(scratch, job.files)
        variables = environment(scratch) | {GUARDS: ",".join(sorted(guards(job.imports))), "MPLCONFIGDIR": _copy_font_cache(scratch)}
        kernel = Kernel(requests, job, others)
        return asyncio.run(kernel.all_cells(folder, variables, time.monotonic() + seconds))
    finally:
        end_children(others)
        shutil.rmtree(scratch, ignore_errors=True)


class Kernel(Recorder):
    """nbclient on a GradingKernel."""

    def __init__(self, requests: list[Request], job, others: set[psutil.Process]):
        cell = job.limits.cell
        super().__init__(requests, job.limits.cell_output, timeout=int(cell) or 1, interrupt_on_timeout=True, iopub_timeout=3,
                         error_on_timeout=error("CellTimeoutError", f"stopped after {cell:g} seconds"),
                         kernel_manager_class=GradingKernelManager)
        self.requests, self.job, self.others = requests, job, others
        self.reply: dict = {}
        self.on_cell_executed = self._keep_reply

    async def all_cells(self, folder: Path, variables: dict[str, str], deadline: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            await self._start(folder, variables)
            for i in range(len(self.requests)):
                if time.monotonic() > deadline:
                    break
                outcomes.append(await self._cell(i))
                if outcomes[-1].end.deadly:
                    break
        finally:
            await self._stop()
        return outcomes

    async def _start(self, folder: Path, variables: dict[str, str]) -> None:
        for attempt in (1, 2, 3):
            self.create_kernel_manager()
            try:
                await self.async_start_new_kernel(cwd=str(folder), env=variables, stderr=subprocess.DEVNULL)
                await self.async_start_new_kernel_client()
                return
            except RuntimeError:                   # another kernel took the port, or the machine is busy
                await self._stop()
                if attempt == 3:
                    raise

    async def _stop(self) -> None:
        if self.km is not None:
            await self._async_cleanup_kernel()
        self.km = self.kc = None

    async def _cell(self, i: int) -> Outcome:
        cell, request, started = self.nb.cells[i], self.requests[i], time.monotonic()
        self.kc.metadata = {"graded": {"number": request.number, "imports": self.job.imports}} if request.number else {}
        self.reply = {}
        self.begin()
        end = End.REPLIED
        try:
            await self.async_execute_cell(cell, i)
            if self.reply.get("ename") == "CellTimeoutError":
                end = End.SLOW
        except DeadKernelError:
            end = End.DIED
        except (CellTimeoutError, RuntimeError):
            end = End.STUCK
        if end.deadly:
            await self._stop()
            end_children(self.others)
        finish(cell, self.reply, self.cell_output)
        return Outcome(cell, end, self.reply, time.monotonic() - started)

    def _keep_reply(self, cell, cell_index, execute_reply) -> None:
        self.reply = execute_reply["content"]


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
