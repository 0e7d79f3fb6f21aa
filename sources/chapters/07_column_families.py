# ---
# title: "Column families: Cassandra"
# minutes: 120
# summary: Rows spread over many nodes by one rule, and the shop's events kept so that no node is hot.
# ---

# %% [markdown]
# # Column families: Cassandra
#
# Cassandra spreads rows over many machines, and finds each of them again by one rule: the first part of its key says where it lies.
# A question that follows the rule goes to one machine, however many there are, and a question that does not is refused.
#
# At the end of this chapter you can
#
# * choose partition and clustering keys from the question that a table has to answer;
# * keep a time series in which no partition becomes hot or grows without end;
# * read a range of time, across partitions and page by page;
# * say what upserts, TTLs, tombstones, lightweight transactions and batches do, and what they cost;
# * step through a log-structured merge tree, on which all of this stands;
# * stop a node, and choose the consistency levels that can live with it.
#
# You need Python functions and a little SQL. Chapter 02 explained TTLs.

# %% [markdown]
# ## A server and a driver
#
# The next cell starts a Cassandra and shows which one it is. If it says *embedded*, a program of this course answers. To work with a
# real one, set `CASSANDRA_CONTACT_POINTS` before you start Jupyter; the cells stay the same. `reset()` makes a clean slate,
# so that you can run this chapter again.

# %%
import stores

server = stores.start("cassandra")
server.reset()
server

# %% [markdown]
# The driver is `cassandra-driver`, unmodified. It wants to know the version of the protocol and which data centre is near,
# or it guesses and warns.

# %%
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy

def connect(server):
    policy = TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc="datacenter1"))
    profiles = {EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=policy)}
    return Cluster(server.contact_points, port=server.port, protocol_version=5, execution_profiles=profiles)

cluster = connect(server)

# %% [markdown]
# A **session** sends queries in **CQL**, the Cassandra Query Language. It looks like SQL. Make a first table.

# %% tags=["raises-exception"]
session = cluster.connect()
session.execute("CREATE TABLE notes (product_id text PRIMARY KEY, note text)")

# %% [markdown]
# Tables live in a **keyspace**, and Cassandra does not guess which. Real programs make their own, and say there how many copies of
# each row they want. The course has one ready. Name it when you connect.

# %%
session = cluster.connect(server.keyspace)
session.execute("CREATE TABLE notes (product_id text PRIMARY KEY, note text)")
session.execute("INSERT INTO notes (product_id, note) VALUES ('p7', 'Boils a litre in four minutes.')")
session.execute("SELECT note FROM notes WHERE product_id = 'p7'").one()

# %% [markdown]
# ## Partitions
#
# What has a user bought? That is the question, and the table is made for it.

# %%
session.execute("""
    CREATE TABLE purchases_by_user (
        user_id text, timestamp timestamp, event_id uuid, product_id text, amount_cents bigint,
        PRIMARY KEY ((user_id), timestamp, event_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC)
""").all()

# %% [markdown]
# No rows: it was a definition. The primary key has two parts. The columns in the inner parentheses are the **partition key**: all
# rows with the same `user_id` form one **partition**, and lie together. The columns after it are **clustering keys**: they order
# the rows inside the partition, here the newest first.
#
# Three purchases, in no particular order. (`uuid()` makes up an id.) Which comes first when you ask?

# %%
for user, moment, product in [("u17", "2026-06-05", "p90"), ("u17", "2026-06-27", "p7"), ("u18", "2026-06-19", "p7")]:
    session.execute(
        "INSERT INTO purchases_by_user (user_id, timestamp, event_id, product_id) VALUES (%s, %s, uuid(), %s)",
        [user, moment, product])

session.execute("SELECT user_id, timestamp, product_id FROM purchases_by_user WHERE user_id = 'u17'").all()

# %% [markdown]
# The later one. Nothing was sorted for you just now: the rows lie in that order, and reading the newest ten is reading the first ten.
#
# The timestamps carry no time zone, and mean UTC.

# %% [markdown]
# ### Where a partition lies
#
# Cassandra runs on several **nodes**, programs on different machines that share the data. Which node has u17? Cassandra computes a
# number from the partition key, its **token**, and every node knows which tokens are whose. No node is asked, and no list of rows is
# kept.

# %%
session.execute("SELECT DISTINCT user_id, token(user_id) AS place FROM purchases_by_user").all()

# %% [markdown]
# The driver can compute it too, and that is how it goes to the right node at once. To look at this you need more than one
# node. This course has a ring of six for you, embedded even if your other server is real: nobody minds what you do to it. Connecting
# loads the ring's metadata.

# %%
six = stores.start("cassandra", embedded=True, nodes=6, replication=1)
cluster_of_six = connect(six)
cluster_of_six.connect(six.keyspace)
node_names = {node.address: f"node {node.number + 1}" for node in six.nodes}

# %%
from cassandra.metadata import Murmur3Token

def token(key):
    return Murmur3Token.from_key(key.encode()).value

token("u17"), token("u18")

# %% [markdown]
# The same numbers. Six nodes own a sixth of all tokens each. Draw the **ring**, with ten users on it.

# %%
from course import plots

owners = {node_names[str(host.endpoint)]: end.value for end, host in cluster_of_six.metadata.token_map.token_to_host_owner.items()}
plots.token_ring(owners, {f"u{n}": token(f"u{n}") for n in range(11, 21)})

# %% [markdown]
# Neighbours in the alphabet are strangers on the ring, so "all users from u11 to u20" is no question for this table: they lie
# anywhere. Ten are few, and one node has none of them. How do 400 spread?

# %%
from collections import Counter

def owner(key):
    """The node that has a partition, for the bytes of its key."""
    (host,) = cluster_of_six.metadata.get_replicas(six.keyspace, key)
    return node_names[str(host.endpoint)]

Counter(owner(f"u{n}".encode()) for n in range(1, 401))

# %% [markdown]
# Many partitions spread by themselves, if none of them is special.

# %% [markdown]
# ## The question makes the table
#
# Who bought p7? The column is there. Will Cassandra answer?

# %% tags=["raises-exception"]
session.execute("SELECT user_id FROM purchases_by_user WHERE product_id = 'p7'")

# %% [markdown]
# Refused. Without the partition key no node can be named, so every row on every node would have to be read. The message also tells
# how to get it anyway.

# %%
session.execute("SELECT user_id FROM purchases_by_user WHERE product_id = 'p7' ALLOW FILTERING").all()

# %% [markdown]
# That works, for the table has three rows. It is a trap: it works in the test and times out a year later. Load 700 purchases to see
# why. How the next cell works comes below.

# %%
from cassandra.concurrent import execute_concurrent_with_args
from course import shopstream

shop = shopstream.load()
purchases = shop.of_type("purchase")[:700]
columns = "user_id, timestamp, event_id, product_id, amount_cents"
values = [(e.user_id, e.timestamp, e.event_id, e.product_id, e.amount_cents) for e in purchases]

def load(table):
    insert = session.prepare(f"INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?)")
    return all(result.success for result in execute_concurrent_with_args(session, insert, values))

session.execute("TRUNCATE purchases_by_user")
len(purchases), load("purchases_by_user")

# %% [markdown]
# `TRUNCATE` emptied the table first. `server.record()` notes what the server does. How many partitions does it have to touch to find
# the purchases of one product?

# %% differs="a real server does not tell which partitions it touched"
with server.record() as log:
    found = session.execute("SELECT user_id FROM purchases_by_user WHERE product_id = 'p90' ALLOW FILTERING").all()

len(found), log.partitions

# %% [markdown]
# All that there are, one for each user who ever bought anything. In a real cluster they lie on all nodes, and after ten seconds,
# its limit for searches over many partitions, Cassandra gives up: a timeout.
#
# ### Query timeout: is an index the cure?
#
# Troubleshooting guides have this row: *slow reads in Cassandra; an index is missing, or a partition is too large; add an index,
# limit the partition's size.* Try the index. And since the same rows could also be kept under another key, try that too.

