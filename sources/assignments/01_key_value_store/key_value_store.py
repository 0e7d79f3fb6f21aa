# ---
# title: "Exercises: build a key-value store"
# minutes: 105
# summary: A hash table, a store with TTL, a log that survives a crash, a RESP parser, and a counter for eight threads.
# ---

# %% [markdown]
# # Exercises: build a key-value store
#
# Five parts of a key-value store, each a little harder than in [the chapter](../../notebooks/01_build_a_key_value_store.ipynb).
# They do not depend on each other, so you can start anywhere.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("1.1")` in a new cell, with the number of your task.

# %%
from course.check import hint

# %% [markdown] task="1.1" name="hash_table" minutes=20
# ### A hash table for any key
#
# The shop counts how often a user looked at a product. The natural key is the pair `["u17", "p3"]`, a list, and Python refuses lists as keys of a `dict`.
# Your own hash table need not refuse: it is given a function that turns a key into a number.
#
# Write the class `HashTable(hash_key)`.
#
# | | |
# |---|---|
# | `put(key, value)` | stores the value; a key that is there already gets the new value |
# | `get(key)` | returns the value; raises `KeyError` if the key is not there |
# | `remove(key)` | takes the key out; raises `KeyError` if it is not there |
# | `len(table)` | the number of keys |
# | `table.capacity` | the number of buckets |
#
# ```python
# table = HashTable(hash_key=lambda key: crc32(repr(key).encode()))
# table.put(["u17", "p3"], 2)
# table.get(["u17", "p3"])       # → 2
# len(table), table.capacity     # → (1, 8)
# ```
#
# * Keys can be compared with `==` and given to `hash_key`. Nothing else is certain: they may be lists.
# * `hash_key` may return the same number for different keys, and any whole number, also a negative one.
# * The table starts with 8 buckets. Whenever a new key makes the load factor (keys per bucket) larger than 0.75, the number of buckets doubles: the seventh key makes it 16. Replacing a value never doubles it, and a removed key no longer counts. The table never shrinks.
# * With a `hash_key` that spreads its keys, a thousand lookups among a thousand keys compare keys at most three thousand times.
# * `None` is a value like any other.
# * How you keep the pairs is up to you: what the methods do is graded. Even a `dict` from `hash_key(key)` to pairs will do, with `capacity` counted as above.

# %% [markdown] hints="hash_table"
# - Start with the `HashTable` of the chapter, and look for what the task asks beyond it: errors for a missing key, `None` as a value, `len`.
# - Write one method that finds the pair `[key, value]` in the right bucket, or returns `None`. Then `get`, `put` and `remove` each need only a few lines, and a stored `None` is no problem, because you look at the pair and not at the value.
# - After doubling, the remainder changes: make the new list of buckets first, then put every old pair into the bucket that the new size gives it.
# - `def __len__(self)` makes `len(table)` work. `capacity` can be `len(self.buckets)`, returned by a method under `@property`.

# %% answer="hash_table"
class HashTable:
    """A hash table for keys that need only `==`.

    hash_key  a function from a key to a whole number, equal for equal keys
    """

    def __init__(self, hash_key):
        ### BEGIN SOLUTION
        self.hash_key = hash_key
        self.buckets = [[] for _ in range(8)]
        self.count = 0
        ### END SOLUTION

    def __len__(self):
        """The number of keys."""
        ### BEGIN SOLUTION
        return self.count
        ### END SOLUTION

    @property
    def capacity(self):
        """The number of buckets."""
        ### BEGIN SOLUTION
        return len(self.buckets)
        ### END SOLUTION

    def put(self, key, value):
        """Store the value under the key, in place of the one that is there, if any."""
        ### BEGIN SOLUTION
        bucket, pair = self._find(key)
        if pair is not None:
            pair[1] = value
            return
        bucket.append([key, value])
        self.count += 1
        if self.count > 0.75 * self.capacity:
            self._double()
        ### END SOLUTION

    def get(self, key):
        """The value of the key. Raises KeyError if the key is not there."""
        ### BEGIN SOLUTION
        _, pair = self._find(key)
        if pair is None:
            raise KeyError(key)
        return pair[1]
        ### END SOLUTION

    def remove(self, key):
        """Take the key out. Raises KeyError if it is not there."""
        ### BEGIN SOLUTION
        bucket, pair = self._find(key)
        if pair is None:
            raise KeyError(key)
        bucket[:] = [other for other in bucket if other is not pair]
        self.count -= 1

    def _bucket(self, key):
        return self.buckets[self.hash_key(key) % self.capacity]

    def _find(self, key):
        """The bucket where the key belongs, and its pair [key, value] or None."""
        bucket = self._bucket(key)
        return bucket, next((pair for pair in bucket if pair[0] == key), None)

    def _double(self):
        pairs = [pair for bucket in self.buckets for pair in bucket]
        self.buckets = [[] for _ in range(2 * self.capacity)]
        for pair in pairs:
            self._bucket(pair[0]).append(pair)
        ### END SOLUTION

# %% check="hash_table" points=2
from zlib import crc32

