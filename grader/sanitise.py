"""A submitted notebook → a copy that can be run and scored: readable, without outputs, its check cells the instructor's own.

The rules are nbgrader's (the last of several copies counts; locked cells are overwritten from the source), carried on to what
nbgrader stops at: cells that are missing, moved, doubled, or whose metadata is broken.
"""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell
from nbgrader import utils

from grader.assignment import Master, blank_copy
from grader.notes import Note, look, repaired, tampering

MAX_CELLS, MAX_SOURCE = 2_000, 1_000_000      # cells of a notebook, characters of a cell
SKIPPING_TAGS = {"skip-execution", "raises-exception"}
NEW_CELL = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


class Unreadable(ValueError):
    """The file is no notebook; the message says what it is instead."""


@dataclass
class Sanitised:
    """A notebook ready to run. `readable` is False if nothing of the submission could be used; it then holds no answers."""
    notebook: NotebookNode
    notes: list[Note] = field(default_factory=list)
    readable: bool = True


def sanitise(content: bytes, master: Master) -> Sanitised:
    """Never raises: what cannot be read becomes the untouched notebook, with a note that says why."""
    try:
        submitted = read_notebook(content)
    except Unreadable as error:
        return Sanitised(blank_copy(master), [look(f"{master.name}.ipynb cannot be read: {error}")], readable=False)
    notes: list[Note] = []
    cells = _drop_doubles(_identify(submitted.cells, master), notes)
    if not any("nbgrader" in cell.metadata for cell in cells):
        notes.append(look("the notebook holds none of the assignment's cells" if cells else "the notebook is empty"))
    _report_edits(cells, master, notes)
    cells = _restore(cells, master, notes)
    _drop_tags(cells)
    _renew_ids(cells)
    return Sanitised(new_notebook(cells=cells, metadata=copy.deepcopy(master.notebook.metadata)), notes)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────


def read_notebook(content: bytes) -> NotebookNode:
    """Bytes → a notebook in format 4 of plain cells: no outputs, sources are strings, metadata are dicts.

    A byte-order mark, UTF-16, Windows encodings, raw control characters and formats 2 and 3 are understood.
    Raises Unreadable.
    """
    text = _decode(content)
    try:
        data = json.loads(text, strict=False)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(_what_instead(text) or f"it is not valid JSON ({error})") from None
    if not isinstance(data, dict) or not ({"cells", "worksheets"} & set(data)):
        raise Unreadable("it is JSON, but not a notebook: there is no list of cells")
    if "worksheets" in data:
        data = _upgrade(data)
    raw = data.get("cells")
    if not isinstance(raw, list):
        raise Unreadable("it is JSON, but its cells are not a list")
    if len(raw) > MAX_CELLS:
        raise Unreadable(f"it has {len(raw)} cells; at most {MAX_CELLS} are read")
    cells = [_plain_cell(cell) for cell in raw if isinstance(cell, dict)]
    return NotebookNode(cells=cells, metadata=NotebookNode(), nbformat=4, nbformat_minor=5)     # not valid yet: ids may repeat


def grade_ids(notebook: NotebookNode) -> set[str]:
    """The grade ids in a notebook; where nbgrader's metadata were stripped, the cells' own ids."""
    return {_grade_id(cell) or cell.get("id", "") for cell in notebook.cells}


