"""A class of broken and hostile submissions: each gets what it must, the batch ends, and the honest ones beside them lose nothing."""

import csv
import time

import pytest
from click.testing import CliRunner
from grader_broken import BROKEN
from grader_class import NAME, fingerprint, hand_in, make_course
from grader_hostile import ATTACKS, INTRUDERS

from grader import demo
from grader.assignment import Assignment
from grader.cli import grade

pytestmark = [pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"), pytest.mark.xdist_group("broken")]
# Names of students whose work is right.
NAMES = ["O'Brien; DROP TABLE student", "[a-z]*", "ada lovelace %s {0}", "學生", "-rf", "a" * 120]


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Student → line of the CSV; the course; the seconds that it took."""
    course = make_course(tmp_path_factory.mktemp("broken"))
    assignment = Assignment.of(course, NAME)
    for name, (make, *_) in BROKEN.items():
        folder = course.folder("submitted", name, NAME)
        folder.mkdir(parents=True)
        make(folder, demo.solved(course, assignment)["small"], assignment)
    for name in NAMES:
        hand_in(course, name, demo.solved(course, assignment)["small"])
    before = fingerprint(course.root / "grader/submitted")
    started = time.monotonic()
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--timeout", "3"], env={"COLUMNS": "200"})
    assert run.exit_code == 1 and isinstance(run.exception, SystemExit | None), run.output
    assert fingerprint(course.root / "grader/submitted") == before
    with open(course.reports / f"{NAME}.csv", newline="", encoding="utf-8") as file:
        return {row["student"].lstrip("'"): row for row in csv.DictReader(file)}, course, time.monotonic() - started


def test_there_are_enough_of_them():
    assert len(BROKEN) + len(ATTACKS) + len(INTRUDERS) + len(demo.MAKERS) >= 100 and len(BROKEN) >= 60


@pytest.mark.parametrize("name", BROKEN)
def test_it_gets_what_it_must(graded, name):
    _, score, status, says = BROKEN[name]
    row = graded[0][name]
    assert (float(row["score"]), row["status"]) == (score, status or row["status"]), row["remarks"]
    assert says in row["remarks"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_students_are_only_names(graded, name):
    row = graded[0][name]
    assert (row["score"], row["status"]) == ("8", "graded"), row["remarks"]


def test_the_batch_ends_and_everybody_has_a_line(graded):
    rows, _, seconds = graded
    assert len(rows) == len(BROKEN) + len(NAMES) and seconds < 600
    assert not [row for row in rows.values() if "the grader itself failed" in row["remarks"]]


def test_what_an_answer_gives_is_never_markup_in_a_page(graded):
    _, course, _ = graded
    for page in (course.folder("feedback", "gives markup", NAME) / "small.html", course.reports / f"{NAME}.html"):
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text and "onerror=alert" not in text.replace("&lt;img src=x onerror=alert(1)&gt;", "")
