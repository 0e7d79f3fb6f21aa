"""`nbgrader autograde` and Formgrader with the fast engine: `c.Autograde.autograde_preprocessors = AUTOGRADE_STEPS`.

Everything else of nbgrader stays as it is, its sanitising and scoring too.
"""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.converters import Autograde
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_locked
from traitlets import Float, Unicode

from grader import sandbox
from grader.assignment import imported_names, read_files
from grader.execute import Job, Limits, execute


class ExecuteShutIn(NbGraderPreprocessor):
    """Takes the place of nbgrader's Execute. What is to be said about a run goes to nbgrader's log."""

    engine = Unicode("sandboxed", help='"sandboxed", or without a sandbox "forked" (Linux) or "portable"').tag(config=True)
    timeout = Float(30, help="seconds for one cell").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Raises RuntimeError where this system does not let submissions be shut in."""
        if self.engine == "sandboxed" and not (allowed := sandbox.probe()):
            raise RuntimeError(f"{'; '.join(allowed.missing)}. To run submissions as your own programs: "
                               f'c.ExecuteShutIn.engine = "forked" (or "portable") in nbgrader_config.py')
        files, _ = read_files(Path(resources["metadata"]["path"] or "."))
        locked = [cell.source for cell in nb.cells if cell.cell_type == "code" and is_locked(cell)]
        done = execute(Job(nbformat.writes(nb), files, imported_names(locked), Limits(cell=self.timeout), self.engine))
        for note in done.notes:
            self.log.warning("%s: %s", resources.get("nbgrader", {}).get("student", "?"), note.text)
        for cell, ran in zip(nb.cells, nbformat.reads(done.notebook, as_version=4).cells, strict=True):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
        return nb, resources


AUTOGRADE_STEPS = [ExecuteShutIn if step is Execute else step for step in Autograde.autograde_preprocessors.default_args[0]]
