"""Parity: the rules, the verdicts, the marks, the page; and the course itself, on embedded servers and on real ones."""

import os
import time
from datetime import UTC, datetime

import nbformat
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import stores
from course import cli, parity
from course.build import read_source
from course.parity import servers
from course.parity.compare import Verdict, compare
from course.parity.normalise import apply_rules, coarse, exact
from course.parity.report import Report, page
from course.parity.run import execute, notebooks, stores_used

UUID1, UUID4 = "6fa459ea-ee8a-11ee-894e-db77e160355e", "16fd2706-8baf-433b-82eb-8c7fada847da"
UUID5 = "886313e1-3b8a-5372-9b90-0c9aee199e5d"
NOW = datetime.now(UTC)

# ── rules ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("one", "other"), [
    ("<redis server: embedded, fakeredis 2.40.0, redis://127.0.0.1:43257/0>",
     "<redis server: real, Redis 7.0.15 at 127.0.0.1:6379, database 14, redis://127.0.0.1:41295/0>"),
    ("connect 127.0.0.1:40001", "connect 127.0.0.1:9042"),
    ("IPv4Address(('127.0.0.1', 42293))", "IPv4Address(('127.0.0.1', 7687))"),
    ("[#D7E4]  _: <CONNECTION> error", "[#96D4]  _: <CONNECTION> error"),
    ("<Thing object at 0x7f52a8b1c0d0>", "<Thing object at 0x55d0c8b1c0d0>"),
    ("<Node element_id='#1:0' labels", f"<Node element_id='4:{UUID4}:0' labels"),
    (f"id {UUID1}", "id d9428888-122b-11e1-b85c-61cd3cbb3210"),
    (f"id {UUID4}", "id 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    ("ObjectId('65a1b2c3d4e5f60718293a4b')", "ObjectId('65a1b2c3d4e5f60718293a4c')"),
    ("keyspace course_0a1b2c3d.t", "keyspace course_deadbeef.t"),
    ("/tmp/ipykernel_23605/42.py:7: Warning", "/tmp/ipykernel_24009/42.py:7: Warning"),
    (f"at {NOW:%Y-%m-%d %H:%M:%S.%f}", f"at {NOW:%Y-%m-%d} 00:00:00"),
    (f"entry {time.time_ns() // 10**6}-0", f"entry {time.time_ns() // 10**6 - 5000}-0"),
    (f"at {time.time()}", f"at {time.time() - 9:.3f}"),
], ids=lambda _: "")
def test_what_no_two_runs_share_is_taken_out(one, other):
    assert one != other
    assert apply_rules(one) == apply_rules(other)


@pytest.mark.parametrize("text", [
    f"event {UUID5}", "2024-06-19 12:00:00", "at 1718798400000", "127.0.0.1 and 127.0.0.2", "{'views': 41295}", "TTL 60", "#1",
    "a1b2c3d4e5f60718293a4b", "<b>redis server</b>", "2026-13-45 99:99:99",
])
def test_everything_else_stays(text):
    assert apply_rules(text) == text


@given(st.text())
def test_the_rules_find_nothing_in_what_they_left(text):
    assert apply_rules(apply_rules(text)) == apply_rules(text)


def test_the_card_of_a_server_is_the_same_for_both_kinds(redis_server, monkeypatch):
    embedded = stores.start("redis")
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    real = stores.start("redis")
    assert embedded.kind != real.kind
    assert apply_rules(embedded._repr_html_()) == apply_rules(real._repr_html_())
    assert apply_rules(repr(embedded)) == apply_rules(repr(real)) == "<redis server>"


def test_a_stream_is_one_text_however_it_came():
    parts = [new_output("stream", name=name, text=text) for name, text in (("stdout", "a"), ("stderr", "warn"), ("stdout", "b"))]
    assert sorted(exact(new_code_cell(outputs=parts))) == [("stderr", "warn"), ("stdout", "ab")]


