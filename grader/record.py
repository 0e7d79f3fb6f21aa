"""Executed notebooks → nbgrader's gradebook and its autograded folder, by nbgrader's own steps. One writer at a time.

nbgrader commits after every cell. So that a gradebook is never half written, its steps work on a copy of the SQLite file, and
the copy goes back in one transaction of SQLite's own: a power cut leaves the old gradebook or the new one. A change that somebody
else made in between (Formgrader, say) is noticed, and the record is made again on top of it.
"""

import copy
import logging
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader import preprocessors
from nbgrader.api import Assignment as BaseAssignment
from nbgrader.api import BaseCell, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.converters import Autograde
from nbgrader.preprocessors import latesubmissions, saveautogrades
from nbgrader.utils import parse_utc
from sqlalchemy.exc import SAWarning

from grader.assignment import Assignment, Course
from grader.files import replace_folder
from grader.notes import GradingError, Note

TRIES = 5
warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")     # about the order in which nbgrader links its rows


@dataclass
class Recorded:
    """What the gradebook says about one student: grade id → score, grade id → a grader's comment, and the late penalty that
    nbgrader's plugin set; and the notebooks as they are in the autograded folder."""
    scores: dict[str, float] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    late_penalty: float = 0
    notebooks: dict[str, NotebookNode] = field(default_factory=dict)


def register(course: Course, assignment: Assignment) -> None:
    """Make the assignment known to the gradebook, as `nbgrader generate_assignment` does.

    Raises GradingError if its cells are not those that earlier submissions were graded by.
    """
    def save(url: str) -> None:
        with Gradebook(url, course.nbgrader().course_id) as gradebook:
            gradebook.update_or_create_assignment(assignment.name)
        for master in assignment.masters.values():
            step = preprocessors.SaveCells(config=course.config)
            step.preprocess(copy.deepcopy(master.notebook), _resources(url, assignment.name, master.name))

    try:
        change_gradebook(course, save)
    except RuntimeError as error:
        raise GradingError(f"{error}: the assignment's cells were changed after grading began.\n"
                           "Undo that, or drop its grades: "
                           f"`nbgrader db assignment remove {assignment.name} --force`.") from error


def record(course: Course, assignment: Assignment, student: str, notebooks: dict[str, NotebookNode], notes: dict[str, list[Note]],
           files: dict[str, bytes]) -> Recorded:
    """Write one student's executed notebooks to the autograded folder and their scores to the gradebook; returns the scores.

    notes  per notebook; those for the student to see go on top of the notebook
    """
    notebooks = {name: _with_notes(notebook, notes.get(name, [])) for name, notebook in notebooks.items()}
    result = Recorded(notebooks=notebooks)

    def save(url: str) -> None:
        with one_transaction(url, course.nbgrader().course_id) as gradebook:
            _open_submission(gradebook, assignment, student, files)
            for name, notebook in notebooks.items():
                _score(course, notebook, _resources(url, assignment.name, name, student))
            submission = gradebook.find_submission(assignment.name, student)
            result.scores = {grade.name: float(grade.score or 0) for each in submission.notebooks for grade in each.grades}
            comments = [each for notebook in submission.notebooks for each in notebook.comments]
            result.comments = {each.name: each.comment for each in comments if each.comment}
            result.late_penalty = sum(each.late_submission_penalty or 0 for each in submission.notebooks)

    change_gradebook(course, save)
    written = {f"{name}.ipynb": nbformat.writes(notebook).encode() for name, notebook in notebooks.items()}
    replace_folder(course.folder("autograded", student, assignment.name), files | assignment.files | written)
    return result


