"""CQL, chapter by chapter: the same cases on the embedded server and, with `pytest --real cassandra`, on a real Cassandra.

The cases are in tests/cql/*.yaml; tests/cql/run.py recorded what they expect from Cassandra 5.0.6. A case on which the
embedded server differs says so under `embedded`, with the reason; docs/cql.md tells them all.
"""

import sys
from pathlib import Path

import pytest

import stores

FOLDER = Path(__file__).parent / "cql"
sys.path.insert(0, str(FOLDER))
from run import EXPECTED, connect, load, outcome, prepare  # noqa: E402

CHAPTERS = {path.stem: load(path) for path in sorted(FOLDER.glob("*.yaml"))}
CASES = [(chapter, number) for chapter, about in CHAPTERS.items() for number in range(len(about["cases"]))]


@pytest.fixture(scope="module")
def server(chosen):
    with chosen("cassandra"):
        yield stores.start("cassandra", materialized_views=True)
        stores.stop_all()


@pytest.fixture(scope="module")
def session(server):
    cluster, session = connect(server)
    yield session
    cluster.shutdown()


@pytest.fixture(scope="module")
def results(server, session):
    """Give results(chapter): what each of its cases gave. They run in order, since later ones build on earlier ones."""
    found = {}

    def run(name):
        if name not in found:
            chapter = CHAPTERS[name]
            prepare(server, session, chapter)
            found[name] = [outcome(session, case, server.kind) for case in chapter["cases"]]
        return found[name]

    return run


@pytest.mark.parametrize("chapter, number", CASES, ids=lambda value: value if isinstance(value, str) else f"{value}")
def test_case(server, results, chapter, number):
    case = CHAPTERS[chapter]["cases"][number]
    expected = {key: case[key] for key in EXPECTED if key in case}
    if server.kind == "embedded" and "embedded" in case:
        differs = {key: value for key, value in case["embedded"].items() if key != "because"}
        assert differs != expected, "the difference is none"
        expected = differs
    assert results(chapter)[number] == expected, case["cql"]


def test_every_difference_of_the_embedded_server_is_told():
    cases = [case for chapter in CHAPTERS.values() for case in chapter["cases"]]
    different = [case for case in cases if "embedded" in case]
    document = (FOLDER.parent.parent / "docs" / "cql.md").read_text("utf-8")
    assert f"{len(cases)} cases" in document
    assert f"{len(different)} of them" in document
    for case in different:
        assert case["embedded"]["because"] in document, f"docs/cql.md does not tell: {case['embedded']['because']}"
