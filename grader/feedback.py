"""A page for the student, with hidden checks told by their topic and message, never by their code.

`nbgrader generate_feedback` and Formgrader make the same page: nbgrader_config.py gives them these steps.
"""

import copy
import html
import json
import re
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor
from traitlets import Unicode

from grader.assignment import Assignment, Course, visible
from grader.files import replace_folder
from grader.page import page_of, render
from grader.record import Recorded

PROBLEMS = {"Problem", "NotAttempted", "AnswerRaised", "CheckFailed"}      # course.check: they carry a message, no traceback
OURS = {"Tampering", "KernelDied", "CellTimeoutError", "NotRun"}           # grader.execute, grader.verdict
TELLING = 12                                       # letters and digits from which a line is taken for text of a hidden check
WITHHELD = "[left out: it showed text of a check that is hidden]"


class HideChecks(NbGraderPreprocessor):
    """Takes the code of hidden checks out of a graded notebook, wherever it shows."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        secret = hidden_lines(nb)
        for cell in nb.cells:
            hidden = cell.source != visible(cell.source)
            if hidden:
                cell.source = visible(cell.source)
            if cell.cell_type == "code":
                cell.outputs = [_harmless(output, hidden, secret) for output in cell.outputs]
        return nb, resources


class AsPage(NbGraderPreprocessor):
    """Makes the page for nbconvert's template `course_feedback`, which shows nothing else."""
    root = Unicode("", help="The course's folder, where the hints are.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        about = resources["nbgrader"]
        hints = {number: task["hints"] for number, task in read_tasks(Path(self.root)).items()}
        resources["course_page"] = render(page_of(nb, about["student"], about["assignment"], about["late_penalty"], hints))
        return nb, resources


FEEDBACK_STEPS = [GetGrades, HideChecks, AsPage]


def hidden_lines(nb: NotebookNode) -> set[str]:
    """The lines of hidden checks, letters and digits only, that learners see nowhere in the notebook's other cells."""
    hidden, seen = set(), set()
    for cell in nb.cells:
        open_lines = set(visible(cell.source).splitlines())
        seen |= {squeezed(line) for line in open_lines}
        hidden |= {squeezed(line) for line in cell.source.splitlines() if line not in open_lines and "HIDDEN TESTS" not in line}
    return {line for line in hidden - seen if len(line) >= TELLING}


def squeezed(text: str) -> str:
    """Only letters and digits: a text is known again when it was escaped, quoted, indented or coloured."""
    return re.sub(r"\x1b\[[\d;]*m|[\W_]+", "", html.unescape(text).replace(r"\n", "\n"))


def shows(text: str, secret: set[str]) -> bool:
    """Does a text contain a line of a hidden check?"""
    text = squeezed(text)
    return any(line in text for line in secret)


def leaks(nb: NotebookNode) -> bool:
    """Does an output of a graded notebook show text of a hidden check?"""
    secret = hidden_lines(nb)
    return any(shows(_text(output), secret) for cell in nb.cells for output in cell.get("outputs", []))


def graded(recorded: Recorded) -> dict[str, NotebookNode]:
    """A student's notebooks with scores and comments where GetGrades puts them, and without the code of hidden checks."""
    notebooks = copy.deepcopy(recorded.notebooks)
    for notebook in notebooks.values():
        for cell in notebook.cells:
            if grading := cell.metadata.get("nbgrader"):
                grading["score"] = recorded.scores.get(grading["grade_id"], 0)
                grading["comment"] = recorded.comments.get(grading["grade_id"])
        HideChecks().preprocess(notebook, {})
    return notebooks


def make_feedback(course: Course, assignment: Assignment, student: str, notebooks: dict[str, NotebookNode],
                  late_penalty: float) -> None:
    """Write a student's pages under the feedback folder, in one step. `notebooks` are those of `graded`."""
    hints = {number: task["hints"] for number, task in read_tasks(course.root).items()}
    pages = {f"{name}.html": render(page_of(notebook, student, assignment.name, late_penalty, hints)).encode()
             for name, notebook in notebooks.items()}
    replace_folder(course.folder("feedback", student, assignment.name), pages)


def read_tasks(root: Path) -> dict[str, dict]:
    """What `build` wrote about every task of the course: number → title, hints, …"""
    path = root / "course" / "tasks.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _harmless(output: NotebookNode, hidden: bool, secret: set[str]) -> NotebookNode:
    if output.output_type == "error" and hidden and output.ename not in PROBLEMS | OURS:
        output = new_output("error", ename=output.ename, evalue=output.evalue, traceback=[f"{output.ename}: {output.evalue}"])
    if not shows(_text(output), secret):
        return output
    if output.output_type == "error":
        return new_output("error", ename=output.ename, evalue=WITHHELD, traceback=[WITHHELD])
    return new_output("stream", name="stdout", text=WITHHELD + "\n")


def _text(output: NotebookNode) -> str:
    """Everything that an output shows as text."""
    data = output.get("data", {})
    parts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", []),
             *(value for kind, value in data.items() if not kind.startswith(("image/png", "image/jpeg")))]
    return "\n".join(part if isinstance(part, str) else str(part) for part in parts)
