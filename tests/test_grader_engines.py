"""One notebook in every engine: the outputs are the same, and those of stock nbgrader. And the ways to choose an engine."""

import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import nbformat
import pytest
from click.testing import CliRunner
from grader_class import NAME, ROOT, hand_in, make_course
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute

from grader import cli, demo, sandbox, verify, warm
from grader.assignment import Assignment, Course
from grader.cli import grade
from grader.execute import Job, Limits, execute
from grader.sandbox import Probe
from grader.verify import comparable

pytestmark = [pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"), pytest.mark.xdist_group("the sandbox")]
ENGINES = ["portable"] + (["forked"] if sys.platform == "linux" else []) + (["sandboxed"] if sandbox.probe() else [])

CELLS = """
x = 6 * 7
x
---
print("to stdout"); import sys; print("to stderr", file=sys.stderr); print("more")
---
"a value", [1.5, None], {"a": {1, 2}}
---
def f(n):
    return 1 / n
f(0)
---
def g(:
---
assert x == 41, "not quite"
---
import warnings
warnings.warn("careful")
---
from IPython.display import HTML, Markdown, clear_output, display, update_display
display(HTML("<b>bold</b>"), Markdown("*it*"))
---
handle = display("first", display_id="d"); print("between"); handle.update("second")
---
print("gone"); clear_output(); print("stays")
---
print("also gone"); clear_output(wait=True); print("and this stays")
---
import asyncio
async def later():
    await asyncio.sleep(0.01)
    return "later"
await later()
---
task, other = asyncio.ensure_future(later()), later()
try: asyncio.run(other)
finally: other.close()
---
await task
---
import subprocess
print("before"); done = subprocess.run(["echo", "from a program"])
import time; time.sleep(0.5)               # stock's thread that reads it may be late
print("after", done.returncode)
---
!echo a shell command
---
%timeit -n1 -r1 pass
---
%%writefile note.txt
a note
---
open("note.txt").read()
---
input("name? ")
---
sys.exit("leaving")
---
raise KeyboardInterrupt
---
try:
    {}["k"]
except KeyError as error:
    raise ValueError("chained") from error
---
import threading
thread = threading.Thread(target=print, args=("from a thread",)); thread.start(); thread.join()
---
import pandas
pandas.DataFrame({"n": [1, 2], "t": ["a", "b"]})
---
import matplotlib.pyplot as plt
plt.figure(figsize=(2, 1)); plt.plot([1, 3, 2]); plt.title("a picture")
---
_, __, _13
---
class Broken:
    def __repr__(self): raise RuntimeError("no repr")
Broken()
---
x.nothing
---
print("é ∑ 語 \\x1b[31mred\\x1b[0m\\ttab\\rover"); print("no newline", end="")
---
get_ipython().__class__.__name__, __name__, type(sys.stdout).__mro__[-2].__name__
---
%matplotlib inline
undefined_name
---

---
x;
""".strip("\n").split("\n---\n")


def notebook():
    return new_notebook(cells=[new_code_cell(source) for source in CELLS])


def shown(executed: nbformat.NotebookNode) -> list[str]:
    """What each cell shows, without what is the machine's or the moment's."""
    texts = [comparable(cell).replace(os.path.expanduser("~"), "~") for cell in executed.cells]      # theirs is another home
    return [re.sub(r"0x[0-9a-f]+|\d+(\.\d+)? [nμm]?s ± .*|/[\w/.-]*ipykernel_\d+/\d+\.py", "…", text) for text in texts]


@pytest.fixture(scope="module")
def stock(tmp_path_factory) -> list[str]:
    step = Execute(timeout=60)
    step.log.setLevel("CRITICAL")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST", raising=False)      # by which ipykernel would not take in what programs print
        done, _ = step.preprocess(notebook(), {"metadata": {"path": str(tmp_path_factory.mktemp("stock"))}})
    return shown(done)


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_are_those_of_stock_nbgrader(engine, stock):
    done = execute(Job(nbformat.writes(notebook()), engine=engine))
    ours = shown(nbformat.reads(done.notebook, as_version=4))
    assert done.notes == []
    for code, one, other in zip(CELLS, ours, stock, strict=True):
        assert one == other, code


@pytest.mark.parametrize("engine", ENGINES)
def test_what_kills_a_kernel_costs_its_own_cell_only(engine):
    cells = ["kept = 1", "import os; os._exit(1)", "print(kept)"]
    job = Job(nbformat.writes(new_notebook(cells=[new_code_cell(each) for each in cells])), engine=engine)
    done = execute(job)
    outputs = [cell.outputs for cell in nbformat.reads(done.notebook, as_version=4).cells]
    assert outputs[1][0].ename == "KernelDied" and outputs[2][0].text == "1\n"
    assert [note.text for note in done.notes] == ["cell 2 ended the kernel"]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_run_in_time_is_said(engine):
    cells = ["import time; time.sleep(1.5)", "print('second')", "print('third')"]
    job = Job(nbformat.writes(new_notebook(cells=[new_code_cell(each) for each in cells])), limits=Limits(notebook=1), engine=engine)
    done = execute(job)
    outputs = [cell.outputs for cell in nbformat.reads(done.notebook, as_version=4).cells]
    assert outputs[2][0].ename == "NotRun" and "took longer than 1 seconds" in done.notes[0].text


def test_a_job_may_run_in_a_process_elsewhere():
    job = Job(nbformat.writes(new_notebook(cells=[new_code_cell("print(open('data.txt').read())")])), {"data.txt": b"data"})
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        done = elsewhere.submit(execute, pickle.loads(pickle.dumps(job))).result(60)
    assert nbformat.reads(done.notebook, as_version=4).cells[0].outputs[0].text == "data\n"


@pytest.mark.skipif("forked" not in ENGINES, reason="needs fork")
def test_a_warm_process_that_is_killed_is_replaced():
    job = Job(nbformat.writes(new_notebook(cells=[new_code_cell("1")])))
    execute(job)
    first = warm.zygote(warm.mode()).process
    first.kill()
    first.wait()
    assert nbformat.reads(execute(job).notebook, as_version=4).cells[0].outputs
    assert warm.zygote(warm.mode()).process.pid != first.pid


@pytest.mark.skipif("sandboxed" not in ENGINES, reason="needs the sandbox")
def test_memory_stays_as_it_is_over_many_notebooks():
    import psutil

    job = Job(nbformat.writes(new_notebook(cells=[new_code_cell("x = bytearray(10**7)")])), engine="sandboxed")
    sizes = []
    for number in range(61):
        execute(job)
        if number % 20 == 0:
            family = [psutil.Process(), psutil.Process(warm.zygote("sandboxed").process.pid)]
            sizes.append([process.memory_info().rss for process in family])
    for first, last in zip(sizes[1], sizes[-1], strict=True):
        assert last < first + 5 * 2**20


# ── without a sandbox: only after a yes ─────────────────────────────────────────────────────────────────


@pytest.fixture
def course(tmp_path) -> Course:
    course = make_course(tmp_path)
    hand_in(course, "ann", demo.solved(course, Assignment.of(course, NAME))["small"])
    return course


@pytest.fixture
def forbidden(monkeypatch):
    monkeypatch.setattr(sandbox, "probe", lambda: Probe(("namespaces are forbidden here",)))


def test_where_there_is_no_sandbox_nothing_is_graded_without_the_option(course, forbidden):
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root)])
    assert run.exit_code == 2 and "namespaces are forbidden here" in run.output and "--no-sandbox" in run.output
    assert not (course.root / "grader/gradebook.db").exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 2)])
