"""Notebooks in fresh kernels: which there are, which stores they use, and what their cells put out."""

import ast
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from course.parity.servers import ROOT, environment

CELL_TIMEOUT = 300  # seconds
WATCH = Path(__file__).with_name("watch.py")
# One order of sets in every run, and no notices for learners, which depend on what has run before.
AS_GRADED = {"PYTHONHASHSEED": "0", "NBGRADER_EXECUTION": "autograde"}
PATTERNS = ("notebooks/*.ipynb", "solutions/*/*.ipynb")


def notebooks(root: Path) -> dict[Path, set[str]]:
    """Every chapter and every solution → the names of the stores that it uses, in the order of a reader."""
    return {path: stores_used(nbformat.read(path, as_version=4)) for pattern in PATTERNS for path in sorted(root.glob(pattern))}


def stores_used(notebook: NotebookNode) -> set[str]:
    """The names in every `stores.start("name")` of its code cells; a cell that is no Python (a magic alone) has none."""
    found = set()
    for cell in code_cells(notebook):
        try:
            tree = ast.parse(cell.source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("stores"), attr="start"), args=[ast.Constant(str(name)), *_]):
                    found.add(name)
    return found


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def execute(path: Path, addresses: Mapping[str, str]) -> NotebookNode:
    """Run a notebook from top to bottom in a kernel of its own, errors and all, and return it with its outputs.

    addresses  the variables that name real servers, {"REDIS_URL": "redis://…"}; every other store is embedded.
    Each cell's metadata then say which servers it used (see `served`).
    Raises nbclient's CellTimeoutError for a cell that takes longer than CELL_TIMEOUT, DeadKernelError when the kernel dies.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT, kernel_name="python3", allow_errors=True,
                            extra_arguments=["--log-level=ERROR"], resources={"metadata": {"path": str(path.parent)}})
    with tempfile.TemporaryDirectory() as folder:   # a profile of our own: the settings of whoever runs this are not the course's
        startup, notes = Path(folder, "profile_default", "startup"), Path(folder, "notes")
        startup.mkdir(parents=True)
        shutil.copy(WATCH, startup)
        own = {"IPYTHONDIR": folder, "PYTHONPATH": str(ROOT), "PARITY_NOTES": str(notes)}
        client.execute(env=environment(addresses) | AS_GRADED | own)
        served_in = dict(map(json.loads, notes.read_text(encoding="utf-8").splitlines())) if notes.exists() else {}
    for cell in code_cells(notebook):
        cell.metadata["served"] = served_in.get(cell.execution_count, {})
    return notebook


def served(cell: NotebookNode, kind: str = "embedded") -> set[str]:
    """The stores whose servers of this kind ("embedded" or "real") a cell of `execute` used."""
    return set(cell.metadata.get("served", {}).get(kind, ()))
