"""Stopped at any point, the next run carries on, and nothing is half written."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict

import nbformat
import psutil
import pytest
from click.testing import CliRunner
from grader_class import NAME, ROOT, hand_in, make_course
from grader_kill import instantly
from nbgrader.api import Gradebook

from grader import demo, feedback
from grader.assignment import Assignment, Course
from grader.cli import grade
from grader.grade import Row, Status, grade_class
from grader.journal import Journal
from grader.notes import GradingError, look
from grader.record import recorded_scores, register
from grader.results import Came, Check, Task

pytestmark = [pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"), pytest.mark.xdist_group("resume")]
STUDENTS = ["ann", "bob", "eve"]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A course with three solved submissions, and a gradebook that knows the assignment and nobody's scores."""
    course = make_course(tmp_path_factory.mktemp("template"))
    assignment = Assignment.of(course, NAME)
    register(course, assignment)
    for student in STUDENTS:
        hand_in(course, student, demo.solved(course, assignment)["small"])
    return course.root


@pytest.fixture
def course(template, tmp_path) -> Course:
    shutil.copytree(template, tmp_path / "course")
    return Course.at(tmp_path / "course")


def _grade(course, again=(), students=STUDENTS) -> dict[str, Row]:
    with closing(Journal(course.journal)) as journal:
        rows = grade_class(course, Assignment.of(course, NAME), students, journal=journal, again=again, run_all=instantly)
        return {row.student: row for row in rows}


def _kept(rows) -> list[str]:
    return sorted(student for student, row in rows.items() if row.kept)


# ── what is graded again ────────────────────────────────────────────────────────────────────────────────


def test_a_second_run_grades_nobody_and_gives_the_same_rows(course):
    first, second = _grade(course), _grade(course)
    assert _kept(first) == [] and _kept(second) == STUDENTS
    for student in STUDENTS:
        assert asdict(second[student]) | {"kept": False} == asdict(first[student])


def test_a_changed_submission_is_graded_again(course):
    _grade(course)
    path = course.folder("submitted", "bob", NAME) / "small.ipynb"
    notebook = nbformat.read(path, as_version=4)
    demo.answers(notebook)[0].source += "\n# better"
    nbformat.write(notebook, path)
    assert _kept(_grade(course)) == ["ann", "eve"]
    (path.parent / "data.txt").write_text("a file that comes along")
    assert _kept(_grade(course)) == ["ann", "eve"]
    os.utime(path)
    assert _kept(_grade(course)) == STUDENTS, "a new date on the same content is no change"


def test_a_changed_assignment_and_a_changed_grader_are_graded_again(course, monkeypatch):
    _grade(course)
    (course.root / "solutions" / NAME / "data.csv").write_text("a file for all")
    assert _kept(_grade(course)) == []
    monkeypatch.setattr("grader.journal.grader_digest", lambda: "another version")
    assert _kept(_grade(course)) == []
    assert _kept(_grade(course)) == STUDENTS


@pytest.mark.parametrize("lost", ["gradebook", "feedback", "autograded", "journal"])
def test_what_was_deleted_is_made_again(course, lost):
    _grade(course)
    if lost == "gradebook":
        with Gradebook(course.nbgrader().db_url, "nosql") as gradebook:
            gradebook.remove_student("bob")
    elif lost == "journal":
        course.journal.write_bytes(b"no database, but what a crash of the disk left")
    else:
        shutil.rmtree(course.folder(lost, "bob", NAME))
    assert "bob" not in _kept(_grade(course))
    assert course.folder("feedback", "bob", NAME).is_dir() and _kept(_grade(course)) == STUDENTS


def test_a_score_given_by_hand_since_is_in_the_row(course):
    _grade(course)
    with Gradebook(course.nbgrader().db_url, "nosql") as gradebook:
        gradebook.find_grade("keep_check_1", "small", NAME, "eve").manual_score = 0.5
        gradebook.db.commit()
    rows = _grade(course)
    assert rows["eve"].kept and rows["eve"].score == 6.5 and rows["eve"].scores["9.2"] == 1.5


def test_who_was_lost_is_tried_again_and_who_is_asked_for_too(course):
    _grade(course)
    assert _kept(_grade(course, again=["bob"])) == ["ann", "eve"]

    def loses_ann(jobs, workers):
        for name, result in instantly(jobs, workers):
            yield (
                name,
                result if name[0] != "ann" else __import__("grader.pool").pool.JobLost("its worker process was killed, twice"),
            )

    with closing(Journal(course.journal)) as journal:
        rows = list(grade_class(course, Assignment.of(course, NAME), ["ann"], journal=journal, again=["ann"], run_all=loses_ann))
    assert rows[0].lost and rows[0].status is Status.ATTENTION
    assert _kept(_grade(course)) == ["bob", "eve"]


