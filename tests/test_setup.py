"""`python -m course` on a machine with only Python: the environment is made, repaired, and never half used.

The installers are played by a small program (FAKE_UV) that makes a real environment and can be told to fail, dawdle or die;
one test goes the whole way with the real pip and a package made here, without a network.
"""

import ast
import base64
import hashlib
import os
import runpy
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from course import environment
from course.environment import Environment, clean_environment, only_one
from course.explain import SetupError, explain
from course.progress import Progress, run

BASE = getattr(sys, "_base_executable", None) or sys.executable
SET_UP = ("__init__.py", "__main__.py", "environment.py", "explain.py", "progress.py")
CLI = """
import os, sys
print("verb", sys.argv[1:])
print("in", sys.prefix)
try:
    import course_probe
    print("probe", course_probe.__file__)
except ImportError:
    print("probe missing")
"""
FAKE_UV = '''
import os, pathlib, subprocess, sys, time
calls = pathlib.Path(__file__).with_name("calls")
with open(calls, "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1] == "venv":
    sys.exit(subprocess.call([sys.executable, "-m", "venv", "--without-pip", sys.argv[-1]]))
if "FAKE_PROXY" in os.environ and "UV_SYSTEM_CERTS" not in os.environ:
    sys.exit("  cause: invalid peer certificate: UnknownIssuer")
print(os.environ.get("FAKE_SAYS", "Resolved 1 package"), flush=True)
time.sleep(float(os.environ.get("FAKE_SECONDS", 0)))
sys.exit(int(os.environ.get("FAKE_CODE", 0)))
'''


@pytest.fixture
def project(tmp_path, root):
    """A project folder, with a space and letters beyond ASCII in its path, that holds only the set-up and a lock."""
    folder = tmp_path / "dépôt du cours" / "nosql"
    (folder / "course").mkdir(parents=True)
    for name in SET_UP:
        shutil.copy(root / "course" / name, folder / "course")
    (folder / "course" / "cli.py").write_text(CLI)
    (folder / "requirements.lock").write_text("# nothing\n")
    return folder


@pytest.fixture
def fake_uv(tmp_path):
    """A folder to put on the PATH: its `uv` is FAKE_UV, which writes every call to the file `calls`."""
    folder = tmp_path / "fake"
    folder.mkdir()
    (folder / "fake_uv.py").write_text(FAKE_UV)
    if os.name == "nt":
        (folder / "uv.bat").write_text(f'@"{BASE}" "{folder / "fake_uv.py"}" %*\n')
    else:
        (folder / "uv").write_text(f'#!/bin/sh\nexec "{BASE}" "{folder / "fake_uv.py"}" "$@"\n')
        (folder / "uv").chmod(0o755)
    return folder


def settings(fake_uv=None, **more):
    """Environment variables for a run: this machine's, with `fake_uv` first on the PATH, or no uv used at all."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("COURSE_", "FAKE_", "PYTEST_"))}
    if fake_uv:
        env["PATH"] = f"{fake_uv}{os.pathsep}{env['PATH']}"
    else:
        env["COURSE_INSTALLER"] = "pip"
    return {**env, "PYTHONIOENCODING": "utf-8", **more}


def course(project, env, *verbs, start=subprocess.run, **options):
    """`python -m course VERBS` in the folder `project`."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8", **options}
    return start([BASE, "-m", "course", *verbs], cwd=project, env=env, **pipes)


def calls(fake_uv):
    """The verbs that FAKE_UV was called with: ["venv", "pip", ...]."""
    return [line.split()[0] for line in (fake_uv / "calls").read_text().splitlines()]


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


# ── old and new Pythons ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_file_parses_on_old_pythons(root):
    for name in ("__init__.py", "__main__.py"):
        text = (root / "course" / name).read_text(encoding="utf-8")
        assert text.isascii(), "Python 2 refuses other letters without a coding line"
        new = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.AsyncFunctionDef, ast.Nonlocal, ast.Match)
        found = [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, new)]
        found += [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs]
        assert found == [], f"{name} has syntax that Python 2.7 does not know"


