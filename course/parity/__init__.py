"""`python -m course parity`: every chapter and solution on embedded and on real servers, compared cell by cell.

    run.py        notebooks, the stores that they use, their execution in fresh kernels
    watch.py      in such a kernel: which cells an embedded server served
    servers.py    the real servers, from the environment or started for the run
    normalise.py  what two runs never share, as rules
    compare.py    the verdict on each cell, held against the marks of course.marks
    report.py     the terminal's table and docs/parity.md
"""

from collections.abc import Callable, Collection
from pathlib import Path

from nbclient.exceptions import CellTimeoutError, DeadKernelError

import stores
from course.parity.compare import compare
from course.parity.report import Report, relative
from course.parity.run import execute, notebooks
from course.parity.servers import real_servers


class UnknownStore(ValueError):
    """There is no store of this name; the message lists those that there are."""


def parity(root: Path, asked: Collection[str] = (), tell: Callable[[str], None] = print) -> Report:
    """Run and compare the notebooks under `root` that use one of the stores `asked` for (all stores that notebooks use, if empty).

    tell  is called with a line of text before each run
    Raises UnknownStore. A store whose server cannot be had is in the report, with the reason.
    """
    if unknown := set(asked) - set(stores.NAMES):
        raise UnknownStore(f"no store is called {', '.join(sorted(unknown))}. Expected some of: {', '.join(stores.NAMES)}")
    used = notebooks(root)
    wanted = sorted(set(asked) or set().union(*used.values()))
    listed = {path: names for path, names in used.items() if names & set(wanted) or not asked}
    report = Report(stores={relative(path, root): names for path, names in listed.items()})
    tell(f"starting {', '.join(wanted)}")
    with real_servers(wanted) as servers:
        report.engines, report.missing = servers.engines, servers.missing
        for path, names in listed.items():
            if names & set(servers.engines):
                _compare_one(path, relative(path, root), servers.addresses, names - set(servers.engines), report, tell)
    return report


def _compare_one(path: Path, name: str, addresses: dict[str, str], absent: set[str], report: Report, tell) -> None:
    """Run one notebook on both kinds of server and note in the report how its cells compare, or why it did not end."""
    def run(kind, times=""):
        tell(f"{name}, {kind}{times}")
        return execute(path, addresses if kind == "real" else {})

    try:
        embedded, real = run("embedded"), run("real")
        report.cells[name] = compare(embedded, real, lambda kind: run(kind, " once more"), absent)
    except (CellTimeoutError, DeadKernelError) as problem:
        report.broken[name] = str(problem).strip().splitlines()[0]
