"""What the instructor sees: a table on the terminal and the same as CSV."""

import csv
import io
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from grader.assignment import Assignment, Task
from grader.files import replace_file
from grader.grade import Row, Status
from grader.intake import Taken
from grader.notes import Kind

COLOURS = {Status.GRADED: "green", Status.ATTENTION: "yellow", Status.NOT_SUBMITTED: "dim"}
ORDER = [Status.ATTENTION, Status.GRADED, Status.NOT_SUBMITTED]


def in_order(rows: list[Row]) -> list[Row]:
    """Those who need a look first; within a status the highest score first, then by name."""
    return sorted(rows, key=lambda row: (ORDER.index(row.status), -row.score, row.student))


def worst_task(row: Row, tasks: list[Task]) -> Task | None:
    """The first task with the smallest share of its points; None if all have full marks or nothing was handed in."""
    def share(task):
        return row.scores.get(task.number, 0) / (sum(task.points.values()) or 1)
    losing = [task for task in tasks if share(task) < 1]
    return min(losing, key=share) if losing and row.status is not Status.NOT_SUBMITTED else None


def table(assignment: Assignment, rows: list[Row]) -> Table:
    """Student, status, score, the score of each task (its points below its number), number of the worst task."""
    tasks = assignment.tasks
    out = Table(title=f"{assignment.name} · {points(assignment):g} points", title_justify="left", box=SIMPLE_HEAD,
                collapse_padding=True, pad_edge=False)
    out.add_column("student", overflow="fold", min_width=12)
    out.add_column("status", no_wrap=True)
    out.add_column("score", justify="right", no_wrap=True)
    for task in tasks:
        out.add_column(f"{task.number}\n/{sum(task.points.values()):g}", justify="right", no_wrap=True)
    out.add_column("worst\ntask", no_wrap=True)
    for row in in_order(rows):
        worst = worst_task(row, tasks)
        handed_in = row.status is not Status.NOT_SUBMITTED
        cells = [f"{row.scores.get(task.number, 0):g}" if handed_in else "" for task in tasks]
        out.add_row(Text(row.student), Text(row.status, COLOURS[row.status]), f"{row.score:g}" if handed_in else "", *cells,
                    worst.number if worst else "")
    return out


def remarks(rows: list[Row]) -> Text:
    """Below the table: what there is to look at, and at whom. The CSV and the feedback have every remark."""
    lines = Text()
    for row in in_order(rows):
        for note in (note for note in row.notes if note.needs_attention):
            lines.append(f"{row.student}  ", "bold")
            lines.append(f"{note.text}\n", "red" if note.kind is Kind.TAMPERING else "")
    return lines


def intake(taken: Taken) -> Text:
    """What was taken in, and every file that was not, with the reason."""
    lines = Text(f"taken in: {len(taken.new)} new files, {len(taken.replaced)} that replace another, {len(taken.unchanged)} that were "
                 f"there already, of {len(taken.students)} students\n")
    for name, why in not_taken(taken):
        lines.append(f"{name}  ", "bold")
        lines.append(f"{why}\n", "yellow")
    return lines


def not_taken(taken: Taken) -> list[tuple[str, str]]:
    """(name, why and what to do) of every file that was not given to a student."""
    asked = "whose is it? {}. Add the name to the column lms_ids of grader/roster.csv, and take it in again"
    told = [(name, asked.format(f"perhaps {who}" if who else "nobody in the class has a name like it"))
            for name, who in taken.unmatched]
    told += [(name, "a different file is there; --replace takes the new one, and keeps the old") for name in taken.different]
    told += [(name, "not graded: the same student's newer file is") for name in taken.older]
    return told + taken.refused


def write_not_taken(path: Path, taken: Taken) -> None:
    """The same as CSV, for later."""
    write(path, ["file", "why"], [{"file": plain(name), "why": plain(why)} for name, why in not_taken(taken)])


def write_csv(path: Path, assignment: Assignment, rows: list[Row]) -> None:
    """One line per student, in the table's order.

    A text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    write(path, _columns(assignment), [_line(assignment, row) for row in in_order(rows)])


def write(path: Path, columns: list[str], lines: list[dict[str, str]]) -> None:
    """A CSV, in one step."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(lines)
    replace_file(path, text.getvalue().encode())


def _columns(assignment: Assignment) -> list[str]:
    return ["student", "status", "score", "max_score", "late_penalty", *(_heading(task) for task in assignment.tasks),
            "worst_task", "remarks", "seconds"]


def _heading(task: Task) -> str:
    return task.number if task.number == task.name else f"{task.number} {task.name}"


def _line(assignment: Assignment, row: Row) -> dict[str, str]:
    worst = worst_task(row, assignment.tasks)
    scores = {_heading(task): f"{row.scores.get(task.number, 0):g}" for task in assignment.tasks}
    notes = "; ".join(f"[{note.kind}] {note.text}" for note in row.notes)
    return {"student": plain(row.student), "status": str(row.status), "score": f"{row.score:g}",
            "max_score": f"{points(assignment):g}", "late_penalty": f"{row.late_penalty:g}", **scores,
            "worst_task": _heading(worst) if worst else "", "remarks": plain(notes), "seconds": f"{row.seconds:.1f}"}


def points(assignment: Assignment) -> float:
    return sum(sum(task.points.values()) for task in assignment.tasks)


def plain(text: str) -> str:
    """Not taken for a formula by a spreadsheet."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