@pytest.mark.parametrize("verbs", [["lab"], ["test", "-x"]])
def test_an_old_python_is_told_what_to_do(root, monkeypatch, verbs):
    monkeypatch.setattr(sys, "version_info", (3, 6, 15, "final", 0))
    monkeypatch.setattr(sys, "argv", ["course", *verbs])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(root / "course" / "__main__.py"), run_name="__main__")
    message = stopped.value.code
    assert "Python 3.11 or newer is needed. This is Python 3.6.15" in message
    assert f"-m course {' '.join(verbs)}" in message


def test_an_old_python_with_no_newer_one_is_told_where_to_get_one(root, monkeypatch):
    module = runpy.run_path(str(root / "course" / "__main__.py"))
    monkeypatch.setenv("PATH", "")
    message = module["too_old"]([])
    assert "python.org/downloads" in message
    assert "uv run --no-project --python 3.12 python -m course lab" in message


def test_a_python_too_new_for_the_lock(project, monkeypatch):
    monkeypatch.setattr(environment.sys, "version_info", (3, 99, 0, "final", 0))
    monkeypatch.setattr(environment.shutil, "which", lambda name: None)
    with pytest.raises(SetupError, match=r"(?s)Python 3\.11 to 3\.14.*install uv") as problem:
        Environment(project).installer()
    assert "python3.12 -m course" in str(problem.value)
    monkeypatch.setattr(environment.shutil, "which", lambda name: "/usr/bin/uv")
    (_, make), _ = Environment(project).installer()
    assert make[make.index("--python") + 1] == "3.12"


# ── which installer ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("present, filled_by", [
    ({"venv", "ensurepip", "pip"}, "own pip"),
    ({"venv", "pip"}, "this Python's pip"),
])
def test_without_uv_a_pip_is_found(project, monkeypatch, present, filled_by):
    monkeypatch.setenv("COURSE_INSTALLER", "pip")
    monkeypatch.setattr(environment, "has", present.__contains__)
    venv = Environment(project)
    (_, make), (_, fill) = venv.installer()
    assert ("--without-pip" in make) is (filled_by != "own pip")
    assert fill[0] == (str(venv.python) if filled_by == "own pip" else BASE)
    assert {"--require-hashes", "--only-binary", str(venv.requirements)} <= set(fill)


def test_debian_without_venv_or_pip_names_the_package(project, monkeypatch):
    monkeypatch.setenv("COURSE_INSTALLER", "pip")
    monkeypatch.setattr(environment, "has", {"venv"}.__contains__)
    monkeypatch.setattr(Path, "exists", lambda self: True)
    with pytest.raises(SetupError) as problem:
        Environment(project).installer()
    assert "sudo apt install python{}.{}-venv".format(*sys.version_info[:2]) in str(problem.value)


