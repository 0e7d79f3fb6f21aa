"""Binder: repo2docker's own code reads the repository, and the mistakes it would let pass are looked for.

No Docker is needed: the buildpack is asked for its Dockerfile and for the build context that Docker would receive.
"""

import io
import os
import re
import shutil
import tarfile
from pathlib import Path

import pytest

if os.name == "nt":
    pytest.skip("repo2docker runs on Linux and macOS only", allow_module_level=True)

from repo2docker.app import Repo2Docker

# Names that mean something else on conda-forge: name → what to write.
OTHER_THINGS = {"redis": "redis-py", "neo4j": "neo4j-python-driver", "cassandra": "cassandra-driver"}
NEEDED = ("environment.yml", "pyproject.toml", "README.md", "LICENSE", "course", "binder")


class NoDocker:
    """Stands where the Docker client would be, and keeps the build context that it is given."""

    def build(self, fileobj=None, **_):
        self.context = io.BytesIO(fileobj.read())
        return iter(())


def buildpack(folder, monkeypatch):
    """The buildpack that repo2docker chooses for `folder`, or None. (It works on the current folder.)"""
    monkeypatch.chdir(folder)
    app = Repo2Docker()
    app.platform = "linux/amd64"
    for kind in app.buildpacks:
        pack = kind(base_image=app.base_image)
        if pack.detect():
            pack.platform, pack.appendix, pack.labels = app.platform, "", {}
            return pack
    return None


def lint(folder, monkeypatch):
    """What would go wrong on Binder, as a list of sentences; empty if nothing."""
    pack = buildpack(folder, monkeypatch)
    if pack is None:
        return ["repo2docker finds nothing that it can build"]
    if type(pack).__name__ != "CondaBuildPack" or pack.binder_dir != "binder":
        return [f"repo2docker chooses {type(pack).__name__} in {pack.binder_dir or '.'}, not conda in binder"]
    return [*lint_environment(pack), *lint_script("postBuild"), *lint_script("start"), *lint_context(pack)]


def lint_environment(pack):
    """The Python pin that repo2docker understands, and package names that mean what they seem to."""
    dependencies = pack.environment_yaml["dependencies"]
    names = {re.split(r"[\s=<>!~]", each)[0]: each for each in dependencies if isinstance(each, str)}
    pin = names.get("python", "none")
    if not re.fullmatch(r"python=3\.12\.\*", pin):
        yield f"python is pinned as {pin!r}: repo2docker would take {pack.python_version}"
    for name in names.keys() & OTHER_THINGS.keys():
        yield f"{name} is another thing on conda-forge: write {OTHER_THINGS[name]}"
    for each in dependencies:
        for line in each["pip"] if isinstance(each, dict) else ():
            if line.startswith((".", "-", "/")):
                yield f"pip line {line!r}: the project is not there yet when the environment is made"


def lint_script(name):
    """A script of binder/: found by repo2docker, runnable, failing loudly, and (start) becoming the server."""
    path = Path("binder") / name
    if not path.exists():
        yield f"{path} is missing"
        return
    text = path.read_bytes().decode()
    if not text.startswith("#!/bin/bash\n"):
        yield f"{path} does not begin with #!/bin/bash and a Unix line end"
    if "\r" in text:
        yield f"{path} has Windows line ends"
    if not os.access(path, os.X_OK):
        yield f"{path} is not executable"
    if not re.search(r"^set -e", text, re.M):
        yield f"{path} goes on after an error: set -e"
    if name == "start" and text.rstrip().splitlines()[-1] != 'exec "$@"':
        yield f'{path} does not end with exec "$@"'


def lint_context(pack):
    """Every link of the build context leads to a file of the build context."""
    docker = NoDocker()
    list(pack.build(docker, "image", 0, {"NB_USER": "jovyan", "NB_UID": "1000"}, [], {}))
    with tarfile.open(fileobj=docker.context) as context:
        names = set(context.getnames())
        for member in context:
            if member.issym():
                target = os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname))
                if target not in names:
                    yield f"{member.name} is a dangling link to {member.linkname}"


@pytest.fixture
def repository(root, tmp_path):
    """A copy of what Binder reads of this repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in NEEDED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, folder / name)
    return folder


def test_binder_can_build_this_repository(repository, monkeypatch):
    assert lint(repository, monkeypatch) == []


def test_the_dockerfile_holds_what_we_asked_for(repository, monkeypatch):
    pack = buildpack(repository, monkeypatch)
    dockerfile = pack.render({"NB_USER": "jovyan", "NB_UID": "1000"})
    assert pack.python_version == "3.12"
    assert not pack.separate_kernel_env, "one environment for the server and the kernels"
    assert "binder/environment.yml" in dockerfile
    assert re.search(r"apt-get.*install.*(redis-server.*memcached|memcached.*redis-server)", dockerfile, re.S)
    assert "./binder/postBuild" in dockerfile
    assert pack.get_start_script() == "${REPO_DIR}/binder/start"


def replace(path, old, new):
    text = path.read_bytes()
    assert old.encode() in text, f"nothing to break in {path.name}"
    path.write_bytes(text.replace(old.encode(), new.encode()))


# (what is broken, how, a part of what the lint must say)
BROKEN = [
    ("python range", lambda r: replace(r / "environment.yml", "python=3.12.*", "python>=3.11"), "pinned as 'python>=3.11'"),
    ("python missing", lambda r: replace(r / "environment.yml", "- python=3.12.*", "# -"), "python is pinned as 'none'"),
    ("name", lambda r: replace(r / "environment.yml", "- redis-py", "- redis"), "redis is another thing"),
    ("pip path", lambda r: replace(r / "environment.yml", "- mongomock", "- -e .\n      - mongomock"), "pip line '-e .'"),
    ("start", lambda r: replace(r / "binder/start", 'exec "$@"', '"$@"'), 'does not end with exec "$@"'),
    ("set -e", lambda r: replace(r / "binder/postBuild", "set -euo pipefail", ""), "goes on after an error"),
    ("line ends", lambda r: replace(r / "binder/start", "\n", "\r\n"), "Windows line ends"),
    ("no start", lambda r: (r / "binder/start").unlink(), "start is missing"),
    ("environment gone", lambda r: (r / "environment.yml").unlink(), "nothing that it can build"),
    ("dangling", lambda r: (r / "course/data").symlink_to("../data"), "dangling link to ../data"),
    ("not executable", lambda r: (r / "binder/start").chmod(0o644), "not executable"),
    ("no binder", lambda r: shutil.rmtree(r / "binder"), "not conda in binder"),
]


@pytest.mark.parametrize("spoil, complaint", [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN])
def test_the_lint_notices_what_is_broken(repository, monkeypatch, spoil, complaint):
    spoil(repository)
    found = lint(repository, monkeypatch)
    assert any(complaint in sentence for sentence in found), found