with task("1.1"):
    table = HashTable(hash_key=lambda key: crc32(repr(key).encode()))
    table.put(["u17", "p3"], 2)
    table.put(["u17", "p3"], 3)
    check("a key that is put twice has its last value", got=outcome(lambda: table.get(["u17", "p3"])), want=3)
    check("and is counted once", got=len(table), want=1, cause="count a key only when it was not there before")
    check("get raises KeyError for a key that is not there", got=outcome(lambda: table.get(["u17", "p4"])), want=raises(KeyError))
    table.remove(["u17", "p3"])
    check("after remove, get raises KeyError", got=outcome(lambda: table.get(["u17", "p3"])), want=raises(KeyError))
    check("and the key is no longer counted", got=len(table), want=0)

    same = HashTable(hash_key=lambda key: 7)
    for number in range(1, 4):
        same.put(["u17", f"p{number}"], number)
    check("keys with the same hash keep their own values",
          got=outcome(lambda: [same.get(["u17", f"p{number}"]) for number in (1, 2, 3)]), want=[1, 2, 3],
          cause="keep the key beside the value, and compare keys inside the bucket")

    growing = HashTable(hash_key=lambda key: crc32(repr(key).encode()))
    sizes = []
    for number in range(7):
        growing.put(["u17", f"p{number}"], number)
        sizes.append(growing.capacity)
    check("the seventh key doubles the buckets", got=sizes, want=[8, 8, 8, 8, 8, 8, 16],
          cause="7 / 8 is larger than 0.75, 6 / 8 is not")
    check("after growing, every key is found",
          got=outcome(lambda: [growing.get(["u17", f"p{number}"]) for number in range(7)]), want=list(range(7)),
          cause="the remainder changes with the number of buckets, so every pair must move to its new bucket")

# %% hidden="hash_table" points=2 topic="removing keys that share a bucket, None as a value, negative hashes"
with task("1.1"):
    table = HashTable(hash_key=lambda key: -13)
    for name in ("a", "b", "c"):
        table.put([name], name.upper())
    check("removing one of three keys in a bucket leaves the others",
          got=outcome(lambda: (table.remove(["b"]), table.get(["a"]), table.get(["c"]), len(table))[1:]), want=("A", "C", 2),
          cause="take out one pair, not the bucket")
    check("a removed key is gone", got=outcome(lambda: table.get(["b"])), want=raises(KeyError))
    check("remove raises KeyError for a key that is not there", got=outcome(lambda: table.remove(["b"])), want=raises(KeyError))
    check("and does not change the count", got=len(table), want=2)
    table.put(["b"], None)
    check("None is a value", got=outcome(lambda: (table.get(["b"]), len(table))), want=(None, 3),
          cause="ask whether the pair is there, not whether the value is None")
    check("a key whose value is None can be removed", got=outcome(lambda: (table.remove(["b"]), len(table))[1:]), want=(2,),
          cause="ask whether the pair is there, not whether the value is None")

# %% hidden="hash_table" points=2 topic="a thousand keys: load factor, and how often keys are compared"
with task("1.1"):
    class Pair:
        __hash__ = None
        compared = 0

        def __init__(self, number):
            self.number = number

        def __eq__(self, other):
            Pair.compared += 1
            return isinstance(other, Pair) and self.number == other.number

    table = HashTable(hash_key=lambda key: key.number * 2654435761 % 2**32 >> 7)
    highest, grew = 0, []
    for number in range(1000):
        table.put(Pair(number), -1)
        capacity = table.capacity
        table.put(Pair(number), number)
        if table.capacity != capacity:
            grew.append(number)
        highest = max(highest, len(table) / table.capacity)
    check("a thousand keys are counted", got=len(table), want=1000)
    check("the load factor never stays above 0.75", got=highest, want=between(0.0, 0.75))
    check("a thousand keys have 2048 buckets", got=table.capacity, want=2048)
    check("replacing a value never doubles the buckets", got=grew, want=[],
          cause="look for the key first; double only after a new key was added")
    Pair.compared = 0
    found = outcome(lambda: sum(table.get(Pair(number)) == number for number in range(1000)))
    check("a thousand keys are found", got=found, want=1000,
          cause="the remainder changes with the number of buckets, so every pair must move to its new bucket")
    check("a thousand lookups compare at most 3,000 keys", got=Pair.compared, want=between(0, 3000),
          cause="look only in the bucket that the hash names")
    for number in range(900):
        table.remove(Pair(number))
    check("the table does not shrink", got=(len(table), table.capacity), want=(100, 2048))
    table = HashTable(hash_key=lambda key: key.number)
    for number in range(50):
        table.put(Pair(number), number)
        table.remove(Pair(number))
    check("keys that come and go do not double the buckets", got=(len(table), table.capacity), want=(0, 8),
          cause="the load factor counts the keys that are there, not the places where a key has been")

# %% [markdown] task="1.2" name="ttl_store" minutes=15
# ### Keys that expire
#
# The shop keeps sessions for half an hour, and flash-sale prices for a minute. You cannot wait that long in a test, so the store is given its clock:
# a function that returns the time in seconds. It never runs backwards, and stands still while one of your methods runs.
#
# Write the class `TTLStore(clock)`.
#
# | | |
# |---|---|
# | `set(key, value, ttl=None)` | stores the value; with a `ttl`, for that many seconds |
# | `get(key)` | returns the value, or `None` if the key is not there or has expired |
# | `ttl(key)` | returns the seconds left, `-1` if the key has no deadline, `-2` if it is not there or has expired (as Redis does) |
# | `delete(key)` | removes the key; returns `True` if it was there and had not expired |
# | `sweep()` | removes every expired key, and returns how many it removed |
# | `len(store)` | the number of keys in memory, also expired ones that nobody has removed yet |
#
# ```python
# store = TTLStore(clock)                       # clock() is 100.0
# store.set("session:42", "u17", ttl=1800)
# store.get("session:42"), store.ttl("session:42")   # → ("u17", 1800.0)
# # … when clock() is 1900.001
# store.get("session:42"), store.ttl("session:42")   # → (None, -2)
# ```
#
# * One millisecond before its deadline a key is there, one millisecond after it is not. The moment itself is not tested.
# * Every `set` starts afresh: without `ttl` an earlier deadline is cleared, with `ttl` it is replaced.
# * `get` and `delete` of an expired key also remove it from memory. That is lazy expiry. Whether `ttl` does so too, you decide.
# * A `ttl` is a whole or decimal number (never NaN). One that is not greater than zero raises `ValueError`, and the store stays as it was, deadlines too.
# * `0`, `""` and other false values are values.

