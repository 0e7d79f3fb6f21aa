"""The marks that an author writes on the cells of an assignment, and the nbgrader metadata that they stand for.

An author writes `# %% check="load_once" points=2`; nbgrader wants seven fields and a grade id. `expand` turns the one into the
other, `contract` turns it back, so that an instructor may edit the solution notebook in JupyterLab and keep the text source.

    mark on the cell                                   what it is
    [markdown] task="2.3" name="load_once" minutes=12  the prompt; starts with `### Title`
    [markdown] hints="load_once"                       a list, one hint per item, from a nudge to nearly the answer
    answer="load_once"                                 the learner's cell, with ### BEGIN SOLUTION … ### END SOLUTION
    check="load_once" points=2                         a visible check
    hidden="load_once" points=2 topic="what it checks" a check that runs at grading only

Any code cell, of a chapter too, may say besides what `python -m course parity` is to expect of it on a real server:

    differs="a real server words its errors otherwise" its outputs are not those of the embedded server, and why that is right
    only_embedded="stops a node of the ring"           it needs what a real server does not give, and what that is
    varies="draws at random"                           no two runs put out the same, whichever server answers, and why
"""

import re
from dataclasses import dataclass, field

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

CHECK_IMPORT = "from course.check import between, check, close_to, one_of, outcome, raises, task\n\n"
HIDDEN_BEGIN, HIDDEN_END = "### BEGIN HIDDEN TESTS\n", "\n### END HIDDEN TESTS"
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n.*?^ *### END SOLUTION *$", re.M | re.S)
KINDS = ("task", "hints", "answer", "check", "hidden")
PARITY = ("differs", "only_embedded", "varies")


class MarkError(ValueError):
    """A cell of a source that is marked in a way that cannot be built; the message says which and what to do."""


@dataclass
class Task:
    """One task of an assignment: what its cells have in common. `hidden` holds the topics of its hidden checks, `hints` the list
    as the author wrote it."""
    number: str
    name: str
    title: str
    minutes: int
    points: float = 0
    hints: str = ""
    hidden: list[str] = field(default_factory=list)
    answers: int = 0
    checks: int = 0


def kind_of(cell: NotebookNode) -> str | None:
    """Which mark a source's cell carries: one of KINDS, or None. Raises MarkError for two at once."""
    found = [kind for kind in KINDS if kind in cell.metadata]
    if len(found) > 1:
        raise MarkError(f"a cell is marked {' and '.join(found)}; a cell has one mark:\n{_excerpt(cell)}")
    return found[0] if found else None


# ── what may differ on a real server ─────────────────────────────────────────────────────────────────────────────


def fold_parity(cells: list[NotebookNode]) -> None:
    """Move the mark of PARITY that a cell has into `metadata.course.parity`, in place: {"differs": reason}.

    Raises MarkError for two at once, for one without a reason, and for one on a cell that is not code.
    """
    for cell in cells:
        marks = {mark: cell.metadata.pop(mark) for mark in PARITY if mark in cell.metadata}
        if not marks:
            continue
        if len(marks) > 1 or cell.cell_type != "code" or not all(isinstance(why, str) and why.strip() for why in marks.values()):
            raise MarkError(f'a code cell may have one of {", ".join(PARITY)}, with a reason: differs="why":\n{_excerpt(cell)}')
        cell.metadata["course"] = NotebookNode(parity=marks)


def parity_of(cell: NotebookNode) -> dict[str, str]:
    """What a built notebook's cell says of real servers: {"differs": reason}, another of PARITY, or {}."""
    return dict(cell.metadata.get("course", {}).get("parity", {}))


# ── source → nbgrader ────────────────────────────────────────────────────────────────────────────────────────────


def expand(cells: list[NotebookNode]) -> tuple[list[NotebookNode], list[Task]]:
    """Cells of a source with marks → cells with nbgrader metadata, and the tasks. Raises MarkError."""
    tasks = _gather(cells)
    expanded = []
    for cell in cells:
        kind = kind_of(cell)
        if kind == "hints":      # they travel in the prompt's metadata
            continue
        marks = {key: cell.metadata.pop(key) for key in (*KINDS, "name", "minutes", "points", "topic") if key in cell.metadata}
        if kind == "task":
            _expand_prompt(cell, tasks[marks["name"]])
        elif kind == "answer":
            _nbgrader(cell, marks["answer"], solution=True, locked=False)
        elif kind in ("check", "hidden"):
            task = tasks[marks[kind]]
            number = sum(c.metadata.get("nbgrader", {}).get("grade_id", "").startswith(f"{task.name}_{kind}_") for c in expanded)
            _nbgrader(cell, f"{task.name}_{kind}_{number + 1}", points=marks["points"])
            _expand_check(cell, kind, marks)
        expanded.append(cell)
    return expanded, sorted(tasks.values(), key=lambda task: [int(n) for n in task.number.split(".")])


def _gather(cells) -> dict[str, Task]:
    """Read every mark once, and refuse what cannot be graded."""
    tasks: dict[str, Task] = {}
    for cell in cells:
        marks, kind = cell.metadata, kind_of(cell)
        if kind == "task":
            task = _read_prompt(cell)
            if task.name in tasks or task.number in {other.number for other in tasks.values()}:
                raise MarkError(f"task {task.number} ({task.name}) is there twice; numbers and names are unique")
            tasks[task.name] = task
        elif kind:
            if marks[kind] not in tasks:
                raise MarkError(f'{kind}="{marks[kind]}" comes before, or without, a prompt with name="{marks[kind]}"')
            _count(tasks[marks[kind]], kind, cell)
    for task in tasks.values():
        missing = [what for what, there in (("an answer cell", task.answers == 1), ("a visible check", task.checks),
                                            ("a hidden check", task.hidden), ("hints", task.hints)) if not there]
        if missing:
            raise MarkError(f"task {task.number} ({task.name}) needs {', '.join(missing)}")
    return tasks


