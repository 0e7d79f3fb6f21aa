"""What the checks of chapter 07 share: a quiet session, and tables of events.

    with connect(server) as session:
        make(session, events)                                   # the table `shop_events` with these events in it
        ask(session, "SELECT count(*) FROM shop_events")        # → [(120,)]
"""

import inspect
import linecache
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import FallthroughRetryPolicy, HostFilterPolicy, RoundRobinPolicy

from course.shopstream import Event
from course.workers import processes

try:  # here and not where it is needed: it adds to sys.meta_path, which grading takes for tampering once a check has begun
    import happybase
except ModuleNotFoundError:  # one task needs it, the others do not
    happybase = None

BUCKETS = 4  # of a day, in the table that `make` makes
SHOP_EVENTS = """
    CREATE TABLE shop_events (
        day date, bucket int, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
        product_id text, quantity int, amount_cents bigint, details map<text, text>,
        PRIMARY KEY ((day, bucket), timestamp, event_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id DESC)
"""


@contextmanager
def connect(server, node: int | None = None) -> Iterator[Session]:
    """An unmodified session in the course's keyspace, closed after the block.

    It asks one node only (`node` counts from 0 in a ring), tries nothing again, and does not write into the notebook.
    """
    logging.getLogger("cassandra").addHandler(logging.NullHandler())  # without a handler, warnings would go to stderr
    place = server if node is None else server.nodes[node]
    only = HostFilterPolicy(RoundRobinPolicy(), lambda host: (host.address, host.endpoint.port) == (place.host, place.port))
    profile = ExecutionProfile(load_balancing_policy=only, retry_policy=FallthroughRetryPolicy(), request_timeout=20)
    # A busy machine may take more than the usual 5 and 2 seconds.
    patience = {"connect_timeout": 20, "control_connection_timeout": 20}
    cluster = Cluster(
        [place.host], port=place.port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile}, **patience
    )
    try:
        yield cluster.connect(server.keyspace)
    finally:
        cluster.shutdown()


def ask(session: Session, cql: str, *values) -> list[tuple]:
    """The rows of a query, as tuples. A `?` in it stands for a value."""
    return [tuple(row) for row in session.execute(session.prepare(cql), values)]


def partition_key(session: Session, table: str) -> list[str]:
    """The names of the columns that make up a table's partition key. Raises KeyError if there is no such table."""
    return [column.name for column in session.cluster.metadata.keyspaces[session.keyspace].tables[table].partition_key]


def make(session: Session, events: Iterable[Event]) -> None:
    """Create the table `shop_events` and store events in it, each in the bucket that its id gives it."""
    session.execute(SHOP_EVENTS)
    insert(session, "shop_events", events, lambda event: (event.timestamp.date(), event.event_id.int % BUCKETS))


def insert(session: Session, table: str, events: Iterable[Event], partition_of: Callable[[Event], tuple]) -> None:
    """Store events in a table that has a column for each field of an event.

    partition_of    the values of the partition key's columns, in their order
    """
    key = partition_key(session, table)
    rows = []
    for event in events:
        fields = event.for_cassandra()
        del fields["day"]  # a table need not have it
        rows.append(fields | dict(zip(key, partition_of(event), strict=True)))
    if rows:
        names = list(rows[0])
        insertion = session.prepare(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})")
        execute_concurrent_with_args(session, insertion, [[row[name] for name in names] for row in rows])


def make_ring_tables(session: Session) -> None:
    """Create the tables `carts`, `sales` and `visits`."""
    session.execute("CREATE TABLE carts (cart_id text PRIMARY KEY, items text)")
    session.execute("CREATE TABLE sales (product_id text PRIMARY KEY, sold counter)")
    session.execute("CREATE TABLE visits (user_id text PRIMARY KEY, product_id text)")


@contextmanager
def hbase_table(server) -> Iterator["happybase.Table"]:
    """A new table `events` with one family `e`, which keeps three versions of a cell. The connection is closed after the block.

    Raises ModuleNotFoundError that says how to get happybase if it is not there.
    """
    if happybase is None:
        raise ModuleNotFoundError("this task needs happybase: %pip install happybase   (or the extra 'columns' of the course)")
    connection = happybase.Connection(server.host, server.port)
    try:
        connection.create_table("events", {"e": {"max_versions": 3}})
        yield connection.table("events")
    finally:
        connection.close()


# What a new process runs: each statement of the cell by itself, so that a trial at its end, which needs a server, does no harm.
ELSEWHERE = """
import ast, os, sys, time
sys.path[:] = {path!r}
os.environ["TZ"] = "XXX-13"
if hasattr(time, "tzset"):      # not on Windows
    time.tzset()
from datetime import UTC, date, datetime, timedelta
from course import shopstream
from course.shopstream import Event
for statement in ast.parse({cell!r}).body:
    try:
        exec(compile(ast.Module([statement], []), "cell", "exec"))
    except Exception:
        pass
"""
ANSWERS = """
for line in reversed({lines!r}):
    print(repr({name}(Event.from_json(line))))
"""


def in_another_process(function: Callable[[Event], tuple], events: Iterable[Event]) -> list[str]:
    """What a function says of events in a new process, as texts. It gets them in reverse order, in another time zone.

    The process knows the cell that defines the function, and no other. Raises RuntimeError if the function fails there.
    """
    cell = "".join(linecache.getlines(inspect.unwrap(function).__code__.co_filename))
    lines = [event.to_json() for event in events]
    before = ELSEWHERE.format(path=sys.path, cell=cell)
    (said,) = processes(1, before, ANSWERS.format(lines=lines, name=function.__name__))
    return said.splitlines()[::-1]
