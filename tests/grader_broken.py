"""Submissions that went wrong on the way, were taken apart, or were made to be paid: what is handed in, and what must come of it.

Each is a function (folder, solved notebook, assignment) that fills the folder, under a decorator that says the score (of 8), whether
someone must look (None: that depends on the sandbox, in which a kernel cannot kill itself), and words of the remark.
"""

import codecs
import copy
import json
import os
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from grader import demo

BROKEN = {}  # name → (function, score, status, words of a remark)
LOOK, FINE = "needs attention", "graded"


def broken(score: float, status: str = FINE, says: str = ""):
    def register(function):
        BROKEN[function.__name__.replace("_", " ")] = function, score, status, says
        return function

    return register


def file(content: bytes):
    """A submission that is one file of this content."""

    def write(folder, notebook, assignment):
        (folder / "small.ipynb").write_bytes(content)

    return write


def save(folder: Path, notebook, name: str = "small.ipynb") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(notebook), encoding="utf-8")


def answer(source: str):
    """A submission whose first answer is this; the others are right."""

    def write(folder, notebook, assignment):
        demo.answers(notebook)[0].source = source
        save(folder, notebook)

    return write


def with_cell(source: str, at: int = 0):
    """A solved submission with one more cell."""

    def write(folder, notebook, assignment):
        notebook.cells.insert(at if at >= 0 else len(notebook.cells), new_code_cell(source))
        save(folder, notebook)

    return write


# ── no notebook at all ──────────────────────────────────────────────────────────────────────────────────

