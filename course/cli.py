"""The verbs of `python -m course`: lab, test, build, sync, grade, parity, doctor."""

import importlib
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PASS_ON = {"ignore_unknown_options": True, "help_option_names": []}

# Commands that other packages define are imported only when they are used, so that `--help` stays quick.
ELSEWHERE = {"grade": ("grader.cli", "grade", "Grade a class: python -m course grade ASSIGNMENT.")}


class Verbs(click.Group):
    """A click group that also knows the commands in ELSEWHERE, without importing them."""

    def list_commands(self, context):
        return [*super().list_commands(context), *ELSEWHERE]

    def get_command(self, context, name):
        if name not in ELSEWHERE:
            return super().get_command(context, name)
        module, attribute, _ = ELSEWHERE[name]
        return getattr(importlib.import_module(module), attribute)

    def format_commands(self, context, formatter):
        here = {name: command.get_short_help_str(90) for name, command in self.commands.items()}
        there = {name: summary for name, (_, _, summary) in ELSEWHERE.items()}
        with formatter.section("Verbs"):
            formatter.write_dl(list({**here, **there}.items()))


@click.group(cls=Verbs, invoke_without_command=True)
@click.pass_context
def main(context):
    """The course on NoSQL stores. Without a verb: lab."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if context.invoked_subcommand is None:
        context.invoke(lab)


@main.command(context_settings=PASS_ON)
@click.option("--real", default="", metavar="STORES", help="Run real servers for the session: redis,memcached,cassandra,neo4j.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(real="", options=()):
    """Open the course in JupyterLab; OPTIONS go to JupyterLab (--no-browser, --port 9999, ...)."""
    from course.lab import start

    with ExitStack() as session:
        for name in filter(None, real.split(",")):
            launch(name, session)
        sys.exit(start(ROOT, list(options)))


def launch(name, session):
    """Start the real server of the store `name` until `session` ends, and let its address be found by `stores.start`."""
    from stores import local

    if name not in local.OF_STORE:
        raise click.BadParameter(f"no real server is known for {name!r}. Known: {', '.join(local.OF_STORE)}", param_hint="--real")
    try:
        program = session.enter_context(local.launch(local.OF_STORE[name]))
        os.environ.update(program.environment())
    except (local.NotFound, RuntimeError) as problem:
        raise click.ClickException(f"{problem}\nOr leave --real out: the embedded server does.") from problem
    click.echo(f"{name}: a real server at {program.url}, for this session only")


@main.command(context_settings=PASS_ON)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def test(options):
    """Check the project: ruff, then pytest; OPTIONS go to pytest (tests/test_lab.py, -k name, -x, ...)."""
    codes = [
        subprocess.call([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT),
        subprocess.call([sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *options], cwd=ROOT),
    ]
    sys.exit(max(map(abs, codes)))  # a program that a signal ended has a negative code


@main.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if a generated file is not up to date.")
@click.option("--force", is_flag=True, help="Overwrite generated notebooks that were edited since.")
def build(check, force):
    """Make notebooks/, solutions/ and exercises/ from sources/."""
    from course.build import BuildError, build

    try:
        built = build(ROOT, check=check, force=force)
    except BuildError as problem:
        raise click.ClickException(str(problem)) from problem
    stale = [*(f"write   {name}" for name in built.written), *(f"remove  {name}" for name in built.removed)]
    for line in stale:
        click.echo(line)
    click.echo(f"{len(built.unchanged)} files were up to date, {len(stale)} {'are' if check else 'were'} not.")
    if check and stale:
        raise click.ClickException("generated files are not up to date: run  python -m course build")


@main.command()
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def sync(notebook):
    """Bring an edited NOTEBOOK of notebooks/ or solutions/ back into its source."""
    from course.build import BuildError, sync

    try:
        source = sync(ROOT, notebook)
    except BuildError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"wrote {source.relative_to(ROOT)}; now run  python -m course build")


@main.command()
@click.argument("stores", nargs=-1, metavar="[STORE]...")
def parity(stores):
    """Run every chapter and solution on real servers too, and compare cell by cell.

    With STORE names: only the notebooks that use one of them, and docs/parity.md is left as it is.
    """
    from rich.console import Console

    from course import parity
    from course.parity.report import page, show

    console = Console()
    try:
        report = parity.parity(ROOT, stores, tell=lambda line: console.print(line, style="dim", highlight=False))
    except parity.UnknownStore as problem:
        raise click.BadParameter(str(problem), param_hint="STORE") from problem
    show(report, console)
    if not stores:
        (ROOT / "docs" / "parity.md").write_text(page(report), encoding="utf-8", newline="\n")
        console.print("wrote docs/parity.md")
    sys.exit(int(report.failed))


@main.command()
def doctor():
    """Say what is well and what is not, and how to repair it."""
    from course.doctor import examine

    sys.exit(examine(ROOT))


if __name__ == "__main__":
    main(prog_name="python -m course")