# %% [markdown] hints="ttl_store"
# - Keep two dictionaries: the values by key, and the deadlines by key. A key without a TTL is only in the first.
# - One method `expired(key)` serves `get`, `ttl`, `delete` and `sweep`: is there a deadline, and is the clock past it?
# - You may not change a dictionary while you loop over it. Collect the expired keys in a list first, then remove them.
# - In `set`, check the `ttl` first. Then forget the old deadline with `self.deadlines.pop(key, None)`, whatever the new call says.

# %% answer="ttl_store"
class TTLStore:
    """A key-value store whose keys can expire.

    clock  a function without arguments that returns the time in seconds
    """

    def __init__(self, clock):
        ### BEGIN SOLUTION
        self.clock = clock
        self.values = {}
        self.deadlines = {}
        ### END SOLUTION

    def __len__(self):
        """The number of keys in memory."""
        ### BEGIN SOLUTION
        return len(self.values)
        ### END SOLUTION

    def set(self, key, value, ttl=None):
        """Store the value, for `ttl` seconds if given. Raises ValueError for a ttl that is not greater than zero."""
        ### BEGIN SOLUTION
        if ttl is not None and ttl <= 0:
            raise ValueError(f"a ttl must be greater than zero, not {ttl}")
        self._forget(key)
        self.values[key] = value
        if ttl is not None:
            self.deadlines[key] = self.clock() + ttl
        ### END SOLUTION

    def get(self, key):
        """The value, or None if the key is not there or has expired."""
        ### BEGIN SOLUTION
        if self._expired(key):
            self._forget(key)
        return self.values.get(key)
        ### END SOLUTION

    def ttl(self, key):
        """The seconds left; -1 without a deadline; -2 if the key is not there or has expired."""
        ### BEGIN SOLUTION
        if key not in self.values or self._expired(key):
            return -2
        return self.deadlines[key] - self.clock() if key in self.deadlines else -1
        ### END SOLUTION

    def delete(self, key):
        """Remove the key; True if it was there and had not expired."""
        ### BEGIN SOLUTION
        there = key in self.values and not self._expired(key)
        self._forget(key)
        return there
        ### END SOLUTION

    def sweep(self):
        """Remove every expired key, and return how many there were."""
        ### BEGIN SOLUTION
        dead = [key for key in self.deadlines if self._expired(key)]
        for key in dead:
            self._forget(key)
        return len(dead)

    def _expired(self, key):
        return key in self.deadlines and self.clock() > self.deadlines[key]

    def _forget(self, key):
        self.values.pop(key, None)
        self.deadlines.pop(key, None)
        ### END SOLUTION

# %% check="ttl_store" points=2
with task("1.2"):
    now = [100.0]
    store = TTLStore(clock=lambda: now[0])
    store.set("session:42", "u17", ttl=1800)
    store.set("theme:u17", "dark")
    check("a fresh key has its value and its TTL", got=(store.get("session:42"), store.ttl("session:42")), want=("u17", 1800.0),
          cause="the time is what self.clock() says, and nothing else")
    now[0] = 1899.999
    check("1 ms before the deadline the key is there", got=store.get("session:42"), want="u17")
    now[0] = 1900.001
    check("1 ms after it, the key still takes memory", got=len(store), want=2, cause="nothing runs at the deadline by itself")
    check("but get returns None", got=store.get("session:42"), want=None)
    check("and get has removed it", got=len(store), want=1, cause="an expired key that somebody asks for is removed")
    check("a key without TTL stays", got=(store.get("theme:u17"), store.ttl("theme:u17")), want=("dark", -1))
    check("a key that is not there has TTL -2", got=store.ttl("session:42"), want=-2)
    store.set("theme:u17", "light", ttl=60)
    check("a second set replaces the value and the TTL", got=(store.get("theme:u17"), store.ttl("theme:u17")), want=("light", close_to(60, 1e-6)))
    check("delete says that the key was there", got=store.delete("theme:u17"), want=True)
    store.set("price:p3", 900, ttl=60)
    now[0] = 1960.002
    check("sweep removes the one expired key", got=(outcome(store.sweep), len(store)), want=(1, 0),
          cause="the sweep counts only what it removes: get has removed session:42, and delete theme:u17")

# %% hidden="ttl_store" points=2 topic="a key that is set again, TTLs that are not greater than zero, false values"
with task("1.2"):
    now = [0.0]
    store = TTLStore(clock=lambda: now[0])
    store.set("offer:p3", "10 % off", ttl=60)
    store.set("offer:p3", "5 % off")
    store.set("offer:p5", "3 for 2", ttl=60)
    now[0] = 30.0
    store.set("offer:p5", "2 for 1", ttl=60)
    now[0] = 60.001
    check("set without ttl clears the deadline", got=(store.get("offer:p3"), store.ttl("offer:p3")), want=("5 % off", -1),
          cause="the old deadline stayed when the value was replaced")
    now[0] = 89.999
    check("set with ttl replaces the deadline", got=store.get("offer:p5"), want="2 for 1")
    now[0] = 90.001
    check("and the new deadline counts", got=store.get("offer:p5"), want=None)
    store.set("offer:p8", "free gift", ttl=60)
    for key, ttl in (("offer:p3", 0), ("offer:p3", -5), ("offer:p8", 0)):
        check(f"a ttl of {ttl} raises ValueError", got=outcome(lambda key=key, ttl=ttl: store.set(key, "free", ttl=ttl)), want=raises(ValueError))
    check("and leaves the store as it was", got=[(store.get(key), store.ttl(key)) for key in ("offer:p3", "offer:p8")],
          want=[("5 % off", -1), ("free gift", close_to(60, 1e-6))], cause="check the ttl before you change anything, deadlines too")
    for number, value in enumerate((0, "", False, [])):
        store.set(f"false:{number}", value)
    check("false values are values", got=[(store.get(f"false:{n}"), store.ttl(f"false:{n}")) for n in range(4)],
          want=[(0, -1), ("", -1), (False, -1), ([], -1)], cause="ask whether the key is there, not whether its value is true")

