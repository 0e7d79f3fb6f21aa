"""Every notebook on a real, fresh kernel without a network: chapters run, solutions earn everything, exercises earn nothing."""

import re
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.utils import determine_grade

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ASSIGNMENTS = sorted((ROOT / "solutions").glob("*/*.ipynb"))

# Runs in the kernel before the first cell: whatever is not this machine cannot be reached.
NO_NETWORK = textwrap.dedent("""
    import socket as _socket

    def _only_loopback(connect):
        def guarded(self, address):
            host = address[0] if isinstance(address, tuple) else ""
            if self.family in (_socket.AF_INET, _socket.AF_INET6) and not str(host).startswith(("127.", "::1", "localhost")):
                raise OSError(f"the tests run without a network; something wanted {address}")
            return connect(self, address)
        return guarded

    _socket.socket.connect = _only_loopback(_socket.socket.connect)
    _socket.socket.connect_ex = _only_loopback(_socket.socket.connect_ex)
""")


def execute(path: Path, tmp_path: Path, monkeypatch, allow_errors=False):
    startup = tmp_path / "profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "00_no_network.py").write_text(NO_NETWORK, encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=allow_errors,
                   resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def name(path):
    return path.stem


@pytest.mark.parametrize("path", CHAPTERS, ids=name)
def test_a_chapter_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    notebook = execute(path, tmp_path, monkeypatch)
    for cell in notebook.cells:
        if "raises-exception" in cell.metadata.get("tags", []):
            assert any(output.output_type == "error" for output in cell.outputs), f"meant to raise, did not:\n{cell.source}"


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=name)
def test_the_solutions_earn_every_point(path, tmp_path, monkeypatch):
    notebook = execute(path, tmp_path, monkeypatch, allow_errors=True)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            earned, possible = determine_grade(cell)
            assert earned == possible, f"{cell.id}: {cell.outputs}"


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=name)
def test_the_unsolved_exercises_earn_nothing_and_say_so_kindly(path, tmp_path, monkeypatch):
    exercises = ROOT / "exercises" / path.relative_to(ROOT / "solutions")
    hidden = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells if "_hidden_" in cell.id}
    notebook = nbformat.read(exercises, as_version=4)
    for cell in notebook.cells:   # as the grader does: hidden checks come back
        cell.source = hidden.get(cell.id, cell.source)
    unsolved = tmp_path / exercises.name
    nbformat.write(notebook, unsolved)
    graded = [cell for cell in execute(unsolved, tmp_path, monkeypatch, allow_errors=True).cells
              if cell.metadata.get("nbgrader", {}).get("grade")]
    assert graded
    for cell in graded:
        assert determine_grade(cell)[0] == 0, cell.id
        assert [output.ename for output in cell.outputs if output.output_type == "error"] == ["NotAttempted"], cell.id


READABLE = [ROOT / "notebooks/start.md", *CHAPTERS, *sorted((ROOT / "exercises").glob("*/*.ipynb"))]


@pytest.mark.parametrize("path", READABLE, ids=name)
def test_links_between_notebooks_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
