"""A whole class: collect → sanitise → execute → record → feedback, one row of the report per student."""

import logging
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from grader import collect, feedback, pool, warm
from grader.assignment import Assignment, Course
from grader.execute import Executed, Job, Limits
from grader.files import disk_is_full
from grader.journal import Basis, Journal, basis
from grader.notes import GradingError, Kind, Note, look, tampering
from grader.record import Recorded, record, recorded_scores, register
from grader.results import Came, Check, Task, read
from grader.sanitise import Sanitised, sanitise
from grader.timing import seconds_spent
from grader.verdict import fail

LOG = logging.getLogger(__name__)


class Status(StrEnum):
    GRADED = "graded"
    ATTENTION = "needs attention"
    NOT_SUBMITTED = "not submitted"


@dataclass
class Row:
    """One student's line in the report.

    scores   by task number
    cpu      seconds of processor time that the cells took
    results  what came of each task (see grader.results)
    spent    seconds that the student spent, by task number, as far as the notebook knows
    kept     it was graded by an earlier run
    lost     it could not be run, through no fault that is known: the next run tries again
    """
    student: str
    status: Status
    score: float = 0
    scores: dict[str, float] = field(default_factory=dict)
    late_penalty: float = 0
    notes: list[Note] = field(default_factory=list)
    seconds: float = 0
    cpu: float = 0
    results: list[Task] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    kept: bool = False
    lost: bool = False

    @classmethod
    def from_dict(cls, data: dict) -> "Row":
        """The inverse of dataclasses.asdict, also after JSON."""
        tasks = [Task(**task | {"checks": [Check(**check | {"came": Came(check["came"])}) for check in task["checks"]],
                                "by_hand": tuple(task["by_hand"])}) for task in data["results"]]
        notes = [Note(Kind(note["kind"]), note["text"]) for note in data["notes"]]
        return cls(**data | {"status": Status(data["status"]), "notes": notes, "results": tasks})


@dataclass
class Prepared:
    """A student's notebooks, sanitised, and what is waited for before they can be recorded."""
    submission: collect.Submission
    basis: Basis
    sanitised: dict[str, Sanitised] = field(default_factory=dict)
    executed: dict[str, Executed | pool.JobLost] = field(default_factory=dict)

    @property
    def to_run(self) -> list[str]:
        return [name for name, each in self.sanitised.items() if each.readable]

    @property
    def complete(self) -> bool:
        return all(name in self.executed for name in self.to_run)


def grade_class(course: Course, assignment: Assignment, students: list[str], workers: int = 2, limits: Limits | None = None,
                engine: str = "", pages: bool = True, journal: Journal | None = None, again: Collection[str] = (),
                run_all=None) -> Iterator[Row]:
    """Grade these students, and yield each one's row as it is recorded. A bad submission never stops the others.

    engine   what runs the notebooks, see grader.execute.Job
    pages    write the feedback too
    journal  what is in it and still true is not graded again, but for the students in `again`
    run_all  who runs the jobs: grader.pool here (None), or a cluster
    Raises GradingError if the gradebook cannot take the assignment, or the disk is full. Closing the iterator stops the workers;
    what was yielded stays.
    """
    if not run_all:
        first = next(iter(assignment.masters.values()))
        warm.begin(engine, first.imports, [cell.source for cell in first.cells.values() if is_grade(cell) and not is_solution(cell)])
    register(course, assignment)
    return Grading(course, assignment, limits or Limits(), engine, pages, journal, set(again)).all_rows(
        students, workers, run_all or pool.run_all)


def whole_class(course: Course, assignment: Assignment, students: list[str], rows: list[Row], journal: Journal) -> list[Row]:
    """These rows, and for the other students those of earlier runs, with the scores that the gradebook has by now."""
    there = {row.student: row for row in rows}
    known, scores = journal.rows(assignment.name), recorded_scores(course, assignment)
    for student in students:
        if student in there:
            continue
        if student in known and student in scores:
            there[student] = _earlier(assignment, known[student][1], scores[student])
        elif collect.collect(course, assignment, student).empty:
            there[student] = Row(student, Status.NOT_SUBMITTED)
        else:
            there[student] = Row(student, Status.ATTENTION, notes=[look("not graded yet: run `grade` again")], lost=True)
    return list(there.values())


def _earlier(assignment: Assignment, data: dict, recorded: Recorded) -> Row:
    row = Row.from_dict(data)
    row.kept, row.late_penalty = True, recorded.late_penalty
    _set_scores(row, assignment, recorded.scores)
    return row


