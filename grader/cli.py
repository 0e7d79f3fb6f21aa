"""`python -m course grade ASSIGNMENT`: the class on the terminal.

Exit code: 0 everybody who handed in is graded, 1 someone needs attention, 2 nothing could be graded.
"""

import sys
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from grader import collect, demo, report, sandbox
from grader.assignment import Assignment, Course
from grader.execute import Limits
from grader.grade import Row, Status, grade_class
from grader.notes import GradingError
from grader.verify import verify

SHOWN = 5               # differences between engines, of each notebook
ROOT = Path(__file__).resolve().parent.parent


@click.command("grade")
@click.argument("assignment", required=False, default="")
@click.option("-j", "--jobs", default=2, show_default=True, type=click.IntRange(1, 64), help="Submissions run at the same time.")
@click.option("--student", "only", multiple=True, metavar="ID", help="Grade this student only (may be repeated).")
@click.option("--demo", "make_demo", is_flag=True, help="Make a class of invented students with every trouble, and grade it.")
@click.option("--no-sandbox", is_flag=True, help="Run submissions without a sandbox: as your own programs, which may do all you may.")
@click.option("--verify", "sample", is_flag=False, flag_value=5, default=0, type=click.IntRange(0), metavar="[N]",
              help="Grade nothing; run N submissions (5) in nbgrader's own engine too, and compare scores and outputs.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(1), help="Seconds for one cell.")
@click.option("--root", default=ROOT, type=click.Path(path_type=Path, exists=True, file_okay=False), hidden=True)
def grade(assignment: str, jobs: int, only: tuple[str, ...], make_demo: bool, no_sandbox: bool, sample: int,
          timeout: float, root: Path) -> None:
    """Grade the submissions in grader/submitted/<student>/<ASSIGNMENT>/.

    Scores go to nbgrader's gradebook, a page per student to grader/feedback/, the table to grader/reports/<ASSIGNMENT>.csv.
    What is in submitted/ is never changed.
    """
    console = Console()
    try:
        engine = choose_engine(console, no_sandbox)
        if sample:
            sys.exit(0 if compare(console, root, assignment, list(only), engine, Limits(cell=timeout), sample) else 1)
        rows, done = run(console, root, assignment, jobs, list(only), make_demo, Limits(cell=timeout), engine)
    except GradingError as error:
        console.print(f"[red]nothing was graded:[/] {error}", highlight=False, markup=True)
        sys.exit(2)
    if not done:
        sys.exit(130)
    sys.exit(1 if any(row.status is Status.ATTENTION for row in rows) else 0)


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


def compare(console: Console, root: Path, name: str, only: list[str], engine: str, limits: Limits, sample: int) -> bool:
    """Tell how our engine and nbgrader's differ on some submissions; returns whether they do not."""
    course = Course.at(root)
    assignment = Assignment.of(course, name)
    students = only or [each for each in collect.students(course) if not collect.collect(course, assignment, each).empty]
    if not students:
        raise GradingError(f"no submissions: put them into {course.nbgrader().submitted_directory}/<student>/{name}/")
    compared, equal = 0, True
    for found in verify(course, assignment, students, engine, limits, sample):
        what = found.left_out or f"{found.cells} cells, {found.varying} of them not the same in every run"
        verdict = "DIFFERENT" if found.differences else "left out" if found.left_out else "same"
        console.print(f"{found.student:24} {found.notebook:20} {verdict:10}{what}", highlight=False, markup=False, soft_wrap=True)
        for difference in found.differences[:SHOWN]:
            console.print(f"  {difference}", highlight=False, markup=False, soft_wrap=True)
        compared, equal = compared + (not found.left_out), equal and not found.differences
    console.print(f"{compared} notebooks compared with nbgrader's own engine: "
                  f"{'scores and outputs are the same' if equal else 'there are differences'}")
    return equal and compared > 0


def run(console: Console, root: Path, name: str, jobs: int, only: list[str], make_demo: bool, limits: Limits,
        engine: str = "") -> tuple[list[Row], bool]:
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
    rows, done = _with_progress(console, course, assignment, students, jobs, limits, engine)
    path = course.reports / f"{assignment.name}.csv"
    report.write_csv(path, assignment, rows)
    _say(console, course, assignment, rows, students, path)
    return rows, done


def _with_progress(console, course, assignment, students, jobs, limits, engine) -> tuple[list[Row], bool]:
    rows: list[Row] = []
    columns = (TextColumn("grading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())
    grading = grade_class(course, assignment, students, jobs, limits, engine)
    with Progress(*columns, console=console) as progress, closing(grading) as graded:
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