# %%
session.execute("CREATE INDEX by_product ON purchases_by_user (product_id)")
session.execute("""
    CREATE TABLE purchases_by_product (
        product_id text, timestamp timestamp, event_id uuid, user_id text, amount_cents bigint,
        PRIMARY KEY ((product_id), timestamp, event_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC)
""")
load("purchases_by_product")

# %% [markdown]
# The query that was refused is accepted now, because there is an index. How many partitions are left to touch?

# %% differs="a real server does not tell which partitions it touched"
with server.record() as log:
    found = session.execute("SELECT user_id FROM purchases_by_user WHERE product_id = 'p90'").all()

len(found), log.partitions

# %% [markdown]
# One for each buyer of p90. That is fewer, and in a cluster still a question to all nodes, since each node indexes its own rows and
# nobody knows who has some. It waits for the slowest of them. (So does
# **SAI**, Cassandra 5's second kind of index, `USING 'sai'`.) An index is at its best inside one partition:

# %% differs="a real server does not tell which partitions it touched"
with server.record() as log:
    found = session.execute("SELECT timestamp FROM purchases_by_user WHERE user_id = 'u23' AND product_id = 'p90'").all()

len(found), log.partitions

# %% [markdown]
# Now the table that has `product_id` as its partition key.

# %% differs="a real server does not tell which partitions it touched"
with server.record() as log:
    found = session.execute("SELECT user_id FROM purchases_by_product WHERE product_id = 'p90'").all()

len(found), log.partitions

# %% [markdown]
# One partition, on one node. You can work the three numbers out from the data too: users who bought something, buyers of p90, one.

# %%
users = {event.user_id for event in purchases}
buyers = {event.user_id for event in purchases if event.product_id == "p90"}
touched = {"ALLOW FILTERING": len(users), "index": len(buyers), "a table for the question": 1}
plots.bars(touched, "Who bought p90?", "partitions touched")

# %% [markdown]
# This is the first rule of modelling for Cassandra: **one table for each query**. You do not ask what the data is, you ask what will
# be asked. Space is cheap and there are no joins, so a purchase is stored twice, and your program writes it twice. A new question
# means a new table, filled from an old one. So the cure for the row of the guide is a table. Its other half, the size of partitions,
# comes soon.

# %% [markdown]
# ## Prepared statements
#
# A query with `%s` is put together by the driver, and the server gets a new text each time, with the values in it.

# %%
with server.record() as log:
    for user in ("u17", "u18"):
        session.execute("SELECT product_id FROM purchases_by_user WHERE user_id = %s LIMIT 1", [user])

[command.args[0] for command in log]

# %% [markdown]
# Two texts to parse and to plan. A **prepared statement** goes to the server once, with `?` where values come. After that the driver
# sends its number and the values.

# %%
with server.record() as log:
    newest = session.prepare("SELECT product_id FROM purchases_by_user WHERE user_id = ? LIMIT 1")
    for user in ("u17", "u18"):
        session.execute(newest, [user])

[command.name for command in log]

# %% [markdown]
# Prepared once, executed twice. (The log looks up what each number stands for.) Prepare a statement when the program starts, and
# never in a loop. Besides the work, you gain two things. The driver learns which column is the partition key, computes the token,
# and goes straight to a node that has the row: the **token-aware** policy of `connect`. And it learns the types, and refuses what it
# cannot turn into them.

# %% [markdown]
# ## A time series, as it is often shown
#
# Events come in all day, and the shop wants to read them by day. Here is a table for that, with its writer, as such things go round
# in tutorials. It has several mistakes. You will meet them one at a time.

# %%
from datetime import datetime

session.execute("""
    CREATE TABLE events_by_day (
        day date, timestamp timestamp, user_id uuid, event_type text, details text,
        PRIMARY KEY ((day), timestamp, user_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC)
""")
add_event = session.prepare(
    "INSERT INTO events_by_day (day, timestamp, user_id, event_type, details) VALUES (?, ?, ?, ?, ?)")

def save(event):
    session.execute(add_event, [
        event.timestamp.date(), event.timestamp, event.user_id, event.event_type, json.dumps(event.details)])

# %% tags=["raises-exception"]
save(shop.events[0])

# %% [markdown]
# `json` was never imported. Python notices when the line runs. Whoever wrote this never ran it.

# %% tags=["raises-exception"]
import json

save(shop.events[0])

# %% [markdown]
# The table says that a user's id is a UUID, and the shop calls its users "u17". The table has to follow the data. Can the
# column's type be changed?

# %% tags=["raises-exception"]
session.execute("ALTER TABLE events_by_day ALTER user_id TYPE text")

# %% [markdown]
# No, and the primary key cannot be changed either. You make a new table. As long as it is empty that costs nothing.

# %%
session.execute("DROP TABLE events_by_day")
session.execute("""
    CREATE TABLE events_by_day (
        day date, timestamp timestamp, user_id text, event_type text, details text,
        PRIMARY KEY ((day), timestamp, user_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC)
""")
add_event = session.prepare(
    "INSERT INTO events_by_day (day, timestamp, user_id, event_type, details) VALUES (?, ?, ?, ?, ?)")
save(shop.events[0])

# %% [markdown]
# It works. (Had `save` built its query with `%s`, the server would have refused the text instead, after a round trip.)

# %% [markdown]
# ### Two events in one millisecond
#
# The shop's data has twelve pairs of events of one user in the same millisecond: two products put into the cart by one click. Write
# all 24. How many rows will there be?

# %%
pairs = [event for pair in shop.traps["same_millisecond"].where for event in pair]
session.execute("TRUNCATE events_by_day")
for event in pairs:
    save(event)

len(pairs), session.execute("SELECT count(*) FROM events_by_day").one()[0]

# %% [markdown]
# Half of them are gone, and nothing failed. The key is day, moment and user, and a second row with the same key is the same row: the
# later write covers the first. A key must name one event. So the event's own id belongs in it, last, where it does not disturb the
# order of time.

# %%
session.execute("DROP TABLE events_by_day")
session.execute("""
    CREATE TABLE events_by_day (
        day date, timestamp timestamp, event_id uuid, user_id text, event_type text, product_id text,
        PRIMARY KEY ((day), timestamp, event_id)
    ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC)
""")
add_event = session.prepare("""
    INSERT INTO events_by_day (day, timestamp, event_id, user_id, event_type, product_id)
    VALUES (:day, :timestamp, :event_id, :user_id, :event_type, :product_id)
""")

# %% [markdown]
# The values have names now, and `for_cassandra` gives an event as a dictionary with these names.

# %%
for event in pairs:
    session.execute(add_event, event.for_cassandra())

session.execute("SELECT count(*) FROM events_by_day").one()[0]

# %% [markdown]
# All 24. What if the network delivers them twice?

# %%
for event in pairs:
    session.execute(add_event, event.for_cassandra())

session.execute("SELECT count(*) FROM events_by_day").one()[0]

# %% [markdown]
# Still 24, because the shop computes the id of an event from its facts. Cassandra can also make ids that are new every time: a
# **timeuuid** holds a moment and is unique. It is a UUID of version 1. A second delivery would get a second id, and be a second row.
# It suits what has no id of its own.

# %%
session.execute("SELECT now() AS id FROM system.local").one().id.version

# %% [markdown]
# ### A range that is a day
#
# The tutorial reads "by date range" like this. Look at the type of the argument.

# %%
def events_on(day: datetime.date):
    return list(session.execute("SELECT * FROM events_by_day WHERE day = %s", [day]))

events_on.__annotations__

# %% [markdown]
# `datetime` is the class here, not the module, so `datetime.date` is a method of it. Python does not check annotations, and so nobody
# noticed. What happens to a caller who has a `datetime`, or to one who checks?

# %% tags=["raises-exception"]
events_on(datetime(2026, 6, 10, 12))

# %% tags=["raises-exception"]
isinstance(datetime(2026, 6, 10).date(), datetime.date)

# %% [markdown]
# Only the second error is the annotation's: for the first, `%s` wrote a moment where a `date` belongs. Import the class that you
# mean. The statement is used again and again, so prepare it. Is a `datetime` refused now?

# %%
from datetime import date

select_day = session.prepare("SELECT timestamp, user_id, event_type FROM events_by_day WHERE day = ?")

