# ---
# title: "Redis: types, sessions, caching"
# minutes: 90
# summary: Redis' data types, sessions that expire, and a cache that survives a sale.
# ---

# %% [markdown]
# # Redis: types, sessions, caching
#
# Redis is a key-value store that keeps its data in memory and knows a handful of data types.
# It most often stands in front of another database, where it answers the questions that are asked again and again.
#
# At the end of this chapter you can
#
# * choose a data type for a question, and name its keys;
# * keep sessions that expire by themselves;
# * put a cache in front of a database, and find the mistakes that such caches are known for;
# * protect the database when a popular key expires under load;
# * say what an eviction policy does to the hit ratio;
# * pick a Python cache library, because you have measured what it does.

# %% [markdown]
# ## A server and a driver
#
# The next cell starts a Redis server and shows which one it is. If it says *embedded*, a Python program
# called fakeredis answers. Set `REDIS_URL` before you start Jupyter to work with a real Redis: the cells stay the same.
# `reset()` empties the server; of a real one, only the database that was empty when the course took it for itself.

# %%
import stores

server = stores.start("redis")
server.reset()
server

# %% [markdown]
# The **driver** is the library that speaks to the server: here redis-py, unmodified.
# What `decode_responses` does you will see below.

# %%
import redis

r = redis.Redis(host=server.host, port=server.port, decode_responses=True)
r.ping()

# %% [markdown]
# You need something to store. Shopstream is the shop that this whole course asks questions about.

# %%
from course import plots, shopstream

shop = shopstream.load()
shop

# %% [markdown]
# ## Strings
#
# A **string** is the smallest value: one key, one text. What does the page of product p7 say?

# %%
r.set("product:p7:note", "Boils a litre in four minutes.")
r.get("product:p7:note")

# %% [markdown]
# Redis does not know the colons. They are a convention: kind of thing, which one, which part. Whoever reads
# `user:u17:profile` knows what is inside, and another program is unlikely to choose that key by accident.
#
# A key that nobody set is not an error. The answer is `None`.

# %%
print(r.get("product:p8:note"))

# %% [markdown]
# Numbers are welcome. What type comes back?

# %%
r.set("product:p7:stock", 11)
r.get("product:p7:stock")

# %% [markdown]
# Text: a Redis string is a row of bytes, and the driver wrote the number in digits. It refuses what it could only guess at.

# %% tags=["raises-exception"]
r.set("product:p7", {"name": "Copper Kettle", "price_cents": 1249})

# %% [markdown]
# The argument `decode_responses=True` turned those bytes into text. Without it, this is what you get:

# %%
redis.Redis(host=server.host, port=server.port).get("product:p7:stock")

# %% [markdown]
# ## Counters
#
# How often was a product looked at? A program could read the number, add one and write it back; two programs that do
# so at the same time lose a view. `INCR` adds inside the server.

# %%
for event in shop.day("2026-06-01"):
    if event.event_type == "view":
        r.incr(f"product:{event.product_id}:views")

r.get("product:p90:views")

# %% [markdown]
# The first `INCR` found no key and started at 0. A text that is not a number makes it fail.

# %% tags=["raises-exception"]
r.incr("product:p7:note")

# %% [markdown]
# ## Hashes
#
# A **hash** keeps fields under one key, as a small dictionary. What does p7 cost?

# %%
r.hset("product:p7", mapping={"name": "Copper Kettle", "price_cents": 1249, "stock": 11})
r.hget("product:p7", "price_cents")

# %% [markdown]
# You read one field without fetching the others, and you change one without touching the others.

# %%
r.hincrby("product:p7", "stock", -1)
r.hgetall("product:p7")

# %% [markdown]
# Every field is text here too, and a hash holds no hash. For nested data you keep JSON in a string, and then
# a change of one field means reading and writing all of it.

# %% [markdown]
# ## Lists
#
# A **list** is a row with two ends. Which products did user u17 look at last? `LPUSH` adds on the left, and
# `LTRIM` keeps the first five.

# %%
for event in shop.events_of("u17"):
    if event.event_type == "view":
        r.lpush("user:u17:recent", event.product_id)
        r.ltrim("user:u17:recent", 0, 4)

r.lrange("user:u17:recent", 0, -1)

# %% [markdown]
# The list never grows past five, however long u17 stays. A product may stand in it twice; a list does not mind.

# %% [markdown]
# ## Sets
#
# A **set** holds each member once, in no order. Who bought p7, and who of them bought p90 too?

# %%
for event in shop.of_type("purchase"):
    if event.product_id in ("p7", "p90"):
        r.sadd(f"product:{event.product_id}:buyers", event.user_id)

r.scard("product:p7:buyers"), r.scard("product:p90:buyers")

# %% [markdown]
# The server intersects the two sets; only the answer travels. The 2 says how many keys follow.
# And did u17 buy p7? 1 is yes, 0 is no.

# %%
r.sintercard(2, ["product:p7:buyers", "product:p90:buyers"]), r.sismember("product:p7:buyers", "u17")

# %% [markdown]
# ## Sorted sets
#
# In a **sorted set** each member carries a number, its **score**, and the members stand in the order of their scores.
# Which products sell best?

# %%
for event in shop.of_type("purchase"):
    r.zincrby("bestsellers", event.quantity, event.product_id)

r.zrange("bestsellers", 0, 2, desc=True, withscores=True)

# %% [markdown]
# Two more questions to the same key: which place has p14, and how many products sold ten pieces or more?

# %%
r.zrevrank("bestsellers", "p14") + 1, r.zcount("bestsellers", 10, "+inf")

# %% [markdown]
# The type of a key is fixed by the first command that writes it. A command for another type is refused. Only `SET`
# never asks: it replaces whatever is there.

# %% tags=["raises-exception"]
r.get("bestsellers")

# %% [markdown]
# There are more types. Streams come in chapter 03, together with publish and subscribe.

# %% [markdown]
# ## Round trips
#
# The best-seller loop sent a command for each purchase, and waited for each answer before it sent the next: a
# **round trip** each. `server.record()` writes down what the server receives, so you can count.

