# ---
# title: "Exercises: documents"
# minutes: 115
# summary: An insert that may be repeated, buckets, a migration that may be interrupted, a save that loses nothing, and a log that forgets.
# ---

# %% [markdown]
# # Exercises: documents
#
# Five parts of the shop, built on [chapter 05](../../notebooks/05_documents.ipynb). They do not depend on each other, so you can start anywhere.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("5.1")` in a new cell, with the number of your task.
#
# The checks make their own clients and empty the server before they start. In your functions use the collection or database that they are given.

# %%
import copy
import time
from datetime import UTC, datetime, timedelta

import stores
from course import shopstream
from course.check import hint
from course.shopstream import Event
from pymongo import ASCENDING, DESCENDING, MongoClient, ReplaceOne, ReturnDocument, UpdateOne
from pymongo.errors import AutoReconnect, BulkWriteError, CollectionInvalid, DuplicateKeyError

server = stores.start("mongodb")
client = MongoClient(server.host, server.port, tz_aware=True)
shop = shopstream.load()
server

# %% [markdown] task="5.1" name="insert_event" minutes=25
# ### An insert that may be repeated
#
# Events reach the database over a network that fails, from a queue that delivers some of them twice. Every event must be stored once, and whoever stores it must learn the truth.
#
# `insert_event(collection, event, retries=3, sleep=time.sleep)` stores a shopstream `Event` in the form of `event.for_mongodb()`. It returns
#
# * `True` if this call stored the event,
# * `False` if the very same event was there before.
#
# ```python
# event = shop.events[0]
# insert_event(db.events, event)      # → True
# insert_event(db.events, event)      # → False
# ```
#
# * An error that may not come again (`AutoReconnect` and what is derived from it) is followed by another attempt, at most `retries` times. Before the first of them call `sleep(0.1)`, before the second `sleep(0.2)`, and so on:
#   twice as long each time, but never longer than 2 seconds. When no attempt is left, the error reaches the caller.
#   Attempts are inserts: what becomes of an error while you *read* is up to you.
# * Any other error reaches the caller at once.
# * The connection may break after the server has stored the event. If an attempt failed and the next one finds the very same event there, it is taken for the one that this call stored.
# * If another event has that id, raise `ValueError`, and leave what is stored as it is. Events differ if any of their fields does.
# * The collection may have other unique indexes. A `DuplicateKeyError` of one of those means that the event is not stored: it reaches the caller as it is.
# * The last two hold after a failed attempt, too: a duplicate that you meet then need not be your own.
# * `retries=0` means one attempt. Less than 0 is a `ValueError`, and nothing is sent.
# * The client may have been made with or without `tz_aware=True`. `Event.from_mongodb(document)` reads either, and two `Event` are equal if all their fields are.

# %% [markdown] hints="insert_event"
# - Three kinds of errors, three `except` branches or none: what does each of `DuplicateKeyError`, `AutoReconnect` and any other mean here?
# - `for attempt in range(retries + 1)`: the pause after attempt 0 is 0.1, after attempt 1 it is 0.2. That is `min(2, 0.1 * 2 ** attempt)`. After the last attempt there is no pause.
# - At a `DuplicateKeyError`, read `collection.find_one({"_id": …})`. No document: the error came from another index, so `raise`. Another event: `ValueError`. The same: `attempt > 0` tells `True` from `False`.

# %% answer="insert_event"
def insert_event(collection, event, retries=3, sleep=time.sleep):
    """Store `event` (an Event) once. True if this call stored it, False if it was there before.

    Raises ValueError if another event has its id, or retries < 0; and whatever error remains after the last attempt.
    """
    ### BEGIN SOLUTION
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, found {retries}")
    document = event.for_mongodb()
    for attempt in range(retries + 1):
        try:
            collection.insert_one(document)
            return True
        except DuplicateKeyError:
            stored = collection.find_one({"_id": document["_id"]})
            if stored is None:
                raise                        # another unique index refused it
            if Event.from_mongodb(stored) != event:
                raise ValueError(f"another event has the id {document['_id']}") from None
            return attempt > 0               # after a failed attempt it is our own
        except AutoReconnect:
            if attempt == retries:
                raise
            sleep(min(2, 0.1 * 2 ** attempt))
    ### END SOLUTION

# %% check="insert_event" points=2
import stores
from course import shopstream
from pymongo import MongoClient

with task("5.1"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, retryWrites=False).shop.events
    first, second = shopstream.load().traps["same_millisecond"].where[0]

    check("a new event is stored", got=insert_event(events, first), want=True)
    aware = MongoClient(server.host, server.port, tz_aware=True).shop.events
    check("it is stored as for_mongodb() has it", got=aware.find_one(), want=first.for_mongodb())
    check("the same event again is False", got=insert_event(events, first), want=False)
    check("another event of the same user and millisecond is stored too", got=insert_event(events, second), want=True,
          cause="the id must be that of the event, not made of user and time")
    check("there are two events", got=events.count_documents({}), want=2)

    events.delete_many({})
    pauses = []
    with server.faults.transient("insert", times=2), server.record() as log:
        got = outcome(lambda: insert_event(events, first, sleep=pauses.append))
    check("two failures are followed by a third attempt", got=[got, log.count("insert")], want=[True, 3])
    check("it waited before each new attempt", got=[round(float(pause), 6) for pause in pauses], want=[0.1, 0.2])

# %% check="insert_event" points=1
import stores
from course import shopstream
from pymongo import MongoClient

with task("5.1"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, retryWrites=False).shop.events
    event = shopstream.load().events[7]

    with server.faults.drop_reply("insert"):
        got = outcome(lambda: insert_event(events, event, sleep=lambda seconds: None))
    check("a lost reply is not a lost event: this call stored it", got=got, want=True,
          cause="the first attempt stored it before the connection broke; the duplicate that the second one meets is its own")
    check("it is stored once", got=events.count_documents({}), want=1)

# %% hidden="insert_event" points=1 topic="errors that do not go away by trying, and the last of those that might"
import stores
from course import shopstream
from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

with task("5.1"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, retryWrites=False).shop
    event = shopstream.load().events[11]
    pauses = []

    db.create_collection("strict", validator={"quantity": {"$gt": 1000}})
    with server.record() as log:
        got = outcome(lambda: insert_event(db.strict, event, sleep=pauses.append))
    check("what a validator refuses reaches the caller", got=got, want=raises(OperationFailure))
    check("it is not tried again", got=[log.count("insert"), pauses], want=[1, []],
          cause="only AutoReconnect is worth another attempt")

    with server.faults.transient("insert", times=None), server.record() as log:
        got = outcome(lambda: insert_event(db.events, event, retries=6, sleep=pauses.append))
    check("the last error reaches the caller", got=got, want=raises(AutoReconnect))
    check("retries=6 are seven attempts", got=log.count("insert"), want=7)
    check("no pause is longer than 2 seconds, and none follows the last attempt",
          got=[round(float(pause), 6) for pause in pauses], want=[0.1, 0.2, 0.4, 0.8, 1.6, 2.0])

    with server.faults.transient("insert", times=None), server.record() as log:
        got = outcome(lambda: insert_event(db.events, event, retries=0, sleep=pauses.append))
    check("retries=0 is one attempt, and its error reaches the caller", got=[got, log.count("insert")], want=[raises(AutoReconnect), 1])
    with server.record() as log:
        got = outcome(lambda: insert_event(db.events, event, retries=-1))
    check("retries=-1 is a ValueError, and nothing is sent", got=[got, log.count("insert")], want=[raises(ValueError), 0])