# %% hidden="ttl_store" points=2 topic="sweep, and delete of expired keys"
with task("1.2"):
    now = [0.0]
    store = TTLStore(clock=lambda: now[0])
    for number in range(1, 11):
        store.set(f"session:{number}", "u17", ttl=10 * number)
    store.set("theme:u17", "dark")
    store.set("session:1", "u23")
    store.set("session:2", "u23", ttl=500)
    now[0] = 50.001
    check("sweep removes the expired keys and says how many", got=outcome(store.sweep), want=3,
          cause=lambda got: "collect the expired keys in a list first, then remove them" if isinstance(got, RuntimeError)
          else "keys 3, 4 and 5 have expired; 1 and 2 were set again, which cleared or replaced their deadlines")
    check("the others stay in memory", got=len(store), want=8)
    check("a key that was set again survives the sweep", got=(store.get("session:1"), store.get("session:2")), want=("u23", "u23"),
          cause="the sweep went by a deadline that a later set had cleared or replaced")
    check("a second sweep finds nothing", got=outcome(store.sweep), want=0)
    now[0] = 60.001
    check("deleting an expired key returns False", got=store.delete("session:6"), want=False, cause="for everybody else it is gone already")
    check("and removes it from memory", got=len(store), want=7)
    check("deleting a living key returns True, and again False", got=(store.delete("session:1"), store.delete("session:1")), want=(True, False))
    store.delete("session:8")
    store.set("session:8", "u51")
    now[0] = 1000.0
    check("a deleted key leaves no deadline behind", got=store.get("session:8"), want="u51")
    check("sweep removes what else has expired", got=outcome(store.sweep), want=4,
          cause="keys 2, 7, 9 and 10 have expired; 8 was deleted and set again, without a ttl")
    store.set("session:9", "u17", ttl=10)
    now[0] = 1010.001
    check("an expired key that get has removed is not counted by sweep", got=(store.get("session:9"), outcome(store.sweep)), want=(None, 0),
          cause="get removed the value and left its deadline behind")

# %% [markdown] task="1.3" name="durable_store" minutes=25
# ### A store that survives a crash
#
# The shop's carts must outlive the program. Every change goes to a log before it goes to memory.
#
# Write the class `DurableStore(path)`. `path` is a `pathlib.Path`; the file need not exist yet. Keys are text, values are anything that JSON can write, also `None`. Nobody changes a list or dictionary after handing it to `set`.
#
# | | |
# |---|---|
# | `DurableStore(path)` | recovers what the log holds |
# | `set(key, value)` | logs the change, then makes it |
# | `get(key)` | returns the value, or `None` |
# | `delete(key)` | logs and removes the key and returns `True`; returns `False`, and logs nothing, if it is not there |
# | `compact()` | replaces the log by one with a single record for each key that is there |
#
# A record is one line of UTF-8, which ends with `\n` and nothing else: a JSON list `["set", key, value]` or `["delete", key]`. Letters may be escaped (`\u00e1`) or not (`á`): you read both, and write which you like.
#
# ```python
# store = DurableStore(path)
# store.set("cart:u17", ["p3", "p88"])
# store.set("cart:u23", ["p5"])
# store.delete("cart:u23")
# DurableStore(path).get("cart:u17")      # → ["p3", "p88"]
# path.read_text()
# # ["set", "cart:u17", ["p3", "p88"]]
# # ["set", "cart:u23", ["p5"]]
# # ["delete", "cart:u23"]
# ```
#
# * When `set` or `delete` returns, the whole record is in the file, where another program can read it.
# * The power may fail at any byte. A record counts once its `\n` is written; a **torn** record after the last `\n` does not. Recovery cuts it off in the file too, so that the next record starts on a line of its own.
# * A line before that which is no record means that the file is damaged: it is empty, not UTF-8, not JSON, or neither of the two forms (whether a key that is no text is damage, you decide). Then `DurableStore(path)` raises `ValueError` and does not change the file, not even a torn record at its end.
# * `compact()` writes the new log to another file in the same folder and swaps it in by a call that is spelled `os.replace(...)`, because the check cuts the power at that call. Then the old log must still hold everything. The other file may be left behind: the next store at that path, and its `compact()`, must not mind.
# * After `compact()` the store goes on working: later changes are in the log too.

# %% [markdown] hints="durable_store"
# - Recovery has three steps: read the bytes, replay the lines up to the last `\n`, and only then cut off what follows it. `bytes.rfind(b"\n") + 1` is the length of what counts, also when there is no `\n` at all. Split the bytes, not the text: `str.splitlines` also cuts at other characters.
# - The simplest way to write is also safe here: open the file with `"a"` for each record, and let `with` close it. Then nothing waits in a buffer, and after `compact()` you cannot write to the old file by mistake.
# - Replay everything before you truncate: a damaged file must stay as it is. `json.loads` raises `json.JSONDecodeError`, which is a `ValueError` already; for JSON that is neither form, raise one yourself. A `match` statement says it well: `case ["set", str(key), value]`.
# - For `compact()`, write to `path.with_suffix(".new")`, close that file, then call `os.replace(new, path)`.

# %% answer="durable_store"
import json
import os


