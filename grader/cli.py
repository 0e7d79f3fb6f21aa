"""`python -m course grade ASSIGNMENT`: the class on the terminal.

Exit code: 0 everybody who handed in is graded, 1 someone needs attention, 2 nothing could be graded.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from grader import cluster, collect, demo, exports, overview, report, sandbox
from grader.assignment import Assignment, Course
from grader.execute import Limits
from grader.files import disk_is_full
from grader.grade import Row, Status, grade_class, whole_class
from grader.intake import take_in
from grader.journal import Journal
from grader.notes import GradingError
from grader.roster import roster
from grader.verify import verify

SHOWN = 5               # differences between engines, of each notebook
ROOT = Path(__file__).resolve().parent.parent


@click.command("grade")
@click.argument("assignment", required=False, default="")
@click.option("-j", "--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Submissions run at the same time.")
@click.option("--student", "only", multiple=True, metavar="ID", help="Grade this student, again if need be (may be repeated).")
@click.option("--only-failed", is_flag=True, help="Grade again whoever needs attention or was lost, and nobody else.")
@click.option("--regrade", is_flag=True, help="Grade everybody again, also where nothing has changed.")
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True), metavar="FOLDER_OR_ZIP",
              help="First take in submissions: a folder of notebooks, a download of Canvas or Moodle.")
@click.option("--roster", "roster_path", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="CSV",
              help="Who is in the class: id, name, email, lms_ids. [default: grader/roster.csv, and the gradebook's students]")
@click.option("--replace", is_flag=True, help="With --from: newer files replace what is there; the old ones go to grader/replaced/.")
@click.option("--cluster", default="", metavar="ADDRESS",
              help="Run the notebooks on a cluster of dask.distributed, such as tcp://10.0.0.5:8786.")
@click.option("--demo", "make_demo", is_flag=True, help="Make a class of invented students with every trouble, and grade it.")
@click.option("--no-sandbox", is_flag=True, help="Run submissions without a sandbox: as your own programs, which may do all you may.")
@click.option("--verify", "sample", is_flag=False, flag_value=5, default=0, type=click.IntRange(0), metavar="[N]",
              help="Grade nothing; run N submissions (5) in nbgrader's own engine too, and compare scores and outputs.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(1), help="Seconds for one cell.")
@click.option("--root", default=ROOT, type=click.Path(path_type=Path, exists=True, file_okay=False), hidden=True)
def grade(root: Path, timeout: float, no_sandbox: bool, sample: int, **asked) -> None:
    """Grade the submissions in grader/submitted/<student>/<ASSIGNMENT>/: those that are new or have changed since.

    Stop it at any time, the next run carries on. Scores go to nbgrader's gradebook, a page per student to grader/feedback/, a
    report of the class and its tables (also for Canvas and Moodle) to grader/reports/. What is in submitted/ is never changed.
    """
    console = Console()
    try:
        engine = choose_engine(console, no_sandbox) if not asked["cluster"] else "forked" if no_sandbox else "sandboxed"
        course, wanted = Course.at(root), Asked(limits=Limits(cell=timeout), engine=engine, **asked)
        if sample:
            sys.exit(0 if compare(console, course, wanted, sample) else 1)
        rows, done = run(console, course, wanted)
    except GradingError as error:
        console.print(Text.assemble(("nothing more was graded: ", "red"), str(error)))
        sys.exit(2)
    except Exception as error:
        if not disk_is_full(error):
            raise
        console.print(Text.assemble(("the disk is full: ", "red"), f"{error}. What was graded is kept: make room, and run this again"))
        sys.exit(2)
    if not done:
        sys.exit(130)
    sys.exit(1 if any(row.status is Status.ATTENTION for row in rows) else 0)


@dataclass
class Asked:
    """What the command line asks for."""
    assignment: str
    jobs: int
    only: tuple[str, ...]
    only_failed: bool
    regrade: bool
    make_demo: bool
    source: Path | None
    roster_path: Path | None
    replace: bool
    cluster: str
    limits: Limits
    engine: str


def choose_engine(console: Console, no_sandbox: bool) -> str:
    """What runs the notebooks (see grader.execute.Job). Without a sandbox only after a yes, or with --no-sandbox.

    Raises GradingError that says what this system does not allow.
    """
    unsafe = "forked" if sys.platform == "linux" else "portable"
    if no_sandbox:
        return unsafe
    allowed = sandbox.probe()
    if allowed:
        return "sandboxed"
    why = "Submissions cannot be shut in on this system:\n" + "\n".join(f"  {each}" for each in allowed.missing)
    without = "Without a sandbox they run as your own programs: they may read and write your files and use the network."
    if not sys.stdin.isatty():
        raise GradingError(f"{why}\n{without}\nIf you trust them, run the command again with --no-sandbox.")
    console.print(f"{why}\n{without}", highlight=False, markup=False)
    if not click.confirm("Grade without a sandbox?"):
        raise GradingError("you did not want to without a sandbox")
    return unsafe


def compare(console: Console, course: Course, asked: Asked, sample: int) -> bool:
    """Tell how our engine and nbgrader's differ on some submissions; returns whether they do not."""
    assignment = Assignment.of(course, asked.assignment)
    students = list(asked.only) or [each for each in collect.students(course) if not collect.collect(course, assignment, each).empty]
    if not students:
        raise GradingError(f"no submissions: put them into {course.nbgrader().submitted_directory}/<student>/{assignment.name}/")
    compared, equal = 0, True
    for found in verify(course, assignment, students, asked.engine, asked.limits, sample):
        what = found.left_out or f"{found.cells} cells, {found.varying} of them not the same in every run"
        verdict = "DIFFERENT" if found.differences else "left out" if found.left_out else "same"
        console.print(f"{found.student:24} {found.notebook:20} {verdict:10}{what}", highlight=False, markup=False, soft_wrap=True)
        for difference in found.differences[:SHOWN]:
            console.print(f"  {difference}", highlight=False, markup=False, soft_wrap=True)
        compared, equal = compared + (not found.left_out), equal and not found.differences
    console.print(f"{compared} notebooks compared with nbgrader's own engine: "
                  f"{'scores and outputs are the same' if equal else 'there are differences'}")
    return equal and compared > 0


