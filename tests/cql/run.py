"""Runs the cases of the CQL suite on any server, and records what a real Cassandra answers.

    CASSANDRA_CONTACT_POINTS=127.0.0.1:9042 python tests/cql/run.py tests/cql/selecting.yaml    # records again

A case is a statement, with `values` to prepare and bind, a `page` size or a consistency `level`. What is recorded:
`columns` (name and type) and `rows`, or `error` and `message`; a statement that returns nothing has neither.
{keyspace} stands for the course's keyspace.
"""

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from cassandra import ConsistencyLevel, DriverException
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy, RoundRobinPolicy
from cassandra.protocol import ErrorMessage
from cassandra.query import SimpleStatement

FOLDER = Path(__file__).parent
# A Cassandra lists the signatures of a function in an order that changes from start to start.
SIGNATURES = re.compile(r"(known type signatures: system\.)([^)]*\).*(?=\)))")
KEYSPACE = re.compile(r"\bcourse(_[0-9a-f]{8})?\b")  # the name of the server's own keyspace
BUILDS = re.compile(r"CREATE (CUSTOM )?(INDEX|MATERIALIZED VIEW)")  # in the background, on a real server
BUILT = 1.0  # seconds that building takes at most
EXPECTED = ("columns", "rows", "pages", "error", "message")


def connect(server):
    """Return a Cluster and its Session in the server's keyspace."""
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), retry_policy=FallthroughRetryPolicy(), request_timeout=60)
    cluster = Cluster(
        server.contact_points,
        port=server.port,
        protocol_version=5,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        schema_metadata_enabled=False,
    )
    return cluster, cluster.connect(server.keyspace)


def load(path):
    """Return a chapter: its cases are dicts, whatever short form they are written in."""
    chapter = yaml.safe_load(Path(path).read_text("utf-8"))
    chapter["cases"] = [case if isinstance(case, dict) else {"cql": case} for case in chapter["cases"]]
    return chapter


def outcome(session, case, kind="real"):
    """Return what a case gives, in plain values."""
    found = _outcome(session, case)
    if kind == "real" and BUILDS.match(case["cql"]):
        time.sleep(BUILT)
    return found


def _outcome(session, case):
    text = case["cql"].replace("{keyspace}", session.keyspace)
    try:
        if "values" in case:
            result = session.execute(session.prepare(text), case["values"])
        else:
            level = ConsistencyLevel.name_to_value[case.get("level", "LOCAL_ONE")]
            result = session.execute(SimpleStatement(text, fetch_size=case.get("page"), consistency_level=level))
        rows, pages = [], 1
        if result.column_names:
            rows += result.current_rows
            while result.has_more_pages:
                result.fetch_next_page()
                rows += result.current_rows
                pages += 1
    except (DriverException, ErrorMessage) as error:
        return {"error": type(error).__name__, "message": message_of(error, session.keyspace)}
    if not result.column_names:
        return {}
    types = [KEYSPACE.sub("{keyspace}", type_.cql_parameterized_type()) for type_ in result.column_types]
    found = {"columns": [f"{name} {type_}" for name, type_ in zip(result.column_names, types, strict=True)]}
    found["rows"] = [[plain(value) for value in row] for row in rows]
    if "page" in case:
        found["pages"] = pages
    return found


def message_of(error, keyspace):
    """Return the server's own text, without what the driver puts around it."""
    text = getattr(error, "message", None) or str(error)
    if 'message="' in text:
        text = text.split('message="', 1)[1].rsplit('"', 1)[0]
    text = SIGNATURES.sub(lambda found: found[1] + ", ".join(sorted(found[2].split(", system."))), text)
    return text.replace(keyspace, "{keyspace}")


def plain(value):
    """Return a value as YAML can hold it."""
    if isinstance(value, str):
        return KEYSPACE.sub("{keyspace}", value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping) or hasattr(value, "items"):
        return [[plain(key), plain(item)] for key, item in value.items()]
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    return str(value)


def prepare(server, session, chapter):
    """Make a clean slate and run what the chapter's cases build on."""
    server.reset()
    for text in chapter["given"]:
        session.execute(text)
    if server.kind == "real":
        time.sleep(BUILT)


def record(path, server, session):
    """Write down what the server answers to each case of a chapter."""
    chapter = load(path)
    prepare(server, session, chapter)
    for case in chapter["cases"]:
        for key in EXPECTED:
            case.pop(key, None)
        case.update(outcome(session, case, server.kind))
    lines = [f"chapter: {chapter['chapter']}", "given:"]
    lines += [f"- {_line(text)}" for text in chapter["given"]]
    lines.append("cases:")
    for case in chapter["cases"]:
        lines += ["", *(f"{'  ' if i else '- '}{key}: {_line(value)}" for i, (key, value) in enumerate(case.items()))]
    Path(path).write_text("\n".join(lines) + "\n", "utf-8")


def _line(value):
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True).strip()
    return text.removesuffix("\n...").removesuffix("...").strip()


def main(paths):
    import stores

    server = stores.start("cassandra")
    cluster, session = connect(server)
    for path in paths:
        record(path, server, session)
    cluster.shutdown()
    stores.stop_all()


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER.parent.parent))
    main(sys.argv[1:])
