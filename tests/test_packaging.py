"""pyproject.toml, requirements.lock and environment.yml say the same thing."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# PyPI's name → conda-forge's, where they differ.
CONDA_NAMES = {"redis": "redis-py", "neo4j": "neo4j-python-driver", "matplotlib": "matplotlib-base",
               "dogpile-cache": "dogpile.cache"}
NOT_LOCKED = {"relational"}  # large, and not for every Python: pyproject.toml says so
SYSTEMS = [{"sys_platform": system, "os_name": name, "platform_system": title, "platform_machine": machine}
           for system, name, title, machine in [("linux", "posix", "Linux", "x86_64"), ("linux", "posix", "Linux", "aarch64"),
                                                ("darwin", "posix", "Darwin", "arm64"), ("darwin", "posix", "Darwin", "x86_64"),
                                                ("win32", "nt", "Windows", "AMD64")]]
PYTHONS = ["3.11.0", "3.12.0", "3.13.0", "3.14.0"]


@pytest.fixture(scope="module")
def declared(root):
    """Every dependency of pyproject.toml, extras included, but for those that nobody gets without asking."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in NOT_LOCKED}
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    return [Requirement(line) for line in lines]


@pytest.fixture(scope="module")
def entries(root):
    """The lock's entries, each one logical line: requirement, then its hashes."""
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    without_comments = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    return without_comments.replace("\\\n", " ").strip().splitlines()


@pytest.fixture(scope="module")
def locked(entries):
    """The lock as [(name, version, marker or None)]."""
    requirements = [Requirement(entry.split("--hash")[0].strip()) for entry in entries]
    return [(canonicalize_name(each.name), next(iter(each.specifier)).version, each.marker) for each in requirements]


@pytest.fixture(scope="module")
def conda(root):
    """environment.yml as (conda's requirements, pip's requirements), each {name: Requirement or pin}."""
    lines = yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = next(line["pip"] for line in lines if isinstance(line, dict))
    names = {re.split(r"[\s=<>]", line)[0]: line for line in lines if isinstance(line, str)}
    return names, {canonicalize_name(Requirement(line).name): Requirement(line) for line in pip}


def test_the_lock_names_no_address_and_no_machine(root):
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|@ ", text)


def test_every_locked_package_has_one_version_and_hashes(entries):
    for entry in entries:
        assert re.match(r"[a-z0-9][a-z0-9.-]*==\S+( ; .+?)?\s+--hash=sha256:[0-9a-f]{64}", entry), entry
        assert not re.search(r"--hash=(?!sha256:[0-9a-f]{64}(\s|$))", entry), entry


def test_what_slows_every_start_is_left_out(locked):
    assert "rfc3987-syntax" not in {name for name, _, _ in locked}, "see pyproject.toml for how to make the lock"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: f"{system['sys_platform']}-{system['platform_machine']}")
def test_every_dependency_is_locked_once_at_a_version_that_fits(declared, locked, system, python):
    here = {**system, "python_full_version": python, "python_version": python[:4], "implementation_name": "cpython",
            "platform_python_implementation": "CPython", "extra": ""}
    chosen = {}
    for name, version, marker in locked:
        if marker is None or marker.evaluate(here):
            assert name not in chosen, f"{name} is locked at {chosen.get(name)} and at {version}"
            chosen[name] = version
    for requirement in declared:
        if requirement.marker is None or requirement.marker.evaluate(here):
            version = chosen.get(canonicalize_name(requirement.name))
            assert version, f"{requirement.name} is not locked: see pyproject.toml for how to make the lock"
            assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_conda_has_every_dependency_with_the_same_bounds(declared, conda):
    names, pip = conda
    for requirement in declared:
        if requirement.marker is not None:  # only for systems where pip needs help; conda brings its own builds
            continue
        name = canonicalize_name(requirement.name)
        if name in pip:
            assert (pip[name].specifier, pip[name].extras) == (requirement.specifier, requirement.extras)
        else:
            conda_name = CONDA_NAMES.get(name, name)
            assert names.get(conda_name) == f"{conda_name}{requirement.specifier}"


def test_conda_has_nothing_else(declared, conda):
    names, pip = conda
    wanted = {canonicalize_name(each.name) for each in declared}
    back = {conda_name: name for name, conda_name in CONDA_NAMES.items()}
    extra = {name for name in names if back.get(name, name) not in wanted} | (pip.keys() - wanted)
    assert extra == {"python", "pip"}
    assert names["python"] == "python=3.12.*"


def test_the_same_oldest_python_everywhere(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    assert "OLDEST = (3, 11)" in (root / "course" / "__main__.py").read_text(encoding="utf-8")


def test_every_local_link_of_the_readme_leads_somewhere(root):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (root / "README.md").read_text(encoding="utf-8"))
    assert "LICENSE" in links
    assert [link for link in links if not (root / link).exists()] == []
