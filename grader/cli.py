"""`python -m course grade ASSIGNMENT`: the class on the terminal.

Exit code: 0 everybody who handed in is graded, 1 someone needs attention, 2 nothing could be graded.
"""

import sys
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from grader import collect, demo, report
from grader.assignment import Assignment, Course
from grader.execute import Limits
from grader.grade import Row, Status, grade_class
from grader.notes import GradingError

ROOT = Path(__file__).resolve().parent.parent


@click.command("grade")
@click.argument("assignment", required=False, default="")
@click.option("-j", "--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Submissions run at the same time.")
@click.option("--student", "only", multiple=True, metavar="ID", help="Grade this student only (may be repeated).")
@click.option("--demo", "make_demo", is_flag=True, help="Make a class of invented students with every trouble, and grade it.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(1), help="Seconds for one cell.")
@click.option("--root", default=ROOT, type=click.Path(path_type=Path, exists=True, file_okay=False), hidden=True)
def grade(assignment: str, jobs: int, only: tuple[str, ...], make_demo: bool, timeout: float, root: Path) -> None:
    """Grade the submissions in grader/submitted/<student>/<ASSIGNMENT>/.

    Scores go to nbgrader's gradebook, a page per student to grader/feedback/, the table to grader/reports/<ASSIGNMENT>.csv.
    What is in submitted/ is never changed.
    """
    console = Console()
    try:
        rows, done = run(console, root, assignment, jobs, list(only), make_demo, Limits(cell=timeout))
    except GradingError as error:
        console.print(f"[red]nothing was graded:[/] {error}", highlight=False, markup=True)
        sys.exit(2)
    if not done:
        sys.exit(130)
    sys.exit(1 if any(row.status is Status.ATTENTION for row in rows) else 0)


def run(console: Console, root: Path, name: str, jobs: int, only: list[str], make_demo: bool,
        limits: Limits) -> tuple[list[Row], bool]:
    """Grade and report; returns the rows and whether all were done (False after Ctrl-C). Raises GradingError."""
    course = Course.at(root)
    if make_demo and not name:
        name = next(iter(course.assignments()), "")
    assignment = Assignment.of(course, name)
    if make_demo:
        demo.make(course, assignment)
    known = collect.students(course)
    students = only or [student for student in known if not make_demo or demo.is_demo(course, student)]
    submitted = course.nbgrader().submitted_directory
    if unknown := [student for student in students if student not in known]:
        raise GradingError(f"no student {unknown[0]!r}; there are: {', '.join(known) or 'none'}")
    if not students:
        raise GradingError(f"no submissions: put them into {submitted}/<student>/{name}/")
    rows, done = _with_progress(console, course, assignment, students, jobs, limits)
    path = course.reports / f"{assignment.name}.csv"
    report.write_csv(path, assignment, rows)
    _say(console, course, assignment, rows, students, path)
    return rows, done


def _with_progress(console, course, assignment, students, jobs, limits) -> tuple[list[Row], bool]:
    rows: list[Row] = []
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, closing(grade_class(course, assignment, students, jobs, limits)) as graded:
        bar = progress.add_task("grading", total=len(students), rate="")
        try:
            for row in graded:
                rows.append(row)
                speed = progress.tasks[bar].finished_speed or progress.tasks[bar].speed
                progress.update(bar, advance=1, rate=f"{60 * speed:.0f} a minute" if speed else "")
        except KeyboardInterrupt:
            return rows, False
    return rows, True


def _say(console: Console, course: Course, assignment: Assignment, rows: list[Row], students: list[str], path: Path) -> None:
    console.print(report.table(assignment, rows))
    console.print(report.remarks(rows))
    counts = {status: sum(row.status is status for row in rows) for status in Status}
    console.print(", ".join(f"{count} {status}" for status, count in counts.items() if count), highlight=False)
    if left := len(students) - len(rows):
        console.print(f"stopped: {left} of {len(students)} were not graded; run the same command again")
    pages = f"{course.nbgrader().feedback_directory}/<student>/{assignment.name}/"
    console.print(f"table     {path.relative_to(course.root)}\nfeedback  {pages}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    grade()
