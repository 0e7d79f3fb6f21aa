"""What came of each task of a graded notebook, read from its cells: for the feedback and for the class report.

A graded notebook is an executed one in whose nbgrader metadata stand `score`, `points` and `comment`, as nbgrader's GetGrades puts
them there. Everything else is in the cells, so notebooks that stock nbgrader graded are read as well as our own.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from nbformat import NotebookNode
from nbgrader import utils

from grader.assignment import CHECK_ID

HEADLINE = re.compile(r"#+ (?P<number>[\d.]+) (?P<title>.+?)(?: · .*)?")
TOPIC = re.compile(r"# [\d.]+ points? at grading: (?P<topic>.+)")
ROW = re.compile(r" {5}(?P<name>[a-z]+) +(?P<text>.*)")             # of course.check.block
OK = re.compile(r"^[\d.]+ +ok  (\S.*)$", re.M)
NO_RESPONSE = "No response."                # nbgrader's own comment on an answer that is still the stub
HINT = re.compile(r"(?P<number>[\d.]+) +hint (?P<count>\d+) of \d+: ")


class Came(StrEnum):
    """How a check cell ended."""
    PASSED = "passed"
    FAILED = "failed"                    # the answer gave something else than was wanted
    RAISED = "raised"                    # the answer raised an error
    NOT_ATTEMPTED = "not attempted"
    STOPPED = "stopped"                  # out of time, ended its kernel, or not believed


BY_ERROR = {"CheckFailed": Came.FAILED, "Problem": Came.FAILED, "AnswerRaised": Came.RAISED, "NotAttempted": Came.NOT_ATTEMPTED,
            "KernelDied": Came.STOPPED, "CellTimeoutError": Came.STOPPED, "NotRun": Came.STOPPED, "Tampering": Came.STOPPED}


@dataclass
class Check:
    """One check cell.

    topic    of a hidden one, what it is about; "" for a visible one
    passed   its claims that held, with the value that came
    what     the claim that did not hold, or what happened instead; "" if it passed
    rows     what is said about that: expected, got, differs, likely, raised, in
    """
    grade_id: str
    topic: str
    score: float
    points: float
    came: Came
    passed: list[str] = field(default_factory=list)
    what: str = ""
    rows: dict[str, str] = field(default_factory=dict)


@dataclass
class Task:
    """One task. `answer` is None if the answer cell is missing; `trouble` is the error of the answer cell itself; `hints` counts
    those that were read in the notebook."""
    number: str
    name: str
    title: str
    checks: list[Check] = field(default_factory=list)
    answer: str | None = None
    trouble: str = ""
    comment: str = ""
    hints: int = 0
    by_hand: tuple[float, float] = (0, 0)      # score and points of the answer cell itself, where a person grades it

    @property
    def score(self) -> float:
        return sum(check.score for check in self.checks) + self.by_hand[0]

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks) + self.by_hand[1]


def read(notebook: NotebookNode) -> list[Task]:
    """The tasks of a graded notebook, in its order."""
    tasks: dict[str, Task] = {}
    for cell in notebook.cells:
        grading = cell.metadata.get("nbgrader") or {}
        grade_id = grading.get("grade_id", "")
        if grade_id.endswith("_prompt") and (match := HEADLINE.fullmatch(cell.source.partition("\n")[0])):
            name = grade_id.removesuffix("_prompt")
            tasks[name] = Task(match["number"], name, match["title"])
    for cell in notebook.cells:
        grade_id = (cell.metadata.get("nbgrader") or {}).get("grade_id", "")
        if utils.is_grade(cell) and not utils.is_solution(cell):
            match = CHECK_ID.fullmatch(grade_id)
            name = match["task"] if match else grade_id
            tasks.setdefault(name, Task(name, name, "")).checks.append(_check(cell))
        elif utils.is_solution(cell):
            _read_answer(cell, tasks.setdefault(grade_id, Task(grade_id, grade_id, "")))
    for number, count in _hints_read(notebook).items():
        for task in tasks.values():
            task.hints = max(task.hints, count) if task.number == number else task.hints
    return [task for task in tasks.values() if task.points or task.answer is not None]


def _read_answer(cell: NotebookNode, task: Task) -> None:
    grading = cell.metadata.nbgrader
    task.answer, task.comment = cell.source, grading.get("comment") or ""
    if task.comment == NO_RESPONSE:
        task.comment = ""
    if utils.is_grade(cell):
        task.by_hand = float(grading.get("score") or 0), float(grading.get("points") or 0)
    errors = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    if errors:
        task.trouble = f"{errors[0].ename}: {errors[0].evalue}"


def _check(cell: NotebookNode) -> Check:
    grading = cell.metadata.nbgrader
    topic = TOPIC.fullmatch(cell.source.partition("\n")[0])
    outputs = cell.get("outputs", [])
    errors = [output for output in outputs if output.output_type == "error"]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    check = Check(grading.grade_id, topic["topic"] if topic else "", float(grading.get("score") or 0),
                  float(grading.get("points") or 0), Came.PASSED, OK.findall(printed))
    if errors:
        check.came = BY_ERROR.get(errors[0].ename, Came.RAISED)
        if errors[0].ename in BY_ERROR and BY_ERROR[errors[0].ename] is not Came.STOPPED:
            check.what, check.rows = unblock(errors[0].evalue)
        else:
            known = errors[0].ename in BY_ERROR
            check.what = errors[0].evalue if known else f"{errors[0].ename}: {errors[0].evalue}"
    return check


def unblock(text: str) -> tuple[str, dict[str, str]]:
    """`course.check.block` undone: the headline without the task's number, and the rows."""
    headline, *lines = text.splitlines() or [""]
    rows: dict[str, str] = {}
    for line in lines:
        if match := ROW.fullmatch(line):
            name = match["name"]
            rows[name] = match["text"]
        elif rows:
            rows[name] += "\n" + line.strip()
    return headline.partition(" ")[2].strip(), rows


def _hints_read(notebook: NotebookNode) -> dict[str, int]:
    """Task's number → how many of its hints the notebook shows: `hint("2.3")` in a cell prints the next one when it is run."""
    read: dict[str, int] = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                for match in HINT.finditer(output.text):
                    read[match["number"]] = max(read.get(match["number"], 0), int(match["count"]))
    return read