def test_a_row_is_the_same_after_the_journal():
    row = Row(
        "ann",
        Status.ATTENTION,
        3,
        {"9.1": 3},
        0.5,
        [look("odd")],
        1.5,
        0.5,
        spent={"9.1": 60.0},
        results=[
            Task("9.1", "double", "Twice", [Check("double_check_1", "", 0, 1, Came.FAILED, ["x: 1"], "y", {"got": "2"})], "pass")
        ],
    )
    assert Row.from_dict(asdict(row)) == row


def test_the_command_line_chooses_whom_to_grade(course):
    def run(*options):
        result = CliRunner().invoke(grade, [NAME, "--root", str(course.root), *options], env={"COLUMNS": "160"})
        return result.exit_code, result.output

    (course.folder("submitted", "bob", NAME) / "small.ipynb").write_text("{")
    code, printed = run()
    assert code == 1 and "had been graded before" not in printed
    code, printed = run()
    assert code == 1 and "3 of them had been graded before" in printed
    code, printed = run("--only-failed")
    assert code == 1 and " ann " not in printed and "bob" in printed and "before" not in printed
    code, printed = run("--student", "ann")
    assert code == 0 and "bob " not in printed and "before" not in printed
    code, printed = run("--regrade")
    assert code == 1 and "before" not in printed
    solved = course.folder("submitted", "ann", NAME) / "small.ipynb"
    shutil.copy(solved, course.folder("submitted", "bob", NAME))
    code, printed = run("--only-failed")
    assert code == 0 and "1 graded" in printed
    code, printed = run("--only-failed")
    assert code == 0 and "nobody" in printed


# ── stopped ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_killed_at_12_random_points_nothing_is_half_written_and_the_next_run_carries_on(template, tmp_path):
    seed = random.randrange(10**6)
    root = shutil.copytree(template, tmp_path / "class")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    run = subprocess.run(
        [sys.executable, ROOT / "tests/grader_kill.py", root, str(seed), "12"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert run.returncode == 0, f"seed {seed}: {run.stdout[-300:]}{run.stderr[-3000:]}"
    done = [int(line.split()[2]) for line in run.stdout.splitlines()]
    assert len(done) == 12 and max(done) >= 1, "the points are spread over the class"


def _start(course, jobs="1"):
    return subprocess.Popen(
        [sys.executable, "-m", "grader.cli", NAME, "--root", str(course.root), "-j", jobs],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_after_kill_9_of_the_main_process_no_process_is_left_and_the_class_is_finished(course):
    assignment = Assignment.of(course, NAME)
    for number in range(5):
        hand_in(course, f"student{number}", demo.solved(course, assignment)["small"])
    run = _start(course)
    # The line in the journal comes after the page: with the second page, the first student is done.
    assert _wait_for(lambda: len(list((course.root / "grader/feedback").glob(f"*/{NAME}"))) >= 2)
    family = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    before = recorded_scores(course, assignment)
    assert before and all(sum(each.scores.values()) == 8 for each in before.values())
    result = CliRunner().invoke(grade, [NAME, "--root", str(course.root)])
    assert result.exit_code == 0 and "had been graded before" in result.output, result.output
    assert {sum(each.scores.values()) for each in recorded_scores(course, assignment).values()} == {8}
    assert len(recorded_scores(course, assignment)) == 8


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_kill_9_of_workers_costs_nobody_a_point(course):
    assignment = Assignment.of(course, NAME)
    for number in range(5):
        hand_in(course, f"student{number}", demo.solved(course, assignment)["small"])
    run, killed = _start(course, "2"), 0
    assert _wait_for(lambda: any((course.root / "grader/feedback").glob("*")))
    for _ in range(2):
        workers = [each for each in psutil.Process(run.pid).children(recursive=True) if each.status() != psutil.STATUS_ZOMBIE]
        if workers:
            random.choice(workers).kill()
            killed += 1
        time.sleep(0.3)
    printed, _ = run.communicate(timeout=200)
    assert killed
    if run.returncode:  # a worker was killed while it started: whoever waited for it is lost, and the next run knows that
        result = CliRunner().invoke(grade, [NAME, "--root", str(course.root)])
        assert result.exit_code == 0 and "had been graded before" in result.output, printed + result.output
    assert {sum(each.scores.values()) for each in recorded_scores(course, assignment).values()} == {8}


def test_a_full_disk_stops_the_run_in_words_and_the_next_carries_on(course, monkeypatch):
    genuine = feedback.make_feedback

    def full_for_bob(course, assignment, student, *rest):
        if student == "bob":
            raise OSError(errno.ENOSPC, "No space left on device")
        genuine(course, assignment, student, *rest)

    monkeypatch.setattr(feedback, "make_feedback", full_for_bob)
    with pytest.raises(GradingError, match=r"the disk is full.*make room"):
        _grade(course)
    monkeypatch.setattr(feedback, "make_feedback", genuine)
    rows = _grade(course)
    assert _kept(rows) == ["ann"] and {row.score for row in rows.values()} == {8}


def test_two_runs_at_once_are_refused(course):
    with closing(Journal(course.journal)):
        result = CliRunner().invoke(grade, [NAME, "--root", str(course.root)])
    assert result.exit_code == 2 and "another `grade` is at work" in result.output