# %% hidden="insert_event" points=1 topic="ids and unique indexes that belong to somebody else, also after a failed attempt"
import dataclasses
from datetime import timedelta

import stores
from course import shopstream
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError

with task("5.1"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, retryWrites=False, tz_aware=True).shop
    event, other = shopstream.load().events[20:22]
    impostor = dataclasses.replace(other, event_id=event.event_id)

    insert_event(db.events, event)
    check("another event with the same id is a ValueError", got=outcome(lambda: insert_event(db.events, impostor)), want=raises(ValueError),
          cause="a DuplicateKeyError says that the id is taken, not by whom: compare what is stored")
    changes = {"user_id": "u999", "session_id": "s999", "product_id": "p999", "quantity": event.quantity + 1,
               "timestamp": event.timestamp + timedelta(milliseconds=1), "details": {**event.details, "note": "changed"}}
    for name, value in changes.items():
        nearly = dataclasses.replace(event, event_id=event.event_id, **{name: value})
        check(f"an event with the same id that differs in {name} only is a ValueError", got=outcome(lambda: insert_event(db.events, nearly)), want=raises(ValueError),
              cause="two Event are equal if all their fields are: compare Event.from_mongodb(stored) with the event")
    check("what was stored stays", got=shopstream.Event.from_mongodb(db.events.find_one()) == event, want=True)
    check("with a client that is tz_aware the same event is False too", got=insert_event(db.events, event), want=False)

    db.one_a_session.create_index("session_id", unique=True)
    db.one_a_session.insert_one({"_id": "another", "session_id": other.session_id})
    check("a DuplicateKeyError of another unique index reaches the caller",
          got=outcome(lambda: insert_event(db.one_a_session, other)), want=raises(DuplicateKeyError),
          cause="the event is not there: find_one by its id gives None")

    # Once more, after an attempt that failed and stored nothing.
    with server.faults.transient("insert", times=1), server.faults.transient("update", times=1):
        got = outcome(lambda: insert_event(db.events, impostor, sleep=lambda seconds: None))
    check("after a failed attempt another event with the same id is a ValueError too", got=got, want=raises(ValueError),
          cause="a failed attempt may have stored nothing, so a duplicate need not be your own: read it, whichever attempt it was")
    with server.faults.transient("insert", times=1), server.faults.transient("update", times=1):
        got = outcome(lambda: insert_event(db.one_a_session, other, sleep=lambda seconds: None))
    check("after a failed attempt a DuplicateKeyError of another unique index reaches the caller too", got=got, want=raises(DuplicateKeyError),
          cause="the event is not there, so no attempt of yours has stored it")

# %% [markdown] task="5.2" name="buckets" minutes=30
# ### Buckets
#
# Keep the events of each user in buckets: documents with at most `limit` events. Write three functions; `buckets` is a collection.
#
# | | |
# |---|---|
# | `prepare(buckets)` | makes the indexes that you need; called once, before anything else, and again after a restart |
# | `store(buckets, event, limit=50)` | stores an `Event`; `True`, or `False` if that event is in a bucket already |
# | `latest(buckets, user_id, n)` | the user's `n` newest events, as documents in the form of `event.for_mongodb()`, newest first; of two with the same timestamp the one with the larger `_id` first |
#
# ```python
# prepare(db.buckets)
# for event in shop.events_of("u17"):       # 45 events
#     store(db.buckets, event, limit=20)
# [len(bucket["events"]) for bucket in db.buckets.find()]       # → [20, 20, 5]
# latest(db.buckets, "u17", 2)              # → [{"_id": …, "event_type": …}, {…}]
# ```
#
# * A bucket has the fields `user_id` and `events`, a list of documents in the form of `event.for_mongodb()`. What else it has is up to you.
# * A new bucket begins only when every bucket of the user holds `limit` events. `limit` is 1 or more, and may grow: a bucket of 20 events is open for `limit=50`.
# * `store` sends one write, and no reads, so that two servers may store at the same time. (It may send one more command for a duplicate. That two upserts may race and leave the user with two open buckets
#   is no fault here: nothing is lost by it.)
# * Only a duplicate is `False`. Any other error reaches the caller; trying again is the driver's business.
# * Some events arrive late, or twice. A late event goes into the open bucket like any other, so a bucket may hold an event that is older than all of the bucket before. The same event may come again when its bucket has long been full.
# * `latest` reads few documents: for a user with many buckets whose events arrived in order, and `n` up to `limit`, at most 4. It does not read the other users' buckets.
# * A user without events has no latest ones: `[]`. So does `n=0`.

# %% [markdown] hints="buckets"
# - Start with `add_to_bucket` of the chapter. Which index lets the server find the buckets of one user, newest first?
# - For duplicates: an index may be unique over `events._id`. It compares documents with each other, not the events inside one document; so the filter of the update must also say that the open bucket does not hold this event: `"events._id": {"$ne": …}`. What does the upsert do then?
# - If the open bucket holds it already, the upsert tries to make a new bucket with it, and the unique index refuses: a `DuplicateKeyError`, which is your `False`.
# - `latest`: read the buckets by `last`, newest first. When do you have enough? Not when you hold `n` events, but when the next bucket's `last` is older than the n-th of them.
# - A cursor fetches up to 101 documents at first, whether you read them or not. `.batch_size(2)` makes it fetch two.

# %% answer="buckets"
def prepare(buckets):
    """Make the indexes that store and latest need. May be called again."""
    ### BEGIN SOLUTION
    buckets.create_index([("user_id", ASCENDING), ("last", DESCENDING)])
    buckets.create_index("events._id", unique=True)
    ### END SOLUTION


def store(buckets, event, limit=50):
    """Put `event` (an Event) into its user's open bucket, or a new one. False if it is in a bucket already."""
    ### BEGIN SOLUTION
    document = event.for_mongodb()
    try:
        buckets.update_one(
            # Not the bucket that holds it: then the upsert makes a new one, which the unique index refuses.
            {"user_id": event.user_id, "count": {"$lt": limit}, "events._id": {"$ne": document["_id"]}},
            {"$push": {"events": document}, "$inc": {"count": 1}, "$max": {"last": document["timestamp"]}},
            upsert=True,
        )
    except DuplicateKeyError:
        return False
    return True
    ### END SOLUTION


