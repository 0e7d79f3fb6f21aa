"""A whole class: collect → sanitise → execute → record → feedback, one row of the report per student."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from grader import collect, feedback, pool, warm
from grader.assignment import Assignment, Course
from grader.execute import Executed, Job, Limits
from grader.notes import Note, look, tampering
from grader.record import record, register
from grader.sanitise import Sanitised, sanitise
from grader.verdict import fail

LOG = logging.getLogger(__name__)


class Status(StrEnum):
    GRADED = "graded"
    ATTENTION = "needs attention"
    NOT_SUBMITTED = "not submitted"


@dataclass
class Row:
    """One student's line in the report. `scores` is by task number; `cpu` the seconds of processor time that the cells took."""
    student: str
    status: Status
    score: float = 0
    scores: dict[str, float] = field(default_factory=dict)
    late_penalty: float = 0
    notes: list[Note] = field(default_factory=list)
    seconds: float = 0
    cpu: float = 0


@dataclass
class Prepared:
    """A student's notebooks, sanitised, and what is waited for before they can be recorded."""
    submission: collect.Submission
    sanitised: dict[str, Sanitised]
    executed: dict[str, Executed | pool.JobLost] = field(default_factory=dict)

    @property
    def to_run(self) -> list[str]:
        return [name for name, each in self.sanitised.items() if each.readable]

    @property
    def complete(self) -> bool:
        return all(name in self.executed for name in self.to_run)


def grade_class(course: Course, assignment: Assignment, students: list[str], workers: int = 2,
                limits: Limits | None = None, engine: str = "", pages: bool = True) -> Iterator[Row]:
    """Grade these students, and yield each one's row as it is recorded. A bad submission never stops the others.

    engine  what runs the notebooks, see grader.execute.Job
    pages   write the feedback too
    Raises GradingError if the gradebook cannot take the assignment. Closing the iterator stops the workers; what was
    yielded stays.
    """
    first = next(iter(assignment.masters.values()))
    warm.begin(engine, first.imports, [cell.source for cell in first.cells.values() if is_grade(cell) and not is_solution(cell)])
    register(course, assignment)
    waiting: dict[str, Prepared] = {}
    ready: list[Row] = []                 # rows of students with nothing to run

    def jobs() -> Iterator[tuple[tuple[str, str], Job]]:
        for student in students:
            try:
                prepared = prepare(course, assignment, student)
                if prepared.submission.empty:
                    ready.append(Row(student, Status.NOT_SUBMITTED))
                elif not prepared.to_run:
                    ready.append(finish(course, assignment, prepared, pages))
                else:
                    waiting[student] = prepared
                    for name in prepared.to_run:
                        yield (student, name), make_job(assignment, prepared, name, limits or Limits(), engine)
            except Exception as error:
                ready.append(_failed(student, error))

    for (student, name), result in pool.run_all(jobs(), workers):
        waiting[student].executed[name] = result
        if waiting[student].complete:
            try:
                yield finish(course, assignment, waiting.pop(student), pages)
            except Exception as error:
                yield _failed(student, error)
        while ready:
            yield ready.pop()
    yield from ready


def _failed(student: str, error: Exception) -> Row:
    """The grader's own failure on one submission; the others go on."""
    LOG.error("%s could not be graded", student, exc_info=error)
    return Row(student, Status.ATTENTION, notes=[look(f"the grader itself failed: {type(error).__name__}: {error}")])


def prepare(course: Course, assignment: Assignment, student: str) -> Prepared:
    submission = collect.collect(course, assignment, student)
    sanitised = {name: sanitise(content, assignment.masters[name]) for name, content in submission.notebooks.items()}
    for name in assignment.masters:
        if name not in sanitised and not submission.empty:
            submission.notes.append(look(f"{name}.ipynb is missing, and no other file holds its cells"))
    return Prepared(submission, sanitised)


def make_job(assignment: Assignment, prepared: Prepared, name: str, limits: Limits, engine: str = "") -> Job:
    """The instructor's files win over files of the same name."""
    text = nbformat.writes(prepared.sanitised[name].notebook)
    return Job(text, prepared.submission.files | assignment.files, assignment.masters[name].imports, limits, engine)


def finish(course: Course, assignment: Assignment, prepared: Prepared, pages: bool = True) -> Row:
    """Record a student's results, write the feedback, and sum up."""
    submission = prepared.submission
    notes, notebooks, seconds, cpu = {}, {}, 0.0, 0.0
    for name, each in prepared.sanitised.items():
        result = prepared.executed.get(name)
        notes[name] = list(each.notes)
        if isinstance(result, Executed):
            notebooks[name] = nbformat.reads(result.notebook, as_version=4)
            notes[name] += result.notes
            seconds += result.seconds
            cpu += result.cpu
        else:
            why = str(result) if result else "the notebook could not be read"
            notebooks[name] = _not_run(each.notebook, why)
            notes[name] += [look(f"{name}.ipynb was not run: {why}")] if result else []
    recorded = record(course, assignment, submission.student, notebooks, notes, submission.files)
    every = submission.notes + [note for each in notes.values() for note in each]
    if notebooks:
        every += _leaks(notebooks)
        if pages:
            feedback.make_feedback(course, assignment.name, submission.student)
    scores = {task.number: sum(recorded.scores.get(grade_id, 0) for grade_id in task.points) for task in assignment.tasks}
    status = Status.ATTENTION if any(note.needs_attention for note in every) else Status.GRADED
    total = sum(recorded.scores.values()) - recorded.late_penalty
    return Row(submission.student, status, total, scores, recorded.late_penalty, every, seconds, cpu)


def _not_run(notebook: NotebookNode, why: str) -> NotebookNode:
    for cell in notebook.cells:
        if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
            fail(cell, "NotRun", why)
    return notebook


def _leaks(notebooks: dict[str, NotebookNode]) -> list[Note]:
    """Did the submission print text of a hidden check? The feedback leaves it out; someone should know."""
    return [tampering(f"an output of {name}.ipynb showed text of a hidden check; the feedback leaves it out")
            for name, notebook in notebooks.items() if feedback.leaks(notebook)]