def events_on(day: date):
    return list(session.execute(select_day, [day]))

moment = pairs[0].timestamp
len(events_on(moment.date())), len(events_on(moment))

# %% [markdown]
# No: the driver makes a `date` of it, and drops the hour without a word.
#
# Two mistakes are left: it is one day and no range, and `list` fetches the whole day at once, however large. Both have to wait,
# because there is a worse one in the table.

# %% [markdown]
# ## Hot partitions
#
# The table has one partition for each day. Today's events are all in today's. Which node works today? Ask the driver for the node of
# each write in the week of the flash sale, on the ring of six.

# %%
from datetime import UTC

def node_of(statement, key):
    return owner(statement.bind(key).routing_key)

week = shop.between(datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 6, 22, tzinfo=UTC))
by_day = [(node_of(select_day, [event.timestamp.date()]), event.timestamp) for event in week]

# %%
plots.partition_heat({"a partition for each day": by_day}, nodes=node_names.values())

# %% [markdown]
# Each day one node works and five look on, and during the sale one node has it all. A **hot partition** cannot be helped with more
# nodes. The guide's row says: *high latency on some keys; the partition key is uneven; redesign it.* Here that is the right cure.
#
# First idea: smaller partitions, one for each hour. Does the picture change?

# %%
session.execute("CREATE TABLE events_by_hour (hour text, event_id uuid, PRIMARY KEY ((hour), event_id))")
select_hour = session.prepare("SELECT * FROM events_by_hour WHERE hour = ?")
by_hour = [(node_of(select_hour, [f"{event.timestamp:%Y-%m-%d %H}"]), event.timestamp) for event in week]

plots.partition_heat({"a partition for each hour": by_hour})

# %% [markdown]
# The partitions are smaller, and the hot spot only moves about: at any moment everybody writes the same hour. As long as the key is
# made of time alone, now is one place. Second idea: no time in it, but the product.

# %%
select_product = session.prepare("SELECT * FROM purchases_by_product WHERE product_id = ?")
by_product = [(node_of(select_product, [event.product_id]), event.timestamp) for event in week]

plots.partition_heat({"a partition for each product": by_product})

# %% [markdown]
# Good for a week, until p7 is on sale. The key must be something that a rush cannot all share. So cut each day into **buckets**, and
# let the id of the event decide about the bucket.

# %%
BUCKETS = 16

def bucket_of(event_id):
    return event_id.int % BUCKETS

session.execute("""
    CREATE TABLE events (
        day date, bucket int, timestamp timestamp, event_id uuid,
        user_id text, event_type text, product_id text, amount_cents bigint,
        PRIMARY KEY ((day, bucket), timestamp, event_id)
    )
""")
select_bucket = session.prepare(
    "SELECT timestamp, event_id, user_id FROM events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?")

# %% [markdown]
# Two columns make the partition key now. The bucket follows from the event, so that a second delivery goes to the same place.
# (Python's own `hash` would not do: for text it is different in each process.)

# %%
first_moment, last_moment = week[0].timestamp, week[-1].timestamp
by_bucket = [
    (node_of(select_bucket, [event.timestamp.date(), bucket_of(event.event_id), first_moment, last_moment]), event.timestamp)
    for event in week]

plots.partition_heat({"a partition for each day": by_day, "a partition for each day and bucket": by_bucket})

# %% [markdown]
# The sale still shows, as it should, on all six nodes. It is not even, because sixteen partitions fall on six nodes as dice do: one
# node has 385 of the 1,074 writes, and an even share is 179. Would 32 buckets be better?

# %%
noon = shop.between(datetime(2026, 6, 19, 12, tzinfo=UTC), datetime(2026, 6, 19, 13, tzinfo=UTC))

def noon_on_nodes(buckets):
    keys = ([event.timestamp.date(), event.event_id.int % buckets, first_moment, last_moment] for event in noon)
    return sorted(Counter(node_of(select_bucket, key) for key in keys).values(), reverse=True)

for buckets in (16, 32, 64, 256):
    print(f"{buckets:3} buckets:", noon_on_nodes(buckets))

# %% [markdown]
# No, 32 are worse: dice again. Only many more even it out, and each makes reading a day dearer, for a reader must ask all of them.

# %% [markdown]
# ### Large partitions
#
# The other half of the guide's row was the size. A partition lies on one node as a whole, and grows with every row. People who run
# Cassandra keep them below about 100 MB and 100,000 rows. How large are the shop's, if each layout keeps the month?

# %%
layouts = {
    "user": lambda event: event.user_id,
    "day": lambda event: event.timestamp.date(),
    "day and bucket": lambda event: (event.timestamp.date(), bucket_of(event.event_id)),
}
sizes = {layout: list(Counter(map(key, shop.events)).values()) for layout, key in layouts.items()}
plots.partition_sizes(sizes)

# %% [markdown]
# Most users have a dozen events. One of them, the celebrity u23, has 1,649, and will have more tomorrow: a partition by user has no
# end. To put an end to it, put a piece of time into its key: `((user_id, month), timestamp, event_id)`. Then the newest events are in
# the newest month, and a question for a year is twelve questions.
#
# A partition by day ends, and is as large as the best day. If the shop grows a thousandfold, that is 1.5 million rows, and the
# largest bucket, now 104, is too large as well: such a shop needs more buckets. Rows are not all alike either.

# %%
bytes_of = Counter()
for event in shop.events:
    bytes_of[event.user_id] += len(event.to_json().encode())

[(user, len(shop.events_of(user)), size) for user, size in bytes_of.most_common(2)], len(shop.events_of("u142")[0].details["page_text"])

# %% [markdown]
# u142 has a tenth of u23's events and four times the bytes, for each has 8,000 characters of a page in it. A month in the key does
# not help here.

# %% [markdown]
# ## Read a range
#
# Load two days, with a midnight between them.

# %%
add = session.prepare("""
    INSERT INTO events (day, bucket, timestamp, event_id, user_id, event_type, product_id, amount_cents)
    VALUES (:day, :bucket, :timestamp, :event_id, :user_id, :event_type, :product_id, :amount_cents)
""")

def row(event):
    return event.for_cassandra() | {"bucket": bucket_of(event.event_id)}

two_days = shop.day("2026-06-09") + shop.day("2026-06-10")
execute_concurrent_with_args(session, add, [row(event) for event in two_days])
len(two_days)

# %% [markdown]
# Inside a partition, rows are in the order of the clustering keys, so a **range** of them is one piece. An evening in one bucket:

# %%
six_pm, eight_pm = datetime(2026, 6, 10, 18, tzinfo=UTC), datetime(2026, 6, 10, 20, tzinfo=UTC)
[f"{row.timestamp:%H:%M:%S}" for row in session.execute(select_bucket, [six_pm.date(), 0, six_pm, eight_pm])]

# %% [markdown]
# A clustering key can be skipped from the right only. What does Cassandra say to an `event_id` without a `timestamp`?

# %% tags=["raises-exception"]
session.execute("SELECT * FROM events WHERE day = '2026-06-09' AND bucket = 0 AND event_id = %s", [two_days[0].event_id])

# %% [markdown]
# A telephone book does not help you with first names alone. And a range of days is no question at all, because days are in the
# partition key, where only `=` and `IN` have a meaning:

# %% tags=["raises-exception"]
session.execute("SELECT * FROM events WHERE day >= '2026-06-09' AND day <= '2026-06-10' AND bucket = 0")

# %% [markdown]
# So the program goes through the days and the buckets. Each bucket comes back in order, and `merge` puts sixteen sorted rows of
# events together without sorting them again. `execute_async` sends all questions of a day before it waits for the first answer.

# %%
from datetime import timedelta
from heapq import merge

def days_between(start, end):
    day = start.astimezone(UTC).date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC) < end:
        yield day
        day += timedelta(days=1)

def events_between(start, end):
    """Yield the rows with start <= timestamp < end, oldest first."""
    for day in days_between(start, end):
        asked = [session.execute_async(select_bucket, [day, bucket, start, end]) for bucket in range(BUCKETS)]
        yield from merge(*[future.result() for future in asked], key=lambda row: (row.timestamp, row.event_id))

