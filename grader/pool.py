"""Runs jobs, several at a time. One that is lost (its process was killed from outside) is run once more, and costs nobody else.

Where kernels are forked, threads of this process wait for them: what a submission's code can reach is not this process but a
kernel, whose keeper is not reached either (see keeper.py). Elsewhere each job runs in a worker process, the parent of its
kernels: a worker that dies is replaced.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool

from grader import warm
from grader.execute import Executed, Job, execute
from grader.portable import end_children

GRACE = 60          # seconds beyond a job's own limit until its worker is taken for hung
TRIES = 2


class JobLost(Exception):
    """A job ended without a result; the message says why."""


def run_all(jobs: Iterable[tuple[str, Job]], workers: int = 2) -> Iterator[tuple[str, Executed | JobLost]]:
    """(name, result) of each job, as they are done. Jobs are taken as workers need them, not all at once.

    Stop early by closing the iterator: whatever still runs is then ended.
    """
    runner = Runner()
    threads, pending = ThreadPoolExecutor(workers), {}
    try:
        for name, job in jobs:
            pending[threads.submit(_run, runner, job)] = name
            if len(pending) > 2 * workers:
                yield from _done(pending)
        while pending:
            yield from _done(pending)
    finally:
        runner.stop()
        threads.shutdown(cancel_futures=True)


def _run(runner, job: Job) -> Executed:
    for tries in range(1, TRIES + 1):
        if runner.stopping:
            raise JobLost("grading was stopped")
        try:
            return runner.run(job)
        except warm.Broken:
            raise
        except (EOFError, BrokenProcessPool) as error:
            if tries == TRIES:
                raise JobLost("its worker process was killed, twice") from error
        except TimeoutError as error:
            raise JobLost("its worker hung") from error


def _done(pending: dict[Future, str]) -> Iterator[tuple[str, Executed | JobLost]]:
    """Wait for at least one job; take those that are done out of `pending`."""
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        error = future.exception()
        yield pending.pop(future), future.result() if error is None else _lost(error)


def _lost(error: BaseException) -> JobLost:
    return error if isinstance(error, JobLost) else JobLost(f"it could not be run ({type(error).__name__}: {error})")


class Runner:
    """Runs a job where its engine wants to be run."""

    def __init__(self):
        self.stopping, self.workers = False, Workers()

    def run(self, job: Job) -> Executed:
        forks = job.engine != "portable" if job.engine else warm.mode()
        return execute(job) if forks else self.workers.run(job)

    def stop(self) -> None:
        """End what runs. The warm process goes on: the next jobs find it warm."""
        self.stopping = True
        warm.end_lives()
        self.workers.stop()


class Workers:
    """Worker processes, one for each thread that asks."""

    def __init__(self):
        self.local, self.made = threading.local(), []

    def run(self, job: Job) -> Executed:
        if not hasattr(self.local, "worker"):
            self.local.worker = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_become_worker)
            self.made.append(self.local.worker)
        try:
            return self.local.worker.submit(execute, job).result(timeout=job.limits.notebook + GRACE)
        except (BrokenProcessPool, TimeoutError):
            _end(self.local.worker)
            del self.local.worker
            raise

    def stop(self) -> None:
        for worker in self.made:
            _end(worker)


def _end(worker: ProcessPoolExecutor) -> None:
    for process in list((worker._processes or {}).values()):
        process.terminate()          # the worker's own handler ends its kernels first
    worker.shutdown(wait=False, cancel_futures=True)


def _become_worker() -> None:
    """In a new worker: leave Ctrl-C to the main process, end with it, and inherit whatever a submission's processes abandon."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_with_children)
    if sys.platform == "linux":
        from grader.sandbox.kernel import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, set_option

        set_option(PR_SET_PDEATHSIG, signal.SIGTERM)
        set_option(PR_SET_CHILD_SUBREAPER, 1)


def _end_with_children(*_) -> None:
    end_children()
    os._exit(1)