for name, content, says in [
    ("empty file", b"", "the file is empty"),
    ("only zeros", b"\0" * 4096, "the file is empty"),
    ("half a file", b'{"cells": [{"cell_', "not valid JSON"),
    ("conflict marks", b'{\n<<<<<<< HEAD\n "cells": []\n=======\n', "unfinished merge"),
    ("a web page", b"<!DOCTYPE html><html>Sign in", "HTML page"),
    ("a list", b"[]", "no list of cells"),
    ("null", b"null", "no list of cells"),
    ("a number", b"7", "no list of cells"),
    ("cells are a number", b'{"cells": 3}', "not a list"),
    ("a zip", b"PK\3\4" + bytes(range(256)), "not valid JSON"),
    ("a picture", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not valid JSON"),
    ("nested a hundred thousand deep", b"[" * 100_000, "not valid JSON"),
    ("three thousand cells", json.dumps({"cells": [{}] * 3000}).encode(), "3000 cells"),
    ("a Python file", b"def double(n): return 2 * n", "not valid JSON"),
    ("old and odd", b'{"nbformat": 3, "worksheets": "none"}', "old format 3"),
]:
    BROKEN[name] = file(content), 0, LOOK, says


# ── a notebook in an odd form ───────────────────────────────────────────────────────────────────────────


@broken(8)
def byte_order_mark(folder, notebook, assignment):
    (folder / "small.ipynb").write_bytes(codecs.BOM_UTF8 + json.dumps(notebook).encode())


@broken(8)
def utf_16_the_other_way_round(folder, notebook, assignment):
    (folder / "small.ipynb").write_bytes(codecs.BOM_UTF16_BE + json.dumps(notebook).encode("utf-16-be"))


@broken(8)
def raw_control_characters(folder, notebook, assignment):
    (folder / "small.ipynb").write_bytes(json.dumps(notebook).replace("\\n", "\n").encode())


@broken(8)
def half_a_surrogate_pair(folder, notebook, assignment):
    notebook.cells.insert(0, new_markdown_cell("x"))
    notebook.cells[0].source = "half \ud83d"
    (folder / "small.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


@broken(8)
def format_3(folder, notebook, assignment):
    save(folder, nbformat.convert(notebook, 3))


@broken(8)
def a_format_of_the_future(folder, notebook, assignment):
    save(folder, notebook | {"nbformat": 99, "nbformat_minor": "x"})


@broken(8)
def no_format(folder, notebook, assignment):
    save(folder, {"cells": notebook.cells})


@broken(8)
def not_a_number_in_the_metadata(folder, notebook, assignment):
    notebook.metadata["course"] = {"x": float("nan"), "y": float("inf")}
    save(folder, notebook)


@broken(8)
def metadata_are_a_list(folder, notebook, assignment):
    save(folder, notebook | {"metadata": [1]})


@broken(8)
def cells_without_metadata(folder, notebook, assignment):
    save(folder, notebook | {"cells": [{**cell, "metadata": None} for cell in notebook.cells]})


@broken(8)
def sources_are_lists(folder, notebook, assignment):
    save(folder, notebook | {"cells": [{**cell, "source": cell.source.splitlines(keepends=True)} for cell in notebook.cells]})


@broken(8)
def windows_line_ends(folder, notebook, assignment):
    save(folder, notebook | {"cells": [{**cell, "source": cell.source.replace("\n", "\r\n")} for cell in notebook.cells]})


@broken(5)
def an_answer_is_a_number(folder, notebook, assignment):
    demo.answers(notebook)[0]["source"] = 7
    save(folder, notebook)


@broken(8)
def the_kernel_of_another_language(folder, notebook, assignment):
    notebook.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    save(folder, notebook)


@broken(8)
def ids_that_repeat_and_are_odd(folder, notebook, assignment):
    for i, cell in enumerate(notebook.cells):
        cell["id"] = ["x", "x" * 500, 7, None, "../../x"][i % 5]
    save(folder, notebook)


@broken(8)
def attachments_and_widgets(folder, notebook, assignment):
    notebook.metadata["widgets"] = {"state": "x" * 1_000_000}
    notebook.cells[0]["attachments"] = {"a.png": {"image/png": 7}}
    save(folder, notebook)


@broken(8)
def five_hundred_empty_cells(folder, notebook, assignment):
    notebook.cells += [new_code_cell("") for _ in range(500)]
    save(folder, notebook)


@broken(0, LOOK, "larger than")
def huge(folder, notebook, assignment):
    with open(folder / "small.ipynb", "wb") as out:
        out.truncate(200_000_000)


# ── cells that were taken apart ─────────────────────────────────────────────────────────────────────────


@broken(8, says="cells that are there more than once, the last counts")
def everything_twice(folder, notebook, assignment):
    notebook.cells += copy.deepcopy(notebook.cells)
    save(folder, notebook)


@broken(8, says="the last counts: double")
def a_second_answer_that_is_right(folder, notebook, assignment):
    first = next(i for i, cell in enumerate(notebook.cells) if cell is demo.answers(notebook)[0])
    twin = copy.deepcopy(notebook.cells[first])
    notebook.cells[first].source = "def double(n): return 0"
    notebook.cells.insert(first + 1, twin)
    save(folder, notebook)


@broken(5, LOOK, "missing answer cells: double")
def an_answer_is_missing(folder, notebook, assignment):
    notebook.cells.remove(demo.answers(notebook)[0])
    save(folder, notebook)


@broken(8, LOOK, "missing answer cells: double")
def an_answer_in_a_cell_of_its_own(folder, notebook, assignment):
    demo.answers(notebook)[0].metadata = {}
    demo.answers(notebook)
    notebook.cells = [cell if cell.get("id") != "double" else new_code_cell(cell.source) for cell in notebook.cells]
    save(folder, notebook)


@broken(8, says="missing check cells, put back")
def no_checks(folder, notebook, assignment):
    notebook.cells = [cell for cell in notebook.cells if cell not in demo.checks(notebook)]
    save(folder, notebook)


@broken(8)
def no_prompts(folder, notebook, assignment):
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    save(folder, notebook)


@broken(8, says="cells had been moved")
def upside_down(folder, notebook, assignment):
    notebook.cells.reverse()
    save(folder, notebook)


@broken(8, says="edited prompts")
def an_edited_prompt(folder, notebook, assignment):
    next(
        cell for cell in notebook.cells if cell.get("id") == "double_prompt"
    ).source = "### 9.1 Nothing to do · 0 minutes · 100 points"
    save(folder, notebook)


@broken(0, LOOK, "edited check cells")
def checks_that_ask_nothing(folder, notebook, assignment):
    demo.unsolve(notebook, assignment, "small")
    for cell in demo.checks(notebook):
        cell.source = "pass"
    save(folder, notebook)


@broken(8)
def checks_turned_into_text(folder, notebook, assignment):
    for cell in demo.checks(notebook):
        cell.cell_type = "markdown"
    save(folder, notebook)


@broken(8)
def answers_turned_into_raw_cells(folder, notebook, assignment):
    for cell in demo.answers(notebook):
        cell.cell_type = "raw"
    save(folder, notebook)


@broken(0)
def checks_that_say_they_are_none(folder, notebook, assignment):
    demo.unsolve(notebook, assignment, "small")
    for cell in demo.checks(notebook):
        cell.metadata.nbgrader |= {"grade": False, "solution": True, "locked": False, "points": 0}
    save(folder, notebook)


@broken(6)
def points_raised(folder, notebook, assignment):
    demo.unsolve(notebook, assignment, "small", keep=2)
    for cell in demo.checks(notebook):
        cell.metadata.nbgrader.points = 1000
    save(folder, notebook)


@broken(0)
def outputs_forged(folder, notebook, assignment):
    demo.unsolve(notebook, assignment, "small")
    for cell in demo.checks(notebook):
        cell.outputs = [
            new_output("stream", text="9.1  ok  all of it\n"),
            new_output("execute_result", {"text/plain": "1000"}, execution_count=1),
        ]
    save(folder, notebook)


@broken(0)
def other_peoples_comments_and_scores(folder, notebook, assignment):
    demo.unsolve(notebook, assignment, "small")
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader |= {"score": 100, "comment": "Excellent!", "max_score": 1}
    save(folder, notebook)


@broken(8)
def marks_of_hidden_tests_in_an_answer(folder, notebook, assignment):
    demo.answers(notebook)[0].source += "\n### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS"
    save(folder, notebook)


# ── files and folders ───────────────────────────────────────────────────────────────────────────────────


@broken(8, says="'my homework.ipynb' was taken")
def another_name(folder, notebook, assignment):
    save(folder, notebook, "my homework.ipynb")


@broken(8, says="was taken")
def capital_letters(folder, notebook, assignment):
    save(folder, notebook, "SMALL.IPYNB")


@broken(8, says="was taken")
def in_a_folder_within_folders(folder, notebook, assignment):
    save(folder, notebook, "my/work/small.ipynb")


@broken(0, LOOK, "missing")
def a_folder_with_the_notebooks_name(folder, notebook, assignment):
    (folder / "small.ipynb").mkdir()
    (folder / "notes.txt").write_text("I could not save it")


@broken(0, LOOK, "missing")
def only_a_checkpoint(folder, notebook, assignment):
    save(folder, notebook, ".ipynb_checkpoints/small-checkpoint.ipynb")


@broken(8)
def a_file_of_macos_beside_it(folder, notebook, assignment):
    save(folder, notebook)
    (folder / "._small.ipynb").write_bytes(b"\0\5\x16\7")


@broken(0, LOOK, "holds none of the assignment's cells")
def the_notebook_of_another_assignment(folder, notebook, assignment):
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
        cell["id"] = "other-" + cell["id"]
        cell.source = cell.source.replace("double", "treble").replace("keep", "lose").replace("words", "lines")
    save(folder, notebook)


@broken(8)
def two_notebooks_one_with_the_right_name(folder, notebook, assignment):
    save(folder, notebook)
    demo.unsolve(notebook, assignment, "small")
    save(folder, notebook, "small (1).ipynb")


@broken(0, LOOK, "link")
def a_link_to_somebody_elses_notebook(folder, notebook, assignment):
    (folder.parent / "elsewhere").mkdir()
    save(folder.parent / "elsewhere", notebook)
    (folder / "small.ipynb").symlink_to(folder.parent / "elsewhere" / "small.ipynb")


@broken(0, LOOK, "link")
def a_link_to_somebody_elses_folder(folder, notebook, assignment):
    folder.rmdir()
    (folder.parent / "elsewhere").mkdir()
    save(folder.parent / "elsewhere", notebook)
    folder.symlink_to(folder.parent / "elsewhere", target_is_directory=True)


@broken(0, LOOK, "missing")
def a_pipe_that_never_ends(folder, notebook, assignment):
    os.mkfifo(folder / "small.ipynb")
    (folder / "notes.txt").write_text("x")


@broken(8)
def a_time_that_is_none(folder, notebook, assignment):
    save(folder, notebook)
    (folder / "timestamp.txt").write_text("yesterday, after lunch")


@broken(8)
def files_named_like_modules(folder, notebook, assignment):
    save(folder, notebook)
    for name in ("json.py", "sitecustomize.py", "course.py", "IPython.py", "conftest.py"):
        (folder / name).write_text("raise SystemExit('not this one')")


# ── code ────────────────────────────────────────────────────────────────────────────────────────────────

for name, make, score, status, says in [
    ("no Python", answer("def double(n) return 2 * n"), 5, FINE, ""),
    ("another language", answer("%%bash\necho 8"), 5, FINE, ""),
    ("asks for input", answer("def double(n): return int(input('n?')) * 2"), 5, FINE, ""),
    ("recurses for ever", answer("def double(n): return double(n)"), 5, FINE, ""),
    ("gives a huge text", answer("def double(n): return 'x' * 20_000_000"), 5, FINE, ""),
    (
        "gives a very deep list",
        answer("def double(n):\n    x = []\n    for _ in range(100_000): x = [x]\n    return x"),
        5,
        FINE,
        "",
    ),
    (
        "gives what cannot be shown",
        answer("class Odd:\n    def __repr__(self): raise ValueError('no')\ndef double(n): return Odd()"),
        5,
        FINE,
        "",
    ),
    ("gives markup", answer("def double(n): return '<script>alert(1)</script><img src=x onerror=alert(1)>'"), 5, FINE, ""),
    ("crashes", answer("def double(n):\n    import ctypes\n    ctypes.string_at(0)"), 5, LOOK, "ended the kernel"),
    ("kills itself", answer("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), 5, None, ""),
    ("a cell that fails", with_cell("1 / 0"), 8, FINE, ""),
    ("a cell that leaves", with_cell("import sys\nsys.exit(1)"), 8, FINE, ""),
    ("a cell that sleeps", with_cell("import time\ntime.sleep(600)"), 8, LOOK, "did not finish"),
    ("a cell that forgets everything", with_cell("%reset -f", -1), 8, FINE, ""),
    ("a cell that closes its streams", with_cell("import sys\nsys.stdout.close()\nsys.stderr.close()"), 0, FINE, ""),
    ("a cell that floods", with_cell("while True:\n    print('much ado ' * 1000)"), 8, LOOK, "cell 1"),      # time or memory ends it
    # A learner may call a variable what they like: it costs what uses it in their own answers, and never a check.
    ("names of built-ins", with_cell("list = str = sorted = 3"), 8, FINE, ""),
]:
    BROKEN[name] = make, score, status, says