def latest(buckets, user_id, n):
    """The user's n newest events as a list of documents, newest first; ties by _id, the larger first."""
    ### BEGIN SOLUTION
    newest = []
    if n > 0:
        for bucket in buckets.find({"user_id": user_id}).sort("last", DESCENDING).batch_size(2):
            if len(newest) == n and bucket["last"] < newest[-1]["timestamp"]:
                break
            newest += bucket["events"]
            newest.sort(key=lambda event: (event["timestamp"], event["_id"]), reverse=True)
            del newest[n:]
    return newest
    ### END SOLUTION

# %% check="buckets" points=2
import stores
from course import shopstream
from pymongo import MongoClient

with task("5.2"):
    server = stores.start("mongodb")
    server.reset()
    buckets = MongoClient(server.host, server.port, tz_aware=True).shop.buckets
    events = shopstream.load().events_of("u17")

    prepare(buckets)
    with server.record() as log:
        stored = [store(buckets, event, limit=20) for event in events]
    check("every event is stored", got=[stored[0], sum(stored)], want=[True, 45])
    sent = {name: log.count(name) for name in ("insert", "update", "delete", "findAndModify", "bulkWrite", "find", "aggregate", "count", "distinct")}
    check("store sends one command", got=sum(sent.values()), want=45, cause="an update with upsert=True finds the bucket or makes it")
    check("no bucket holds more than 20", got=sorted(len(bucket["events"]) for bucket in buckets.find()), want=[5, 20, 20])
    check("nothing is lost or changed",
          got=sorted(event["_id"] for bucket in buckets.find() for event in bucket["events"]),
          want=sorted(str(event.event_id) for event in events))
    check("the two latest come newest first", got=latest(buckets, "u17", 2), want=[event.for_mongodb() for event in (events[-1], events[-2])])
    check("the same event again is False", got=store(buckets, events[-1], limit=20), want=False)
    check("and is not stored again", got=sum(len(bucket["events"]) for bucket in buckets.find()), want=45)

# %% hidden="buckets" points=1 topic="late events and the buckets that they go into, ties, and users with few events or none"
import dataclasses
from datetime import timedelta

import stores
from course import shopstream
from pymongo import MongoClient

with task("5.2"):
    server = stores.start("mongodb")
    server.reset()
    buckets = MongoClient(server.host, server.port, tz_aware=True).shop.buckets
    events = shopstream.load().events_of("u45")[:30]
    order = [*range(4, 14), 20, 3, 2, 15, 14, 19, 1, 16, 18, 0, 17]       # 20 comes early, 3, 2, 1 and 0 come late

    prepare(buckets)
    for place in order:
        store(buckets, events[place], limit=4)
    check("late events go into the open bucket: five buckets are full, and one event is in the sixth", got=sorted(len(bucket["events"]) for bucket in buckets.find()),
          want=[1, 4, 4, 4, 4, 4], cause="whichever moment an event has, it goes into a bucket that is not full")
    newest = sorted(events[:21], key=lambda event: (event.timestamp, str(event.event_id)), reverse=True)
    for n in (1, 3, 4, 5, 9, 21, 50):
        check(f"the latest {n} are the newest ones, whichever bucket they are in",
              got=[event["_id"] for event in latest(buckets, "u45", n)], want=[str(event.event_id) for event in newest[:n]],
              cause="a bucket that was begun earlier may hold a newer event; go on until the next bucket's newest is older than all you have")
    check("a user without events has none", got=[latest(buckets, "u13", 5), latest(buckets, "u45", 0)], want=[[], []])

    twins = [dataclasses.replace(events[0], product_id=f"p{n}", event_id=None, timestamp=events[-1].timestamp + timedelta(days=1)) for n in range(1, 8)]
    for event in twins:
        store(buckets, event, limit=2)
    check("of events in one millisecond the larger _id comes first, across buckets",
          got=[event["_id"] for event in latest(buckets, "u45", 3)], want=sorted((str(event.event_id) for event in twins), reverse=True)[:3],
          cause="stop only when the next bucket's newest event is older, not when it is as old")

# %% hidden="buckets" points=1 topic="duplicates of events in full buckets, a second prepare, limits of 1 and limits that grow, and errors that are no duplicates"
import stores
from course import shopstream
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

with task("5.2"):
    server = stores.start("mongodb")
    server.reset()
    buckets = MongoClient(server.host, server.port, retryWrites=False).shop.buckets
    more = shopstream.load().events_of("u31")[:13]
    events = more[:10]

    prepare(buckets)
    for event in events:
        store(buckets, event, limit=3)
    prepare(buckets)
    check("a second prepare keeps every event", got=sum(len(bucket["events"]) for bucket in buckets.find()), want=10)
    check("an event of a full bucket that comes again is False", got=[store(buckets, event, limit=3) for event in events], want=[False] * 10,
          cause="$ne looks into the open bucket only; a unique index on events._id looks into all")
    check("there are still ten events", got=sum(len(bucket["events"]) for bucket in buckets.find()), want=10)
    check("in four buckets", got=sorted(len(bucket["events"]) for bucket in buckets.find()), want=[1, 3, 3, 3])
    check("with a larger limit three more events are stored", got=[store(buckets, event, limit=13) for event in more[10:]], want=[True] * 3)
    check("and need no new bucket", got=buckets.count_documents({}), want=4, cause="a bucket is open as long as it holds fewer events than the limit of this call")
    buckets.delete_many({})
    with server.faults.transient("update", times=1), server.faults.transient("findAndModify", times=1), server.faults.transient("insert", times=1):
        got = outcome(lambda: store(buckets, events[0], limit=3))
    check("an error that is no duplicate reaches the caller", got=got, want=raises(AutoReconnect), cause="catch DuplicateKeyError, and nothing else")

    buckets.delete_many({})
    check("a limit of 1 stores each event too", got=[store(buckets, event, limit=1) for event in events], want=[True] * 10)
    check("in a bucket of its own", got=[len(bucket["events"]) for bucket in buckets.find()], want=[1] * 10)

# %% hidden="buckets" points=1 topic="how many documents are read"
import stores
from course import shopstream
from pymongo import MongoClient

