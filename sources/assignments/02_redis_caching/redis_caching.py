# ---
# title: "Exercises: sessions and caching"
# minutes: 95
# summary: A session store, a cache that keeps its promises, a guard against stampedes, jitter, and two eviction policies.
# ---

# %% [markdown]
# # Exercises: sessions and caching
#
# Five parts of the shop, built on [chapter 02](../../notebooks/02_redis.ipynb). They do not depend on each other, so you can start anywhere.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("2.1")` in a new cell, with the number of your task.
#
# The checks make their own clients and empty the server before they start. In your functions use the client `r` that they are given.

# %%
import json
import random
import secrets
from datetime import UTC, datetime
from time import monotonic, sleep

import redis
import stores
from course.check import hint

server = stores.start("redis")
r = redis.Redis(host=server.host, port=server.port, decode_responses=True)
server

# %% [markdown] task="2.1" name="sessions" minutes=25
# ### A session store
#
# Each visitor who logs in gets a session that ends half an hour after the last page they opened. People use several devices, and sometimes a phone is stolen:
# then all sessions of that user must end at once.
#
# Write five functions. `r` is a client, and `SESSION_SECONDS` is 1800.
#
# | | |
# |---|---|
# | `log_in(r, user_id, device)` | starts a session and returns its token |
# | `read(r, token)` | returns the session as a dict, and starts its TTL again; `None` if there is no such session (any more) |
# | `peek(r, token)` | the same for the shop's staff: it leaves the TTL as it is |
# | `remember(r, token, field, value)` | sets a field, starts the TTL again and returns `True`; if there is no such session, returns `False` and writes nothing |
# | `log_out_everywhere(r, user_id)` | ends all sessions of the user and returns how many were alive |
#
# ```python
# token = log_in(r, "u17", "phone")     # → "kJ3wd0sX…"
# remember(r, token, "cart", "p59")     # → True
# read(r, token)                        # → {"user": "u17", "device": "phone", "cart": "p59"}
# log_out_everywhere(r, "u17")          # → 1
# read(r, token)                        # → None
# ```
#
# * A session is a hash `session:<token>` with the fields `user` and `device`. The tokens of a user are in the set `user:<user_id>:sessions`.
# * A token has at least 16 characters and comes from the module `secrets`, so that nobody can guess it.
# * No key is ever without a TTL, also if the program is killed between two commands. So what belongs together goes into one transaction. `log_in` takes one round trip, `read` and `remember` at most two.
# * The set lives as long as the last session of the user that is still in use, give or take a second. So it too is gone when the user has been away for half an hour.
#   (If the program is killed between two round trips, the set may end too early. The next request of the session may put that right, but no check looks at it.)
# * The set may still name sessions that have ended. They do not count in `log_out_everywhere`.
# * A session may run out between two round trips of `remember`. Then too nothing is written, or the session with all its fields lives on.
# * Somebody may log in while `log_out_everywhere` runs. The new session has ended afterwards, or it is alive and in the set.
# * You need not think of any other two calls at the same time.

# %% [markdown] hints="sessions"
# - Start with `log_in` and `remember` of the chapter. Which keys does each of the five functions read, and which TTLs must it start again?
# - `r.pipeline()` is a transaction: collect `hset`, `sadd` and two `expire` in it, and run `execute()` once. Its result is a list with one answer for each command.
# - `expire` answers whether the key was there, so a pipeline with `expire(session)` and `hgetall(session)` both tells and slides. An `hgetall` of a key that is not there gives `{}`.
# - The set must slide with every session: the session itself knows its user, so after the first round trip you can start the TTL of `user:<user_id>:sessions` in the second. An `sadd` before it, in one transaction, puts the session back should the set have gone.
# - `r.delete(*keys)` answers how many of the keys were there: that is the count for `log_out_everywhere`. Without any key it is an error, so treat an empty set first. Take out of the set the tokens that you have read (`srem`), and no others.

# %% answer="sessions"
SESSION_SECONDS = 1800


def log_in(r, user_id, device):
    """Start a session of `user_id` on `device` (text) and return its token."""
    ### BEGIN SOLUTION
    token = secrets.token_urlsafe(16)
    with r.pipeline() as pipeline:
        pipeline.hset(f"session:{token}", mapping={"user": user_id, "device": device})
        pipeline.expire(f"session:{token}", SESSION_SECONDS)
        _slide_index(pipeline, user_id, token)
        pipeline.execute()
    return token
    ### END SOLUTION


def read(r, token):
    """The session as a dict of text, or None. Starts its TTL again."""
    ### BEGIN SOLUTION
    with r.pipeline() as pipeline:
        pipeline.expire(f"session:{token}", SESSION_SECONDS)
        pipeline.hgetall(f"session:{token}")
        alive, session = pipeline.execute()
    if not alive:
        return None
    with r.pipeline() as pipeline:
        _slide_index(pipeline, session["user"], token)
        pipeline.execute()
    return session
    ### END SOLUTION


def peek(r, token):
    """The session as a dict of text, or None. Leaves its TTL as it is."""
    ### BEGIN SOLUTION
    return r.hgetall(f"session:{token}") or None
    ### END SOLUTION


def remember(r, token, field, value):
    """Set a field (text) and start the TTL again. False, and nothing written, if there is no such session."""
    ### BEGIN SOLUTION
    with r.pipeline() as pipeline:
        pipeline.expire(f"session:{token}", SESSION_SECONDS)
        pipeline.hget(f"session:{token}", "user")
        alive, user_id = pipeline.execute()
    if not alive:
        return False
    with r.pipeline() as pipeline:
        pipeline.hset(f"session:{token}", field, value)
        _slide_index(pipeline, user_id, token)
        pipeline.execute()
    return True
    ### END SOLUTION