# %%
def count_sales(client):
    for event in shop.day("2026-06-19"):
        if event.event_type == "purchase":
            client.zincrby("bestsellers:2026-06-19", event.quantity, event.product_id)

with server.record() as log:
    count_sales(r)

len(log), log.round_trips

# %% [markdown]
# A **pipeline** collects commands and sends them together. How many round trips for the same commands?

# %%
r.delete("bestsellers:2026-06-19")
with server.record() as log:
    pipeline = r.pipeline()
    count_sales(pipeline)
    pipeline.execute()

len(log), log.round_trips

# %% [markdown]
# One. The log is two commands longer: redis-py wraps a pipeline in `MULTI` and `EXEC`, and
# the server runs the commands between them as one **transaction**, with no other client's command in the middle.
#
# What is a round trip worth? On this machine next to nothing, in a network about a millisecond.
# The server can hold each command back by that long, and then the stopwatch tells the truth about waiting.

# %% varies="a picture of measured times"
from time import perf_counter

def seconds(task):
    start = perf_counter()
    task()
    return perf_counter() - start

sizes = [1, 10, 25, 50, 100]
keys = [f"product:p{n}:views" for n in range(1, 101)]

with server.faults.delay(0.001, "GET"), server.faults.delay(0.001, "MGET"):
    one_by_one = [seconds(lambda: [r.get(key) for key in keys[:n]]) for n in sizes]
    together = [seconds(lambda: r.mget(keys[:n])) for n in sizes]

plots.round_trips(sizes, {"a GET for each key": one_by_one, "one MGET": together})

# %% [markdown]
# One line grows with the number of keys, the other does not. The delay is invented, the shape is not: count round trips
# before you count anything else.

# %% [markdown]
# ## Keys that expire
#
# A key can carry a **TTL**, a time to live. `ex=60` means 60 seconds.

# %%
r.set("offer:p7", "40 % off until noon", ex=60)
r.ttl("offer:p7")

# %% [markdown]
# Nobody likes to wait a minute in a chapter. `server.clock` is the server's clock, and you may move it.
# It runs like any clock, and `advance` moves it forward as well. Your own clock stays where it is.

# %%
server.clock.advance(30)
r.get("offer:p7")

# %%
server.clock.advance(31)
print(r.get("offer:p7"))

# %% [markdown]
# `TTL` has two answers that are not seconds: -2 for no such key, and -1 for a key that never expires.

# %%
r.ttl("offer:p7"), r.ttl("bestsellers")

# %% [markdown]
# The offer comes back for an hour, and then someone corrects its text. What is its TTL after the correction?

# %%
r.set("offer:p7", "40 % off till noon", ex=3600)
r.set("offer:p7", "40 % off until 12:00")
r.ttl("offer:p7")

# %% [markdown]
# -1: `SET` writes a new value and drops the old TTL with the old value. This offer never ends.
# `keepttl=True` keeps it. Commands that change a value in place, such as `APPEND` and `HSET`, keep it anyway.

# %%
r.set("offer:p7", "40 % off till noon", ex=3600)
r.set("offer:p7", "40 % off until 12:00", keepttl=True)
r.append("offer:p7", ", while stocks last")
r.get("offer:p7"), r.ttl("offer:p7")

# %% [markdown]
# ## Sessions
#
# A **session** is what the shop remembers between two requests of one visitor. It is read with every click, lives for half an
# hour after the last one, and if it is lost the visitor logs in again: a good thing to keep in memory. A hash fits.

# %%
SESSION_SECONDS = 1800

r.hset("session:9f3c", mapping={"user": "u17", "device": "phone"})
# r.expire("session:9f3c", SESSION_SECONDS)     the program was killed before this line
r.ttl("session:9f3c")

# %% [markdown]
# That is the first mistake with sessions: two commands, a crash between them, and a key that stays forever. A million of
# those fill the memory. With a transaction, a program that dies before `EXEC` has run neither. (Of two commands that
# both arrive, one that fails does not undo the other.)

# %%
def log_in(token, user_id):
    key = f"session:{token}"
    with r.pipeline() as pipeline:
        pipeline.hset(key, mapping={"user": user_id, "device": "phone"})
        pipeline.expire(key, SESSION_SECONDS)
        pipeline.execute()

log_in("9f3c", "u17")
r.ttl("session:9f3c")

# %% [markdown]
# Twenty minutes later u17 opens a page, and the shop reads the session. Does reading it move its end?

# %%
server.clock.advance(1200)
r.hgetall("session:9f3c"), r.ttl("session:9f3c")

# %% [markdown]
# No. Ten minutes are left, however busy u17 is. A **sliding TTL** starts again with every request, and you have to say so.
# `EXPIRE` answers whether there was such a key.

# %%
r.expire("session:9f3c", SESSION_SECONDS)

# %% [markdown]
# Now u17 goes to lunch, comes back after an hour with the page still open, and puts something in the cart.

# %%
server.clock.advance(3600)
r.hset("session:9f3c", "cart", "p59")
r.hgetall("session:9f3c"), r.ttl("session:9f3c")

# %% [markdown]
# The second mistake: `HSET` makes the key if it is not there. What is left is a session without a user and without an end.
# Start the TTL first: `EXPIRE` says whether the session is still there.

# %%
r.delete("session:9f3c")

def remember(token, field, value):
    key = f"session:{token}"
    if not r.expire(key, SESSION_SECONDS):
        return False
    r.hset(key, field, value)
    return True

remember("9f3c", "cart", "p59")

# %% [markdown]
# The visitor logs in again. Between the two commands of `remember` the key has half an hour to live, so no
# session ends there.

# %%
log_in("77aa", "u17")
remember("77aa", "cart", "p59"), r.hgetall("session:77aa")

# %% [markdown]
# "Log me out on all my devices" needs one more key: which sessions has u17? A set knows, if `log_in` adds to it.
# Searching all keys of the server for them would read everybody's.

# %%
r.sadd("user:u17:sessions", "77aa")
r.delete(*[f"session:{token}" for token in r.smembers("user:u17:sessions")])

# %% [markdown]
# One session ended. But the set still names it, and for a user without sessions `DEL` without a key is an error. In
# the exercises you write the whole of it.