# %% [markdown]
# The shop knows the right answer. Compare the two hours around midnight.

# %%
midnight, hour = datetime(2026, 6, 10, tzinfo=UTC), timedelta(hours=1)
expected = [event.event_id for event in shop.between(midnight - hour, midnight + hour)]
found = [row.event_id for row in events_between(midnight - hour, midnight + hour)]
len(expected), len(found), len(set(found))

# %% [markdown]
# Every event is there, and two come twice. Cassandra is innocent. `merge` calls `iter` a second time on the last source that has rows
# left. A file would go on from where it was; the driver's result starts its page from the top. A generator around it goes on.

# %%
def rows_of(future):
    yield from future.result()

def events_between(start, end):
    """Yield the rows with start <= timestamp < end, oldest first."""
    for day in days_between(start, end):
        asked = [session.execute_async(select_bucket, [day, bucket, start, end]) for bucket in range(BUCKETS)]
        yield from merge(*map(rows_of, asked), key=lambda row: (row.timestamp, row.event_id))

[row.event_id for row in events_between(midnight - hour, midnight + hour)] == expected

# %% [markdown]
# The same events in the same order. What did it cost?

# %% differs="a real server does not tell which partitions it touched"
with server.record() as log:
    list(events_between(midnight - hour, midnight + hour))

len(log), log.partitions

# %% [markdown]
# Two days, sixteen buckets each, for nine events. That is the price of buckets. A shop of this size needs none, and a large one
# counts first: as many as its busiest moment asks for.
#
# ### Half-open
#
# Why `<` at the end, and not `<=`? Two readers share the two hours: one takes the hour up to midnight, one the hour from midnight on.
# How many events do they have together, with `<` and with `<=`?

# %%
closed = session.prepare("SELECT event_id FROM events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp <= ?")

def count(statement, start, end):
    keys = [(day, bucket) for day in (date(2026, 6, 9), date(2026, 6, 10)) for bucket in range(BUCKETS)]
    return sum(len(session.execute(statement, [*key, start, end]).all()) for key in keys)

def both_hours(statement):
    return count(statement, midnight - hour, midnight) + count(statement, midnight, midnight + hour)

both_hours(select_bucket), both_hours(closed)

# %% [markdown]
# An event at midnight sharp belongs to both readers with `<=`. A **half-open** range takes its start and leaves its end to the next.

# %% [markdown]
# ### Page by page
#
# The driver does not fetch a large answer at once, but in **pages** of up to 5,000 rows. Make them small to see it. Bucket 2 of the
# 9th has 24 rows. How many pages will they take, at 10 rows each?

# %%
whole_day = [date(2026, 6, 9), 2, midnight - timedelta(days=1), midnight]
select_bucket.fetch_size = 10

with server.record() as log:
    answer = session.execute(select_bucket, whole_day)
    at_first = len(answer.current_rows), log.pages
    rows = list(answer)

at_first, (len(rows), log.pages)

# %% [markdown]
# One page with 10 rows at first. Iterating fetches the next page when it is needed, and `list` needed all three. So a loop that stops
# early leaves the other pages unread, and `list` is for answers that you know to be small.
#
# A web page that shows ten events has to go on later, perhaps on another server. It keeps the **paging state**, a bookmark.

# %%
first_page = session.execute(select_bucket, whole_day)
bookmark = first_page.paging_state

second_page = session.execute(select_bucket, whole_day, paging_state=bookmark)
second_page.current_rows == rows[10:20]

# %% [markdown]
# There is no `OFFSET`. Skipping a thousand rows would mean reading them.

# %% [markdown]
# ## Writing without reading
#
# Here is a table of profiles. What does a second `INSERT` with the same key do?

# %%
session.execute("CREATE TABLE profiles (user_id text PRIMARY KEY, name text, city text)")
session.execute("INSERT INTO profiles (user_id, name) VALUES ('u17', 'Milan Chen')")
session.execute("INSERT INTO profiles (user_id, city) VALUES ('u17', 'Porto')")
session.execute("SELECT * FROM profiles").all()

# %% [markdown]
# No duplicate key, no error: `INSERT` wrote two cells into a row that was there. A **cell** is one value of one column of one row,
# and each is written by itself. Now somebody changes the city of u71, who does not exist, and meant u17. What happens?

# %%
session.execute("UPDATE profiles SET city = 'Lisbon' WHERE user_id = 'u71'")
session.execute("SELECT * FROM profiles").all()

# %% [markdown]
# A user without a name. `UPDATE` and `INSERT` are the same thing in Cassandra, an **upsert**: write these cells, whatever is there.
# Cassandra does not look, for looking would be a read.

# %% differs="a real server does not tell what it read"
with server.record() as log:
    session.execute("UPDATE profiles SET city = 'Faro' WHERE user_id = 'u71'")

log

# %% [markdown]
# One partition touched, no row read. That is why writing is cheap here, and why this is refused:

# %% tags=["raises-exception"]
session.execute("CREATE TABLE visits (user_id text PRIMARY KEY, visits int)")
session.execute("UPDATE visits SET visits = visits + 1 WHERE user_id = 'u17'")

# %% [markdown]
# Adding needs the old value. Only the type `counter` can be added to as a number, in a table that has nothing but counters beside its
# key. One view of p7 is delivered twice:

# %%
session.execute("CREATE TABLE product_views (product_id text PRIMARY KEY, views counter)")
for delivery in range(2):
    session.execute("UPDATE product_views SET views = views + 1 WHERE product_id = 'p7'")

session.execute("SELECT * FROM product_views").one()

# %% [markdown]
# It counts twice. A row that is put down twice is one row, a step that is taken twice is two.

# %% [markdown]
# ### Last write wins
#
# If nobody looks, which of two writes stays? Each cell has a **timestamp** of its own, in microseconds, and the later one wins. The
# driver sends its clock's time along. Here the second of two web servers has a clock that is a minute slow. Which city does the
# profile end up with?

# %%
from time import time

now = int(time() * 1_000_000)
session.execute("UPDATE profiles USING TIMESTAMP %s SET city = 'Porto' WHERE user_id = 'u17'", [now])
session.execute("UPDATE profiles USING TIMESTAMP %s SET city = 'Braga' WHERE user_id = 'u17'", [now - 60_000_000])
session.execute("SELECT city FROM profiles WHERE user_id = 'u17'").one()

# %% [markdown]
# Porto. Braga was written later, accepted, and is lost without an error. **Last write wins** means the last by the writers' clocks,
# so keep those in step. And where a lost write would hurt, see "Only if" below.

# %% [markdown]
# ### None is a write
#
# A view moves no money, so `for_cassandra` gives `None` for its amount. `None` empties a cell, and to empty a cell Cassandra writes a
# mark into it, a **tombstone**. A server that is asked to **trace** a query says how many it had to read. (`IN` names several
# partitions.)

# %%
import re

def tombstones(query, values=None):
    """Rows and tombstones that the server reads for a query, from its trace."""
    trace = session.execute(query, values, trace=True).get_query_trace()
    counts = [re.search(r"Read (\d+) live rows and (\d+) tombstone cells", event.description) for event in trace.events]
    return tuple(sum(int(found[group]) for found in counts if found) for group in (1, 2))

tombstones("SELECT * FROM events WHERE day = '2026-06-09' AND bucket IN (0, 1, 2, 3)")

# %% [markdown]
# Nearly one for each row, and the loader of this chapter made them. Leave the name out of the dictionary, and nothing is written for
# it.

# %%
def lean(event):
    return {name: value for name, value in row(event).items() if value is not None}

session.execute("TRUNCATE events")
execute_concurrent_with_args(session, add, [lean(event) for event in two_days])
tombstones("SELECT * FROM events WHERE day = '2026-06-09' AND bucket IN (0, 1, 2, 3)")

# %% [markdown]
# ## Rows that end
#
# A login code is good for some seconds. `USING TTL` gives the cells of a write a time to live. The server's clock can be moved, so
# that you need not wait. (A real server's cannot; there the cell waits for you.)

# %%
from time import sleep