def test_an_empty_folder_named_ensurepip_is_no_ensurepip(tmp_path, monkeypatch):
    (tmp_path / "left_by_a_removed_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert environment.has("ensurepip") or not environment.has("pip")
    assert not environment.has("left_by_a_removed_package")


# ── the whole way ────────────────────────────────────────────────────────────────────────────────────────────────


def make_wheel(folder):
    """A real wheel of one module, course_probe; returns the line that locks it."""
    path = folder / "course_probe-1.0-py3-none-any.whl"
    info = "course_probe-1.0.dist-info"
    files = {"course_probe.py": "here = True\n",
             f"{info}/METADATA": "Metadata-Version: 2.1\nName: course-probe\nVersion: 1.0\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = []
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(text)}\n")
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join([*record, f"{info}/RECORD,,\n"]))
    return f"course-probe==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_with_the_real_pip_from_nothing_to_a_verb(project, tmp_path):
    """A path with a space and accents, another environment active, poisoned PYTHONPATH: the locked package is used."""
    (project / "requirements.lock").write_text(make_wheel(tmp_path))
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison" / "course_probe.py").write_text("raise RuntimeError('the wrong module')\n")
    env = settings(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), PIP_CONFIG_FILE=os.devnull, PIP_USER="1",
                   PYTHONPATH=str(tmp_path / "poison"), VIRTUAL_ENV=str(tmp_path / "nowhere"), CONDA_PREFIX=str(tmp_path),
                   PYTHONDONTWRITEBYTECODE="1")
    first = course(project, env, "lab", "--no-browser")
    assert first.returncode == 0, first.stderr
    assert "verb ['lab', '--no-browser']" in first.stdout
    assert f"in {project / '.venv'}" in first.stdout
    assert "Making the course's Python environment" in first.stderr
    probe = Path(first.stdout.split("probe ")[1].strip())
    assert probe.is_relative_to(project / ".venv")
    assert list(probe.parent.glob("__pycache__/course_probe.*.pyc")), "bytecode is compiled, whatever the settings say"

    second = course(project, env, "doctor")
    assert (second.returncode, second.stderr) == (0, "")
    elsewhere = subprocess.check_output([str(Environment(project).python), "-c", "import course; print(ascii(course.__file__))"],
                                        cwd=tmp_path, env=settings(), text=True)
    assert ascii(str(project / "course"))[:-1] in elsewhere, "a notebook in any folder can import the course"


def test_a_package_with_another_hash_is_refused(project, tmp_path):
    line = make_wheel(tmp_path)
    (project / "requirements.lock").write_text(line[:-5] + "0000\n")
    env = settings(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path), PIP_CONFIG_FILE=os.devnull)
    done = course(project, env, "lab")
    assert done.returncode == 1
    assert "not the one the course was tested with" in done.stderr
    assert not Environment(project).is_ready()


# ── what makes an environment unfit ──────────────────────────────────────────────────────────────────────────────


def move_the_folder(project):
    return project.rename(project.with_name("moved"))


def change_the_lock(project):
    (project / "requirements.lock").write_text("# something else\n")
    return project


def lose_the_stamp(project):
    (project / ".venv" / "course-stamp").unlink()
    return project


def half_write_the_stamp(project):
    (project / ".venv" / "course-stamp").write_bytes(b"\xff\xfe")
    return project


def lose_the_python(project):
    shutil.rmtree(project / ".venv" / ("Scripts" if os.name == "nt" else "bin"))
    return project


@pytest.mark.parametrize("change", [move_the_folder, change_the_lock, lose_the_stamp, half_write_the_stamp, lose_the_python])
def test_an_unfit_environment_is_made_again(project, fake_uv, change):
    assert course(project, settings(fake_uv), "lab").returncode == 0
    assert course(project, settings(fake_uv), "lab").stderr == ""
    project = change(project)
    again = course(project, settings(fake_uv), "lab")
    assert again.returncode == 0, again.stderr
    assert "made again" in again.stderr
    assert f"in {project / '.venv'}" in again.stdout
    assert calls(fake_uv) == ["venv", "pip"] * 2
    assert not list(project.glob(".venv.old*"))


def test_another_python_means_another_environment(project, monkeypatch):
    before = Environment(project).fingerprint()
    monkeypatch.setattr(environment.sys, "version_info", (3, 11 if sys.version_info[1] != 11 else 12, 0, "final", 0))
    assert Environment(project).fingerprint() != before


def test_course_venv_names_the_folder(project, fake_uv, tmp_path):
    there = tmp_path / "elsewhere" / "env"
    done = course(project, settings(fake_uv, COURSE_VENV=str(there)), "lab")
    assert f"in {there}" in done.stdout
    assert not (project / ".venv").exists()


