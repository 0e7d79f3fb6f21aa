"""What a class's rows say together: of each task how it went, of each check what came instead."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from grader.assignment import Assignment
from grader.grade import Row, Status
from grader.results import Came, Check, Task

SHOWN = 8           # names of students that a group shows


@dataclass
class TaskFigures:
    """One task over the class. `mean` is of points; `full`, `partly`, `none` and `untouched` count students; `minutes` is the median
    of those whose notebooks know it, None if none does."""
    number: str
    title: str
    points: float
    mean: float = 0
    full: int = 0
    partly: int = 0
    none: int = 0
    untouched: int = 0
    minutes: float | None = None


@dataclass
class Group:
    """Students whose answers failed a check in the same way: what did not hold, what they got, the likely cause."""
    what: str
    expected: str
    got: str
    likely: str
    students: list[str] = field(default_factory=list)


@dataclass
class CheckFigures:
    """One check over those who attempted its task: how many failed it, and in which ways, the most common first."""
    task: str
    name: str
    hidden: bool
    tried: int
    failed: int
    groups: list[Group]


def handed_in(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.status is not Status.NOT_SUBMITTED and row.results]


def tasks(assignment: Assignment, rows: list[Row]) -> list[TaskFigures]:
    found = []
    results = _by_task(rows)
    for task in assignment.tasks:
        titled = next((each.title for _, each in results[task.name] if each.title), "")
        figures = TaskFigures(task.number, titled or task.name, sum(task.points.values()))
        for row, each in results[task.name]:
            score = row.scores.get(task.number, 0)
            figures.mean += score / len(results[task.name])
            if all(check.came is Came.NOT_ATTEMPTED for check in each.checks):
                figures.untouched += 1
            elif score >= figures.points:
                figures.full += 1
            elif score > 0:
                figures.partly += 1
            else:
                figures.none += 1
        spent = sorted(row.spent[task.number] / 60 for row in rows if task.number in row.spent)
        figures.minutes = spent[len(spent) // 2] if spent else None
        found.append(figures)
    return found


def most_failed(rows: list[Row]) -> list[CheckFigures]:
    """The checks that somebody failed, the most often failed first."""
    came: dict[str, list[tuple[str, Task, Check]]] = defaultdict(list)
    for row in handed_in(rows):
        for task in row.results:
            for check in task.checks:
                came[check.grade_id].append((row.student, task, check))
    found = []
    for each in came.values():
        tried = [(student, task, check) for student, task, check in each if check.came is not Came.NOT_ATTEMPTED]
        failed = [(student, check) for student, _, check in tried if check.came is not Came.PASSED]
        if failed:
            _, task, check = each[0]
            claims = Counter(check.what for _, check in failed)
            name = check.topic or claims.most_common(1)[0][0]
            found.append(CheckFigures(task.number, name, bool(check.topic), len(tried), len(failed), _groups(failed)))
    return sorted(found, key=lambda figures: -figures.failed)


def _groups(failed: list[tuple[str, Check]]) -> list[Group]:
    groups: dict[tuple[str, str], Group] = {}
    for student, check in failed:
        said = check.rows
        got = said.get("got") or said.get("raised") or ""
        group = groups.setdefault((check.what, got), Group(check.what, said.get("expected", ""), got, said.get("likely", "")))
        group.students.append(student)
    return sorted(groups.values(), key=lambda group: -len(group.students))


def _by_task(rows: list[Row]) -> dict[str, list[tuple[Row, Task]]]:
    found: dict[str, list[tuple[Row, Task]]] = defaultdict(list)
    for row in handed_in(rows):
        for task in row.results:
            found[task.name].append((row, task))
    return found