# %% [markdown]
# ## Ask the cache first
#
# The shop keeps its users and products in a database. This one counts what it is asked.

# %%
database = shop.database()
load_profile = database.load_profile
load_profile("u17")

# %%
database.queries = 0
for _ in range(100):
    load_profile("u17")

database.queries

# %% [markdown]
# A hundred reads, a hundred queries, one answer. A **cache** keeps an answer where it is cheap to fetch. With the pattern called
# **cache-aside** the program looks in the cache first. If the answer is there, that is a **hit**; if not, a **miss**,
# and the program asks the database and leaves the answer in the cache.
#
# Here is a version as it goes round in tutorials. It has several mistakes. You will meet them one at a time.

# %%
import json

def profile_of(user_id):
    key = f"user:{user_id}:profile"
    cached = r.get(key)
    if cached:
        return json.loads(cached)
    profile = fetch_from_database(user_id)
    r.setex(key, timedelta(hours=1), json.dumps(profile))
    return profile

# %% [markdown]
# Whoever wrote it tried it with something in the cache. It worked.

# %%
r.set("user:u17:profile", '{"user_id": "u17", "name": "Milan Chen"}')
profile_of("u17")

# %% [markdown]
# Now try it with an empty cache.

# %% tags=["raises-exception"]
r.delete("user:u17:profile")
profile_of("u17")

# %% [markdown]
# Python looks up a name when the line runs, and this line runs only on a miss. Test a cache twice: cold and warm.
# The next version calls a function that exists.

# %% tags=["raises-exception"]
def profile_of(user_id):
    key = f"user:{user_id}:profile"
    cached = r.get(key)
    if cached:
        return json.loads(cached)
    profile = load_profile(user_id)
    r.setex(key, timedelta(hours=1), json.dumps(profile))
    return profile

profile_of("u17")

# %% [markdown]
# A missing import, on the same path, behind the first error. Seconds will do instead of a `timedelta`.

# %%
def profile_of(user_id):
    key = f"user:{user_id}:profile"
    cached = r.get(key)
    if cached:
        return json.loads(cached)
    profile = load_profile(user_id)
    r.setex(key, 3600, json.dumps(profile))
    return profile

profile_of("u17")

# %% [markdown]
# It works, and the driver warns: `SETEX` is deprecated, because `SET` has had the option `EX` for years.
# There is a second reason to write `ex=3600`: a number alone, in the middle of the arguments, does not say what it is.

# %%
def profile_of(user_id):
    key = f"user:{user_id}:profile"
    cached = r.get(key)
    if cached:
        return json.loads(cached)
    profile = load_profile(user_id)
    r.set(key, json.dumps(profile), ex=3600)
    return profile

# %% [markdown]
# How many queries do a hundred reads make now, from a cold start?

# %%
def queries_of(function, *arguments):
    """How many queries do a hundred calls make?"""
    database.queries = 0
    for _ in range(100):
        function(*arguments)
    return database.queries

r.delete("user:u17:profile")
queries_of(profile_of, "u17")

# %% [markdown]
# ## Empty is not missing
#
# A profile may have an empty city. Here is a cache for cities, with the same `if cached:` as above.

# %%
def city_of(user_id):
    key = f"user:{user_id}:city"
    cached = r.get(key)
    if cached:
        return cached
    city = database.load_profile(user_id)["city"]
    r.set(key, city, ex=3600)
    return city

queries_of(city_of, "u17")

# %% [markdown]
# User u18 has removed the city from the profile. How many queries for a hundred reads?

# %%
database.update_profile("u18", city="")
queries_of(city_of, "u18")

# %% [markdown]
# The cache holds `""`, and `""` is false, so every hit is taken for a miss. Nothing fails. The answers are right,
# and only the count shows that the cache does not work. Ask for what you mean: `is not None`. The `""` is still in
# the cache. How many queries now?

# %%
def city_of(user_id):
    key = f"user:{user_id}:city"
    cached = r.get(key)
    if cached is not None:
        return cached
    city = database.load_profile(user_id)["city"]
    r.set(key, city, ex=3600)
    return city

queries_of(city_of, "u18")

# %% [markdown]
# ## Nothing is an answer too
#
# Nobody is called u401. A robot tries such numbers all day. What does the cache keep?

# %%
profile_of("u401")
r.get("user:u401:profile"), r.ttl("user:u401:profile")

# %% [markdown]
# The JSON word `null`, for an hour. It keeps the robot away from the database, which is good and is called **negative caching**.
# Then somebody signs up and becomes u401. `load_profile` knows at once; what does `profile_of` say?

# %%
signed_up = {"user_id": "u401", "name": "Nia Okafor"}

def load_profile(user_id):
    if user_id == "u401":
        return signed_up
    return database.load_profile(user_id)

print(load_profile("u401"))
print(profile_of("u401"))

# %% [markdown]
# The new customer does not exist, for an hour. "Nothing" goes out of date faster than an answer, so give it a TTL of its own.

# %%
def profile_of(user_id):
    key = f"user:{user_id}:profile"
    cached = r.get(key)
    if cached is not None:
        return json.loads(cached)
    profile = load_profile(user_id)
    r.set(key, json.dumps(profile), ex=30 if profile is None else 3600)
    return profile

r.delete("user:u401:profile")
signed_up = None
profile_of("u401")
r.ttl("user:u401:profile")

# %%
signed_up = {"user_id": "u401", "name": "Nia Okafor"}
server.clock.advance(31)
profile_of("u401")

# %% [markdown]
# ## What JSON cannot say
#
# The shop wants to cache the last purchase of each user.

# %%
def last_purchase(user_id):
    event = [e for e in shop.events_of(user_id) if e.event_type == "purchase"][-1]
    return {"product_id": event.product_id, "at": event.timestamp}

last_purchase("u17")

# %% tags=["raises-exception"]
json.dumps(last_purchase("u17"))

# %% [markdown]
# JSON has no type for a moment in time. A quick repair is `default=str`: whatever JSON does not know becomes text.

# %%
text = json.dumps(last_purchase("u17"), default=str)
text

