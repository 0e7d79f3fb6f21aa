"""The answers in tests/answers prove the checks: right ones earn everything, each wrong one is caught where it says."""

import json

import pytest
from answering import ANSWERS, ROOT, run

TASKS = json.loads((ROOT / "course/tasks.json").read_text(encoding="utf-8"))
FILES = sorted(ANSWERS.glob("*/*/*.py"))


def of(task, kind):
    return sorted((ANSWERS / task["assignment"] / task["name"]).glob(f"{kind}_*.py"))


def label(path):
    return "/".join(path.parts[-3:])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("right_")], ids=label)
def test_a_right_answer_earns_every_point(path):
    graded = run(path.parts[-3], path.parts[-2], path.read_text(encoding="utf-8"))
    assert not graded.failed, "\n".join(filter(None, graded.problems.values()))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("path", [path for path in FILES if path.name.startswith("wrong_")], ids=label)
def test_a_wrong_answer_is_caught_by_the_check_it_names(path):
    text = path.read_text(encoding="utf-8")
    first, _, _ = text.partition("\n")
    assert first.startswith("# caught by: "), f"{label(path)} does not say which check must catch it"
    graded = run(path.parts[-3], path.parts[-2], text)
    said = "\n".join(filter(None, graded.problems.values()))
    assert graded.score < sum(graded.points.values()), "it earned every point"
    assert first.removeprefix("# caught by: ").strip() in said, said


@pytest.mark.timeout(150)  # some thirty answers of up to two seconds, on a machine that may be busy
@pytest.mark.parametrize("number", TASKS)
def test_every_task_has_answers_and_every_check_catches_somebody(number):
    task = TASKS[number]
    right, wrong = of(task, "right"), of(task, "wrong")
    assert len(right) >= 2 and len(wrong) >= 3, f"{number}: {len(right)} right and {len(wrong)} wrong answers"
    caught = set()
    for path in wrong:
        caught |= run(task["assignment"], task["name"], path.read_text(encoding="utf-8")).failed
    idle = set(run(task["assignment"], task["name"], None).points) - caught
    assert not idle, f"no wrong answer fails {', '.join(sorted(idle))}: what are these checks for?"


def test_every_answer_belongs_to_a_task():
    known = {(task["assignment"], task["name"]) for task in TASKS.values()}
    stray = [label(path) for path in FILES if path.parts[-3:-1] not in known]
    assert not stray
