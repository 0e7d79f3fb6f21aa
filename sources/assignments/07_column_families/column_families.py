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
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy
from cassandra.query import SimpleStatement
from course import shopstream
from course.check import hint
from course.shopstream import Event

# %% [markdown]
# To try your own code, here is a server and a session. The checks connect by themselves, and delete what is there.

# %%
server = stores.start("cassandra")
profile = ExecutionProfile(load_balancing_policy=DCAwareRoundRobinPolicy(local_dc="datacenter1"))
cluster = Cluster(server.contact_points, port=server.port, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile})
session = cluster.connect(server.keyspace)
server

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
# event = shopstream.load().events[0]
# partition_of(event)                         # → (datetime.date(2026, 6, 1), 8)
# partitions_of(date(2026, 6, 1))[:2]         # → [(datetime.date(2026, 6, 1), 0), (datetime.date(2026, 6, 1), 1)]
# ```
#
# * How you name the columns of the partition key is up to you. Besides them the table has a column for each field of an event: `event_id uuid`, `timestamp timestamp`, `quantity int`, `amount_cents bigint`,
#   `details map<text, text>`, and the texts `user_id`, `session_id`, `event_type`, `product_id`. The checks store events with `INSERT`.
# * In a partition the newest event comes first, and one can ask for a range of `timestamp` without `ALLOW FILTERING`.
# * Two events at the same millisecond are two rows, of one user too. One event that is delivered twice is one row: its partition is always the same, in another process and on another day too.
# * All events of a partition are of one UTC day. A day has at most 32 partitions.
# * On a day with 10,000 events no partition has more than 1,000.
# * When the sale opens, 3,200 events come within a second, nearly all of them for one product and many of them from one user. No partition gets more than twice the average.

# %% [markdown] hints="partitions"
# - What is different for every event, even for two events of one user at the same millisecond? And which of the columns should decide about the order in a partition?
# - Cut each day into a fixed number of buckets, and let the partition key be `((day, bucket), …)`. A bucket from the time, the user or the product is as uneven as the sale is.
# - `PRIMARY KEY ((day, bucket), timestamp, event_id)` with `CLUSTERING ORDER BY (timestamp DESC, event_id ASC)`: what has the same key overwrites, so the key ends with the id.
# - `hash("text")` differs from process to process. A UUID is a number already: `event.event_id.int % 16`, and `partitions_of(day)` is `[(day, bucket) for bucket in range(16)]`.

# %% answer="partitions"
BUCKETS = 16  # 10,000 events make 625 a partition


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
    ### END SOLUTION

# %% check="partitions" points=2
from datetime import date
from itertools import pairwise

import stores
from course import shopstream
from course.columns import connect, insert, partition_key

with task("7.1"):
    server = stores.start("cassandra")
    server.reset()
    day, events = date(2026, 6, 19), shopstream.load().day("2026-06-19")[::12]
    with connect(server) as session:
        create_table(session)
        check("create_table can run again", got=outcome(lambda: create_table(session)), want=None, cause="CREATE TABLE IF NOT EXISTS")
        tables = session.cluster.metadata.keyspaces[session.keyspace].tables
        check("the table is there", got=sorted(tables), want=["events_by_day"])
        key = partition_key(session, "events_by_day")
        check("each field of an event has a column", got=sorted({*events[0].for_cassandra()} - {"day"} - {*tables["events_by_day"].columns}), want=[])
        check("a partition is a tuple with a value for each column of the key", got=[type(partition_of(events[0])), len(partition_of(events[0]))],
              want=[tuple, len(key)])
        partitions = partitions_of(day)
        check("a day has at most 32 partitions", got=len(partitions), want=between(1, 32))
        check("each event is in one of them", got=[event for event in events if partition_of(event) not in partitions], want=[],
              cause="partition_of and partitions_of must count the same buckets")
        insert(session, "events_by_day", events, partition_of)
        select = session.prepare(f"SELECT * FROM events_by_day WHERE {' AND '.join(f'{name} = ?' for name in key)}")
        rows = [list(session.execute(select, partition)) for partition in partitions]
        found = {event.event_id: event for part in rows for event in map(shopstream.Event.from_cassandra, part)}
        check("all partitions together hold the day", got=sum(map(len, rows)), want=len(events), cause="two events with the same primary key become one row")
        check("an event comes back as it was", got=[event for event in events if found.get(event.event_id) != event], want=[])
        check("the newest event of a partition comes first", got=[p for p, part in zip(partitions, rows) if any(a.timestamp < b.timestamp for a, b in pairwise(part))],
              want=[], cause="WITH CLUSTERING ORDER BY (timestamp DESC, …)")

