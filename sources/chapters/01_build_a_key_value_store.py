# ---
# title: "Build a key-value store"
# minutes: 120
# summary: A hash table, keys that expire, a log that survives a crash, and a server that the real Redis client talks to.
# ---

# %% [markdown]
# # Build a key-value store
#
# This chapter presents the key-value store by building one, from a list of pairs to a server on the network.
# Once you have seen each part built, you know what Redis and its relatives must do, and what it costs them.
#
# When you have finished, you can
#
# * build a hash table, and say why it stays fast as it grows,
# * give keys a time to live, and test that without waiting,
# * keep data through a crash, with a log that you recover and compact,
# * read and write the bytes that a Redis client sends,
# * serve your store to the real client, and find and repair a lost update.
#
# You need Python functions, classes and dictionaries. Everything runs inside this notebook.

# %% [markdown]
# ## Keys and values
#
# The course follows one shop, Shopstream. Its visitors view products, fill carts and buy.
# Each visit is a **session**, and each session belongs to a user.

# %%
from course import shopstream

shop = shopstream.load()
sessions = {f"session:{visit.session_id}": visit.user_id for visit in shop.sessions}
len(sessions)

# %% [markdown]
# On every click the shop has one question: whose session is this?
# The name it asks with is the **key**. What it wants back is the **value**.

# %%
pairs = [[key, value] for key, value in sessions.items()]
pairs[:3]

# %% [markdown]
# A **key-value store** answers that question, and accepts new pairs. Here is the smallest one that works.

# %%
def find(pairs, key):
    for pair in pairs:
        if pair[0] == key:
            return pair
    return None

first = pairs[0][0]
find(pairs, first)

# %% [markdown]
# It is correct. How much work does it do? A stopwatch would tell you about your machine.
# Instead you count **comparisons**: how often two keys are held side by side.

# %%
class Key(str):
    compared = 0

    def __eq__(self, other):
        Key.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__

# %% [markdown]
# A `Key` is a string that counts. When another string is compared with it, Python asks the `Key`, because its class is derived from `str`.
# This helper says how many comparisons a piece of work costs.

# %%
def comparisons(work):
    Key.compared = 0
    work()
    return Key.compared

comparisons(lambda: find(pairs, Key(first)))

# %% [markdown]
# One comparison for the first session. How many for the last one, and how many for a session that does not exist?
# Decide before you run the next cell.

# %%
last = pairs[-1][0]
comparisons(lambda: find(pairs, Key(last))), comparisons(lambda: find(pairs, Key("session:none")))

# %% [markdown]
# Both look at every pair. An average lookup looks at half of them:

# %%
def average_cost(get, keys):
    keys = list(keys)
    return comparisons(lambda: [get(Key(key)) for key in keys]) / len(keys)

some = list(sessions)[::50]
average_cost(lambda key: find(pairs, key), some)

# %% [markdown]
# And with a tenth of the sessions?

