"""What all tests share: the project's root, real programs where a test needs one, and no clock for hypothesis."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

import stores

settings.register_profile("course", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("course")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


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
    for variable in ("REDIS_URL", "MEMCACHED_URL"):
        monkeypatch.delenv(variable, raising=False)