def _decode(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _what_instead(text: str) -> str:
    """A name for the usual things that are not JSON; "" for others."""
    if not text.strip("\0 \t\r\n"):
        return "the file is empty"
    if re.search(r"^<{7} ", text, re.M):
        return "it holds the conflict marks of an unfinished merge (<<<<<<<)"
    if text.lstrip()[:15].lower().startswith(("<!doctype", "<html")):
        return "it is an HTML page, not a notebook"
    return ""


def _upgrade(data: dict) -> dict:
    """Formats 2 and 3 kept their cells in worksheets."""
    try:
        return nbformat.convert(nbformat.from_dict(data), 4)
    except Exception as error:
        raise Unreadable(f"its old format {data.get('nbformat')} cannot be converted ({type(error).__name__})") from None


def _plain_cell(data: dict) -> NotebookNode:
    source = data.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        source = ""
    source = source[:MAX_SOURCE].encode("utf-8", "replace").decode()      # half of a surrogate pair cannot be saved
    metadata = data.get("metadata")
    kind = data.get("cell_type")
    cell = NEW_CELL.get(kind if isinstance(kind, str) else "", new_raw_cell)(source)
    if isinstance(metadata, dict):       # the rest of it is the front end's and may be anything
        cell.metadata = nbformat.from_dict({key: metadata[key] for key in ("nbgrader", "tags") if key in metadata})
    if isinstance(data.get("id"), str):
        cell.id = data["id"]
    return cell


def _grade_id(cell: NotebookNode) -> str | None:
    grading = cell.metadata.get("nbgrader")
    grade_id = grading.get("grade_id") if isinstance(grading, dict) else None
    return grade_id if isinstance(grade_id, str) else None


# ── repairing ───────────────────────────────────────────────────────────────────────────────────────────


def _identify(cells: list[NotebookNode], master: Master) -> list[NotebookNode]:
    """Give every cell that is one of the assignment's the instructor's metadata, and every other cell none."""
    claimed = {_grade_id(cell) for cell in cells}
    for cell in cells:
        grade_id = _grade_id(cell)
        # Some front ends strip metadata but keep cell ids, which `build` made from the grade ids.
        if grade_id is None and cell.get("id") in master.cells and cell.id not in claimed:
            grade_id = cell.id
        cell.metadata.pop("nbgrader", None)
        if grade_id in master.cells:
            cell.metadata["nbgrader"] = copy.deepcopy(master.cells[grade_id].metadata.nbgrader)
    return cells


def _drop_doubles(cells: list[NotebookNode], notes: list[Note]) -> list[NotebookNode]:
    """Of several cells with one grade id the last counts, as in nbgrader.

    A doubled answer stays as an ordinary cell; a doubled check, which would run outside any task, goes.
    """
    seen, kept, doubled = set(), [], []
    for cell in reversed(cells):
        grade_id = _grade_id(cell)
        if grade_id in seen:
            doubled.append(grade_id)
            if utils.is_locked(cell):
                continue
            del cell.metadata["nbgrader"]
        elif grade_id:
            seen.add(grade_id)
        kept.append(cell)
    _note(notes, repaired, "cells that are there more than once, the last counts", doubled)
    return kept[::-1]


def _report_edits(cells: list[NotebookNode], master: Master, notes: list[Note]) -> None:
    edited = {_grade_id(cell): cell for cell in cells if _grade_id(cell) and utils.is_locked(cell)
              and _squeeze(cell.source) != _squeeze(master.released[_grade_id(cell)])}
    skipping = [_grade_id(cell) for cell in cells if _is_check(cell) and SKIPPING_TAGS & set(_tags(cell))]
    checks = [grade_id for grade_id, cell in edited.items() if _is_check(cell)]
    prompts = [grade_id for grade_id in edited if grade_id not in checks]
    _note(notes, tampering, "edited check cells, the originals were run", checks)
    _note(notes, tampering, "check cells with a tag that skips them, they were run", skipping)
    _note(notes, repaired, "edited prompts, the originals were put back", prompts)


def _note(notes: list[Note], kind: Callable[[str], Note], what: str, grade_ids: list[str]) -> None:
    """One remark for any number of cells, with the names of the first few."""
    if grade_ids:
        more = f" and {len(grade_ids) - 3} more" if len(grade_ids) > 3 else ""
        notes.append(kind(f"{what}: {', '.join(grade_ids[:3])}{more}"))


def _restore(cells: list[NotebookNode], master: Master, notes: list[Note]) -> list[NotebookNode]:
    """Locked cells from the instructor's copy: overwritten in place, added if missing, moved behind their answers if before."""
    order = {grade_id: position for position, grade_id in enumerate(master.cells)}
    graded = [_grade_id(cell) for cell in cells if _grade_id(cell) and (utils.is_grade(cell) or utils.is_solution(cell))]
    moved = [order[grade_id] for grade_id in graded] != sorted(order[grade_id] for grade_id in graded)
    if moved:
        notes.append(repaired("cells had been moved; the checks were run at the end, in their order"))
        cells = [cell for cell in cells if not _is_check(cell)]
    known = [order[_grade_id(cell)] for cell in cells if _grade_id(cell)]
    stray_prompts = known != sorted(known)
    restored = []
    for cell in cells:
        original = copy.deepcopy(master.cells.get(_grade_id(cell) or ""))
        if original is None:
            restored.append(cell)
        elif utils.is_locked(cell):
            restored.append(original)
        else:                           # an answer: the learner's text in the instructor's cell
            original.source = cell.source
            restored.append(original)
    return _add_missing(restored, master, moved, stray_prompts, notes)


def _add_missing(cells: list[NotebookNode], master: Master, moved: bool, stray_prompts: bool,
                 notes: list[Note]) -> list[NotebookNode]:
    """Put missing locked cells before the next cell of the instructor's that is there, so that they follow the learner's work."""
    there = {_grade_id(cell): cell for cell in cells}
    missing = [grade_id for grade_id in master.cells if grade_id not in there]
    successor = None
    for grade_id, original in reversed(master.cells.items()):
        if grade_id not in there and utils.is_locked(original):
            added = copy.deepcopy(original)
            at = len(cells) if successor is None else next(i for i, cell in enumerate(cells) if cell is successor)
            cells.insert(at, added)
            there[grade_id] = added
        if grade_id in there and _is_anchor(there[grade_id], grade_id in missing, moved, stray_prompts):
            successor = there[grade_id]
    if not moved and len(missing) < len(master.cells):      # else: said already
        _note(notes, repaired, "missing check cells, put back", [i for i in missing if _is_check(master.cells[i])])
        _note(notes, look, "missing answer cells", [i for i in missing if utils.is_solution(master.cells[i])])
    return cells


def _is_anchor(cell: NotebookNode, added: bool, moved: bool, stray_prompts: bool) -> bool:
    """Does a cell stand where what precedes it in the instructor's copy may be put before it?"""
    if moved:
        return _is_check(cell)
    return added or not stray_prompts or utils.is_grade(cell) or utils.is_solution(cell)


def _drop_tags(cells: list[NotebookNode]) -> None:
    """Tags (skip-execution, raises-exception, …) have no say in grading."""
    for cell in cells:
        cell.metadata.pop("tags", None)


def _renew_ids(cells: list[NotebookNode]) -> None:
    """Cell ids as `build` makes them: the grade id, or the position; nbformat wants them unique and short."""
    for position, cell in enumerate(cells):
        cell.id = (_grade_id(cell) or f"cell-{position}")[:64]


def _is_check(cell: NotebookNode) -> bool:
    return utils.is_grade(cell) and not utils.is_solution(cell)


def _tags(cell: NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def _squeeze(text: str) -> str:
    return " ".join(text.split())
