"""`grade --verify`: are scores and outputs those of stock nbgrader?

A sample of the submissions runs in our engine and, twice, in nbgrader's own `Execute`. Ports, random tokens and measured times differ
from run to run, whatever the engine: where nbgrader's two runs differ, ours must be alike; elsewhere it must be equal to the letter,
in one of a few runs where only numbers differ (a time to live of 9,999 ms instead of 10,000).
"""

import copy
import difflib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade, is_grade, setenv

from grader.assignment import Assignment, Course
from grader.execute import Limits, execute
from grader.grade import make_job, prepare
from grader.life import coalesced
from grader.place import ROOT, lay_out

RUNS = 3                       # of ours
VOLATILE = re.compile(r"0x[0-9a-f]{6,}|/[\w/.-]*ipykernel_\d+/\d+\.py|\d+")      # addresses, names of cells, numbers


@dataclass
class Verified:
    """One notebook of one student: how many cells were compared, and in words what differs."""
    student: str
    notebook: str
    cells: int = 0
    varying: int = 0               # cells whose outputs hold what differs from run to run
    differences: list[str] = field(default_factory=list)
    left_out: str = ""             # why it was not compared


def verify(course: Course, assignment: Assignment, students: list[str], engine: str = "", limits: Limits | None = None,
           sample: int = 5) -> Iterator[Verified]:
    """Compare up to `sample` students' notebooks, spread over the class, as each is done."""
    step = max(len(students) // sample, 1)
    for student in students[::step][:sample]:
        prepared = prepare(course, assignment, student)
        for name in prepared.to_run:
            found = Verified(student, name)
            job = make_job(assignment, prepared, name, limits or Limits(), engine)
            ours = execute(job)
            if any(note.needs_attention for note in [*prepared.sanitised[name].notes, *ours.notes]):
                found.left_out = "it needs attention, and nbgrader has no rules for what is wrong with it"
            else:
                runs = [ours.notebook, *(execute(job).notebook for _ in range(RUNS - 1))]
                _compare(found, [nbformat.reads(run, as_version=4) for run in runs], [_stock(course, job) for _ in range(2)])
            yield found


def _stock(course: Course, job) -> NotebookNode:
    """The notebook as nbgrader's autograde leaves it."""
    notebook = nbformat.reads(job.notebook, as_version=4)
    with tempfile.TemporaryDirectory() as scratch:
        folder = lay_out(Path(scratch), job.files)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        step = Execute(config=course.config)
        step.log.setLevel("CRITICAL")
        with setenv(NBGRADER_EXECUTION="autograde", PYTHONPATH=path):
            return step.preprocess(notebook, {"metadata": {"path": str(folder)}})[0]


def _compare(found: Verified, ours: list[NotebookNode], stock: list[NotebookNode]) -> None:
    for i, cell in enumerate(stock[0].cells):
        if cell.cell_type != "code":
            continue
        found.cells += 1
        name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {i + 1}")
        if is_grade(cell):
            we, they = ([_points(run.cells[i]) for run in runs] for runs in (ours, stock))
            if not set(we) & set(they):
                found.differences.append(f"{name}: nbgrader gives {they[0]:g} points, we give {we[0]:g}")
        we, they = ([comparable(run.cells[i]) for run in runs] for runs in (ours, stock))
        found.varying += len({*we, *they}) > 1
        if not set(we) & set(they) and not (they[0] != they[1] and _alike(we[0], they[0])):
            found.differences.append(f"{name}:\n" + "\n".join(_first_difference(they[0], we[0])))


def _points(cell: NotebookNode) -> float | None:
    return determine_grade(copy.deepcopy(cell))[0]


def comparable(cell: NotebookNode) -> str:
    """Everything that a cell shows, as text; a check's warnings count as printed, as they do in ours."""
    lines = [f"count {cell.execution_count}"]
    for output in coalesced(copy.deepcopy(cell.outputs)):
        kind = output.output_type
        name = "" if is_grade(cell) else output.get("name", "")
        lines.append(f"{kind} {name} {output.get('text', '')} {output.get('ename', '')} {output.get('evalue', '')}")
        lines += [*output.get("traceback", []), *(f"{key} {value}" for key, value in sorted(output.get("data", {}).items()))]
    return re.sub(r"ipykernel_\d+", "ipykernel_1", "\n".join(lines))


def _alike(one: str, other: str) -> bool:
    """Are two texts without their numbers mostly the same words?"""
    words = [VOLATILE.sub("…", text).split() for text in (one, other)]
    return difflib.SequenceMatcher(None, *words, autojunk=False).ratio() > 0.8


def _first_difference(stock: str, ours: str) -> list[str]:
    lines = [line for line in difflib.unified_diff(stock.splitlines(), ours.splitlines(), "nbgrader", "ours", lineterm="", n=0)]
    return [f"    {line[:200]}" for line in lines[:8]]