def wait(seconds):
    if server.kind == "embedded":
        server.clock.advance(seconds)
    else:
        sleep(seconds)

session.execute("CREATE TABLE codes (user_id text PRIMARY KEY, code text, tries int)")
session.execute("INSERT INTO codes (user_id, code) VALUES ('u17', '4711') USING TTL 4")
session.execute("SELECT * FROM codes WHERE user_id = 'u17'").one()

# %%
wait(5)
print(session.execute("SELECT * FROM codes WHERE user_id = 'u17'").one())

# %% [markdown]
# The row is gone. Milan asks for another code, and types a wrong one. The program counts the try. What is left five seconds later?

# %%
session.execute("INSERT INTO codes (user_id, code) VALUES ('u17', '1379') USING TTL 4")
session.execute("UPDATE codes SET tries = 1 WHERE user_id = 'u17'")
wait(5)
session.execute("SELECT * FROM codes WHERE user_id = 'u17'").one()

# %% [markdown]
# A row without a code, for ever. The TTL belongs to the cells of one write, not to the row, and the second write had none. Give it
# what is left of the first:

# %%
session.execute("INSERT INTO codes (user_id, code) VALUES ('u17', '2468') USING TTL 4")
rest = session.execute("SELECT TTL(code) AS seconds FROM codes WHERE user_id = 'u17'").one().seconds
session.execute("UPDATE codes USING TTL %s SET tries = 1 WHERE user_id = 'u17'", [rest])
wait(5)
print(session.execute("SELECT * FROM codes WHERE user_id = 'u17'").one())

# %% [markdown]
# Now both have ended.

# %% [markdown]
# ### A queue that digs its own grave
#
# What expires or is deleted leaves a tombstone too. Here is a queue of 200 jobs. A worker takes the first, deletes it, and comes back
# for the next.

# %%
session.execute("CREATE TABLE jobs (queue text, n int, job text, PRIMARY KEY ((queue), n))")
put = session.prepare("INSERT INTO jobs (queue, n, job) VALUES ('mail', ?, ?)")
done = session.prepare("DELETE FROM jobs WHERE queue = 'mail' AND n = ?")
next_job = "SELECT n, job FROM jobs WHERE queue = 'mail' LIMIT 1"

execute_concurrent_with_args(session, put, [(n, f"write to u{n}") for n in range(200)])
tombstones(next_job)

# %% [markdown]
# One row read, to find one row. Now 150 jobs are done. How much does the server read to find the next?

# %%
execute_concurrent_with_args(session, done, [(n,) for n in range(150)])
tombstones(next_job)

# %% [markdown]
# All 150 tombstones, and after a year of mail every one since the last cleaning. Cassandra warns at 1,000 and gives up at 100,000.
# The worker knows where it was, so it can start there:

# %%
tombstones("SELECT n, job FROM jobs WHERE queue = 'mail' AND n >= 150 LIMIT 1")

# %% [markdown]
# Better still, do not build queues on Cassandra. Chapter 03 has a type for them.
#
# Why does a deletion write anything? For that you look underneath.

# %% [markdown]
# ## Underneath: a log-structured merge tree
#
# Cassandra never changes a file. This course has a model of how it stores rows that you can step through. A write goes to the end of
# a **commit log**, so that it survives a crash, and into the **memtable**, a sorted table in memory.

# %%
from course.simulate.lsm import LSMTree

seconds = 0
DAY = 86_400
tree = LSMTree(memtable_limit=4, grace=10 * DAY, clock=lambda: seconds)
for user, city in [("u17", "Porto"), ("u23", "Lima"), ("u5", "Oslo")]:
    tree.put(user, city)

plots.sorted_runs(tree)

# %% [markdown]
# Memory is lost in a crash. The log is not: it is read again.

# %%
tree.crash()
lost = tree.get("u17")
lost, tree.recover(), tree.get("u17")

# %% [markdown]
# The fourth key fills this small memtable. Then it is **flushed**: written to disk in one go, sorted, as a file that nobody will
# change again. Cassandra calls the file an **SSTable**, the model a run.

# %%
tree.put("u42", "Quito")
tree.put("u17", "Braga")
tree.delete("u23")
plots.sorted_runs(tree)

# %% [markdown]
# Milan has moved, and the old city is still on disk, grey. u23 is deleted, and Lima is still there. The tombstone in the memtable
# says that it does not count. Without a tombstone the reader would find Lima. So a deletion must be a write.
#
# What does a reader have to look at? The memtable first, then the runs, newest first. Fill another run, and look up three users.

# %%
tree.put("u8", "Accra")
tree.put("u9", "Dakar")
plots.sorted_runs(tree)

# %%
for user in ("u17", "u5", "u23", "u42x"):
    answer = tree.lookup(user)
    print(user, answer.value, "read", answer.read, "skipped by its keys", answer.out_of_range, "by its filter", answer.filtered)

# %% [markdown]
# Milan was found in run 2, and run 1 is older, so nobody looked. A run knows its first and last key, but u5 and u42x could be in
# both. (Keys are sorted as texts: u23, u42x, u5.) What says no is each run's **Bloom filter**, a few bits for each key, with the
# answers "certainly not here" and "perhaps". The user who does not exist cost no look at the disk at all.
#
# With every flush there is one run more, and a key that changes often has versions in many. How many runs does one lookup read?

# %%
import random

def average_reads(tree, keys):
    return sum(len(tree.lookup(key).read) for key in keys) / len(keys)

def grow(runs, **options):
    """Lookups that read that many runs on average, after each flush: of keys that are there, and of others."""
    random.seed(7)
    growing, known, unknown = LSMTree(memtable_limit=50, **options), [], []
    while len(known) < runs:
        growing.put(f"u{random.randrange(400)}", "somewhere")
        if not growing.memtable:
            users = [user for user, city in growing.scan()]
            known.append(average_reads(growing, users))
            unknown.append(average_reads(growing, [f"{user}x" for user in users]))
    return known, unknown

# %%
known, unknown = grow(12)
known_unfiltered, unknown_unfiltered = grow(12, bits_per_key=0)
plots.read_amplification(range(1, 13), {
    "an absent key unfiltered": unknown_unfiltered, "a key unfiltered": known_unfiltered,
    "a key": known, "an absent key": unknown})

# %% [markdown]
# Filters save nearly all of that reading, but not the space of old versions. That is the work of **compaction**: runs
# are merged into one, the newest version of each key stays, the others go.

# %%
before = tree.layout()
tree.compact()
plots.sorted_runs({"before": before, "after": tree})

# %% [markdown]
# The old city is gone, and so is Lima, but the tombstone has stayed, though there is nothing left to hide. It is young: Cassandra
# keeps tombstones for `gc_grace_seconds`, ten days. Move the model's clock, and compact again.

# %%
seconds = 11 * DAY
tree.compact()
plots.sorted_runs(tree)

# %% [markdown]
# ### What was deleted comes back
#
# What are the ten days for? Each row has copies on several nodes. One node is away while u23 is deleted on the other. And somebody
# was impatient and set the grace to nothing.

# %%
here, away = LSMTree(grace=0), LSMTree(grace=0)
for replica in (here, away):
    replica.put("u23", "Lima", timestamp=1)

here.delete("u23", timestamp=2)          # the other copy does not hear of it
here.flush()
here.compact()
here.get("u23"), away.get("u23")

# %% [markdown]
# When the node is back, the two compare what they have. One has Lima, the other has nothing, not even a tombstone. Which of them is
# right?

# %%
for entry in away.layout().memtable:
    here.apply(entry)

here.get("u23")

# %% [markdown]
# The deleted row is back. With its tombstone still there, the deletion would have won, being the later write. So a node that was away
# for longer than the grace must not come back as it is, and the clusters of careful people are repaired more often than that.

# %% [markdown]
# ## Only if
#
# Two customers choose the same name for their page, in the same second.

# %%
session.execute("CREATE TABLE pages (name text PRIMARY KEY, user_id text)")

def is_free(name):
    return session.execute("SELECT name FROM pages WHERE name = %s", [name]).one() is None

def take(name, user_id):
    session.execute("INSERT INTO pages (name, user_id) VALUES (%s, %s)", [name, user_id])

