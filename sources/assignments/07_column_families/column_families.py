# ---
# title: "Exercises: column families"
# minutes: 150
# summary: A table that spreads its load, a reader of days and buckets, a log-structured merge tree, cells that agree, an HBase row key, and consistency levels.
# ---

# %% [markdown]
# # Exercises: column families
#
# Six tasks, built on [chapter 07](../../notebooks/07_column_families.ipynb). They do not depend on each other, so you can start anywhere.
#
# Efficiency is counted in partitions touched, pages and rows read, never in seconds.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("7.1")` in a new cell, with the number of your task.

# %%
import heapq
from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import NamedTuple

import stores
from cassandra import ConsistencyLevel, Unavailable, WriteTimeout
from cassandra.query import SimpleStatement
from course import shopstream
from course.check import hint
from course.columns import ask, connect, hbase_table, make, make_ring_tables
from course.shopstream import Event

# %% [markdown]
# To try your own code, open a session in a `with` block, as in the next cell: it is the driver's own, and is closed after the block.
# What you store stays on the server until you run a check. The checks connect by themselves, and delete what is there.

# %%
server = stores.start("cassandra")
server.reset()
with connect(server) as session:
    make(session, shopstream.load().events_of("u17"))    # the table of task 7.2, with some events
    print(ask(session, "SELECT count(*) FROM shop_events"))

# %% [markdown] task="7.1" name="partitions" minutes=25
# ### A table for the day of the sale
#
# The shop keeps all its events by day and asks for the newest ones. One partition for each day works until the day of the sale: then all events of that day go to one partition,
# it grows without bound, and the nodes that keep it do all the work.
#
# Write three functions.
#
# | | |
# |---|---|
# | `create_table(session)` | creates the table `events_by_day`, and nothing if it is there already; returns `None` |
# | `partition_of(event)` | the partition of an [`Event`](../../course/shopstream/event.py): a tuple with the value of each column of the partition key, in their order |
# | `partitions_of(day)` | a list of all partitions in which there may be events of a `datetime.date`, each once |
#
# With a partition key of the columns `day` and `bucket`, it may look like this:
#
# ```python
# partition_of(shopstream.load().events[0])   # → (datetime.date(2026, 6, 1), 0)
# partitions_of(date(2026, 6, 1))[1]          # → (datetime.date(2026, 6, 1), 1)
# ```
#
# * How you name the columns of the partition key is up to you. Besides them the table has a column for each field of an event: `event_id uuid`, `timestamp timestamp`, `quantity int`, `amount_cents bigint`,
#   `details map<text, text>`, and the texts `user_id`, `session_id`, `event_type`, `product_id`. The checks store events with `INSERT`.
# * In a partition the newest event comes first, and one can ask for a range of `timestamp` without `ALLOW FILTERING`. No event expires.
# * Two events with different `event_id` are two rows, even if all else is the same. One event that is delivered twice is one row: its partition is always the same, on another day too, in another process,
#   and on a machine in another time zone. (Keep what `partition_of` needs in its cell: a check runs that cell alone, after the imports at the top, in a process that has never seen the events.)
# * All events of a partition are of one UTC day. A day has at most 32 partitions.
# * On a day with 10,000 events no partition has more than 1,000.
# * When the sale opens, 3,200 events come within a second, nearly all of them for one product and many of them from one user. No partition gets more than twice the average.

# %% [markdown] hints="partitions"
# - What is different for every event, even for two events of one user at the same millisecond? And which of the columns should decide about the order in a partition?
# - Cut each day into a fixed number of buckets, and let the partition key be `((day, bucket), …)`. A bucket from the time, the user or the product is as uneven as the sale is.
# - `PRIMARY KEY ((day, bucket), timestamp, event_id)` with `CLUSTERING ORDER BY (timestamp DESC, event_id ASC)`: what has the same key overwrites, so the key ends with the id.
# - `hash("text")` differs from process to process. A UUID is a number already: `event.event_id.int % 16`, and `partitions_of(day)` is `[(day, bucket) for bucket in range(16)]`.

# %% answer="partitions"
def create_table(session):
    """Create the table `events_by_day` unless it is there. Returns None."""
    ### BEGIN SOLUTION
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, bucket int, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
            product_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((day, bucket), timestamp, event_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC)
        """)
    ### END SOLUTION


def partition_of(event):
    """The values of the partition key's columns for an Event, as a tuple."""
    ### BEGIN SOLUTION
    return event.timestamp.date(), event.event_id.int % BUCKETS
    ### END SOLUTION


def partitions_of(day):
    """All partitions in which there may be events of `day`, a datetime.date in UTC: a list of tuples as of `partition_of`."""
    ### BEGIN SOLUTION
    return [(day, bucket) for bucket in range(BUCKETS)]


BUCKETS = 16    # of a day: 10,000 events make 625 a partition
    ### END SOLUTION

# %% check="partitions" points=2
from datetime import date
from itertools import pairwise

import stores
from course import columns, shopstream

with task("7.1"):
    server = stores.start("cassandra")
    server.reset()
    day, events = date(2026, 6, 19), shopstream.load().day("2026-06-19")[::12]
    with columns.connect(server) as session:
        create_table(session)
        check("create_table can run again", got=outcome(lambda: create_table(session)), want=None, cause="CREATE TABLE IF NOT EXISTS")
        tables = session.cluster.metadata.keyspaces[session.keyspace].tables
        check("the table is there", got=sorted(tables), want=["events_by_day"])
        key_columns = columns.partition_key(session, "events_by_day")
        fields = dict.fromkeys(("user_id", "session_id", "event_type", "product_id"), "text") | {
            "event_id": "uuid", "timestamp": "timestamp", "quantity": "int", "amount_cents": "bigint", "details": "map<text, text>"}
        there = {name: column.cql_type for name, column in tables["events_by_day"].columns.items()}
        check("each field of an event has a column of the type that the text names", got={name: there.get(name) for name in fields}, want=fields)
        check("a partition is a tuple with a value for each column of the key", got=[type(partition_of(events[0])), len(partition_of(events[0]))],
              want=[tuple, len(key_columns)])
        partitions = partitions_of(day)
        check("a day has at most 32 partitions", got=len(partitions), want=between(1, 32))
        check("each event is in one of them", got=[event for event in events if partition_of(event) not in partitions], want=[],
              cause="partition_of and partitions_of must count the same buckets")
        columns.insert(session, "events_by_day", events, partition_of)
        select_partition = session.prepare(f"SELECT * FROM events_by_day WHERE {' AND '.join(f'{name} = ?' for name in key_columns)}")
        parts = [list(session.execute(select_partition, partition)) for partition in partitions]
        found = {event.event_id: event for part in parts for event in map(shopstream.Event.from_cassandra, part)}
        check("all partitions together hold the day", got=sum(map(len, parts)), want=len(events), cause="two events with the same primary key become one row")
        check("an event comes back as it was", got=[event for event in events if found.get(event.event_id) != event], want=[])
        check("the newest event of a partition comes first", got=[p for p, part in zip(partitions, parts) if any(a.timestamp < b.timestamp for a, b in pairwise(part))],
              want=[], cause="WITH CLUSTERING ORDER BY (timestamp DESC, …)")

# %% hidden="partitions" points=1 topic="events of one millisecond, events that come twice, a range within a partition"
from datetime import timedelta

import stores
from course import columns, shopstream

with task("7.1"):
    server = stores.start("cassandra")
    server.reset()
    first, second = shopstream.load().traps["same_millisecond"].where[0]
    rush = [shopstream.Event("u9", "s9", "view", f"p{n}", first.timestamp) for n in range(1, 101)]     # many of them share a partition
    twins = [shopstream.Event("u9", "s9", "view", "p1", first.timestamp, event_id=event.event_id) for event in shopstream.load().events[:60]]
    with columns.connect(server) as session:
        create_table(session)
        options = session.cluster.metadata.keyspaces[session.keyspace].tables["events_by_day"].options
        check("no event expires", got=options["default_time_to_live"], want=0)
        columns.insert(session, "events_by_day", [first, second, *rush], partition_of)
        how_many = "SELECT count(*) FROM events_by_day"
        check("102 events of one millisecond are 102 rows", got=columns.ask(session, how_many), want=[(102,)],
              cause="rows with the same primary key overwrite each other; a user may do two things at once, so the key needs the event's id")
        again = [shopstream.Event.from_json(event.to_json()) for event in (first, second, *rush)]
        columns.insert(session, "events_by_day", again, partition_of)
        check("delivered again, they are the same rows", got=columns.ask(session, how_many), want=[(102,)], cause="the bucket must follow from the event, not from chance")
        create_table(session)
        check("nothing is lost when the table is created again", got=columns.ask(session, how_many), want=[(102,)], cause="DROP TABLE loses the shop's events")
        columns.insert(session, "events_by_day", twins, partition_of)
        check("60 more that differ in nothing but the id are 60 more rows", got=columns.ask(session, how_many), want=[(162,)],
              cause="whatever else is in the key, it needs the event's id")
        where = " AND ".join(f"{name} = ?" for name in columns.partition_key(session, "events_by_day"))
        text = f"SELECT event_id FROM events_by_day WHERE {where} AND timestamp >= ? AND timestamp < ?"
        moment, tick = first.timestamp, timedelta(milliseconds=1)
        there = outcome(lambda: (first.event_id,) in columns.ask(session, text, *partition_of(first), moment, moment + tick))
        check("a range of timestamps finds the event", got=there, want=True, cause="timestamp must be the first clustering column")
        check("a range that ends before it does not", got=columns.ask(session, text, *partition_of(first), moment - tick, moment), want=[])

# %% hidden="partitions" points=1 topic="the load in the first second of the sale, and on the whole day"
from collections import Counter
from datetime import date

from course import shopstream

