"""What students and instructors read: the feedback, the class report, the exports, and that nothing hidden is in what goes out."""

import csv
import io
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from grader_class import NAME, ROOT, hand_in, make_course
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from course.check import block
from grader import demo, feedback, figures, pictures, similar
from grader.assignment import Assignment, Course, visible
from grader.cli import grade
from grader.grade import whole_class
from grader.journal import Journal
from grader.page import Page, next_hint
from grader.results import Came, Check, Task, unblock
from grader.timing import seconds_spent

pytestmark = [pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"), pytest.mark.xdist_group("report")]

ANSWERS = {  # student → answer of the first task
    "ann": "def double(n):\n    return abs(n) * 2",
    "bea": "def double(number):\n    # mine\n    return abs(number) * 2",
    "cat": "def double(n):\n    raise KeyError('no <b>idea</b>')",
    "dan": "def double(n):\n    return n + 4",
    "eva": None,
    "fay": "def double(n) return 2 * n",
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Course:
    course = make_course(tmp_path_factory.mktemp("report"))
    assignment = Assignment.of(course, NAME)
    for student, answer in ANSWERS.items():
        notebook = demo.solved(course, assignment)["small"]
        if answer is None:
            demo.unsolve(notebook, assignment, "small")
        else:
            demo.answers(notebook)[0].source = answer
        if student == "dan":
            notebook.cells.append(nbformat.v4.new_code_cell("from course.check import hint"))
        hand_in(course, student, notebook)
    course.roster.parent.mkdir(exist_ok=True)
    course.roster.write_text("id,name,email,lms_ids\n" + "".join(f"{each},{each.title()} Test,{each}@example.org,1{i}\n"
                                                               for i, each in enumerate([*ANSWERS, "gus"])))
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root)], env={"COLUMNS": "160"})
    assert run.exit_code == 0, run.output
    return course


@pytest.fixture(scope="module")
def rows(graded):
    with closing(Journal(graded.journal)) as journal:
        return whole_class(graded, Assignment.of(graded, NAME), [*ANSWERS, "gus"], [], journal)


def _page(course, student) -> str:
    return (course.folder("feedback", student, NAME) / "small.html").read_text(encoding="utf-8")


VOID = {"meta", "img", "br", "link"}


class _Text(HTMLParser):
    """The text of a page, tags that are open at its end, addresses of other files."""

    def __init__(self, page: str):
        super().__init__()
        self.words, self.open, self.addresses, self.style = [], [], [], False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href") and not value.startswith(("#", "data:"))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def _text(page: str) -> str:
    parsed = _Text(page)
    assert parsed.open == [] and parsed.addresses == []
    return " ".join(" ".join(parsed.words).split())


# ── feedback ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_says_what_was_expected_what_came_and_why(graded):
    text = _text(_page(graded, "ann"))
    assert "At grading: negative numbers negative numbers double too 0 of 2 expected -42 got 42 likely abs() loses the sign" in text
    assert "✓ ok double(4) is 8: 8 1 of 1" in text and "Hint 1 of 1 Multiply." in text
    assert "return abs ( n ) * 2" in text and "6 of 8 points" in text and "Test cell" not in text


def test_a_page_names_the_line_that_raised_and_escapes_it(graded):
    page = _page(graded, "cat")
    assert "your code raised an error" in page and "<b>idea" not in page
    assert "raised KeyError: 'no <b>idea</b>' in double, line 2" in _text(page)


def test_what_was_not_attempted_has_no_noise(graded):
    text = _text(_page(graded, "eva"))
    assert text.count("Not attempted yet.") == 3 and "Your answer" not in text and "No response" not in text
    assert "0 of 8 points" in text and "Hint 1 of 1" in text


def test_an_answer_that_is_no_python_is_told_once(graded):
    assert "The answer cell itself ended with an error: SyntaxError" in _text(_page(graded, "fay"))


