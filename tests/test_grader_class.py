"""A whole class graded once; then what each student must have got, and what must not have happened to anybody."""

import csv
import itertools
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass

import nbformat
import psutil
import pytest
from click.testing import CliRunner
from grader_class import NAME, ROOT, fingerprint, hand_in, hand_in_hostile, make_course
from grader_hostile import ATTACKS, INTRUDERS
from nbgrader.api import Gradebook

from grader import demo, warm
from grader.assignment import Assignment, Course
from grader.cli import grade

DEMO = {   # student → (score of 8, status)
    "perfect": (8, "graded"), "half": (6, "graded"), "unsolved": (0, "graded"), "crash": (5, "needs attention"),
    "endless": (5, "needs attention"), "corrupt": (0, "needs attention"), "no-notebook": (0, "needs attention"),
    "nothing": (0, "not submitted"), "tampered": (0, "needs attention"), "renamed": (8, "graded"), "doubled-check": (8, "graded"),
    "missing-check": (8, "graded"), "moved": (8, "graded"), "skipping": (0, "needs attention"), "empty": (0, "needs attention"),
    "not-utf8": (8, "graded"), "utf16": (8, "graded"), "loud": (8, "graded"), "Zoë Ångström (2)": (8, "graded"),
    "warns": (8, "graded"), "two-files": (8, "needs attention")}
HONEST = ["demo-perfect", "demo-half", "demo-unsolved"]
SECRETS = ("secret_number_of_apples", "untold_store", "hidden_empty_file")      # names in the code of hidden checks
SHUT_IN = warm.mode() == "sandboxed"
# Wrong answers rather than attacks on the grading: no points, and nothing to report.
JUST_WRONG = {"always equal", "int that equals", "own check", "cleared output", "sys.exit", "raises what it likes", "leaves a process"}
if SHUT_IN:
    JUST_WRONG.add("ends its worker")          # from inside a sandbox there is no worker to be seen
pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),     # nbgrader's own
    pytest.mark.xdist_group("the class"),                               # one worker grades it, not both
]


@dataclass
class Graded:
    course: Course
    assignment: Assignment
    printed: str
    exit_code: int
    rows: dict[str, dict]        # the CSV, by student
    before: dict[str, str]       # what was handed in, before grading


@pytest.fixture(scope="session")
def graded(tmp_path_factory) -> Graded:
    course = make_course(tmp_path_factory.mktemp("course"))
    assignment = Assignment.of(course, NAME)
    demo.make(course, assignment)
    hand_in_hostile(course, assignment)
    _hand_in_extras(course, assignment)
    before = fingerprint(course.root / "grader/submitted")
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--timeout", "4"], env={"COLUMNS": "160"})
    assert run.exception is None or isinstance(run.exception, SystemExit), run.output
    return Graded(course, assignment, run.output, run.exit_code, _rows(course), before)


def _hand_in_extras(course, assignment):
    solved = demo.solved(course, assignment)["small"]
    reader = solved.copy()
    reader.cells = [nbformat.v4.new_code_cell("assert open('data.txt').read() == 'my own data'"), *solved.cells]
    hand_in(course, "reads a file", reader, data="my own data")
    # Files named like the course's own modules must not be imported in their place.
    fake = "class task:\n    def __init__(*a): pass\n    def __enter__(s): pass\n    def __exit__(*a): return True\ncheck = print\n"
    unsolved = demo.solved(course, assignment)["small"]
    demo.unsolve(unsolved, assignment, "small")
    hand_in(course, "brings a course", unsolved, course__check=fake, course____init__="", json__x="")
    figure = demo.solved(course, assignment)["small"]
    figure.cells.insert(1, nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2]);"))
    hand_in(course, "draws", figure)
    linked = course.folder("submitted", "links", NAME)
    linked.mkdir(parents=True)
    (linked / "small.ipynb").symlink_to(course.folder("submitted", "demo-perfect", NAME) / "small.ipynb")


def _rows(course) -> dict[str, dict]:
    with open(course.reports / f"{NAME}.csv", newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def _autograded(graded, student):
    return nbformat.read(graded.course.folder("autograded", student, NAME) / "small.ipynb", as_version=4)


def _texts(notebook):
    return "\n".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))


