"""Sources → notebooks, and back.

    sources/chapters/X.py          → notebooks/X.ipynb
    sources/assignments/A/N.py     → solutions/A/N.ipynb   (nbgrader "source": the instructor's copy)
                                   → exercises/A/N.ipynb   (nbgrader "release": the learner's copy)
    sources/start.md               → notebooks/start.md    (the course map filled in)
    all of the assignments         → course/tasks.json     (numbers, hints, topics of hidden checks)

The same sources give the same bytes on every machine: cell ids are derived from the cells, outputs are never stored, and every
file ends its lines with "\\n". A notebook that somebody edited by hand is never overwritten without being asked (`force`).
"""

import copy
import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import jupytext
import nbformat
import yaml
from nbformat import NotebookNode
from nbgrader import preprocessors
from traitlets.config import Config

from course.marks import MarkError, Task, contract, expand, fold_parity, list_items

KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
          "language_info": {"name": "python"}}
# nbgrader's own steps from a source to a release copy, less those that need a gradebook.
RELEASE_STEPS = (preprocessors.LockCells, preprocessors.ClearSolutions, preprocessors.ClearOutput,
                 preprocessors.CheckCellMetadata, preprocessors.ClearHiddenTests, preprocessors.ComputeChecksums)
STUB = Config({"ClearSolutions": {"code_stub": {"python": "raise NotImplementedError"}}})
COURSE_MAP = "<!-- the course map -->"


class BuildError(Exception):
    """The sources cannot be built, or an edited notebook would be lost; the message says which and what to do."""


@dataclass
class Built:
    """What a build did, as paths relative to the root. With `check`, `written` and `removed` are what it would do."""
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def build(root: Path, check: bool = False, force: bool = False) -> Built:
    """Make every generated file from its source.

    check  compare only, write nothing
    force  overwrite notebooks that were edited since they were built
    Raises BuildError if a source is wrong (nothing is written then) or if an edited notebook would be overwritten.
    """
    root = Path(root)
    files = generate(root)
    built = Built()
    for name, content in files.items():
        path = root / name
        same = path.exists() and path.read_bytes() == content
        (built.unchanged if same else built.written).append(name)
    built.removed = [name for name in _generated_before(root) if name not in files]
    if check:
        return built
    edited = [name for name in built.written + built.removed if is_edited(root / name)]
    if edited and not force:
        raise BuildError("these were edited since they were built, and building would lose that:\n"
                         + "".join(f"    {name}\n" for name in edited)
                         + "Keep an edit: `python -m course sync NOTEBOOK`. Drop it: `python -m course build --force`.")
    for name in built.written:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(files[name])
    for name in built.removed:
        (root / name).unlink()
    return built


def generate(root: Path) -> dict[str, bytes]:
    """Every generated file: its path relative to `root`, and its bytes. Raises BuildError for a source that is wrong."""
    files, chapters, assignments = {}, [], []
    for path in sorted((root / "sources/chapters").glob("*.py")):
        notebook = _reading(path, root, read_source)
        chapters.append((path.stem, notebook.metadata.course))
        files[f"notebooks/{path.stem}.ipynb"] = to_bytes(notebook)
    for path in sorted((root / "sources/assignments").glob("*/*.py")):
        assignment, name = path.parent.name, path.stem
        notebook, tasks = _reading(path, root, read_assignment)
        assignments.append((assignment, name, notebook.metadata.course, tasks))
        files[f"solutions/{assignment}/{name}.ipynb"] = to_bytes(notebook)
        files[f"exercises/{assignment}/{name}.ipynb"] = to_bytes(release(notebook))
    files["course/tasks.json"] = _tasks_json(assignments)
    start = root / "sources/start.md"
    if start.exists():
        text = start.read_text(encoding="utf-8").replace(COURSE_MAP, course_map(chapters, assignments))
        files["notebooks/start.md"] = text.encode()
    return files


