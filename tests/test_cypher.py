"""Cypher, clause by clause: the same cases on the embedded server and, with `pytest --real neo4j`, on a real Neo4j.

The cases are in tests/cypher/*.yaml. What they expect was recorded from Neo4j 5.26 (community edition). A case on
which the embedded engine differs says so under `embedded`, with the reason; docs/cypher.md tells them all.
"""

import logging
import sys
from pathlib import Path

import neo4j
import pytest
import yaml

import stores

FOLDER = Path(__file__).parent / "cypher"
sys.path.insert(0, str(FOLDER))
from plain import exact, plain  # noqa: E402

logging.getLogger("neo4j").setLevel(logging.ERROR)  # a real Neo4j warns of labels that do not exist
GRAPHS = yaml.safe_load((FOLDER / "graphs.yaml").read_text("utf-8"))
FILES = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.yaml")) if path.stem != "graphs"]
CASES = [{"clause": file["clause"], "graph": file["graph"], **case} for file in FILES for case in file["cases"]]
EXPECTED = ("error", "columns", "rows", "counters", "type")


@pytest.fixture(scope="module")
def server(chosen):
    with chosen("neo4j"):
        yield stores.start("neo4j")
        stores.stop_all()


@pytest.fixture(scope="module")
def driver(server):
    with neo4j.GraphDatabase.driver(server.uri, auth=server.auth) as driver:
        yield driver


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['clause']}: {case['name']}")
def test_case(server, driver, case):
    server.reset()
    for query in [GRAPHS[case["graph"]], *case.get("given", ())]:
        if query:
            driver.execute_query(query)
    expected = {key: case[key] for key in EXPECTED if key in case}
    if server.kind == "embedded" and "embedded" in case:
        differs = {key: value for key, value in case["embedded"].items() if key != "because"}
        assert not same(expected, {**expected, **differs}, case), "the difference is none"
        expected = differs if "error" in differs else {**expected, **differs}
        expected = {key: value for key, value in expected.items() if key != "error" or "error" in differs}
    assert_same(outcome(driver, case["query"], case.get("parameters", {})), expected, case)
    if "then" in case:
        assert_same(outcome(driver, case["then"]["query"]), {"type": "r", **case["then"]}, case)


def outcome(driver, query, parameters=None):
    """Return what a query gives: columns, rows, counters (those that are not 0) and type; or its error's code."""
    with driver.session() as session:
        try:
            result = session.run(query, parameters)
            columns = list(result.keys())
            rows = [[plain(value) for value in record.values()] for record in result]
            summary = result.consume()
        except neo4j.exceptions.Neo4jError as error:
            return {"error": error.code}
    counters = {name: n for name, n in vars(summary.counters).items() if n and not name.startswith("_")}
    return {"columns": columns, "rows": rows, "counters": counters, "type": summary.query_type}


def assert_same(got, expected, case):
    wanted = {"counters": {}, **{key: expected[key] for key in EXPECTED if key in expected}}
    if "error" in expected:
        wanted = {"error": expected["error"]}
    assert same(got, wanted, case), f"{case['query']}\n  expected {wanted}\n  got      {got}"


def same(got, wanted, case):
    return comparable(got, case) == comparable(wanted, case)


def comparable(result, case):
    rows = [exact(row) for row in result.get("rows", ())]
    return {**result, "rows": rows if case.get("ordered") else sorted(rows, key=repr), "counters": result.get("counters", {})}


def test_there_are_enough_cases_and_each_is_told_apart():
    names = [(case["clause"], case["name"]) for case in CASES]
    assert len(names) == len(set(names)) >= 300


def test_every_difference_of_the_embedded_engine_is_told():
    different = [case for case in CASES if "embedded" in case]
    document = (FOLDER.parent.parent / "docs" / "cypher.md").read_text("utf-8")
    assert f"{len(CASES)} cases" in document
    assert f"{len(different)} of them" in document
    for case in different:
        assert case["embedded"]["because"] in document, f"docs/cypher.md does not tell: {case['embedded']['because']}"