# %% [markdown]
# What does the reader of the cache get?

# %% tags=["raises-exception"]
json.loads(text)["at"].year

# %% [markdown]
# Text. On a miss the program has a datetime, on a hit a string: again an error that only one of the two paths shows. What goes in must
# come out, so mark the value on the way in and turn it back on the way out. The mark must be a key that your own
# dictionaries never have: whatever carries it is taken for a datetime.

# %%
from datetime import datetime

def to_json(value):
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    raise TypeError(f"a cache cannot hold {value!r}")

def from_json(fields):
    return datetime.fromisoformat(fields["$datetime"]) if "$datetime" in fields else fields

text = json.dumps(last_purchase("u17"), default=to_json)
json.loads(text, object_hook=from_json) == last_purchase("u17")

# %% [markdown]
# ## A cache that nobody tells
#
# Products get a cache as well. Then the flash sale starts.

# %%
def product_of(product_id):
    key = f"product:{product_id}:page"
    cached = r.get(key)
    if cached is not None:
        return json.loads(cached)
    product = database.load_product(product_id)
    r.set(key, json.dumps(product), ex=3600)
    return product

product_of("p7")["price_cents"]

# %%
database.update_product("p7", price_cents=749)
product_of("p7")["price_cents"]

# %% [markdown]
# For an hour the shop shows the price of yesterday. Whoever changes the database must **invalidate** the cached answer.

# %%
def change_product(product_id, **changes):
    database.update_product(product_id, **changes)
    r.delete(f"product:{product_id}:page")

change_product("p7", price_cents=699)
product_of("p7")["price_cents"]

# %% [markdown]
# Deleting beats writing the new value: two writers who finish in the wrong order would leave the older price in the cache.
# A deletion has no order.
#
# A gap remains. A reader takes the old price from the database and is slow to store it; meanwhile the
# price changes. The next cell plays that by hand.

# %%
r.delete("product:p7:page")
old = database.load_product("p7")                      # the reader has missed, and loads
change_product("p7", price_cents=599)                  # the writer changes and invalidates
r.set("product:p7:page", json.dumps(old), ex=3600)     # the reader stores what it loaded

product_of("p7")["price_cents"], database.load_product("p7")["price_cents"]

# %% [markdown]
# The TTL is what ends such a lie. Choose it by asking how long a wrong answer may live, not how long a right one would.

# %% [markdown]
# ## The herd
#
# The shop starts, and all 120 product pages enter the cache within a second, each for a minute. Then every page is read
# every second. When does the database work?

# %%
import random

def queries_each_second(ttl_ms, seconds=200):
    """Read 120 pages a second and count the queries; ttl_ms() gives the TTL of each page."""
    keys = [f"page:p{n}" for n in range(1, 121)]
    r.delete(*keys)
    counts = []
    for _ in range(seconds):
        missed = [key for key, page in zip(keys, r.mget(keys)) if page is None]
        with r.pipeline() as pipeline:
            for key in missed:
                pipeline.set(key, "the page", px=ttl_ms())
            pipeline.execute()
        counts.append(len(missed))
        server.clock.advance(1)
    return counts

together = queries_each_second(lambda: 60_000)
sum(together), max(together)

# %% [markdown]
# Few queries, all in the same second, again every minute. **Jitter** draws each TTL a little shorter or longer.

# %% varies="some milliseconds of real time pass too, so a key may expire in the second before or after"
random.seed(7)
spread = queries_each_second(lambda: random.randint(48_000, 72_000))
sum(spread), max(spread[1:])

# %% varies="a picture of those counts"
plots.herd({"one TTL": together[1:], "jitter": spread[1:]})

# %% [markdown]
# The picture leaves out the first second, when both caches were cold. With jitter the herd disperses, and each round it
# disperses further.

# %% [markdown]
# ## The stampede
#
# One key alone can hurt as well. The page of p7 expires during the sale, and 20 readers miss it in the same moment.
# `readers` runs 20 clients in an order that is always the same: each does one step, then the next one does.

# %%
from course.crowd import readers

def cached_page(r, key, load):
    cached = r.get(key)
    if cached is not None:
        return json.loads(cached)
    page = load()
    r.set(key, json.dumps(page), ex=60)
    return page

# %% [markdown]
# `crowd.slow` makes loading take as long as everybody else needs for a step, as a busy database does. How often is the product loaded?

# %%
r.delete("page:p7")
with readers(20, server) as crowd:
    load = crowd.slow(lambda: database.load_product("p7"))
    crowd.run(lambda r: cached_page(r, "page:p7", load))

load.calls

# %%
plots.schedule(crowd.schedule, f"20 readers, {load.calls} loads")

# %% [markdown]
# A **stampede**: all have missed before the first has stored. The cache fails exactly when the shop is busiest. Jitter does not help,
# because there is only one key.
#
# ## Let one reader load
#
# One reader must win. `SET` with `nx=True` writes only if there is no such key, and answers who came first.

# %%
r.set("lock:page:p7", "reader-1", nx=True), r.set("lock:page:p7", "reader-2", nx=True)

# %% [markdown]
# That is a **lock**. The winner loads; the others wait for the value.

# %%
from time import sleep

def load_once(r, key, load):
    while (cached := r.get(key)) is None:
        if r.set(f"lock:{key}", "locked", nx=True):
            page = load()
            r.set(key, json.dumps(page), ex=60)
            r.delete(f"lock:{key}")
            return page
        sleep(0.01)
    return json.loads(cached)

# %%
def stampede(load, key="page:p7"):
    """Send 20 readers to a cold key and return the crowd and the slow load."""
    r.delete(key, f"lock:{key}")
    with readers(20, server) as crowd:
        slow = crowd.slow(load)
        crowd.run(lambda r: load_once(r, key, slow))
    return crowd, slow

crowd, load = stampede(lambda: database.load_product("p7"))
load.calls

# %%
plots.schedule(crowd.schedule, f"20 readers, {load.calls} load")

# %% [markdown]
# One load. The lock works as long as nothing goes wrong. Now the database breaks down in the middle of a load.