def log_out_everywhere(r, user_id):
    """End all sessions of the user; return how many were alive."""
    ### BEGIN SOLUTION
    index = f"user:{user_id}:sessions"
    tokens = r.smembers(index)
    if not tokens:
        return 0
    with r.pipeline() as pipeline:
        pipeline.delete(*[f"session:{token}" for token in tokens])
        pipeline.srem(index, *tokens)     # not DEL: the set may have a new token by now
        ended, _ = pipeline.execute()
    return ended


def _slide_index(pipeline, user_id, token):
    """Let the user's set name this session, and start the TTL of the set again."""
    pipeline.sadd(f"user:{user_id}:sessions", token)
    pipeline.expire(f"user:{user_id}:sessions", SESSION_SECONDS)
    ### END SOLUTION

# %% check="sessions" points=2 varies="tokens are drawn at random"
import redis
import stores

with task("2.1"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    token = log_in(r, "u17", "phone")
    check("a token is a text", got=type(token), want=str)
    check("the session is a hash", got=r.hgetall(f"session:{token}"), want={"user": "u17", "device": "phone"})
    check("a new session lives for half an hour", got=r.ttl(f"session:{token}"), want=between(1799, 1800))
    check("the user's set holds the token", got=r.smembers("user:u17:sessions"), want={token})
    server.clock.advance(1200)
    check("a session can be read", got=read(r, token), want={"user": "u17", "device": "phone"})
    check("reading starts the TTL again", got=r.ttl(f"session:{token}"), want=between(1799, 1800),
          cause="HGETALL leaves the TTL as it is; a sliding TTL needs EXPIRE")
    server.clock.advance(1200)
    check("a field can be remembered", got=remember(r, token, "cart", "p59"), want=True)
    check("a remembered field is read again", got=read(r, token), want={"user": "u17", "device": "phone", "cart": "p59"})
    check("a token that nobody has gives None", got=[read(r, "no-such-token"), peek(r, "no-such-token")], want=[None, None],
          cause="HGETALL of a key that is not there gives {}")

# %% check="sessions" points=1
import redis
import stores

with task("2.1"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    tokens = [log_in(r, "u17", device) for device in ("phone", "laptop")]
    other = log_in(r, "u18", "phone")
    check("two sessions end at once", got=log_out_everywhere(r, "u17"), want=2)
    check("neither can be read any more", got=[read(r, token) for token in tokens], want=[None, None],
          cause="an empty dict is not None: HGETALL of a key that is not there gives {}")
    check("another user stays logged in", got=read(r, other), want={"user": "u18", "device": "phone"})
    check("a user without sessions has 0 to end", got=outcome(lambda: log_out_everywhere(r, "u99")), want=0,
          cause="DEL without any key is an error")

# %% hidden="sessions" points=1 topic="the end of a session, to the millisecond, and what comes after it" only_embedded="holds the clock still to look a millisecond before and after the end; real time does not wait"
import redis
import stores
from course.crowd import race

with task("2.1"):
    server = stores.start("redis", embedded=True)
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    with server.clock.frozen():
        token = log_in(r, "u204", "tablet")
        server.clock.advance(1799.999)
        check("a session is alive 1 ms before its end", got=peek(r, token), want={"user": "u204", "device": "tablet"})
        check("peeking leaves the TTL as it is", got=r.pttl(f"session:{token}"), want=between(0, 1),
              cause="peek must not call EXPIRE, nor read()")
        server.clock.advance(0.002)
        check("a session is gone 1 ms after its end", got=[peek(r, token), read(r, token)], want=[None, None],
              cause="an empty dict is not None: HGETALL of a key that is not there gives {}")
        check("nothing is remembered in a session that has ended", got=remember(r, token, "cart", "p1"), want=False)
        check("remember does not bring a session back to life", got=r.exists(f"session:{token}"), want=0,
              cause="HSET makes the key if it is not there; ask first whether the session is alive")

        token = log_in(r, "u204", "tablet")
        server.clock.advance(1200)
        remember(r, token, "cart", "p2")
        check("remembering starts the TTL again", got=r.ttl(f"session:{token}"), want=1800)

        server.clock.advance(1799)
        race([lambda r: remember(r, token, "cart", "p3"), lambda r: r.ping() and server.clock.advance(2)], server, order="AB")
        check("a session that runs out during remember is not left without its user",
              got=r.hgetall(f"session:{token}"), want=one_of({}, {"user": "u204", "device": "tablet", "cart": "p3"}),
              cause="HSET makes the key again; start the TTL first, or look and write in one step")

# %% hidden="sessions" points=1 topic="no key without a TTL, round trips, and a set that names the sessions in use"
import redis
import stores
from course.crowd import race

with task("2.1"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    with server.record() as log:
        old = log_in(r, "u31", "phone")
    check("log_in takes one round trip", got=log.round_trips, want=1,
          cause="put all commands into one pipeline; a program killed between two commands leaves keys without a TTL")
    check("log_in is one transaction", got=log.count("EXEC") + log.count("EVAL") + log.count("EVALSHA"), want=1,
          cause="r.pipeline(transaction=False) sends the commands together, but another client's may come in between")
    with server.record() as log:
        remember(r, old, "cart", "p8")
    check("remember takes at most two round trips", got=log.round_trips, want=between(1, 2))

    server.clock.advance(1000)
    new = log_in(r, "u31", "laptop")
    for _ in range(3):
        server.clock.advance(1000)
        remember(r, new, "cart", "p9")
    left = r.ttl("user:u31:sessions")
    for _ in range(3):
        server.clock.advance(1000)
        with server.record() as log:
            read(r, new)
    check("read takes at most two round trips", got=log.round_trips, want=between(1, 2))
    check("every key has a TTL", got=[key for key in r.scan_iter() if r.ttl(key) == -1], want=[])
    check("after remember the set lives as long as the session", got=left, want=between(1795, 1801),
          cause="the set must slide with its sessions, in remember too")
    check("a session in use can still be ended after hours", got=log_out_everywhere(r, "u31"), want=1,
          cause="the set must slide with its sessions; and sessions that have ended do not count")
    check("a session that was ended cannot be read", got=peek(r, new), want=None)

    log_in(r, "u32", "phone")
    server.clock.advance(1802)
    check("half an hour after the last request nothing is left", got=r.keys("*u32*"), want=[])

    for step in range(1, 5):       # the new session comes after 1, 2, 3, 4 commands
        server.reset()
        log_in(r, "u33", "phone")
        race([lambda r: log_out_everywhere(r, "u33"), lambda r: log_in(r, "u33", "thief")], server, order="A" * step + "B")
        log_out_everywhere(r, "u33")
        check("who logs in while all sessions end can be logged out next", got=r.keys("session:*"), want=[],
              cause="take the tokens that you ended out of the set; deleting the set forgets a new one too")

# %% hidden="sessions" points=1 topic="tokens that nobody can guess"
import random

import redis
import stores

with task("2.1"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    tokens = []
    for _ in range(2):
        random.seed(7)
        tokens += [log_in(r, "u17", "phone"), log_in(r, "u17", "phone")]
    check("every session has a token of its own", got=len(set(tokens)), want=4,
          cause="whoever knows the seed of `random` knows its tokens; `secrets` has no seed")
    check("tokens have at least 16 characters", got=min(map(len, tokens)), want=between(16, 1000))

# %% [markdown] task="2.2" name="cached" minutes=20
# ### Ask the cache first
#
# Many functions of the shop ask the database the same question again and again. You write one function that puts a cache in front of any of them,
# and one that changes the database without leaving an old answer behind.
#
# `cached(r, key, load, ttl=3600, none_ttl=30)` returns the answer kept under `key`. On a miss it calls `load()`, once and without arguments, keeps the answer for `ttl`
# seconds and returns it. Both TTLs are whole seconds.
#
# `update(r, key, change)` calls `change()`, which changes the database, and returns its result. When `update` returns, the cache holds no answer under `key`
# that was kept there before or during the change.
#
# ```python
# cached(r, "user:u17:last", load=lambda: {"product": "p90", "at": datetime(2026, 6, 27, 18, 14, tzinfo=UTC)})
# # → {"product": "p90", "at": datetime(2026, 6, 27, 18, 14, tzinfo=UTC)}, also when it comes from the cache
# ```
#
# * An answer is any JSON value: dict with text keys, list, text, number, bool, `None`. No key of a dict starts with `$`, so you may use that as a mark.
# * Datetimes may stand in an answer at any depth. A hit returns the same value, of the same type, as the miss before; a datetime comes back with the same date, time (to the microsecond) and offset from UTC, or without one if it had none.
# * `""`, `0`, `False` and `[]` are answers, kept like all others.
# * `None` is an answer too: nobody has that id. It is kept for `none_ttl` seconds.
# * A hit takes one round trip, a miss two. There is no moment at which the key is without a TTL.
# * If `load()` or `change()` raises, the error reaches the caller. After a failed `load()` nothing is kept. Whether a failed `change()` makes the cache forget `key` is up to you.
# * `change()` may take a while, and other readers call `cached` meanwhile.

# %% [markdown] hints="cached"
# - Which values does `r.get` return for a key that is not there, and for a key that holds JSON for `None`, `""` or `0`? Only one of them is a miss.
# - Keep JSON text in one `r.set(key, text, ex=…)`. Choose the TTL from the value.
# - For datetimes see `to_json` and `from_json` of the chapter: `json.dumps(value, default=to_json)` and `json.loads(text, object_hook=from_json)` work at any depth.
# - `update`: a reader during `change()` may load the old answer and keep it. So when must the key be deleted, before `change()` or after?

# %% answer="cached"
def cached(r, key, load, ttl=3600, none_ttl=30):
    """The answer kept under `key`, or that of `load()`, which is then kept for `ttl` seconds (`none_ttl` if it is None)."""
    ### BEGIN SOLUTION
    text = r.get(key)
    if text is not None:
        return json.loads(text, object_hook=_from_json)
    value = load()
    r.set(key, json.dumps(value, default=_to_json), ex=none_ttl if value is None else ttl)
    return value
    ### END SOLUTION


def update(r, key, change):
    """Call `change()`, make the cache forget `key`, and return what `change()` returned."""
    ### BEGIN SOLUTION
    result = change()
    r.delete(key)
    return result


def _to_json(value):
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    raise TypeError(f"the cache cannot keep {value!r}")


def _from_json(fields):
    return datetime.fromisoformat(fields["$datetime"]) if fields.keys() == {"$datetime"} else fields
    ### END SOLUTION

# %% check="cached" points=2
import redis
import stores

with task("2.2"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    for answer in ({"name": "Milan Chen", "orders": 4}, "", 0, "17"):
        calls = []
        key = f"answer:{answer!r}"
        got = [cached(r, key, lambda: calls.append(1) or answer) for _ in range(100)]
        check(f"a hundred reads of {answer!r} load it once", got=len(calls), want=1,
              cause='only None from r.get is a miss; "" and 0 are answers')
        check(f"every read gets {answer!r}", got=[got[0], got[99]], want=[answer, answer])
        check(f"{answer!r} is kept for an hour", got=r.ttl(key), want=between(3599, 3600))

    calls = []
    got = [cached(r, "user:u999:profile", lambda: calls.append(1)) for _ in range(100)]
    check("a hundred reads of None load it once", got=len(calls), want=1)
    check("every read gets None", got=[got[0], got[99]], want=[None, None])
    check("None is kept for 30 seconds", got=r.ttl("user:u999:profile"), want=between(29, 30),
          cause="`nothing` goes out of date sooner: none_ttl is for None")

# %% check="cached" points=1
from datetime import UTC, datetime, timedelta, timezone

import redis
import stores

with task("2.2"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    last = {"product": "p90", "at": datetime(2026, 6, 27, 18, 14, 6, 366000, tzinfo=UTC)}
    check("a miss returns the datetime", got=outcome(lambda: cached(r, "user:u17:last", lambda: last)), want=last)
    check("a hit returns the datetime too", got=outcome(lambda: cached(r, "user:u17:last", lambda: "loaded again")), want=last,
          cause=lambda got: "what goes in as a datetime must not come out as text" if "datetime.datetime" not in repr(got)
          else "it is a datetime, but not the same one: compare every part, down to the microseconds")

# %% hidden="cached" points=1 topic="datetimes at any depth and in any zone, and values that look alike"
from datetime import UTC, datetime, timedelta, timezone

import redis
import stores

with task("2.2"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    def miss_and_hit(answer):
        r.delete("answer")
        return [cached(r, "answer", lambda: answer), cached(r, "answer", lambda: "loaded again")]

    noon = datetime(2026, 6, 19, 12, 0, 0, 1000, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    deep = {"orders": [{"at": noon, "items": []}, {"at": datetime(2026, 6, 19, tzinfo=UTC), "note": ""}]}
    check("datetimes deep inside come back", got=outcome(lambda: miss_and_hit(deep)), want=[deep, deep],
          cause="default= and object_hook= see every level; a loop over the top level does not")
    check("a datetime alone comes back", got=outcome(lambda: miss_and_hit(noon)), want=[noon, noon])
    check("the offset from UTC comes back", got=[str(at) for at in miss_and_hit(noon)], want=[str(noon)] * 2,
          cause="the same moment in UTC is another time of day; isoformat() keeps the offset")
    naive = datetime(2026, 6, 19, 12)
    check("a datetime without an offset comes back without one", got=outcome(lambda: miss_and_hit(naive)), want=[naive, naive],
          cause="nobody said that it is UTC; isoformat() adds nothing")
    check("text that looks like a date stays text", got=miss_and_hit("2026-06-19T12:00:00+00:00"),
          want=["2026-06-19T12:00:00+00:00"] * 2, cause="mark what was a datetime instead of guessing by its looks")
    for answer in ([], False, True, 1, 1.5, "null", "None", {}):
        check(f"{answer!r} comes back as it was", got=miss_and_hit(answer), want=[answer, answer],
              cause="an empty answer is an answer, and text stays text")

# %% hidden="cached" points=1 topic="update while others read"
import redis
import stores

with task("2.2"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)
    prices = {"p7": 1249, "p8": 1249}

    def slow_change(product):
        before = prices[product]
        cached(r, f"price:{product}", lambda: before)      # a reader comes while the change is under way
        prices[product] = 749
        return "changed"

    cached(r, "price:p7", lambda: prices["p7"])
    for product in ("p7", "p8"):                           # one is in the cache before, the other is not
        check("update returns what change() returned", got=update(r, f"price:{product}", lambda: slow_change(product)), want="changed")
        check("after an update the new answer is loaded", got=cached(r, f"price:{product}", lambda: prices[product]), want=749,
              cause="delete the key after change(), not before: readers may keep the old answer in between")

    def broken():
        raise ConnectionError("the database is down")

    check("an error of change() reaches the caller", got=outcome(lambda: update(r, "price:p7", broken)),
          want=raises(ConnectionError))

# %% hidden="cached" points=1 topic="TTLs to the millisecond, round trips, and a load that fails" only_embedded="holds the clock still to look a millisecond before and after the end; real time does not wait"
import redis
import stores

with task("2.2"):
    server = stores.start("redis", embedded=True)
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    with server.clock.frozen():
        cached(r, "city:u5", lambda: "Lima", ttl=120)
        cached(r, "city:u6", lambda: None, ttl=120, none_ttl=7)
        server.clock.advance(6.999)
        check("None is kept until none_ttl", got=cached(r, "city:u6", lambda: "Oslo", none_ttl=7), want=None)
        server.clock.advance(0.002)
        check("None is loaded again 1 ms after none_ttl", got=cached(r, "city:u6", lambda: "Oslo", none_ttl=7), want="Oslo",
              cause="reading must not start the TTL again: a cache is no session")
        server.clock.advance(112.998)
        check("an answer is kept until ttl, and reading does not prolong it",
              got=cached(r, "city:u5", lambda: "Riga", ttl=120), want="Lima")
        server.clock.advance(0.002)
        check("an answer is loaded again after ttl", got=cached(r, "city:u5", lambda: "Riga", ttl=120), want="Riga")

    with server.record() as log:
        cached(r, "city:u7", lambda: "Turin")
    check("a miss takes two round trips", got=log.round_trips, want=2,
          cause="SET stores the value and its TTL in one command, with ex=; EXISTS is one question too many")
    check("the value never stands without its TTL", got=[c.name for c in log if c.name in ("EXPIRE", "PEXPIRE")], want=[])
    with server.record() as log:
        cached(r, "city:u7", lambda: "Turin")
    check("a hit takes one round trip", got=log.round_trips, want=1)

    def broken():
        raise ConnectionError("the database is down")

    check("an error of load() reaches the caller", got=outcome(lambda: cached(r, "city:u8", broken)), want=raises(ConnectionError))
    check("nothing is kept after a load that failed", got=r.exists("city:u8"), want=0)

# %% [markdown] task="2.3" name="load_once" minutes=20
# ### Let one reader load
#
# The page of the sale's product expires while hundreds of people read it. Each finds a miss, and the database gets hundreds of queries at once: a stampede.
#
# Write `load_once(r, key, load, ttl, wait=5.0)`. It returns the value kept under `key`. On a miss, **one** of all concurrent readers calls `load()`, keeps the result for `ttl`
# seconds (a whole number) and returns it; the others wait for that value.
#
# ```python
# load_once(r, "product:7", load=lambda: {"price_cents": 900}, ttl=60)   # → {"price_cents": 900}
# ```
#
# * Values are JSON. `None` is a value and is kept like any other.
# * The lock is the key `lock:<key>`. It expires after 10 seconds, in case its owner dies, and it is released as soon as its owner is done.
# * A reader releases only its own lock. Its load may take longer than 10 seconds, and the lock may be someone else's by then. It may change hands at any moment, also between two commands. A reader that has lost its lock returns what it loaded all the same; whether it also keeps it is up to you.
# * If `load()` raises, the error reaches its caller, nothing is kept, and the next reader may load at once.
# * A reader may miss first and get the lock only after another reader has loaded and released it. It finds the value then, and does not load again.
# * A reader waits at most `wait` seconds, then raises `TimeoutError`, however long each look takes. While it waits it looks for the value and for the lock about every 10 ms. A reader that loads itself never raises `TimeoutError`, however long its load takes.

# %% [markdown] hints="load_once"
# - Take the last `load_once` of the chapter. Two gaps are left: it waits for as long as somebody holds the lock, and it loads without looking once more after it has got the lock.
# - Waiting ends by the reader's own clock: `deadline = monotonic() + wait` before the loop, and a look at it before each `sleep(0.01)`.
# - After `r.set(f"lock:{key}", token, nx=True, ex=10)` has succeeded, `r.get(key)` again. If the value is there now, release the lock and return it. `try … finally` releases in every case.
# - Release with a Lua script, in one step: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end`. `r.eval(script, 1, f"lock:{key}", token)` runs it. `GET` and `DEL` as two commands leave a moment in between.

# %% answer="load_once"
def load_once(r, key, load, ttl, wait=5.0):
    """The value under `key`; of all readers that miss it, one calls `load()` and keeps the value for `ttl` seconds.

    wait   seconds to wait for the value of another reader at most; then TimeoutError
    """
    ### BEGIN SOLUTION
    lock, token = f"lock:{key}", secrets.token_hex(8)
    deadline = monotonic() + wait
    while (text := r.get(key)) is None:
        if r.set(lock, token, nx=True, ex=10):
            try:
                if (text := r.get(key)) is not None:
                    break
                value = load()
                r.set(key, json.dumps(value), ex=ttl)
                return value
            finally:
                r.eval(RELEASE, 1, lock, token)
        if monotonic() > deadline:
            raise TimeoutError(f"no value for {key} after {wait} s")
        sleep(0.01)
    return json.loads(text)


RELEASE = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        return redis.call('DEL', KEYS[1])
    end
    return 0
"""
### END SOLUTION

# %% check="load_once" points=2
import redis
import stores
from course.crowd import Stuck, readers

with task("2.3"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    with readers(20, server) as crowd:
        load = crowd.slow(lambda: {"price_cents": 900})
        pages = outcome(lambda: crowd.run(lambda r: load_once(r, "product:7", load, ttl=60)))
    check("20 readers get the page", got=pages, want=[{"price_cents": 900}] * 20,
          cause=lambda got: "your readers wait without end; do they find a value under the key?" if isinstance(got, Stuck) else "")
    check("20 readers of a cold key load it once", got=load.calls, want=1,
          cause="each reader that misses loads; only the one that wins the lock may")
    check("the page is kept for 60 seconds", got=r.ttl("product:7"), want=between(59, 60))
    check("the lock is released", got=r.exists("lock:product:7"), want=0, cause="who has loaded must delete the lock, and at once")

    with readers(5, server) as crowd:
        load = crowd.slow(lambda: None)
        crowd.run(lambda r: load_once(r, "product:999", load, ttl=60))
    check("None is loaded once as well", got=load.calls, want=1, cause="JSON keeps None as null; only None from r.get is a miss")

    def broken():
        raise LookupError("no such product")

    check("an error of load() reaches its caller", got=outcome(lambda: load_once(r, "product:8", broken, ttl=60)), want=raises(LookupError))
    check("after any error the lock is released", got=r.exists("lock:product:8"), want=0, cause="release the lock in `finally`")

# %% hidden="load_once" points=1 topic="what happens when the loader crashes, or dies" varies="a millisecond may pass before the TTL is read"
import redis
import stores
from course.crowd import readers

with task("2.3"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    def breaks_once():
        if load.calls == 1:
            raise ConnectionError("the database is down")
        return "the page"

    with readers(3, server) as crowd:
        load = crowd.slow(breaks_once)
        got = outcome(lambda: crowd.run(lambda r: load_once(r, "page:p3", load, ttl=60)))
    check("three readers come to an end", got=isinstance(got, list), want=True,
          cause="after the error of load() the others wait for a lock that nobody releases")
    check("one reader gets the error of load()", got=[it for it in got if isinstance(it, Exception)], want=[raises(ConnectionError)],
          cause="release the lock in `finally`, and keep nothing when load() raises")
    check("the next one loads, and all others get the page", got=[it for it in got if not isinstance(it, Exception)], want=["the page"] * 2)
    check("the database is asked twice", got=load.calls, want=2)
    check("no lock is left", got=r.exists("lock:page:p3"), want=0)

    seen = []
    load_once(r, "page:p4", lambda: seen.append(r.pttl("lock:page:p4")), ttl=60)
    check("the lock expires within 10 seconds if its owner dies", got=seen, want=[between(9_000, 10_000)],
          cause="SET with nx=True and ex=10, in one command")

# %% hidden="load_once" points=1 topic="a lock that someone else has by now"
from threading import Event, Thread

import redis
import stores
from course.crowd import race

with task("2.3"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    held = []

    def slower_than_the_lock():
        held.append(r.exists("lock:page:p7"))
        server.clock.advance(11)
        r.set("lock:page:p7", "somebody else", nx=True, ex=10)
        return "the page"

    load_once(r, "page:p7", slower_than_the_lock, ttl=60)
    check("a reader holds the lock while it loads", got=held, want=[1])
    check("a lock that someone else has taken stays", got=r.get("lock:page:p7"), want="somebody else",
          cause="put a token into the lock, and delete the lock only if your own token is in it")

    in_load, go_on = Event(), Event()

    def second_load():
        in_load.set()
        go_on.wait(2)
        return "the page"

    def first_load():
        server.clock.advance(11)
        second.start()
        in_load.wait(2)
        return "the page"

    second = Thread(target=lambda: outcome(lambda: load_once(r, "page:p6", second_load, ttl=60)), daemon=True)
    load_once(r, "page:p6", first_load, ttl=60)
    held = r.exists("lock:page:p6")
    go_on.set()
    second.join(2)
    check("a lock that another reader of the same program has taken stays", got=held, want=1,
          cause="every call needs a token of its own; the readers of one program share its process id")

    # The lock changes hands after 2, 3, 4, … commands of the reader.
    for step in range(2, 9):
        server.reset()
        race([lambda r: load_once(r, "page:p8", lambda: "the page", ttl=60, wait=0.03),
              lambda r: r.set("lock:page:p8", "somebody else", ex=10)], server, order="A" * step + "B", seconds=3)
        check("a lock that changes hands between two commands stays", got=r.get("lock:page:p8"), want="somebody else",
              cause="GET and DEL are two commands; a script compares and deletes in one")

# %% hidden="load_once" points=1 topic="a reader that gets the lock late"
import redis
import stores
from course.crowd import race

with task("2.3"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    calls = []

    def load():
        calls.append(1)
        return "the page"

    got = race([lambda r: load_once(r, "page:p9", load, ttl=60), lambda r: load_once(r, "page:p9", load, ttl=60)], server,
               order="A" + "B" * 20)
    check("both readers get the page", got=got, want=["the page"] * 2)
    check("a reader that missed early and gets the lock late does not load again", got=len(calls), want=1,
          cause="look once more after getting the lock: the value may have come meanwhile")
    check("a reader that gets the lock late releases it", got=r.exists("lock:page:p9"), want=0,
          cause="also a reader that finds the value after all has to release the lock that it got")

# %% hidden="load_once" points=1 topic="how long a reader waits, and what for" varies="a measured time"
from time import monotonic as now
from time import sleep

import redis
import stores
from course.crowd import race, readers

with task("2.3"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    r.set("lock:page:p2", "somebody else", ex=10)
    calls = []

    def load():
        calls.append(1)
        return "the page"

    start = now()
    with server.faults.delay(0.1, "GET"), readers(1, server, seconds=3) as crowd:     # so that waiting without end comes to an end
        got = outcome(lambda: crowd.run(lambda r: load_once(r, "page:p2", load, ttl=60, wait=0.2)))
    check("a reader that waits too long raises TimeoutError", got=got, want=[raises(TimeoutError)],
          cause=lambda got: "" if isinstance(got, list) else "it was still waiting after 3 seconds, with wait=0.2; the check stopped it")
    check("with wait=0.2 a reader gives up after about 0.2 seconds", got=now() - start, want=between(0.19, 1.5),
          cause="here each GET takes 0.1 seconds: ask a clock, do not count looks")
    check("a reader that gives up has not loaded", got=len(calls), want=0)
    check("a reader that gives up leaves the lock alone", got=r.get("lock:page:p2"), want="somebody else")
    server.clock.advance(11)
    check("when the lock has expired, a reader loads", got=outcome(lambda: load_once(r, "page:p2", load, ttl=60, wait=0.1)), want="the page")

    got = outcome(lambda: load_once(r, "page:p4", lambda: sleep(0.05) or "the page", ttl=60, wait=0.02))
    check("a reader that loads itself may take longer than wait", got=got, want="the page", cause="wait is for the value of others")

    r.set("lock:page:p5", "somebody else", ex=10)
    got = race([lambda r: load_once(r, "page:p5", load, ttl=60, wait=1), lambda r: r.set("page:p5", '"their page"')], server,
               order="AAAB")
    check("a reader finds the value while the lock is still held", got=got[0], want="their page",
          cause="whoever waits for the lock alone does not see that the value has come")

# %% [markdown] task="2.4" name="jitter" minutes=15
# ### Let the herd disperse
#
# Every night a job puts all product pages into the cache. With the same TTL they all expire together, and the database gets a wave of queries.
#
# Write two functions.
#
# `jittered(ttl, spread, rng)` returns a TTL in **whole milliseconds**, drawn evenly between `ttl · (1 - spread)` and `ttl · (1 + spread)`; `ttl` is in seconds.
#
# `store_all(r, pages, ttl, spread, rng)` stores every text of the dict `pages` under its key, each with a TTL drawn for it alone.
#
# ```python
# jittered(60, 0.2, random.Random(7))     # → an int from 48000 to 72000
# store_all(r, {"page:p1": "…", "page:p2": "…"}, ttl=60, spread=0.2, rng=random.Random(7))
# ```
#
# * All chance comes from `rng`, a `random.Random`: the same seed gives the same TTLs, and the module's own random numbers stay as they were.
# * Every whole number of the range can come out, both ends too, and near the ends about as often as in the middle. A bound that is no whole number of milliseconds may be rounded either way.
# * `spread=0` gives exactly `ttl`. A TTL is never less than 1 ms, which is the least that Redis accepts.
# * `ttl` may be a fraction of a second, such as 0.5.
# * `ValueError` unless `ttl` is more than 0 and `0 <= spread < 1`.
# * `store_all` takes one round trip for any number of pages, and none for an empty dict. No page is ever without a TTL.

# %% [markdown] hints="jitter"
# - `rng.randint(low, high)` takes whole numbers and can draw both of them. In which unit?
# - `r.set(key, text, px=…)` takes milliseconds, as an `int`. Multiply by 1000 before you round; rounding to seconds first would put many pages into the same moment.
# - `with r.pipeline() as pipeline:` and a `pipeline.set(..., px=jittered(ttl, spread, rng))` for each page; then `pipeline.execute()`. Where must `jittered` be called, so that each page has its own TTL?

# %% answer="jitter"
def jittered(ttl, spread, rng):
    """A TTL in whole milliseconds, drawn evenly between ttl * (1 - spread) and ttl * (1 + spread) seconds, at least 1 ms.

    Raises ValueError unless ttl > 0 and 0 <= spread < 1.
    """
    ### BEGIN SOLUTION
    if ttl <= 0 or not 0 <= spread < 1:
        raise ValueError(f"expected ttl > 0 and 0 <= spread < 1, got ttl={ttl} and spread={spread}")
    low, high = round(1000 * ttl * (1 - spread)), round(1000 * ttl * (1 + spread))
    return max(1, rng.randint(low, high))
    ### END SOLUTION


def store_all(r, pages, ttl, spread, rng):
    """Store each text of the dict `pages` under its key, with a jittered TTL of its own, in one round trip."""
    ### BEGIN SOLUTION
    with r.pipeline() as pipeline:
        for key, text in pages.items():
            pipeline.set(key, text, px=jittered(ttl, spread, rng))
        pipeline.execute()
    ### END SOLUTION

# %% check="jitter" points=2 varies="TTLs are drawn at random"
import random

import redis
import stores

with task("2.4"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    rng = random.Random(7)
    draws = [jittered(60, 0.2, rng) for _ in range(2000)]
    check("a TTL is a whole number of milliseconds", got=type(draws[0]), want=int, cause="Redis refuses a float; round it")
    check("no TTL is shorter than 48 s", got=min(draws), want=between(48_000, 48_600), cause="shorter and longer, in milliseconds")
    check("no TTL is longer than 72 s", got=max(draws), want=between(71_400, 72_000), cause="shorter and longer, in milliseconds")
    check("without spread the TTL is exact", got=jittered(60, 0, rng), want=60_000)

    pages = {f"page:p{n}": f"page {n}" for n in range(1, 121)}
    with server.record() as log:
        store_all(r, pages, ttl=60, spread=0.2, rng=rng)
    check("all pages are stored", got=dict(zip(pages, r.mget(list(pages)))), want=pages)
    check("120 pages take one round trip", got=log.round_trips, want=1, cause="a pipeline sends all commands together")
    with r.pipeline() as pipeline:
        for key in pages:
            pipeline.pttl(key)
        tenths = {ttl // 100 for ttl in pipeline.execute()}
    check("their TTLs end in many different tenths of a second", got=len(tenths), want=between(70, 120),
          cause="draw a TTL for each page, not one for all, and in milliseconds, not in whole seconds")

# %% hidden="jitter" points=1 topic="how evenly the TTLs are spread, whole seconds apart and less"
import random

with task("2.4"):
    rng = random.Random(11)
    draws = [jittered(100, 0.5, rng) for _ in range(20_000)]
    tenths = [0] * 10
    for ttl in draws:
        tenths[min(9, max(0, int(ttl) - 50_000) // 10_000)] += 1
    check("each tenth of the range gets about a tenth of the TTLs", got=[round(count / 20_000, 1) for count in tenths], want=[0.1] * 10,
          cause="draw evenly, with one draw and in milliseconds: no sum of draws, no bell curve")
    check("TTLs do not fall on whole seconds", got=len({ttl % 1000 for ttl in draws}), want=between(900, 1000),
          cause="multiply by 1000 before rounding")
    small = [jittered(0.5, 0.2, rng) for _ in range(1000)]
    check("half a second is spread as well", got=[min(small), max(small)], want=[between(400, 410), between(590, 600)])
    tiny = {jittered(0.010, 0.2, rng) for _ in range(1000)}
    check("every TTL from 8 to 12 ms comes out", got=tiny, want={8, 9, 10, 11, 12}, cause="randrange never draws its upper end; randint does")
    check("a TTL is at least 1 ms", got=min(jittered(0.001, 0.9, rng) for _ in range(100)), want=1)

# %% hidden="jitter" points=1 topic="the random numbers that are used, wrong arguments, and storing nothing"
import random

import redis
import stores

with task("2.4"):
    server = stores.start("redis")
    server.reset()
    r = redis.Redis(host=server.host, port=server.port, decode_responses=True)

    before = random.getstate()
    same = [[jittered(60, 0.2, rng) for _ in range(5)] for rng in (random.Random(3), random.Random(3))]
    check("the same seed gives the same TTLs", got=same[0], want=same[1], cause="draw from `rng`, not from the module `random`")
    check("the module's own random numbers stay as they were", got=random.getstate() == before, want=True,
          cause="draw from `rng`; do not call random.seed")
    for ttl, spread in ((0, 0.1), (-1, 0.1), (60, 1), (60, -0.1)):
        check(f"ttl={ttl} and spread={spread} are refused", got=outcome(lambda: jittered(ttl, spread, random.Random(3))),
              want=raises(ValueError))
    with server.record() as log:
        store_all(r, {}, 60, 0.2, random.Random(3))
    check("storing nothing takes no round trip", got=log.round_trips, want=0)
    with server.record() as log:
        store_all(r, {"a": "1", "b": "2", "c": "3"}, 60, 0.2, random.Random(3))
    check("no page is without a TTL for a moment", got=[c.name for c in log if c.name in ("EXPIRE", "PEXPIRE", "MSET")], want=[],
          cause="SET takes the TTL with px=")

# %% [markdown] task="2.5" name="eviction" minutes=15
# ### Who has to leave?
#
# Before the shop buys memory, it wants to know what a cache of so many keys would do. You replay a list of requests through a model of the cache.
#
# Write `lru(requests, capacity)` and `lfu(requests, capacity)`. Each returns a tuple: the number of hits, and the list of evicted keys in the order in which they left.
#
# A request for a key that is in the cache is a hit. Any other is a miss and stores the key; if the cache is full, a key is evicted first.
#
# * `lru` evicts the key that was requested longest ago.
# * `lfu` evicts the key that was requested least often since it was last stored; storing counts as one request. Of several such keys the one that was requested longest ago leaves.
#
# ```python
# lru(["a", "b", "a", "c", "b"], capacity=2)    # → (1, ["b", "a"])
# lfu(["a", "b", "a", "c", "b"], capacity=2)    # → (1, ["b", "c"])
# ```
#
# * With capacity 0 every request is a miss, and nothing is stored or evicted.
# * Keys are any values that a dict accepts: `None`, `0` and `""` too.
# * A key that comes back after it was evicted starts to count from one.
# * The list `requests` is not changed.

# %% [markdown] hints="eviction"
# - A dict keeps its keys in the order in which they were put in. Who stands first, if every hit takes its key out and puts it in again?
# - `lru`: on a hit `del cache[key]` and `cache[key] = True`; when it is full, the first key is `next(iter(cache))`.
# - `lfu`: keep the counts as values, in the same order as for `lru`. `min(cache, key=cache.get)` gives the first of the keys with the lowest count, and the order breaks the tie.
# - `if not capacity: return 0, []` at the beginning saves you from evicting out of an empty cache. Ask `key in cache`, never whether a value is true.

# %% answer="eviction"
def lru(requests, capacity):
    """Replay `requests` through a cache of `capacity` keys that evicts the least recently used: (hits, evicted keys)."""
    ### BEGIN SOLUTION
    return _replay(requests, capacity, lambda counts: next(iter(counts)))
    ### END SOLUTION


def lfu(requests, capacity):
    """The same for the least frequently used key; of several, the one used longest ago."""
    ### BEGIN SOLUTION
    return _replay(requests, capacity, lambda counts: min(counts, key=counts.get))


def _replay(requests, capacity, victim):
    """`victim` chooses from a dict of key → number of requests, in the order of the last request."""
    if capacity == 0:
        return 0, []
    counts, hits, evicted = {}, 0, []
    for key in requests:
        if key in counts:
            hits += 1
        elif len(counts) == capacity:
            evicted.append(victim(counts))
            del counts[evicted[-1]]
        counts[key] = counts.pop(key, 0) + 1     # taken out and put in again: now it is the last
    return hits, evicted
    ### END SOLUTION

# %% check="eviction" points=1
with task("2.5"):
    check("lru on the example", got=lru(["a", "b", "a", "c", "b"], 2), want=(1, ["b", "a"]),
          cause="a hit makes a key recent: c pushes out b, not a")
    check("lru with room for three", got=lru(list("abcabdaebf"), 3), want=(3, ["c", "b", "d", "a"]),
          cause="first in, first out would evict a first; a hit must move its key to the end")
    check("lru where everything fits", got=lru(list("abcabc"), 3), want=(3, []))

# %% check="eviction" points=1
with task("2.5"):
    check("lfu on the example", got=lfu(["a", "b", "a", "c", "b"], 2), want=(1, ["b", "c"]),
          cause="a has two requests, b and c have one each")
    check("lfu keeps what is popular", got=lfu(list("aaabcdea"), 2), want=(3, ["b", "c", "d"]))

# %% hidden="eviction" points=1 topic="capacity 0 and 1, and keys that are false"
with task("2.5"):
    for policy in (lru, lfu):
        name = policy.__name__
        check(f"{name} with capacity 0", got=outcome(lambda: policy(list("aab"), 0)), want=(0, []),
              cause="a cache without room stores nothing, so it evicts nothing")
        check(f"{name} with capacity 1", got=policy(list("aabba"), 1), want=(2, ["a", "b"]))
        check(f"{name} without requests", got=outcome(lambda: policy([], 5)), want=(0, []))
        check(f"{name} with keys that are false", got=policy([None, 0, "", None, 0, ""], 3), want=(3, []),
              cause="ask `key in cache`, not whether something is true")
        check(f"{name} evicts keys that are false too", got=policy([0, "", None, 0], 2), want=(0, [0, ""]),
              cause="a key that is false can be the one that leaves")
        requests = list("abcabc")
        policy(requests, 2)
        check(f"{name} leaves the requests as they were", got=requests, want=list("abcabc"))

# %% hidden="eviction" points=1 topic="ties, and keys that come back"
with task("2.5"):
    check("of several least frequent keys the one used longest ago leaves", got=lfu(list("abbacd"), 2), want=(2, ["b", "c"]),
          cause="a and b have two requests each, and b was used longer ago than a")
    check("a key that comes back counts from one", got=lfu(list("aaabbbbcaacab"), 2), want=(7, ["a", "c", "a", "c"]),
          cause="forget the count of a key when it leaves")

# %% hidden="eviction" points=1 topic="a month of traffic"
from course import shopstream

with task("2.5"):
    views = [event.product_id for event in shopstream.load().of_type("view")][:3000]

    def by_definition(rank, capacity):
        uses, hits, evicted = {}, 0, []     # key → the moments of its requests since it was stored
        for moment, key in enumerate(views):
            hits += key in uses
            if key not in uses and len(uses) == capacity:
                evicted.append(min(uses, key=lambda other: rank(uses[other])))
                del uses[evicted[-1]]
            uses.setdefault(key, []).append(moment)
        return hits, evicted

    for policy, rank in ((lru, lambda moments: moments[-1]), (lfu, lambda moments: (len(moments), moments[-1]))):
        got, want = policy(views, 12), by_definition(rank, 12)
        check(f"{policy.__name__} counts the hits of 3,000 views", got=got[0], want=want[0])
        check(f"{policy.__name__} evicts the same keys in the same order", got=got[1], want=want[1])