def run(console: Console, course: Course, asked: Asked) -> tuple[list[Row], bool]:
    """Grade and report; returns the rows and whether all were done (False after Ctrl-C). Raises GradingError."""
    if asked.make_demo and not asked.assignment:
        asked.assignment = next(iter(course.assignments()), "")
    assignment = Assignment.of(course, asked.assignment)
    with closing(Journal(course.journal)) as journal:
        people = roster(course, asked.roster_path)
        if asked.make_demo:
            demo.make(course, assignment)
        if asked.source:
            taken = take_in(course, assignment, asked.source, people, asked.replace)
            console.print(report.intake(taken))
            report.write_not_taken(course.reports / f"{assignment.name}-not-taken.csv", taken)
        known = collect.students(course, people.people)
        students = _students(course, assignment, asked, journal, known)
        if not students:
            console.print("nobody needs attention, and nobody was lost")
            return [], True
        again = students if asked.regrade or asked.only_failed or asked.only else ()
        run_all = cluster.runner(asked.cluster, asked.engine) if asked.cluster else None
        graded = grade_class(course, assignment, students, asked.jobs, asked.limits, asked.engine, journal=journal, again=again,
                             run_all=run_all)
        rows, done = _with_progress(console, graded, len(students))
        everybody = whole_class(course, assignment, known, rows, journal)
    table, page = (course.reports / f"{assignment.name}.{kind}" for kind in ("csv", "html"))
    report.write_csv(table, assignment, everybody)
    exports.write_all(course.reports, assignment, report.in_order(everybody), people)
    overview.write_overview(page, course, assignment, everybody, people)
    _say(console, course, assignment, rows, students)
    return rows, done


def _students(course: Course, assignment: Assignment, asked: Asked, journal: Journal, known: list[str]) -> list[str]:
    """Whom to grade, or to find graded already. Raises GradingError if there is nobody."""
    students = list(asked.only) or [student for student in known if not asked.make_demo or demo.is_demo(course, student)]
    if unknown := [student for student in students if student not in known]:
        raise GradingError(f"no student {unknown[0]!r}; there are: {', '.join(known) or 'none'}")
    if not students:
        raise GradingError(f"no submissions: put them into {course.nbgrader().submitted_directory}/<student>/{assignment.name}/")
    if asked.only_failed:
        rows = journal.rows(assignment.name)
        students = [student for student in students if student not in rows or rows[student][1]["status"] != Status.GRADED]
    return students


def _with_progress(console: Console, graded: Iterator[Row], total: int) -> tuple[list[Row], bool]:
    """Show how far it is, how fast, and how long it will take yet. Those of an earlier run say nothing about that."""
    rows: list[Row] = []
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
               TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console) as progress, closing(graded):
        bar, started, fresh = progress.add_task("grading", total=total, rate="", left=""), time.monotonic(), 0
        try:
            for row in graded:
                rows.append(row)
                fresh += not row.kept and row.status is not Status.NOT_SUBMITTED
                speed = fresh / (time.monotonic() - started)
                left = f"{timedelta(seconds=round((total - len(rows)) / speed))} left" if speed else ""
                progress.update(bar, advance=1, rate=f"{60 * speed:.0f} a minute" if speed else "", left=left)
        except KeyboardInterrupt:
            return rows, False
    return rows, True


def _say(console: Console, course: Course, assignment: Assignment, rows: list[Row], students: list[str]) -> None:
    console.print(report.table(assignment, rows))
    console.print(report.remarks(rows))
    counts = {status: sum(row.status is status for row in rows) for status in Status}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items() if count), highlight=False)
    if kept := sum(row.kept for row in rows):
        console.print(f"{kept} of them had been graded before, and nothing has changed since", highlight=False)
    if left := len(students) - len(rows):
        console.print(f"stopped: {left} of {len(students)} were not graded; run the same command again")
    pages = f"{course.nbgrader().feedback_directory}/<student>/{assignment.name}/"
    reports = course.reports.relative_to(course.root).as_posix()
    console.print(f"report    {reports}/{assignment.name}.html\ntables    {reports}/{assignment.name}.csv, -tasks.csv, "
                  f"-canvas.csv, -moodle.csv\nfeedback  {pages}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    grade()