def _reading(path: Path, root: Path, read):
    """Name the source in whatever goes wrong while reading it."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except (MarkError, ValueError, KeyError, yaml.YAMLError) as error:
        raise BuildError(f"{path.relative_to(root).as_posix()}: {error}") from error


# ── one source → notebooks ───────────────────────────────────────────────────────────────────────────────────────


def read_source(text: str) -> NotebookNode:
    """A py:percent text → a notebook without outputs, with derived cell ids, its header in `metadata.course`.

    Raises ValueError if the header (a YAML block with at least `title`, `minutes` and `summary`) is missing, MarkError (a ValueError)
    for a mark of parity that cannot be.
    """
    notebook = jupytext.reads(text, fmt="py:percent")
    cells = notebook.cells
    header = cells[0].source.strip("-\n") if cells and cells[0].cell_type == "raw" else ""
    facts = yaml.safe_load(header) or {}
    if missing := [key for key in ("title", "minutes", "summary") if key not in facts]:
        raise ValueError(f"the header at the top (between two `# ---` lines) lacks {', '.join(missing)}")
    fold_parity(cells[1:])
    return _notebook(cells[1:], {"header": header})


def read_assignment(text: str) -> tuple[NotebookNode, list[Task]]:
    """The py:percent text of an assignment → nbgrader's source notebook and the tasks. Raises MarkError."""
    notebook = read_source(text)
    cells, tasks = expand(notebook.cells)
    ids = [cell.metadata.nbgrader.grade_id for cell in cells if "nbgrader" in cell.metadata]
    if repeated := {grade_id for grade_id in ids if ids.count(grade_id) > 1}:
        raise MarkError(f"grade ids that are there twice: {', '.join(sorted(repeated))}")
    return _notebook(cells, {"header": notebook.metadata.course.header}), tasks


def release(notebook: NotebookNode) -> NotebookNode:
    """The learner's copy of a source notebook: nbgrader's own steps, without solutions and hidden tests."""
    notebook = copy.deepcopy(notebook)
    for step in RELEASE_STEPS:
        notebook, _ = step(config=STUB).preprocess(notebook, {})
    for cell in notebook.cells:
        cell.metadata.pop("course", None)
    return _notebook(notebook.cells, {"header": notebook.metadata.course.header})


def _notebook(cells: list[NotebookNode], course: dict) -> NotebookNode:
    """A notebook of these cells: no outputs, derived ids, and a digest that tells later whether somebody edited it."""
    seen: dict[str, int] = {}
    for cell in cells:
        cell.metadata.pop("lines_to_next_cell", None)   # jupytext's note on blank lines between cells
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or hashlib.sha256(cell.source.encode()).hexdigest()[:10]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name[:60] if seen[name] == 1 else f"{name[:57]}-{seen[name]}"
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={**KERNEL, "course": {**course, "digest": digest(cells)}})
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)
    return notebook


def to_bytes(notebook: NotebookNode) -> bytes:
    """A notebook as it stands in the file: sorted keys, one space of indentation, final newline."""
    return (nbformat.writes(notebook, version=4) + "\n").encode()


def digest(cells: list[NotebookNode]) -> str:
    """SHA-256 of what the cells say (types and texts); running a cell does not change it, editing does."""
    return hashlib.sha256(json.dumps([[cell.cell_type, cell.source] for cell in cells]).encode()).hexdigest()


def is_edited(path: Path) -> bool:
    """Was this notebook edited by hand since it was built? A file that cannot be read counts as edited."""
    if not path.exists() or path.suffix != ".ipynb":
        return False
    try:
        notebook = nbformat.read(path, as_version=4)
        return notebook.metadata["course"]["digest"] != digest(notebook.cells)
    except Exception:
        return True


def _generated_before(root: Path) -> list[str]:
    """Notebooks that an earlier build left in the generated folders (a learner's own notebooks carry no digest)."""
    found = []
    for pattern in ("notebooks/*.ipynb", "solutions/*/*.ipynb", "exercises/*/*.ipynb"):
        for path in sorted(root.glob(pattern)):
            if re.search(r'"digest": "[0-9a-f]{64}"', path.read_text(encoding="utf-8", errors="replace")):
                found.append(path.relative_to(root).as_posix())
    return found


