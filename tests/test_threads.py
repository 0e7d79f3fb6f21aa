"""Threads that are held up on purpose: a race without a lock is lost in every run, and a lock always saves it."""

import threading
import time

import pytest

from course.threads import explore, run, watch

CELL = '''
import threading

def unlocked(data):
    def incr():
        count = data["n"] + 1
        data["n"] = count
        return count
    return incr

def on_one_line(data):
    def incr(): data["n"] = data["n"] + 1
    return incr

def locked(data):
    lock = threading.Lock()
    def incr():
        with lock:
            count = data["n"] + 1
            data["n"] = count
        return count
    return incr

def locked_twice(data):
    lock = threading.Lock()
    def incr():
        with lock:
            count = data["n"] + 1
        with lock:
            data["n"] = count
        return count
    return incr

def lock_made_in_two_steps(data):
    locks = {}
    def incr():
        if "n" not in locks:
            locks["n"] = threading.Lock()
        with locks["n"]:
            count = data["n"] + 1
            data["n"] = count
        return count
    return incr

def never_unlocked(data):
    lock = threading.Lock()
    def incr():
        lock.acquire()
        data["n"] = data["n"] + 1
    return incr
'''


def totals(kind, watched=True, hold_second=False):
    namespace = {}
    exec(compile(CELL, "<a cell>", "exec"), namespace)   # lines of code that belong to no file, as in a notebook

    def prepare():
        data = {"n": 0}
        return data, [namespace[kind](watch(data) if watched else data)] * 8

    return [(data["n"], results) for data, results in explore(prepare, hold_second)]


@pytest.mark.parametrize("attempt", range(5))
@pytest.mark.parametrize("kind", ["unlocked", "on_one_line", "locked_twice"])
def test_a_race_is_lost_every_time(kind, attempt):
    assert min(total for total, _ in totals(kind)) == 1


def test_lines_of_code_are_moments_too():
    assert min(total for total, _ in totals("unlocked", watched=False)) == 1


@pytest.mark.parametrize("attempt", range(5))
def test_two_locks_where_there_should_be_one_need_two_threads_held_up(attempt):
    assert min(total for total, _ in totals("lock_made_in_two_steps")) == 8
    assert min(total for total, _ in totals("lock_made_in_two_steps", hold_second=True)) < 8


@pytest.mark.parametrize("hold_second", [False, True])
def test_a_lock_loses_nothing_wherever_a_thread_is_held_up(hold_second):
    runs = totals("locked", hold_second=hold_second)
    assert len(runs) > 5
    assert all(total == 8 and sorted(results) == list(range(1, 9)) for total, results in runs)


def test_threads_that_are_stuck_are_reported_and_end_the_runs(monkeypatch):
    monkeypatch.setattr("course.threads.TIMEOUT", 0.3)
    ((total, results),) = totals("never_unlocked")
    assert total == 1
    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["TimeoutError"] * 7


def test_a_first_thread_that_locks_itself_out_does_not_hold_up_the_check(monkeypatch):
    monkeypatch.setattr("course.threads.TIMEOUT", 0.1)
    lock = threading.Lock()
    lock.acquire()
    started = time.monotonic()
    _, results = run([lock.acquire] * 8, moment=1)
    assert time.monotonic() - started < 1
    lock.release()
    assert [type(result) for result in results] == [TimeoutError] * 8


def test_what_a_work_raises_is_its_result():
    was_held, results = run([lambda: 1 // 0, lambda: 2], moment=99)
    assert not was_held
    assert type(results[0]) is ZeroDivisionError
    assert results[1] == 2


def test_the_others_wait_until_the_first_stands_at_its_moment():
    order = []
    data = watch({})

    def first():
        order.append("starts")
        time.sleep(0.02)
        data["a"] = 1
        order.append("goes on")

    run([first, lambda: order.append("another"), lambda: order.append("another")], moment=1)
    assert order == ["starts", "another", "another", "goes on"]


def test_a_watched_mapping_is_a_dictionary():
    data = watch({"a": 1})
    data["b"] = 2
    assert dict(data) == {"a": 1, "b": 2}
    assert data.get("c", 3) == 3
    assert data.pop("a") == 1
    assert "a" not in data
    assert len(data) == 1
    assert repr(data) == "{'b': 2}"


def test_no_thread_stays_behind():
    before = threading.active_count()
    totals("locked")
    assert threading.active_count() == before
