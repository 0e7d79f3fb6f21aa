"""The gradebook's transaction, what a check cell must do to pass, the report, the command's errors."""

import shutil
import sqlite3
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner
from grader_class import NAME, hand_in, make_course
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbgrader.api import Gradebook

from grader import demo, report
from grader.assignment import Assignment, Course
from grader.cli import grade
from grader.execute import Executed
from grader.feedback import HideChecks
from grader.grade import Row, Status, grade_class
from grader.notes import GradingError
from grader.record import change_gradebook, register
from grader.verdict import expected, settle

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")     # nbgrader's own


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A course whose gradebook knows the assignment (making one takes nbgrader a second)."""
    course = make_course(tmp_path_factory.mktemp("template"))
    register(course, Assignment.of(course, NAME))
    return course.root


@pytest.fixture
def course(template, tmp_path) -> Course:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return Course.at(tmp_path)


@pytest.fixture
def assignment(course) -> Assignment:
    return Assignment.of(course, NAME)


def _students(course) -> list[str]:
    with Gradebook(course.nbgrader().db_url, course.nbgrader().course_id) as gradebook:
        return sorted(student.id for student in gradebook.students)


def _add(url: str, student: str) -> None:
    with Gradebook(url, "nosql") as gradebook:
        gradebook.update_or_create_student(student)


# ── the gradebook is changed whole or not at all ────────────────────────────────────────────────────────


def test_a_failure_half_way_leaves_the_gradebook_as_it_was(course):
    def fail_late(url):
        _add(url, "half")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        change_gradebook(course, fail_late)
    assert _students(course) == []


def test_what_somebody_else_writes_meanwhile_is_kept(course):
    rounds = []

    def save(url):
        if not rounds:
            _add(course.nbgrader().db_url, "by Formgrader")
        rounds.append(url)
        _add(url, "by us")

    change_gradebook(course, save)
    assert len(rounds) == 2 and _students(course) == ["by Formgrader", "by us"]


def test_an_assignment_whose_cells_changed_after_grading_is_refused_in_words(course, assignment):
    with Gradebook(course.nbgrader().db_url, "nosql") as gradebook:
        gradebook.add_student("ann")
        gradebook.add_submission(NAME, "ann")
    master = assignment.masters["small"]
    master.notebook.cells = [cell for cell in master.notebook.cells
                             if cell.metadata.get("nbgrader", {}).get("grade_id") != "double_hidden_1"]
    with pytest.raises(GradingError, match="changed after grading began"):
        register(course, assignment)


# ── what a check cell must do ───────────────────────────────────────────────────────────────────────────

CELL = '''\
from course.check import check, task
with task("9.1"):
    check("one", got=1,
          want=1)
    if something:
        check("two", got=2, want=2)
    try:
        check("three", got=3, want=3)
    except Exception:
        check("four", got=4, want=4)
'''


def test_only_what_runs_in_any_case_is_expected():
    assert expected(CELL) == (1, [(3, 4), (8, 8)])


def _settled(source=CELL, outputs=(), **verdict):
    cell = new_code_cell(source, outputs=list(outputs))
    cell.metadata["nbgrader"] = {"grade_id": "x", "grade": True, "points": 1}
    verdict = {"number": "n", "before": [], "during": [], "passed": [3, 8], "finished": 1} | verdict
    notes = []
    settle(cell, {"status": "ok", "verdict": verdict}, "n", notes)
    return [output.get("ename", output.get("name")) for output in cell.outputs], notes


@pytest.mark.parametrize("verdict", [{"number": "m"}, {"passed": [3]}, {"passed": []}, {"finished": 0}, {"during": ["check"]}])
def test_a_run_that_is_not_believed_ends_in_an_error(verdict):
    outputs, notes = _settled(**verdict)
    assert outputs == ["Tampering"] and "earned nothing" in notes[-1].text


def test_a_believed_run_has_neither_errors_nor_warnings_nor_points_to_read():
    outputs, notes = _settled(outputs=[
        new_output("stream", name="stderr", text="a warning"), new_output("error", ename="E", evalue="", traceback=["shown"]),
        new_output("execute_result", data={"text/plain": "0.5"}, execution_count=1)])
    assert outputs == ["stdout", "stdout"] and len(notes) == 1


def test_partial_credit_as_the_last_value_of_a_cell_is_nbgraders_own():
    outputs, notes = _settled(source="0.5", outputs=[new_output("execute_result", data={"text/plain": "0.5"}, execution_count=1)],
                              passed=[], finished=0)
    assert len(outputs) == 1 and notes == []


# ── feedback ────────────────────────────────────────────────────────────────────────────────────────────

HIDDEN = "# 2 points at grading: big numbers\n### BEGIN HIDDEN TESTS\nassert double(10 ** 40) == 2 * 10 ** 40\n### END HIDDEN TESTS"


@pytest.mark.parametrize("text", ["assert double(10 ** 40) == 2 * 10 ** 40", "'assert double(10 ** 40)\\n == 2 * 10 ** 40'",
                                  "<b>assert double(10 ** 40) == 2 &#42; 10 ** 40</b>",
                                  "\x1b[32massert\x1b[0m double(10 ** 40) == 2 * 10 ** 40"])
def test_text_of_a_hidden_check_is_left_out_of_every_output(text):
    for output in (new_output("stream", text=text), new_output("error", ename="E", evalue=text, traceback=[text]),
                   new_output("display_data", data={"text/html": text})):
        notebook = new_notebook(cells=[new_code_cell(HIDDEN), new_code_cell("1", outputs=[output])])
        shown, _ = HideChecks().preprocess(notebook, {})
        assert shown.cells[0].source == "# 2 points at grading: big numbers"
        assert "40" not in str(shown.cells[1].outputs)


def test_a_traceback_from_a_hidden_check_is_one_line():
    error = new_output("error", ename="NameError", evalue="no double", traceback=["----> 1 assert double(4)", "NameError"])
    notebook = new_notebook(cells=[new_code_cell(HIDDEN, outputs=[error])])
    shown, _ = HideChecks().preprocess(notebook, {})
    assert shown.cells[0].outputs[0].traceback == ["NameError: no double"]


# ── one bad submission never stops the others ───────────────────────────────────────────────────────────


def _instantly(jobs, workers):
    """Stands in for the pool: every check passes."""
    for name, job in jobs:
        yield name, Executed(job.notebook, [], 0.0)


@pytest.mark.parametrize("broken", ["grader.feedback.make_feedback", "grader.collect.read_files", "grader.grade.record"])
def test_a_failure_of_the_grader_costs_one_row(course, assignment, monkeypatch, broken):
    for student in ("ann", "bob", "eve"):
        hand_in(course, student, demo.solved(course, assignment)["small"])
    module, _, function = broken.rpartition(".")
    genuine = getattr(sys.modules[module], function)

    def fails_for_bob(*args):
        if "bob" in str(args[:3]):
            raise OSError("disk full")
        return genuine(*args)

    monkeypatch.setattr(broken, fails_for_bob)
    monkeypatch.setattr("grader.pool.run_all", _instantly)
    rows = {row.student: row for row in grade_class(course, assignment, ["ann", "bob", "eve"])}
    assert {student: row.status for student, row in rows.items()} == {"ann": "graded", "bob": "needs attention", "eve": "graded"}
    assert rows["ann"].score == rows["eve"].score == 8 and "disk full" in rows["bob"].notes[0].text


# ── report and command ──────────────────────────────────────────────────────────────────────────────────


def test_a_spreadsheet_runs_no_formula_of_a_student(course, assignment):
    path = course.root / "table.csv"
    report.write_csv(path, assignment, [Row("=HYPERLINK(1)", Status.GRADED)])
    assert "\n'=HYPERLINK(1),graded" in path.read_text().replace("\r", "")


def test_an_unknown_assignment_lists_the_known_ones(course):
    run = CliRunner().invoke(grade, ["nonsense", "--root", str(course.root)])
    assert run.exit_code == 2 and NAME in run.output


def test_no_submissions_says_where_they_belong(course):
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root)])
    assert run.exit_code == 2 and f"grader/submitted/<student>/{NAME}/" in run.output.replace("\n", "")


def test_an_unknown_student_lists_the_known_ones(course, assignment):
    hand_in(course, "ann", demo.solved(course, assignment)["small"])
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--student", "bob"])
    assert run.exit_code == 2 and "ann" in run.output


def test_the_demo_never_replaces_a_real_submission(course, assignment):
    hand_in(course, "demo-perfect", demo.solved(course, assignment)["small"])
    with pytest.raises(GradingError, match="demo-perfect was not made by --demo"):
        demo.make(course, assignment)
    assert [path.name for path in (course.root / "grader/submitted").iterdir()] == ["demo-perfect"]


def test_a_folder_that_is_no_course(tmp_path):
    with pytest.raises(GradingError, match=r"nbgrader_config\.py"):
        Course.at(tmp_path)


def test_the_gradebook_is_made_with_nbgraders_schema(course):
    with closing(sqlite3.connect(course.root / "grader/gradebook.db")) as database:
        assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
