"""An assignment as the instructor wrote it: the authority by which submissions are repaired, run and scored."""

import ast
import copy
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader import preprocessors, utils
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from grader.notes import GradingError

# nbgrader's own steps from a source to what its gradebook stores: answers cleared, hidden checks still in.
MASTER_STEPS = (preprocessors.LockCells, preprocessors.ClearSolutions, preprocessors.ClearOutput,
                preprocessors.CheckCellMetadata, preprocessors.ComputeChecksums)
CHECK_ID = re.compile(r"(?P<task>.+?)_(?:check|hidden)_\d+")


@dataclass
class Task:
    """One task: its number, its name, and its check cells with the points of each."""
    number: str
    name: str
    points: dict[str, float] = field(default_factory=dict)      # grade id → points


@dataclass
class Master:
    """One notebook of an assignment, answers cleared, with nbgrader's checksums and with its hidden checks."""
    name: str
    notebook: NotebookNode

    @cached_property
    def cells(self) -> dict[str, NotebookNode]:
        """The cells that nbgrader knows, by grade id, in the notebook's order."""
        return {cell.metadata.nbgrader.grade_id: cell for cell in self.notebook.cells if "nbgrader" in cell.metadata}

    @cached_property
    def released(self) -> dict[str, str]:
        """What learners were given: grade id → text of the cell, without its hidden part."""
        return {grade_id: visible(cell.source) for grade_id, cell in self.cells.items()}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The tasks by name, in order. A check that belongs to no prompt is a task of its own."""
        tasks: dict[str, Task] = {}
        for grade_id, cell in self.cells.items():
            course = cell.metadata.get("course", {})
            if "task" in course:
                tasks[course["name"]] = Task(course["task"], course["name"])
            elif utils.is_grade(cell):
                match = CHECK_ID.fullmatch(grade_id)
                name = match["task"] if match else grade_id
                tasks.setdefault(name, Task(name, name)).points[grade_id] = float(cell.metadata.nbgrader.points)
        return tasks

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Names that the instructor's cells import: name → (module, attribute or "")."""
        return imported_names([cell.source for cell in self.notebook.cells if cell.cell_type == "code"])


@dataclass
class Course:
    """A course folder, with nbgrader's settings for it."""
    root: Path
    config: Config

    @classmethod
    def at(cls, root: Path) -> "Course":
        """Raises GradingError if there is no readable nbgrader_config.py."""
        root = Path(root).resolve()
        if not (root / "nbgrader_config.py").exists():
            raise GradingError(f"{root} is not a course folder: it has no nbgrader_config.py")
        return cls(root, PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config())

    def nbgrader(self, **where) -> CourseDirectory:
        """nbgrader's own view of the folders; `where` may set assignment_id, student_id and notebook_id."""
        directory = CourseDirectory(config=self.config)
        for name, value in where.items():
            setattr(directory, name, value)
        return directory

    def folder(self, step: str, student: str = ".", assignment: str = "") -> Path:
        """The folder of a step ("source", "submitted", "autograded", "feedback"), of a student and an assignment."""
        directory = self.nbgrader()
        return Path(directory.format_path(getattr(directory, f"{step}_directory"), student, assignment))

    @property
    def reports(self) -> Path:
        return self.root / "grader" / "reports"

    @property
    def roster(self) -> Path:
        return self.root / "grader" / "roster.csv"

    @property
    def journal(self) -> Path:
        return self.root / "grader" / "journal.db"

    def assignments(self) -> list[str]:
        """Names of the assignments that have at least one notebook."""
        return sorted(path.name for path in self.folder("source").glob("*") if any(path.glob("*.ipynb")))


@dataclass
class Assignment:
    """An assignment's notebooks and the files that go with them."""
    name: str
    masters: dict[str, Master]
    files: dict[str, bytes]

    @classmethod
    def of(cls, course: Course, name: str) -> "Assignment":
        """Raises GradingError if there is no such assignment; the message lists those that there are."""
        known = course.assignments()
        if name not in known:
            listed = "\n".join(f"    {each}" for each in known) or "    (none: run `python -m course build`)"
            raise GradingError(f"there is no assignment {name!r}; there are\n{listed}")
        folder = course.folder("source", assignment=name)
        masters = {path.stem: Master(path.stem, make_master(path, course.config)) for path in sorted(folder.glob("*.ipynb"))}
        return cls(name, masters, read_files(folder)[0])

    @property
    def tasks(self) -> list[Task]:
        return [task for master in self.masters.values() for task in master.tasks.values()]


def make_master(path: Path, config: Config) -> NotebookNode:
    """A source notebook with its answers cleared, by nbgrader's own steps."""
    notebook = nbformat.read(path, as_version=4)
    for step in MASTER_STEPS:
        notebook, _ = step(config=config).preprocess(notebook, {})
    return notebook


def blank_copy(master: Master) -> NotebookNode:
    """The notebook as a learner who did nothing would have it, hidden checks included."""
    return copy.deepcopy(master.notebook)


def visible(text: str) -> str:
    """The text of a cell without the lines from BEGIN HIDDEN TESTS to END HIDDEN TESTS."""
    kept, hidden = [], False
    for line in text.splitlines():
        if "BEGIN HIDDEN TESTS" in line or "END HIDDEN TESTS" in line:
            hidden = "BEGIN" in line
        elif not hidden:
            kept.append(line)
    return "\n".join(kept)


def read_files(folder: Path, limit: int = 50_000_000) -> tuple[dict[str, bytes], list[str]]:
    """Files of a folder that are no notebooks: (path → content, paths left out because all together exceed `limit` bytes)."""
    files, too_much, total = {}, [], 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".ipynb" or path.is_symlink() or not path.is_file() or re.search(r"(^|/)(\.|__pycache__)", name):
            continue
        total += path.stat().st_size
        if total > limit:
            too_much.append(name)
        else:
            files[name] = path.read_bytes()
    return files, too_much


def imported_names(sources: list[str]) -> dict[str, tuple[str, str]]:
    """What `import` lines at the top level bind: name → (module, attribute or "")."""
    names = {}
    for source in sources:
        try:
            statements = ast.parse(source).body
        except SyntaxError:            # a cell with a magic line
            continue
        for line in statements:
            if isinstance(line, ast.Import):
                for alias in line.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    names[bound] = (alias.name if alias.asname else bound, "")
            elif isinstance(line, ast.ImportFrom) and line.module and not line.level:
                names |= {alias.asname or alias.name: (line.module, alias.name) for alias in line.names if alias.name != "*"}
    return names
