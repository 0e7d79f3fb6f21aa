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
    told = "stores whose conformance suite runs on the real server that the environment names: --real neo4j"
    parser.addoption("--real", default="", metavar="STORES", help=told)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def chosen(request):
    """Give chosen(store): a context in which stores.start(store) is embedded, or real where --real asks for that."""
    real = request.config.getoption("--real").split(",")

    @contextmanager
    def choose(store):
        variable = importlib.import_module(f"stores.{store}").VARIABLE
        with pytest.MonkeyPatch.context() as patch:
            if store not in real:
                patch.delenv(variable, raising=False)
            elif not os.environ.get(variable):
                pytest.fail(f"--real {store} needs the address of a real server in {variable}")
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
def no_addresses(monkeypatch):
    """Tests are embedded unless they say otherwise, whatever the environment of the developer."""
    for variable in ("REDIS_URL", "MEMCACHED_URL", "NEO4J_URI", "CASSANDRA_CONTACT_POINTS"):
        monkeypatch.delenv(variable, raising=False)
