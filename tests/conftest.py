"""What all tests share: the project's root, real programs where a test needs one, and no clock for hypothesis."""

import importlib
import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

import stores

settings.register_profile("course", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("course")

ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    told = "stores that are real in this run, where their tests allow it: --real neo4j. Without an address they are started here"
    parser.addoption("--real", default="", metavar="STORES", help=told)


def pytest_configure(config):
    """Start the real servers that --real names and the environment does not. The workers inherit their addresses."""
    config.started = []
    if hasattr(config, "workerinput"):
        return
    for store in filter(None, config.getoption("--real").split(",")):
        if not os.environ.get(variable(store)):
            program = stores.local.launch(stores.local.OF_STORE[store])
            config.started.append(program)
            os.environ.update(program.environment())


def pytest_unconfigure(config):
    for program in config.started:
        program.stop()


def variable(store):
    """The environment variable that names a store's real server."""
    return importlib.import_module(f"stores.{store}").VARIABLE


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def chosen(request):
    """Give chosen(store): a context in which stores.start(store) is embedded, or real where --real asks for that."""
    real = request.config.getoption("--real").split(",")

    @contextmanager
    def choose(store):
        with pytest.MonkeyPatch.context() as patch:
            if store not in real:
                patch.delenv(variable(store), raising=False)
            yield

    return choose


@pytest.fixture(scope="session")
def launch():
    """Give launch(name, *arguments): a real program from the PATH, stopped after the tests.

    A missing program skips the test with a reason; in CI (CI=true) it fails it, but on Windows, which has neither program.
    """
    programs = []

    def start(name, *arguments):
        if stores.local.find(name) is None:
            refuse = pytest.fail if os.environ.get("CI") == "true" and os.name != "nt" else pytest.skip
            refuse(f"{name} is not on the PATH")
        programs.append(stores.local.launch(name, *arguments))
        return programs[-1]

    yield start
    for program in programs:
        program.stop()


@pytest.fixture(scope="session")
def redis_server(launch):
    """A real redis-server, shared by the tests of one worker."""
    return launch("redis-server")


@pytest.fixture(scope="session")
def memcached_program(launch):
    """A real memcached, shared by the tests of one worker."""
    return launch("memcached")


@pytest.fixture(autouse=True)
def no_addresses(request, monkeypatch):
    """Stores are embedded unless --real names them, whatever the environment of the developer."""
    for store in set(stores.NAMES) - set(request.config.getoption("--real").split(",")):
        monkeypatch.delenv(variable(store), raising=False)
