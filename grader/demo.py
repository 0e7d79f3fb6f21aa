"""`grade --demo`: a class of invented students with every trouble that a real class brings.

Their folders are named demo-… and carry a mark; only folders with the mark are ever replaced.
"""

import codecs
import copy
import json
import os
import shutil
from collections.abc import Callable

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.utils import is_grade, is_solution

from grader.assignment import Assignment, Course, visible
from grader.notes import GradingError

MARK = ".made-by-grade-demo"
MAKERS: dict[str, Callable] = {}          # student's name after "demo-" → function that fills a folder


def is_demo(course: Course, student: str) -> bool:
    return (course.folder("submitted", student) / MARK).exists()


def make(course: Course, assignment: Assignment) -> list[str]:
    """Write the demo class for an assignment; returns the students. Raises GradingError rather than touch a real submission."""
    names = [f"demo-{name}" for name in MAKERS]
    for student in names:
        folder = course.folder("submitted", student)
        if folder.exists() and not is_demo(course, student):
            raise GradingError(f"{folder.relative_to(course.root)} was not made by --demo and will not be replaced; rename it")
    notebooks = solved(course, assignment)
    for student, maker in zip(names, MAKERS.values(), strict=True):
        folder = course.folder("submitted", student, assignment.name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder.parent / MARK).touch()
        for number, (name, notebook) in enumerate(notebooks.items()):
            path = folder / f"{name}.ipynb"
            (maker if number == 0 else perfect)(path, copy.deepcopy(notebook), assignment)
    return names


def solved(course: Course, assignment: Assignment) -> dict[str, NotebookNode]:
    """What a learner with every answer right hands in: the instructor's answers, the released checks."""
    folder = course.folder("source", assignment=assignment.name)
    notebooks = {}
    for name in assignment.masters:
        notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.source = visible(cell.source)
        notebooks[name] = notebook
    return notebooks


def answers(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata and is_solution(cell)]


def checks(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if "nbgrader" in cell.metadata and is_grade(cell) and not is_solution(cell)]


def unsolve(notebook: NotebookNode, assignment: Assignment, name: str, keep: int = 0) -> None:
    """Put the stubs back into all answers but the first `keep`."""
    for cell in answers(notebook)[keep:]:
        cell.source = assignment.masters[name].cells[cell.metadata.nbgrader.grade_id].source


def demo(name: str):
    """Register a function (path, solved notebook, assignment) that writes one invented submission."""
    def register(function):
        MAKERS[name] = function
        return function
    return register


# ── the class ───────────────────────────────────────────────────────────────────────────────────────────


@demo("perfect")
def perfect(path, notebook, assignment):
    nbformat.write(notebook, path)


@demo("half")
def half(path, notebook, assignment):
    unsolve(notebook, assignment, path.stem, keep=(len(answers(notebook)) + 1) // 2)
    nbformat.write(notebook, path)


@demo("unsolved")
def unsolved(path, notebook, assignment):
    unsolve(notebook, assignment, path.stem)
    nbformat.write(notebook, path)


@demo("crash")
def crash(path, notebook, assignment):
    answers(notebook)[0].source = "import os\nos._exit(1)"
    nbformat.write(notebook, path)


@demo("endless")
def endless(path, notebook, assignment):
    answers(notebook)[0].source = "while True:\n    pass"
    nbformat.write(notebook, path)


@demo("corrupt")
def corrupt(path, notebook, assignment):
    text = nbformat.writes(notebook)
    path.write_text(text[:len(text) * 2 // 3], encoding="utf-8")


@demo("no-notebook")
def no_notebook(path, notebook, assignment):
    path.with_name("notes.txt").write_text("I uploaded the wrong file.\n", encoding="utf-8")


@demo("nothing")
def nothing(path, notebook, assignment):
    """A folder without a file."""


@demo("tampered")
def tampered(path, notebook, assignment):
    unsolve(notebook, assignment, path.stem)
    for cell in checks(notebook):
        cell.source = "print('all checks passed')"
    nbformat.write(notebook, path)


@demo("renamed")
def renamed(path, notebook, assignment):
    nbformat.write(notebook, path.with_name(f"Copy of {path.stem} (1).ipynb"))


@demo("doubled-check")
def doubled_check(path, notebook, assignment):
    first = notebook.cells.index(checks(notebook)[0])
    twin = copy.deepcopy(notebook.cells[first])
    twin.id = "twin"
    notebook.cells.insert(first, twin)
    nbformat.write(notebook, path)


@demo("missing-check")
def missing_check(path, notebook, assignment):
    notebook.cells.remove(checks(notebook)[0])
    nbformat.write(notebook, path)


@demo("moved")
def moved(path, notebook, assignment):
    """The checks stand before the answers."""
    those = checks(notebook)
    notebook.cells = those + [cell for cell in notebook.cells if not any(cell is each for each in those)]
    nbformat.write(notebook, path)


@demo("skipping")
def skipping(path, notebook, assignment):
    unsolve(notebook, assignment, path.stem)
    for cell in checks(notebook):
        cell.metadata["tags"] = ["skip-execution"]
    nbformat.write(notebook, path)


@demo("empty")
def empty(path, notebook, assignment):
    notebook.cells = []
    nbformat.write(notebook, path)


@demo("not-utf8")
def not_utf8(path, notebook, assignment):
    """Saved by a program that wrote Windows' encoding."""
    notebook.cells.insert(0, new_code_cell("name = 'Zoë'  # naïve café"))
    text = json.dumps(notebook, ensure_ascii=False)
    path.write_bytes(text.encode("cp1252", errors="replace"))


@demo("utf16")
def utf16(path, notebook, assignment):
    path.write_bytes(codecs.BOM_UTF16_LE + nbformat.writes(notebook).encode("utf-16-le"))


@demo("loud")
def loud(path, notebook, assignment):
    notebook.cells.insert(0, new_code_cell("for line in range(20_000):\n    print(line, 80 * 'much ado ')"))
    nbformat.write(notebook, path)


@demo("Zoë Ångström (2)")
def unusual_name(path, notebook, assignment):
    nbformat.write(notebook, path)


@demo("warns")
def warns(path, notebook, assignment):
    """A warning on the standard error stream, in every answer and while it is checked."""
    for cell in answers(notebook):
        cell.source += "\nimport warnings\nwarnings.warn('only a warning')"
    nbformat.write(notebook, path)


@demo("two-files")
def two_files(path, notebook, assignment):
    """Two different files, neither with the right name."""
    nbformat.write(notebook, path.with_name(f"{path.stem}-final.ipynb"))
    unsolve(notebook, assignment, path.stem)
    other = path.with_name(f"{path.stem}-final2.ipynb")
    nbformat.write(notebook, other)
    os.utime(other, (1, 1))
