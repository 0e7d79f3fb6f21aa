"""Runs jobs in worker processes, so that nothing a submission does to its surroundings reaches the gradebook's process.

Each worker runs one job at a time and is the parent of that job's kernels. A worker that dies (a submission may kill its parent)
is replaced, and costs that one submission.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool

from grader.execute import Executed, Job, end_children, execute

GRACE = 60          # seconds beyond a job's own limit until its worker is taken for hung
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class JobLost(Exception):
    """A job ended without a result; the message says why."""


def run_all(jobs: Iterable[tuple[str, Job]], workers: int = 2) -> Iterator[tuple[str, Executed | JobLost]]:
    """(name, result) of each job, as they are done. Jobs are taken as workers need them, not all at once.

    Stop early by closing the iterator: the workers are then ended.
    """
    local, made, stopping = threading.local(), [], threading.Event()

    def run(job: Job) -> Executed:
        if stopping.is_set():
            raise JobLost("grading was stopped")
        if not hasattr(local, "worker"):
            local.worker = _new_worker()
            made.append(local.worker)
        try:
            return local.worker.submit(execute, job).result(timeout=job.limits.notebook + GRACE)
        except (BrokenProcessPool, TimeoutError) as error:
            _end(local.worker)
            del local.worker
            killed = isinstance(error, BrokenProcessPool)
            raise JobLost("its worker process was killed" if killed else "its worker hung") from error

    threads, pending = ThreadPoolExecutor(workers), {}
    try:
        for name, job in jobs:
            pending[threads.submit(run, job)] = name
            if len(pending) > 2 * workers:
                yield from _done(pending)
        while pending:
            yield from _done(pending)
    finally:
        stopping.set()
        for worker in made:
            _end(worker)
        threads.shutdown(cancel_futures=True)


def _done(pending: dict[Future, str]) -> Iterator[tuple[str, Executed | JobLost]]:
    """Wait for at least one job; take those that are done out of `pending`."""
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        error = future.exception()
        yield pending.pop(future), future.result() if error is None else _lost(error)


def _lost(error: BaseException) -> JobLost:
    return error if isinstance(error, JobLost) else JobLost(f"it could not be run ({type(error).__name__}: {error})")


def _new_worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_become_worker)


def _end(worker: ProcessPoolExecutor) -> None:
    for process in list((worker._processes or {}).values()):
        process.terminate()          # the worker's own handler ends its kernels first
    worker.shutdown(wait=False, cancel_futures=True)


def _become_worker() -> None:
    """In a new worker: leave Ctrl-C to the main process, end with it, and inherit whatever a submission's processes abandon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_with_children)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)


def _end_with_children(*_) -> None:
    end_children()
    os._exit(1)