def test_pictures_are_compared_by_their_data_and_coarsely_by_being_there():
    one, other = (new_code_cell(outputs=[new_output("display_data", {"image/png": data})]) for data in ("AAAA", "BBBB"))
    assert exact(one) != exact(other)
    assert coarse(one) == coarse(other) != coarse(new_code_cell())


# ── verdicts, with made-up notebooks ─────────────────────────────────────────────────────────────────────────────


def ran(*said, **marks):
    """A notebook of one cell that has said this: text, or an exception."""
    outputs = [new_output("error", ename=type(text).__name__, evalue=str(text), traceback=[]) if isinstance(text, Exception)
               else new_output("stream", name="stdout", text=text) for text in said]
    metadata = {"course": {"parity": marks}} if marks else {}
    return new_notebook(cells=[new_markdown_cell("prose"), new_code_cell("ask()", outputs=outputs, metadata=metadata)])


def verdict(embedded, real, again=None, real_again=None, absent=()):
    def repeat(kind):
        assert again is not None, "nothing called for another run"
        return again if kind == "embedded" else real_again or real
    [cell] = compare(embedded, real, repeat, absent)
    return cell


def test_equal_cells_are_the_same_and_need_no_second_run():
    assert verdict(ran("1"), ran("1")).verdict == Verdict.SAME


def test_a_differing_cell_is_found_and_shown():
    cell = verdict(ran("one\ntwo\n"), ran("one\n2\n"), again=ran("one\ntwo\n"))
    assert cell.verdict == Verdict.UNMARKED
    assert {"-stdout: two", "+stdout: 2"} <= set(cell.diff.splitlines())


@pytest.mark.parametrize("mark", ["differs", "only_embedded"])
def test_a_mark_that_nothing_needs_is_found(mark):
    cell = verdict(ran("1", **{mark: "other words"}), ran("1"))
    assert cell.verdict == Verdict.STALE
    assert "other words" in cell.reason


def test_a_cell_of_a_store_that_was_not_real_has_not_run():
    embedded, real = ran("1", differs="other words"), ran("1", differs="other words")
    real.cells[1].metadata["served"] = {"embedded": ["hbase"]}
    cell = verdict(embedded, real, absent=["hbase"])
    assert (cell.verdict, cell.reason) == (Verdict.NOT_RUN, "no real server: hbase")


@pytest.mark.parametrize(("mark", "expected"), [("differs", Verdict.DIFFERENT), ("only_embedded", Verdict.NOT_APPLICABLE)])
def test_a_mark_gives_its_reason(mark, expected):
    cell = verdict(ran("a", **{mark: "as told"}), ran("b"), again=ran("a"))
    assert (cell.verdict, cell.reason, cell.diff) == (expected, "as told", "")


@pytest.mark.parametrize(("marks", "told"), [({}, "asks for an embedded server"), ({"only_embedded": "stops a node"}, "stops a node")])
def test_a_cell_that_an_embedded_server_served_in_both_runs_proves_nothing(marks, told):
    embedded, real = ran("a", **marks), ran("a", **marks)
    real.cells[1].metadata["served"] = {"embedded": ["cassandra"]}
    cell = verdict(embedded, real)
    assert (cell.verdict, cell.reason) == (Verdict.NOT_APPLICABLE, told)
    real.cells[1].outputs = []
    assert verdict(embedded, real, again=embedded).verdict == (Verdict.NOT_APPLICABLE if marks else Verdict.UNMARKED)


def test_differs_does_not_cover_a_cell_that_fails_on_the_real_server_alone():
    cell = verdict(ran("a", differs="as told"), ran(ValueError("no")), again=ran("a"))
    assert (cell.verdict, "only the real server raises" in cell.reason) == (Verdict.UNMARKED, True)
    assert verdict(ran("a", only_embedded="so"), ran(ValueError("no")), again=ran("a")).verdict == Verdict.NOT_APPLICABLE
    assert verdict(ran(ValueError("a"), differs="so"), ran(ValueError("b")), again=ran(ValueError("a"))).verdict == Verdict.DIFFERENT