# %% tags=["raises-exception"]
def broken():
    raise ConnectionError("the database is down")

r.delete("page:p7")
load_once(r, "page:p7", broken)

# %% [markdown]
# The error is right. What is left behind is not. Will a reader ever get in again?

# %%
server.clock.advance(24 * 3600)
print(r.set("lock:page:p7", "next reader", nx=True))

# %% [markdown]
# `None`: a day later the lock is still there, and every reader waits for a loader that is gone. `try … finally` releases the
# lock after an error. If the whole machine dies, no `finally` runs; for that the lock needs a TTL.

# %%
def load_once(r, key, load):
    while (cached := r.get(key)) is None:
        if r.set(f"lock:{key}", "locked", nx=True, ex=10):
            try:
                page = load()
                r.set(key, json.dumps(page), ex=60)
                return page
            finally:
                r.delete(f"lock:{key}")
        sleep(0.01)
    return json.loads(cached)

r.delete("lock:page:p7")
try:
    load_once(r, "page:p7", broken)
except ConnectionError as error:
    print(error)
r.exists("lock:page:p7")

# %% [markdown]
# The error still arrives, and no lock is left.
#
# Ten seconds are plenty for a load, until one takes eleven. Play it by hand: A loads, B comes later, then C.

# %%
r.delete("lock:page:p7")
r.set("lock:page:p7", "A", nx=True, ex=10)             # A starts to load
server.clock.advance(11)                               # and is slow: its lock has expired
r.set("lock:page:p7", "B", nx=True, ex=10)             # B starts to load
r.delete("lock:page:p7")                               # A is done and releases "its" lock
r.set("lock:page:p7", "C", nx=True, ex=10)             # does C get in, while B loads?

# %% [markdown]
# It does. A deleted the lock of B. Each owner needs a **token** that nobody else has, and may delete the lock only if its own
# token is inside. Looking and deleting are two commands, and the lock may change hands between them. A small **Lua** script does
# both inside the server, in one step. C has the lock now; what do the two answers say?

# %%
r.set("lock:page:p7", "C", ex=10)
release = r.register_script("""
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        return redis.call('DEL', KEYS[1])
    end
    return 0
""")

release(keys=["lock:page:p7"], args=["A"]), release(keys=["lock:page:p7"], args=["C"])

# %% [markdown]
# A may not, C may. Now all of it together; `client=r` sends the script through the reader's own connection.

# %%
import secrets

def load_once(r, key, load):
    token = secrets.token_hex(8)
    while (cached := r.get(key)) is None:
        if r.set(f"lock:{key}", token, nx=True, ex=10):
            try:
                page = load()
                r.set(key, json.dumps(page), ex=60)
                return page
            finally:
                release(keys=[f"lock:{key}"], args=[token], client=r)
        sleep(0.01)
    return json.loads(cached)

crowd, load = stampede(lambda: database.load_product("p7"))
load.calls

# %% [markdown]
# A reader has no limit to its patience: as long as someone holds the lock, be the load slow or its owner dead, it waits.
# And one that missed early but gets the lock late loads again. You close both gaps in the exercises. redis-py has a lock
# with token and script too: `r.lock(name, timeout=10)`.

# %% [markdown]
# ## When the memory is full
#
# A cache is smaller than what it caches. When it is full, an **eviction policy** chooses who leaves: the key that was used
# longest ago (**LRU**), least often (**LFU**), stored first (**FIFO**), or any.
#
# The embedded server has no memory limit, so you use a model. It replays the month's product views through caches
# of different sizes, and counts the **hit ratio**: hits per request.

# %%
from course.simulate.eviction import FIFO, LFU, LRU, Random, hit_ratios, optimal

views = [event.product_id for event in shop.of_type("view")]
sizes = [3, 6, 12, 24, 48]
policies = [LRU, LFU, FIFO, Random, optimal]

shoppers = hit_ratios(policies, views, sizes)
dict(zip(sizes, shoppers["LRU"]))

# %% [markdown]
# Room for a tenth of the products, 12 of 120, answers nearly half of the requests: few products are popular, and those stay in.
#
# Now a search engine's robot comes by after every 10 views and reads 12 pages in a row. Its own hits do not matter to
# you, so only the shoppers' requests are counted. Which policy will the robot hurt most?

# %%
from itertools import cycle

def beside_a_robot(policy, size):
    """The hit ratio of the shoppers' requests, while a robot reads page after page through the same cache."""
    cache, hits = policy(size), 0
    robot = cycle(product.product_id for product in shop.products)
    for n, product_id in enumerate(views, start=1):
        hits += cache.request(product_id)
        if n % 10 == 0:
            for _ in range(12):
                cache.request(next(robot))
    return hits / len(views)

disturbed = {policy.__name__: [beside_a_robot(policy, size) for size in sizes] for policy in (LRU, LFU, FIFO, Random)}
plots.hit_ratio(sizes, {"alone": shoppers, "beside a robot": disturbed})

# %% [markdown]
# LRU: up to 12 keys it is no better than chance now, because the robot's 12 pages are the latest and push out everything
# popular. LFU loses least, because a page that was read once is the first to go. *Optimal* knows the future. Nobody does, but it shows how much there is to win.
#
# In Redis you choose with `maxmemory-policy`: `allkeys-lru`, `allkeys-lfu`, `volatile-ttl` and others. It draws a
# few keys by lot and evicts the worst of them, which comes close. Without a policy, a full Redis
# refuses to write. Chapter 04 fills a real one.

# %% [markdown]
# ## What do you like?
#
# A shop also keeps what it learns about a visitor. A sorted set counts which categories u17 likes: a
# purchase says more than a look.

# %%
WEIGHT = {"view": 1, "cart": 3, "purchase": 10, "refund": -10}

for event in shop.events_of("u17"):
    category = shop.product(event.product_id).category
    r.zincrby("user:u17:likes", WEIGHT[event.event_type], category)

likes = r.zrange("user:u17:likes", 0, 2, desc=True, withscores=True)
likes

# %% [markdown]
# Each category has its best sellers. They go in through one pipeline.

