"""`python -m course doctor`: what is well, what is not, and how to repair it. It changes nothing."""

import importlib.metadata
import os
import re
import shutil
import socket
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from course.environment import NEWEST, STAMP, UNFINISHED, Environment

PROGRAMS = ("redis-server", "memcached")
DISK_WANTED = 1_000_000_000  # bytes


class Finding(NamedTuple):
    """One line of the report. `fix` is empty where all is well."""

    what: str
    found: str
    fix: str = ""


def examine(root, console=None):
    """Print every finding about the project folder `root`; returns the exit code, 1 if something needs repair."""
    console = console or Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    problems = 0
    for look in (python, environment, packages, kernel, stores, loopback, disk, programs, notebooks):
        for finding in look(Path(root)):
            problems += bool(finding.fix)
            state = "[red]problem[/red]" if finding.fix else "[green]ok[/green]"
            text = escape(finding.found) + (f"\n[bold]fix[/bold] {escape(finding.fix)}" if finding.fix else "")
            table.add_row(state, finding.what, text)
    console.print(table)
    console.print("All is well." if not problems else f"{problems} problem{'s' if problems > 1 else ''} to repair.")
    return 1 if problems else 0


def python(root):
    """The Python that runs the course."""
    version = "{}.{}.{}".format(*sys.version_info[:3])
    fits = (3, 11) <= sys.version_info[:2] <= NEWEST
    fix = "" if fits else f"Use Python 3.11 to {NEWEST[0]}.{NEWEST[1]}."
    yield Finding("Python", f"{version} in {sys.prefix}", fix)


def environment(root):
    """The folder .venv: finished, half-made, out of date, or leftovers of an old one."""
    venv = Environment(root)
    if Path(sys.prefix).resolve() == venv.folder.resolve():
        fix = "" if venv.is_ready() else "Run  python -m course lab  from the project's folder: it makes the environment again."
        yield Finding("environment", f"{venv.folder} ({'complete' if not fix else 'does not fit this project'})", fix)
    else:
        yield Finding("environment", f"{sys.prefix} (not made by `python -m course`)")
        if venv.stamp.exists() and venv.stamp.read_text(errors="replace") == UNFINISHED:
            yield Finding("environment", f"{venv.folder} was never finished ({STAMP} says so)",
                          f"Delete {venv.folder}, or let the next `python -m course lab` make it again.")
    for old in sorted(venv.folder.parent.glob(f"{venv.folder.name}.old*")):
        yield Finding("environment", f"{old} is what is left of an old environment", f"Close all notebooks and delete {old}.")


def packages(root):
    """The installed packages against requirements.lock; in conda's environment against pyproject.toml's bounds."""
    locked = Environment(root).is_ready()
    wanted = locked_requirements(root) if locked else declared_requirements(root)
    wrong = []
    for requirement in wanted:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            version = "missing"
        if version == "missing" or not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} (wanted {requirement.specifier})")
    source = "requirements.lock" if locked else "pyproject.toml"
    if not wrong:
        yield Finding("packages", f"{len(wanted)} packages as {source} wants them")
        return
    way = "Delete .venv and run  python -m course lab." if locked else "conda env update -f environment.yml"
    yield Finding("packages", f"not as {source} wants them: {', '.join(wrong)}", way)


def locked_requirements(root):
    """Every package that requirements.lock pins for this Python and this system, as Requirements."""
    lines = (root / "requirements.lock").read_text().splitlines()
    return applicable(re.sub(r"\s*\\$", "", line) for line in lines if line[:1].isalnum())


def declared_requirements(root):
    """Every dependency of pyproject.toml, extras included, as Requirements."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return applicable(chain(project["dependencies"], *project["optional-dependencies"].values()))


def applicable(lines):
    """The requirements among `lines` whose marker holds here."""
    requirements = [Requirement(line) for line in lines]
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def kernel(root):
    """The notebook kernel must run this environment's Python, or `import stores` fails in a notebook."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # as `lab` does
    try:
        found = KernelSpecManager().get_kernel_spec("python3").resource_dir
    except NoSuchKernel:
        yield Finding("kernel", "Jupyter finds no kernel named python3", "Delete .venv and run  python -m course lab.")
        return
    foreign = not Path(found).resolve().is_relative_to(Path(sys.prefix).resolve())
    fix = f"Another Python's kernel hides this one: remove {found} (jupyter kernelspec remove python3)." if foreign else ""
    yield Finding("kernel", f"python3 from {found}", fix)


def stores(root):
    """Which server each store is: the embedded one, or the real one that an address in the environment names."""
    try:
        import stores
    except ImportError as error:
        yield Finding("stores", str(error), "Run doctor from the project's folder: python -m course doctor.")
        return
    try:
        for name in stores.NAMES:
            try:
                server = stores.start(name)
                yield Finding(name, f"{server.kind}: {server.engine} at {without_password(server.url)}")
            except Exception as error:  # whatever a store's engine raises, the other lines are still wanted
                yield Finding(name, str(error), f"Start that server, or unset {name.upper()}_URL to use the embedded one.")
    finally:
        stores.stop_all()


def without_password(url):
    """An address with its password, if any, replaced by ***."""
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1***@", url)


def loopback(root):
    """Embedded servers and kernels listen on this machine's own address."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=2):
            yield Finding("ports", "127.0.0.1 accepts connections")
    except OSError as error:
        yield Finding("ports", f"127.0.0.1 refuses connections ({error})", "Let Python through the firewall on this machine.")


def disk(root):
    """Room for notebooks, pictures and a class's submissions."""
    free = shutil.disk_usage(root).free
    fix = "" if free >= DISK_WANTED else f"Make room: {DISK_WANTED / 1e9:.0f} GB free is enough."
    yield Finding("disk", f"{free / 1e9:.1f} GB free", fix)


def programs(root):
    """The real servers that some cells compare with. Nothing graded needs them."""
    for program in PROGRAMS:
        yield Finding(program, shutil.which(program) or "not installed (optional: the course's own servers do without)")


def notebooks(root):
    """The generated notebooks: all there, and how many were edited here (which is what they are for)."""
    from course.build import build

    try:
        built = build(root, check=True)
    except Exception as error:  # a broken source is an author's business, and one line of the report
        yield Finding("notebooks", str(error), "Correct the source, then run  python -m course build.")
        return
    missing = [name for name in built.written if not (root / name).exists()]
    edited = len(built.written) - len(missing)
    if missing:
        yield Finding("notebooks", f"{len(missing)} are missing, the first is {missing[0]}", "python -m course build")
    else:
        yield Finding("notebooks", f"{len(built.unchanged) + edited} files, {edited} changed since they were built")