free_for_one, free_for_other = is_free("kettles"), is_free("kettles")
if free_for_one:
    take("kettles", "u17")
if free_for_other:
    take("kettles", "u23")

session.execute("SELECT * FROM pages").all()

# %% [markdown]
# Milan saw that the name was free, got no error, and has lost his page. You know the cure from chapter 02: look and write in one
# step. In Cassandra this is a **lightweight transaction**, a write with `IF`.

# %%
session.execute("TRUNCATE pages")
claim = session.prepare("INSERT INTO pages (name, user_id) VALUES (?, ?) IF NOT EXISTS")
session.execute(claim, ["kettles", "u17"]).was_applied, session.execute(claim, ["kettles", "u23"]).one()

# %% [markdown]
# The second is told no, and by whom it is taken. A condition may also ask for a value. Two buyers want the last kettle:

# %%
session.execute("CREATE TABLE stock (product_id text PRIMARY KEY, pieces int)")
session.execute("INSERT INTO stock (product_id, pieces) VALUES ('p7', 1)")
sell = session.prepare("UPDATE stock SET pieces = ? WHERE product_id = ? IF pieces = ?")

[session.execute(sell, [0, "p7", 1]).one() for buyer in ("u17", "u23")]

# %% [markdown]
# The second answer brings the value that was found. A program reads it and tries again with that, or tells the buyer that the kettle
# is sold.
#
# Why not always? For your program it is one round trip. Among the nodes that keep the row it takes four by default instead of one,
# in which a majority of them promise, read, accept and commit (the **Paxos** protocol). Keep it for names, stock and money. And
# once a row is written with `IF`, write it so always: a plain write does not wait its turn.

# %% [markdown]
# ## Batches
#
# A purchase belongs into two tables. What if the program ends between the two writes?

# %% tags=["raises-exception"]
insertions = {table: session.prepare(f"INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?)")
              for table in ("purchases_by_user", "purchases_by_product")}
for table in insertions:
    session.execute(f"TRUNCATE {table}")

session.execute(insertions["purchases_by_user"], values[0])
raise RuntimeError("the web server was restarted")

# %%
def rows_in_tables():
    return {table: session.execute(f"SELECT count(*) FROM {table}").one()[0] for table in insertions}

rows_in_tables()

# %% [markdown]
# One table has the purchase, the other does not, and nobody will notice. A **batch** promises both writes or neither. A program
# that ends before it has sent the batch has written nothing. And the batch is a **logged** one: before anything is written, two
# other nodes note it down, so that one of them can finish it if the first one ends.

# %%
from cassandra.query import BatchStatement, BatchType

batch = BatchStatement()
for statement in insertions.values():
    batch.add(statement, values[1])

with server.record() as log:
    session.execute(batch)

len(log), rows_in_tables()

# %% [markdown]
# One command, and a row more in each table. It is no transaction as you know it from SQL. It does not roll back, and a reader may see
# one of the two rows a moment before the other. With a condition it works inside one partition only:

# %% tags=["raises-exception"]
claims = BatchStatement()
for name_of_page in ("kettles", "teapots"):
    claims.add(claim, [name_of_page, "u23"])

session.execute(claims)

# %% [markdown]
# One round trip for many rows: would that not load the 700 purchases faster? An **unlogged** batch even saves the note, and its
# promise.

# %% tags=["raises-exception"]
batch = BatchStatement(BatchType.UNLOGGED)
for purchase in values:
    batch.add(insertions["purchases_by_user"], purchase)

session.execute(batch)

# %% [markdown]
# Refused, because of its size: the node that gets a batch has to hold all of it, and to pass on the rows, which belong to many nodes.
# A part of it is accepted, with warnings.

# %%
batch = BatchStatement(BatchType.UNLOGGED)
for purchase in values[:150]:
    batch.add(insertions["purchases_by_user"], purchase)

print(*session.execute(batch).response_future.warnings, sep="\n")

# %% [markdown]
# "Asynchronous writes" are what `load` did: `execute_concurrent_with_args` sends each row to a node that has it, many at a time,
# without waiting for one before it sends the next. So a batch keeps tables in step, or writes several rows of one partition together.
# It is not for speed.

# %% [markdown]
# ## A ring of three
#
# Until here each row had one copy. Now there are three nodes, and each row is on all of them: its **replicas**. This ring is the
# course's own too, whatever your other server is, because you are going to stop its nodes.

# %%
ring = stores.start("cassandra", embedded=True, nodes=3, replication=3)
ring.reset()
everywhere = connect(ring).connect(ring.keyspace)
everywhere.execute("CREATE TABLE stock (product_id text PRIMARY KEY, pieces int)")
ring.nodes

# %% [markdown]
# The **consistency level** of a statement says how many replicas must answer before the program gets its answer: `ONE`, `QUORUM` (a
# majority, here two), or `ALL`. The node that your driver asks, the **coordinator**, counts them.

# %%
from cassandra import ConsistencyLevel
from cassandra.query import SimpleStatement

def write(session, pieces, level):
    session.execute(SimpleStatement(
        f"UPDATE stock SET pieces = {int(pieces)} WHERE product_id = 'p7'", consistency_level=ConsistencyLevel.name_to_value[level]))

def read(session, level):
    return session.execute(SimpleStatement(
        "SELECT pieces FROM stock WHERE product_id = 'p7'", consistency_level=ConsistencyLevel.name_to_value[level])).one().pieces

write(everywhere, 11, "ALL")
[read(everywhere, level) for level in ("ONE", "QUORUM", "ALL")]

# %% [markdown]
# You have named no level before. What did the driver take?

# %%
with ring.record() as log:
    everywhere.execute("SELECT pieces FROM stock WHERE product_id = 'p7'")

log.statements[0].consistency

# %% [markdown]
# One replica, in this data centre. Decide that, do not inherit it.
#
# ### Stop a node
#
# Node 3 stops. At which of the three levels can you still write?

# %%
ring.nodes[2].stop()

# %%
write(everywhere, 10, "ONE")
write(everywhere, 9, "QUORUM")
read(everywhere, "QUORUM")

# %% tags=["raises-exception"]
write(everywhere, 8, "ALL")

# %% [markdown]
# `Unavailable`: three were required, two are alive. The coordinator said so before it wrote anything. With three replicas, `QUORUM`
# can do without one node, and `ALL` without none.
#
# Node 3 has missed two writes. A coordinator keeps such writes as **hints** and delivers them when the node is back.

# %%
def hints():
    return sum(len(node.hints) for node in ring.nodes)

hints()

# %%
ring.nodes[2].restore()
hints()

# %% [markdown]
# ### A node that is cut off
#
# Worse than a node that is down is one that works, and that the others do not hear. Here are three programs, each of which can reach
# one node only.

# %%
from cassandra.policies import HostFilterPolicy, RoundRobinPolicy

def beside(node):
    """A session that talks to this node and no other."""
    only = HostFilterPolicy(RoundRobinPolicy(), lambda host: str(host.endpoint) == node.address)
    profiles = {EXEC_PROFILE_DEFAULT: ExecutionProfile(load_balancing_policy=only)}
    return Cluster([(node.host, node.port)], protocol_version=5, execution_profiles=profiles).connect(ring.keyspace)

programs = {f"node {node.number + 1}": beside(node) for node in ring.nodes}

def look():
    """What does each node answer at ONE?"""
    return {name: read(session, "ONE") for name, session in programs.items()}

steps = [("at first", look())]
steps

# %% [markdown]
# All three have 9, so the hints have arrived. That replicas agree in the end, if nobody writes and all are there, is called
# **eventual consistency**. What can be read before the end? Cut the network between node 3 and the others. The shop sells a piece
# at node 1, with `QUORUM`. What do the programs read?

# %%
ring.nodes[2].cut_off()
write(programs["node 1"], 8, "QUORUM")
steps.append(("cut off, sold\nat node 1", look()))
steps[-1]

# %% [markdown]
# The program beside node 3 gets 9 and no warning: a **stale read**. Had it asked with `QUORUM`, would it have got 8?

# %% tags=["raises-exception"]
read(programs["node 3"], "QUORUM")

