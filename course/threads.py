"""Threads of which one is held up at a chosen moment, so that a race is lost every time and not now and then.

    def eight_views():                                   # made afresh for each run
        data = threads.watch({"views:p7": "0"})
        return data, [lambda: increment(data, "views:p7")] * 8

    for data, results in threads.explore(eight_views):   # one run for each moment at which the first thread can be held up
        ...

A moment is a line of code that the first thread is about to run, or an access to watched data that it is about to make. There it waits
until the others have finished, or until they get no further because it holds a lock. Code that reads and then writes without a lock
loses what the others wrote in the run where it was held up between the two: always. Two locks where there should be one are found only
by holding up two threads at once: `explore(..., hold_second=True)`.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

__all__ = ["PATIENCE", "TIMEOUT", "explore", "watch"]

PATIENCE = 0.02    # seconds in which no other thread finishes, after which the held thread goes on
TIMEOUT = 3.0      # seconds after which a thread that has not come back counts as stuck
MOST_RUNS = 60     # a thread that passes more moments than this is not followed further

Works = list[Callable[[], Any]]
_held = threading.local()


def watch(data: dict) -> "Watched":
    """`data` as a mapping each access to which is a moment at which a thread can be held up."""
    return Watched(data)


def explore(prepare: Callable[[], tuple[Any, Works]], hold_second: bool = False) -> Iterator[tuple[Any, list]]:
    """Run the works once for each moment of the first of them; yield what `prepare` made, and the results in order.

    prepare      returns (anything, works); it is called before each run
    hold_second  hold up the second thread too, before its first write to watched data, until the first has finished or gets no further
    A result is what the work returned, or the exception it raised, or TimeoutError if it is stuck; after a run with a stuck thread
    there are no more runs.
    """
    for moment in range(1, MOST_RUNS):
        made, works = prepare()
        was_held, results = run(works, moment, hold_second)
        yield made, results
        if not was_held or any(type(result) is TimeoutError for result in results):
            return


def run(works: Works, moment: int, hold_second: bool = False) -> tuple[bool, list]:
    """Run each work in a thread of its own, the first held up at its moment number `moment`, counted from 1
    (and the second too, as `explore` describes it).

    Returns whether it came to that moment, and the results as `explore` describes them.
    """
    results: list[Any] = [TimeoutError(f"still waiting after {TIMEOUT:g} s") for _ in works]
    others_may_start, goes_on, first_finished = threading.Event(), threading.Event(), threading.Event()
    finished, held = threading.Semaphore(0), []

    def hold() -> None:
        held.append(moment)
        others_may_start.set()
        for _ in works[1:]:
            if not finished.acquire(timeout=PATIENCE):
                break
        goes_on.set()

    def first() -> None:
        _held.countdown, _held.hold = moment, hold
        sys.settrace(_trace)
        work(0)
        sys.settrace(None)
        for event in (goes_on, first_finished, others_may_start):
            event.set()

    def before_write() -> None:
        finished.release()   # so that the first thread does not wait for this one
        goes_on.wait(TIMEOUT)
        first_finished.wait(PATIENCE)

    def work(number: int) -> None:
        _held.before_write = before_write if hold_second and number == 1 else None
        try:
            results[number] = works[number]()
        except Exception as error:
            results[number] = error
        finished.release()

    leader = threading.Thread(target=first, daemon=True)
    others = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(1, len(works))]
    deadline = time.monotonic() + TIMEOUT
    leader.start()
    others_may_start.wait(TIMEOUT)
    for thread in others:
        thread.start()
    for thread in (leader, *others):
        thread.join(max(0.0, deadline - time.monotonic()))
    return bool(held), results


def _moment() -> None:
    """The running thread is at a moment: hold it up if this is the one."""
    countdown = getattr(_held, "countdown", 0)
    _held.countdown = countdown - 1
    if countdown == 1:
        _held.hold()


def _before_write() -> None:
    """The running thread is about to write to watched data: hold it up if it is the second thread and this is its first write."""
    if before_write := getattr(_held, "before_write", None):
        _held.before_write = None
        before_write()


def _trace(frame, event, _argument):
    """Count lines of code that was typed into a notebook (it belongs to no file), and skip what libraries do."""
    if os.path.exists(frame.f_code.co_filename):
        return None
    if event == "line":
        _moment()
    return _trace


class Watched(MutableMapping):
    """A dictionary that lets a thread be held up before each access. `repr` shows the data."""

    def __init__(self, data: dict):
        self._data = data

    def __getitem__(self, key):
        _moment()
        return self._data[key]

    def __setitem__(self, key, value) -> None:
        _moment()
        _before_write()
        self._data[key] = value

    def __delitem__(self, key) -> None:
        _moment()
        del self._data[key]

    def __iter__(self) -> Iterator:
        _moment()
        return iter(list(self._data))

    def __len__(self) -> int:
        _moment()
        return len(self._data)

    def __repr__(self) -> str:
        return repr(self._data)
