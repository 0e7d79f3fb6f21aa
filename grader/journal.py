"""What is graded already: a line per student and assignment, written when everything about the student is on disk.

The gradebook cannot tell this: it knows scores, but neither what they were given for nor whether the pages were written too. A
line holds the digests of what the scores depend on (the submission, the assignment, the grader) and the row of the report. It is
taken out before a student is graded again, and put back when that is done, so a run that ends at any point leaves no line that
is not true. The journal can be deleted at any time: everybody is then graded once more.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from grader.assignment import Assignment
from grader.collect import Submission
from grader.notes import GradingError

ROOT = Path(__file__).resolve().parent.parent
TABLE = """CREATE TABLE IF NOT EXISTS graded (
    assignment TEXT, student TEXT, submission TEXT, master TEXT, grader TEXT, row TEXT,
    PRIMARY KEY (assignment, student))"""


@dataclass(frozen=True)
class Basis:
    """What a student's scores depend on, as SHA-256 digests. `limits` do not belong to it: who ran out of time with less may be
    graded again with more, and keeps that."""
    submission: str
    master: str
    grader: str


class Journal:
    """The journal of a course, in an SQLite file of its own. While it is open, nobody else can grade this course."""

    def __init__(self, path: Path):
        """Raises GradingError if somebody else has it open."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.db = _open(path)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise GradingError("another `grade` is at work in this course; wait until it is done, or stop it") from None
        except sqlite3.DatabaseError:          # not SQLite's, or damaged: it holds nothing that grading again does not bring
            path.replace(path.with_suffix(".damaged"))
            self.db = _open(path)

    def close(self) -> None:
        self.db.close()

    def rows(self, assignment: str) -> dict[str, tuple[Basis, dict]]:
        """Student → what the scores were given for, and the row."""
        found = self.db.execute("SELECT student, submission, master, grader, row FROM graded WHERE assignment = ?", (assignment,))
        return {student: (Basis(*digests), json.loads(row)) for student, *digests, row in found}

    def forget(self, assignment: str, student: str) -> None:
        self.db.execute("DELETE FROM graded WHERE assignment = ? AND student = ?", (assignment, student))

    def keep(self, assignment: str, student: str, basis: Basis, row: dict) -> None:
        self.db.execute("INSERT OR REPLACE INTO graded VALUES (?, ?, ?, ?, ?, ?)",
                        (assignment, student, basis.submission, basis.master, basis.grader, json.dumps(row)))


def _open(path: Path) -> sqlite3.Connection:
    """Every statement is a transaction of its own; the lock that the first takes stays until the end, however that comes."""
    db = sqlite3.connect(path, timeout=0.5, isolation_level=None)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute(TABLE)
        db.execute("COMMIT")
    except sqlite3.Error:
        db.close()
        raise
    return db


def basis(assignment: Assignment, submission: Submission) -> Basis:
    """What this submission's scores depend on."""
    parts = [*sorted(submission.notebooks.items()), *sorted(submission.files.items()), *(note.text for note in submission.notes)]
    return Basis(digest(parts), master_digest(assignment), grader_digest())


def master_digest(assignment: Assignment) -> str:
    notebooks = [(name, json.dumps(master.notebook, sort_keys=True)) for name, master in sorted(assignment.masters.items())]
    return digest([*notebooks, *sorted(assignment.files.items())])


@cache
def grader_digest() -> str:
    """The code that scores and pages depend on: the grader, and what notebooks import from the course."""
    files = [path for package in ("grader", "course", "stores") for path in sorted((ROOT / package).rglob("*.py"))]
    files += [*sorted((ROOT / "grader/templates").glob("*.*")), ROOT / "course/tasks.json"]
    data = [(path.relative_to(ROOT).as_posix(), path.read_bytes()) for path in files]
    return digest([*data, version("nbgrader"), version("nbclient")])


def digest(parts: Iterable) -> str:
    """SHA-256 of texts, bytes and tuples of them, unlike for unlike parts."""
    found = hashlib.sha256()
    for part in parts:
        text = digest(part) if isinstance(part, tuple) else part
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        found.update(len(data).to_bytes(8, "big"))
        found.update(data)
    return found.hexdigest()