# %% [markdown]
# It gets an error, because node 3 alone is no majority. (`Unavailable` again, inside: the driver has no other node to try.) That is
# the choice which a cut network leaves: an answer that may be stale, or none.
#
# Suppose the cut lasts. Hints are kept for three hours. Then somebody sells another piece.

# %%
ring.clock.advance(4 * 3600)
write(programs["node 1"], 7, "QUORUM")
ring.nodes[2].restore()
steps.append(("4 hours later,\nback again", look()))
steps[-1]

# %% [markdown]
# The hint for 8 was delivered, and there was none for 7. Node 3 is stale, and nobody knows. Now its program reads once with `QUORUM`.

# %%
answer = read(programs["node 3"], "QUORUM")
steps.append(("a QUORUM read\nat node 3", look()))
answer, steps[-1]

# %%
plots.replicas(steps)

# %% [markdown]
# Two replicas answered, 8 and 7. The later timestamp won, and the coordinator wrote it to the replica that was behind: **read
# repair**. Since then node 3 is right at `ONE` too.
#
# ### Which levels go together
#
# A write that reached W replicas and a read that asks R of N have at least one of them in common, if R + W > N. Then the read sees
# the write. Is that so? Try each pair of levels, with every node as writer and every other as reader. During the write as many nodes
# are cut off as its level can do without, the reader first. Hints are switched off while the pairs are tried.

# %%
from itertools import permutations

SPARE = {"ONE": 2, "QUORUM": 1, "ALL": 0}

def outcomes(write_level, read_level):
    """What readers find, who were cut off during a write."""
    found = set()
    for writer, reader, third in permutations(ring.nodes):
        write(programs[f"node {writer.number + 1}"], 1, "ALL")
        away = [reader, third][:SPARE[write_level]]
        for node in away:
            node.cut_off()
        write(programs[f"node {writer.number + 1}"], 2, write_level)
        for node in away:
            node.restore()
        fresh = read(programs[f"node {reader.number + 1}"], read_level) == 2
        found.add("fresh" if fresh else "stale")
    return " or ".join(sorted(found))

# %%
ring.hinted_handoff = False
print(" " * 12, *(f"read {level:14}" for level in SPARE))
for write_level in SPARE:
    print(f"write {write_level:6}", *(f"{outcomes(write_level, read_level):19}" for read_level in SPARE))

ring.hinted_handoff = True

# %% [markdown]
# With N = 3, `QUORUM` is 2. Fresh without exception: `ALL` with anything, and `QUORUM` with `QUORUM`, which is the usual choice, for
# it can do without one node on either side. For the views of a page `ONE` will do. For the last kettle even `QUORUM` is too little,
# since reading and then writing are two steps.
#
# ### Timed out is not refused
#
# Node 3 stops again, and this time the others have not noticed. A write at `ALL` waits for it. When it fails, was the piece sold?

# %% tags=["raises-exception"]
write(programs["node 1"], 11, "ALL")
ring.nodes[2].stop(noticed=False)
write(programs["node 1"], 10, "ALL")

# %%
read(programs["node 1"], "ONE"), read(programs["node 2"], "ONE")

# %% [markdown]
# It was, on two nodes. `WriteTimeout` means "not enough answers in time". It does not mean "not written", and nothing is rolled
# back. Trying again is safe for a write that puts down a value, since twice is once, as long as nobody else has written meanwhile:
# the second attempt has a later timestamp, and covers that too. For a counter it is never safe.

# %%
ring.nodes[2].restore()

# %% [markdown]
# ## Sidebar: BigTable and HBase
#
# Where does the name of the family come from? In 2006 Google described **BigTable**: rows sorted by one key, columns that come in
# families, several versions of each cell, all kept in a log-structured merge tree. Cassandra took the tables and the tree, and
# spread its partitions by token, as Amazon's Dynamo does. **HBase** is BigTable once more, in the open, and closer to it. Google's
# Bigtable is a service today, and speaks HBase's interface as well.
#
# In HBase a table is one long sorted list of rows. Every key, name and value is a string of bytes. Its Python driver is happybase,
# which needs HBase's Thrift server; here a stand-in answers.

# %%
from course.optional import available

if has_happybase := available("happybase", "columns"):
    import happybase

    hbase = stores.start("hbase")
    hbase.reset()
    connection = happybase.Connection(hbase.host, hbase.port)
    connection.create_table("users", {"p": {"max_versions": 3}, "n": {}})
    people = connection.table("users")
    print(hbase)

# %% [markdown]
# `p` and `n` are **column families**: groups of columns of one table that are stored together. (Cassandra once called its tables
# column families, and so this kind of database got its name.) Families are fixed when the table is made; columns inside are not,
# each row has its own. What does the table keep if a city changes?

# %%
if has_happybase:
    people.put(b"u17", {b"p:name": b"Milan Chen", b"p:city": b"Porto"}, timestamp=1)
    people.put(b"u17", {b"p:city": b"Braga"}, timestamp=2)
    print(people.row(b"u17"))
    print(people.cells(b"u17", b"p:city", versions=3, include_timestamp=True))

# %% [markdown]
# Both. A reader gets the newest, and older **versions** on request, three of each cell here. An unknown family is refused.

# %% tags=["raises-exception"] varies="names the table's region, whose name holds the moment of its making"
if has_happybase:
    people.put(b"u17", {b"visits:total": b"1"})

# %% [markdown]
# A row lives on one server, which can therefore read and write in one step. So HBase can count without losing a step:

# %%
if has_happybase:
    print([people.counter_inc(b"u17", b"n:visits") for visit in range(3)])

# %% [markdown]
# ### The row key is all
#
# There is no partition key, and one order. What a table can be asked is decided by how its **row keys** sort. Put events under user
# and time, and read those of u17 with a **scan**. Whose events will it find?

# %%
if has_happybase:
    connection.create_table("events", {"e": {}})
    event_table = connection.table("events")
    with event_table.batch() as batch:
        for event in shop.events[:1500]:
            key = f"{event.user_id}#{shopstream.to_text(event.timestamp)}#{event.event_id}"
            batch.put(key.encode(), {b"e:type": event.event_type.encode()})
    found = [key for key, _ in event_table.scan(row_prefix=b"u17")]
    print(len(found), sorted({key.split(b"#")[0] for key in found}))

# %% [markdown]
# Those of u174 too. Bytes know nothing of users, and "u174" begins with "u17". The separator belongs to the prefix.

# %%
if has_happybase:
    print([key[:14] for key, _ in event_table.scan(row_prefix=b"u17#", limit=3)])

# %% [markdown]
# The oldest come first. A page shows the newest. If you count the time down from a far end, the newest sorts first; the zeros in
# front keep numbers in the order of text.

# %%
def newest_first(event):
    left = 10**13 - shopstream.to_millis(event.timestamp)
    return f"{event.user_id}#{left:013}#{event.event_id}".encode()

if has_happybase:
    connection.create_table("newest", {"e": {}})
    newest_table = connection.table("newest")
    for event in shop.events_of("u17"):
        newest_table.put(newest_first(event), {b"e:at": shopstream.to_text(event.timestamp).encode()})
    print([data[b"e:at"] for _, data in newest_table.scan(row_prefix=b"u17#", limit=2)])

# %% [markdown]
# Large tables are cut into **regions**, pieces of the sorted list, each on one server. What if the key begins with the time? Cut a
# table into four, and see who works on the day of the sale.

# %%
def by_time(event):
    return f"{shopstream.to_text(event.timestamp)}#{event.event_id}"

def salted(event):
    return f"{event.event_id.int % 4}#{by_time(event)}"

def rows_in_regions(table_name, key, ends):
    """How many rows does each region get from the events of the sale's noon?"""
    connection.create_table(table_name, {"e": {}})
    hbase.split(table_name, *ends)
    with hbase.record() as log, connection.table(table_name).batch() as batch:
        for event in noon:
            batch.put(key(event).encode(), {b"e:user": event.user_id.encode()})
    idle = len(ends) + 1 - len(log.regions)
    return sorted([0] * idle + [*log.regions.values()])

