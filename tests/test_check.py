"""What a learner reads, and that only a right value passes."""

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course import check as module
from course.check import (
    AnswerRaised,
    CheckFailed,
    NotAttempted,
    between,
    check,
    close_to,
    difference,
    hint,
    one_of,
    outcome,
    raises,
    task,
)

FACTS = {"2.3": {"hints": ["look", "look closer"], "hidden": ["a crash", "a slow reader"]}}
plain = st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
                     lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=12)


class Agreeable:
    """Claims to be equal to everything."""
    __hash__ = None

    def __eq__(self, other):
        return True


class AgreeableInt(int):
    __hash__ = int.__hash__

    def __eq__(self, other):
        return True


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    monkeypatch.setattr(module, "_tasks", lambda: FACTS)
    monkeypatch.setattr(module, "_given", {})
    monkeypatch.setattr(module, "_passed", {})


def in_task(body):
    with pytest.raises(module.Problem) as caught, task("2.3"):
        body()
    return caught.value


def test_a_passed_check_shows_what_it_saw_and_the_task_says_what_is_left(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    with task("2.3"):
        check("20 readers load once", got=1, want=1)
    assert capsys.readouterr().out == ("2.3  ok  20 readers load once: 1\n"
                                       "     at grading, 2 more checks:\n"
                                       "       a crash\n"
                                       "       a slow reader\n")


def test_of_two_check_cells_the_one_that_passes_last_says_what_is_left(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    monkeypatch.setitem(FACTS, "2.3", FACTS["2.3"] | {"checks": 2})
    text = 'with task("2.3"):\n    check("20 readers load once", got=1, want=1)'
    one, two = (compile(text, name, "exec") for name in ("<one>", "<two>"))
    announced = []
    for cell in (one, one, two, one, two):
        exec(cell, {"task": task, "check": check})
        announced.append("at grading" in capsys.readouterr().out)
    assert announced == [False, False, True, False, True]


def test_a_failed_check_says_expected_got_cause_and_next():
    problem = in_task(lambda: check("20 readers load once", got=20, want=1, cause="nobody holds the lock"))
    assert isinstance(problem, CheckFailed)
    assert problem._render_traceback_() == ["2.3  20 readers load once",
                                            "     expected  1",
                                            "     got       20",
                                            "     likely    nobody holds the lock",
                                            '     next      hint("2.3")']


def test_a_cause_may_depend_on_what_came():
    assert "twenty" in str(in_task(lambda: check("x", got=20, want=1, cause=lambda got: "twenty" if got == 20 else "other")))


def test_an_error_that_came_instead_reads_as_python_says_it():
    assert "got       KeyError: 'x'" in str(in_task(lambda: check("x", got=KeyError("x"), want=1)))


def test_a_long_difference_names_its_place():
    rows = [{"n": i, "price": 100 * i} for i in range(30)]
    wrong = [dict(row) for row in rows]
    wrong[17]["price"] = "1700"
    assert "at [17]['price']: expected 1700, got '1700'" in str(in_task(lambda: check("rows", got=wrong, want=rows)))


def test_a_stub_is_not_attempted_even_inside_an_outcome_or_a_list():
    def stub():
        raise NotImplementedError
    assert isinstance(in_task(stub), NotAttempted)
    assert isinstance(in_task(lambda: outcome(stub)), NotAttempted)
    assert isinstance(in_task(lambda: check("x", got=[NotImplementedError()], want=[1])), NotAttempted)


def test_an_error_names_the_learners_line_and_not_the_check():
    namespace = {}
    module.linecache.cache["<answer>"] = (1, None, ["def f(d):\n", "    return d['x']\n"], "<answer>")
    exec(compile("def f(d):\n    return d['x']\n", "<answer>", "exec"), namespace)
    said = str(in_task(lambda: namespace["f"]({})))
    assert "KeyError: 'x'" in said and "f, line 2: return d['x']" in said and "in_task" not in said


def test_a_missing_name_says_to_run_the_answer_cell():
    assert "run the answer cell above first" in str(in_task(lambda: missing_function(1)))  # noqa: F821


def test_exit_is_an_error_and_an_interrupt_is_not():
    def leave():
        raise SystemExit
    assert isinstance(in_task(leave), AnswerRaised)
    with pytest.raises(KeyboardInterrupt), task("2.3"):
        raise KeyboardInterrupt


def test_hints_come_one_at_a_time_and_after_the_last_all_again(capsys):
    for _ in range(3):
        hint("2.3")
    lines = capsys.readouterr().out.splitlines()
    assert [line[5:].partition(":")[0] for line in lines] == [
        "hint 1 of 2", "hint 2 of 2", "that was the last hint; here they are again, from the first", "hint 1 of 2", "hint 2 of 2"]
    with pytest.raises(ValueError, match=r"2\.3"):
        hint("9.9")


@given(plain)
def test_a_value_is_itself(value):
    assert difference(value, value) is None


@given(plain, plain)
def test_different_values_differ_somewhere(got, want):
    if repr(got) != repr(want):
        assert difference(got, want) is not None


@pytest.mark.parametrize(("got", "want"), [
    (Agreeable(), 1), (Agreeable(), None), (AgreeableInt(7), 1), (True, 1), (1.0, 1), ("1", 1), (b"a", "a"), ([1], (1,)),
    ({"a": Agreeable()}, {"a": 1}), ([Agreeable()], [1]), ({1: "a"}, {True: "a"}), ({AgreeableInt(7)}, {1}),
    (Agreeable(), between(0, 9)), (Agreeable(), one_of(1, 2)), (Agreeable(), close_to(1)), (True, between(0, 9)),
    (KeyError(), raises(TimeoutError)),
])
def test_these_are_not_the_same(got, want):
    assert difference(got, want) is not None


@pytest.mark.parametrize(("got", "want"), [
    (OrderedDict(a=1), {"a": 1}), (AgreeableInt(1), 1), (frozenset({1}), {1}), (5, between(5, 6)), (0.1 + 0.2, close_to(0.3)),
    ([1, 2.5], [1, between(2, 3)]), (2, one_of(1, 2)), (ConnectionResetError(), raises(OSError)),
])
def test_these_are_the_same(got, want):
    assert difference(got, want) is None