def test_on_a_terminal_it_asks(course, forbidden, monkeypatch, answer, code):
    genuine = cli.choose_engine

    def on_a_terminal(*args):
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        return genuine(*args)

    monkeypatch.setattr(cli, "choose_engine", on_a_terminal)
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root)], input=answer)
    assert run.exit_code == code and "Grade without a sandbox?" in run.output


def test_without_a_sandbox_when_told_so(course):
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--no-sandbox"])
    assert run.exit_code == 0, run.output


# ── --verify, and nbgrader with the fast engine ─────────────────────────────────────────────────────────


def test_verify_compares_with_stock_nbgrader(course):
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--verify", "1"])
    assert run.exit_code == 0 and "scores and outputs are the same" in run.output, run.output


def test_verify_tells_differences(course, monkeypatch):
    genuine = verify.execute

    def other_outputs(job):
        done = genuine(job)
        return type(done)(done.notebook.replace("ok  double(4) is 8: 8", "ok  double(4) is 8: 9"), done.notes, done.seconds)

    monkeypatch.setattr(verify, "execute", other_outputs)
    run = CliRunner().invoke(grade, [NAME, "--root", str(course.root), "--verify", "1"])
    assert run.exit_code == 1 and "double_check_1" in run.output and "double(4) is 8: 9" in run.output


@pytest.mark.skipif("sandboxed" not in ENGINES, reason="needs the sandbox")
def test_stock_autograde_with_the_fast_engine_gives_the_same_scores(course):
    hand_in(course, "bob", new_notebook(cells=[new_code_cell("import os; os.getcwd()")]))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COURSE_AUTOGRADE": "sandboxed"}
    for words in (["generate_assignment", NAME, "--force"], ["autograde", NAME]):
        run = subprocess.run([sys.executable, "-m", "nbgrader", *words], cwd=course.root, capture_output=True, text=True, timeout=120,
                             env=environment, check=False)
        assert run.returncode == 0, run.stderr[-2000:]
    with Gradebook(course.nbgrader().db_url, course.nbgrader().course_id) as gradebook:
        assert gradebook.find_submission(NAME, "ann").score == 8
        assert gradebook.find_submission(NAME, "bob").score == 0
    graded = nbformat.read(course.folder("autograded", "bob", NAME) / "small.ipynb", as_version=4)
    assert graded.cells[0].outputs[0].data["text/plain"] == f"'{sandbox.HOME}/work'"
