"""The same notebook from two servers, cell by cell: what is the same, what differs, and whether its author said so."""

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from nbformat import NotebookNode

from course.marks import parity_of
from course.parity.normalise import coarse, exact
from course.parity.run import code_cells, served

DIFF_LINES, DIFF_WIDTH = 16, 160


class Verdict(StrEnum):
    """What became of a cell. The last two call for its author; only the last is a failure."""
    SAME = "same"
    DIFFERENT = "different"
    NOT_APPLICABLE = "not applicable"
    NOT_RUN = "not run"
    VARIES = "not the same twice"
    STALE = "marked without need"
    UNMARKED = "different, unmarked"


@dataclass(frozen=True)
class Compared:
    """One code cell: its place among them from 1, what names it to a reader, the verdict, the reason, a short diff if UNMARKED,
    and whether it asked a real server at all."""
    number: int
    name: str
    verdict: Verdict
    reason: str = ""
    diff: str = ""
    asked: bool = False


def compare(embedded: NotebookNode, real: NotebookNode, repeat: Callable[[str], NotebookNode],
            absent: Collection[str] = ()) -> list[Compared]:
    """Judge every code cell of a notebook that ran on the embedded server and on the real one.

    repeat  runs it once more on the "embedded" or the "real" server; called at most once for each, if a cell that differs must be
            told from one that is not the same twice
    absent  stores of the notebook that had no real server
    """
    again = cache(lambda kind: code_cells(repeat(kind)))
    pairs = zip(code_cells(embedded), code_cells(real), strict=True)
    return [judge(number, left, right, lambda kind, place=number - 1: again(kind)[place], set(absent))
            for number, (left, right) in enumerate(pairs, start=1)]


def judge(number: int, embedded: NotebookNode, real: NotebookNode, again: Callable[[str], NotebookNode], absent: set[str]) -> Compared:
    """The verdict on one cell: what two runs of it show, held against its mark."""
    found = difference(embedded, real, again)
    mark, reason = next(iter(parity_of(embedded).items()), ("", ""))
    match mark, found:
        case ("only_embedded" | "varies" | "", Verdict.SAME | Verdict.VARIES) if served(real) - absent:
            verdict, reason = Verdict.NOT_APPLICABLE, reason if mark == "only_embedded" else "asks for an embedded server"
        case (_, Verdict.SAME | Verdict.VARIES) if served(real):
            verdict, reason = Verdict.NOT_RUN, f"no real server: {', '.join(sorted(served(real)))}"
        case ("differs", Verdict.DIFFERENT) if raises(real) and not raises(embedded):
            verdict, reason = Verdict.UNMARKED, "marked differs, yet only the real server raises: mend it, or mark it only_embedded"
        case ("differs", Verdict.DIFFERENT):
            verdict = Verdict.DIFFERENT
        case ("only_embedded", Verdict.DIFFERENT):
            verdict = Verdict.NOT_APPLICABLE
        case ("differs" | "only_embedded", _):
            verdict, reason = Verdict.STALE, f'marked {mark}="{reason}", yet {found}'
        case (_, Verdict.DIFFERENT):
            verdict, reason = Verdict.UNMARKED, "mend it, tell it in the chapter, or mark it"
        case _:
            verdict, reason = found, reason or ("two embedded runs differ too" if found == Verdict.VARIES else "")
    diff = short_diff(embedded, real) if verdict == Verdict.UNMARKED else ""
    return Compared(number, name_of(embedded), verdict, reason, diff, bool(served(real, "real")))


def difference(embedded: NotebookNode, real: NotebookNode, again: Callable[[str], NotebookNode]) -> Verdict:
    """SAME, DIFFERENT, or VARIES where the embedded server does not repeat itself, or where a second pair of runs is the same.

    What varies is compared once more without its numbers and pictures, so that chance does not hide another difference.
    """
    if exact(embedded) == exact(real):
        return Verdict.SAME
    marks = parity_of(embedded)
    for form in (coarse,) if "varies" in marks else (exact, coarse):
        if form(embedded) == form(real) or form(embedded) != form(again("embedded")):
            continue
        if {"differs", "only_embedded"} & set(marks) or form(again("embedded")) != form(again("real")):
            return Verdict.DIFFERENT
    return Verdict.VARIES


def raises(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.outputs)


def name_of(cell: NotebookNode) -> str:
    """What names a cell to a reader: nbgrader's grade id, or its first line."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or next(iter(cell.source.splitlines()), "")


def short_diff(embedded: NotebookNode, real: NotebookNode) -> str:
    """A unified diff of the two outputs after the rules, at most DIFF_LINES lines."""
    texts = [[f"{kind}: {line}" for kind, text in exact(cell) for line in text.splitlines()] for cell in (embedded, real)]
    lines = list(difflib.unified_diff(*texts, "embedded", "real", n=1, lineterm=""))
    more = [f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else []
    return "\n".join([line if len(line) <= DIFF_WIDTH else line[:DIFF_WIDTH] + " …" for line in lines[:DIFF_LINES]] + more)