def test_a_comment_and_a_score_of_the_instructors_are_on_the_page_of_nbgraders_own_command(graded, tmp_path):
    course = Course.at(shutil.copytree(graded.root, tmp_path / "course"))
    before = _text(_page(course, "dan"))
    with Gradebook(course.nbgrader().db_url, "nosql") as gradebook:
        gradebook.find_comment("double", "small", NAME, "dan").manual_comment = "Nearly! <Look> at 0."
        gradebook.find_grade("double_hidden_1", "small", NAME, "dan").manual_score = 1
        gradebook.db.commit()
    run = subprocess.run([sys.executable, "-m", "nbgrader", "generate_feedback", NAME, "--force"], cwd=course.root, check=False,
                         env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stderr[-2000:]
    after = _text(_page(course, "dan"))
    assert "From your instructor Nearly! <Look> at 0." in after and "7 of 8 points" in after
    assert after.replace("From your instructor Nearly! <Look> at 0. ", "").replace("7 of 8", "6 of 8").replace(
        "2 of 3", "1 of 3").replace("1 of 2", "0 of 2") == before, "else it is the same page"


def test_the_next_hint_is_the_first_that_was_not_read():
    task = Task("2.1", "x", "X", [Check("x_check_1", "", 0, 1, Came.FAILED)])
    page = Page("ann", "a", "A", [task], hints={"2.1": ["one", "two", "three"]})
    assert next_hint(page, task) == (1, "one")
    task.hints = 2
    assert next_hint(page, task) == (3, "three")
    task.hints = 3
    assert next_hint(page, task) == (3, "three")
    task.checks[0].came = Came.PASSED
    assert next_hint(page, task) is None


lines = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


@given(what=lines, rows=st.dictionaries(st.sampled_from(["expected", "got", "likely", "raised", "next"]), lines, max_size=4))
def test_a_message_of_course_check_is_read_back(what, rows):
    assert unblock(block("2.3", what, **rows)) == (what, rows)


# ── nothing hidden goes out ─────────────────────────────────────────────────────────────────────────────


def _hidden(folder: Path) -> set[str]:
    """Lines of hidden checks of the instructor's notebooks, letters and digits only, that stand in no cell for learners."""
    found, seen = set(), []
    for path in folder.rglob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        found |= feedback.hidden_lines(notebook)
        seen += [feedback.squeezed(visible(cell.source)) for cell in notebook.cells]
    return {line for line in found if not any(line in text for text in seen)}


def test_nothing_that_is_released_shows_a_hidden_check():
    secret = _hidden(ROOT / "solutions")
    assert len(secret) > 100
    released = [path for folder in ("exercises", "notebooks") for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert released
    for path in [*released, ROOT / "course/tasks.json"]:
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            assert not any("HIDDEN TESTS" in cell.source for cell in cells)
            text = "\n".join(cell.source + str(cell.get("outputs", "")) for cell in cells)
        shown = feedback.squeezed(text)
        chapter = "notebooks" in path.parts         # it may import, and write in few words, what a check does
        assert not [line for line in secret if line in shown and not (chapter and (len(line) <= 40 or line.startswith("from")))], path


def test_no_feedback_shows_a_hidden_check(graded):
    secret = _hidden(graded.root / "solutions")
    pages = list((graded.root / "grader/feedback").rglob("*.*"))
    assert len(pages) == len(ANSWERS) and secret
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for shown in (feedback.squeezed(text), feedback.squeezed(_text(text))):
            assert not [line for line in secret if line in shown], page


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "tests/answers").iterdir()))
def test_no_feedback_of_the_courses_own_assignments_shows_a_hidden_check(tmp_path, name):
    """Three students, each with another wrong answer to every task: messages and topics are theirs to read, code is not."""
    for folder in ("solutions", "exercises"):
        shutil.copytree(ROOT / folder / name, tmp_path / folder / name)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    course = Course.at(tmp_path)
    assignment = Assignment.of(course, name)
    for number in range(3):
        for stem, notebook in demo.solved(course, assignment).items():
            for cell in demo.answers(notebook):
                wrong = sorted((ROOT / "tests/answers" / name / cell.metadata.nbgrader.grade_id).glob("wrong_*.py"))
                cell.source = wrong[number % len(wrong)].read_text(encoding="utf-8") if wrong else cell.source
            path = course.folder("submitted", f"student{number}", name) / f"{stem}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, path)
    run = CliRunner().invoke(grade, [name, "--root", str(tmp_path)], env={"COLUMNS": "160"})
    assert "3 graded" in run.output or "need" in run.output, run.output
    secret, pages = _hidden(tmp_path / "solutions"), list((tmp_path / "grader/feedback").rglob("*.html"))
    assert len(pages) == 3 * len(assignment.masters) and secret
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "At grading: " in text and "expected" in text
        for shown in (feedback.squeezed(text), feedback.squeezed(_text(text))):
            assert not [line for line in secret if line in shown], page


