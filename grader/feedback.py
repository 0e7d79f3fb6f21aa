"""A page for the student: nbgrader's feedback, with hidden checks told by their topic and message, never by their code.

`nbgrader generate_feedback` and Formgrader make the same page: nbgrader_config.py gives them these steps.
"""

import glob
import html
import logging
import re

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.converters import GenerateFeedback
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor

from grader.assignment import Course, visible

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


FEEDBACK_STEPS = [GetGrades, HideChecks, CSSHTMLHeaderPreprocessor]


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


def make_feedback(course: Course, assignment: str, student: str) -> None:
    """Write a student's pages under the feedback folder, from the autograded notebooks and the gradebook."""
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    where = course.nbgrader(assignment_id=assignment, student_id=glob.escape(student))
    converter = GenerateFeedback(coursedir=where, config=course.config)
    converter.force = True
    converter.log.setLevel(logging.CRITICAL)
    converter.start()


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
