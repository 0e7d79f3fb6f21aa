"""Reading and repairing a submitted notebook, without running it."""

import copy
import json
import os

import nbformat
import pytest
from grader_class import NAME, make_course
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from grader import demo
from grader.assignment import Assignment, Master
from grader.collect import match
from grader.sanitise import Unreadable, read_notebook, sanitise

settings.register_profile("grader", max_examples=60, deadline=None)
settings.load_profile("grader")


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The assignment, its only master, and the solved notebook as a learner hands it in."""
    course = make_course(tmp_path_factory.mktemp("sanitise"))
    assignment = Assignment.of(course, NAME)
    return assignment, assignment.masters["small"], demo.solved(course, assignment)["small"]


def _bytes(notebook) -> bytes:
    return json.dumps(notebook).encode()


def _order(notebook) -> list[str]:
    return [cell.metadata.nbgrader.grade_id for cell in notebook.cells if "nbgrader" in cell.metadata]


def _assert_checks_are_the_masters(notebook, master: Master) -> None:
    """Each locked cell once, with the instructor's text; checks in order and after the answers that are there."""
    order = _order(notebook)
    assert len(order) == len(set(order))
    for grade_id, original in master.cells.items():
        if not original.metadata.nbgrader.solution:
            (cell,) = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id]
            assert cell.source == original.source and "tags" not in cell.metadata
    checks = [grade_id for grade_id in order if "_check_" in grade_id or "_hidden_" in grade_id]
    assert checks == [grade_id for grade_id in master.cells if grade_id in checks]
    for grade_id in checks:
        answer = grade_id.rsplit("_", 2)[0]
        assert answer not in order or order.index(answer) < order.index(grade_id)
    nbformat.validate(notebook)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("content", "said"), [
    (b"", "the file is empty"), (b"\0\0\0\0", "the file is empty"), (b"{", "not valid JSON"), (b"[]", "no list of cells"),
    (b'{"cells": 3}', "not a list"), (b"<!DOCTYPE html><html>", "an HTML page"), (b"null", "no list of cells"),
    (b'{\n<<<<<<< HEAD\n "cells": []\n', "unfinished merge"), (b"[" * 100_000, "not valid JSON"),
    (b'{"cells": [' + b",".join([b"{}"] * 2001) + b"]}", "2001 cells"), (b'{"worksheets": 5, "nbformat": 3}', "old format 3"),
])
def test_what_is_no_notebook_is_named(content, said):
    with pytest.raises(Unreadable, match=said):
        read_notebook(content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding):
    text = json.dumps(new_notebook(cells=[new_code_cell("name = 'Zoë'")]), ensure_ascii=False)
    assert read_notebook(text.encode(encoding)).cells[0].source == "name = 'Zoë'"


def test_format_3_is_read():
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"metadata": {}, "cells": [
        {"cell_type": "code", "input": ["x = 1\n", "x"], "language": "python", "metadata": {}, "outputs": [], "collapsed": False}]}]}
    assert read_notebook(json.dumps(old).encode()).cells[0].source == "x = 1\nx"


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                           lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4))
cells = st.fixed_dictionaries({}, optional={
    "cell_type": st.sampled_from(["code", "markdown", "raw"]) | json_values, "source": st.text(max_size=20) | json_values,
    "id": st.text(max_size=5) | json_values, "outputs": json_values,
    "metadata": json_values | st.fixed_dictionaries({}, optional={
        "tags": json_values, "nbgrader": json_values | st.fixed_dictionaries({}, optional={
            "grade_id": st.sampled_from(["double", "double_check_1", "keep_hidden_1", "unknown"]) | json_values,
            "grade": json_values, "solution": json_values, "points": json_values, "schema_version": json_values})})})


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | json_values.map(lambda v: json.dumps(v).encode()))
def test_no_file_stops_the_grader(small, content):
    _, master, _ = small
    result = sanitise(content, master)
    _assert_checks_are_the_masters(result.notebook, master)