# ── scores and statuses ─────────────────────────────────────────────────────────────────────────────────


def test_every_case_of_the_demo_is_expected_here():
    assert set(DEMO) == set(demo.MAKERS)


@pytest.mark.parametrize("student", DEMO)
def test_demo_student(graded, student):
    row = graded.rows[f"demo-{student}"]
    assert (float(row["score"]), row["status"]) == DEMO[student], row["remarks"]


@pytest.mark.parametrize("attack", ATTACKS | INTRUDERS)
def test_an_attack_earns_nothing(graded, attack):
    row = graded.rows[f"hostile {attack}"]
    assert float(row["score"]) == 0
    assert row["status"] == ("graded" if attack in JUST_WRONG else "needs attention"), row["remarks"]


def test_a_cell_that_kills_its_kernel_costs_its_own_task_only(graded):
    row = graded.rows["demo-crash"]
    assert [row[task] for task in ("9.1 double", "9.2 keep", "9.3 words")] == ["0", "3", "2"]
    assert row["worst_task"] == "9.1 double"


def test_files_of_the_submission_are_there_and_never_stand_in_for_libraries(graded):
    assert graded.rows["reads a file"]["score"] == "8"
    assert "AssertionError" not in _texts(_autograded(graded, "reads a file"))
    assert graded.rows["brings a course"]["score"] == "0"


def test_a_link_is_not_followed(graded):
    assert (graded.rows["links"]["score"], graded.rows["links"]["status"]) == ("0", "needs attention")


def test_figures_are_kept_and_cost_nothing(graded):
    assert graded.rows["draws"]["score"] == "8"
    assert "image/png" in _texts(_autograded(graded, "draws"))


def test_much_output_is_cut(graded):
    assert (graded.course.folder("autograded", "demo-loud", NAME) / "small.ipynb").stat().st_size < 600_000


def test_remarks_say_what_happened(graded):
    remarks = {student: row["remarks"] for student, row in graded.rows.items()}
    assert "Copy of small (1).ipynb" in remarks["demo-renamed"]
    assert "not valid JSON" in remarks["demo-corrupt"]
    assert "[tampering] edited check cells, the originals were run: double_check_1" in remarks["demo-tampered"]
    assert "ended the kernel" in remarks["demo-crash"]
    assert "did not finish in 4 seconds" in remarks["demo-endless"]
    assert SHUT_IN or "its worker process was killed" in remarks["hostile ends its worker"]


# ── what must not happen ────────────────────────────────────────────────────────────────────────────────


def test_nothing_that_was_handed_in_is_changed(graded):
    assert fingerprint(graded.course.root / "grader/submitted") == graded.before


def test_no_process_of_a_submission_is_left(graded):
    assert "pid " in _texts(_autograded(graded, "hostile leaves a process"))
    left = [process for process in psutil.process_iter(["cmdline"]) if "import os, time; os.setsid(); time.sleep(600)"
            in (process.info["cmdline"] or []) and process.status() != psutil.STATUS_ZOMBIE]
    assert left == []


def test_feedback_tells_topics_and_never_the_code_of_hidden_checks(graded):
    pages = sorted((graded.course.root / "grader/feedback").rglob("*.html"))
    assert len(pages) == sum(row["status"] != "not submitted" for row in graded.rows.values()) - 2     # no-notebook, links
    for page in pages:
        text = page.read_text(encoding="utf-8")
        plain = re.sub(r"<[^>]*>", "", text)        # highlighting breaks code into spans
        assert not [secret for secret in SECRETS if secret in plain or secret in text], page
    told = (graded.course.folder("feedback", "demo-unsolved", NAME) / "small.html").read_text(encoding="utf-8")
    assert "negative numbers" in told and "Not attempted yet" in told


def test_a_submission_that_prints_hidden_checks_is_reported(graded):
    assert any(secret in _texts(_autograded(graded, "hostile prints the checks")) for secret in SECRETS)
    assert "showed text of a hidden check" in graded.rows["hostile prints the checks"]["remarks"]


# ── report and gradebook ────────────────────────────────────────────────────────────────────────────────


def test_the_table_and_the_exit_code_say_that_someone_needs_attention(graded):
    assert graded.exit_code == 1
    assert re.search(r"demo-half +graded +6 +3 +3 +0 +9\.3", graded.printed)
    assert re.search(r"demo-nothing +not submitted", graded.printed)