# %%
with r.pipeline() as pipeline:
    for event in shop.of_type("purchase"):
        category = shop.product(event.product_id).category
        pipeline.zincrby(f"category:{category}:bestsellers", 1, event.product_id)
    pipeline.execute()

r.zrange("category:tea:bestsellers", 0, 2, desc=True, withscores=True)

# %% [markdown]
# A union of sorted sets adds the scores, each multiplied by a weight. So: the best sellers of the three categories, weighted by how much
# u17 likes each, without what u17 has bought.

# %%
weights = {f"category:{category}:bestsellers": score for category, score in likes}
bought = {e.product_id for e in shop.events_of("u17") if e.event_type == "purchase"}

with r.pipeline() as pipeline:
    pipeline.zunionstore("user:u17:suggestions", weights)
    if bought:     # ZREM without a member is an error
        pipeline.zrem("user:u17:suggestions", *bought)
    pipeline.expire("user:u17:suggestions", 3600)
    pipeline.zrange("user:u17:suggestions", 0, 2, desc=True)
    *_, best = pipeline.execute()

[shop.product(product_id).name for product_id in best]

# %% [markdown]
# A **recommendation** in four commands and one round trip. One is often told that a key-value store finds values by key only. That is true,
# and so you keep one more key for each question. "Who likes tea most?" is such a key:

# %%
with r.pipeline() as pipeline:
    for event in shop.events:
        if shop.product(event.product_id).category == "tea":
            pipeline.zincrby("category:tea:fans", WEIGHT[event.event_type], event.user_id)
    pipeline.execute()

r.zrange("category:tea:fans", 0, 2, desc=True, withscores=True)

# %% [markdown]
# Settings that the visitor chose, such as language and currency, go into a hash `user:u17:settings`. From here such
# data flows on to the analysts' warehouse, and what they find flows back; chapter 12 closes that loop.

# %% [markdown]
# ## Sidebar: caches inside the process
#
# Before you start a server, look at what Python brings along. `functools.lru_cache` keeps the answers of a function in a
# dictionary and evicts the least recently used. Count the hits in your head, with room for two.

# %%
from functools import lru_cache

@lru_cache(maxsize=2)
def price(product_id):
    return database.load_product(product_id)["price_cents"]

for product_id in ["p7", "p90", "p7", "p92", "p90"]:
    price(product_id)

price.cache_info()

# %% [markdown]
# One hit: p92 pushed out p90, and p90 then pushed out p7. A hit here costs no round trip at all.
# What does it cost instead?

# %%
change_product("p90", price_cents=1)
price("p90"), product_of("p90")["price_cents"]

# %% [markdown]
# There is no TTL, and `change_product` does not reach this cache. Nor would it reach the copy in another process. The next
# cell starts two processes with the same program.

# %%
from course.workers import processes

program = """
from functools import lru_cache

@lru_cache
def square(n):
    return n * n

square(12), square(12)
print(square.cache_info())
"""
processes(2, "", program)

# %% [markdown]
# Each has its own miss. A web shop with 40 processes has 40 caches, each cold after a restart, each out of date
# in its own way. Redis is one cache for all of them.
#
# **cachetools** extends `lru_cache` with more policies and with TTLs. Its timer can be any clock, so you give it the server's.

# %%
from course.optional import available

if has_cachetools := available("cachetools"):
    from cachetools import TTLCache, cached

    @cached(TTLCache(maxsize=100, ttl=60, timer=server.clock.now), info=True)
    def stock(product_id):
        return database.load_product(product_id)["stock"]

    stock("p7"), stock("p7")
    server.clock.advance(61)
    stock("p7")
    print(stock.cache_info())

# %% [markdown]
# Threads stampede as processes do. How many of eight threads compute the answer? And how many with a `condition`, a lock
# that lets the others wait until the answer is there?

# %%
from threading import Condition, Thread

