"""What a check cell earned: its outputs are made to say what its verdict says, since nbgrader scores by outputs."""

import ast
from functools import lru_cache

from nbformat import NotebookNode
from nbformat.v4 import new_output

from grader.life import error
from grader.notes import Note, tampering


def settle(cell: NotebookNode, content: dict, number: str, notes: list[Note]) -> None:
    """Judge a check cell by the reply's content that the kernel gave to it, whose verdict must carry `number`.

    Passed: no error, nothing on stderr, no value that could be read as a number of points. Anything else: an error.
    """
    grade_id = cell.metadata.nbgrader.grade_id
    verdict = content.get("verdict") or {}
    if verdict.get("before"):
        notes.append(tampering(f"before {grade_id}, these had been replaced and were put back: {_some(verdict['before'])}"))
    if not _ends_in_value(cell.source) and any(output.output_type == "execute_result" for output in cell.outputs):
        notes.append(tampering(f"{grade_id} showed a value that it does not have"))
        cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    trouble = _trouble(cell.source, verdict, number, content.get("status") == "ok")
    if trouble:
        notes.append(tampering(f"{grade_id} earned nothing: {trouble}"))
        fail(cell, "Tampering", trouble)
    elif content.get("status") != "ok":
        cell.outputs = [output for output in cell.outputs if output.output_type != "execute_result"]
    else:
        cell.outputs = [_believed(output) for output in cell.outputs]


def fail(cell: NotebookNode, kind: str, message: str) -> None:
    """Leave only an error and what was printed in a cell's outputs: nbgrader then gives it no points."""
    cell.outputs = [output for output in cell.get("outputs", []) if output.output_type not in ("error", "execute_result")]
    cell.outputs.append(new_output("error", **error(kind, message)))


def _believed(output: NotebookNode) -> NotebookNode:
    """An output of a check that passed, as plain text where nbgrader would read a failure in it."""
    if output.output_type == "error":              # shown by something else than the cell
        return new_output("stream", name="stdout", text="\n".join(output.traceback))
    if output.output_type == "stream":             # a warning on stderr is no failure
        return new_output("stream", name="stdout", text=output.text)
    return output


def _trouble(source: str, verdict: dict, number: str, ended_well: bool) -> str:
    """Why the run of a check cell is not believed; "" if it is."""
    if verdict.get("number") != number:
        return "the kernel gave no verdict" if ended_well else ""
    if verdict["during"]:
        return f"the answer replaced {_some(verdict['during'])} while it was checked"
    blocks, lines = expected(source)
    if ended_well and verdict["finished"] < blocks:
        return "the check did not run to its end"
    missed = [first for first, last in lines if not any(first <= line <= last for line in verdict["passed"])]
    if ended_well and missed:
        return f"{len(missed)} of its {len(lines)} checks did not run"
    return ""


# The whole class has the same check cells: each is parsed once.


@lru_cache(maxsize=1000)
def _ends_in_value(source: str) -> bool:
    """Is the last statement an expression, whose value Jupyter shows (and nbgrader reads as partial credit)?"""
    return isinstance((ast.parse(source).body or [None])[-1], ast.Expr)


@lru_cache(maxsize=1000)
def expected(source: str) -> tuple[int, list[tuple[int, int]]]:
    """What must happen when a check cell passes: how many `task` blocks end, and in which lines a `check` passes.

    Only what runs in any case is counted: not the bodies of functions, loops, conditions and handlers.
    """
    blocks, lines = 0, []
    pending = list(ast.parse(source).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.With):
            blocks += any(_calls(item.context_expr, "task") for item in node.items)
            pending += node.body
        elif isinstance(node, ast.Try):
            pending += node.body + node.finalbody
        elif isinstance(node, ast.Expr) and _calls(node.value, "check"):
            lines.append((node.lineno, node.end_lineno))
    return blocks, sorted(lines)


def _calls(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