def test_the_csv_is_sorted_by_status_and_score(graded):
    order = ["needs attention", "graded", "not submitted"]
    keys = [(order.index(row["status"]), -float(row["score"]), row["student"]) for row in graded.rows.values()]
    assert keys == sorted(keys)


def _gradebook_scores(course) -> dict[str, dict[str, float]]:
    with Gradebook(course.nbgrader().db_url, course.nbgrader().course_id) as gradebook:
        return {submission.student.id: {grade.name: grade.score for notebook in submission.notebooks for grade in notebook.grades}
                for submission in gradebook.assignment_submissions(NAME)}


def test_the_gradebook_has_the_same_scores(graded):
    scores = _gradebook_scores(graded.course)
    handed_in = {student for student, row in graded.rows.items() if row["status"] != "not submitted"}
    assert set(scores) == handed_in
    assert {student: sum(scores[student].values()) for student in handed_in} == {
        student: float(graded.rows[student]["score"]) for student in handed_in}


def test_grading_again_changes_nothing(graded):
    scores, rows = _gradebook_scores(graded.course), dict(graded.rows)
    options = list(itertools.chain.from_iterable(("--student", student) for student in HONEST[:2]))
    run = CliRunner().invoke(grade, [NAME, "--root", str(graded.course.root), *options])
    assert run.exit_code == 0, run.output
    assert _gradebook_scores(graded.course) == scores
    again = _rows(graded.course)
    for row in itertools.chain(rows.values(), again.values()):
        row.pop("seconds", None)
    assert again == rows


# ── nbgrader's own commands ─────────────────────────────────────────────────────────────────────────────


def _nbgrader(course, *words):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=course.root, env=environment, capture_output=True,
                          text=True, timeout=200, check=False)


def test_stock_nbgrader_gives_the_same_scores_on_the_same_folders(graded, tmp_path):
    course = make_course(tmp_path)
    assignment = Assignment.of(course, NAME)
    for student in HONEST:
        notebook = nbformat.read(graded.course.folder("submitted", student, NAME) / "small.ipynb", as_version=4)
        hand_in(course, student, notebook)
    released = fingerprint(course.root / "exercises")
    for words in (["generate_assignment", NAME, "--force"], ["autograde", NAME], ["generate_feedback", NAME]):
        run = _nbgrader(course, *words)
        assert run.returncode == 0, run.stderr[-2000:]
    assert fingerprint(course.root / "exercises") == released, "nbgrader's release copy is not the one that build makes"
    stock, ours = _gradebook_scores(course), _gradebook_scores(graded.course)
    assert stock == {student: ours[student] for student in HONEST}
    assert {len(scores) for scores in stock.values()} == {sum(len(task.points) for task in assignment.tasks)}
    page = course.folder("feedback", "demo-half", NAME) / "small.html"
    assert not [secret for secret in SECRETS if secret in re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8"))]


# ── interruption ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_leaves_a_whole_gradebook_and_no_process(tmp_path):
    course = make_course(tmp_path)
    assignment = Assignment.of(course, NAME)
    solved = demo.solved(course, assignment)["small"]
    for number in range(6):
        hand_in(course, f"student{number}", solved)
    # A test run in the background inherits an ignored SIGINT; a person at a terminal does not.
    program = ("import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
               "runpy.run_module('grader.cli', run_name='__main__')")
    run = subprocess.Popen([sys.executable, "-c", program, NAME, "--root", str(course.root), "-j", "1"], cwd=ROOT,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    until = time.monotonic() + 60
    while not course.folder("feedback", "student0", NAME).exists() and time.monotonic() < until:
        time.sleep(0.05)
    family = psutil.Process(run.pid).children(recursive=True)
    os.killpg(run.pid, signal.SIGINT)
    printed, _ = run.communicate(timeout=60)
    assert run.returncode == 130, printed
    assert "were not graded" in printed
    psutil.wait_procs(family, timeout=5)
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    with closing(sqlite3.connect(course.root / "grader/gradebook.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    scores = _gradebook_scores(course)
    assert 1 <= len(scores) < 6 and all(sum(each.values()) == 8 for each in scores.values()), json.dumps(scores)