def test_a_cell_that_is_never_the_same_is_told_from_one_that_differs():
    assert verdict(ran("took 12 ms"), ran("took 14 ms"), again=ran("took 11 ms")).verdict == Verdict.VARIES
    assert verdict(ran("token x"), ran("token y"), again=ran("token z")).verdict == Verdict.VARIES


def test_a_difference_that_a_second_pair_of_runs_does_not_show_is_chance():
    assert verdict(ran("[10000]"), ran("[9999]"), again=ran("[10000]"), real_again=ran("[10000]")).verdict == Verdict.VARIES
    assert verdict(ran("[10000]"), ran("[9999]"), again=ran("[10000]"), real_again=ran("[9998]")).verdict == Verdict.UNMARKED


def test_chance_does_not_hide_another_difference():
    assert verdict(ran("took 12 ms"), ran("took 14 ms, failed"), again=ran("took 11 ms")).verdict == Verdict.UNMARKED


def test_a_cell_that_is_marked_so_may_vary_in_its_numbers_only():
    assert verdict(ran("98", varies="drawn"), ran("97")).verdict == Verdict.VARIES
    assert verdict(ran("98", varies="drawn"), ran("none"), again=ran("98")).verdict == Verdict.UNMARKED


def test_marks_come_from_the_source():
    text = '# ---\n# title: "T"\n# minutes: 1\n# summary: S\n# ---\n\n# %% differs="other words"\nprint(1)\n'
    embedded, real = read_source(text), read_source(text)
    real.cells[0].outputs = [new_output("stream", name="stdout", text="2")]
    assert verdict(embedded, real, again=embedded).reason == "other words"


# ── notebooks and servers ────────────────────────────────────────────────────────────────────────────────────────


def test_which_stores_a_notebook_uses_is_read_from_its_code():
    cells = ['server = stores.start("redis")', 'if have:\n    other = stores.start("memcached", port=1)', "%pip list",
             'start("neo4j")', '# stores.start("cassandra")']
    notebook = new_notebook(cells=[*map(new_code_cell, cells), new_markdown_cell('stores.start("neo4j")')])
    assert stores_used(notebook) == {"redis", "memcached"}


def test_every_chapter_and_solution_is_looked_at(root):
    found = {path.relative_to(root).as_posix(): names for path, names in notebooks(root).items()}
    assert found["notebooks/02_redis.ipynb"] == {"redis", "memcached"}
    assert found["solutions/09_graphs/graphs.ipynb"] == {"neo4j"}
    assert not any(name.startswith("exercises") for name in found)


def project(tmp_path, *sources):
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), tmp_path / "notebooks/01_x.ipynb")
    return tmp_path


START = 'import redis, stores\nserver = stores.start("redis")\nr = redis.Redis(host=server.host, port=server.port)\nserver'


