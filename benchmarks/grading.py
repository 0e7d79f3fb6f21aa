"""A class graded by stock `nbgrader autograde` and by `python -m course grade`, in turns in one run: rates and their ratios.

    python benchmarks/grading.py                          every assignment, 8 submissions, 2 rounds
    python benchmarks/grading.py 02_redis_caching -n 24   one assignment, a larger class

Both read the same submissions (right answers, wrong ones, and none) and score them into a gradebook; neither makes feedback pages
here. Ours runs two submissions at a time in the sandbox. Rates leave out the start-up, which is shown by itself: what either takes
for a class of one, less one submission. `floor` is the processor time of the cells alone, run by `exec` in a warm process.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)        # this file's folder would hide a driver's package

import nbformat
from nbgrader.api import Gradebook

from grader import demo
from grader.assignment import Assignment, Course


def make_class(root, name, n):
    """A course folder with n submissions of one assignment: solved, half solved, unsolved, in turns."""
    for folder in ("solutions", "exercises"):
        shutil.copytree(ROOT / folder / name, root / folder / name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    course = Course.at(root)
    assignment = Assignment.of(course, name)
    for number in range(n):
        folder = course.folder("submitted", f"student{number:04}", name)
        folder.mkdir(parents=True)
        for title, notebook in demo.solved(course, assignment).items():
            answers = len(demo.answers(notebook))
            demo.unsolve(notebook, assignment, title, keep=(answers, answers // 2, answers, 0)[number % 4])
            nbformat.write(notebook, folder / f"{title}.ipynb")
    return course, assignment


def ours(root, name, workers):
    """What the subprocess does: grade, and tell how long the parts took."""
    started = time.perf_counter()
    from grader import collect, grade, warm

    course = Course.at(Path(root))
    assignment = Assignment.of(course, name)
    rows, at = [], []
    for row in grade.grade_class(course, assignment, collect.students(course), workers, pages=False):
        rows.append(row)
        at.append(time.perf_counter() - started)
    warm.stop_all()                # what it and its kernels used is known when it has ended
    print(json.dumps({"first": at[0], "cells": sum(row.cpu for row in rows) / len(rows)}))


def timed(command, root):
    """(wall seconds, CPU seconds of the process and its children, what it printed)."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, cpu, done.stdout


def scores(course, name):
    with Gradebook(course.nbgrader().db_url, course.nbgrader().course_id) as gradebook:
        return {submission.student.id: {grade.name: grade.score for notebook in submission.notebooks for grade in notebook.grades}
                for submission in gradebook.assignment_submissions(name)}


def measure(name, n, rounds, workers):
    """Print one line for an assignment."""
    commands = {"stock": [sys.executable, "-m", "nbgrader", "autograde", name, "--force"],
                "ours": [sys.executable, __file__, "--inside", name, "--workers", str(workers)]}
    found = {(who, size): [] for who in commands for size in (1, n)}
    with tempfile.TemporaryDirectory() as folder:
        courses = {(who, size): make_class(Path(folder, who, str(size)), name, size)[0] for who, size in found}
        for (who, _), course in courses.items():
            if who == "stock":
                timed([sys.executable, "-m", "nbgrader", "generate_assignment", name, "--force"], course.root)
        for _ in range(rounds):                      # in turns, so that both meet the same machine
            for key, course in courses.items():
                found[key].append(timed(commands[key[0]], course.root))
        equal = scores(courses["stock", n], name) == scores(courses["ours", n], name)
    wall, cpu = ({key: statistics.median(run[i] for run in runs) for key, runs in found.items()} for i in (0, 1))
    told = json.loads(found["ours", n][-1][2])
    rate = {who: 60 * (n - 1) / (wall[who, n] - wall[who, 1]) for who in commands}
    each = {who: (cpu[who, n] - cpu[who, 1]) / (n - 1) for who in commands}
    start = {who: wall[who, 1] - 60 / rate[who] for who in commands}
    columns = [f"{name:22}{rate['stock']:8.1f}{rate['ours']:8.1f}{rate['ours'] / rate['stock']:7.1f}",
               f"{each['stock']:7.2f}{each['ours']:7.2f}{each['stock'] / each['ours']:7.1f}",
               f"{told['cells']:6.2f}{told['cells'] / each['ours']:6.0%}", f"{start['stock']:6.1f}{start['ours']:6.1f}"]
    print("   ".join([*columns, "yes" if equal else "NO"]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("assignments", nargs="*")
    parser.add_argument("-n", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return ours(".", options.assignments[0], options.workers)
    print("                      submissions/minute         CPU s/submission        cells' own     start-up, s   same")
    print("                         stock    ours  ratio     stock   ours  ratio     CPU s share    stock  ours   scores")
    for name in options.assignments or Course.at(ROOT).assignments():
        measure(name, options.n, options.rounds, options.workers)


if __name__ == "__main__":
    main()
