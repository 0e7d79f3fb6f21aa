"""A student's page: each task with its points, what each check expected and got, the hint to read next."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2
import mistune
from markupsafe import Markup
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from grader.results import Came, Task, read

TEMPLATES = Path(__file__).with_name("templates")
ROWS = {"expected": "expected", "got": "got", "differs": "differs", "raised": "raised", "in": "in", "likely": "likely"}


@dataclass
class Page:
    """What a page shows. Scores of a notebook; remarks are sentences."""
    student: str
    assignment: str
    title: str
    tasks: list[Task]
    late_penalty: float = 0
    remarks: list[str] = field(default_factory=list)
    hints: dict[str, list[str]] = field(default_factory=dict)      # task's number → its hints, from a nudge to nearly the answer

    @property
    def score(self) -> float:
        return sum(task.score for task in self.tasks) - self.late_penalty

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks)


def page_of(notebook: NotebookNode, student: str, assignment: str, late_penalty: float, hints: dict[str, list[str]]) -> Page:
    """The page of a graded notebook (see grader.results) from which the code of hidden checks has been taken."""
    title = next((line.lstrip("# ") for cell in notebook.cells if cell.cell_type == "markdown"
                  for line in cell.source.splitlines() if line.startswith("# ")), assignment)
    remarks = [line.removeprefix("- ") for cell in notebook.cells if cell.get("id") == "grading-remarks"
               for line in cell.source.splitlines() if line.startswith("- ")]
    return Page(student, assignment, title, read(notebook), late_penalty, remarks, hints)


def render(page: Page) -> str:
    """The page as HTML that needs no other file."""
    return templates().get_template("feedback.html").render(page=page, ROWS=ROWS, Came=Came)


def next_hint(page: Page, task: Task) -> tuple[int, str] | None:
    """(number, text) of the first hint that was not read in the notebook; of the last, if all were; None if nothing is missing."""
    hints = page.hints.get(task.number, [])
    if not hints or all(check.came is Came.PASSED for check in task.checks):
        return None
    number = min(task.hints + 1, len(hints))
    return number, hints[number - 1]


@cache
def templates() -> jinja2.Environment:
    """The templates of pages and reports. Everything is escaped but what says that it is HTML."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    markdown = mistune.create_markdown(escape=True)
    environment.filters |= {"python": as_python, "points": "{:g}".format, "markdown": lambda text: Markup(markdown(text))}
    environment.globals |= {"next_hint": next_hint, "code_style": code_style}
    return environment


def as_python(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))


@cache
def code_style() -> Markup:
    """Colours of code for both schemes; on paper as in light."""
    light, dark = (HtmlFormatter(style=name).get_style_defs("pre.code") for name in ("tango", "github-dark"))
    return Markup(f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}")