# %%
few = pairs[:len(pairs) // 10]
average_cost(lambda key: find(few, key), [key for key, _ in few])

# %% [markdown]
# Ten times the sessions, ten times the work for every click. A store cannot grow that way.

# %% [markdown]
# ## Let the key say where to look
#
# A list finds position 5 without looking at positions 0 to 4. So you turn the key into a position.
# A function that makes a number of a key is a **hash function**. Python has one, `hash`.
#
# Equal keys give equal numbers, but for how long? The next cell asks two new Python processes. What do you expect?

# %%
import subprocess
import sys

question = [sys.executable, "-c", "print(hash('session:42'))"]
for _ in range(2):
    print(subprocess.run(question, capture_output=True, text=True).stdout, end="")

# %% [markdown]
# Each process mixes a random number of its own, a **salt**, into the hash of a string, so that an attacker cannot choose keys that clash.
# A store that writes to disk, or spreads keys over machines, needs a number that stays. `crc32` gives one.

# %%
from zlib import crc32

def checksum(key):
    return crc32(key.encode())

checksum("session:42"), checksum("session:42") % 8

# %% [markdown]
# The remainder after dividing by 8 is a position from 0 to 7. Each position holds a **bucket**, a short list of pairs.

# %%
buckets = [[] for _ in range(8)]
for key, user in pairs[:10]:
    buckets[checksum(key) % 8].append([key, user])

[len(bucket) for bucket in buckets]

# %% [markdown]
# Ten keys, eight buckets: somewhere two keys must share. That is a **collision**, and it is normal.
# It is the reason why a bucket keeps the key beside the value.

# %%
max(buckets, key=len)

# %% [markdown]
# To look up, compute the bucket, then scan only that one. The `find` you have does the scanning.

# %%
tenth = pairs[9][0]
bucket = buckets[checksum(tenth) % 8]
comparisons(lambda: find(bucket, Key(tenth))), comparisons(lambda: find(pairs[:10], Key(tenth)))

# %% [markdown]
# ### A good hash and a bad one
#
# Any function of the key would do, if all that counts is that equal keys agree. Here is another: the length of the key.

# %%
def occupancy(hash_key, keys, size):
    counts = [0] * size
    for key in keys:
        counts[hash_key(key) % size] += 1
    return counts

carts = [f"cart:{user.user_id}" for user in shop.users]
occupancy(len, carts, 16)

# %% [markdown]
# Four hundred carts, three lengths, three buckets in use. More buckets do not help. Here are 512.

# %%
from course import plots

plots.bucket_occupancy(occupancy(len, carts, 512))

# %% [markdown]
# In the fullest bucket you scan three hundred carts: a bad hash function gives back the list you started with. Now the checksum, with the same keys and buckets.

# %%
plots.bucket_occupancy(occupancy(checksum, carts, 512))

# %% [markdown]
# Mind the scale. Orange bars are collisions, and there are plenty, but no bucket holds more than three carts. A good hash function spreads similar keys far apart.

# %% [markdown]
# ## A hash table
#
# Now put the parts together. A **hash table** is a list of buckets and a hash function.

# %%
class HashTable:
    def __init__(self, size=8):
        self.buckets = [[] for _ in range(size)]
        self.count = 0

    def bucket(self, key):
        return self.buckets[checksum(key) % len(self.buckets)]

# %% [markdown]
# `get` and `put` find the pair in its bucket. `class HashTable(HashTable)` makes a new class of the same name, which has the old one's methods and these.
# A table made earlier does not get them, so make a new one. A file would hold one class; a notebook may build it in steps.

# %%
class HashTable(HashTable):
    def get(self, key):
        pair = find(self.bucket(key), key)
        return pair[1] if pair else None

    def put(self, key, value):
        pair = find(self.bucket(key), key)
        if pair:
            pair[1] = value
        else:
            self.bucket(key).append([key, value])
            self.count += 1

# %%
table = HashTable()
table.put("cart:u17", "p3")
table.put("cart:u17", "p3,p88")
table.get("cart:u17"), table.count

# %% [markdown]
# Putting a key twice keeps one pair: the later value wins. Deleting takes the pair out of its bucket.

# %%
class HashTable(HashTable):
    def remove(self, key):
        pair = find(self.bucket(key), key)
        if pair is None:
            return False
        self.bucket(key).remove(pair)
        self.count -= 1
        return True

table = HashTable()
table.put("cart:u17", "p3")
table.remove("cart:u17"), table.remove("cart:u17"), table.get("cart:u17")

# %% [markdown]
# ### Load factor
#
# Now store every session in eight buckets.

# %%
table = HashTable()
for key, user in sessions.items():
    table.put(key, user)

table.count / len(table.buckets), average_cost(table.get, some)

# %% [markdown]
# The first number, keys per bucket, is the **load factor**. It says how long the lists are that you scan. The second is the cost of a lookup.
#
# An eighth of the list's work, and still growing with every session. The table needs more buckets.
# This looks like a way to add them. How many of the sessions does the table find afterwards?

# %%
table.buckets += [[] for _ in range(8)]
sum(table.get(key) is not None for key in sessions), len(sessions)

# %% [markdown]
# About half are lost. Nothing was deleted: the pairs sit in their old buckets, but the remainder by 16 sends you elsewhere.
# To **resize**, every pair must move to the bucket that the new size gives it.

# %%
class HashTable(HashTable):
    moved = 0

    def resize(self, size):
        old = self.buckets
        self.buckets = [[] for _ in range(size)]
        for bucket in old:
            for pair in bucket:
                self.bucket(pair[0]).append(pair)
                self.moved += 1

# %% [markdown]
# When? A common rule doubles the buckets once the load factor passes a limit, here three quarters.

# %%
class HashTable(HashTable):
    def put(self, key, value):
        super().put(key, value)
        if self.count / len(self.buckets) > 0.75:
            self.resize(2 * len(self.buckets))

# %%
table = HashTable()
for key, user in sessions.items():
    table.put(key, user)

all(table.get(key) == user for key, user in sessions.items()), average_cost(table.get, sessions)

# %% [markdown]
# Every session is found, with little more than one comparison. What does a lookup cost when there are half as many?

# %%
half = HashTable()
for key, user in pairs[:len(pairs) // 2]:
    half.put(key, user)

average_cost(half.get, list(sessions)[:half.count])

# %% [markdown]
# About the same: the load factor decides, not the number of keys. But each resize moved every pair. Was that expensive?

# %%
table.moved / table.count

# %% [markdown]
# About one move per pair. Because the size doubles, the number never gets much above two, however large the table gets.
# The price is that one unlucky `put` waits while all of them move. Redis spreads that work over many commands instead.

# %% [markdown]
# ### You have built a dictionary
#
# Python's `dict` is a hash table too, written in C. How many comparisons does it need?

# %%
average_cost(sessions.get, some)

# %% [markdown]
# Exactly one: `dict` keeps the hash of each key, and compares two keys only when their hashes agree.
#
# So from here on you use `dict` for the table. A key-value store is often introduced as "like a dictionary", and that holds for three things:
# a key is unique, a lookup costs about the same however much is stored, and you can ask only by key.
# Try to ask by value: which sessions belong to one user?

# %%
user = pairs[0][1]
[key for key, value in sessions.items() if value == user][:3]

# %% [markdown]
# It works, and it visits every pair, like the list at the start. A store that must answer this question needs a second key, such as `user:u17:sessions`, that your program keeps up to date, or a search index that does it for you.
#
# Elsewhere the comparison breaks. Entries can expire, contents outlive the program, many programs share them, and values lose their Python type. You will meet each.

# %% [markdown]
# ## Keys that expire
#
# A session that nobody uses should end by itself. A **time to live**, TTL, is the number of seconds after which the store forgets a key.
#
# You would rather not wait half an hour to test a TTL of half an hour. So you hand the store a clock of your own.

# %%
class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds

# %% [markdown]
# Handing a part in from outside is called **injection**. The store keeps a **deadline** beside each key that has a TTL.

# %%
class Store:
    def __init__(self, clock):
        self.clock = clock
        self.data = {}
        self.deadlines = {}

    def set(self, key, value, ttl=None):
        self.data[key] = value
        if ttl is not None:
            self.deadlines[key] = self.clock() + ttl

# %% [markdown]
# Nothing happens when a deadline passes. The key is removed when somebody asks for it: that is **lazy expiry**.

# %%
class Store(Store):
    def expired(self, key):
        return key in self.deadlines and self.clock() > self.deadlines[key]

    def delete(self, key):
        there = key in self.data and not self.expired(key)
        self.data.pop(key, None)
        self.deadlines.pop(key, None)
        return there

    def get(self, key):
        if self.expired(key):
            self.delete(key)
        return self.data.get(key)

# %% [markdown]
# You can move the clock to just before the deadline, and then just past it.

# %%
clock = Clock()
store = Store(clock)
store.set("session:42", "u17", ttl=1800)
for seconds in (1799.999, 0.002):
    clock.advance(seconds)
    print(store.get("session:42"))

# %% [markdown]
# One millisecond before the deadline the session lives, one millisecond after it is gone. Stores differ about the moment itself, so good tests look at both sides of it.

# %% [markdown]
# ### A deadline that outlives its value
#
# An offer runs for a minute. Then the shop makes it permanent. What does `get` return when the minute is over?

# %%
def offer(store):
    store.set("offer:p3", "10 % off", ttl=60)
    store.set("offer:p3", "5 % off, always")
    store.clock.advance(61)
    return store.get("offer:p3")

print(offer(store))

# %% [markdown]
# The offer is gone. The second `set` replaced the value, and the old deadline stayed. In Redis a plain `SET` clears the TTL. So should yours.

# %%
class Store(Store):
    def set(self, key, value, ttl=None):
        self.deadlines.pop(key, None)
        super().set(key, value, ttl)

offer(Store(clock))

# %% [markdown]
# ### Keys that nobody asks for
#
# Lazy expiry has a hole: most visitors never come back, so nobody asks for their sessions. You can play a month of clicks through the store and look.

# %%
def play(store, events, every=100, tidy=lambda store: None):
    sizes = []
    for number, event in enumerate(events, start=1):
        store.clock.now = event.timestamp.timestamp()
        store.set(f"session:{event.session_id}", event.user_id, ttl=1800)
        if number % every == 0:
            tidy(store)
            sizes.append(len(store.data))
    return sizes

neglected = Store(Clock())
lazy = play(neglected, shop.events)
len(neglected.data), sum(not neglected.expired(key) for key in neglected.data)

# %% [markdown]
# The sessions of a whole month, and three of them are alive. **Active expiry** goes looking. Checking all keys would stop the store for a while,
# so you do what Redis does: take a few keys at random, and go on only while many of them turn out dead.

# %%
import random

class Store(Store):
    def sweep(self, sample=20):
        chosen = random.sample(list(self.deadlines), min(sample, len(self.deadlines)))
        dead = [key for key in chosen if self.expired(key)]
        for key in dead:
            self.delete(key)
        return len(dead) / max(len(chosen), 1)

def tidy(store):
    while store.sweep() > 0.25:
        pass

# %% varies="the sweep looks at keys drawn at random"
active = play(Store(Clock()), shop.events, tidy=tidy)
plots.keys_in_memory({"lazy only": lazy, "lazy and active": active}, step=100)

# %% [markdown]
# With the sweep, memory follows the visitors who are there. The hump around write 7,500 is the flash sale of 19 June, when hundreds of sessions were alive at once.
# A sweep may leave a few dead keys behind: expiry is a bargain between memory and work.
# Yours still does too much of the work: `random.sample` needs a list, so each sweep copies all the keys. Redis picks from its table directly.

# %% [markdown]
# ## Surviving a crash
#
# Your store lives in memory. When the program ends, every cart is gone. To keep the data you write each change to a file before you make it.
# The file only ever grows at its end: an **append-only log**, used as a **write-ahead log**.

# %%
import json
import tempfile
from pathlib import Path

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "shop.log"

def append(log, *record):
    log.write(json.dumps(record) + "\n")
    log.flush()

# %%
with path.open("a") as log:
    append(log, "set", "cart:u17", "p3")
    append(log, "set", "cart:u17", "p3,p88")
    append(log, "set", "cart:u23", "p5")

print(path.read_text())

# %% [markdown]
# One change, one line. To get the data back after a restart, **replay** the lines in order.

# %%
def data_from(lines):
    data = {}
    for line in lines:
        operation, key, *value = json.loads(line)
        if operation == "set":
            data[key] = value[0]
        else:
            data.pop(key, None)
    return data

def replay(path):
    with path.open() as log:
        return data_from(log)

replay(path)

# %% [markdown]
# A delete is a change too. User 23 empties the cart, and the program removes it from memory only. What does the shop see after a restart?

# %%
data = replay(path)
del data["cart:u23"]
replay(path)

# %% [markdown]
# The cart is back. A delete must leave a record of its own in the log, a **tombstone**.

# %%
with path.open("a") as log:
    append(log, "delete", "cart:u23")

replay(path)

# %% [markdown]
# ### The power fails in the middle of a write
#
# A write is not one moment. Here is a file on a machine that loses power after so many characters.

# %%
class PowerCut(Exception):
    pass

class DyingFile:
    def __init__(self, file, characters):
        self.file, self.left = file, characters

    def write(self, text):
        self.file.write(text[:self.left])
        self.left -= len(text)
        if self.left < 0:
            raise PowerCut

    def flush(self):
        self.file.flush()

# %% tags=["raises-exception"]
with path.open("a") as log:
    append(DyingFile(log, 15), "set", "cart:u40", "p12")

# %%
print(path.read_text())

# %% [markdown]
# The last record is **torn**: its beginning reached the disk, its end did not. The machine restarts and replays the log.

# %% tags=["raises-exception"]
replay(path)

# %% [markdown]
# One torn record, and no cart can be read. It is tempting to skip a line that does not parse. Try it, and then take the next order.

# %%
def parses(line):
    try:
        json.loads(line)
        return True
    except json.JSONDecodeError:
        return False

def skipping_replay(path):
    with path.open() as log:
        return data_from(line for line in log if parses(line))

with path.open("a") as log:
    append(log, "set", "cart:u51", "p7")

print("cart:u51" in skipping_replay(path))
print(path.read_text().splitlines()[-1])

# %% [markdown]
# User 51's order is lost, although its write succeeded. The last line of the file shows why: the new record was glued to the torn one. So recovery must also cut the torn end off, before anything is appended.
# A record counts once its newline is there. Replay first, then cut: a log that cannot be read should stay as it is.

# %%
import os

def recover(path):
    whole = path.read_bytes()
    complete = whole[:whole.rfind(b"\n") + 1]
    data = data_from(complete.splitlines())
    os.truncate(path, len(complete))
    return data

# %% [markdown]
# You start over with a fresh log: two good records, then the power cut.

# %%
def crashed_log(path):
    with path.open("w") as log:
        append(log, "set", "cart:u17", "p3,p88")
        append(log, "set", "cart:u23", "p5")
        try:
            append(DyingFile(log, 15), "set", "cart:u40", "p12")
        except PowerCut:
            pass

crashed_log(path)
recover(path)
with path.open("a") as log:
    append(log, "set", "cart:u51", "p7")

replay(path)

# %% [markdown]
# User 40's cart is missing, and that is honest: the shop never told user 40 that it was saved.
# A broken line in the *middle* is another matter. No crash while appending leaves one, so a store should refuse to start. Yours does.

# %% tags=["raises-exception"]
path.write_text('["set", "cart:u17", "p3"]\n["set", "ca\n["set", "cart:u23", "p5"]\n')
recover(path)

# %% [markdown]
# `flush` hands the bytes to the operating system: enough when the program dies. When the machine dies you need `os.fsync`, which waits for the disk.
# Redis can do it at every write, once a second, or never.

# %% [markdown]
# ### The log grows for ever
#
# Count product views, and log each new count.

# %%
def count_views(path, after=lambda path: None):
    counts, sizes = {}, []
    path.write_text("")
    for event in shop.of_type("view"):
        key = f"views:{event.product_id}"
        counts[key] = counts.get(key, 0) + 1
        with path.open("a") as log:
            append(log, "set", key, counts[key])
        after(path)
        sizes.append(path.stat().st_size)
    return sizes

growing = count_views(path)
growing[-1], len(replay(path))

# %% [markdown]
# Thousands of lines describe a hundred or so counters. Only the last line of each counts. **Compaction** writes a new log with those alone.

# %%
def compact(path, wrap=lambda file: file):
    data = recover(path)
    fresh = path.with_suffix(".new")
    with fresh.open("w") as file:
        log = wrap(file)
        for key, value in data.items():
            append(log, "set", key, value)
        os.fsync(file.fileno())
    os.replace(fresh, path)

before = replay(path)
compact(path)
replay(path) == before, path.stat().st_size

# %% [markdown]
# The new log is written beside the old one, and `os.fsync` waits until the disk has it. Then `os.replace` swaps the two in one step. If the power fails during compaction, which log will you find?

# %%
try:
    compact(path, wrap=lambda file: DyingFile(file, 10))
except PowerCut:
    print("power cut")

replay(path) == before

# %% [markdown]
# The old one, complete. Tombstones go too: a key that is not in the new log needs no record of its deletion.
# When should a store compact? Redis does it when the log has doubled since the last time, and is not small:
# small means less than 64 MB there, unless you say otherwise, and 32 KB here.

# %%
def doubling(small=32_768):
    last = 0

    def after(path):
        nonlocal last
        if path.stat().st_size > max(2 * last, small):
            compact(path)
            last = path.stat().st_size
    return after

bounded = count_views(path, after=doubling())
plots.log_size(bounded)

# %% [markdown]
# Each time it passes 32 KB the log shrinks to 3 KB, the size of the counters. In all, 200 KB were written.

# %% [markdown]
# ## Words on a wire
#
# A shop has many web servers, and they all need the same carts. So the store becomes a server, and both sides must agree on bytes.
# You take the Redis serialization protocol, **RESP**, because then every Redis client can talk to you.
#
# A request is a list of words. First comes how many words, then for each word how many bytes, and the word.

# %%
def request(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)

request("SET", "cart:u17", "p3")

# %% [markdown]
# `*3` announces three words, `$8` a word of eight bytes. `\r\n` ends a line. What will the length of the last word be here?

# %%
request("SET", "city:u17", "Málaga").split(b"\r\n")[-3:]

# %% [markdown]
# Seven: lengths count bytes, and `á` takes two in UTF-8. A program that sends the number of characters makes the other side stop one byte early.
#
# Lengths have a second use. A value may contain anything, even a line end, because nobody searches for its end. The protocol is **binary-safe**.

# %%
request("SET", "note:u17", "ring\r\ntwice").split(b"\r\n")[-4:]

# %% [markdown]
# The server answers with one of a few kinds of reply. The first byte says which.
# `match` takes the first `case` that fits the value: `int()` fits any whole number.

# %%
class ReplyError(Exception):
    pass

def encode(value):
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case str():
            return b"+%s\r\n" % value.encode()
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case ReplyError():
            return b"-%s\r\n" % str(value).encode()

[encode(value) for value in ("OK", 3, b"p3,p88", None, ReplyError("ERR no"))]

# %% [markdown]
# `+` is a status, `:` a number, `$` a value with its length, `-` an error. A missing value is `$-1`, called **nil**:
# it is different from `$0`, an empty value.

# %% [markdown]
# ### A stream has no messages
#
# TCP, which carries the bytes from one program to the other, delivers them in order. It does not keep together what was sent together. A request may arrive in two pieces, or two requests in one.
# So a reader must ask for exactly what it still needs, and wait.
#
# `asyncio` is Python's library for programs that wait a lot. A function made with `async def` may pause at each `await`, and others run meanwhile.

# %%
import asyncio

async def read_request(reader):
    header = await reader.readline()
    if not header:
        return None
    words = []
    for _ in range(int(header[1:])):
        length = int((await reader.readline())[1:])
        words.append(await reader.readexactly(length))
        await reader.readexactly(2)
    return words

# %% [markdown]
# Feed it a request that breaks off inside the key. `create_task` starts the reader beside the cell, and `asyncio.sleep(0)` waits for no time, but lets it run.
# (A notebook may `await` outside a function.) Is it done?

# %%
whole = request("GET", "cart:u17")
reader = asyncio.StreamReader()
reading = asyncio.create_task(read_request(reader))
reader.feed_data(whole[:21])
await asyncio.sleep(0)
reading.done()

# %%
reader.feed_data(whole[21:])
await reading

# %% [markdown]
# It waited in the middle of `cart:u17`, with nothing lost. Notice that the words are bytes: what they mean is not the protocol's business.

# %% [markdown]
# ## A server
#
# Each command is a function. A dictionary finds it by name, and `@command(b"GET")` puts the function below it there.
# Each is also given the connection that the command came on, which most do not need.

# %%
commands = {}

def command(name):
    def register(function):
        commands[name] = function
        return function
    return register

@command(b"GET")
def get_value(connection, key):
    return store.get(key)

@command(b"DEL")
def delete_values(connection, *keys):
    return sum(store.delete(key) for key in keys)

# %% [markdown]
# `SET` takes a TTL as two more words, `EX 1800`: `case (option, seconds)` fits two words, and names them. Now the store gets a clock that ticks by itself.

# %%
import time

store = Store(time.monotonic)

@command(b"SET")
def set_value(connection, key, value, *options):
    match options:
        case ():
            ttl = None
        case (option, seconds) if option.upper() == b"EX":
            ttl = int(seconds)
        case _:
            return ReplyError("ERR syntax error")
    store.set(key, value, ttl)
    return "OK"

# %% [markdown]
# `execute` turns the words of a request into a value. A word it does not know is not a reason to stop serving.

# %%
def execute(connection, words):
    name, *arguments = words
    function = commands.get(name.upper())
    if function is None:
        return ReplyError(f"ERR unknown command '{name.decode()}'")
    return function(connection, *arguments)

execute(None, [b"SET", b"cart:u17", b"p3"]), execute(None, [b"get", b"cart:u17"]), execute(None, [b"FLY"])

# %% [markdown]
# What is left is the conversation: read a request, execute it, write the reply, until the client leaves.
# `seen` keeps the requests for you to look at, each with the name of its connection.

# %%
class Connection:
    def __init__(self):
        self.name = ""
        self.encode = encode

seen = []

async def handle(reader, writer):
    connection = Connection()
    while words := await read_request(reader):
        seen.append((connection.name, words))
        reply = execute(connection, words)
        writer.write(connection.encode(reply))
        await writer.drain()
    writer.close()

# %% [markdown]
# Where does it run? A client in your notebook will wait for the reply, and while it waits, the notebook's thread does nothing else.
# So the server gets a thread of its own. Port 0 asks the system for any free port.

# %%
import queue
import threading

def serve(handle):
    ports = queue.Queue()

    async def main():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    threading.Thread(target=asyncio.run, args=(main(),), daemon=True).start()
    return ports.get(timeout=5)

port = serve(handle)

# %% [markdown]
# A plain socket is enough to be a client.

# %%
import socket

with socket.create_connection(("127.0.0.1", port)) as client:
    client.sendall(request("SET", "cart:u17", "p3,p88") + request("GET", "cart:u17"))
    replies = client.makefile("rb")
    for _ in range(3):
        print(replies.readline())

# %% [markdown]
# Two requests in one piece, two replies on three lines. You have a key-value server.

# %% [markdown]
# ## The real client
#
# `redis-py` is the library that programs use to talk to Redis. It has never heard of your server. What happens?

# %% tags=["raises-exception"]
import redis

r = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
r.get("cart:u17")

# %%
seen[-1]

# %% [markdown]
# Before your `GET`, the client said `HELLO 3`: it wants to speak version 3 of the protocol. Your server did not know the word, and the client gave up.
# The reply it hopes for is a dictionary, which version 3 calls a map and writes with `%`.

# %%
def encode3(value):
    if isinstance(value, dict):
        parts = [encode3(part) for pair in value.items() for part in pair]
        return b"%%%d\r\n" % len(value) + b"".join(parts)
    return encode(value)

@command(b"HELLO")
def hello(connection, version):
    if version != b"3":
        return ReplyError("NOPROTO unsupported protocol version")
    connection.encode = encode3
    return {"server": "shopstore", "proto": 3}

# %% [markdown]
# You need not restart. The server looks in `commands` for each request, so it already knows the new word.

# %%
seen.clear()
r.get("cart:u17")

# %%
seen

# %% [markdown]
# The real client has read a cart from your store. Before it asked, it sent three `CLIENT` requests:
# one asks for notice when the server moves, the others give the name and version of the library. Your server answered each with an error, and the client went on.
#
# You can be polite and say OK, and remember a name if the client gives one.

# %%
@command(b"CLIENT")
def client_details(connection, detail, *values):
    if detail == b"SETNAME":
        connection.name = values[0].decode()
    return "OK"

@command(b"PING")
def ping(connection):
    return "PONG"

r.ping()

# %% [markdown]
# ### The reply that never comes
#
# Next, a key that is not there. This client is told not to wait longer than half a second, and not to try again. What will `get` return?

# %% tags=["raises-exception"]
hasty = redis.Redis(host="127.0.0.1", port=port, decode_responses=True, socket_timeout=0.5, retry=None)
hasty.get("cart:u404")

# %% [markdown]
# A timeout, although your server did answer, at once. It sent `$-1`, the nil of version 2. Version 3 has a nil of its own, `_`, and no longer knows the old one.
# The client read a word of length -1 and waited for the rest of it. Whoever says `HELLO 3` must keep the promise.

# %%
def encode3(value):
    if value is None:
        return b"_\r\n"
    if isinstance(value, dict):
        parts = [encode3(part) for pair in value.items() for part in pair]
        return b"%%%d\r\n" % len(value) + b"".join(parts)
    return encode(value)

r = redis.Redis(host="127.0.0.1", port=port, decode_responses=True)
print(r.get("cart:u404"))

# %% [markdown]
# The `encode3` of a connection is chosen when it says hello, so you made a new client. Now the store in earnest: a session with a TTL, over the network.

# %%
r.set("session:42", "u17", ex=1800)
r.get("session:42"), r.delete("session:42", "session:43"), r.get("session:42")

# %% [markdown]
# `delete` says how many keys it removed. Keys and values are bytes for the store, and `decode_responses=True` lets the client turn them back into text.
# Numbers turn into text too:

# %%
r.set("views:p3", 41)
r.get("views:p3")

# %% [markdown]
# Here the dictionary analogy breaks for good. A `dict` gives back the object you put in. A store gives back bytes. And a list?

# %% tags=["raises-exception"]
r.set("cart:u17", ["p3", "p88"])

# %% [markdown]
# The client refuses, because it would have to guess how to write a list. You decide, for example with `json.dumps`.
#
# And a command that your server does not know is an error, but not the end of the connection.

# %% tags=["raises-exception"]
r.lpush("cart:u17", "p3")

# %%
r.ping()

# %% [markdown]
# ## Two clients, one counter
#
# The shop counts the views of each product. Two web servers show product 3 at the same moment. Each reads the counter, adds one, and writes it back.
# The counter stands at 41. Where will it stand?

# %%
one = redis.Redis(host="127.0.0.1", port=port, client_name="one")
other = redis.Redis(host="127.0.0.1", port=port, client_name="other")

seen.clear()
count_one = int(one.get("views:p3"))
count_other = int(other.get("views:p3"))
one.set("views:p3", count_one + 1)
other.set("views:p3", count_other + 1)
r.get("views:p3")

# %% [markdown]
# Two views, and the counter moved by one. This is a **lost update**. The picture is drawn from the record your server kept.

# %%
plots.command_order([(name, b" ".join(words).decode()) for name, words in seen if name and words[0] != b"CLIENT"])

# %% [markdown]
# Between the read and the write of one client, the other came in. Read, change and write must happen as one step that nobody can come between. Such a step is **atomic**.
# A command of the server can be one. The client has a method `incr` for it. Which command does it send? Your server tells you.

# %% tags=["raises-exception"]
r.incr("views:p3")

# %% [markdown]
# `INCR` adds one, `INCRBY` adds any amount, and the client always sends the second. One function serves both.

# %%
@command(b"INCR")
@command(b"INCRBY")
def increment(connection, key, amount=b"1"):
    value = store.get(key)
    try:
        count = int(b"0" if value is None else value) + int(amount)
    except ValueError:
        return ReplyError("ERR value is not an integer or out of range")
    store.data[key] = b"%d" % count
    return count

# %% [markdown]
# It writes to `store.data`, since `store.set` would clear the TTL, and in Redis `INCR` keeps it. Now eight threads, a hundred views each.

# %%
def in_threads(work, threads=8):
    crew = [threading.Thread(target=work) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()

r.set("views:p7", 0)
in_threads(lambda: [r.incr("views:p7") for _ in range(100)])
r.get("views:p7")

# %% [markdown]
# 800, every time. Why is nothing lost? Your server is one thread, and `asyncio` changes to another connection only at an `await`. Between the read and the write in `increment` there is none.
# Redis works the same way: one thread executes the commands, one after the other.

# %% [markdown]
# ### Losing it again
#
# Suppose the store had to fetch the old value from a disk. Then a wait would stand in the middle. Here is one that waits for no time at all.
# A hundred views arrive together (`gather` starts them all and waits for the last): where does the counter stand?

# %%
counter = {"views:p7": 0}

async def slow_increment(key):
    count = counter[key]
    await asyncio.sleep(0)
    counter[key] = count + 1

await asyncio.gather(*[slow_increment("views:p7") for _ in range(100)])
counter["views:p7"]

# %% [markdown]
# One. All hundred read 0 before the first wrote. A **lock** lets one in and makes the others wait at the door.

# %%
lock = asyncio.Lock()

async def locked_increment(key):
    async with lock:
        await slow_increment(key)

counter["views:p7"] = 0
await asyncio.gather(*[locked_increment("views:p7") for _ in range(100)])
counter["views:p7"]

# %% [markdown]
# Threads lose updates in the same way, but they may change at any point, and you cannot see where. A test must not hope for bad luck. It arranges it.
# This dictionary makes each reader wait until eight have read. A `Barrier` holds them until all are there. If one waits too long, the barrier breaks and lets all go on.

# %%
class MeetingPoint(dict):
    def __init__(self, pairs, patience):
        super().__init__(pairs)
        self.barrier = threading.Barrier(8, timeout=patience)

    def __getitem__(self, key):
        value = super().__getitem__(key)
        try:
            self.barrier.wait()
        except threading.BrokenBarrierError:
            pass
        return value

# %%
counter = MeetingPoint({"views:p7": 0}, patience=5)

def add_view():
    counter["views:p7"] = counter["views:p7"] + 1

in_threads(add_view)
dict(counter)

# %% [markdown]
# Eight views, and the counter says 1, on every run. Now with a lock from `threading`.

# %%
counter = MeetingPoint({"views:p7": 0}, patience=0.5)
door = threading.Lock()

def add_view_safely():
    with door:
        add_view()

in_threads(add_view_safely)
dict(counter)

# %% [markdown]
# The first thread waits half a second for seven others who stand at the door, and gives up waiting. Then all pass one by one. `with` opens the door again, even if the work inside raises an error.

# %% [markdown]
# ## Your store and Redis
#
# Your server and Redis now answer the same client. The next cell starts the course's Redis and says which kind it is:
# fakeredis behind a real network connection (*embedded*), or the real server that you named in `REDIS_URL`.

# %%
import stores

redis_server = stores.start("redis")
redis_server

# %%
def visit(client):
    client.delete("session:42", "views:p3")
    client.set("session:42", "u17", ex=1800)
    return client.get("session:42"), client.incr("views:p3"), client.incr("views:p3"), client.get("cart:u404")

theirs = redis.Redis(host=redis_server.host, port=redis_server.port, decode_responses=True)
visit(r), visit(theirs)

# %% [markdown]
# The same answers, from two programs that share no code. Here is what Redis has, and your store lacks:
#
# | | your store | Redis |
# |---|---|---|
# | values | bytes | strings, hashes, lists, sets, sorted sets, streams |
# | memory full | the program dies | a limit, and **eviction** of keys by a rule you choose |
# | restart | empty: the log is not connected yet | snapshots by default, an append-only file if you ask |
# | one machine lost | everything lost | **replicas**, which are copies, and **sharding**, keys spread over machines |
# | several commands as one | no | **transactions** and scripts, which nobody can come between |
# | strangers | may do anything | users, passwords, TLS |
# | wrong arguments | the connection breaks | an error reply |
#
# Connecting the log is a good next step, and you have both halves: append a record in `set_value`, `delete_values` and `increment` before the store changes.
# Your server's keys and values are bytes, which JSON cannot write, so decode them first.
# Log the deadline itself, not the TTL. Otherwise every restart gives each session another half hour.
# And take it from `time.time`: what `time.monotonic` says means nothing after the machine has restarted.

# %%
for client in (r, hasty, one, other, theirs):
    client.close()

# %% [markdown]
# ## Recap
#
# * A hash function turns a key into a bucket. If it spreads the keys, and the load factor stays below one, a lookup costs little more than one comparison.
# * Resizing moves every pair. Doubling keeps the moves rare.
# * A deadline belongs to a value: a plain `set` clears it. Lazy expiry is correct, active expiry saves memory.
# * Write to the log first. Delete with a tombstone. After a crash, cut off the torn record. Compact beside the old log, then swap.
# * RESP sends lengths before contents, so values may hold any bytes, and a reader knows how long to wait.
# * A client and a server agree on a version first, and then both must keep to it.
# * Read, change and write is three steps. Make it one: a command of a server that does one thing at a time, or a lock.
#
# ## Glossary
#
# | term | meaning |
# |---|---|
# | key, value | the name you ask with, and the bytes you get |
# | hash function | turns a key into a number, always the same one for the same key |
# | hash table | a list of buckets and a hash function |
# | bucket | a short list of the pairs whose keys have the same position |
# | collision | two different keys in one bucket |
# | load factor | keys per bucket |
# | resize | give the table another number of buckets, and move every pair |
# | TTL, deadline | how long a key lives, and the moment when it ends |
# | lazy, active expiry | removing a dead key when it is asked for, or by looking for it |
# | eviction | removing keys to make room when memory is full |
# | append-only log, write-ahead log | a file that records each change at its end, before the change is made |
# | torn record | the last record of a log whose write was cut short |
# | tombstone | a record that says that a key was deleted |
# | compaction | writing a new log that keeps only the latest record of each key |
# | RESP | the Redis serialization protocol |
# | protocol version | the set of replies that client and server have agreed on, 2 or 3 |
# | binary-safe | able to carry any bytes as a value |
# | nil | the reply for a key that is not there |
# | lost update | a write that overwrites another one unseen |
# | atomic | done as one step, with nothing in between |
# | lock | lets one thread or task in at a time |
# | replica, sharding | a copy of the store on another machine; its keys spread over several |
# | transaction | several commands done as one step |
#
# ## Further reading
#
# * Jeff Knupp, [What is a NoSQL database? Learn by writing one in Python](http://jeffknupp.com/blog/2014/09/01/what-is-a-nosql-database-learn-by-writing-one-in-python/) (2014). The idea of this chapter is his. The address is old and may not answer.
# * James Saryerwinnie, [Writing Redis in Python with asyncio, part 1](http://jamesls.com/writing-redis-in-python-with-asyncio-part-1.html). Often listed as an article on using Redis, it writes a Redis *server*. Its author also maintained fakeredis, the engine of this course's embedded Redis. Written for Python 3.4: the syntax has changed, the design has not.
# * [What is a key-value store database?](https://dba.stackexchange.com/questions/607/what-is-a-key-value-store-database) Short answers from people who run them.
# * [The RESP specification](https://redis.io/docs/latest/develop/reference/protocol-spec/). It is short. You have implemented about half of version 2.
#
# ## Exercises
#
# [The exercises of this chapter](../exercises/01_key_value_store/key_value_store.ipynb) are five tasks: a hash table, a store with TTL, a log, a RESP parser, and a counter that eight threads cannot break.