with task("5.2"):
    server = stores.start("mongodb")
    server.reset()
    buckets = MongoClient(server.host, server.port, tz_aware=True).shop.buckets
    shop = shopstream.load()

    prepare(buckets)
    for event in [*shop.events_of("u23")[:200], *shop.events_of("u142")[:5]]:
        store(buckets, event, limit=8)
    with server.record() as log:
        got = [event["_id"] for event in latest(buckets, "u23", 8)]
    check("the latest 8 of 200 are right", got=got, want=[str(event.event_id) for event in reversed(shop.events_of("u23")[192:200])])
    check("and reading them examines at most 4 documents", got=log.documents_examined, want=between(1, 4),
          cause="an index on user_id and the newest moment gives the buckets in order; a small batch_size, or a limit, keeps the cursor from reading ahead")
    with server.record() as log:
        latest(buckets, "u142", 5)
    check("of a user with one bucket it reads no other user's", got=log.documents_examined, want=between(1, 2))

# %% [markdown] task="5.3" name="split_reviews" minutes=25
# ### Out of the product
#
# For years the shop has kept reviews inside its products. Some products have thousands now, and their pages read all of them. Move the reviews to a collection of their own.
#
# ```python
# # before
# db.products:  {"_id": "p7", "name": "Copper Kettle", "reviews": [{"user_id": "u17", "stars": 5, "text": "…", "at": datetime(…)}, …]}
# split_reviews(db)
# # after
# db.products:  {"_id": "p7", "name": "Copper Kettle", "review_count": 12, "latest_reviews": [{"user_id": "u46", "stars": 4, …}, …]}
# db.reviews:   {"_id": "p7:u17", "product_id": "p7", "user_id": "u17", "stars": 5, "text": "…", "at": datetime(…)}, …
# ```
#
# * Afterwards no product has the field `reviews`; every product has `review_count` and `latest_reviews`. All other fields are not yours: others may change them while you run.
# * `latest_reviews` holds the three newest reviews, as they were embedded: without `_id` and `product_id`. Newest first; of two from the same moment the one with the smaller `user_id` first.
# * A product without reviews, or with an empty list, gets a count of 0 and `[]`.
# * A user reviews a product once. So `<product_id>:<user_id>` is the id of a review.
# * The shop stays open. Programs may push more reviews into a product at any moment, also the first one into a product that has none, and none may be lost; try as often as it takes. They may even do so after the field is gone, and make the field again: then the next run moves this one too, and the count grows.
# * Your program may be killed between any two commands, and run again: the result is the same. Only one runs at a time.
# * It sends at most 8 commands for each product that it moves, however many reviews there are, and 4 more in all. (Commands that it repeats because of a push do not count.)
#   A run with nothing to do sends no writes. Making indexes is no write, and they are not asked for.

# %% [markdown] hints="split_reviews"
# - Which order is safe: first insert into `reviews` and then remove from the product, or the other way round? Think of the program killed between the two.
# - Killed after the insert, the next run inserts the same reviews again. `ReplaceOne({"_id": …}, document, upsert=True)` in one `bulk_write` does not mind.
# - To lose nothing, remove the field only if it is still what you read: the filter `{"_id": product["_id"], "reviews": product["reviews"]}` compares the whole list. `matched_count == 0` says that somebody was there; read the product again.
# - Do not count what you moved: count what is in `db.reviews` for that product, and read the latest three from there. Then a second run is right too.
# - A product without the field: `"reviews": {"$exists": False}` is its unchanged state.