def _read_prompt(cell) -> Task:
    title = re.match(r"### (.+)", cell.source)
    if not title or not {"name", "minutes"} <= set(cell.metadata):
        raise MarkError(f'a prompt has task="…" name="…" minutes=… and starts with "### Title":\n{_excerpt(cell)}')
    if not re.fullmatch(r"\d+\.\d+", str(cell.metadata["task"])) or not re.fullmatch(r"[a-z][a-z0-9_]*", cell.metadata["name"]):
        raise MarkError(f'a task is numbered like "2.3" and named like "load_once":\n{_excerpt(cell)}')
    return Task(cell.metadata["task"], cell.metadata["name"], title[1].strip(), cell.metadata["minutes"])


def _count(task: Task, kind: str, cell) -> None:
    if kind == "hints":
        task.hints = cell.source
    elif kind == "answer":
        task.answers += 1
        if not SOLUTION.search(cell.source):
            raise MarkError(f"the answer of {task.name} has no ### BEGIN SOLUTION … ### END SOLUTION")
    else:
        if not cell.metadata.get("points", 0) > 0:
            raise MarkError(f"a {kind} of {task.name} has no points=…")
        task.points += cell.metadata["points"]
        if kind == "check":
            task.checks += 1
        elif "topic" not in cell.metadata:
            raise MarkError(f'a hidden check of {task.name} has no topic="…", the words a learner reads when it fails')
        else:
            task.hidden.append(cell.metadata["topic"])


def _expand_prompt(cell, task: Task) -> None:
    headline = f"### {task.number} {task.title} · {task.minutes} minutes · {_points(task.points)}"
    cell.source = re.sub(r"^### .+", lambda _: headline, cell.source, count=1)
    _nbgrader(cell, f"{task.name}_prompt")
    cell.metadata["course"] = {"task": task.number, "name": task.name, "minutes": task.minutes, "hints": task.hints}


def _expand_check(cell, kind: str, marks: dict) -> None:
    if kind == "check":
        cell.source = CHECK_IMPORT + cell.source
    else:
        note = f"# {_points(marks['points'])} at grading: {marks['topic']}\n"
        cell.source = note + HIDDEN_BEGIN + CHECK_IMPORT + cell.source + HIDDEN_END
        cell.metadata.setdefault("course", NotebookNode())["topic"] = marks["topic"]


def _nbgrader(cell, grade_id: str, points=None, solution=False, locked=True) -> None:
    """Schema 3 of nbgrader's cell metadata."""
    cell.metadata["nbgrader"] = {"grade": points is not None, "grade_id": grade_id, "locked": locked, "schema_version": 3,
                                 "solution": solution, "task": False} | ({} if points is None else {"points": points})


# ── nbgrader → source ────────────────────────────────────────────────────────────────────────────────────────────


def contract(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cells with nbgrader metadata → cells with marks; the reverse of `expand`.

    Cells that an instructor made with nbgrader's own Create Assignment bar are understood too: a graded cell belongs to the
    answer above it.
    """
    contracted, name = [], None
    for cell in cells:
        parity = parity_of(cell)
        grading, facts = cell.metadata.pop("nbgrader", {}), cell.metadata.pop("course", {})
        cell.metadata.update(parity)
        if not grading:
            contracted.append(cell)
        elif "task" in facts:
            contracted += _contract_prompt(cell, facts)
        elif grading.get("solution"):
            name = grading["grade_id"]
            contracted.append(_marked(cell, {"answer": name}))
        elif grading.get("grade"):
            if name is None:
                raise MarkError(f"this check stands before every answer; it must follow one:\n{_excerpt(cell)}")
            contracted.append(_contract_check(cell, name, grading["points"], facts))
        else:
            raise MarkError(f"this cell is locked but is no prompt and no check; unlock it or make it one:\n{_excerpt(cell)}")
    return contracted


def _contract_prompt(cell, facts: dict) -> list[NotebookNode]:
    cell.source = re.sub(r"^### [\d.]+ (.+?) · \d+ minutes · .*", r"### \1", cell.source, count=1)
    cell = _marked(cell, {key: facts[key] for key in ("task", "name", "minutes")})
    return [cell, _marked(new_markdown_cell(facts["hints"]), {"hints": facts["name"]})]


def _contract_check(cell, name: str, points, facts: dict) -> NotebookNode:
    hidden = HIDDEN_BEGIN in cell.source
    if hidden:
        cell.source = cell.source.partition(HIDDEN_BEGIN)[2].rpartition(HIDDEN_END)[0]
    cell.source = cell.source.removeprefix(CHECK_IMPORT)
    if not hidden:
        return _marked(cell, {"check": name, "points": points})
    return _marked(cell, {"hidden": name, "points": points, "topic": facts.get("topic", "")})


def _marked(cell, marks: dict) -> NotebookNode:
    cell.metadata = NotebookNode(marks | cell.metadata)   # marks first: the order in which an author writes them
    return cell


# ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────


def list_items(text: str) -> list[str]:
    """The items of a Markdown list; an indented line continues its item."""
    return [re.sub(r"\n\s+", " ", item).strip() for item in re.split(r"^- ", text, flags=re.M)[1:]]


def _points(points: float) -> str:
    return "1 point" if points == 1 else f"{points:g} points"


def _excerpt(cell) -> str:
    return "\n".join("    " + line for line in cell.source.splitlines()[:4])
