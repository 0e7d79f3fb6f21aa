"""What a run of parity found: for the terminal, and as the page docs/parity.md."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Column, Table

from course.parity.compare import Compared, Verdict

INTRODUCTION = """\
# Embedded and real, cell by cell

Every chapter and every reference solution, with its visible and hidden checks, ran on the embedded servers and on real ones. What each
code cell put out was compared. `python -m course parity` did that and wrote this page.

- **asked it**: how many of the cells sent something to a real server. The others compute, draw or define; they are compared as well.
- **same**: equal, but for what no two runs share (addresses and ports, the name of the engine, random ids, today's time).
- **different**: other outputs, for the reason that the author gives.
- **not applicable**: needs what a real server does not give; it fails there, or asks for an embedded server in both runs.
- **not run**: talks to a server that could not be had where this page was made.
- **not the same twice**: a measured time, a random sample, or a picture of one: two runs on one server differ too. Compared without
  its numbers.
"""
WRONG = (Verdict.STALE, Verdict.UNMARKED)
COUNTED = tuple(verdict for verdict in Verdict if verdict not in WRONG)
NAME_WIDTH = 60


@dataclass
class Report:
    """engines: store → (embedded, real) of those that answered. missing: store → why it did not. stores: notebook → the stores
    that it uses, which may be none. cells: notebook → its cells, of those that ran. broken: notebook → why it did not end."""
    engines: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    stores: dict[str, set[str]] = field(default_factory=dict)
    cells: dict[str, list[Compared]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def of(self, verdict: Verdict) -> list[tuple[str, Compared]]:
        """The cells of one verdict, each with its notebook."""
        return [(notebook, cell) for notebook, cells in self.cells.items() for cell in cells if cell.verdict == verdict]

    @property
    def failed(self) -> bool:
        return bool(self.of(Verdict.UNMARKED) or self.broken)

    def not_run(self) -> dict[str, str]:
        """Notebook → why it did not run on a real server."""
        absent = {notebook: "; ".join(f"{name}: {self.missing.get(name, 'not asked for')}" for name in sorted(used))
                  for notebook, used in self.stores.items() if used and notebook not in self.cells}
        return absent | self.broken

    def half(self, notebook: str) -> set[str]:
        """The stores of a notebook that were embedded in its run on real servers too."""
        return self.stores[notebook] - set(self.engines)


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────


def page(report: Report) -> str:
    """The report as Markdown."""
    parts = [INTRODUCTION, *_counts(report), *_servers(report)]
    for notebook, cells in report.cells.items():
        if told := [cell for cell in cells if cell.verdict != Verdict.SAME]:
            rows = [(cell.number, f"`{shortened(cell.name)}`", cell.verdict, cell.reason) for cell in told]
            parts += [f"## {notebook}\n", table(("cell", "", "", "why"), rows)]
    return "\n".join(parts)


def _counts(report: Report) -> Iterable[str]:
    shown = [verdict for verdict in Verdict if verdict in COUNTED[:3] or report.of(verdict)]
    rows = []
    for notebook, cells in report.cells.items():
        count = Counter(cell.verdict for cell in cells)
        real = ", ".join(sorted(report.stores[notebook] - report.half(notebook)))
        rows.append((notebook, real, len(cells), sum(cell.asked for cell in cells), *(count[verdict] for verdict in shown)))
    totals = [sum(column) for column in list(zip(*rows, strict=True))[2:]]
    yield table(("notebook", "real", "cells", "asked it", *shown), [*rows, ("**all**", "", *totals)])
    yield from (f"{notebook}: {name} was embedded in both runs ({report.missing.get(name, 'not asked for')}).\n"
                for notebook in report.cells for name in sorted(report.half(notebook)))
    if alone := [notebook for notebook, used in report.stores.items() if not used]:
        yield f"Without any server: {', '.join(alone)}.\n"
    if absent := report.not_run():
        yield "## Not run on a real server\n"
        yield table(("notebook", "why"), absent.items())


def _servers(report: Report) -> Iterable[str]:
    yield "## The servers\n"
    yield table(("store", "embedded", "real"), [(name, *engines) for name, engines in report.engines.items()]
                + [(name, "", f"none: {why}") for name, why in report.missing.items()])


def table(header: Sequence, rows: Iterable[Sequence]) -> str:
    """A Markdown table; a bar in a cell is escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def shortened(name: str) -> str:
    name = name.replace("`", "'")
    return name if len(name) <= NAME_WIDTH else name[:NAME_WIDTH] + " …"


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────────────────


def show(report: Report, console: Console) -> None:
    """Print the counts, and every cell that calls for its author."""
    shown = [verdict for verdict in Verdict if verdict == Verdict.SAME or report.of(verdict)]
    counts = Table(Column("notebook", overflow="fold", min_width=30), *shown)
    for notebook, cells in report.cells.items():
        count = Counter(cell.verdict for cell in cells)
        counts.add_row(notebook.removesuffix(".ipynb"), *(str(count[verdict] or "") for verdict in shown))
    if report.cells:
        console.print(counts)
    for name, engines in report.engines.items():
        console.print(f"{name}: {engines[0]}, and {engines[1]}", highlight=False)
    for name, why in report.missing.items():
        console.print(f"{name}: no real server ({why})", style="yellow", highlight=False)
    for notebook, why in report.not_run().items():
        console.print(f"not run: {notebook} ({why})", style="yellow", highlight=False)
    for verdict in WRONG:
        for notebook, cell in report.of(verdict):
            console.print(f"\n{verdict}: {notebook}, code cell {cell.number}, {shortened(cell.name)}", style="bold", markup=False)
            console.print(f"  {cell.reason}", markup=False, highlight=False)
            if cell.diff:
                console.print(Syntax(cell.diff, "diff", background_color="default", word_wrap=True))


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