# %% hidden="partitions" points=1 topic="events of one millisecond, events that come twice, a range within a partition"
from datetime import timedelta

import stores
from course import shopstream
from course.columns import ask, connect, insert, partition_key

with task("7.1"):
    server = stores.start("cassandra")
    server.reset()
    first, second = shopstream.load().traps["same_millisecond"].where[0]
    rush = [shopstream.Event("u9", "s9", "view", f"p{n}", first.timestamp) for n in range(1, 101)]     # many of them share a partition
    with connect(server) as session:
        create_table(session)
        insert(session, "events_by_day", [first, second, *rush], partition_of)
        count = "SELECT count(*) FROM events_by_day"
        check("102 events of one millisecond are 102 rows", got=ask(session, count), want=[(102,)],
              cause="rows with the same primary key overwrite each other; a user may do two things at once, so the key needs the event's id")
        again = [shopstream.Event.from_json(event.to_json()) for event in (first, second, *rush)]
        insert(session, "events_by_day", again, partition_of)
        check("delivered again, they are the same rows", got=ask(session, count), want=[(102,)], cause="the bucket must follow from the event, not from chance")
        where = " AND ".join(f"{name} = ?" for name in partition_key(session, "events_by_day"))
        text = f"SELECT event_id FROM events_by_day WHERE {where} AND timestamp >= ? AND timestamp < ?"
        moment, tick = first.timestamp, timedelta(milliseconds=1)
        there = outcome(lambda: (first.event_id,) in ask(session, text, *partition_of(first), moment, moment + tick))
        check("a range of timestamps finds the event", got=there, want=True, cause="timestamp must be the first clustering column")
        check("a range that ends before it does not", got=ask(session, text, *partition_of(first), moment - tick, moment), want=[])

# %% hidden="partitions" points=1 topic="the load in the first second of the sale, and on the whole day"
from collections import Counter
from datetime import date

from course.shopstream import Event, facts, from_millis, to_millis

with task("7.1"):
    opens, day = to_millis(facts.FLASH_SALE_START), date(2026, 6, 19)
    rush = [Event("u23" if n % 5 < 2 else f"u{n % 400}", f"s{n}", "view", "p7" if n % 9 else f"p{n % 120}", from_millis(opens + n * 1000 // 3200)) for n in range(3200)]
    rest = [Event(f"u{n % 400}", f"s{n}", "view", f"p{n % 120}", from_millis(opens - 12 * 3_600_000 + n * 12_700)) for n in range(6800)]
    partitions = partitions_of(day)
    load = Counter(map(partition_of, rush))
    check("in the first second no partition gets more than twice the average", got=max(load.values()) / (3200 / len(partitions)), want=between(1, 2),
          cause="all events of a moment, of a user or of a product go to one partition; let the bucket follow from what is different for every event")
    check("no partition has more than 1,000 of 10,000 events", got=max(Counter(map(partition_of, rush + rest)).values()), want=between(312, 1000))
    check("a day has at most 32 partitions", got=len(set(partitions)), want=between(10, 32))

# %% hidden="partitions" points=1 topic="the borders of a day, and another process"
import builtins
from datetime import timedelta
from unittest.mock import patch
from uuid import UUID

from course import shopstream

def hash_elsewhere(value, here=hash):     # as in a process of its own: Python salts the hashes of texts and dates, not of numbers
    return here(value) if type(value) in (int, float, bool, UUID) else here(("another process", value))

with task("7.1"):
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