class Grading:
    """A run over a class. It is the only writer: workers give it results, and it records them one by one."""

    def __init__(self, course: Course, assignment: Assignment, limits: Limits, engine: str, pages: bool, journal: Journal | None,
                 again: set[str]):
        self.course, self.assignment, self.limits, self.engine, self.pages = course, assignment, limits, engine, pages
        self.journal, self.again = journal, again
        self.known = journal.rows(assignment.name) if journal else {}
        self.in_gradebook = recorded_scores(course, assignment)
        self.waiting: dict[str, Prepared] = {}
        self.ready: list[Row] = []                 # rows of students with nothing to run

    def all_rows(self, students: list[str], workers: int, run_all) -> Iterator[Row]:
        with closing(run_all(self._jobs(students), workers)) as running:
            for (student, name), result in running:
                self.waiting[student].executed[name] = result
                if self.waiting[student].complete:
                    try:
                        yield self._finish(self.waiting.pop(student))
                    except Exception as error:
                        yield _failed(student, error)
                while self.ready:
                    yield self.ready.pop()
        yield from self.ready

    def _jobs(self, students: list[str]) -> Iterator[tuple[tuple[str, str], Job]]:
        for student in students:
            try:
                prepared = gather(self.course, self.assignment, student)
                if prepared.submission.empty:
                    self.ready.append(Row(student, Status.NOT_SUBMITTED))
                elif row := self._graded_already(prepared):
                    self.ready.append(row)
                else:
                    repair(self.assignment, prepared)
                    if not prepared.to_run:
                        self.ready.append(self._finish(prepared))
                        continue
                    self.waiting[student] = prepared
                    for name in prepared.to_run:
                        yield (student, name), make_job(self.assignment, prepared, name, self.limits, self.engine)
            except Exception as error:
                self.ready.append(_failed(student, error))

    def _graded_already(self, prepared: Prepared) -> Row | None:
        """The row of an earlier run with the scores that the gradebook has by now, if nothing has changed and all of it is there."""
        student = prepared.submission.student
        earlier, data = self.known.get(student, (None, {}))
        there = all(self.course.folder(step, student, self.assignment.name).is_dir()
                    for step in (("autograded", "feedback") if prepared.submission.notebooks else ()))
        if student in self.again or earlier != prepared.basis or student not in self.in_gradebook or not there:
            return None
        return _earlier(self.assignment, data, self.in_gradebook[student])

    def _finish(self, prepared: Prepared) -> Row:
        """Everything about a student goes to disk; last the line of the journal that says so."""
        student = prepared.submission.student
        if self.journal:
            self.journal.forget(self.assignment.name, student)
        row = finish(self.course, self.assignment, prepared, self.pages)
        if self.journal and self.pages and not row.lost:
            self.journal.keep(self.assignment.name, student, prepared.basis, asdict(row))
        return row


def _failed(student: str, error: Exception) -> Row:
    """The grader's own failure on one submission; the others go on. Not if the disk is full: then raises GradingError."""
    if disk_is_full(error):
        raise GradingError(f"the disk is full ({error}). What was graded is kept: make room, and run this again") from error
    LOG.error("%s could not be graded", student, exc_info=error)
    return Row(student, Status.ATTENTION, notes=[look(f"the grader itself failed: {type(error).__name__}: {error}")], lost=True)


def prepare(course: Course, assignment: Assignment, student: str) -> Prepared:
    """A student's notebooks, ready to run."""
    prepared = gather(course, assignment, student)
    if not prepared.submission.empty:
        repair(assignment, prepared)
    return prepared


def gather(course: Course, assignment: Assignment, student: str) -> Prepared:
    """What a student handed in, and by what its scores are known again."""
    submission = collect.collect(course, assignment, student)
    return Prepared(submission, basis(assignment, submission))


def repair(assignment: Assignment, prepared: Prepared) -> None:
    """Sanitise what was handed in, and note what was not."""
    submission = prepared.submission
    prepared.sanitised = {name: sanitise(content, assignment.masters[name]) for name, content in submission.notebooks.items()}
    for name in assignment.masters:
        if name not in prepared.sanitised:
            submission.notes.append(look(f"{name}.ipynb is missing, and no other file holds its cells"))


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
    graded = feedback.graded(recorded)
    if graded and pages:
        feedback.make_feedback(course, assignment, submission.student, graded, recorded.late_penalty)
    status = Status.ATTENTION if any(note.needs_attention for note in every) else Status.GRADED
    spent = seconds_spent(submission.notebooks, assignment)
    lost = any(isinstance(result, pool.JobLost) for result in prepared.executed.values())
    row = Row(submission.student, status, late_penalty=recorded.late_penalty, notes=every, seconds=seconds, cpu=cpu, spent=spent,
              results=[task for notebook in graded.values() for task in read(notebook)], lost=lost)
    _set_scores(row, assignment, recorded.scores)
    return row


def _set_scores(row: Row, assignment: Assignment, scores: dict[str, float]) -> None:
    """Scores by grade id → of each task, and their sum less the late penalty."""
    row.scores = {task.number: sum(scores.get(grade_id, 0) for grade_id in task.points) for task in assignment.tasks}
    row.score = sum(scores.values()) - row.late_penalty
    for task in row.results:
        for check in task.checks:
            check.score = scores.get(check.grade_id, check.score)


def _not_run(notebook: NotebookNode, why: str) -> NotebookNode:
    for cell in notebook.cells:
        if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
            fail(cell, "NotRun", why)
    return notebook


def _leaks(notebooks: dict[str, NotebookNode]) -> list[Note]:
    """Did the submission print text of a hidden check? The feedback leaves it out; someone should know."""
    return [tampering(f"an output of {name}.ipynb showed text of a hidden check; the feedback leaves it out")
            for name, notebook in notebooks.items() if feedback.leaks(notebook)]