# ── the class ───────────────────────────────────────────────────────────────────────────────────────────


def test_wrong_answers_are_grouped_by_what_was_got(rows):
    first = figures.most_failed(rows)[0]
    assert (first.task, first.name, first.hidden, first.tried, first.failed) == ("9.1", "negative numbers", True, 5, 5)
    assert (first.groups[0].got, first.groups[0].students) == ("42", ["ann", "bea"])
    assert {"-17", "KeyError: 'no <b>idea</b>'"} <= {group.got for group in first.groups}


def test_figures_of_a_task(rows, graded):
    first = figures.tasks(Assignment.of(graded, NAME), rows)[0]
    assert (first.title, first.full, first.partly, first.none, first.untouched) == ("Twice as much", 0, 3, 2, 1)
    assert first.mean == pytest.approx(3 / 6)


def test_the_report_is_whole_and_needs_no_other_file(graded):
    page = (graded.reports / f"{NAME}.html").read_text(encoding="utf-8")
    text = _text(page)
    assert page.count("data:image/png;base64,") == 2, "nobody's notebook knows times"
    assert "6 graded, 0 need attention, 1 not submitted" in text and "negative numbers · 5 of 5 who tried" in text
    assert "Gus Test not submitted" in text and "no <b>idea</b>" in text and "not a verdict" in text


def test_pictures_of_odd_classes():
    task = figures.TaskFigures("1.1", "A title that is longer than anybody would like it to be", 3, mean=0, none=1, minutes=0.0)
    for picture in (pictures.distribution([0.0], 8), pictures.distribution([-1.0, 8.0], 8), pictures.success([task]),
                    pictures.minutes([task], {"1.1": [0.0]})):
        assert picture._repr_png_()[0].startswith(b"\x89PNG")


def test_time_spent_is_read_from_the_notebook_and_pauses_are_cut(graded):
    assignment = Assignment.of(graded, NAME)
    notebook, when = demo.solved(graded, assignment)["small"], datetime(2026, 5, 1, 9, tzinfo=UTC)
    for cell, minutes in zip([cell for cell in notebook.cells if "nbgrader" in cell.metadata and cell.cell_type == "code"],
                             (0, 3, 4, 500, 501), strict=False):
        cell.metadata["execution"] = {"iopub.execute_input": (when + timedelta(minutes=minutes)).isoformat()}
    spent = seconds_spent({"small": nbformat.writes(notebook).encode()}, assignment)
    assert spent == {"9.1": 240, "9.2": 20 * 60 + 60}
    for odd in (b"", b"[]", b'{"cells": [{"metadata": {"execution": {"iopub.execute_input": "yesterday"}}}]}', b'{"cells": 3}',
                b'{"cells": [{"metadata": {"execution": 7}}]}', b"\xff\xfe"):
        assert seconds_spent({"small": odd}, assignment) == {}


# ── exports ─────────────────────────────────────────────────────────────────────────────────────────────


def _csv(graded, kind) -> list[dict]:
    return list(csv.DictReader(io.StringIO((graded.reports / f"{NAME}-{kind}.csv").read_text(encoding="utf-8"))))