@given(raw=st.lists(cells, max_size=6))
def test_no_cell_stops_the_grader(small, raw):
    _, master, _ = small
    result = sanitise(json.dumps({"cells": raw, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode(), master)
    assert result.readable
    _assert_checks_are_the_masters(result.notebook, master)


# ── repairing ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_honest_notebook_stays_as_it_is(small):
    _, master, solved = small
    result = sanitise(_bytes(solved), master)
    assert result.notes == []
    assert [cell.source for cell in result.notebook.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata] == [
        cell.source for cell in solved.cells if cell.cell_type == "code" and "nbgrader" not in cell.metadata]
    assert _order(result.notebook) == list(master.cells)


@given(data=st.data())
def test_shuffled_doubled_and_deleted_cells_are_put_right(small, data):
    _, master, solved = small
    notebook = copy.deepcopy(solved)
    notebook.cells = data.draw(st.permutations(notebook.cells))
    for _ in range(data.draw(st.integers(0, 4))):
        twin = copy.deepcopy(data.draw(st.sampled_from(notebook.cells)))
        notebook.cells.insert(data.draw(st.integers(0, len(notebook.cells))), twin)
    for _ in range(data.draw(st.integers(0, 6))):
        notebook.cells.pop(data.draw(st.integers(0, len(notebook.cells) - 1)))
    answers = {cell.source for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    result = sanitise(_bytes(notebook), master)
    _assert_checks_are_the_masters(result.notebook, master)
    assert answers <= {cell.source for cell in result.notebook.cells}, "an answer was lost"


def test_metadata_that_a_front_end_stripped_are_known_again_by_the_cells_ids(small):
    _, master, solved = small
    notebook = copy.deepcopy(solved)
    for cell in notebook.cells:
        cell.metadata = {}
    result = sanitise(_bytes(notebook), master)
    assert _order(result.notebook) == list(master.cells) and result.notes == []


def test_an_answer_turned_into_text_is_code_again(small):
    _, master, solved = small
    notebook = copy.deepcopy(solved)
    answer = demo.answers(notebook)[0]
    answer.cell_type = "markdown"
    restored = sanitise(_bytes(notebook), master).notebook
    assert demo.answers(restored)[0].cell_type == "code" and demo.answers(restored)[0].source == answer.source


def test_points_cannot_be_raised(small):
    _, master, solved = small
    notebook = copy.deepcopy(solved)
    for cell in demo.checks(notebook):
        cell.metadata.nbgrader.points = 1000
    restored = sanitise(_bytes(notebook), master).notebook
    assert sum(cell.metadata.nbgrader.points for cell in demo.checks(restored)) == 8


# ── finding the file ────────────────────────────────────────────────────────────────────────────────────


def _match(master, folder, **contents):
    paths = []
    for age, (name, content) in enumerate(contents.items()):
        paths.append(folder / f"{name}.ipynb")
        paths[-1].write_bytes(content)
        os.utime(paths[-1], (1000 - age, 1000 - age))      # the first is the newest
    taken, notes = match(master, paths, folder)
    return taken, [note.text for note in notes]


def test_the_right_name_wins(small, tmp_path):
    _, master, solved = small
    other = _bytes(new_notebook())
    assert _match(master, tmp_path, old=_bytes(solved), small=other) == (other, [])


def test_a_renamed_file_is_known_by_its_cells(small, tmp_path):
    _, master, solved = small
    taken, notes = _match(master, tmp_path, scratch=_bytes(new_notebook(cells=[new_code_cell("1")])), mine=_bytes(solved))
    assert taken == _bytes(solved) and notes == ["'mine.ipynb' was taken for small.ipynb: it holds the cells of that notebook"]


def test_a_broken_file_of_the_right_name_gives_way_to_a_copy(small, tmp_path):
    _, master, solved = small
    taken, notes = _match(master, tmp_path, small=b"{", backup=_bytes(solved))
    assert taken == _bytes(solved) and "cannot be read" in notes[0]


def test_of_several_the_fullest_and_newest_is_taken(small, tmp_path):
    _, master, solved = small
    less = copy.deepcopy(solved)
    del less.cells[-2:]
    newer = copy.deepcopy(solved)
    newer.cells.append(new_code_cell("1"))
    taken, notes = _match(master, tmp_path, less=_bytes(less), newer=_bytes(newer), older=_bytes(solved))
    assert taken == _bytes(newer) and notes[0].startswith("several files could be small.ipynb: graded 'newer.ipynb'")


def test_identical_copies_are_one_file(small, tmp_path):
    _, master, solved = small
    taken, notes = _match(master, tmp_path, a=_bytes(solved), b=_bytes(solved))
    assert taken == _bytes(solved) and notes[0].startswith("'a.ipynb' was taken")
