"""`nbgrader generate_assignment` and Formgrader's Generate button write the same release copies as `python -m course build`."""

from nbformat import NotebookNode
from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import NbGraderPreprocessor

from course.build import digest


class AsBuilt(NbGraderPreprocessor):
    """Takes off the author's marks (hints, topics), and renews the digest by which `build` knows an edited notebook."""

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        for cell in nb.cells:
            cell.metadata.pop("course", None)
        if "course" in nb.metadata:
            nb.metadata.course.digest = digest(nb.cells)
        return nb, resources


RELEASE_STEPS = [*GenerateAssignment.preprocessors.default_args[0], AsBuilt]
