"""Runs jobs on a cluster of dask.distributed: the execute step only. Jobs and results are bytes: no file system is shared.

A worker that is lost in the middle loses nothing: the scheduler gives its jobs to another; one that is lost TRIES times is told as
lost, and the next run tries it again. Workers must have the same course (its folder as the working directory, the environment
of requirements.lock): with other code scores could differ, so a cluster with other code is refused.
"""

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial

from grader import sandbox
from grader.execute import Executed, Job, execute
from grader.journal import grader_digest
from grader.notes import GradingError
from grader.pool import JobLost

TRIES = 3
WAIT = 60            # seconds until a cluster that does not answer, or has no workers, is given up


def runner(address: str, engine: str = ""):
    """A function that runs jobs like `grader.pool.run_all`, on the cluster at `address`, whose workers must be able to run `engine`.

    Raises GradingError that says what is missing.
    """
    try:
        import distributed
    except ImportError:
        raise GradingError("--cluster needs dask.distributed: pip install 'nosql-course[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=WAIT, set_as_default=False)
        client.wait_for_workers(1, timeout=WAIT)
        workers = client.run(remote_state)
    except (OSError, TimeoutError, ValueError) as error:
        raise GradingError(f"no cluster with workers answers at {address} ({type(error).__name__}: {error}). Start one:\n"
                           "    dask scheduler      and on each machine, in the course's folder:      dask worker ADDRESS") from None
    others = [worker for worker, (digest, _) in workers.items() if digest != grader_digest()]
    if others:
        client.close()
        raise GradingError(f"these workers have another version of the course: {', '.join(others)}. Bring them to this one, "
                           "and start them in the course's folder")
    if engine == "sandboxed" and (open_ones := [f"  {worker}: {missing}" for worker, (_, missing) in workers.items() if missing]):
        client.close()
        raise GradingError("these workers cannot shut submissions in:\n" + "\n".join(open_ones) + "\n--no-sandbox grades without")
    return partial(run_all, client)


def run_all(client, jobs: Iterable[tuple[str, Job]], workers: int = 2) -> Iterator[tuple[str, Executed | JobLost]]:
    """(name, result) of each job, as they are done. Twice as many are under way as it has threads."""
    from distributed import as_completed

    names, waiting, running = {}, iter(jobs), as_completed(loop=client.loop)
    try:
        _send(client, waiting, running, names, 2 * max(1, sum(client.nthreads().values())))
        for future in running:
            name = names.pop(future)
            yield name, _result(future)
            future.release()
            _send(client, waiting, running, names, 1)
    finally:
        with contextlib.suppress(Exception):          # the cluster may have gone
            client.cancel(list(names))
        client.close()


def _send(client, waiting: Iterator[tuple[str, Job]], running, names: dict, count: int) -> None:
    for _ in range(count):
        if job := next(waiting, None):
            future = client.submit(execute, job[1], pure=False, retries=TRIES)
            names[future] = job[0]
            running.add(future)


def _result(future) -> Executed | JobLost:
    """Also of a job whose result was on a worker that has died since: asking for it has it computed again."""
    try:
        return future.result()
    except Exception as error:
        return JobLost(f"the cluster could not run it ({type(error).__name__}: {error})")


def remote_state() -> tuple[str, str]:
    """On a worker: which version of the course it would run, and what its sandbox lacks ("" if nothing)."""
    return grader_digest(), "; ".join(sandbox.probe().missing)
