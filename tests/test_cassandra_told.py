"""Reading a real node's results for the record: the reader understands what our own writer, tested against the driver, writes."""

import pytest
from cassandra_engine import Session

from stores.cassandra.errors import ProtocolException
from stores.cassandra.protocol import messages, told
from stores.cassandra.results import Options

TYPES = [
    *"ascii bigint blob boolean date decimal double duration float inet int smallint".split(),
    *"text time timestamp timeuuid tinyint uuid varint".split(),
    *("list<int>", "set<text>", "map<text, int>", "frozen<list<frozen<set<uuid>>>>", "tuple<int, text>", "vector<float, 3>"),
    *("frozen<place>", "list<frozen<place>>"),
]


@pytest.fixture(scope="module")
def session():
    session = Session()
    session("CREATE TYPE place (city text, at tuple<double, double>, tags set<text>)")
    session(f"CREATE TABLE t (k int PRIMARY KEY, {', '.join(f'c{n} {cql}' for n, cql in enumerate(TYPES))})")
    session("CREATE TABLE numbers (k int, c int, PRIMARY KEY (k, c))")
    for c in range(10):
        session(f"INSERT INTO numbers (k, c) VALUES (1, {c})")
    return session


@pytest.mark.parametrize("version", [3, 4, 5])
def test_the_columns_of_a_prepared_statement_come_back(session, version):
    names = [f"c{n}" for n in range(len(TYPES))]
    statement = session.engine.prepare(f"INSERT INTO t (k, {', '.join(names)}) VALUES (0, {', '.join('?' * len(names))})", "k")
    found = told.bind_columns(messages.prepared(statement, version), version)
    assert [column.name for column in found] == names
    for column, wanted in zip(found, statement.bind_columns, strict=True):
        assert column.type.frozen() == wanted.type.frozen(), column.name


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("text", ["SELECT k FROM t WHERE k = 1", "BEGIN BATCH INSERT INTO numbers (k, c) VALUES (1, 1) APPLY BATCH"])
def test_a_statement_may_bind_nothing(session, version, text):
    assert told.bind_columns(messages.prepared(session.engine.prepare(text, "k"), version), version) == ()


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("page", [0, 4])
@pytest.mark.parametrize(("skip", "changed"), [(False, None), (True, None), (False, b"0123456789abcdef")])
def test_rows_are_counted_with_and_without_their_columns(session, version, page, skip, changed):
    outcome = session.engine.execute("SELECT * FROM numbers WHERE k = 1", keyspace="k", options=Options(page_size=page))
    assert len(outcome.rows) == (page or 10) and (outcome.paging_state is not None) == bool(page)
    assert told.row_count(messages.result(outcome, version, skip, changed)) == len(outcome.rows)


def test_a_type_that_nobody_knows_is_refused(session):
    body = messages.prepared(session.engine.prepare("SELECT k FROM t WHERE k = ?", "k"), 4)
    assert b"\0\1k\0\x09" in body
    with pytest.raises(ProtocolException, match="0x0099"):
        told.bind_columns(body.replace(b"\0\1k\0\x09", b"\0\1k\0\x99"), 4)