def test_canvas_and_moodle_can_import_the_scores(graded):
    canvas = _csv(graded, "canvas")
    assert list(canvas[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", NAME]
    assert (canvas[0]["Student"], canvas[0][NAME]) == ("Points Possible", "8")
    by_id = {line["ID"]: line for line in canvas}
    assert by_id["10"]["Student"] == "Ann Test" and by_id["10"][NAME] == "6" and by_id["16"][NAME] == ""
    moodle = {line["Email address"]: line for line in _csv(graded, "moodle")}
    assert moodle["ann@example.org"][NAME] == "6" and moodle["gus@example.org"][NAME] == ""


def test_a_line_per_student_and_task(graded):
    lines = _csv(graded, "tasks")
    assert len(lines) == 3 * len(ANSWERS)
    (ann,) = [line for line in lines if (line["student"], line["task"]) == ("ann", "9.1")]
    assert (ann["score"], ann["max_score"], ann["attempted"], ann["failed"]) == ("1", "3", "yes", "negative numbers")


# ── similar answers ─────────────────────────────────────────────────────────────────────────────────────

LONG = """
def total(orders, rates):
    result = {}
    for order in sorted(orders, key=lambda each: each["at"]):
        if order["currency"] not in rates:
            continue
        amount = round(order["price"] * rates[order["currency"]] * order["count"], 2)
        result.setdefault(order["user"], []).append(amount)
    return {user: max(amounts) for user, amounts in result.items() if len(amounts) > 1}
"""
RENAMED = '''
def total(bestellungen, kurse):
    """Mine, all mine."""
    ergebnis = {}
    for b in sorted(bestellungen, key=lambda x: x["when"]):   # in order
        if b["cur"] not in kurse:
            continue
        wert = round(b["p"] * kurse[b["cur"]] * b["n"], 3)
        ergebnis.setdefault(b["who"], []).append(wert)
    return {a: max(w) for a, w in ergebnis.items() if len(w) > 7}
'''
DIFFERENT = """
def total(orders, rates):
    import itertools
    known = filter(lambda order: order["currency"] in rates, orders)
    by_user = itertools.groupby(known, key=lambda order: order["user"])
    found = [(user, [order["price"] for order in group]) for user, group in by_user]
    while found and not found[-1][1]:
        found.pop()
    return dict((user, sum(prices)) for user, prices in found)
"""


def test_a_copy_with_other_names_is_found_and_another_way_is_not():
    found = similar.similar({"a": LONG, "b": RENAMED, "c": DIFFERENT}, [])
    assert [(one, other) for one, other, _ in found] == [("a", "b")] and found[0][2] == 1


def test_what_the_instructor_gave_is_no_sign():
    assert similar.similar({"a": LONG, "b": RENAMED}, [LONG]) == []


def test_what_everybody_writes_is_no_sign():
    assert similar.similar({f"s{i}": LONG for i in range(6)}, []) == []


@pytest.mark.parametrize("source", ["", "def f(:", "x = '", "\tif\n  x", "(" * 500, "\0", "λ = 1; ²"])
def test_code_that_is_none_can_be_compared(source):
    assert similar.similar({"a": source, "b": source, "c": LONG}, [source]) == []
    similar.side_by_side(source, LONG)


def test_three_hundred_students_take_seconds():
    answers = {f"s{i}": "\n".join(f"{LONG}\nv{j} = [{'+'.join(['x'] * (i % 17 + j))}]" for j in range(4)) for i in range(300)}
    started = time.process_time()
    similar.similar(answers, [])
    assert time.process_time() - started < 20


def test_sides_show_all_lines_of_both():
    lines = similar.side_by_side(LONG, RENAMED)
    assert [left for left, _, _ in lines if left] == [line for line in LONG.splitlines() if line]
    assert [right for _, right, _ in lines if right] == [line for line in RENAMED.splitlines() if line]
    assert sum(same for *_, same in lines) >= 8


def test_sides_differ_where_they_do():
    assert similar.side_by_side("a = 1\nb()", "a = 1\nc.d()") == [("a = 1", "a = 1", True), ("b()", "c.d()", False)]
    assert similar.side_by_side("", "") == []