# ── what the whole course shares ─────────────────────────────────────────────────────────────────────────────────


def _tasks_json(assignments) -> bytes:
    tasks = {}
    for assignment, notebook, _, listed in assignments:
        for task in listed:
            if task.number in tasks:
                raise BuildError(f"task {task.number} is in {assignment} and in {tasks[task.number]['assignment']}")
            facts = asdict(task)
            kept = {key: facts[key] for key in ("name", "title", "minutes", "points", "checks", "hidden")}
            tasks[task.number] = {"assignment": assignment, "notebook": notebook, **kept, "hints": list_items(task.hints)}
    return (json.dumps(tasks, indent=1, ensure_ascii=False) + "\n").encode()


def course_map(chapters, assignments) -> str:
    """A Markdown table: chapter, minutes, what it is about, its exercises. A chapter and its assignment share a number."""
    exercises = {assignment[:2]: (assignment, name, tasks) for assignment, name, _, tasks in assignments}
    rows = ["| | chapter | minutes | about | exercises |", "|---|---|---|---|---|"]
    for stem, course in chapters:
        facts = yaml.safe_load(course["header"])
        cell = ""
        if stem[:2] in exercises:
            assignment, name, tasks = exercises[stem[:2]]
            points, minutes = sum(task.points for task in tasks), sum(task.minutes for task in tasks)
            cell = f"[{len(tasks)} tasks](../exercises/{assignment}/{name}.ipynb), {points:g} points, {minutes} minutes"
        rows.append(f"| {stem[:2]} | [{facts['title']}]({stem}.ipynb) | {facts['minutes']} | {facts['summary']} | {cell} |")
    return "\n".join(rows)


# ── a notebook → its source ──────────────────────────────────────────────────────────────────────────────────────


def sync(root: Path, notebook_path: Path) -> Path:
    """Bring an edited chapter or solution notebook back into its source; returns the source's path.

    Raises BuildError if the notebook is a learner's copy, has no place in the sources, or cannot be read.
    """
    root = Path(root).resolve()
    path = Path(notebook_path).resolve()
    match path.relative_to(root).parts if path.is_relative_to(root) else ():
        case ("notebooks", name):
            source = root / "sources/chapters" / name
        case ("solutions", assignment, name):
            source = root / "sources/assignments" / assignment / name
        case _:
            raise BuildError(f"{notebook_path}: only notebooks/*.ipynb and solutions/*/*.ipynb have a source. "
                             "A learner's copy has lost its solutions: edit the one under solutions/ instead.")
    source = source.with_suffix(".py")
    try:
        text = to_source(nbformat.read(path, as_version=4))
        read_assignment(text) if "solutions" in path.parts else read_source(text)   # refuse what could not be built again
    except Exception as error:
        raise BuildError(f"{notebook_path} cannot become a source: {error}") from error
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text, encoding="utf-8", newline="\n")
    return source


def to_source(notebook: NotebookNode) -> str:
    """The py:percent text of a chapter or solution notebook; the reverse of `read_source` and `read_assignment`."""
    header = notebook.metadata.get("course", {}).get("header", 'title: ""\nminutes: 0\nsummary: ""')
    cells = contract(notebook.cells)
    for cell in cells:   # what the front end adds to a cell is not the author's
        for key in ("execution", "collapsed", "scrolled", "editable", "deletable", "slideshow", "ExecuteTime", "trusted"):
            cell.metadata.pop(key, None)
    head = nbformat.v4.new_raw_cell(f"---\n{header}\n---")
    plain = nbformat.v4.new_notebook(cells=[head, *cells], metadata={"jupytext": {"notebook_metadata_filter": "-all"}})
    return re.sub(r"\n\n+(?=# %%)", "\n\n", jupytext.writes(plain, fmt="py:percent"))   # one blank line before each cell
