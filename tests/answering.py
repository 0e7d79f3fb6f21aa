"""Run an answer through the real notebook of its assignment, in this process and in milliseconds.

Every cell of the solution notebook runs in order in a fresh namespace, except that one answer cell is replaced and only that
task's checks run. What a check cell raises is kept, as the learner would see it.
"""

import contextlib
import io
import linecache
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "tests/answers"


@dataclass
class Graded:
    """The check cells of one task after a run: grade id → points, and grade id → what the learner reads ("" if it passed)."""
    points: dict[str, float]
    problems: dict[str, str]

    @property
    def score(self) -> float:
        return sum(points for grade_id, points in self.points.items() if not self.problems[grade_id])

    @property
    def failed(self) -> set[str]:
        return {grade_id for grade_id, problem in self.problems.items() if problem}


def run(assignment: str, name: str, answer: str | None) -> Graded:
    """Grade `answer` (the text of the answer cell; None: the reference solution) for the task called `name`."""
    (path,) = (ROOT / "solutions" / assignment).glob("*.ipynb")
    namespace = {"__name__": "__main__"}
    graded = Graded({}, {})
    for cell in nbformat.read(path, as_version=4).cells:
        grading = cell.metadata.get("nbgrader", {})
        grade_id = grading.get("grade_id", "")
        if cell.cell_type != "code":
            continue
        if grading.get("grade"):
            if grade_id.startswith((f"{name}_check_", f"{name}_hidden_")):
                graded.points[grade_id] = grading["points"]
                graded.problems[grade_id] = _execute(cell.source, grade_id, namespace)
        elif grading.get("solution") and grade_id == name and answer is not None:
            _execute(answer, grade_id, namespace)
        elif problem := _execute(cell.source, grade_id or cell.id, namespace):
            raise AssertionError(f"{path.name}, cell {grade_id or cell.id}: {problem}")
    if not graded.points:
        raise AssertionError(f"{path.name} has no task named {name!r}")
    return graded


def _execute(source: str, name: str, namespace: dict) -> str:
    """Run one cell; what went wrong, in words, or ""."""
    file = f"<cell {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, file, "exec"), namespace)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""
