"""The scores as other programs read them: a CSV per task, Canvas' and Moodle's import."""

from collections.abc import Iterator
from pathlib import Path

from grader.assignment import Assignment
from grader.grade import Row, Status
from grader.report import plain, points, write
from grader.results import Came
from grader.roster import Person, Roster


def write_all(folder: Path, assignment: Assignment, rows: list[Row], people: Roster) -> list[Path]:
    """Write <assignment>-tasks.csv, -canvas.csv and -moodle.csv; returns the paths."""
    tables = {"tasks": tasks(rows), "canvas": canvas(assignment, rows, people), "moodle": moodle(assignment, rows, people)}
    paths = []
    for name, table in tables.items():
        paths.append(folder / f"{assignment.name}-{name}.csv")
        lines = list(table)
        write(paths[-1], list(lines[0]) if lines else ["student"], lines)
    return paths


def tasks(rows: list[Row]) -> Iterator[dict[str, str]]:
    """A line per student and task, for whoever goes on with it in a spreadsheet or pandas."""
    for row in rows:
        for task in row.results:
            failed = [check.topic or check.what for check in task.checks if check.came not in (Came.PASSED, Came.NOT_ATTEMPTED)]
            attempted = any(check.came is not Came.NOT_ATTEMPTED for check in task.checks)
            spent = row.spent.get(task.number)
            yield {"student": plain(row.student), "task": task.number, "title": task.title,
                   "score": f"{row.scores.get(task.number, 0):g}", "max_score": f"{task.points:g}",
                   "attempted": "yes" if attempted else "no", "failed": plain("; ".join(failed)),
                   "minutes": "" if spent is None else f"{spent / 60:.0f}"}


def canvas(assignment: Assignment, rows: list[Row], people: Roster) -> Iterator[dict[str, str]]:
    """Canvas' gradebook import: the five columns that it knows students by, then the assignment; the second line has its points.

    If the roster is Canvas' own export, its columns are given back as they were. Who did not hand in stays blank: Canvas then
    changes nothing.
    """
    def line(name, number, sis, login, section, score):
        return {"Student": plain(name), "ID": plain(number), "SIS User ID": plain(sis), "SIS Login ID": plain(login),
                "Section": plain(section), assignment.name: score}

    yield line("Points Possible", "", "", "", "", f"{points(assignment):g}")
    for row in rows:
        person = people.people.get(row.student) or Person(row.student)
        own = person.columns
        number = own.get("id", "") if "sis login id" in own or "sis user id" in own else next(iter(person.lms), "")
        yield line(person.name or row.student, number, own.get("sis user id", ""), own.get("sis login id", person.id),
                   own.get("section", ""), _score(row))


def moodle(assignment: Assignment, rows: list[Row], people: Roster) -> Iterator[dict[str, str]]:
    """Moodle's grade import (CSV): map "Email address" to the user's e-mail address, or "ID number" to the id number."""
    for row in rows:
        person = people.people.get(row.student) or Person(row.student)
        number = person.columns.get("id number") or person.columns.get("idnumber") or person.id
        yield {"Full name": plain(person.name), "ID number": plain(number), "Email address": plain(person.email),
               assignment.name: _score(row)}


def _score(row: Row) -> str:
    return "" if row.status is Status.NOT_SUBMITTED else f"{row.score:g}"