class DurableStore:
    """A key-value store that logs each change before it makes it.

    path  a pathlib.Path, the log; it need not exist
    Raises ValueError if a line of the log that ends with a newline is no record.
    """

    def __init__(self, path):
        ### BEGIN SOLUTION
        self.path = path
        self.data = {}
        whole = path.read_bytes() if path.exists() else b""
        kept = whole[:whole.rfind(b"\n") + 1]
        for number, line in enumerate(kept.split(b"\n")[:-1], start=1):
            self._replay(number, line)
        if len(kept) < len(whole):
            os.truncate(path, len(kept))
        ### END SOLUTION

    def set(self, key, value):
        """Log the change, then make it."""
        ### BEGIN SOLUTION
        self._append(["set", key, value])
        self.data[key] = value
        ### END SOLUTION

    def get(self, key):
        """The value, or None if the key is not there."""
        ### BEGIN SOLUTION
        return self.data.get(key)
        ### END SOLUTION

    def delete(self, key):
        """Log and remove the key, and return True; False, and nothing is logged, if it is not there."""
        ### BEGIN SOLUTION
        if key not in self.data:
            return False
        self._append(["delete", key])
        del self.data[key]
        return True
        ### END SOLUTION

    def compact(self):
        """Replace the log by one with a single record for each key that is there."""
        ### BEGIN SOLUTION
        fresh = self.path.with_suffix(".new")
        with fresh.open("wb") as log:
            for key, value in self.data.items():
                log.write(self._line(["set", key, value]))
        os.replace(fresh, self.path)

    def _replay(self, number, line):
        try:
            match json.loads(line):
                case ["set", str(key), value]:
                    self.data[key] = value
                case ["delete", str(key)]:
                    self.data.pop(key, None)
                case _:
                    raise ValueError("neither a set nor a delete")
        except ValueError as error:
            raise ValueError(f"{self.path.name}, line {number} is damaged: {error}") from error

    def _append(self, record):
        with self.path.open("ab") as log:
            log.write(self._line(record))

    @staticmethod
    def _line(record):
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
        ### END SOLUTION

# %% check="durable_store" points=2
import tempfile
from pathlib import Path

with task("1.3"), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    path = Path(folder) / "shop.log"
    store = DurableStore(path)
    check("a new store is empty", got=store.get("cart:u17"), want=None)
    store.set("cart:u17", ["p3"])
    store.set("cart:u23", ["p5"])
    store.set("cart:u17", ["p3", "p88"])
    check("after a restart the latest values are there",
          got=outcome(lambda: [DurableStore(path).get(key) for key in ("cart:u17", "cart:u23")]), want=[["p3", "p88"], ["p5"]],
          cause="a record that waits in a buffer is not in the file yet: close the file, or flush, after each record")
    check("delete says whether the key was there", got=(store.delete("cart:u23"), store.delete("cart:u23")), want=(True, False))
    check("a deleted key stays deleted after a restart", got=outcome(lambda: DurableStore(path).get("cart:u23")), want=None,
          cause="a delete needs a record of its own in the log, a tombstone")
    with path.open("ab") as log:
        log.write(b'["set", "cart:u4')
    check("a torn last record does not stop recovery", got=outcome(lambda: DurableStore(path).get("cart:u17")), want=["p3", "p88"],
          cause="replay no further than the last newline")
    store = DurableStore(path)
    store.compact()
    check("compact leaves one record for the one key that is there", got=path.read_bytes().count(b"\n"), want=1)
    check("and after a restart it has its value", got=outcome(lambda: DurableStore(path).get("cart:u17")), want=["p3", "p88"])

# %% hidden="durable_store" points=2 topic="the power fails at every byte of the log, and work goes on"
with task("1.3"), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    path = Path(folder) / "shop.log"
    lines = ['["set", "city:u1", "Málaga"]\n', '["set", "cart:u2", [1]]\n', '["delete", "city:u1"]\n', '["set", "cart:u2", [2]]\n']
    whole = "".join(lines).encode()
    states = [(None, None), ("Málaga", None), ("Málaga", [1]), (None, [1]), (None, [2])]

    def described(recovered, restarted):
        return {"recovered": recovered, "after one more set and a restart": restarted}

    def after_cut(size):
        path.write_bytes(whole[:size])
        store = DurableStore(path)
        known = store.get("city:u1"), store.get("cart:u2")
        store.set("next", True)
        again = DurableStore(path)
        return described(known, (again.get("city:u1"), again.get("cart:u2"), again.get("next")))

    for size in range(len(whole) + 1):
        state = states[whole[:size].count(b"\n")]
        got = outcome(lambda size=size: after_cut(size))
        want = described(state, (*state, True))
        if got != want:
            check(f"the power fails after byte {size}: what counts is kept, and the next record is not lost", got=got, want=want,
                  cause="a record counts with its newline and not before; a torn one must be cut off in the file, or the next is glued to it")
    check("the log can be cut after any byte", got=size, want=len(whole))

# %% hidden="durable_store" points=1 topic="compaction: one record a key, a power cut in the middle, and work goes on"
import os
from unittest import mock

with task("1.3"), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    path = Path(folder) / "shop.log"
    store = DurableStore(path)
    for number in range(30):
        store.set(f"views:p{number % 3}", number)
    store.delete("views:p1")
    with mock.patch("os.replace", side_effect=OSError("power cut")):
        check("compact swaps the new log in with os.replace", got=outcome(store.compact), want=raises(OSError),
              cause="writing over the log in place leaves half a log when the power fails")
    check("a power cut before the swap loses nothing",
          got=outcome(lambda: [DurableStore(path).get(f"views:p{n}") for n in range(3)]), want=[27, None, 29])
    store = DurableStore(path)
    store.compact()
    check("the compacted log has one record for each key", got=len(path.read_bytes().splitlines()), want=2,
          cause="only the latest value of each key that is there, and no tombstones; a file that a power cut left behind is written anew, not continued")
    store.set("views:p9", 9)
    store.delete("views:p0")
    check("changes after compaction are in the log",
          got=outcome(lambda: [DurableStore(path).get(f"views:p{n}") for n in (0, 2, 9)]), want=[None, 29, 9],
          cause="a file opened before os.replace is the old file: open the log again")

