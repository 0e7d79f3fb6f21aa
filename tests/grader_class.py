"""A small assignment, and a course folder that holds it and a class that hands it in."""

import copy
import hashlib
import shutil
from pathlib import Path

import nbformat
from grader_hostile import ATTACKS, INTRUDERS

from course.build import build
from grader import demo
from grader.assignment import Assignment, Course

ROOT = Path(__file__).resolve().parent.parent
NAME = "90_small"

SOURCE = r'''
# ---
# title: "A small assignment"
# minutes: 10
# summary: Three tasks, for the tests of the grader.
# ---

# %%
import json

# %% [markdown] task="9.1" name="double" minutes=3
# ### Twice as much
#
# Write `double(n)`, which returns twice `n`.

# %% [markdown] hints="double"
# - Multiply.

# %% answer="double"
def double(n):
    """Twice the number n."""
    ### BEGIN SOLUTION
    return 2 * n
    ### END SOLUTION

# %% check="double" points=1
with task("9.1"):
    check("double(4) is 8", got=double(4), want=8)

# %% hidden="double" points=2 topic="negative numbers"
with task("9.1"):
    secret_number_of_apples = -21
    check("negative numbers double too", got=double(secret_number_of_apples), want=-42, cause="abs() loses the sign")

# %% [markdown] task="9.2" name="keep" minutes=3
# ### A dictionary with a default
#
# Write `keep(store, text)`, which puts the JSON object in `text` into the dictionary `store`
# and returns how many keys it has then.

# %% [markdown] hints="keep"
# - `json.loads`

# %% answer="keep"
def keep(store, text):
    """Merge a JSON object into store; the number of keys after that."""
    ### BEGIN SOLUTION
    store.update(json.loads(text))
    return len(store)
    ### END SOLUTION

# %% check="keep" points=2
with task("9.2"):
    store = {}
    check("one key is kept", got=keep(store, '{"a": 1}'), want=1)
    check("its value is there", got=store, want={"a": 1})

# %% hidden="keep" points=1 topic="a key that is there already"
with task("9.2"):
    untold_store = {"a": 0}
    check("a key that is there is not counted twice", got=keep(untold_store, '{"a": 1}'), want=1)
    check("and has the new value", got=untold_store, want={"a": 1})

# %% [markdown] task="9.3" name="words" minutes=4
# ### Words of a file
#
# Write `words(path)`, which returns how many words the file has.

# %% [markdown] hints="words"
# - `split`

# %% answer="words"
def words(path):
    """The number of words in a text file."""
    ### BEGIN SOLUTION
    with open(path) as file:
        return len(file.read().split())
    ### END SOLUTION

# %% check="words" points=1
with task("9.3"):
    with open("three.txt", "w") as file:
        file.write("one two three")
    check("three words", got=words("three.txt"), want=3)

# %% hidden="words" points=1 topic="an empty file"
with task("9.3"):
    with open("hidden_empty_file.txt", "w") as file:
        file.write("")
    check("no words in an empty file", got=words("hidden_empty_file.txt"), want=0)
'''


def make_course(root: Path) -> Course:
    """A course folder with the small assignment, built."""
    source = root / "sources/assignments" / NAME / "small.py"
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE.lstrip(), encoding="utf-8")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    build(root)
    return Course.at(root)


def hand_in_hostile(course: Course, assignment: Assignment) -> list[str]:
    """A folder per attack; returns the students."""
    solved = demo.solved(course, assignment)["small"]
    for name, text in (ATTACKS | INTRUDERS).items():
        notebook = copy.deepcopy(solved)
        demo.unsolve(notebook, assignment, "small", keep=0)
        demo.answers(notebook)[0].source = text
        hand_in(course, f"hostile {name}", notebook)
    return [f"hostile {name}" for name in ATTACKS | INTRUDERS]


def hand_in(course: Course, student: str, notebook, **files: str) -> None:
    """Write a submission of the small assignment."""
    folder = course.folder("submitted", student, NAME)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "small.ipynb")
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_suffix(".py" if "/" in str(path.relative_to(folder)) else ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def fingerprint(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}
