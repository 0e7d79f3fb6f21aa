"""What all tests share: the project's root, and no clock for hypothesis."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("course", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("course")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT
