"""The execute step on a cluster of dask.distributed, and the gradebook in PostgreSQL, both on loopback."""

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import psutil
import pytest
from click.testing import CliRunner
from grader_class import NAME, ROOT, hand_in, make_course

from grader import cluster, demo
from grader.assignment import Assignment, Course
from grader.cli import grade
from grader.notes import GradingError
from grader.record import recorded_scores

pytestmark = [pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"), pytest.mark.xdist_group("cluster")]


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Eight submissions: solved, half, wrong, and one that ends its kernel."""
    course = make_course(tmp_path_factory.mktemp("cluster"))
    assignment = Assignment.of(course, NAME)
    for number in range(8):
        notebook = demo.solved(course, assignment)["small"]
        if number % 4 == 1:
            demo.unsolve(notebook, assignment, "small", keep=2)
        elif number % 4 == 2:
            demo.answers(notebook)[0].source = "import time\ntime.sleep(0.3)\ndef double(n): return n * n"
        elif number % 4 == 3:
            demo.answers(notebook)[1].source = "import os\nos._exit(1)"
        hand_in(course, f"student{number}", notebook)
    return course.root


@pytest.fixture
def course(template, tmp_path) -> Course:
    return Course.at(shutil.copytree(template, tmp_path / "course"))


def _grade(course, *options):
    return CliRunner().invoke(grade, [NAME, "--root", str(course.root), *options], env={"COLUMNS": "160"})


def _scores(course) -> dict[str, dict[str, float]]:
    return {student: each.scores for student, each in recorded_scores(course, Assignment.of(course, NAME)).items()}


@pytest.fixture
def dask_cluster(tmp_path):
    """A scheduler and two workers, each a process of its own with a scratch folder of its own."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    started = []

    def start(*words, **options):
        words = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
        started.append(subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **options))
        return started[-1]

    file = tmp_path / "scheduler.json"
    start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file), cwd=tmp_path)
    until = time.monotonic() + 60
    while not file.exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.3)
    address = json.loads(file.read_text())["address"]
    options = ("--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1")
    workers = [start("dask_worker", address, *options, cwd=ROOT) for _ in range(2)]
    yield address, workers
    for process in started:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()


def test_the_same_scores_on_a_cluster_whose_worker_is_killed_in_the_middle(course, template, tmp_path, dask_cluster):
    address, workers = dask_cluster
    here = Course.at(shutil.copytree(template, tmp_path / "here"))
    assert _grade(here).exit_code == 1          # someone ended the kernel
    killed = []

    def kill_one():
        until = time.monotonic() + 60
        while not any((course.root / "grader/feedback").glob("*")) and time.monotonic() < until:
            time.sleep(0.02)
        victim = random.choice(workers)
        family = psutil.Process(victim.pid).children(recursive=True)
        for process in [psutil.Process(victim.pid), *family]:       # the nanny first, so that it brings up no other
            with contextlib.suppress(psutil.NoSuchProcess):     # it may have ended with its parent
                process.kill()
        killed.append(victim)

    killer = threading.Thread(target=kill_one)
    killer.start()
    result = _grade(course, "--cluster", address)
    killer.join()
    assert killed and result.exit_code == 1, result.output
    assert "was not run" not in result.output, result.output
    assert _scores(course) == _scores(here) and len(_scores(here)) == 8
    assert "8 of them had been graded before" in _grade(course).output


def test_no_cluster_there_is_told_in_words(course, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr(cluster, "WAIT", 1)
    result = _grade(course, "--cluster", "tcp://127.0.0.1:9")
    assert result.exit_code == 2 and "dask scheduler" in result.output


def test_workers_with_another_version_are_refused(monkeypatch, dask_cluster):
    monkeypatch.setattr(cluster, "grader_digest", lambda: "another")
    with pytest.raises(GradingError, match="another version"):
        cluster.runner(dask_cluster[0])


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def postgres(tmp_path):
    """The address of an empty database of a real PostgreSQL."""
    pgserver = pytest.importorskip("pgserver", reason="the extra `relational` is not installed")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="stop")
    yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def test_the_gradebook_in_postgresql_has_the_same_scores(course, template, tmp_path, postgres):
    here = Course.at(shutil.copytree(template, tmp_path / "here"))
    assert _grade(here).exit_code == 1
    config = course.root / "nbgrader_config.py"
    config.write_text(config.read_text() + f"\nc.CourseDirectory.db_url = {postgres!r}\n")
    there = Course.at(course.root)
    result = _grade(there)
    assert result.exit_code == 1, result.output
    assert _scores(there) == _scores(here) and len(_scores(there)) == 8
    assert not (course.root / "grader/gradebook.db").exists()
    assert "8 of them had been graded before" in _grade(there).output
    assert (there.reports / f"{NAME}.csv").read_text().count("\n") == 9