# %% hidden="durable_store" points=1 topic="a damaged log is refused and left alone, a good one is not; deleting a missing key, or one whose value is None"
import json

with task("1.3"), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    path = Path(folder) / "shop.log"
    for damage in (b'["set", "cart:u1', b'{"set": 1}', b'["move", "a", "b"]', b'["set", "a"]', b'["set", "\xff", 2]', b""):
        log = b'["set", "a", 1]\n' + damage + b'\n["set", "b", 2]\n["se'
        path.write_bytes(log)
        check(f"the line {damage!r} in the middle raises ValueError", got=outcome(lambda: DurableStore(path)), want=raises(ValueError),
              cause="no power cut leaves such a line; to skip it would lose data in silence")
        check("and the file stays as it was", got=path.read_bytes(), want=log, cause="replay first, and cut the torn end off only then")
    odd = "ring\r\ntwice \u2028 \x85 Málaga"
    for escaped in (True, False):
        path.write_bytes(json.dumps(["set", "note:u1", odd], ensure_ascii=escaped).encode() + b"\n")
        check("a value may hold any character", got=outcome(lambda: DurableStore(path).get("note:u1")), want=odd,
              cause="only \\n ends a record, and str.splitlines also cuts at other characters: split the bytes")
    path.unlink()
    store = DurableStore(path)
    check("deleting what is not there logs nothing", got=(store.delete("a"), path.exists() and path.read_bytes() or b""), want=(False, b""))
    store.set("a", None)
    check("a key whose value is None can be deleted", got=(store.delete("a"), store.delete("a")), want=(True, False),
          cause="ask whether the key is there, not whether its value is None")

# %% [markdown] task="1.4" name="resp_parser" minutes=25
# ### Read replies from a stream
#
# You write a client for your server. The replies come in over TCP in pieces of any size: half a reply, or three and a half.
#
# Write the class `Parser()` with one method, `feed(chunk)`. It takes the next bytes from the connection and returns a list of the replies that are complete now.
# What is incomplete is kept for the next call. A reply is one of these:
#
# | on the wire | Python |
# |---|---|
# | `+OK\r\n` | the text `"OK"` |
# | `-ERR no such key\r\n` | an object `ReplyError("ERR no such key")`, returned, not raised |
# | `:41\r\n` | the number `41` (it may be negative) |
# | `$2\r\np3\r\n` | the bytes `b"p3"` |
# | `$-1\r\n` and `*-1\r\n` | `None` |
# | `*2\r\n` and then two replies | a list of these two, of any kind, also lists |
#
# ```python
# parser = Parser()
# parser.feed(b"+OK\r\n$8\r\ncart")    # → ["OK"]
# parser.feed(b":u17\r\n:4")           # → [b"cart:u17"]
# parser.feed(b"1\r\n*2\r\n:1\r\n")    # → [41]
# parser.feed(b"$-1\r\n")              # → [[1, None]]
# ```
#
# * A piece may end anywhere, also between `\r` and `\n`, and may be empty.
# * Bytes of a `$` reply may be anything, also `\r\n`. `$0\r\n\r\n` is `b""` and `*0\r\n` is `[]`; neither is `None`.
# * Text is UTF-8. A whole number is digits, after a `-` or not; whether you also take what else `int` accepts, such as `+1` or `1_0`, you decide. Lists are at most 100 deep. Speed is not graded.
# * Bytes that no server would send raise `ValueError`: an unknown first byte, a length or number that is not a whole number, a length below -1, a `$` reply that does not end with `\r\n` where it should. `feed` raises at the latest when the line, or the `$` reply, is complete; good replies before it may be lost. The parser is not used again after that.
#
# `ReplyError` is defined in the next cell.

# %% [markdown] hints="resp_parser"
# - Keep one `bytes` buffer. `feed` adds the chunk to it, then takes complete replies off its front until the next one is not complete.
# - Write a method that parses the reply which starts at a position, and returns the value **and** the position after it. A list calls the same method for each of its items.
# - How do you say "not complete yet" from deep inside a nested list? Raise an exception of your own, catch it in `feed`, and keep the buffer from the start of that reply. It is parsed again when more has come.
# - For `$`: read the line with the length first. Then the reply is complete only if `length + 2` more bytes are there, and the last two must be `\r\n`. Never search for the end of the bytes.

# %%
class ReplyError(Exception):
    """An error that the server sent."""

# %% answer="resp_parser"
class Incomplete(Exception):
    """The buffer ends before the reply does. (Use this, or leave it.)"""