def calls_of_8_threads(decorate):
    """Let 8 threads call a slow function on a cold key; return how often it ran."""
    calls = []

    @decorate
    def slow_square(n):
        calls.append(n)
        sleep(0.05)
        return n * n

    threads = [Thread(target=slow_square, args=(12,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(calls)

print("lru_cache:", calls_of_8_threads(lru_cache))
if has_cachetools:
    print("cachetools:", calls_of_8_threads(cached({})))
    print("cachetools with a condition:", calls_of_8_threads(cached({}, condition=Condition())))

# %% [markdown]
# All eight, with `lru_cache` and with cachetools: no thread waits for another's answer. With the condition one computes
# and seven wait.

# %% [markdown]
# ## Sidebar: caches on disk
#
# **joblib** keeps results in files, also big NumPy arrays. Scientists use it, and ask whether
# several processes may write to it at once. You can find out: four processes call a slow function on the same cold key, and once more when it is warm.

# %%
import tempfile
from pathlib import Path

folder = tempfile.mkdtemp()
Path(folder, "squares.py").write_text(f"""
import time, joblib

@joblib.Memory({folder!r}, verbose=0).cache
def slow_square(n):
    print("computed", end=" ")
    time.sleep(0.3)
    return n * n
""")
start = f"import sys; sys.path.insert(0, {folder!r}); from squares import slow_square"

if has_joblib := available("joblib"):
    print("cold:", processes(4, start, "print(slow_square(12))"))
    print("warm:", processes(4, start, "print(slow_square(12))"))

# %% [markdown]
# Every answer is right: the cache is **multi-write safe**. (joblib's source tells why: it writes a file under another name and
# renames it when it is complete, so nobody reads half of one.) It does not keep the others from computing the same thing: no protection from a stampede.
#
# A large array need not be read into memory to be used: with `mmap_mode` the result is the file itself, mapped.

# %%
if has_joblib:
    import joblib
    import numpy as np

    @joblib.Memory(folder, mmap_mode="r", verbose=0).cache
    def table(n):
        return np.arange(n)

    table(1_000_000)
    print(type(table(1_000_000)))

# %% [markdown]
# **klepto** separates the cache in memory from the **archive** behind it, which may be a folder, a file or a database.
# Three caches stand before one folder. The second looks before the first is dumped, the third after. Who hits?

# %%
if available("klepto"):
    import klepto
    from klepto.archives import dir_archive

    archive = tempfile.mkdtemp() + "/squares"

    def square_with_archive():
        return klepto.lru_cache(maxsize=100, cache=dir_archive(archive))(lambda n: n * n)

    first, second, third = (square_with_archive() for _ in range(3))
    first(12), first(12)
    second.load()
    second(12)
    first.dump()
    third.load()
    third(12)
    for square in (first, second, third):
        print(square.info())

# %% [markdown]
# The second missed, the third hit. Nothing reaches the folder before `dump()`, and nothing comes back before `load()`. That
# suits one long calculation after another; processes that run at the same time share nothing.

# %% [markdown]
# ## Sidebar: dogpile.cache
#
# **dogpile.cache** puts one interface before many backends, Redis and Memcached among them, and is named after the
# stampede that it prevents. Eight threads, one cold key:

# %%
if has_dogpile := available("dogpile.cache"):
    from dogpile.cache import make_region

    region = make_region().configure(
        "dogpile.cache.redis", expiration_time=60,
        arguments={"host": server.host, "port": server.port, "distributed_lock": True, "thread_local_lock": False},
    )
    print(calls_of_8_threads(region.cache_on_arguments()))

# %% [markdown]
# One call. `distributed_lock` keeps the lock in Redis, where other processes would find it as these threads did.
#
# dogpile.cache is older than `async`. What happens when the function that loads is a coroutine?

# %%
import asyncio

async def slow_page(product_id):
    await asyncio.sleep(0.01)
    return database.load_product(product_id)

if has_dogpile:
    coroutine = slow_page("p7")
    try:
        region.get_or_create("page:p7", lambda: coroutine)
    except TypeError as error:
        print("TypeError:", error)
    await coroutine

# %% [markdown]
# It tries to store the coroutine instead of waiting for its result. An ordinary function works, but does it fit in? A task
# that beats every 10 ms measures how long the event loop stands still.

# %%
async def longest_pause(work):
    """Await work() while a heart beats every 10 ms; return the longest pause in ms."""
    beats = []

    async def heart():
        while True:
            beats.append(perf_counter())
            await asyncio.sleep(0.01)

    beating = asyncio.create_task(heart())
    await asyncio.sleep(0.03)
    await work()
    await asyncio.sleep(0.03)
    beating.cancel()
    return round(1000 * max(after - before for before, after in zip(beats, beats[1:])))

# %% varies="measured times"
if has_dogpile:
    @region.cache_on_arguments()
    def slow_product(product_id):
        sleep(0.3)
        return database.load_product(product_id)

    async def blocking():
        slow_product("p7")

    async def in_a_thread():
        await asyncio.to_thread(slow_product, "p90")

    print("called in the loop:", await longest_pause(blocking), "ms")
    print("called in a thread:", await longest_pause(in_a_thread), "ms")

# %% [markdown]
# Called in the loop, everything waits for one page. With `asyncio.to_thread` the loop goes on, at the price of a thread for
# each load. That answers the old complaint that dogpile.cache does not go well with futures, the results still to come that `await`
# waits for: it does not know them, and one line gives it the thread that it needs. `redis.asyncio` needs none.

# %% [markdown]
# ## Sidebar: Walrus
#
# **Walrus** wraps redis-py and makes Redis' types look like Python's.

# %%
if has_walrus := available("walrus"):
    import walrus

    db = walrus.Database(host=server.host, port=server.port, decode_responses=True)
    kettle = db.Hash("walrus:product:p7")
    kettle.update(name="Copper Kettle", price_cents=1249)
    recent = db.List("walrus:recent")
    recent.extend(["p90", "p7"])
    print(kettle["name"], list(recent), "price_cents" in kettle)

# %% [markdown]
# It brings a cache as a decorator, and a rate limit. Which of the five calls are limited? How many of eight threads load?

# %%
if has_walrus:
    pages = walrus.Database(host=server.host, port=server.port).cache(name="walrus:pages", default_timeout=60)
    limit = db.rate_limit("walrus:login", limit=3, per=60)
    print([limit.limit("u17") for _ in range(5)])
    print(calls_of_8_threads(pages.cached()))

# %% [markdown]
# The fourth and the fifth. The decorator has no lock: a stampede. Convenience is no replacement for the question you ask
# of every cache: what happens when many miss at once?

# %% [markdown]
# ## Sidebar: Memcached
#
# **Memcached** is the older cache in memory: keys and values, a TTL, and nothing else. No types, no scripts, no disk.
# Its driver here is pymemcache.

# %%
if has_memcached := available("pymemcache"):
    from pymemcache.client.base import Client

    memcached = stores.start("memcached")
    m = Client((memcached.host, memcached.port))
    m.set("product:p7:note", "Boils a litre in four minutes.", expire=60)
    print(memcached)
    print(m.get("product:p7:note"))

# %% [markdown]
# A value may have 1 MB at most. What does the driver say to one byte more?

# %%
if has_memcached:
    print(m.set("catalogue", "x" * (2**20 + 1)))
    print(m.get("catalogue"))

# %% [markdown]
# `True`, and nothing is stored. pymemcache sends `set` without waiting for a reply, unless you ask for one.

# %% tags=["raises-exception"]
if has_memcached:
    m.set("catalogue", "x" * (2**20 + 1), noreply=False)

# %% [markdown]
# A full Memcached evicts by LRU, among values of about the same size. With the real program on your machine the next cell gives it 8 MB and
# stores 20 MB. Which keys are left?

# %%
if has_memcached and stores.local.find("memcached"):
    with stores.local.launch("memcached", "-m", "8") as program:
        small = Client((program.host, program.port))
        for n in range(20_000):
            small.set(f"page:{n}", "x" * 1000)
        left = [n for n in range(20_000) if small.get(f"page:{n}")]
        small.close()
    print(f"{len(left)} of 20000 pages are left; the oldest is page:{left[0]}")
else:
    print("To run this: apt install memcached, or brew install memcached")

# %% [markdown]
# Is Memcached faster than Redis, as is sometimes said? An embedded server cannot answer that, so the next cells use the real
# programs or nothing. Each is asked through its driver, and once more in bytes through a bare socket.

# %%
import socket

def bare_get(program, request, end):
    """A function that sends a request and reads until the end of its reply."""
    connection = socket.create_connection((program.host, program.port))

    def get():
        connection.sendall(request)
        while not connection.recv(4096).endswith(end):
            pass

    return get

def medians(calls, rounds=2000):
    """The median time of each call in microseconds. The calls take turns, so that a busy moment hits all of them."""
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(1e6 * seconds(call))
    return {name: sorted(measured)[rounds // 2] for name, measured in times.items()}

# %% [markdown]
# Before you run it: is the difference between the drivers larger or smaller than between the servers?

# %% varies="a picture of measured times"
if has_memcached and stores.local.find("redis-server") and stores.local.find("memcached"):
    with stores.local.launch("redis-server") as one, stores.local.launch("memcached") as other:
        redis_py, pymemcache = redis.Redis(host=one.host, port=one.port), Client((other.host, other.port))
        redis_py.set("k", "x" * 200)
        pymemcache.set("k", "x" * 200, noreply=False)
        times = medians({
            "redis-py": lambda: redis_py.get("k"),
            "pymemcache": lambda: pymemcache.get("k"),
            "bytes to Redis": bare_get(one, b"GET k\r\n", b"x\r\n"),
            "bytes to Memcached": bare_get(other, b"get k\r\n", b"END\r\n"),
        })
    display(plots.bars(times, "One GET of 200 bytes over loopback", "microseconds (median)"))
else:
    print("To measure this, install both programs: apt install redis-server memcached")

# %% [markdown]
# Through a bare socket the two servers differ by a few microseconds. Most of the difference is the work of the drivers, in Python: redis-py
# does more with each command. On a network the round trip is longer than all four bars. So choose
# by what the store can do, and save round trips.

# %% [markdown]
# ## What the embedded server leaves out
#
# fakeredis answers this chapter's commands as Redis 7 does. It has no memory limit and evicts nothing, it writes nothing to disk, and it
# says nothing about itself (`INFO`, `CONFIG`, `SLOWLOG`). Its speed says nothing either, so this chapter timed real programs, and once a
# delay that it made itself.
#
# A real Redis saves to disk now and then, unless it is told not to: "in memory" says where it works, not that all is lost
# at the end. Chapter 04 works with the real one.

# %% [markdown]
# ## Recap
#
# * The type of a value decides which questions are one command. Keys say kind, which one, which part.
# * Count round trips; pipelines and `MGET` save them.
# * Whatever is meant to expire gets its TTL in the same transaction as its value, and `SET` drops an old TTL.
# * A cache is wrong in silence. Test it cold and warm, with `None`, with an empty value, and after an update, and count the queries.
# * "Nothing" is worth caching, for a short time. Jitter spreads what was stored together.
# * A lock lets one reader load. It needs a TTL, a token, and a release that checks the token in the server.
# * A cache in the process is fast and alone. A cache on disk survives. A server is shared. Few of them stop a stampede unless you ask.

# %% [markdown]
# ## Glossary
#
# **cache-aside**: the program looks in the cache, and on a miss asks the database and stores the answer.
#
# **driver**: the library that speaks to a server.
#
# **eviction policy**: the rule that says which key leaves a full cache; LRU, LFU and FIFO are such rules.
#
# **hit**, **miss**, **hit ratio**: the answer was in the cache; it was not; hits per request.
#
# **invalidate**: remove a cached answer because what it was made from has changed.
#
# **jitter**: a random part of a TTL, so that keys do not expire together.
#
# **lock**, **token**: a key that one client at a time can have; the value that proves whose it is.
#
# **multi-write safe**: several processes may write at once, and no reader ever sees a half of anything.
#
# **negative caching**: caching that there is nothing.
#
# **pipeline**, **round trip**: commands sent together; one wait for the server.
#
# **score**: the number by which a sorted set is ordered.
#
# **session**: what a server remembers of one visitor between requests.
#
# **sliding TTL**: a TTL that starts again with each use.
#
# **stampede**: many readers miss the same key and all load it.
#
# **transaction**: commands that run together, with no other client's in between.
#
# **TTL**: time to live, after which a key expires.

# %% [markdown]
# ## Further reading
#
# * [Redis data types](https://redis.io/docs/latest/develop/data-types/) and [key eviction](https://redis.io/docs/latest/develop/reference/eviction/), in Redis' manual.
# * [What is a key-value store](https://dba.stackexchange.com/questions/607/what-is-a-key-value-store-database): short answers by practitioners.
# * Nishtala and others, *Scaling Memcache at Facebook* (NSDI 2013): leases, which close the gap between load and invalidation.
# * Vattani, Chierichetti and Lowenstein, *Optimal Probabilistic Cache Stampede Prevention* (VLDB 2015): reload early, without a lock.
# * [Scaling Redis at Twitter](https://www.youtube.com/watch?v=rP9EKvWt0zo): a talk, old and still worth an hour.
# * *Why Redis beats Memcached for caching* (InfoWorld, 2014, old): the servers have both moved on since.
# * [Walrus](https://walrus.readthedocs.io/), and its author's [first post about it](https://charlesleifer.com/blog/walrus-lightweight-python-utilities-for-working-with-redis/) (2014, old; the library has grown).
# * [dogpile.cache](https://dogpilecache.sqlalchemy.org/), [joblib](https://joblib.readthedocs.io/), [cachetools](https://cachetools.readthedocs.io/), [klepto](https://klepto.readthedocs.io/), [pymemcache](https://pymemcache.readthedocs.io/), [Memcached](https://memcached.org/).
# * [How to install and use Redis](https://www.digitalocean.com/community/tutorials/how-to-install-and-use-redis) (old; today `apt install redis-server` is all of it).
# * Redis University has moved from university.redis.com (old address) to [university.redis.io](https://university.redis.io/).

# %% [markdown]
# ## Exercises
#
# In [the exercises](../exercises/02_redis_caching/redis_caching.ipynb) you build a session store, a cache that gets everything
# above right, the stampede guard with its last two gaps closed, jitter, and an eviction policy.