def test_a_folder_that_is_no_environment_is_left_alone(project, fake_uv, tmp_path):
    treasure = tmp_path / "home" / "thesis.txt"
    treasure.parent.mkdir()
    treasure.write_text("years of work")
    done = course(project, settings(fake_uv, COURSE_VENV=str(treasure.parent)), "lab")
    assert done.returncode == 1
    assert "is not a Python environment, so it is left alone" in done.stderr
    assert treasure.read_text() == "years of work"


# ── failures, and the run after them ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("said, meaning", [
    ("error sending request for url\n  cause: dns error", "no connection to the package index"),
    ("NewConnectionError: [Errno -3] Temporary failure in name resolution\nERROR: No matching distribution found for alembic",
     "no connection to the package index"),
    ("OSError: [Errno 28] No space left on device", "The disk is full"),
    ("error: failed to write file: There is not enough space on the disk. (os error 112)", "The disk is full"),
    ("error: lupa==2.8 has no usable wheels", "not published for this kind of machine"),
    ("ERROR: No matching distribution found for lupa==2.8", "not published for this kind of machine"),
    ("invalid peer certificate: UnknownIssuer", "certificate that this machine does not trust"),
    ("PermissionError: [WinError 5] Access is denied", "Close JupyterLab"),
    ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one the course was tested with"),
    ("something nobody has seen", "An unexpected error stopped it"),
])
def test_what_an_installer_says_is_explained(tmp_path, said, meaning):
    message = str(explain(said.splitlines(), tmp_path))
    assert meaning in message
    assert said.splitlines()[-1] in message, "the installer's own words are shown too"


def test_after_a_failure_nothing_looks_finished_and_the_next_run_recovers(project, fake_uv):
    broken = course(project, settings(fake_uv, FAKE_CODE="2", FAKE_SAYS="cause: dns error"), "lab")
    assert broken.returncode == 1
    assert "no connection" in broken.stderr
    assert "verb" not in broken.stdout
    assert not Environment(project).is_ready()
    good = course(project, settings(fake_uv), "lab")
    assert good.returncode == 0
    assert "was never finished, so it is made again" in good.stderr


def test_a_certificate_that_only_the_system_knows_is_accepted(project, fake_uv):
    done = course(project, settings(fake_uv, FAKE_PROXY="1"), "lab")
    assert done.returncode == 0, done.stderr
    assert calls(fake_uv) == ["venv", "pip", "pip"]


def test_a_nearly_full_disk_is_noticed_before_anything_is_written(project, monkeypatch):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**11, 10**11, 10**8))
    with pytest.raises(SetupError, match=r"needs 1\.5 GB in .* and 0\.1 GB are free"):
        Environment(project).ready()
    assert not (project / ".venv").exists()