class Parser:
    """Reads RESP replies from a stream that arrives in pieces."""

    def __init__(self):
        ### BEGIN SOLUTION
        self.buffer = b""
        ### END SOLUTION

    def feed(self, chunk):
        """Take the next bytes; return the list of replies that are complete now. Raises ValueError for bytes that are not RESP."""
        ### BEGIN SOLUTION
        self.buffer += chunk
        replies, start = [], 0
        try:
            while True:
                reply, start = self._reply(start)
                replies.append(reply)
        except Incomplete:
            self.buffer = self.buffer[start:]
            return replies

    def _reply(self, start):
        """The reply that begins at `start`, and the position after it. Raises Incomplete."""
        if start == len(self.buffer):
            raise Incomplete
        kind = self.buffer[start:start + 1]
        if kind not in b"+-:$*":
            raise ValueError(f"a reply cannot begin with {kind!r}")
        line, position = self._line(start + 1)
        if kind == b"+":
            return line.decode(), position
        if kind == b"-":
            return ReplyError(line.decode()), position
        number = int(line)
        if kind == b":":
            return number, position
        if number < -1:
            raise ValueError(f"a length cannot be {number}")
        if number == -1:
            return None, position
        return self._bytes(number, position) if kind == b"$" else self._list(number, position)

    def _line(self, start):
        end = self.buffer.find(b"\r\n", start)
        if end == -1:
            raise Incomplete
        return self.buffer[start:end], end + 2

    def _bytes(self, length, start):
        end = start + length
        if len(self.buffer) < end + 2:
            raise Incomplete
        if self.buffer[end:end + 2] != b"\r\n":
            raise ValueError(f"{length} bytes were announced, but no line end follows them")
        return self.buffer[start:end], end + 2

    def _list(self, length, position):
        items = []
        for _ in range(length):
            item, position = self._reply(position)
            items.append(item)
        return items, position
        ### END SOLUTION

# %% check="resp_parser" points=2
with task("1.4"):
    parser = Parser()
    for what, chunk, want, cause in (
        ("one complete reply, and the rest is kept", b"+OK\r\n$8\r\ncart", ["OK"], ""),
        ("the rest is completed", b":u17\r\n:4", [b"cart:u17"], "keep the bytes of an incomplete reply; the value of a $ reply is bytes, not text"),
        ("a number that came in two pieces", b"1\r\n*2\r\n:1\r\n", [41],
         "a line is complete with its \\r\\n and not before; a list is complete with its last item"),
        ("a list with a nil", b"$-1\r\n", [[1, None]], "a length of -1 means None, and no bytes follow"),
        ("an empty piece", b"", [], ""),
        ("nil is None, an empty value is not", b"$-1\r\n$0\r\n\r\n", [None, b""], ""),
    ):
        check(f"{what}: feed({chunk!r})", got=outcome(lambda chunk=chunk: parser.feed(chunk)), want=want, cause=cause)
    errors = outcome(lambda: [(type(reply).__name__, str(reply)) for reply in parser.feed(b"-ERR no such key\r\n")])
    check("an error is returned as a ReplyError", got=errors, want=[("ReplyError", "ERR no such key")], cause="return it, do not raise it")

# %% hidden="resp_parser" points=2 topic="the same stream, cut at every byte"
with task("1.4"):
    stream = b"+OK\r\n:-7\r\n$12\r\nring\r\n\r\ntwic\r\n*3\r\n$2\r\np3\r\n*2\r\n:1\r\n$-1\r\n+M\xc3\xa1laga\r\n$0\r\n\r\n*0\r\n*-1\r\n"
    want = ["OK", -7, b"ring\r\n\r\ntwic", [b"p3", [1, None], "Málaga"], b"", [], None]
    check("the stream in one piece", got=outcome(lambda: Parser().feed(stream)), want=want,
          cause="compare with the table of the task, kind by kind; the bytes of a $ reply may contain a line end")
    for cut in range(1, len(stream)):
        def in_two(cut=cut):
            parser = Parser()
            return parser.feed(stream[:cut]) + parser.feed(stream[cut:])
        got = outcome(in_two)
        if got != want:
            check(f"the stream, cut after {stream[max(0, cut - 8):cut]!r}", got=got, want=want,
                  cause="whatever is not complete must stay in the buffer, from the start of its reply")
    check("the stream can be cut after any byte", got=cut, want=len(stream) - 1)
    parser = Parser()
    single = outcome(lambda: [reply for place in range(len(stream)) for reply in parser.feed(stream[place:place + 1])])
    check("the stream, byte by byte", got=single, want=want, cause="keep what is not complete for the next call")

# %% hidden="resp_parser" points=1 topic="values that look like the protocol, and deep lists"
with task("1.4"):
    tricky = [b"\r\n", b"$-1\r\n", b"+OK", bytes(range(256)), "Málaga".encode()]
    stream = b"".join(b"$%d\r\n%s\r\n" % (len(value), value) for value in tricky)
    check("bytes come back as they were", got=outcome(lambda: Parser().feed(stream)), want=tricky,
          cause="take as many bytes as the length says, and do not search for their end or decode them")
    check("lists in lists in lists", got=outcome(lambda: Parser().feed(b"*2\r\n*1\r\n*2\r\n*0\r\n$-1\r\n*-1\r\n")), want=[[[[[], None]], None]])
    check("a list that ends with an empty list", got=outcome(lambda: Parser().feed(b"*2\r\n:1\r\n*0\r\n:2\r\n")), want=[[1, []], 2],
          cause="an empty list is an item like any other, and may be the last one")

    def described(reply):
        if isinstance(reply, list):
            return [described(item) for item in reply]
        return f"{type(reply).__name__}: {reply}" if isinstance(reply, Exception) else reply

    check("an error inside a list", got=outcome(lambda: described(Parser().feed(b"*2\r\n-ERR no\r\n:3\r\n"))),
          want=[["ReplyError: ERR no", 3]], cause="an error is a reply like any other: return it in its place")

# %% hidden="resp_parser" points=1 topic="bytes that are not RESP"
with task("1.4"):
    for wrong in (b"OK\r\n", b"\r\n", b"$x\r\n", b":4.5\r\n", b"$-2\r\n", b"*-3\r\n", b"$2\r\np88\r\n", b"$2\r\np3+x", b"*1\r\n?\r\n"):
        got = outcome(lambda wrong=wrong: Parser().feed(wrong))
        check(f"{wrong!r} raises ValueError", got=got, want=raises(ValueError),
              cause="the last point of the task lists what no server would send")