def test_a_difference_between_the_servers_is_found_by_running_them(tmp_path, redis_server, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    folder = project(tmp_path, START, 'r.set("k", 1)', "server.kind", "import random; random.random()", 'r.no_such_method()',
                     'own = stores.start("redis", embedded=True)', 'redis.Redis(port=own.port).ping()', 'r.get("k")')
    report = parity.parity(folder, ["redis"], tell=lambda line: None)
    [cells] = report.cells.values()
    assert [cell.verdict for cell in cells] == [Verdict.SAME, Verdict.SAME, Verdict.UNMARKED, Verdict.VARIES, Verdict.SAME,
                                                Verdict.NOT_APPLICABLE, Verdict.NOT_APPLICABLE, Verdict.SAME]
    assert "-text/plain: 'embedded'" in cells[2].diff
    assert [cell.asked for cell in cells] == [True, True, False, False, False, False, False, True]
    assert report.failed
    assert "'embedded'" not in page(report) and "| 3 | `server.kind` | different, unmarked |" in page(report)
    assert report.engines["redis"][1].startswith("Redis ")


def test_a_server_that_cannot_be_had_is_said_and_its_notebooks_too(tmp_path, monkeypatch):
    monkeypatch.setattr(servers.local, "find", lambda name: None)
    report = parity.parity(project(tmp_path, START), tell=lambda line: None)
    assert "redis-server is not on the PATH" in report.missing["redis"]
    assert report.cells == {} and "redis-server" in report.not_run()["notebooks/01_x.ipynb"]
    assert "Not run on a real server" in page(report) and "| notebooks/01_x.ipynb | redis: redis-server is not" in page(report)


def test_an_address_where_nothing_answers_is_said_too(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    with servers.real_servers(["redis"]) as found:
        assert "connection refused" in found.missing["redis"] and not found.engines


def test_a_kernel_that_dies_is_said(tmp_path, redis_server, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_server.url)
    report = parity.parity(project(tmp_path, START, "import os; os._exit(1)"), tell=lambda line: None)
    assert report.failed and "died" in report.not_run()["notebooks/01_x.ipynb"].lower()


def test_a_kernel_knows_only_the_servers_that_it_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    path = project(tmp_path, "import os\nprint(os.environ.get('REDIS_URL'), os.environ.get('MEMCACHED_URL'))") / "notebooks/01_x.ipynb"
    assert execute(path, {}).cells[0].outputs[0].text == "None None\n"
    assert execute(path, {"MEMCACHED_URL": "m"}).cells[0].outputs[0].text == "None m\n"


@pytest.mark.parametrize("failed", [False, True])
def test_the_verb_writes_the_page_for_a_whole_run_only(tmp_path, monkeypatch, failed):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    monkeypatch.setattr(parity, "parity", lambda *_, **__: Report(broken={"n": "died"} if failed else {}))
    assert CliRunner().invoke(cli.main, ["parity", "redis"]).exit_code == failed
    assert not (tmp_path / "docs/parity.md").exists()
    assert CliRunner().invoke(cli.main, ["parity"]).exit_code == failed
    assert (tmp_path / "docs/parity.md").read_text(encoding="utf-8").startswith("# Embedded and real")


def test_a_store_that_nobody_knows_is_a_sentence():
    result = CliRunner().invoke(cli.main, ["parity", "oracle"])
    assert result.exit_code == 2 and "no store is called oracle" in result.output


# ── the course ───────────────────────────────────────────────────────────────────────────────────────────────────


def pytest_generate_tests(metafunc):
    """Parity for Redis always, for others where --real names them."""
    if "real_store" in metafunc.fixturenames:
        named = filter(None, metafunc.config.getoption("--real").split(","))
        metafunc.parametrize("real_store", sorted({"redis", *named}))


@pytest.mark.timeout(1200)   # notebooks of a store run up to four times, each in a kernel of its own
def test_no_cell_differs_without_a_reason(root, request, real_store, monkeypatch):
    if not os.environ.get(stores.variable(real_store)):
        program = request.getfixturevalue("launch")(stores.local.OF_STORE[real_store])
        for name, value in program.environment().items():
            monkeypatch.setenv(name, value)
    report = parity.parity(root, [real_store])
    assert report.engines, report.missing
    assert report.cells and not report.broken
    wrong = [f"{name}, cell {cell.number}: {cell.name}\n{cell.reason}\n{cell.diff}" for name, cell in report.of(Verdict.UNMARKED)]
    assert not wrong, "\n\n".join(wrong)


def test_the_page_lists_every_notebook(root):
    text = (root / "docs/parity.md").read_text(encoding="utf-8")
    for path, used in notebooks(root).items():
        assert not used or path.relative_to(root).as_posix() in text, "run `python -m course parity` and commit docs/parity.md"