def recorded_scores(course: Course, assignment: Assignment) -> dict[str, Recorded]:
    """What the gradebook says about everybody who was graded, in two queries."""
    found: dict[str, Recorded] = {}
    with Gradebook(course.nbgrader().db_url, course.nbgrader().course_id) as gradebook:
        notebooks = (gradebook.db.query(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
                     .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
                     .join(BaseAssignment, SubmittedAssignment.assignment_id == BaseAssignment.id)
                     .filter(BaseAssignment.name == assignment.name))
        for student, penalty in notebooks:
            found.setdefault(student, Recorded()).late_penalty += penalty or 0
        scores = (gradebook.db.query(SubmittedAssignment.student_id, BaseCell.name, Grade.score)
                  .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
                  .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
                  .join(BaseAssignment, SubmittedAssignment.assignment_id == BaseAssignment.id)
                  .join(BaseCell, Grade.cell_id == BaseCell.id)
                  .filter(BaseAssignment.name == assignment.name))
        for student, grade_id, score in scores:
            found[student].scores[grade_id] = float(score or 0)
    return found


def change_gradebook(course: Course, save: Callable[[str], None]) -> None:
    """Call `save` with the address of a copy of the gradebook; then make the copy the gradebook, whole or not at all.

    A gradebook that is no SQLite file (PostgreSQL) is changed directly.
    """
    url = course.nbgrader().db_url
    if not url.startswith("sqlite:///"):
        save(url)
        return
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(path, timeout=30)) as live:
        for _ in range(TRIES):
            version = live.execute("PRAGMA data_version").fetchone()
            work = Path(folder) / "gradebook.db"
            work.unlink(missing_ok=True)
            with closing(sqlite3.connect(work)) as copied:
                live.backup(copied)
            save(f"sqlite:///{work.as_posix()}")
            if live.execute("PRAGMA data_version").fetchone() == version:
                with closing(sqlite3.connect(work)) as copied:
                    copied.backup(live)
                return
    raise GradingError(f"somebody else keeps writing to {path}; close Formgrader, then run this again")


class SharedGradebook(Gradebook):
    """A gradebook that stays open, and commits when it is told to for the last time."""

    def __init__(self, url: str, course_id: str):
        super().__init__(url, course_id)
        self.commit, self.db.commit = self.db.commit, self.db.flush

    def close(self) -> None:
        """What each of nbgrader's steps does with it at its end."""


@contextmanager
def one_transaction(url: str, course_id: str) -> Iterator[Gradebook]:
    """Let nbgrader's steps share a connection and a transaction: by themselves each opens the gradebook anew and commits after
    every cell, which takes several times as long."""
    shared = SharedGradebook(url, course_id)
    own = {module: module.Gradebook for module in (saveautogrades, latesubmissions)}
    for module in own:
        module.Gradebook = lambda *_: shared
    try:
        yield shared
        shared.commit()
    finally:
        for module, genuine in own.items():
            module.Gradebook = genuine
        Gradebook.close(shared)


# ── nbgrader's steps ────────────────────────────────────────────────────────────────────────────────────


def _open_submission(gradebook: Gradebook, assignment: Assignment, student: str, files: dict[str, bytes]) -> None:
    """The student and the submission with its timestamp; nothing scored yet. A notebook that is missing scores 0."""
    stamp = files.get("timestamp.txt", b"").decode("utf-8", "replace").strip()
    try:
        when = {"timestamp": parse_utc(stamp)} if stamp else {}
    except (ValueError, OverflowError):
        when = {}
    gradebook.update_or_create_student(student)
    submission = gradebook.update_or_create_submission(assignment.name, student, **when)
    for notebook in submission.notebooks:
        for grade in notebook.grades:
            grade.auto_score, grade.needs_manual_grade = 0, grade.manual_score is not None
    gradebook.db.commit()


def _score(course: Course, notebook: NotebookNode, resources: dict) -> None:
    """nbgrader's autograding steps but the execution; the notebook is changed as they change it."""
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    converter = Autograde(coursedir=course.nbgrader(), config=course.config)
    for step in converter.autograde_preprocessors:
        if not issubclass(step, preprocessors.Execute):
            instance = step(parent=converter)
            if getattr(instance, "enabled", True):
                instance.preprocess(notebook, resources)


def _resources(url: str, assignment: str, notebook: str, student: str = ".") -> dict:
    return {"nbgrader": {"db_url": url, "assignment": assignment, "notebook": notebook, "student": student}}


def _with_notes(notebook: NotebookNode, notes: list[Note]) -> NotebookNode:
    """A copy with the remarks in a cell on top."""
    notebook = copy.deepcopy(notebook)
    if notes:
        lines = "\n".join(f"- {note.text}" for note in notes)
        notebook.cells.insert(0, new_markdown_cell(f"**Remarks from grading**\n\n{lines}", id="grading-remarks"))
    return notebook