def test_a_disk_that_fills_up_while_we_write(project, monkeypatch):
    monkeypatch.setattr(Environment, "make", lambda self, lock: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(SetupError, match="The disk is full"):
        Environment(project).ready()


def test_a_file_in_use_leaves_the_old_environment_whole(project, fake_uv, monkeypatch):
    assert course(project, settings(fake_uv), "lab").returncode == 0
    (project / "requirements.lock").write_text("# newer\n")
    held = project / ".venv" / "kernel.exe"
    held.write_text("running")
    before = sorted(path.relative_to(project) for path in (project / ".venv").rglob("*") if path.name != "course-stamp")

    def refuse(self, target):
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(environment, "held_open", lambda folder: held)
    monkeypatch.setenv("PATH", f"{fake_uv}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("COURSE_INSTALLER", raising=False)
    with pytest.raises(SetupError, match=r"kernel\.exe is in use.*\n.*Close JupyterLab and every running notebook"):
        Environment(project).ready()
    assert sorted(path.relative_to(project) for path in (project / ".venv").rglob("*") if path.name != "course-stamp") == before
    monkeypatch.undo()
    assert course(project, settings(fake_uv), "lab").returncode == 0


def test_leftovers_that_cannot_be_deleted_are_named_and_do_not_stop_us(project, fake_uv, monkeypatch, capsys):
    assert course(project, settings(fake_uv), "lab").returncode == 0
    monkeypatch.setattr(environment.shutil, "rmtree", lambda path, ignore_errors: None)
    Environment(project).clear()
    assert "cannot be deleted now" in capsys.readouterr().err
    assert not (project / ".venv").exists()


def test_ctrl_c_ends_tidily_with_130(project, monkeypatch, capsys):
    monkeypatch.setattr(environment, "is_the_environment", lambda: False)
    monkeypatch.setattr(Environment, "ready", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    assert environment.main(["lab"]) == 130
    assert "the next run starts the set-up again" in capsys.readouterr().err


posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals to a process")


@posix
def test_a_real_ctrl_c_stops_the_installer_and_the_next_run_recovers(project, fake_uv):
    process = course(project, settings(fake_uv, FAKE_SECONDS="60"), "lab", start=subprocess.Popen, start_new_session=True)
    wait_until(lambda: (fake_uv / "calls").exists() and calls(fake_uv) == ["venv", "pip"])
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Stopped. Nothing half-made will be used" in err
    assert "Traceback" not in err
    assert course(project, settings(fake_uv), "lab").returncode == 0


@posix
def test_killed_in_the_middle_the_next_run_waits_for_the_orphan_and_starts_again(project, fake_uv):
    process = course(project, settings(fake_uv, FAKE_SECONDS="2"), "lab", start=subprocess.Popen)
    wait_until(lambda: (fake_uv / "calls").exists() and calls(fake_uv) == ["venv", "pip"])
    process.kill()
    process.communicate()
    again = course(project, settings(fake_uv), "lab")
    assert again.returncode == 0
    assert "Another command is setting up the environment. Waiting" in again.stderr
    assert "was never finished, so it is made again" in again.stderr


def test_two_runs_at_once_make_one_environment(project, fake_uv):
    env = settings(fake_uv, FAKE_SECONDS="2")
    both = [course(project, env, "lab", start=subprocess.Popen) for _ in range(2)]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("Waiting for it to end" in text for text in said) == 1
    assert calls(fake_uv) == ["venv", "pip"]


def test_the_lock_is_free_after_its_holder(tmp_path):
    with only_one(tmp_path / "env") as first:
        assert first is not None
    with only_one(tmp_path / "env") as second:
        assert second is not None


# ── small parts ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_installers_do_not_see_misleading_settings(monkeypatch):
    for name in environment.MISLEADING:
        monkeypatch.setenv(name, "misleading")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    env = clean_environment()
    assert not set(environment.MISLEADING) & set(env)
    assert env["HTTPS_PROXY"] == "http://proxy:3128"


def test_a_python_that_holds_this_very_folder_is_used_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path))
    assert not environment.is_the_environment()
    info = tmp_path / "nosql_course-0.1.0.dist-info"
    info.mkdir()
    for folder, expected in [(environment.ROOT, True), (tmp_path / "another clone", False)]:
        (info / "direct_url.json").write_text(f'{{"url": "{folder.as_uri()}", "dir_info": {{"editable": true}}}}')
        assert environment.is_the_environment() is expected


def test_progress_where_there_is_no_terminal_is_one_line_a_stage(tmp_path):
    program = textwrap.dedent("""
        print("Collecting numpy==2.5.5")
        print("noise")
        raise SystemExit(3)
    """)
    with open(tmp_path / "out", "w+") as out, open(tmp_path / "log", "w+") as log:
        progress = Progress(stages=2, out=out)
        with progress.stage("first"):
            code, tail = run([sys.executable, "-c", program], progress, log)
        out.seek(0)
        log.seek(0)
        assert out.read() == "[1/2] first ... 0 s\n"
        assert log.read() == "Collecting numpy==2.5.5\nnoise\n"
    assert (code, tail) == (3, ["Collecting numpy==2.5.5", "noise"])