# %% only_embedded="cuts a table into regions, which on a real HBase only its administrator does"
if has_happybase:
    print(rows_in_regions("by_time", by_time, ["2026-06-08", "2026-06-16", "2026-06-24"]))

# %% [markdown]
# One region of four takes all, and three have nothing: the same hot spot as before. The cure is the same too, and is called
# **salting**: a bucket in front of the key, and a reader who scans every bucket.

# %% only_embedded="cuts a table into regions, which on a real HBase only its administrator does"
if has_happybase:
    print(rows_in_regions("salted", salted, ["1", "2", "3"]))
    connection.close()

# %% [markdown]
# ## Sidebar: ScyllaDB
#
# **ScyllaDB** is Cassandra written once more, in C++. It speaks CQL, and the driver that you have connects to it. In `connect` you
# change the address, and write `protocol_version=4`, since ScyllaDB knows no 5. (Its own driver, `scylla-driver`, is a copy of
# Cassandra's under the same name, `cassandra`. Install one of the two, never both.) Version 6.2 was the last under the AGPL; since
# 2025 the source can be read, and a free tier ends at 50 processors and 10 TB.
#
# Its idea is one **shard per core**: each processor core owns a part of the node's tokens and shares nothing with the others. What
# becomes of a hot partition then? The sale's noon on a node of eight cores:

# %%
CORES = 8

def core_of(token):
    """ScyllaDB's rule for keyspaces without tablets: leave out the upper 12 bits of the token, and cut the rest evenly."""
    return (((token + 2**63) << 12) % 2**64) * CORES >> 64

def noon_on_cores(statement, key_of):
    writes = Counter(core_of(Murmur3Token.from_key(statement.bind(key_of(event)).routing_key).value) for event in noon)
    return sorted((writes[core] for core in range(CORES)), reverse=True)

print("a partition for each day:   ", noon_on_cores(select_day, lambda event: [event.timestamp.date()]))
print("a partition for each bucket:", noon_on_cores(
    select_bucket, lambda event: [event.timestamp.date(), bucket_of(event.event_id), first_moment, last_moment]))

# %% [markdown]
# With a partition for each day one core has all of it and seven have nothing; with buckets one of eight is idle. So a hot partition
# is worse there, and what you learned about keys is worth more.
#
# New keyspaces cut their tables into **tablets** instead, which are spread over nodes and cores and move when one has too much. A
# partition still lies in one tablet, on one core. And a query may say how long it will wait (`USING TIMEOUT`).

# %%
for used in (cluster, cluster_of_six, everywhere.cluster, *(program.cluster for program in programs.values())):
    used.shutdown()

# %% [markdown]
# ## Your server and Cassandra
#
# Every cell of this chapter runs with a real Cassandra 5 as well. `python -m stores cassandra` starts one (it needs Java, and a
# gigabyte of memory) and prints the address for `CASSANDRA_CONTACT_POINTS`. The rings are embedded in both cases. Of the 122 cells,
# six put out something else on a real one, which does not tell what it touched.
#
# | | embedded | Cassandra 5 |
# |---|---|---|
# | rows, types, texts of errors | recorded from 5.0.6 | |
# | partitions, rows and tombstones in `log` | counted | not told: `None` |
# | indexes | are searched by reading | have files of their own, built in the background |
# | the clock | moves when you say so | is the time of day |
# | tokens of a node | one | sixteen, so neighbours on the ring take turns |
# | a node ends | the others know at once | after some seconds of gossip |
# | a timeout | after 0.1 s | 5 s for reads of one partition, 10 s for many, 2 s for writes |
# | repair, several data centres, user-defined functions | not there | there |
#
# What you counted, partitions, pages, round trips, holds for both. How long things take does not, so the course does not say.

# %% [markdown]
# ## Recap
#
# * The partition key says where a row lies, the clustering keys in which order. A question names a partition, or goes to everybody.
# * One table for each query. An index is seldom the cure for a slow read, and `ALLOW FILTERING` never is.
# * A key names one thing. Two events that share a key are one row.
# * Time alone is a hot key. Put a bucket, a user or a product with it, so that a rush spreads and no partition grows for ever.
# * Read ranges half-open, bucket by bucket, page by page, with prepared statements.
# * `INSERT` and `UPDATE` write without looking, and the last write wins. `IF` looks first, and costs four round trips among the nodes by default.
# * A deletion, a `None` and the end of a TTL are tombstones, which readers have to read until compaction may drop them.
# * A batch keeps tables in step. It does not load data faster.
# * R + W > N makes a read see the write. A timeout says nothing about whether it was written.
#
# ## Glossary
#
# | term | meaning |
# |---|---|
# | keyspace | a group of tables, and how many copies of their rows there are |
# | partition, partition key | rows that lie together, and the columns whose value they share |
# | clustering key | a column that orders the rows of a partition; DynamoDB calls it the sort key |
# | row, cell | a full primary key with its values, and one of these values with its timestamp |
# | token, ring | the number that a partition key is turned into, and the circle of tokens that nodes share |
# | node, replica, coordinator | a server of the cluster, one that has a copy, the one that your driver asked |
# | CQL | Cassandra's query language |
# | index, SAI | a way to the rows of a value, by each node for its own rows; storage-attached index, the newer kind |
# | prepared statement | a query that the server knows by number, with values to come |
# | token-aware | of a driver: asks a node that has the partition |
# | hot partition | one that gets much more than its share of the work |
# | bucket, salting | a number in a key that spreads what would lie together |
# | half-open range | one that has its start and not its end |
# | page, paging state | a part of an answer, and the bookmark to go on from |
# | upsert | a write that does not ask whether the row exists |
# | last write wins | of two values of a cell, the one with the later timestamp stays |
# | counter | a column that can be added to; each delivery counts |
# | TTL | time to live, of cells |
# | tombstone | a mark that says: deleted |
# | commit log, memtable, SSTable | where a write goes first, then stays in memory, and ends on disk |
# | Bloom filter | bits that say "certainly not here" or "perhaps" |
# | compaction | merging SSTables into one |
# | grace, `gc_grace_seconds` | how long a tombstone is kept at least |
# | lightweight transaction, Paxos | a write with a condition, and the protocol by which the replicas decide it |
# | batch, logged or unlogged | several writes in one request; a logged one happens as a whole or not at all, in the end |
# | consistency level, quorum | how many replicas must answer, and a majority of them |
# | hint | a write kept for a node that is away |
# | read repair | giving a replica what it lacks, noticed in reading |
# | eventual consistency | replicas agree in the end, and not before |
# | stale read | an answer that an earlier write should have changed |
# | column family, version | in HBase: columns stored together, and an older value of a cell |
# | shard, tablet | in ScyllaDB: the part of one core, and a piece of a table that can move |
# | row key, region | in HBase: what rows are sorted by, and a piece of the sorted list |
#
# ## Further reading
#
# * [The documentation of Apache Cassandra](https://cassandra.apache.org/doc/latest/), and in it data modelling. Kept up to date.
# * [The Python driver](https://docs.datastax.com/en/developer/python-driver/latest/), by DataStax at first, now Apache's.
# * Chang and others, *Bigtable: A Distributed Storage System for Structured Data* (OSDI 2006). Still the clearest account of families, tablets and the tree.
# * Lakshman and Malik, *Cassandra: A Decentralized Structured Storage System* (2009). Old: partitions and rings have lasted, its data model has not.
# * O'Neil, Cheng, Gawlick and O'Neil, *The Log-Structured Merge-Tree* (1996).
# * [HBase](https://hbase.apache.org/), its reference guide on row keys, and [happybase](https://happybase.readthedocs.io/).
# * [ScyllaDB](https://docs.scylladb.com/) on what it does otherwise.
# * [Kristof Kovacs' comparison of NoSQL databases](http://kkovacs.eu/cassandra-vs-mongodb-vs-couchdb-vs-redis) is old, and a good list of questions to ask.
#
# ## Exercises
#
# [The exercises of this chapter](../exercises/07_column_families/column_families.ipynb) are about a table that stays cool during the
# sale, a reader of ranges, a log-structured merge tree, replicas that agree, and levels that survive the loss of a node.
