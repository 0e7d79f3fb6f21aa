"""From sources to notebooks and back: the same bytes, nothing given away, nothing lost."""

import json
import re
import subprocess
import sys

import nbformat
import pytest

from course.build import BuildError, build, generate, read_assignment, sync, to_source
from course.marks import MarkError, parity_of

SOURCE = '''\
# ---
# title: "Caching"
# minutes: 30
# summary: One task.
# ---

# %% [markdown]
# # Exercises: caching

# %%
import json

# %% [markdown] task="2.3" name="load_once" minutes=12
# ### Let one reader load
#
# Write `load_once(load)`.

# %% [markdown] hints="load_once"
# - Who loads?
# - One of them
#   holds a lock.

# %% answer="load_once"
def load_once(load):
    """The loaded value."""
    ### BEGIN SOLUTION
    secret_lock = object()
    return json.loads(load())
    ### END SOLUTION

# %% check="load_once" points=2
with task("2.3"):
    check("it loads", got=load_once(lambda: "1"), want=1)

# %% hidden="load_once" points=1.5 topic="a null"
with task("2.3"):
    check("secret null", got=load_once(lambda: "null"), want=None)
'''


@pytest.fixture
def project(tmp_path):
    (tmp_path / "sources/assignments/02_caching").mkdir(parents=True)
    (tmp_path / "sources/chapters").mkdir()
    (tmp_path / "course").mkdir()
    (tmp_path / "sources/assignments/02_caching/caching.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "sources/chapters/02_redis.py").write_text(SOURCE.partition("\n# %% [markdown] task")[0], encoding="utf-8")
    (tmp_path / "sources/start.md").write_text("# Start\n\n<!-- the course map -->\n", encoding="utf-8")
    return tmp_path


def read(path):
    return nbformat.read(path, as_version=4)


# ── this repository ──────────────────────────────────────────────────────────────────────────────────────────────


def test_generated_files_are_up_to_date(root):
    built = build(root, check=True)
    assert not built.written + built.removed, "run `python -m course build` and commit what it makes (or undo edits made by hand)"


def test_every_source_comes_back_from_its_notebook(root):
    def dense(text):
        return re.sub(r"\n\n+", "\n", text)
    for path in sorted((root / "sources").glob("**/*.py")):
        text = path.read_text(encoding="utf-8")
        generated = generate_one(root, path)
        assert dense(to_source(generated)) == dense(text), path


def generate_one(root, path):
    kind = "notebooks" if path.parent.name == "chapters" else f"solutions/{path.parent.name}"
    return read(root / kind / f"{path.stem}.ipynb")


def test_no_exercise_gives_away_a_solution_or_a_hidden_test(root):
    secret = re.compile(r"### BEGIN SOLUTION\n.*?### END SOLUTION|### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS", re.S)
    for path in sorted((root / "solutions").glob("*/*.ipynb")):
        sources = [cell.source for cell in read(path).cells]
        shown = "\n".join(secret.sub("", source) for source in sources)
        given = "\n".join(cell.source for cell in read(root / "exercises" / path.relative_to(root / "solutions")).cells)
        assert "BEGIN" not in given and "END HIDDEN" not in given
        for region in secret.findall("\n".join(sources)):
            for line in map(str.strip, region.splitlines()):
                # A short line, or one that a visible cell has too, tells nothing.
                assert len(line) <= 24 or line in shown or line not in given, f"{path.name}: {line}"


def test_headline_points_are_the_points_of_the_checks(root):
    for path in sorted((root / "exercises").glob("*/*.ipynb")):
        cells = read(path).cells
        for cell in cells:
            if headline := re.match(r"### (\d+\.\d+) .* · \d+ minutes · ([\d.]+) points?", cell.source):
                name = cell.metadata.nbgrader.grade_id.removesuffix("_prompt")
                points = [c.metadata.nbgrader.points for c in cells
                          if re.fullmatch(rf"{name}_(check|hidden)_\d+", c.metadata.get("nbgrader", {}).get("grade_id", ""))]
                assert sum(points) == float(headline[2]), headline[0]


@pytest.mark.parametrize("mark", ['differs="other words"', 'only_embedded="stops a node"', 'varies="draws at random"'])
def test_what_may_differ_on_a_real_server_is_kept_for_it_and_not_given_to_learners(project, mark):
    text = SOURCE.replace('# %%\nimport', f'# %% tags=["raises-exception"] {mark}\nimport')
    text = re.sub(r'# %% ((?:answer|check|hidden)=.*)', rf"# %% \1 {mark}", text)
    path = project / "sources/assignments/02_caching/caching.py"
    path.write_text(text, encoding="utf-8")
    build(project)
    solution = read(project / "solutions/02_caching/caching.ipynb")
    name, _, reason = mark.partition("=")
    assert [parity_of(cell) for cell in solution.cells if cell.cell_type == "code"] == [{name: reason.strip('"')}] * 4
    assert solution.cells[-1].metadata.course.topic == "a null"
    assert to_source(solution) == text
    assert reason not in (project / "exercises/02_caching/caching.ipynb").read_text(encoding="utf-8")


# ── any project ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_building_twice_in_two_processes_gives_the_same_bytes(project, root):
    build(project)
    first = {name: (project / name).read_bytes() for name in generate(project)}
    script = ("import sys, hashlib; from pathlib import Path; from course.build import generate\n"
              "print(hashlib.sha256(b''.join(generate(Path(sys.argv[1])).values())).hexdigest())")
    again = {subprocess.run([sys.executable, "-c", script, str(project)], capture_output=True, text=True, check=True,
                            cwd=root).stdout for _ in range(2)}
    assert len(again) == 1
    assert build(project).written == [] and first == {name: (project / name).read_bytes() for name in first}


def test_the_learners_copy_has_the_stub_and_the_visible_check_only(project):
    build(project)
    copy = read(project / "exercises/02_caching/caching.ipynb")
    by_id = {cell.id: cell for cell in copy.cells}
    assert by_id["load_once"].source.endswith('"""The loaded value."""\n    raise NotImplementedError')
    assert by_id["load_once_hidden_1"].source == "# 1.5 points at grading: a null"
    assert "### 2.3 Let one reader load · 12 minutes · 3.5 points" in by_id["load_once_prompt"].source
    assert "secret" not in json.dumps(copy)


def test_tasks_json_holds_hints_and_topics(project):
    build(project)
    task = json.loads((project / "course/tasks.json").read_text(encoding="utf-8"))["2.3"]
    assert task["hints"] == ["Who loads?", "One of them holds a lock."] and task["hidden"] == ["a null"]
    assert task["points"] == 3.5 and task["checks"] == 1


def test_the_course_map_links_chapter_and_exercises(project):
    build(project)
    row = (project / "notebooks/start.md").read_text(encoding="utf-8").splitlines()[-1]
    assert "[Caching](02_redis.ipynb)" in row and "[1 tasks](../exercises/02_caching/caching.ipynb), 3.5 points" in row


def test_an_edit_in_the_solution_notebook_comes_back_into_the_source(project):
    build(project)
    path = project / "solutions/02_caching/caching.ipynb"
    notebook = read(path)
    (answer,) = [cell for cell in notebook.cells if cell.id == "load_once"]
    answer.source = answer.source.replace("secret_lock", "better_lock")
    answer.outputs = [nbformat.v4.new_output("stream", text="noise")]
    nbformat.write(notebook, path)
    with pytest.raises(BuildError, match="course sync"):
        (project / "sources/assignments/02_caching/caching.py").write_text(SOURCE.replace("null", "nil"), encoding="utf-8")
        build(project)
    source = sync(project, path)
    assert source.read_text(encoding="utf-8") == SOURCE.replace("secret_lock", "better_lock")
    assert "better_lock" in (project / build(project, force=True).written[0]).read_text(encoding="utf-8")


def test_a_check_made_with_nbgraders_own_toolbar_is_understood(project):
    build(project)
    path = project / "solutions/02_caching/caching.ipynb"
    notebook = read(path)
    extra = nbformat.v4.new_code_cell('with task("2.3"):\n    check("more", got=load_once(lambda: "2"), want=2)')
    extra.metadata["nbgrader"] = {"grade": True, "grade_id": "cell-0f3a", "locked": True, "points": 1, "schema_version": 3,
                                  "solution": False, "task": False}
    notebook.cells.append(extra)
    nbformat.write(notebook, path)
    sync(project, path)
    build(project, force=True)
    ids = [cell.id for cell in read(project / "exercises/02_caching/caching.ipynb").cells]
    assert ids[-1] == "load_once_check_2"


def test_a_solved_exercise_is_not_overwritten(project):
    build(project)
    path = project / "exercises/02_caching/caching.ipynb"
    notebook = read(path)
    notebook.cells[-3].source = "my own work"
    nbformat.write(notebook, path)
    source = project / "sources/assignments/02_caching/caching.py"
    source.write_text(SOURCE.replace("One task.", "The task."), encoding="utf-8")
    with pytest.raises(BuildError, match=r"exercises/02_caching/caching\.ipynb"):
        build(project)
    assert "my own work" in path.read_text(encoding="utf-8")
    assert "The task." not in (project / "notebooks/start.md").read_text(encoding="utf-8"), "nothing else was written either"


def test_a_learners_copy_is_no_source(project):
    build(project)
    with pytest.raises(BuildError, match="solutions"):
        sync(project, project / "exercises/02_caching/caching.ipynb")


@pytest.mark.parametrize(("old", "new", "said"), [
    ('hidden="load_once" points=1.5 topic="a null"', 'hidden="load_once" points=1.5', "topic"),
    ('check="load_once" points=2', 'check="load_once"', "points"),
    ('check="load_once" points=2', 'check="load_twice" points=2', "load_twice"),
    ('hints="load_once"', 'answer="load_once" hints="load_once"', "one mark"),
    ("    ### BEGIN SOLUTION\n", "", "BEGIN SOLUTION"),
    ("# ### Let one reader load\n", "", "### Title"),
    ('task="2.3"', 'task="23"', "numbered"),
    ("# minutes: 30\n", "", "minutes"),
    ("# %%\nimport", '# %% differs=""\nimport', "with a reason"),
    ("# %%\nimport", '# %% differs="a" only_embedded="b"\nimport', "one of differs, only_embedded"),
    ("# %% [markdown]\n# # Exercises", '# %% [markdown] differs="a"\n# # Exercises', "a code cell"),
])
def test_a_wrong_source_is_refused_in_words(project, old, new, said):
    assert old in SOURCE
    with pytest.raises((MarkError, ValueError), match=said):
        read_assignment(SOURCE.replace(old, new))
    path = project / "sources/assignments/02_caching/caching.py"
    path.write_text(SOURCE.replace(old, new), encoding="utf-8")
    with pytest.raises(BuildError, match=r"sources/assignments/02_caching/caching\.py"):
        build(project)
    assert not (project / "solutions").exists()