# %% answer="split_reviews"
def split_reviews(db):
    """Move the embedded reviews of db.products to db.reviews, as the task describes. May be interrupted and run again."""
    ### BEGIN SOLUTION
    to_move = {"$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]}
    while (product := db.products.find_one(to_move, {"reviews": True})) is not None:
        reviews = product.get("reviews", [])
        _copy(db, product["_id"], reviews)
        summary = {"review_count": db.reviews.count_documents({"product_id": product["_id"]}),
                   "latest_reviews": _latest(db, product["_id"])}
        # If somebody pushed a review meanwhile, nothing matches, and the next round reads it.
        unchanged = product["reviews"] if "reviews" in product else {"$exists": False}
        db.products.update_one({"_id": product["_id"], "reviews": unchanged}, {"$set": summary, "$unset": {"reviews": ""}})


def _copy(db, product_id, reviews):
    """Write the reviews under ids that follow from them: writing them again changes nothing."""
    if reviews:
        documents = [{"_id": f"{product_id}:{review['user_id']}", "product_id": product_id, **review} for review in reviews]
        db.reviews.bulk_write([ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents], ordered=False)


def _latest(db, product_id):
    """The product's three newest reviews, without what embedding makes superfluous."""
    return list(db.reviews.find({"product_id": product_id}, {"_id": False, "product_id": False})
                .sort([("at", DESCENDING), ("user_id", ASCENDING)]).limit(3))
    ### END SOLUTION

# %% check="split_reviews" points=2
from datetime import UTC, datetime

import stores
from pymongo import MongoClient

with task("5.3"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, tz_aware=True).shop
    reviews = [{"user_id": f"u{n}", "stars": 1 + n % 5, "text": f"Review {n}.", "at": datetime(2026, 6, n, tzinfo=UTC)} for n in range(1, 6)]
    db.products.insert_many([
        {"_id": "p7", "name": "Copper Kettle", "stock": 11, "reviews": reviews},
        {"_id": "p8", "name": "Tea Cosy", "reviews": []},
        {"_id": "p9", "name": "Tea Strainer"},
    ])

    split_reviews(db)
    check("the product keeps its fields, a count and the three latest", got=db.products.find_one({"_id": "p7"}),
          want={"_id": "p7", "name": "Copper Kettle", "stock": 11, "review_count": 5, "latest_reviews": reviews[:1:-1]})
    check("each review is a document", got=sorted(review["_id"] for review in db.reviews.find()), want=[f"p7:u{n}" for n in range(1, 6)])
    check("with all its fields", got=db.reviews.find_one({"_id": "p7:u3"}), want={"_id": "p7:u3", "product_id": "p7", **reviews[2]})
    check("products without reviews have a count of 0", got=list(db.products.find({"_id": {"$ne": "p7"}}).sort("_id", 1)),
          want=[{"_id": "p8", "name": "Tea Cosy", "review_count": 0, "latest_reviews": []},
                {"_id": "p9", "name": "Tea Strainer", "review_count": 0, "latest_reviews": []}])
    tied = [{"user_id": f"u{n}", "stars": 3, "text": "", "at": datetime(2026, 6, 30, tzinfo=UTC)} for n in (4, 2, 5, 3)]
    db.products.insert_one({"_id": "p70", "reviews": tied})
    split_reviews(db)
    check("of reviews from the same moment the smaller user_id comes first", got=[review["user_id"] for review in db.products.find_one({"_id": "p70"})["latest_reviews"]],
          want=["u2", "u3", "u4"])
    db.products.insert_one({"_id": "p", "reviews": tied[:1]})
    split_reviews(db)
    check("the reviews of p7 and p70 do not count for p", got=db.products.find_one({"_id": "p"})["review_count"], want=1,
          cause="find the reviews of a product by product_id; a pattern over _id finds those of longer names too")
    with server.record() as log:
        split_reviews(db)
    check("a second run writes nothing", got=[log.count(name) for name in ("insert", "update", "delete", "findAndModify")], want=[0, 0, 0, 0])

# %% hidden="split_reviews" points=1 topic="killed after any command, and run again, also when the field came back"
from datetime import UTC, datetime

import stores
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

with task("5.3"):
    server = stores.start("mongodb")

    class PowerCut(CommandListener):
        """From the n-th write on, nothing is written."""

        def __init__(self, n):
            self.left = n

        def started(self, event):
            self.left -= event.command_name in WRITES
            if self.left == 0:
                for name in WRITES:
                    server.faults.transient(name, times=None)

        def succeeded(self, event):
            pass

        failed = succeeded

    WRITES = ("insert", "update", "delete", "findAndModify", "bulkWrite", "aggregate", "commitTransaction")
    reviews = [{"user_id": f"u{n}", "stars": 3, "text": "", "at": datetime(2026, 6, 30, tzinfo=UTC)} for n in range(9, 4, -1)]
    wanted = {"_id": "p7", "name": "Copper Kettle", "review_count": 5, "latest_reviews": reviews[:1:-1]}
    for command in ("insert", "update", "delete", "findAndModify"):
        for kill in ("drop_reply", "transient"):
            server.reset()
            db = MongoClient(server.host, server.port, tz_aware=True, retryWrites=False).shop
            db.products.insert_one({"_id": "p7", "name": "Copper Kettle", "reviews": reviews})
            for n in range(4):       # the first, the second, … of these commands fails
                with getattr(server.faults, kill)(command, times=1):
                    outcome(lambda: split_reviews(db))
            split_reviews(db)
            check(f"after failures of {command} ({'the reply was lost' if kill == 'drop_reply' else 'it was not done'}) the product is right",
                  got=db.products.find_one(), want=wanted, cause="insert the reviews before you take them out of the product")
            check("and every review is there once", got=db.reviews.count_documents({}), want=5,
                  cause="an id that follows from product and user makes a second insert harmless")

    # The field came back: a second move, killed before each of its writes in turn.
    for n in range(1, 5):
        server.reset()
        db = MongoClient(server.host, server.port, tz_aware=True, retryWrites=False).shop
        db.products.insert_one({"_id": "p7", "name": "Copper Kettle", "reviews": reviews[1:]})
        split_reviews(db)
        db.products.update_one({"_id": "p7"}, {"$push": {"reviews": reviews[0]}})
        killed = MongoClient(server.host, server.port, tz_aware=True, retryWrites=False, event_listeners=[PowerCut(n)]).shop
        outcome(lambda: split_reviews(killed))
        server.faults.clear()
        split_reviews(db)
        check(f"killed before write {n} of a second move, and run again, the product is right", got=db.products.find_one(), want=wanted,
              cause="remove the field and set count and latest in one update, or the next run cannot know that they are old")

# %% hidden="split_reviews" points=1 topic="reviews that are written while it runs, and after, and other changes meanwhile"
from datetime import UTC, datetime

import stores
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

with task("5.3"):
    server = stores.start("mongodb")

    class Customer(CommandListener):
        """Sells one of p7 before each command of the program under test; pushes reviews into p7 and p8 before three of them, from the n-th on."""

        def __init__(self, n):
            self.first, self.seen, self.accepted = n, 0, {"p7": [], "p8": []}

        def started(self, event):
            if event.command_name in ("killCursors", "endSessions"):      # PyMongo sends these when it likes
                return
            self.seen += 1
            other.products.update_one({"_id": "p7"}, {"$inc": {"stock": -1}})
            if self.first <= self.seen < self.first + 15 and (self.seen - self.first) % 5 == 0:
                late = {"user_id": f"late{self.seen}", "stars": 5, "text": "Just in time.", "at": datetime(2026, 6, 30, tzinfo=UTC)}
                for product_id, users in self.accepted.items():
                    open_still = {"_id": product_id, "$or": [{"reviews": {"$exists": True}}, {"review_count": {"$exists": False}}]}
                    if other.products.update_one(open_still, {"$push": {"reviews": late}}).matched_count:
                        users.append(late["user_id"])

        def succeeded(self, event):
            pass

        failed = succeeded

    old = {"user_id": "u1", "stars": 3, "text": "", "at": datetime(2026, 6, 1, tzinfo=UTC)}
    for n in range(1, 9):
        server.reset()
        other = MongoClient(server.host, server.port, tz_aware=True).shop
        other.products.insert_many([{"_id": "p8"}, {"_id": "p7", "stock": 1000, "reviews": [old]}])
        customer = Customer(n)
        db = MongoClient(server.host, server.port, tz_aware=True, event_listeners=[customer]).shop
        split_reviews(db)
        for product_id, before in (("p7", ["u1"]), ("p8", [])):
            product = other.products.find_one({"_id": product_id})
            there = sorted(review["user_id"] for review in other.reviews.find({"product_id": product_id}))
            wanted = sorted(before + customer.accepted[product_id])
            check(f"no review that is pushed into {product_id} from command {n} on is lost", got=[there, product.get("review_count"), "reviews" in product],
                  want=[wanted, len(wanted), False], cause="remove the field only if it is still what you copied, or still missing; else read again, as often as it takes")
        check("what is sold meanwhile stays sold", got=other.products.find_one({"_id": "p7"})["stock"], want=1000 - customer.seen,
              cause="change the fields that are yours; a product that is written back whole undoes what others changed")

    other.products.update_one({"_id": "p7"}, {"$push": {"reviews": {"user_id": "u2", "stars": 1, "text": "", "at": datetime(2026, 7, 1, tzinfo=UTC)}}})
    count = other.reviews.count_documents({"product_id": "p7"})
    split_reviews(other)
    product = other.products.find_one({"_id": "p7"})
    check("a review that makes the field again is moved by the next run, and counted", got=[product.get("review_count"), [review["user_id"] for review in product.get("latest_reviews", [])][:1], "reviews" in product],
          want=[count + 1, ["u2"], False], cause="count what is in db.reviews, not what you moved")

# %% hidden="split_reviews" points=1 topic="how many commands it sends"
from datetime import UTC, datetime

import stores
from pymongo import MongoClient

with task("5.3"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, tz_aware=True).shop
    db.products.insert_many([
        {"_id": f"p{p}", "reviews": [{"user_id": f"u{n}", "stars": n % 5, "text": "", "at": datetime(2026, 6, 1, tzinfo=UTC)} for n in range(200)]}
        for p in range(5)
    ])
    with server.record() as log:
        split_reviews(db)
    check("a thousand reviews are moved", got=db.reviews.count_documents({}), want=1000)
    sent = [command.name for command in log if command.name not in ("KILLCURSORS", "ENDSESSIONS", "HELLO", "PING")]      # PyMongo sends these by itself
    check("five products are moved with at most 8 commands each, and 4 more", got=len(sent), want=between(5, 8 * 5 + 4), cause="bulk_write or insert_many sends all reviews of a product at once")

# %% [markdown] task="5.4" name="edit" minutes=20
# ### A save that loses nothing
#
# Several people edit the same documents. Each change is computed from the document as it is, so a change must never overwrite one that it has not seen.
#
# `edit(collection, _id, change, attempts=5)` reads the document, calls `change(document)`, and saves the document that `change` returns, if nobody has saved in between. If somebody has, it starts again.
# It returns the document as it saved it, whatever others have saved since.
#
# ```python
# db.products.insert_one({"_id": "p7", "name": "Copper Kettle", "version": 3})
# edit(db.products, "p7", lambda product: product | {"price_cents": 749})
# # → {"_id": "p7", "name": "Copper Kettle", "version": 4, "price_cents": 749}
# ```
#
# * The field `version` is a whole number, and each save makes it 1 larger. Old documents lack it; that counts as version 0.
# * `change` gets a document that it may do anything with, also change it in place. If it returns `None`, nothing is saved, and `edit` returns the document as it was read.
# * What `change` returns is the whole new document: a field that is missing there is gone. `_id` and `version` are yours, whatever `change` does to them.
# * `change` is called once for each attempt, each time with a fresh document, at most `attempts` times in all. After that raise `Conflict`.
# * What `change` raises reaches the caller, and nothing is saved.
# * No document with this `_id`, or none any more: `KeyError`. (Who deletes it during the last attempt may cause either error.) `attempts` is 1 or more.
# * Others use `edit` too, or do the same. Somebody may even write the fields that they found, and only the version tells.

# %% [markdown] hints="edit"
# - `save` and `edit` of the chapter are nearly all of it. What has to be `replace_one` here?
# - A filter `{"version": None}` matches documents in which the version is missing. So does `{"version": {"$exists": False}}`.
# - Read → `change` → `replace_one({"_id": _id, "version": what you read}, {**new, "_id": _id, "version": old + 1})`. `matched_count == 0` means that somebody was quicker, or that the document is gone; the next read tells.
# - `change` may spoil the document that it gets. Note the version before you call it; for the `None` case keep a `copy.deepcopy`, or call `change` with one.

# %% answer="edit"
class Conflict(Exception):
    """Others saved first, every time."""


def edit(collection, _id, change, attempts=5):
    """Save change(document) if nobody else saved meanwhile, else try again on the new document; return what was saved.

    Raises KeyError if there is no document `_id`, and Conflict after `attempts` calls of `change`.
    """
    ### BEGIN SOLUTION
    for _ in range(attempts):
        document = collection.find_one({"_id": _id})
        if document is None:
            raise KeyError(_id)
        new = change(copy.deepcopy(document))
        if new is None:
            return document
        saved = {**new, "_id": _id, "version": document.get("version", 0) + 1}
        read_version = document.get("version", {"$exists": False})
        if collection.replace_one({"_id": _id, "version": read_version}, saved).matched_count:
            return saved
    if collection.find_one({"_id": _id}, {"_id": True}) is None:
        raise KeyError(_id)
    raise Conflict(f"{_id!r} was saved by others {attempts} times")
    ### END SOLUTION

# %% check="edit" points=2
import stores
from pymongo import MongoClient

with task("5.4"):
    server = stores.start("mongodb")
    server.reset()
    products = MongoClient(server.host, server.port).shop.products
    products.insert_many([{"_id": "p7", "name": "Copper Kettle", "version": 3}, {"_id": "p8", "name": "Tea Cosy", "colour": "red"}])

    check("edit returns what it saved", got=edit(products, "p7", lambda product: product | {"price_cents": 749}),
          want={"_id": "p7", "name": "Copper Kettle", "version": 4, "price_cents": 749})
    check("it is stored", got=products.find_one({"_id": "p7"}), want={"_id": "p7", "name": "Copper Kettle", "version": 4, "price_cents": 749})

    seen = []

    def add_stock(product):
        seen.append(product.get("stock"))
        if len(seen) == 1:       # somebody is quicker
            products.update_one({"_id": "p7"}, {"$set": {"stock": 5}, "$inc": {"version": 1}})
        return product | {"stock": product.get("stock", 0) + 1}

    edit(products, "p7", add_stock)
    check("when somebody saved in between, the change starts again from their document", got=[seen, products.find_one({"_id": "p7"})["stock"]], want=[[None, 5], 6],
          cause="replace only if the version is still the one that was read")
    check("a document that is not there is a KeyError", got=outcome(lambda: edit(products, "p9", lambda product: product)), want=raises(KeyError))
    check("without a version it counts from 0", got=edit(products, "p8", lambda product: {"name": product["name"]}), want={"_id": "p8", "name": "Tea Cosy", "version": 1})
    check("a field that change leaves out is gone", got=products.find_one({"_id": "p8"}), want={"_id": "p8", "name": "Tea Cosy", "version": 1},
          cause="$set keeps the fields that it does not name; replace the document")

# %% hidden="edit" points=1 topic="changes that return None, raise, spoil their argument, or touch _id and version"
import stores
from pymongo import MongoClient

with task("5.4"):
    server = stores.start("mongodb")
    server.reset()
    products = MongoClient(server.host, server.port).shop.products
    products.insert_one({"_id": "p7", "tags": ["sale"], "version": 1})

    def spoil(product):
        product["tags"].append("new")
        product["version"] = 99
        product["_id"] = "p8"

    with server.record() as log:
        got = edit(products, "p7", spoil)
    check("None saves nothing and returns the document as it was read", got=[got, log.count("update")], want=[{"_id": "p7", "tags": ["sale"], "version": 1}, 0],
          cause="change may spoil the document that it is given; give it a copy")
    check("the stored one is as it was", got=products.find_one(), want={"_id": "p7", "tags": ["sale"], "version": 1})

    def rename(product):
        product["tags"].append("new")
        product["version"] = 99
        product["_id"] = "p8"
        return product

    check("_id and version are not the change's business", got=edit(products, "p7", rename), want={"_id": "p7", "tags": ["sale", "new"], "version": 2})
    check("an empty document may be saved", got=edit(products, "p7", lambda product: {}), want={"_id": "p7", "version": 3},
          cause="{} is false, and is not None")

    calls = []

    def fail(product):
        calls.append(product["version"])
        raise ZeroDivisionError("a mistake in change")

    check("what change raises reaches the caller, at once", got=[outcome(lambda: edit(products, "p7", fail)), calls], want=[raises(ZeroDivisionError), [3]],
          cause="a mistake in change is no conflict, and the next attempt will meet it again")
    check("and nothing is saved", got=products.find_one(), want={"_id": "p7", "version": 3})

# %% hidden="edit" points=1 topic="others who save every time, right after you, save the same, or delete"
import stores
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

with task("5.4"):
    server = stores.start("mongodb")
    server.reset()
    products = MongoClient(server.host, server.port).shop.products
    products.insert_many([{"_id": "p7", "stock": 1, "version": 1}, {"_id": "p8", "stock": 1}])
    calls = []

    def always_second(product):
        calls.append(product["version"])
        products.update_one({"_id": "p7"}, {"$inc": {"version": 1}})
        return product | {"stock": 0}

    got = outcome(lambda: edit(products, "p7", always_second, attempts=3))
    check("after three attempts there is a Conflict", got=got, want=raises(Conflict))
    check("change was called three times, with what was there", got=calls, want=[1, 2, 3])
    check("and the others' document stays", got=products.find_one({"_id": "p7"}), want={"_id": "p7", "stock": 1, "version": 4})

    def second_of_an_old_one(product):
        if "version" not in product:
            products.update_one({"_id": "p8"}, {"$set": {"stock": 1, "version": 1}})
        return product | {"stock": product["stock"] + 1}

    check("an old document that gets its first version meanwhile is read again", got=edit(products, "p8", second_of_an_old_one),
          want={"_id": "p8", "stock": 2, "version": 2}, cause="without a version in the filter, any version matches")

    def deleted_meanwhile(product):
        products.delete_one({"_id": "p8"})
        return product

    check("a document that is deleted meanwhile is a KeyError", got=outcome(lambda: edit(products, "p8", deleted_meanwhile)), want=raises(KeyError))
    check("and is not brought back", got=products.count_documents({"_id": "p8"}), want=0, cause="no upsert: it would insert what was deleted")

    class Follower(CommandListener):
        """Saves right after the first save of the program under test."""

        done = False

        def started(self, event):
            pass

        def succeeded(self, event):
            if event.command_name in ("update", "findAndModify") and not self.done:
                self.done = True
                products.update_one({"_id": "p7"}, {"$set": {"stock": 77}, "$inc": {"version": 1}})

        failed = started

    followed = MongoClient(server.host, server.port, event_listeners=[Follower()]).shop.products
    check("edit returns what it saved, not what somebody saved after it", got=edit(followed, "p7", lambda product: product | {"stock": 2}),
          want={"_id": "p7", "stock": 2, "version": 5}, cause="return the document that you wrote; reading it again may give somebody else's")

# %% [markdown] task="5.5" name="log" minutes=15
# ### A log that forgets
#
# The shop logs what its servers do. A debug line is worth a day, an info line a week, an error thirty days; and what somebody pinned stays until it is unpinned. Write five functions; the collection is `db.log`.
#
# | | |
# |---|---|
# | `make_log(db)` | makes the collection, or finds it, and gives it its rules and indexes; called at every start of a server |
# | `write(db, level, message, at)` | stores a line and returns its `_id`; `at` is an aware datetime |
# | `read(db, level, n)` | the `n` newest lines of that level as documents, newest first |
# | `pin(db, _id)`, `unpin(db, _id)` | a pinned line does not go away, however often it was pinned; an unpinned one goes when it would have gone without the pin. `True` if the line is pinned (unpinned) afterwards, also if it was so before; `False` if there is no such line |
#
# ```python
# make_log(db)
# _id = write(db, "debug", "cache miss p7", datetime.now(UTC))
# read(db, "debug", 1)       # → [{"_id": …, "level": "debug", "message": "cache miss p7", "at": …, …}]
# server.clock.advance(25 * 3600)
# read(db, "debug", 1)       # → []
# ```
#
# * The server deletes: your functions never do.
# * The rules of the collection refuse, whoever writes: a `level` that is none of the three, a `message` that is no text, an `at` that is no date, and a line without one of these. What other fields there are is up to you. A line that others wrote
#   without your fields may stay for ever, unless your rules refuse it.
# * `make_log` may be called again, and keeps every line. Somebody may have written a line before the first start, so that the collection exists without rules: they hold from then on.
# * `write` with a naive `at`, whose `utcoffset()` is `None`, raises `ValueError`, and stores nothing. A level that is none of the three is a `ValueError` too.
# * `read` examines at most `n` documents, however many there are; `n=0` gives `[]`. Lines of the same moment may come in any order.

# %% [markdown] hints="log"
# - One TTL index with one number of seconds cannot know three lifetimes. But `expireAfterSeconds=0` deletes a document at the moment that its field says.
# - So `write` computes `expires = at + LIFETIME[level]`. A document without that field is never deleted: what must `pin` do, and how does `unpin` know the moment again?
# - `db.create_collection("log", validator={"$jsonSchema": {"required": […], "properties": {"level": {"enum": […]}, "at": {"bsonType": "date"}, …}}})` raises `CollectionInvalid` if the collection is there already. Its rules are changed by `db.command("collMod", "log", validator=…)`.
# - For `read`, which index has the lines of a level in the order that is asked for? Equality first, then sort.

# %% answer="log"
LIFETIME = {"debug": timedelta(days=1), "info": timedelta(days=7), "error": timedelta(days=30)}


def make_log(db):
    """Make db.log with its validator and indexes; keep what is there."""
    ### BEGIN SOLUTION
    rules = {"$jsonSchema": {
        "required": ["level", "message", "at"],
        "properties": {
            "level": {"enum": list(LIFETIME)},
            "message": {"bsonType": "string"},
            "at": {"bsonType": "date"},
            "expires": {"bsonType": "date"},
        },
    }}
    try:
        db.create_collection("log", validator=rules)
    except CollectionInvalid:        # it is there already, perhaps without rules
        db.command("collMod", "log", validator=rules)
    db.log.create_index("expires", expireAfterSeconds=0)
    db.log.create_index([("level", ASCENDING), ("at", DESCENDING)])
    ### END SOLUTION


def write(db, level, message, at):
    """Store a line and return its _id. ValueError for an unknown level or a naive `at`."""
    ### BEGIN SOLUTION
    if level not in LIFETIME:
        raise ValueError(f"level is {level!r}; use one of {', '.join(LIFETIME)}")
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone")
    line = {"level": level, "message": message, "at": at, "expires": at + LIFETIME[level]}
    return db.log.insert_one(line).inserted_id
    ### END SOLUTION


def read(db, level, n):
    """The n newest lines of a level, newest first: a list of documents."""
    ### BEGIN SOLUTION
    return list(db.log.find({"level": level}).sort("at", DESCENDING).limit(n)) if n > 0 else []
    ### END SOLUTION


def pin(db, _id):
    """Keep a line until it is unpinned. False if there is no such line."""
    ### BEGIN SOLUTION
    return db.log.update_one({"_id": _id}, {"$unset": {"expires": ""}}).matched_count == 1
    ### END SOLUTION


def unpin(db, _id):
    """Let a line go when it would have gone without the pin. False if there is no such line."""
    ### BEGIN SOLUTION
    line = db.log.find_one({"_id": _id})
    if line is None:
        return False
    return db.log.update_one({"_id": _id}, {"$set": {"expires": line["at"] + LIFETIME[line["level"]]}}).matched_count == 1
    ### END SOLUTION

# %% check="log" points=2
from datetime import UTC, datetime, timedelta

import stores
from pymongo import MongoClient
from pymongo.errors import WriteError

with task("5.5"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, tz_aware=True).shop
    make_log(db)
    now = datetime.fromtimestamp(int(server.clock.now()), UTC)

    ids = {level: write(db, level, f"{level} line", now) for level in ("debug", "info", "error")}
    check("a line can be read", got={name: read(db, "info", 5)[0].get(name) for name in ("_id", "level", "message", "at")},
          want={"_id": ids["info"], "level": "info", "message": "info line", "at": now})
    left = []
    for days in (0.9, 0.2, 5.8, 0.2, 22.8, 0.2):
        server.clock.advance(days * 24 * 3600)
        left.append(sorted(line["level"] for line in db.log.find()))
    check("debug goes after 1 day, info after 7, error after 30", got=left,
          want=[["debug", "error", "info"], ["error", "info"], ["error", "info"], ["error"], ["error"], []],
          cause="one expireAfterSeconds has one lifetime; with expireAfterSeconds=0 each document names its own moment")
    check("the rules refuse an unknown level",
          got=outcome(lambda: db.log.insert_one({"level": "fatal", "message": "x", "at": now})), want=raises(WriteError))

# %% hidden="log" points=1 topic="the moment itself, pins and repeated pins, and lines that were pinned too long"
from datetime import UTC, datetime, timedelta

import stores
from pymongo import MongoClient

with task("5.5"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, tz_aware=True).shop
    make_log(db)
    with server.clock.frozen():
        now = datetime.fromtimestamp(int(server.clock.now() * 1000) / 1000, UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        offset = server.clock.now() - now.timestamp()
        plain, pinned, forgotten = (write(db, "debug", text, now) for text in ("plain", "pinned", "forgotten"))
        check("a line can be pinned", got=[pin(db, pinned), pin(db, forgotten), pin(db, "nobody"), unpin(db, "nobody")], want=[True, True, False, False])
        server.clock.advance(24 * 3600 - offset - 0.001)
        check("1 ms before its end a line is there", got=sorted(line["message"] for line in db.log.find()), want=["forgotten", "pinned", "plain"])
        server.clock.advance(0.002)
        check("1 ms after its end it is gone, and pinned ones are not", got=sorted(line["message"] for line in db.log.find()), want=["forgotten", "pinned"])
        check("pinning what is gone is False", got=pin(db, plain), want=False)
        server.clock.advance(3600)
        check("unpinning works", got=unpin(db, forgotten), want=True)
        server.clock.advance(0.001)
        check("a line that is unpinned after its time goes at once", got=[line["message"] for line in db.log.find()], want=["pinned"],
              cause="unpin must set the old moment, not a new lifetime from now")
        check("a pinned line can be read", got=[line["message"] for line in read(db, "debug", 3)], want=["pinned"])

        later = write(db, "info", "later", datetime.fromtimestamp(int(server.clock.now()), UTC))
        check("pinning twice and unpinning twice is True each time", got=[pin(db, later), pin(db, later), unpin(db, later), unpin(db, later)], want=[True] * 4,
              cause="matched_count counts the lines that were found, modified_count only those that changed")
        server.clock.advance(6 * 24 * 3600)
        check("a line that is unpinned in time stays until its time", got=[line["message"] for line in read(db, "info", 3)], want=["later"])
        server.clock.advance(2 * 24 * 3600)
        check("and goes then", got=read(db, "info", 3), want=[], cause="pinning a pinned line must not forget when the line would have gone")
        server.clock.advance(20 * 365 * 24 * 3600)
        check("a pinned line stays for twenty years", got=[line["message"] for line in read(db, "debug", 3)], want=["pinned"])

# %% hidden="log" points=1 topic="rules for everybody, a first start that finds a log, a second start, and how many documents are read"
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import stores
from pymongo import MongoClient
from pymongo.errors import WriteError

with task("5.5"):
    server = stores.start("mongodb")
    server.reset()
    db = MongoClient(server.host, server.port, tz_aware=True).shop
    make_log(db)
    now = datetime.fromtimestamp(int(server.clock.now()), UTC)

    class Nowhere(tzinfo):
        def utcoffset(self, moment):
            return None

    good = {"level": "info", "message": "hello", "at": now}
    bad = [good | {"message": 7}, good | {"at": "today"}, good | {"level": None}, *({name: good[name] for name in good if name != left} for left in good)]
    check("the rules refuse whatever is not a line, whoever writes it",
          got=[type(outcome(lambda line=line: db.log.insert_one(dict(line)))) for line in bad], want=[WriteError] * 6)
    check("an unknown level is a ValueError", got=outcome(lambda: write(db, "fatal", "x", now)), want=raises(ValueError))
    check("a naive moment is a ValueError", got=outcome(lambda: write(db, "info", "x", now.replace(tzinfo=None))), want=raises(ValueError),
          cause="the driver would take it for UTC")
    check("so is one with a zone that does not say its offset", got=outcome(lambda: write(db, "info", "x", now.replace(tzinfo=Nowhere()))), want=raises(ValueError),
          cause="naive is what has no utcoffset(), also if it has a tzinfo")
    check("and nothing was stored", got=db.log.count_documents({}), want=0)

    for n in range(60):
        write(db, ("debug", "info", "error")[n % 3], f"line {n}", (now - timedelta(minutes=n)).astimezone(timezone(timedelta(hours=2))))
    make_log(db)
    check("a second start keeps every line", got=db.log.count_documents({}), want=60)
    with server.record() as log:
        got = [line["message"] for line in read(db, "error", 4)]
    check("the newest errors come first", got=got, want=["line 2", "line 5", "line 8", "line 11"])
    check("reading 4 lines examines 4 documents", got=log.documents_examined, want=between(1, 4), cause="an index on level and at has them in order")
    check("reading no lines gives none", got=read(db, "error", 0), want=[], cause="limit(0) is no limit")

    db.log.drop()
    db.log.insert_one({"message": "written before the first start"})
    make_log(db)
    check("a first start that finds lines keeps them", got=[line["message"] for line in db.log.find()], want=["written before the first start"])
    check("and from then on the rules hold", got=outcome(lambda: db.log.insert_one({"message": "one more"})), want=raises(WriteError),
          cause="create_collection fails if the collection exists, and changes nothing: set its rules with collMod")
