"""The class report: one HTML page that needs no other file."""

from pathlib import Path

import nbformat
from nbgrader.utils import is_solution

from grader import figures, pictures, similar
from grader.assignment import Assignment, Course
from grader.files import replace_file
from grader.grade import Row, Status
from grader.page import templates
from grader.report import in_order, points
from grader.roster import Roster

CHECKS, GROUPS = 12, 5            # how many of the most failed checks are shown, and of each how many wrong answers


def write_overview(path: Path, course: Course, assignment: Assignment, rows: list[Row], people: Roster) -> None:
    """Write the report of a class to `path`."""
    tasks, there = figures.tasks(assignment, rows), figures.handed_in(rows)
    drawn = []
    if there:
        spent = {task.number: [row.spent[task.number] / 60 for row in there if task.number in row.spent] for task in tasks}
        scores = [row.score for row in there]
        drawn = [pictures.inline(pictures.distribution(scores, points(assignment)), "How many have how many points"),
                 pictures.inline(pictures.success(tasks), "How each task went")]
        if any(spent.values()):
            drawn.append(pictures.inline(pictures.minutes(tasks, spent), "Minutes spent on each task"))
    text = templates().get_template("report.html").render(
        assignment=assignment, rows=in_order(rows), tasks=tasks, pictures=drawn, points_of=points(assignment), Status=Status,
        checks=figures.most_failed(rows)[:CHECKS], groups=GROUPS, names={id: person.name for id, person in people.people.items()},
        pairs=similar.pairs(assignment, references(course, assignment), there), shown=figures.SHOWN,
        count={status: sum(row.status is status for row in rows) for status in Status})
    replace_file(path, text.encode())


def references(course: Course, assignment: Assignment) -> dict[str, str]:
    """The instructor's answers, by the name of the task."""
    found = {}
    for name in assignment.masters:
        notebook = nbformat.read(course.folder("source", assignment=assignment.name) / f"{name}.ipynb", as_version=4)
        found |= {cell.metadata.nbgrader.grade_id: cell.source for cell in notebook.cells if is_solution(cell)}
    return found
