"""A program for test_grader_resume: grades a class over and over, and is killed at another point of its work each time.

    python grader_kill.py COURSE SEED ROUNDS

Each round is a fork of this process, so that a round costs no imports. Where it is killed is counted in the files that it opens,
renames and removes (Python's audit events): those are the points at which something on the disk could be half done.
"""

import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from grader_class import NAME

from grader.assignment import Assignment, Course
from grader.execute import Executed
from grader.grade import grade_class
from grader.journal import Journal
from grader.record import recorded_scores

EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "sqlite3.connect", "shutil.rmtree"}
STUDENTS = ["ann", "bob", "eve"]


def instantly(jobs, workers):
    """Stands in for the pool: every check passes."""
    for name, job in jobs:
        yield name, Executed(job.notebook, [], 0.0)


def grade(root: Path) -> list:
    course = Course.at(root)
    with closing(Journal(course.journal)) as journal:
        return list(grade_class(course, Assignment.of(course, NAME), STUDENTS, journal=journal, run_all=instantly))


class Killer:
    """Counts the events below a folder, and kills this process at the last one that it may see."""

    def __init__(self, folder: Path, last: int = 0):
        self.folders, self.last, self.seen = (str(folder), tempfile.gettempdir()), last, 0
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if event in EVENTS and str(arguments[0]).startswith(self.folders):
            self.seen += 1
            if self.seen == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


def in_child(work) -> int:
    """Run work() in a fork; returns what waitpid says of its end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def count_events(root: Path) -> int:
    ours, theirs = os.pipe()

    def work():
        killer = Killer(root)
        grade(root)
        os.write(theirs, str(killer.seen).encode())

    assert in_child(work) == 0
    return int(os.read(ours, 20))


def killed_at(root: Path, last: int) -> int:
    """Kill a run at that event, look at what it left, and run again; returns how many students had been done."""

    def first():
        Killer(root, last)
        grade(root)

    assert os.WTERMSIG(in_child(first)) == signal.SIGKILL
    done = []

    def look():
        course = Course.at(root)
        for name in ("gradebook", "journal"):
            if (root / f"grader/{name}.db").exists():
                with closing(sqlite3.connect(root / f"grader/{name}.db")) as database:
                    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",), name
        there = recorded_scores(course, Assignment.of(course, NAME))
        assert all(sum(each.scores.values()) == 8 for each in there.values()), there  # nobody is half in it
        with closing(Journal(course.journal)) as journal:
            for student in journal.rows(NAME):
                assert student in there
                assert (course.folder("autograded", student, NAME) / "small.ipynb").stat().st_size > 1000
                assert "</html>" in (course.folder("feedback", student, NAME) / "small.html").read_text(encoding="utf-8")
                done.append(student)
        rows = grade(root)
        assert {row.student: (row.status, row.score) for row in rows} == {student: ("graded", 8) for student in STUDENTS}, rows
        assert sorted(row.student for row in rows if row.kept) == sorted(done)
        assert not [path for path in (root / "grader").rglob("*") if path.suffix in (".new", ".old")]
        os._exit(100 + len(done))

    code = os.waitstatus_to_exitcode(in_child(look))
    assert code >= 100, f"killed at event {last}"
    return code - 100


def main() -> None:
    template, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

    def fresh() -> Path:
        root = template.with_name(f"{template.name}-round")
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(template, root)
        return root

    total = count_events(fresh())
    for last in sorted(random.Random(seed).sample(range(1, total), rounds)):
        print(last, total, killed_at(fresh(), last), flush=True)


if __name__ == "__main__":
    main()
