"""The verbs of `python -m course`, and JupyterLab as the course starts it."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import redis
from click.testing import CliRunner
from rich.console import Console

from course import cli, doctor, lab
from stores import local


def test_help_names_every_verb_and_imports_none_of_them(root):
    program = ("import sys; from click.testing import CliRunner; from course.cli import main\n"
               "print(CliRunner().invoke(main, ['--help']).output)\n"
               "print({name.split('.')[0] for name in sys.modules} & {'grader', 'nbgrader', 'jupyterlab', 'rich', 'stores'})")
    said = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True).stdout
    for verb in ("lab", "test", "build", "sync", "grade", "parity", "doctor"):
        assert f"\n  {verb} " in said
    assert said.rstrip().endswith("set()"), said


@pytest.mark.parametrize("ruff, pytest_code, expected", [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 0, 1), (1, 4, 4), (0, -9, 9)])
def test_the_verb_test_runs_both_and_fails_if_either_does(monkeypatch, ruff, pytest_code, expected):
    ran = []

    def call(command, cwd):
        ran.append(command[2:])
        return ruff if "ruff" in command else pytest_code

    monkeypatch.setattr(cli.subprocess, "call", call)
    result = CliRunner().invoke(cli.main, ["test", "-k", "redis", "--maxfail=1", "tests/test_cli.py"])
    assert result.exit_code == expected
    assert ran == [["ruff", "check", "."],
                   ["pytest", "-n", "2", "--dist", "loadgroup", "-k", "redis", "--maxfail=1", "tests/test_cli.py"]]


def test_build_says_what_is_stale_and_fails_with_check(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    chapter = tmp_path / "sources" / "chapters" / "01_x.py"
    chapter.parent.mkdir(parents=True)
    chapter.write_text('# ---\n# title: "X"\n# minutes: 1\n# summary: One.\n# ---\n\n# %% [markdown]\n# # X\n', encoding="utf-8")
    stale = CliRunner().invoke(cli.main, ["build", "--check"])
    assert (stale.exit_code, "notebooks/01_x.ipynb" in stale.output) == (1, True)
    assert not (tmp_path / "notebooks").exists()
    assert CliRunner().invoke(cli.main, ["build"]).exit_code == 0
    assert CliRunner().invoke(cli.main, ["build", "--check"]).exit_code == 0


def test_a_mistake_in_a_source_is_a_sentence_and_not_a_traceback(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    notebook = tmp_path / "mine.ipynb"
    notebook.write_text("{}")
    result = CliRunner().invoke(cli.main, ["sync", str(notebook)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


# ── lab ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lab_opens_the_start_page_or_the_readme(tmp_path):
    assert "--LabApp.default_url=/lab/tree/README.md" in lab.arguments(tmp_path, [])
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "start.md").touch()
    assert "--LabApp.default_url=/lab/tree/notebooks/start.md" in lab.arguments(tmp_path, [])


def test_a_learners_options_come_last_and_so_win(tmp_path):
    options = ["--port", "9999", "--LabApp.default_url=/lab/tree/mine.ipynb"]
    assert lab.arguments(tmp_path, options)[-3:] == options


def test_lab_can_bring_a_real_server_for_the_session(monkeypatch):
    if local.find("redis-server") is None:
        pytest.skip("redis-server is not on the PATH")
    monkeypatch.setenv("REDIS_URL", "")  # so that what lab sets is taken back after the test
    seen = []
    monkeypatch.setattr(lab, "start", lambda root, options: seen.append((os.environ["REDIS_URL"], redis_answers())) or 0)
    result = CliRunner().invoke(cli.main, ["lab", "--real", "redis", "--no-browser"])
    assert result.exit_code == 0, result.output
    assert seen == [(os.environ["REDIS_URL"], True)]
    assert f"a real server at {os.environ['REDIS_URL']}" in result.output
    assert not redis_answers(), "the server ends with the session"


def redis_answers():
    """True if a server answers at the address that the environment names."""
    with redis.Redis.from_url(os.environ["REDIS_URL"], retry=None) as client:
        try:
            return client.ping()
        except redis.ConnectionError:
            return False


def test_lab_refuses_a_real_server_that_it_does_not_know():
    result = CliRunner().invoke(cli.main, ["lab", "--real", "oracle"])
    assert result.exit_code == 2
    assert "no real server is known for 'oracle'. Known: redis, memcached, cassandra, neo4j" in result.output


def test_a_real_server_that_is_not_installed_is_a_sentence(monkeypatch):
    monkeypatch.setattr(local, "find", lambda name: None)
    result = CliRunner().invoke(cli.main, ["lab", "--real", "memcached"])
    assert result.exit_code == 1
    assert "memcached is not on the PATH" in result.output
    assert "leave --real out" in result.output


# A process that a script started in the background ignores Ctrl-C, and so would its children.
AS_IN_A_TERMINAL = ({"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else
                    {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)})


@pytest.fixture(scope="module")
def running_lab(root, tmp_path_factory):
    """JupyterLab as a learner with an empty home folder gets it: a function that asks its server for JSON."""
    home = tmp_path_factory.mktemp("home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, **dict.fromkeys(["HOME", "USERPROFILE", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"], str(home))}
    command = [sys.executable, "-m", "course.cli", "lab", "--no-browser", f"--port={port}", "--IdentityProvider.token=secret"]

    def get(path):
        address = f"http://127.0.0.1:{port}{path}?token=secret"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)

    with open(home / "log", "w+") as log:
        process = subprocess.Popen(command, cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **AS_IN_A_TERMINAL)
        try:
            wait_for(get, process, log)
            yield get
            process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
            code = process.wait(timeout=30)
        finally:
            process.kill()
    assert os.name == "nt" or code == 0, "Ctrl-C ends JupyterLab without an error"


def wait_for(get, process, log):
    """Wait until the server answers; fail with its log if it does not within 60 seconds."""
    end = time.monotonic() + 60
    while True:
        try:
            return get("/api/status")
        except OSError:
            log.seek(0)
            assert process.poll() is None and time.monotonic() < end, log.read()
            time.sleep(0.1)


def test_lab_is_quiet_and_shows_markdown_as_pages(running_lab):
    properties = running_lab("/lab/api/settings/@jupyterlab/apputils-extension:notification")["schema"]["properties"]
    assert (properties["fetchNews"]["default"], properties["checkForUpdates"]["default"]) == ("false", False)
    properties = running_lab("/lab/api/settings/@jupyterlab/docmanager-extension:plugin")["schema"]["properties"]
    assert properties["defaultViewers"]["default"] == {"markdown": "Markdown Preview"}


def test_lab_shows_the_whole_project_so_that_formgrader_finds_the_course(running_lab):
    names = {entry["name"] for entry in running_lab("/api/contents/")["content"]}
    assert {"README.md", "notebooks", "sources"} <= names


def test_lab_has_one_kernel_and_it_is_this_python(running_lab):
    found = running_lab("/api/kernelspecs")
    assert found["default"] == "python3"
    assert list(found["kernelspecs"]) == ["python3"]


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────────────────────


def examine(root):
    """(exit code, report) of doctor, on one wide page."""
    console = Console(width=400, record=True, file=io.StringIO())
    return doctor.examine(root, console), console.export_text()


def test_doctor_ends_with_0_only_if_every_line_is_ok(root, monkeypatch):
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr(doctor, "packages", lambda root: [doctor.Finding("packages", "as wanted")])
    code, report = examine(root)
    assert code == (1 if "problem" in report.split() else 0), report
    monkeypatch.setattr(doctor, "disk", lambda root: [doctor.Finding("disk", "0.0 GB free", "Make room.")])
    code, report = examine(root)
    assert code == 1
    assert "Make room." in report


def test_doctor_says_which_package_is_missing_and_how_to_get_it(tmp_path, root):
    wanted = '[project]\ndependencies=["click>=999", "nosuchpackage>=1"]\n[project.optional-dependencies]\n'
    (tmp_path / "pyproject.toml").write_text(wanted)
    (tmp_path / "requirements.lock").write_text("")
    (finding,) = doctor.packages(tmp_path)
    assert "click" in finding.found and "wanted >=999" in finding.found
    assert "nosuchpackage missing" in finding.found
    assert finding.fix


def test_doctor_names_a_half_made_environment(tmp_path):
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "course-stamp").write_text("unfinished")
    (tmp_path / ".venv.old1").mkdir()
    problems = [finding for finding in doctor.environment(tmp_path) if finding.fix]
    assert ["was never finished" in problems[0].found, "left of an old environment" in problems[1].found] == [True, True]


def test_doctor_tells_an_unreachable_server_from_an_embedded_one(root, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0")
    findings = {finding.what: finding for finding in doctor.stores(root)}
    assert findings["redis"].fix
    assert "hunter2" not in findings["redis"].found
    monkeypatch.delenv("REDIS_URL")
    findings = {finding.what: finding for finding in doctor.stores(root)}
    assert not findings["redis"].fix
    assert "embedded" in findings["redis"].found


@pytest.mark.parametrize("url, shown", [("redis://:secret@host:1/0", "redis://:***@host:1/0"),
                                        ("redis://me:se:c@host", "redis://me:***@host"),
                                        ("redis://host:6379", "redis://host:6379")])
def test_passwords_are_not_shown(url, shown):
    assert doctor.without_password(url) == shown