with task("7.1"):
    opens, day = shopstream.to_millis(shopstream.facts.FLASH_SALE_START), date(2026, 6, 19)

    def view(user, n, product, millis):
        return shopstream.Event(user, f"s{n}", "view", product, shopstream.from_millis(millis))

    rush = [view("u23" if n % 5 < 2 else f"u{n % 400}", n, "p7" if n % 9 else f"p{n % 120}", opens + n * 1000 // 3200) for n in range(3200)]
    rest = [view(f"u{n % 400}", n, f"p{n % 120}", opens - 12 * 3_600_000 + n * 12_700) for n in range(6800)]
    partitions = partitions_of(day)
    at_once = Counter(map(partition_of, rush))
    check("in the first second no partition gets more than twice the average", got=max(at_once.values()) / (3200 / len(partitions)), want=between(1, 2),
          cause="all events of a moment, of a user or of a product go to one partition; let the bucket follow from what is different for every event")
    check("no partition has more than 1,000 of 10,000 events", got=max(Counter(map(partition_of, rush + rest)).values()), want=between(312, 1000))
    check("a day has at most 32 partitions", got=len(set(partitions)), want=between(10, 32))

# %% hidden="partitions" points=1 topic="the borders of a day, another process, another time zone"
import builtins
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from course import columns, shopstream

with task("7.1"):
    def hash_elsewhere(value, here=hash):     # as in a process of its own: Python salts the hashes of texts and dates, not of numbers
        return here(value) if type(value) in (int, float, bool, UUID) else here(("another process", value))

    events = shopstream.load().events[:500]
    before = [partition_of(event) for event in events]
    with patch.object(builtins, "hash", hash_elsewhere):
        after = [partition_of(event) for event in events]
    check("in another process an event has the same partition", got=sum(a != b for a, b in zip(before, after)), want=0,
          cause="hash() of a text is different in every process")
    last, first = shopstream.load().traps["midnight"].where[:2]
    days = [event.timestamp.date() for event in (last, first)]
    check("the last event of a day and the first of the next are in partitions of their days",
          got=[partition_of(last) in partitions_of(days[0]), partition_of(first) in partitions_of(days[1])], want=[True, True])
    month = [partition for n in range(30) for partition in partitions_of(shopstream.facts.FIRST_DAY.date() + timedelta(days=n))]
    check("no partition belongs to two days", got=len(month) - len(set(month)), want=0,
          cause="without the day in its key a partition grows for ever")
    here = [repr(partition) for partition in before[::10]]
    elsewhere = outcome(lambda: columns.in_another_process(partition_of, events[::10]))
    check("a new process in New Zealand, which gets them in another order, finds the same partitions", got=elsewhere, want=here,
          cause="the partition must follow from the event alone: not from chance, from what came before, or from the machine's time zone; the answer's cell runs there by itself")

# %% [markdown] task="7.2" name="newest" minutes=30
# ### From day to day, from bucket to bucket
#
# A report asks for "everything between two moments, newest first", or for the newest few of it. The events are spread over days and buckets, so the reader has to bring them together again.
#
# The table is like that of the chapter, with four buckets for each day and the newest event first:
#
# ```sql
# CREATE TABLE shop_events (
#     day date, bucket int, timestamp timestamp, event_id uuid, …,
#     PRIMARY KEY ((day, bucket), timestamp, event_id)
# ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id DESC)
# ```
#
# Write the class `Reader`. `Reader(session, fetch_size)` prepares it; `newest(start, end, limit=None)` returns a list of `Event` with `start <= timestamp < end`, the newest first.
# Of several events of one millisecond the greater `event_id` comes first. With a `limit`, the list has at most so many.
#
# ```python
# with connect(server) as session:       # with the events of the cell at the top
#     reader = Reader(session, fetch_size=50)
#     june, july = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
#     found = reader.newest(june, july, limit=3)
#     print([event.product_id for event in found])    # → ["p85", "p85", "p90"]
# ```
#
# * `start` and `end` are aware datetimes with whole milliseconds, in any time zone; `day` is the date in UTC. A range that is empty or runs backwards gives `[]` and asks nothing.
# * `limit=0` gives `[]` and asks nothing. `Event.from_cassandra(row)` makes an event of a row.
# * Every statement is prepared, and at most two are prepared for a reader, however often `newest` is called.
# * A page has at most `fetch_size` rows, with a larger `limit` too. Several readers with their own `fetch_size` may share a session, so leave the session's settings as they are.
# * No partition is asked of which no event can be in the range, and Cassandra sends no row outside of it.
# * With a `limit`, no day is asked that is older than needed. In all at most one page is fetched for each partition asked, and one more for every `fetch_size` events returned.

# %% [markdown] hints="newest"
# - Which days have a moment with `start <= moment < end`? An `end` at midnight does not touch its day. Convert to UTC first: `moment.astimezone(UTC).date()`.
# - Prepare `SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?` in `__init__` and set its `fetch_size`. A prepared statement can be executed with any values.
# - Each of a day's four results is sorted already. `heapq.merge(*buckets, key=…, reverse=True)` takes one event at a time from each, and a result fetches its next page only when somebody wants its next row.
#   Give it `map(Event.from_cassandra, result)`: `merge` may call `iter()` twice, and a bare result of the driver then begins its page again.
# - Write a generator that yields the events of the newest day first, then those of the day before. `list(islice(generator, limit))` stops it in time; `list(result)` in between would read to the end.

# %% answer="newest"
class Reader:
    """Reads the table `shop_events`, newest first, in pages of `fetch_size` rows."""

    BUCKETS = 4

    def __init__(self, session, fetch_size=100):
        ### BEGIN SOLUTION
        self.session = session
        self.select = session.prepare(
            "SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?")
        self.select.fetch_size = fetch_size
        ### END SOLUTION

    def newest(self, start, end, limit=None):
        """The events with start <= timestamp < end as a list of Event, newest first, at most `limit` (None: all of them)."""
        ### BEGIN SOLUTION
        events = (event for day in _days(start, end) for event in self._of_day(day, start, end))
        return list(islice(events, limit))

    def _of_day(self, day, start, end):
        """The events of one day, merged as they come. The four buckets are asked at once."""
        asked = [self.session.execute_async(self.select, (day, bucket, start, end)) for bucket in range(self.BUCKETS)]
        # merge() may call iter() on its inputs twice. A driver's result then begins its page again; a map goes on.
        buckets = [map(Event.from_cassandra, each.result()) for each in asked]
        return heapq.merge(*buckets, key=lambda event: (event.timestamp, event.event_id), reverse=True)


def _days(start, end):
    """The UTC dates of the moments in [start, end), newest first."""
    if start >= end:
        return
    first, day = start.astimezone(UTC).date(), (end.astimezone(UTC) - timedelta(milliseconds=1)).date()
    while day >= first:
        yield day
        day -= timedelta(days=1)
        ### END SOLUTION

# %% check="newest" points=2 differs="a real server does not tell which partitions it touched"
from datetime import UTC, datetime

import stores
from course import columns, shopstream

with task("7.2"):
    server = stores.start("cassandra")
    server.reset()
    shop = shopstream.load()
    events = shop.events[:1200:4]     # of three days and a half
    start, end = datetime(2026, 6, 1, 20, tzinfo=UTC), datetime(2026, 6, 3, 9, tzinfo=UTC)
    want = sorted((event for event in events if start <= event.timestamp < end), key=lambda event: (event.timestamp, event.event_id), reverse=True)
    with columns.connect(server) as session:
        columns.make(session, events)
        reader = Reader(session, fetch_size=20)
        with server.record() as log:
            got = reader.newest(start, end)
        check("a list", got=type(got), want=list)
        check("all events between the two moments are there", got=len(got), want=len(want),
              cause=lambda got: "some come twice: heapq.merge may call iter() on a result a second time, which then begins its page again"
              if got > len(want) else "every day of the range, every bucket of a day and every page of a bucket")
        check("newest first, over all buckets", got=[str(event.event_id) for event in got], want=[str(event.event_id) for event in want],
              cause="one bucket after the other is not in order; merge them by (timestamp, event_id)")
        check("each is an Event, and whole", got=got[:20], want=want[:20])
        if log.partitions is not None:   # a real server does not tell
            check("three days have 12 partitions", got=len({tuple(p[:2]) for statement in log.statements for p in statement.partitions}), want=12)
            check("Cassandra sends no row outside of the range", got=log.rows, want=len(want), cause="let the statement restrict timestamp on both sides")
        check("a limit cuts the oldest", got=[str(event.event_id) for event in reader.newest(start, end, limit=7)], want=[str(event.event_id) for event in want[:7]])

# %% hidden="newest" points=1 topic="midnight, days without events, other time zones, empty ranges"
from datetime import UTC, datetime, timedelta, timezone

import stores
from course import columns
from course.shopstream import Event

with task("7.2"):
    server = stores.start("cassandra")
    server.reset()
    midnight, tick, one_day = datetime(2026, 6, 10, tzinfo=UTC), timedelta(milliseconds=1), timedelta(days=1)
    moments = [midnight - tick, midnight, midnight + tick, midnight + 5 * one_day, midnight + 6 * one_day - tick, midnight + 6 * one_day]
    events = [Event("u1", "s1", "view", f"p{n}", moment) for n, moment in enumerate(moments) for n in range(n, n + 50, 10)]

    def expected(first, last):
        kept = [event for event in events if first <= event.timestamp < last]
        return [event.product_id for event in sorted(kept, key=lambda event: (event.timestamp, event.event_id), reverse=True)]

    def products(*range_and_limit):
        return [event.product_id for event in reader.newest(*range_and_limit)]

    with columns.connect(server) as session:
        columns.make(session, events)
        reader = Reader(session, fetch_size=10)
        check("start is included and end is not", got=sorted(products(midnight, midnight + tick)), want=sorted(expected(midnight, midnight + tick)))
        check("of several events of one millisecond the greater event_id comes first", got=products(midnight, midnight + tick), want=expected(midnight, midnight + tick),
              cause="compare (timestamp, event_id), both the greater first")
        check("the last millisecond of a day is of that day", got=products(midnight - tick, midnight), want=expected(midnight - tick, midnight))
        check("days without events are passed over", got=products(midnight - one_day, midnight + 9 * one_day), want=expected(midnight - one_day, midnight + 9 * one_day))
        with server.record() as log:
            products(midnight, midnight + one_day)
        check("from midnight to midnight 4 partitions are asked", got=log.pages, want=between(1, 4),
              cause="no event of the range can be on the day that begins at `end`")
        for hours in (-7, 5, 13):
            zone = timezone(timedelta(hours=hours))
            for first, last in ((midnight - tick, midnight), (midnight, midnight + tick), (midnight + 5 * one_day, midnight + 6 * one_day)):
                with server.record() as log:
                    found = products(first.astimezone(zone), last.astimezone(zone))
                check(f"moments at UTC{hours:+} are the same moments", got=found, want=expected(first, last), cause="day is the date in UTC, not in the zone of start")
                check("and ask the same 4 partitions", got=log.pages, want=between(1, 4))
        with server.record() as log:
            noon, hour = midnight + timedelta(hours=12), timedelta(hours=1)
            nothing = [products(noon, noon), products(noon, noon - hour), products(noon, noon - one_day)]
        check("an empty range, and one that runs backwards", got=nothing, want=[[], [], []])
        check("ask nothing", got=len(log), want=0)
        with server.record() as log:
            nothing = products(midnight - one_day, noon, 0)
        check("a limit of 0 gives nothing", got=nothing, want=[], cause="0 is a limit too: ask `limit is None`")
        check("and asks nothing", got=len(log), want=0)

# %% hidden="newest" points=1 topic="statements that are prepared once, and pages" differs="a real server does not tell which partitions it touched"
from datetime import UTC, datetime, timedelta

import stores
from course import columns, shopstream

with task("7.2"):
    server = stores.start("cassandra")
    server.reset()
    events = shopstream.load().events[:400:2]
    first = datetime(2026, 6, 1, tzinfo=UTC)
    with columns.connect(server) as session:
        columns.make(session, events)
        with server.record() as log:
            reader = Reader(session, fetch_size=7)
            found = [len(reader.newest(first + timedelta(hours=hours), first + timedelta(hours=hours + 30), limit)) for hours, limit in ((0, None), (9, None), (20, 5), (0, 40))]
        check("the readings find what is there", got=found[:2], want=[sum(first + timedelta(hours=h) <= e.timestamp < first + timedelta(hours=h + 30) for e in events) for h in (0, 9)])
        check("at most two statements are prepared", got=log.count("PREPARE"), want=between(1, 2), cause="prepare in __init__, execute in newest")
        check("and every question is one of them", got=len({command.args[0] for command in log if command.name == "SELECT"}), want=between(1, 2),
              cause="a statement with the values in its text is a new one each time")
        check("each is asked with its values", got=min(len(command.args) for command in log if command.name == "SELECT"), want=between(3, 9),
              cause="a statement with the values in its text is not prepared")
        if log.partitions is not None:
            check("a page has at most fetch_size rows", got=max(statement.returned for statement in log.statements), want=between(1, 7),
                  cause="set fetch_size on the prepared statement: without it a page has 5,000 rows")
            check("and not many more rows are read than returned", got=log.rows, want=between(sum(found), sum(found) + 4 * 2 * 7 * 2))
        with server.record() as log:
            Reader(session, fetch_size=90)
            again = reader.newest(first, first + timedelta(hours=30))
        check("another reader changes nothing", got=len(again), want=found[0])
        if log.partitions is not None:
            check("a page still has at most 7 rows", got=max(statement.returned for statement in log.statements), want=between(1, 7),
                  cause="each reader has a statement and a fetch_size of its own")
        check("the session's settings are as they were", got=session.default_fetch_size, want=5000, cause="set fetch_size on the statement")

# %% hidden="newest" points=2 topic="a limit: days that are not asked, pages that are not fetched" differs="a real server does not tell which partitions it touched"
from datetime import UTC, datetime, timedelta

import stores
from course import columns
from course.shopstream import Event

with task("7.2"):
    server = stores.start("cassandra")
    server.reset()
    first = datetime(2026, 6, 1, tzinfo=UTC)
    # 3 days with 80 events each, and one with 77 that are all in one bucket
    events = [Event(f"u{n}", "s1", "view", "p1", first + timedelta(days=n // 80, minutes=5 * (n % 80))) for n in range(240)]
    by_age = sorted(events, key=lambda event: event.timestamp, reverse=True)
    one_bucket = [event for n in range(300) if (event := Event(f"x{n}", "s1", "view", "p1", first + timedelta(days=9, milliseconds=n))).event_id.int % columns.BUCKETS == 2]
    with columns.connect(server) as session:
        columns.make(session, events + one_bucket)
        reader = Reader(session, fetch_size=10)
        for limit, how_many_days in ((1, 1), (8, 1), (40, 1), (80, 1), (81, 2), (180, 3)):
            with server.record() as log:
                got = reader.newest(first, first + timedelta(days=3), limit)
            check(f"the newest {limit} of three days", got=[event.user_id for event in got], want=[event.user_id for event in by_age[:limit]])
            if log.partitions is not None:
                asked = {tuple(p[1]) for statement in log.statements for p in statement.partitions}
                check(f"ask {how_many_days} day{'s' * (how_many_days > 1)}", got=len({day for day, _ in asked}), want=how_many_days,
                      cause="when the limit is reached, stop; do not ask all days first")
            check("and fetch few pages", got=log.pages, want=between(1, 4 * how_many_days + limit // 10),
                  cause="no event can be on the day that begins at `end`; and list(result) fetches all pages of a bucket, as sorting does: take one row at a time")
        with server.record() as log:
            got = reader.newest(first + timedelta(days=9), first + timedelta(days=10), 60)
        check("60 events that are all in one bucket", got=[event.user_id for event in got], want=[event.user_id for event in one_bucket[:-61:-1]],
              cause="limit // 4 of each bucket is not enough: the newest may all be in one")
        check("take few pages too", got=log.pages, want=between(1, 4 + 60 // 10))

# %% [markdown] task="7.3" name="tree" minutes=30
# ### A log-structured merge tree
#
# Cassandra never changes what it has written. It collects writes in memory, writes them out as sorted runs, and merges the runs later. You build the heart of it.
#
# Write the class `Tree(limit, grace, clock)`. `clock()` tells the time in seconds.
#
# | | |
# |---|---|
# | `put(key, value)` | writes; keys and values are texts |
# | `delete(key)` | writes a tombstone, whether the key is there or not |
# | `flush()` | turns the memtable into a run, if it is not empty. This also happens at the end of the write with which the memtable holds `limit` keys |
# | `get(key)` | the value, or `None` |
# | `scan(start, end)` | a list of `(key, value)` with `start <= key < end`, by key |
# | `compact(first, last)` | merges `runs[first:last]` into one run, which takes their place |
# | `runs` | a list of runs, the oldest first |
#
# A run is a list of entries `(key, value, written)`, sorted by key, each key once. `written` is the time of the write; in a tombstone `value` is `None`.
#
# ```python
# tree = Tree(limit=2, grace=600, clock=lambda: 100)
# tree.put("p7", "in stock")
# tree.put("p8", "in stock")        # the second key: the memtable becomes a run
# tree.delete("p7")
# tree.get("p7")                    # → None
# tree.scan("p0", "p9")             # → [("p8", "in stock")]
# tree.runs                         # → [[("p7", "in stock", 100), ("p8", "in stock", 100)]]
# ```
#
# * What was written last counts, whatever the clock says: clocks are set back now and then. Writing a key again replaces its entry, `written` included, and does not make the memtable larger. An empty text is a value.
# * `compact` keeps the newest entry of each key. It drops a tombstone if it was written more than `grace` seconds ago **and** no run before `runs[first]` has an entry of that key, be it a value or a tombstone:
#   otherwise what it hides could come back to life. The memtable and later runs do not count. Values are never dropped because of their age. If nothing is left, there is no run.
# * `compact` leaves the memtable and the other runs alone. `0 <= first <= last <= len(runs)`; with fewer than one run there is nothing to do.

# %% [markdown] hints="tree"
# - Two places: a dict for the memtable, a list for the runs. `delete` is a `put` of `None`. Where must `get` look first, and where last?
# - A tombstone is an answer: `get` stops there. If it asks `if value:` or `is not None` and looks on, it finds the old value in an older run.
# - For `scan` and `compact`, put the entries of the runs into one dict, the oldest run first: newer entries replace older ones. Take out tombstones only after that.
# - In `compact`: `older = {entry[0] for run in self.runs[:first] for entry in run}`. A tombstone goes if `clock() - written > grace and key not in older`. `self.runs[first:last] = [kept] if kept else []` puts the new run in place.

# %% answer="tree"
class Tree:
    """A log-structured merge tree of texts.

    limit  keys that the memtable holds before it becomes a run
    grace  seconds that a tombstone is kept at least
    clock  a function that returns the time in seconds
    """

    def __init__(self, limit, grace, clock):
        ### BEGIN SOLUTION
        self.limit, self.grace, self.clock = limit, grace, clock
        self.memtable = {}   # key → entry
        self.runs = []
        ### END SOLUTION

    def put(self, key, value):
        """Write a value."""
        ### BEGIN SOLUTION
        self.memtable[key] = (key, value, self.clock())
        if len(self.memtable) >= self.limit:
            self.flush()
        ### END SOLUTION

    def delete(self, key):
        """Write a tombstone."""
        ### BEGIN SOLUTION
        self.put(key, None)
        ### END SOLUTION

    def flush(self):
        """Turn the memtable into the newest run, unless it is empty."""
        ### BEGIN SOLUTION
        if self.memtable:
            self.runs.append(sorted(self.memtable.values()))
            self.memtable = {}
        ### END SOLUTION

    def get(self, key):
        """The value written last, or None if there is none or it was deleted."""
        ### BEGIN SOLUTION
        if key in self.memtable:
            return self.memtable[key][1]
        for run in reversed(self.runs):
            at = bisect_left(run, (key,))
            if at < len(run) and run[at][0] == key:
                return run[at][1]
        return None
        ### END SOLUTION

    def scan(self, start, end):
        """The list of (key, value) with start <= key < end, by key, without what was deleted."""
        ### BEGIN SOLUTION
        newest = _newest(*self.runs, self.memtable.values())
        return [(key, value) for key, value, _ in newest if value is not None and start <= key < end]
        ### END SOLUTION

    def compact(self, first, last):
        """Merge runs[first:last] into one run, without the tombstones that nobody needs any more."""
        ### BEGIN SOLUTION
        hidden_before = {key for run in self.runs[:first] for key, _, _ in run}
        forget = self.clock() - self.grace     # a tombstone may go if it was written before this
        kept = [(key, value, written) for key, value, written in _newest(*self.runs[first:last])
                if value is not None or written >= forget or key in hidden_before]
        self.runs[first:last] = [kept] if kept else []


def _newest(*runs):
    """The newest entry of each key, by key. `runs` are given from the oldest to the newest."""
    return sorted({entry[0]: entry for run in runs for entry in run}.values())
    ### END SOLUTION

# %% check="tree" points=2
with task("7.3"):
    tree = Tree(limit=3, grace=600, clock=lambda: 100)
    tree.put("p7", "in stock")
    tree.put("p5", "in stock")
    tree.put("p7", "sold out")
    check("two keys are in the memtable", got=tree.runs, want=[], cause="the same key written again is still one key")
    check("what was written last counts", got=[tree.get("p7"), tree.get("p5"), tree.get("p6")], want=["sold out", "in stock", None])
    tree.put("p6", "in stock")
    check("the third key makes a sorted run", got=tree.runs, want=[[("p5", "in stock", 100), ("p6", "in stock", 100), ("p7", "sold out", 100)]])
    tree.put("p7", "back again")
    tree.delete("p5")
    check("the memtable is newer than the run", got=[tree.get("p7"), tree.get("p6"), tree.get("p5")], want=["back again", "in stock", None],
          cause="a tombstone is an answer: do not look on in older runs")
    check("a scan merges memtable and runs", got=tree.scan("p0", "p9"), want=[("p6", "in stock"), ("p7", "back again")])
    check("it includes its start and not its end", got=tree.scan("p6", "p7"), want=[("p6", "in stock")])
    tree.flush()
    check("a flush writes the tombstone too", got=tree.runs[1:], want=[[("p5", None, 100), ("p7", "back again", 100)]],
          cause="the older run still has p5; only the tombstone hides it")
    tree.compact(0, 2)
    check("compaction keeps the newest entry of each key", got=tree.runs,
          want=[[("p5", None, 100), ("p6", "in stock", 100), ("p7", "back again", 100)]], cause="the tombstone is younger than the grace period of 600 s")

# %% hidden="tree" points=1 topic="flushes without anything, deletes without anything to hide, empty texts, a limit of 1"
with task("7.3"):
    tree = Tree(limit=3, grace=600, clock=lambda: 5)
    tree.flush()
    check("an empty memtable makes no run", got=tree.runs, want=[])
    tree.delete("p1")
    tree.flush()
    check("deleting what was never there writes a tombstone", got=tree.runs, want=[[("p1", None, 5)]],
          cause="looking first would cost a read for each delete, and another replica may have the key")
    tree.flush()
    check("and flushing again adds nothing", got=len(tree.runs), want=1, cause="after a flush the memtable is empty")
    tree.put("p2", "")
    check("an empty text is a value", got=[tree.get("p2"), tree.scan("p", "q")], want=["", [("p2", "")]], cause="ask `is None`, not whether a value is true")
    tree.put("p1", "")
    tree.flush()
    check("also in a run", got=[tree.get("p2"), tree.get("p1"), tree.scan("p", "q")], want=["", "", [("p1", ""), ("p2", "")]])
    tree.delete("p1")
    tree.delete("p3")
    tree.delete("p2")
    check("tombstones fill the memtable as well", got=len(tree.runs), want=3)
    check("and hide all older runs", got=[tree.get("p1"), tree.scan("", "z")], want=[None, []])
    small = Tree(limit=1, grace=600, clock=lambda: 5)
    for value in ("a", "b"):
        small.put("p1", value)
    check("with a limit of 1 each write is a run", got=[small.runs, small.get("p1")], want=[[[("p1", "a", 5)], [("p1", "b", 5)]], "b"])
    brief = Tree(limit=3, grace=600, clock=lambda: 5)
    brief.put("p1", "new")
    brief.delete("p1")
    brief.flush()
    check("a delete in the memtable leaves a tombstone", got=brief.runs, want=[[("p1", None, 5)]], cause="another replica may have the key")

# %% hidden="tree" points=1 topic="the grace period, to the millisecond, and the time of a write"
with task("7.3"):
    class Clock:
        now = 1000.0

        def __call__(self):
            return self.now

    clock = Clock()
    tree = Tree(limit=9, grace=600, clock=clock)
    tree.put("p1", "old")
    tree.put("p2", "old")
    tree.put("p3", "old")
    tree.flush()
    clock.now = 2000.0
    tree.delete("p1")
    clock.now = 2100.0
    tree.delete("p2")
    tree.flush()
    clock.now = 2599.999
    tree.compact(0, 2)
    check("1 ms before the end of the grace period both tombstones stay", got=tree.runs, want=[[("p1", None, 2000.0), ("p2", None, 2100.0), ("p3", "old", 1000.0)]],
          cause="a value is not dropped for its age; `written` stays the time of the write")
    clock.now = 2600.001
    tree.compact(0, 1)
    check("1 ms after it one may go, the younger one stays", got=tree.runs, want=[[("p2", None, 2100.0), ("p3", "old", 1000.0)]],
          cause="each tombstone has a time of its own; a run of one can be compacted too")
    tree.delete("p3")
    tree.flush()
    clock.now = 9000.0
    tree.compact(0, 2)
    check("when nothing is left there is no run", got=tree.runs, want=[])
    tree.delete("p1")
    tree.put("p2", "")
    tree.flush()
    clock.now = 9600.0
    tree.compact(0, 1)
    check("after exactly `grace` seconds a tombstone stays", got=tree.runs, want=[[("p1", None, 9000.0), ("p2", "", 9000.0)]], cause="written more than `grace` seconds ago: > and not >=")
    clock.now = 9700.0
    tree.compact(0, 1)
    check("an old empty text stays, for it is a value", got=tree.runs, want=[[("p2", "", 9000.0)]], cause="only None is a tombstone")

    tree = Tree(limit=9, grace=600, clock=clock)
    tree.put("p1", "new")
    clock.now = 9800.0
    tree.delete("p1")
    tree.put("p2", "new")
    tree.flush()
    check("a key that is written again has the later time", got=tree.runs, want=[[("p1", None, 9800.0), ("p2", "new", 9800.0)]])
    clock.now = 100.0
    tree.put("p2", "newest")
    tree.flush()
    check("the clock was set back: what was written last still counts", got=[tree.get("p2"), tree.scan("p", "q")], want=["newest", [("p2", "newest")]],
          cause="the order of the runs decides, not `written`")
    tree.compact(0, 2)
    check("in a compaction too", got=tree.runs, want=[[("p1", None, 9800.0), ("p2", "newest", 100.0)]])

# %% hidden="tree" points=2 topic="tombstones that hide something older, and runs that are not part of the compaction"
import random

with task("7.3"):
    now = [0]
    tree = Tree(limit=9, grace=600, clock=lambda: now[0])
    for value in ("oldest", "older"):
        tree.put("p1", value)
        tree.put("p2" if value == "older" else "p0", value)
        tree.flush()
    tree.delete("p1")
    tree.delete("p2")
    tree.flush()
    now[0] = 5000
    tree.put("p2", "new")
    tree.flush()
    tree.put("p3", "in memory")
    tree.compact(1, 3)
    check("a tombstone that hides something in an older run stays", got=tree.runs[1], want=[("p1", None, 0)],
          cause="the run before the compaction still has p1; p2 is in no older run, and newer runs do not count")
    check("what was deleted stays deleted", got=[tree.get("p1"), tree.get("p2"), tree.get("p0")], want=[None, "new", "oldest"])
    check("runs that were not named stay as they were", got=[tree.runs[0], tree.runs[2]], want=[[("p0", "oldest", 0), ("p1", "oldest", 0)], [("p2", "new", 5000)]])
    check("the memtable too", got=[len(tree.runs), tree.get("p3")], want=[3, "in memory"])
    tree.compact(2, 2)
    check("no run, no change", got=len(tree.runs), want=3)
    tree.compact(0, 2)
    check("with the oldest run in the compaction it may go", got=tree.runs[0], want=[("p0", "oldest", 0)])

    tree = Tree(limit=9, grace=600, clock=lambda: now[0])
    tree.put("p1", "old")
    tree.delete("p4")
    tree.put("p9", "old")
    tree.flush()
    for key in ("p4", "p5", "p6"):
        tree.delete(key)
    tree.flush()
    tree.put("p6", "in memory")
    now[0] = 9000
    tree.compact(1, 2)
    check("of three old tombstones the one stays whose key an older run has", got=tree.runs[1:], want=[[("p4", None, 5000)]],
          cause="a tombstone in the older run counts as well; a key between its keys, or a key in the memtable, does not")

    rng = random.Random(7)
    for _ in range(40):
        tree, model = Tree(limit=4, grace=5, clock=lambda: now[0]), {}
        for _ in range(60):
            now[0] += 1
            key, step = f"p{rng.randrange(8)}", rng.random()
            if step < 0.5:
                tree.put(key, value := f"v{now[0]}")
                model[key] = value
            elif step < 0.75:
                tree.delete(key)
                model.pop(key, None)
            else:
                first = rng.randint(0, len(tree.runs))
                tree.compact(first, rng.randint(first, len(tree.runs)))
        if tree.scan("", "z") != sorted(model.items()) or [tree.get(f"p{n}") for n in range(8)] != [model.get(f"p{n}") for n in range(8)]:
            check("after many writes and compactions, in any order, the tree holds what a dict would", got=tree.scan("", "z"), want=sorted(model.items()))
            check("and gives it", got=[tree.get(f"p{n}") for n in range(8)], want=[model.get(f"p{n}") for n in range(8)])

# %% [markdown] task="7.4" name="cells" minutes=20
# ### Replicas that agree
#
# Three replicas of a row have seen different writes, in a different order. Without talking about it they must come to the same row, whoever merges it with whom, and how often.
#
# A row is a dict from column name to `Cell(value, timestamp, expires)`:
#
# | | |
# |---|---|
# | `value` | a text, or `None` for a tombstone |
# | `timestamp` | of the write, in microseconds; it comes from the client |
# | `expires` | for a value with a TTL: the time, in seconds, at which it ends (0 is a time too). Otherwise, and in every tombstone, `None` |
#
# Write three functions. `clock()` tells the time in seconds.
#
# | | |
# |---|---|
# | `write_cell(row, column, value, timestamp, clock, ttl=None)` | a row in which the write is included; `value=None` deletes, with or without a `ttl`; `ttl` is in seconds, more than 0 |
# | `merge_rows(a, b)` | the row of which two replicas have the parts `a` and `b` |
# | `read_row(row, clock)` | a dict from column name to text, with the columns that have a value at this time |
#
# ```python
# first = write_cell({}, "cart", "p7", timestamp=10, clock=lambda: 100, ttl=60)
# second = write_cell({}, "cart", "p9", timestamp=9, clock=lambda: 101)
# merge_rows(first, second)                             # → {"cart": Cell(value="p7", timestamp=10, expires=160)}
# read_row(merge_rows(first, second), clock=lambda: 100)    # → {"cart": "p7"}
# read_row(merge_rows(first, second), clock=lambda: 161)    # → {}
# ```
#
# * Of two cells the one with the greater timestamp wins, whichever came first. An older write that arrives late changes nothing.
# * At the same timestamp Cassandra decides so: a tombstone wins over any value; a value with a TTL over one without; of two with a TTL, the one that ends later; after all that, the greater text (as Python compares texts).
# * A value with a TTL can be read as long as `clock() < expires`. When it has ended, it still hides what is older, in `merge_rows` and in `write_cell`: the older value does not come back.
# * Functions return new dicts, even if nothing has changed. The rows that they were given stay as they were.

# %% [markdown] hints="cells"
# - Write one function that decides between two cells, and use it in `write_cell` and in `merge_rows`. Then `write_cell` is a `merge_rows` with a row of one cell.
# - A function `rank(cell)` that returns a tuple makes the rules one line: `max(a, b, key=rank)`. Which field comes first?
# - `None` cannot be compared with a text or a number. Use truth values in the tuple: `(timestamp, value is None, expires is not None, expires or 0, value or "")`.
# - Only `read_row` looks at the clock to leave something out; `merge_rows` has no clock. A cell that has ended must stay in the row.

# %% answer="cells"
class Cell(NamedTuple):
    """One value of a row, with the time of its write."""

    value: str | None            # None: a tombstone
    timestamp: int               # microseconds, from the client
    expires: float | None = None # seconds; None: never


def write_cell(row, column, value, timestamp, clock, ttl=None):
    """The row (a new dict) with this write in it.

    value  a text, or None to delete; ttl  seconds, or None; clock  a function that returns the time in seconds
    """
    ### BEGIN SOLUTION
    expires = None if ttl is None or value is None else clock() + ttl
    return merge_rows(row, {column: Cell(value, timestamp, expires)})
    ### END SOLUTION


def merge_rows(a, b):
    """What two replicas' rows are together: a new dict with the cell that wins for each column."""
    ### BEGIN SOLUTION
    return a | {column: max(a.get(column, cell), cell, key=_rank) for column, cell in b.items()}
    ### END SOLUTION


def read_row(row, clock):
    """The columns that have a value at the time of `clock()`, as a dict from name to text."""
    ### BEGIN SOLUTION
    now = clock()
    return {column: cell.value for column, cell in row.items()
            if cell.value is not None and (cell.expires is None or now < cell.expires)}


def _rank(cell):
    """The greater one wins. After the timestamp, the rules that break a tie."""
    return cell.timestamp, cell.value is None, cell.expires is not None, cell.expires or 0, cell.value or ""
    ### END SOLUTION

# %% check="cells" points=2
with task("7.4"):
    early = write_cell({}, "cart", "p7", 10, lambda: 100)
    check("a write makes a cell", got=early, want={"cart": ("p7", 10, None)})
    check("a TTL counts from the clock", got=write_cell({}, "cart", "p9", 11, lambda: 100, ttl=60), want={"cart": ("p9", 11, 160)})
    late = write_cell(early, "cart", "p9", 11, lambda: 100, ttl=60)
    check("the later write wins", got=late, want={"cart": ("p9", 11, 160)})
    check("the row that was given stays as it was", got=early, want={"cart": ("p7", 10, None)}, cause="make a new dict: row | {…}")
    check("an older write that arrives late changes nothing", got=write_cell(late, "cart", "p1", 9, lambda: 500), want=late,
          cause="the timestamp decides, not the order of arrival")
    check("reading before and after the end", got=[read_row(late, lambda: 159), read_row(late, lambda: 161)], want=[{"cart": "p9"}, {}],
          cause="the older value that it replaced does not come back")
    one = {"name": Cell("Mei", 5), "city": Cell("Lima", 5)}
    two = {"city": Cell(None, 6), "mail": Cell("mei@example.org", 4)}
    check("two replicas' rows become one", got=merge_rows(one, two), want={"name": ("Mei", 5, None), "city": (None, 6, None), "mail": ("mei@example.org", 4, None)})
    check("a deleted column is not read", got=read_row(merge_rows(one, two), lambda: 0), want={"name": "Mei", "mail": "mei@example.org"})

# %% hidden="cells" points=1 topic="cells of one timestamp: which one wins, in both orders"
with task("7.4"):
    ranked = [("", 7, None), ("B", 7, None), ("a", 7, None), ("b", 7, None), ("é", 7, None), ("", 7, 0.0), ("", 7, 100.0), ("b", 7, 100.0), ("a", 7, 200.0), (None, 7, None), ("", 8, None)]
    cause = "the timestamp decides; then a tombstone wins, a TTL, the later end of a TTL, the greater text"
    for i, cell in enumerate(ranked):       # each wins over those before it
        for other in ranked[:i + 1]:
            one, two, want = {"c": Cell(*cell)}, {"c": Cell(*other)}, [{"c": cell}] * 2
            both = outcome(lambda: [merge_rows(one, two), merge_rows(two, one)])
            if both != want:
                check(f"{cell} wins over {other}, in both orders", got=both, want=want, cause=cause)
    check("of twelve cells the right one wins, in both orders", got=both, want=want, cause=cause)
    check("a write at the timestamp of a tombstone is lost", got=write_cell({"c": Cell(None, 7)}, "c", "a", 7, lambda: 0), want={"c": (None, 7, None)})
    check("and a delete at the timestamp of a value is not", got=write_cell({"c": Cell("a", 7)}, "c", None, 7, lambda: 0), want={"c": (None, 7, None)})

# %% hidden="cells" points=1 topic="the end of a TTL to the millisecond, what it goes on hiding, new dicts"
with task("7.4"):
    row = write_cell({}, "cart", "p7", 10, lambda: 1000.0)
    row = write_cell(row, "cart", "p9", 20, lambda: 2000.0, ttl=60)
    check("1 ms before its end a value is there", got=read_row(row, lambda: 2059.999), want={"cart": "p9"}, cause="expires is the time of the write plus the TTL")
    check("at its end no value is there", got=read_row(row, lambda: 2060.0), want={}, cause="it can be read as long as clock() < expires")
    check("1 ms after it no value is there", got=read_row(row, lambda: 2060.001), want={}, cause="what has ended hides what is older, as a tombstone does")
    check("the end is not rounded", got=write_cell({}, "cart", "p7", 10, lambda: 100.5, ttl=60), want={"cart": ("p7", 10, 160.5)})
    check("a tombstone has no end", got=write_cell({}, "cart", None, 10, lambda: 100, ttl=60), want={"cart": (None, 10, None)}, cause="expires is for values only")
    check("what ended at 0 is not read at 0", got=read_row({"cart": Cell("p7", 1, 0)}, lambda: 0), want={}, cause="ask `expires is None`, not whether it is true")
    check("an older write that arrives after the end stays hidden", got=read_row(write_cell(row, "cart", "p8", 19, lambda: 3000.0), lambda: 3000.0), want={},
          cause="keep the cell that has ended: its timestamp still decides")
    replica = write_cell({}, "cart", "p7", 10, lambda: 1000.0)
    check("a replica that has only the old value does not bring it back", got=[read_row(merge_rows(row, replica), lambda: 3000.0), read_row(merge_rows(replica, row), lambda: 3000.0)],
          want=[{}, {}], cause="merge has no clock: it keeps cells that have ended")
    check("a newer write does", got=read_row(write_cell(row, "cart", "p1", 21, lambda: 3000.0), lambda: 3000.0), want={"cart": "p1"})
    check("an empty text is a value", got=read_row(write_cell({}, "note", "", 5, lambda: 0), lambda: 0), want={"note": ""}, cause="only None is a tombstone")
    check("nothing is read of an empty row", got=[read_row({}, lambda: 0), merge_rows({}, {})], want=[{}, {}])
    same = [write_cell(row, "cart", "p0", 1, lambda: 0), merge_rows(row, {}), merge_rows({}, row), merge_rows(row, row)]
    check("the dict is a new one, even if nothing has changed", got=[each is row for each in same], want=[False] * 4, cause="whoever changes the result would change the row that was given")

# %% hidden="cells" points=1 topic="three replicas, any writes, any order, any number of times"
import random
from itertools import permutations

with task("7.4"):
    rng = random.Random(7)

    def wins(cells):
        """The winner, by the rules of the task one after the other."""
        cells = [c for c in cells if c[1] == max(c[1] for c in cells)]
        for better in (lambda c: c[0] is None, lambda c: c[2] is not None):
            cells = [c for c in cells if better(c)] or cells
        ends = max(c[2] or 0 for c in cells)
        return max((c for c in cells if (c[2] or 0) == ends), key=lambda c: c[0] or "")

    for _ in range(60):
        rows = [{column: (rng.choice([None, "", "a", "b"]), rng.randrange(3), None) for column in rng.sample("pqrs", rng.randrange(5))} for _ in range(3)]
        rows = [{column: (v, t, rng.choice([None, 50.0, 60.0]) if v is not None else None) for column, (v, t, _) in row.items()} for row in rows]
        want = {column: wins([row[column] for row in rows if column in row]) for column in {*rows[0], *rows[1], *rows[2]}}
        cells = [{column: Cell(*cell) for column, cell in row.items()} for row in rows]
        for x, y, z in permutations(cells):
            for together in (merge_rows(merge_rows(x, y), z), merge_rows(x, merge_rows(y, z))):
                if together != want:
                    check("three replicas agree, whoever merges with whom", got=together, want=want, cause="merge column by column; it must not depend on the order, nor on how it is grouped")
        again = [merge_rows(together, x) for x in (*cells, together)]
        if again != [want] * 4:
            check("merging again changes nothing", got=again, want=[want] * 4)
        if [dict(row) for row in cells] != rows:
            check("the rows that were merged stay as they were", got=[dict(row) for row in cells], want=rows, cause="make a new dict: a | {…}")
    check("three replicas agree after every merge", got=[together, again[-1]], want=[want, want])

# %% [markdown] task="7.5" name="row_keys" minutes=25
# ### One sorted list
#
# In HBase a table is one list of rows, sorted by the bytes of their keys. A page shows the newest events of a user, and one user, u23, makes so many that a single region would have all the work.
# So a digit in front of the key, the **salt**, spreads each user over four places.
#
# A row key is the text `<salt>#<user_id>#<countdown>#<event_id>` as bytes. The salt is `event_id.int % 4`; the countdown is 10¹³ minus the event's time in milliseconds, with zeros in front up to 13 digits.
# The column `e:json` holds `event.to_json()`, the column `e:status` what became of the event. The table keeps three versions of each cell.
#
# Write four functions. `table` is a `happybase.Table`; user ids have no `#`.
#
# | | |
# |---|---|
# | `row_key(event)` | the key, as bytes |
# | `store(table, events)` | stores a list of events |
# | `newest_of(table, user_id, start, end, limit=None)` | a list of the user's events with `start <= timestamp < end`, the newest first, at most `limit` |
# | `history(table, event)` | a list of what `e:status` held, as texts, the newest first |
#
# ```python
# hbase = stores.start("hbase")
# hbase.reset()
# with hbase_table(hbase) as table:       # makes the table "events"
#     store(table, shopstream.load().events_of("u17"))
#     june, july = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
#     found = newest_of(table, "u17", june, july, limit=2)
#     print([event.product_id for event in found])    # → ["p85", "p85"]
#     print(row_key(found[0])[:20])                   # → b"2#u17#8217192602931#"
# ```
#
# * `store` sends one request, however many events there are (at least one). An event that is stored again is still one row.
# * `start` and `end` are aware datetimes with whole milliseconds, in any time zone. They and the events are of the years 1971 to 2285. A range that is empty or runs backwards gives `[]`, and so does `limit=0`; both ask nothing.
# * Of several events of one millisecond the smaller `event_id` comes first.
# * HBase looks at no row that is not of this user and in this range, and with a `limit` at no more than `limit` rows for each salt.
# * An event without a status has the history `[]`. Only events that are stored get one, so each row has an `e:json`. If a status was put twice, the history has it twice.

# %% [markdown] hints="row_keys"
# - `shopstream.to_millis(moment)` gives whole milliseconds, and `f"{10**13 - millis:013}"` the countdown: the later the event, the smaller it is, and bytes sort as the numbers do because all have 13 digits.
# - `with table.batch() as batch:` collects puts and sends them together. `table.scan(row_start=…, row_stop=…, limit=…)` gives pairs of key and columns; the start is included and the stop is not.
# - Time runs backwards in the keys: `end` decides where the scan starts. All keys of one moment begin with its countdown. To leave out a moment at the start, or to take it in at the end, use the countdown plus 1.
# - Scan `f"{salt}#{user_id}#{countdown of end + 1:013}"` to `f"{salt}#{user_id}#{countdown of start + 1:013}"` for each salt, and merge: `heapq.merge(*scans, key=lambda row: row[0][2:])` compares keys without their salt. For the history, `table.cells(key, b"e:status", versions=3)`.

# %% answer="row_keys"
SALTS = 4


def row_key(event):
    """The row key of an Event: <salt>#<user_id>#<countdown>#<event_id> as bytes."""
    ### BEGIN SOLUTION
    return f"{event.event_id.int % SALTS}#{event.user_id}#{_countdown(event.timestamp):013}#{event.event_id}".encode()
    ### END SOLUTION


def store(table, events):
    """Store a list of events in one request, each as JSON in the column e:json."""
    ### BEGIN SOLUTION
    with table.batch() as batch:
        for event in events:
            batch.put(row_key(event), {b"e:json": event.to_json().encode()})
    ### END SOLUTION


def newest_of(table, user_id, start, end, limit=None):
    """The user's events with start <= timestamp < end as a list of Event, newest first, at most `limit` (None: all)."""
    ### BEGIN SOLUTION
    if start >= end:
        return []
    # Keys of one moment begin with its countdown. One more is just behind them all: `end` is left out, `start` is not.
    first, last = _countdown(end) + 1, _countdown(start) + 1
    scans = [table.scan(row_start=f"{salt}#{user_id}#{first:013}".encode(), row_stop=f"{salt}#{user_id}#{last:013}".encode(),
                        columns=[b"e:json"], limit=limit) for salt in range(SALTS)]
    rows = heapq.merge(*scans, key=lambda row: row[0].partition(b"#")[2])
    return [Event.from_json(columns[b"e:json"]) for _, columns in islice(rows, limit)]
    ### END SOLUTION


def history(table, event):
    """What e:status of this event held, as texts, the newest first: as many versions as the table keeps."""
    ### BEGIN SOLUTION
    return [value.decode() for value in table.cells(row_key(event), b"e:status", versions=3)]


def _countdown(moment):
    """Milliseconds that are left until 10¹³ (in the year 2286): the later the moment, the smaller."""
    return 10**13 - shopstream.to_millis(moment)
    ### END SOLUTION

# %% check="row_keys" points=2 differs="a real server does not tell which rows it looked at"
from datetime import UTC, datetime

import stores
from course import columns, shopstream

with task("7.5"):
    server = stores.start("hbase")
    server.reset()
    month = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    events = [event for user in ("u17", "u170", "u1", "u23") for event in shopstream.load().events_of(user)[:40]]
    of_u17 = sorted((event for event in events if event.user_id == "u17"), key=lambda event: event.timestamp, reverse=True)
    check("the row key", got=[row_key(events[0]), row_key(shopstream.Event("u9", "s1", "view", "p1", datetime(2001, 9, 9, tzinfo=UTC)))], want=[b"3#u17#8219664712524#fdd9f2fa-3c3c-5e69-8d36-b7130596f11b", b"2#u9#9000006400000#9f8386bc-881b-5152-803b-e6bc2941fb76"],
          cause="10**13 minus milliseconds, 13 digits, the parts joined by #")
    with columns.hbase_table(server) as table:
        with server.record() as log:
            store(table, events)
        check("events are stored in one request", got=len(log), want=1, cause="a put by itself is a request by itself; collect them in a batch")
        check("each event is a row", got=len(list(table.scan())), want=len(events))
        with server.record() as log:
            got = newest_of(table, "u17", *month)
        check("a list", got=type(got), want=list)
        check("all events of the user, and no one else's", got=len(got), want=len(of_u17),
              cause=lambda got: "the keys of u17 and u170 both begin with u17" if got > len(of_u17) else "a user's events have four salts, and each needs a scan of its own")
        check("newest first, over all salts", got=[str(event.event_id) for event in got], want=[str(event.event_id) for event in of_u17],
              cause="one salt after the other is not in order; merge them by the rest of the key")
        check("each is an Event, and whole", got=got, want=of_u17)
        if log.rows is not None:    # a real server does not tell
            check("HBase looks at no other row", got=log.rows, want=len(of_u17), cause="start and stop each scan where the range starts and stops")
        check("a limit cuts the oldest", got=[str(event.event_id) for event in newest_of(table, "u17", *month, limit=3)], want=[str(event.event_id) for event in of_u17[:3]])
        check("nothing became of this event yet", got=history(table, events[0]), want=[])
        table.put(row_key(events[0]), {b"e:status": "bestätigt".encode()})
        check("now something did", got=history(table, events[0]), want=["bestätigt"])

# %% hidden="row_keys" points=1 topic="both ends of the range, time zones, one millisecond, users whose names begin alike"
from datetime import UTC, datetime, timedelta, timezone

import stores
from course import columns
from course.shopstream import Event

with task("7.5"):
    server = stores.start("hbase")
    server.reset()
    noon, tick = datetime(2026, 6, 19, 12, tzinfo=UTC), timedelta(milliseconds=1)
    events = [Event(user, "s1", "view", f"p{n}", noon + steps * tick) for steps in (-2, -1, 0, 1, 2) for user in ("u1", "u11", "u1-") for n in range(8)]
    far = [Event("u7", "s1", "view", "far", datetime(2260, 1, 1, tzinfo=UTC)), Event("u7", "s1", "view", "farther", datetime(2280, 1, 1, tzinfo=UTC))]

    def wanted(first, last):
        kept = [event for event in events if event.user_id == "u1" and first <= event.timestamp < last]
        return [event.product_id for event in sorted(kept, key=lambda event: (-event.timestamp.timestamp(), str(event.event_id)))]

    def products(*range_and_limit):
        return [event.product_id for event in newest_of(table, "u1", *range_and_limit)]

    with columns.hbase_table(server) as table:
        store(table, events + far)
        check("start is included", got=sorted(products(noon + 2 * tick, noon + 9 * tick)), want=sorted(wanted(noon + 2 * tick, noon + 9 * tick)),
              cause=lambda got: "each of the four salts needs a scan" if got else "the keys of a moment are longer than its countdown: stop behind them, at the countdown plus 1")
        check("end is not", got=sorted(products(noon - 9 * tick, noon - tick)), want=sorted(wanted(noon - 9 * tick, noon - tick)),
              cause="time runs backwards in the keys; start the scan behind `end`")
        check("one millisecond, in the order of the ids", got=products(noon, noon + tick), want=wanted(noon, noon + tick))
        check("the range between", got=products(noon - tick, noon + 2 * tick), want=wanted(noon - tick, noon + 2 * tick))
        for hours in (-7, 13):
            zone = timezone(timedelta(hours=hours))
            got = products((noon - tick).astimezone(zone), (noon + 2 * tick).astimezone(zone))
            check(f"moments at UTC{hours:+} are the same moments", got=got, want=wanted(noon - tick, noon + 2 * tick), cause="do not replace the time zone; to_millis knows it")
        found = [event.product_id for event in newest_of(table, "u7", noon, datetime(2285, 1, 1, tzinfo=UTC))]
        check("events of 2260 and 2280 are in order", got=found, want=["farther", "far"], cause="the countdown has 13 digits, with zeros in front")
        check("events of the year 2001 and of now", got=products(datetime(2001, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)), want=wanted(noon - 9 * tick, noon + 9 * tick))
        check("a user without events", got=newest_of(table, "u", noon - 9 * tick, noon + 9 * tick), want=[])
        with server.record() as log:
            nothing = [products(noon, noon), products(noon + tick, noon)]
        check("an empty range, and one that runs backwards", got=nothing, want=[[], []])
        check("ask nothing", got=len(log), want=0)
        with server.record() as log:
            nothing = outcome(lambda: products(noon, noon + tick, 0))
        check("a limit of 0 gives nothing", got=nothing, want=[], cause="HBase takes no scan of 0 rows; answer without asking")
        check("and asks nothing", got=len(log), want=0)

# %% hidden="row_keys" points=1 topic="requests, and rows that HBase looks at, with a limit and without" differs="a real server does not tell which rows it looked at"
from datetime import UTC, datetime, timedelta

import stores
from course import columns
from course.shopstream import Event

with task("7.5"):
    server = stores.start("hbase")
    server.reset()
    first_day = datetime(2026, 6, 1, tzinfo=UTC)
    events = [Event(user, "s1", "view", f"p{n}", first_day + timedelta(minutes=n)) for n in range(300) for user in ("u23", "u230")]
    # and an hour in which all events have the same salt
    same_salt = [event for n in range(200) if (event := Event("u23", "s1", "view", f"x{n}", first_day + timedelta(days=9, seconds=n))).event_id.int % 4 == 3]
    with columns.hbase_table(server) as table:
        with server.record() as log:
            store(table, events * 2 + same_salt)
        check("more than a thousand events are stored in one request too", got=len(log), want=1, cause="a batch with a batch_size sends several")
        for limit in (1, 5, 40):
            with server.record() as log:
                got = newest_of(table, "u23", first_day, first_day + timedelta(days=1), limit)
            check(f"the newest {limit} of a day", got=[event.product_id for event in got], want=[f"p{n}" for n in range(299, 299 - limit, -1)])
            if log.rows is not None:
                check("look at no more than so many rows for each salt", got=log.rows, want=between(limit, 4 * limit), cause="without limit= a scan fetches 1,000 rows at once")
        got = newest_of(table, "u23", first_day + timedelta(days=9), first_day + timedelta(days=10), 30)
        check("30 events that have the same salt", got=[event.product_id for event in got], want=[event.product_id for event in same_salt[:-31:-1]],
              cause="a quarter of the limit of each salt is not enough")
        with server.record() as log:
            got = newest_of(table, "u23", first_day + timedelta(minutes=100), first_day + timedelta(minutes=110))
        check("ten minutes", got=[event.product_id for event in got], want=[f"p{n}" for n in range(109, 99, -1)])
        if log.rows is not None:
            check("look at ten rows", got=log.rows, want=10)

# %% hidden="row_keys" points=1 topic="versions, and events that are stored again"
import stores
from course import columns, shopstream

with task("7.5"):
    server = stores.start("hbase")
    server.reset()
    one, other = shopstream.load().traps["same_millisecond"].where[0]
    with columns.hbase_table(server) as table:
        store(table, [one, other])
        for millis, status in enumerate(("paid", "packed", "sent", "back again"), start=1):
            table.put(row_key(one), {b"e:status": status.encode()}, timestamp=millis)
        check("the newest three, the newest first", got=history(table, one), want=["back again", "sent", "packed"],
              cause=lambda got: "cells() gives the newest first; leave them in that order" if got == ["packed", "sent", "back again"] else "cells(…, versions=3): a row() shows the newest only")
        store(table, [one, one])
        check("stored again, it is still one row", got=len(list(table.scan())), want=2, cause="the key must follow from the event alone")
        check("and its history is what it was", got=history(table, one), want=["back again", "sent", "packed"])
        check("the other event of that millisecond has none", got=history(table, other), want=[])
        for millis in (5, 6):
            table.put(row_key(one), {b"e:status": b"sent"}, timestamp=millis)
        check("a status that was put twice is there twice", got=history(table, one), want=["sent", "sent", "back again"])

# %% [markdown] task="7.6" name="levels" minutes=20
# ### How many replicas must answer
#
# The shop runs on a ring of three nodes (later of four), and each row has three replicas. One node is away now and then, and sometimes two. What must happen then differs from table to table.
#
# | table | |
# |---|---|
# | `carts (cart_id text PRIMARY KEY, items text)` | a customer who put something into the cart sees it, whichever one node is away |
# | `sales (product_id text PRIMARY KEY, sold counter)` | a sale that counts is never lost with one node, and is never counted twice |
# | `visits (user_id text PRIMARY KEY, product_id text)` | the page must come up while a single node works; it may be out of date |
#
# Write five functions. Choose the consistency level of each statement; the session's own is `LOCAL_ONE`.
#
# | | |
# |---|---|
# | `save_cart(session, cart_id, items)` | replaces the cart, and returns an outcome |
# | `load_cart(session, cart_id)` | returns the items, or `None` |
# | `count_sale(session, product_id)` | adds 1 to `sold`, and returns an outcome |
# | `save_visit(session, user_id, product_id)` | notes the product that was looked at last; returns `None` when a replica has it |
# | `last_visit(session, user_id)` | returns the product, or `None` |
#
# An **outcome** tells the truth about a write:
#
# * `"stored"`: enough replicas have confirmed it.
# * `"refused"`: the driver raised `Unavailable`, so nothing was written.
# * `"unknown"`: the driver raised `WriteTimeout`. Some replicas may have it, or will get it.
#
# ```python
# ring = stores.start("cassandra", embedded=True, nodes=3)
# ring.reset()
# with connect(ring, node=0) as session:          # asks the first node, and tries nothing again by itself
#     make_ring_tables(session)
#     with ring.nodes[1].stop():
#         print(save_cart(session, "c1", "p7"))           # → stored
#         with ring.nodes[2].stop():
#             print(save_cart(session, "c1", "p9"))       # → refused
#     print(load_cart(session, "c1"))                     # → p7
# ```
#
# * With one node away everything works, and `load_cart` returns what `save_cart` stored last, even if other nodes were away then. `"stored"` is never said of a write that a single node has.
# * With two nodes away `load_cart` raises the driver's `Unavailable`. `save_visit` and `last_visit` still work.
# * A write that may be done twice is tried again after a `WriteTimeout`, three times in all. One that may not is sent once. A write that is refused is not tried again.
# * After a timeout, an attempt that is refused does not make the write a refused one: it stays `"unknown"`.
# * A visit has no outcome to return: the third `WriteTimeout` of `save_visit` reaches the caller.
# * Other errors reach the caller, of all five functions. Ids and items may be any text: one with a quote in it, or an empty cart.
# * The session raises `Unavailable` itself. (In the chapter the driver tried other nodes first and then raised `NoHostAvailable`.)
#
# Only the embedded server lets you stop its nodes, so this task uses it, whichever server you have named.

# %% [markdown] hints="levels"
# - With three replicas, a read meets the last write if the replicas that confirm the write and those that answer the read are more than three together. Which two numbers do that and still allow one node to be away?
# - `SimpleStatement(text, consistency_level=ConsistencyLevel.QUORUM)` carries the level, and `session.execute(statement, values)` takes `%s` in its text. A prepared statement has an attribute `consistency_level`.
# - Setting a value twice is the same as setting it once. Adding 1 twice is not.
# - `for attempt in range(3): try: … return "stored"`, `except WriteTimeout: timed_out = True`, `except Unavailable: return "unknown" if timed_out else "refused"`. What does the function return after the loop?

# %% answer="levels"
def save_cart(session, cart_id, items):
    """Replace the items (text) of a cart. Returns "stored", "refused" or "unknown"."""
    ### BEGIN SOLUTION
    return _outcome(session, "UPDATE carts SET items = %s WHERE cart_id = %s", (items, cart_id), attempts=3)
    ### END SOLUTION


def load_cart(session, cart_id):
    """The items of a cart, or None. Raises the driver's Unavailable if too few replicas are there."""
    ### BEGIN SOLUTION
    return _value(session, "SELECT items FROM carts WHERE cart_id = %s", cart_id, ConsistencyLevel.QUORUM)
    ### END SOLUTION


def count_sale(session, product_id):
    """Count one sale of a product. Returns "stored", "refused" or "unknown"."""
    ### BEGIN SOLUTION
    return _outcome(session, "UPDATE sales SET sold = sold + 1 WHERE product_id = %s", (product_id,), attempts=1)
    ### END SOLUTION


def save_visit(session, user_id, product_id):
    """Note what a user looked at last."""
    ### BEGIN SOLUTION
    statement = SimpleStatement("UPDATE visits SET product_id = %s WHERE user_id = %s", consistency_level=ConsistencyLevel.ONE)
    for attempts_left in (2, 1, 0):
        try:
            session.execute(statement, (product_id, user_id))
            return
        except WriteTimeout:
            if not attempts_left:
                raise
    ### END SOLUTION


def last_visit(session, user_id):
    """What a user looked at last, perhaps out of date; None if nothing is known."""
    ### BEGIN SOLUTION
    return _value(session, "SELECT product_id FROM visits WHERE user_id = %s", user_id, ConsistencyLevel.ONE)


def _outcome(session, text, values, attempts):
    """Write at QUORUM, and tell what became of it. Only what may be done twice may have more than one attempt."""
    statement = SimpleStatement(text, consistency_level=ConsistencyLevel.QUORUM)
    if_unavailable = "refused"
    for _ in range(attempts):
        try:
            session.execute(statement, values)
            return "stored"
        except Unavailable:
            return if_unavailable
        except WriteTimeout:
            if_unavailable = "unknown"     # this attempt may have been written, whatever comes next
    return "unknown"


def _value(session, text, key, level):
    """The only column of the only row, or None."""
    row = session.execute(SimpleStatement(text, consistency_level=level), (key,)).one()
    return row[0] if row else None
    ### END SOLUTION

# %% check="levels" points=2 only_embedded="stops nodes of the ring, which is not the course's to stop on a real one"
import stores
from cassandra import Unavailable
from course import columns

with task("7.6"):
    server = stores.start("cassandra", embedded=True, nodes=3)
    server.reset()
    with columns.connect(server, node=0) as session:
        columns.make_ring_tables(session)
        check("what is not there", got=[load_cart(session, "c0"), last_visit(session, "u0")], want=[None, None])
        check("a cart is stored", got=[save_cart(session, "c1", "p7"), load_cart(session, "c1")], want=["stored", "p7"])
        check("a sale is counted", got=[count_sale(session, "p7"), count_sale(session, "p7"), columns.ask(session, "SELECT sold FROM sales")], want=["stored", "stored", [(2,)]])
        check("a visit is noted", got=[save_visit(session, "u1", "p7"), last_visit(session, "u1")], want=[None, "p7"])
        with server.nodes[2].stop():
            check("with one node away carts work", got=outcome(lambda: [save_cart(session, "c1", "p8"), load_cart(session, "c1")]), want=["stored", "p8"],
                  cause=lambda got: "the new items replace the old ones, without a condition" if got == ["stored", "p7"] else "ALL and THREE need every replica")
            check("and sales, and visits", got=outcome(lambda: [count_sale(session, "p7"), save_visit(session, "u1", "p8"), last_visit(session, "u1")]), want=["stored", None, "p8"])
            with server.nodes[1].stop():
                with server.record() as log:
                    got = outcome(lambda: save_cart(session, "c1", "p9"))
                check("with two nodes away a cart is refused", got=got, want="refused", cause="at the session's own level a single node is enough, and what it has is lost with it")
                check("and is not tried again", got=len(log) - log.count("PREPARE"), want=1, cause="only a WriteTimeout is worth another attempt here")
                check("so is a sale", got=outcome(lambda: count_sale(session, "p7")), want="refused")
                check("and a cart cannot be loaded", got=outcome(lambda: load_cart(session, "c1")), want=raises(Unavailable))
                check("visits still work", got=outcome(lambda: [save_visit(session, "u1", "p9"), last_visit(session, "u1")]), want=[None, "p9"],
                      cause="one replica is enough here: ONE")
        check("what was refused was not written", got=[load_cart(session, "c1"), columns.ask(session, "SELECT sold FROM sales")], want=["p8", [(3,)]])

# %% hidden="levels" points=1 topic="a node that missed writes, and a node that is cut off" only_embedded="stops nodes of the ring, which is not the course's to stop on a real one"
import stores
from cassandra import Unavailable
from course import columns

with task("7.6"):
    server = stores.start("cassandra", embedded=True, nodes=3)
    server.reset()
    server.hinted_handoff = False     # a node that comes back has what it had
    with columns.connect(server, node=0) as here, columns.connect(server, node=2) as there:
        columns.make_ring_tables(here)
        save_cart(here, "c1", "old")
        save_visit(here, "u1", "p1")
        with server.nodes[2].cut_off():
            check("the greater part of the ring goes on", got=save_cart(here, "c1", "new"), want="stored")
            check("the single node on the other side refuses a cart", got=save_cart(there, "c1", "mine"), want="refused",
                  cause="a write that one replica confirms is not seen by those who ask the other two")
            check("and a sale", got=count_sale(there, "p7"), want="refused")
            check("it does not show an old cart either", got=outcome(lambda: load_cart(there, "c1")), want=raises(Unavailable))
            check("but a visit", got=outcome(lambda: [last_visit(there, "u1"), save_visit(there, "u1", "p2"), last_visit(there, "u1")]), want=["p1", None, "p2"])
        with server.nodes[1].stop():
            check("the node that missed the write returns it, with another one away", got=outcome(lambda: load_cart(there, "c1")), want="new",
                  cause="its own copy is old: as many replicas must answer as are needed to meet one that has the write")

# %% hidden="levels" points=1 topic="timeouts: what is tried again, how often, and what is not" only_embedded="stops nodes of the ring, which is not the course's to stop on a real one"
import stores
from cassandra import ReadTimeout
from course import columns

with task("7.6"):
    server = stores.start("cassandra", embedded=True, nodes=3)
    server.reset()
    with columns.connect(server, node=0) as session:
        columns.make_ring_tables(session)
        for node in server.nodes[1:]:
            node.stop(noticed=False)      # the others still wait for them
        with server.record() as log:
            got = count_sale(session, "p7")
        check("after a timeout nobody knows whether the sale was counted", got=got, want="unknown")
        check("and it is sent once", got=len(log) - log.count("PREPARE"), want=1, cause="a counter that is tried again may count twice")
        with server.record() as log:
            got = save_cart(session, "c1", "p7")
        check("nor whether the cart was stored", got=got, want="unknown")
        check("which is sent three times", got=len(log) - log.count("PREPARE"), want=3,
              cause=lambda got: "setting the same value again does no harm" if got < 3 else "three times in all: the first one counts")
        check("an error of a read reaches the caller", got=outcome(lambda: load_cart(session, "c1")), want=raises(ReadTimeout))
        check("visits wait for nobody", got=outcome(lambda: [save_visit(session, "u1", "p1"), last_visit(session, "u1")]), want=[None, "p1"])
        for node in server.nodes[1:]:
            node.restore()
        check("the sale was counted once", got=columns.ask(session, "SELECT sold FROM sales"), want=[(1,)])

# %% hidden="levels" points=1 topic="a ring that changes between two attempts, visits that time out, any text, and other errors" only_embedded="stops nodes of the ring, which is not the course's to stop on a real one"
import threading
import time

import stores
from cassandra import InvalidRequest, ReadTimeout, WriteTimeout
from course import columns

with task("7.6"):
    def after_first_statement(log, change):
        def watch():
            while len(log) == log.count("PREPARE"):
                time.sleep(0.002)
            time.sleep(0.02)      # the statement is on its way; its timeout comes after 0.1 s
            change()
        threading.Thread(target=watch, daemon=True).start()

    server = stores.start("cassandra", embedded=True, nodes=3)
    server.reset()
    with columns.connect(server, node=0) as session:
        columns.make_ring_tables(session)
        for node in server.nodes[1:]:
            node.stop(noticed=False)
        with server.record() as log:
            after_first_statement(log, server.nodes[1].restore)
            got = save_cart(session, "c1", "p7")
        check("a node comes back: the next attempt is stored", got=got, want="stored")
        check("and was the last", got=len(log) - log.count("PREPARE"), want=between(2, 3))
        server.nodes[1].stop(noticed=False)
        with server.record() as log:
            after_first_statement(log, lambda: [node.stop() for node in server.nodes[1:]])
            got = save_cart(session, "c2", "p7")
        check("the next attempt is refused: the first may have been written", got=got, want="unknown",
              cause="only a write of which no attempt timed out is surely not written")
        for node in server.nodes[1:]:
            node.restore()
        odd = "d'Artagnan's; DROP"
        check("a text with quotes is a text", want=["stored", odd, "stored", None, odd], cause="give values to execute(), do not write them into the query",
              got=outcome(lambda: [save_cart(session, odd, odd), load_cart(session, odd), count_sale(session, odd), save_visit(session, odd, odd), last_visit(session, odd)]))
        check("an empty text is one too", got=outcome(lambda: [save_cart(session, "c3", ""), load_cart(session, "c3"), save_visit(session, "u3", ""), last_visit(session, "u3")]),
              want=["stored", "", None, ""], cause="ask whether there is a row, not whether its value is true")
        for table in ("carts", "sales", "visits"):
            session.execute(f"DROP TABLE {table}")
        calls = {"save_cart": lambda: save_cart(session, "c1", "p7"), "load_cart": lambda: load_cart(session, "c1"), "count_sale": lambda: count_sale(session, "p7"),
                 "save_visit": lambda: save_visit(session, "u1", "p7"), "last_visit": lambda: last_visit(session, "u1")}
        for name, call in calls.items():
            check(f"another error reaches the caller of {name}", got=outcome(call), want=raises(InvalidRequest), cause="catch Unavailable and WriteTimeout, not everything")

    four = stores.start("cassandra", embedded=True, nodes=4)
    four.reset()
    with columns.connect(four, node=0) as session:
        columns.make_ring_tables(session)
        for node in four.nodes[1:]:       # these three have the row of u17, and the node that is asked has not
            node.stop(noticed=False)
        with four.record() as log:
            got = outcome(lambda: save_visit(session, "u17", "p1"))
        check("a visit that no replica has confirmed: the WriteTimeout reaches the caller", got=got, want=raises(WriteTimeout), cause="a hint is no replica, and nobody would hear of the error")
        check("after three attempts", got=len(log) - log.count("PREPARE"), want=3, cause="a visit may be written twice, so it may be tried again; three times in all")
        check("so does the error of a read", got=outcome(lambda: last_visit(session, "u17")), want=raises(ReadTimeout), cause="None means that nothing is known of the user")
        for node in four.nodes[1:]:
            node.restore()