# %% [markdown] task="1.5" name="atomic_incr" minutes=20
# ### A counter for eight threads
#
# Eight threads of a web server count product views in one store. Read, add, write is three steps, and another thread may come between any two of them.
#
# Write the class `Counters(data)`. `data` is a mapping that behaves like a dictionary, from text to text, as in a store: `{"views:p3": "41"}`. It is shared by all the threads, and so is the `Counters` object.
#
# | | |
# |---|---|
# | `incr(key, by=1)` | adds `by` to the counter, stores it as text, and returns the new number |
#
# ```python
# data = {"views:p3": "41"}
# counters = Counters(data)
# counters.incr("views:p3")        # → 42, and data is {"views:p3": "42"}
# counters.incr("views:p9", by=5)  # → 5: a key that is not there counts as 0
# ```
#
# * `incr` is **atomic**. Eight threads that count one view each leave 8 in the store, wherever one of them is held up.
# * Each call returns the number that this call produced. Eight calls return 1 to 8, each number once.
# * A value that is not a whole number, such as `"sunny"` or `"4.5"`, raises `ValueError`, changes nothing, and does not lock the others out. Whether `" 41 "` is one, you decide.
# * `by` may be negative.
#
# The checks hold one thread up before each line of your code in turn, let the other seven run, and look at the result. At grading they also hold up a second one, just before it writes.
# So a counter without a lock, or with two locks for one key, fails every time, not now and then.

# %% [markdown] hints="atomic_incr"
# - `threading.Lock()` makes a lock. `with lock:` lets one thread at a time into the block below it, and unlocks also when an error is raised inside.
# - All calls must use the same lock. Which method of the class runs once, before the threads start?
# - Reading, adding and writing belong in one and the same block. Two blocks with the same lock leave a gap between them.
# - Keep the new number in a variable and return that. If you read the store again after the block, you may read what another thread wrote.

# %% answer="atomic_incr"
import threading


class Counters:
    """Counters in a shared mapping from text to text."""

    def __init__(self, data):
        ### BEGIN SOLUTION
        self.data = data
        self.lock = threading.Lock()
        ### END SOLUTION

    def incr(self, key, by=1):
        """Add `by` to the counter and return the new number. Raises ValueError if the stored value is not a whole number."""
        ### BEGIN SOLUTION
        with self.lock:
            count = int(self.data.get(key, "0")) + by
            self.data[key] = str(count)
        return count
        ### END SOLUTION

# %% check="atomic_incr" points=2
from course.threads import explore, watch

with task("1.5"):
    data = {"views:p3": "41"}
    counters = Counters(data)
    check("incr returns the new number", got=counters.incr("views:p3"), want=42)
    check("a key that is not there counts as 0", got=counters.incr("views:p9", by=5), want=5)
    check("the store holds text", got=data, want={"views:p3": "42", "views:p9": "5"})

    def eight_views():
        data = watch({"views:p7": "0"})
        counters = Counters(data)
        return data, [lambda: counters.incr("views:p7")] * 8

    totals = [data["views:p7"] for data, _ in explore(eight_views)]
    check("eight threads count eight views, wherever one is held up", got=min(totals), want="8",
          cause=lambda total: f"one thread was held up between its read and its write, and overwrote the others: {total} of 8 views are left")

# %% hidden="atomic_incr" points=1 topic="the numbers that eight threads get back, also when two of them are held up"
from itertools import chain

with task("1.5"):
    def eight_views():
        data = watch({})
        counters = Counters(data)
        return data, [lambda: counters.incr("views:p7")] * 8

    for _, results in chain(explore(eight_views), explore(eight_views, hold_second=True)):
        numbers = sorted(results, key=repr)
        if numbers != list(range(1, 9)):
            break
    check("eight calls return 1 to 8, each once", got=numbers, want=list(range(1, 9)),
          cause="two calls returned the same number: keep every step under the lock, also for a key that is new, and return the number computed there")

# %% hidden="atomic_incr" points=1 topic="other keys, other amounts"
with task("1.5"):
    def purchases_and_refunds():
        data = watch({"sold:p3": "100"})
        counters = Counters(data)
        works = [lambda by=by, key=key: counters.incr(key, by) for by in (5, -2, 7, -1) for key in ("sold:p3", "sold:p9")]
        return data, works

    for data, _ in explore(purchases_and_refunds):
        got = dict(data)
        if got != {"sold:p3": "109", "sold:p9": "9"}:
            break
    check("two counters, four changes each", got=got, want={"sold:p3": "109", "sold:p9": "9"})

# %% hidden="atomic_incr" points=1 topic="a value that is not a number"
with task("1.5"):
    def one_bad_value():
        data = watch({"weather": "sunny", "views:p7": "0"})
        counters = Counters(data)
        return data, [lambda: counters.incr("weather")] + [lambda: counters.incr("views:p7")] * 3

    for data, results in explore(one_bad_value):
        raised, stuck = type(results[0]), [result for result in results if isinstance(result, TimeoutError)]
        if raised is not ValueError or stuck:
            break
    check("no thread is stuck after an error in another", got=len(stuck), want=0,
          cause="the lock was taken and not given back when int() failed; `with lock:` gives it back always")
    check("a value that is not a number raises ValueError", got=results[0], want=raises(ValueError))
    check("and nothing is changed", got=dict(data), want={"weather": "sunny", "views:p7": "3"})
    data = {"price:p3": "4.5"}
    check("4.5 is not a whole number", got=outcome(lambda: Counters(data).incr("price:p3")), want=raises(ValueError))
    check("and stays as it was", got=data, want={"price:p3": "4.5"})
