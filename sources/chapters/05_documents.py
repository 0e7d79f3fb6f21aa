# ---
# title: "MongoDB: modelling and writing documents"
# minutes: 90
# summary: Documents that fit their questions, and writes that survive a lost reply.
# ---

# %% [markdown]
# # MongoDB: modelling and writing documents
#
# A document store keeps whole records, with lists and records inside them, and looks into them when you ask.
# You decide what goes into one document, and that decision is the schema: it makes some questions cheap and others impossible.
#
# At the end of this chapter you can
#
# * say what BSON can hold, and what it does to your dates and numbers;
# * choose between embedding and referencing, and see an array that will grow too large before it does;
# * change part of a document without losing somebody else's change;
# * insert an event so that trying again is safe, also when the reply got lost;
# * retry what may be retried, and nothing else;
# * let a collection of logs clean up after itself;
# * say when you need a transaction, and when a document is one already.

# %% [markdown]
# ## A server and a driver
#
# The next cell starts a MongoDB server and shows which one it is. If it says *embedded*, a Python program answers,
# with an engine of this course's own that keeps its documents in the stores of a library called mongomock.
# Set `MONGODB_URI` before you start Jupyter to work with a real MongoDB.

# %%
import stores

server = stores.start("mongodb")
server.reset()
server

# %% [markdown]
# The driver is PyMongo, unmodified. A server holds **databases**, a database holds **collections**, and a collection holds **documents**.
# None of them has to be created first.

# %%
from pymongo import MongoClient

client = MongoClient(server.host, server.port)
db = client.shopstream
db.list_collection_names()

# %%
from course import plots, shopstream

shop = shopstream.load()
shop

# %% [markdown]
# ## A document
#
# A document is a dictionary, and it may hold lists and dictionaries. Here is a product with its prices.

# %%
db.products.insert_one({
    "_id": "p7",
    "name": "Copper Kettle",
    "category": "kitchen",
    "price_cents": 1249,
    "tags": ["copper", "stove"],
    "size": {"litres": 1.5, "grams": 900},
})
db.products.find_one({"_id": "p7"})

# %% [markdown]
# A key-value store would hand back the whole value, and only by its key. A document store looks inside. The path `size.litres` goes into the nested
# document, and a list answers if any of its members fits.

# %%
print(db.products.find_one({"size.litres": {"$gt": 1}})["name"])
print(db.products.find_one({"tags": "copper"})["name"])

# %% [markdown]
# You may also ask for a part. `_id` comes along unless you say no.

# %%
db.products.find_one({"_id": "p7"}, {"_id": False, "name": True, "size.grams": True})

# %% [markdown]
# `_id` is the document's primary key: every document has one, and no two in a collection share it. Who does not choose one gets an **ObjectId**.

# %%
result = db.products.insert_one({"name": "Tea Strainer"})
type(result.inserted_id).__name__, len(result.inserted_id.binary)

# %% [markdown]
# Twelve bytes: four of time, five of chance and three that count. The driver makes them, so it knows the id before the server has seen the document.
# When was this one made?

# %%
result.inserted_id.generation_time.tzinfo

# %% [markdown]
# In UTC, to the second. What does a second document with the `_id` p7 do?

# %% tags=["raises-exception"]
db.products.insert_one({"_id": "p7", "name": "Copper Kettle, dented"})

# %% [markdown]
# `E11000` is the error that you will meet most often with MongoDB, and in this chapter it will become a tool.

# %% [markdown]
# ## BSON
#
# Documents travel and are kept as **BSON**, for *Binary JSON*: like JSON, but binary, and with more types.

# %%
import bson

data = bson.encode({"name": "Copper Kettle"})
data

# %% [markdown]
# The length of all, the type of the field (2 for text), its name, the length of the text, the text, and a zero to end. Every document carries
# the names of its fields, so long names cost space in each one.

# %%
len(bson.encode({"p": 1249})), len(bson.encode({"price_in_euro_cents": 1249}))

# %% [markdown]
# JSON has no dates. BSON has, and it is a good type with two habits. Predict what comes back from this moment.

# %%
from datetime import UTC, date, datetime, timedelta

moment = datetime(2026, 6, 19, 12, 0, 0, 123456, tzinfo=UTC)
db.moments.insert_one({"_id": 1, "at": moment})
db.moments.find_one()["at"]

# %% [markdown]
# The first habit: BSON counts milliseconds, so 123456 microseconds became 123000. The second: the time zone is gone. The
# moment is right, in UTC, but Python calls such a datetime **naive** and will not compare it with an aware one.

# %% tags=["raises-exception"]
db.moments.find_one()["at"] < moment

# %% [markdown]
# Ask for aware datetimes, once, where you make the client.

# %%
client = MongoClient(server.host, server.port, tz_aware=True)
db = client.shopstream
db.moments.find_one()["at"]

# %% [markdown]
# What you wrote is still not what you read. A program that looks for the very moment that it stored finds nothing,
# unless it cuts the microseconds off itself.

# %%
cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
stored = db.moments.find_one()["at"]
stored == moment, stored == cut

# %% [markdown]
# And a datetime without a zone? The driver takes it for UTC, whatever the clock on your wall says. So say `datetime.now(UTC)`, and not
# `datetime.utcnow()`, which Python deprecates because its result looks like any local time.

# %% tags=["raises-exception"]
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("error")
    datetime.utcnow()

# %% [markdown]
# Some of Python's types have no place in BSON. The driver refuses them before anything is sent.

# %%
from decimal import Decimal

for value in [date(2026, 6, 19), Decimal("12.49"), {"copper", "stove"}]:
    try:
        db.moments.insert_one({"value": value})
    except bson.errors.InvalidDocument as error:
        print(f"{type(value).__name__:8} {str(error).rpartition('of type: ')[2]}")

# %% [markdown]
# A day becomes text or a midnight, a set becomes a list, and money becomes whole cents. (There is a `bson.Decimal128` for those who must.)
# Shopstream's `Event` knows all this:

# %%
event = shop.events_of("u17")[0]
event.for_mongodb()

# %% [markdown]
# The `_id` is the id of the event, which follows from its facts: the same event has the same id wherever it is made. Remember that one.

# %% [markdown]
# ## Many at once
#
# A month of the shop has 12,000 events. One `insert_one` each would be 12,000 round trips. How many are these?

# %%
with server.record() as log:
    db.events.insert_many([event.for_mongodb() for event in shop.events])

log.round_trips

# %%
db.events.count_documents({}), db.events.count_documents({"event_type": "purchase"})

# %% [markdown]
# The driver packs documents into messages of up to 48 MB or 100,000 documents, whichever is full first. `find` comes in
# portions as well: the **cursor** that it returns fetches the next **batch** when you have read the last.

# %%
with server.record() as log:
    users = {event["user_id"] for event in db.events.find({}, {"user_id": True})}

len(users), log.count("find"), log.count("getMore")

# %% [markdown]
# A first batch of 101 documents, so that somebody who wants one page does not wait for all, and then batches of up to 16 MB.

# %% [markdown]
# ## Schema: yours or nobody's
#
# The collection took the kettle with a price and the strainer without. It would take this too.

# %%
db.products.insert_one({"_id": "p8", "name": "Tea Cosy", "price_cents": "8,50"})
sum(product["price_cents"] for product in db.products.find({"_id": "p7"}))

# %% tags=["raises-exception"]
sum(product["price_cents"] for product in db.products.find({"_id": {"$in": ["p7", "p8"]}}))

# %% [markdown]
# Who asks for a price here will meet text some day. "Schemaless" means that the schema is in the heads of those who write, unless you tell the server.
# A **validator** is a rule for every document of a collection. This one is written in JSON Schema.

# %%
db.drop_collection("products")
db.create_collection("products", validator={"$jsonSchema": {
    "required": ["name", "price_cents"],
    "properties": {
        "name": {"bsonType": "string"},
        "price_cents": {"bsonType": ["int", "long"], "minimum": 0},
    },
}})
db.products.insert_many([
    {"_id": product.product_id, "name": product.name, "category": product.category,
     "price_cents": product.price_cents, "stock": product.stock, "version": 1}
    for product in shop.products
])
db.products.count_documents({})

# %% tags=["raises-exception"]
db.products.insert_one({"_id": "p121", "name": "Tea Cosy", "price_cents": "8,50"})

# %% [markdown]
# The error says which rule was broken: look for `price_cents` and `bsonType` in it. Fields that the rule does not name stay free, and that is the
# flexibility which people mean.

# %% [markdown]
# ## Embed or reference
#
# Reviews belong to a product. Either they live inside it, or in a collection of their own that names the product.
# **Embedding** first.

# %%
reviews = [
    {"user_id": "u17", "stars": 5, "text": "Boils in four minutes."},
    {"user_id": "u46", "stars": 4, "text": "Loud, and beautiful."},
]
db.products.update_one({"_id": "p7"}, {"$set": {"reviews": reviews}})

with server.record() as log:
    page = db.products.find_one({"_id": "p7"})

len(page["reviews"]), log.round_trips, log.documents_examined

# %% [markdown]
# One round trip, one document. Now by **reference**: each review is a document and holds the id of its product.

# %%
db.reviews.insert_many([{"product_id": "p7", **review} for review in reviews])
db.reviews.create_index("product_id")
db.products.update_one({"_id": "p7"}, {"$unset": {"reviews": ""}})

with server.record() as log:
    page = db.products.find_one({"_id": "p7"})
    page["reviews"] = list(db.reviews.find({"product_id": "p7"}))

len(page["reviews"]), log.round_trips, log.documents_examined

# %% [markdown]
# Two round trips, three documents. Embedding wins the page. Now another question: the average of all stars that u17 gave. Where do you look
# when the reviews are inside the products?
#
# In every product. What is asked alone should stand alone. The third question decides more often than the other two: how many can there be?

# %% [markdown]
# ## The array that grew
#
# Somebody put each user's events into the user's document. It is convenient: one read, and you have everything. User u17 has 45 events.

# %%
db.users.insert_one({"_id": "u17", "name": "Milan Chen", "events": []})
for event in shop.events_of("u17"):
    db.users.update_one({"_id": "u17"}, {"$push": {"events": event.for_mongodb()}})

len(bson.encode(db.users.find_one({"_id": "u17"})))

# %% [markdown]
# Nine kilobytes. User u142 has a browser plug-in that sends the text of the page along. Predict the size for u142's 170 events.

# %%
sizes, array = [], {"_id": "u142", "events": []}
db.users.insert_one(array)
for event in shop.events_of("u142"):
    db.users.update_one({"_id": "u142"}, {"$push": {"events": event.for_mongodb()}})
    array["events"].append(event.for_mongodb())
    sizes.append(len(bson.encode(array)))

sizes[-1]

# %% [markdown]
# 1.4 megabytes, and every read of u142's *name* that does not say which fields it wants moves all of them. A document may have 16 megabytes.
# So a year of u142 may not fit. In which month does it end, and how?

# %%
from pymongo.errors import PyMongoError

month = array["events"]
try:
    for n in range(2, 13):
        db.users.update_one({"_id": "u142"}, {"$push": {"events": {"$each": month}}})
except PyMongoError as error:
    print(f"month {n}: {type(error).__name__}: {str(error)[:60]}")

# %% [markdown]
# The event is refused, and so is each one after it. Nothing was wrong for most of a year, then a user cannot buy. An array without
# a limit is the mistake of document modelling, and the tests of the first month do not show it.

# %%
db.users.drop()

# %% [markdown]
# ## Buckets
#
# One document for each event is safe, and it is much: 12,000 documents, each with its own `_id` and an entry in every index. Between one and all
# lies the **bucket pattern**: a document holds up to N events of a user, and the next one begins when it is full.

# %%
def add_to_bucket(event, limit=50):
    """Put an event into its user's open bucket, or into a new one."""
    fields = event.for_mongodb()
    db.buckets.update_one(
        {"user_id": event.user_id, "count": {"$lt": limit}},
        {"$push": {"events": fields},
         "$inc": {"count": 1},
         "$min": {"first": fields["timestamp"]},
         "$max": {"last": fields["timestamp"]}},
        upsert=True,
    )

for event in shop.events_of("u142"):
    add_to_bucket(event)

[bucket["count"] for bucket in db.buckets.find({"user_id": "u142"}).sort("first")]

# %% [markdown]
# One command does it all. The filter finds a bucket that is not full. If there is none, `upsert=True` inserts a new
# document, with the equalities of the filter (`user_id`) and whatever the update says.
#
# How large did the largest document get on the way?

# %%
largest, open_bucket = [], 0
for n, event in enumerate(shop.events_of("u142")):
    size = len(bson.encode(event.for_mongodb()))
    open_bucket = size if n % 50 == 0 else open_bucket + size
    largest.append(max(open_bucket, largest[-1] if largest else 0))

plots.document_growth({"all in one array": sizes, "buckets of 50": largest})

# %% [markdown]
# The latest events of a user are in one or two documents: sort the buckets by `last`, newest first. `first` and `last` let a query skip the buckets of other weeks. In the
# exercises you write the reading side, with events that arrive late.
#
# The rules so far:
#
# | question | embed | reference |
# |---|---|---|
# | read together? | yes | no |
# | asked for alone? | no | yes |
# | how many? | few, and you know the limit | many, or nobody knows |
# | changed where? | here only | in one place, for all who refer to it |

# %% [markdown]
# The last row has a price: a product's name that is copied into 9,000 events is wrong in 9,000 places when it changes. Sometimes a copy is
# what you want. The price in an order is the price of that day, and must not change.

# %% [markdown]
# ## Changing a part
#
# The flash sale begins. Two programs know p7. The first one lowers the price, the second one counts the stock. Both read, change and write back.

# %%
for_price = db.products.find_one({"_id": "p7"})
for_stock = db.products.find_one({"_id": "p7"})

for_price["price_cents"] = 749
db.products.replace_one({"_id": "p7"}, for_price)

for_stock["stock"] -= 1
db.products.replace_one({"_id": "p7"}, for_stock)

db.products.find_one({"_id": "p7"}, {"price_cents": True, "stock": True})

# %% [markdown]
# The price is back at 1249. The second program never touched the price, but it wrote the whole document as it had read it: a **lost update**.
# Say what changes instead, and the server does it to the document as it is now.

# %%
db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 749}})
db.products.update_one({"_id": "p7"}, {"$inc": {"stock": -1}})
db.products.find_one({"_id": "p7"}, {"price_cents": True, "stock": True})

# %% [markdown]
# A write to one document is **atomic**: others see all of it or nothing. And the filter may hold a condition, which is checked in the same step. Nobody
# sells below zero here:

# %%
def buy(product_id, quantity):
    result = db.products.update_one(
        {"_id": product_id, "stock": {"$gte": quantity}},
        {"$inc": {"stock": -quantity}},
    )
    return result.modified_count == 1

buy("p7", 9), buy("p7", 9)

# %% [markdown]
# If you need the document too, `find_one_and_update` returns it as it was before, or after.

# %%
from pymongo import ReturnDocument

db.products.find_one_and_update(
    {"_id": "p7"}, {"$inc": {"stock": 20}},
    projection={"stock": True}, return_document=ReturnDocument.AFTER)

# %% [markdown]
# More operators of the kind: `$push` and `$addToSet` for arrays (the second leaves out what is there already), `$unset`, `$min` and `$max`, `$mul`, `$rename`.
# What does each call below leave?

# %%
tags = {"_id": "p7"}
db.products.update_one(tags, {"$push": {"tags": "sale"}})
db.products.update_one(tags, {"$push": {"tags": "sale"}})
db.products.update_one(tags, {"$addToSet": {"tags": "sale"}})
print(db.products.find_one(tags)["tags"])

db.products.update_one(tags, {"$pull": {"tags": "sale"}})
print(db.products.find_one(tags)["tags"])

# %% [markdown]
# ## When you must read first
#
# Not every change is an operator. An editor opens the description of p7, thinks for ten minutes, and saves. Meanwhile somebody else did. With **optimistic
# concurrency** nobody locks: the document carries a version, and you write only if it is still the one that you read.

# %%
def save(document, **changes):
    """Write changes if nobody else has written since `document` was read. Return whether it worked."""
    result = db.products.update_one(
        {"_id": document["_id"], "version": document["version"]},
        {"$set": changes, "$inc": {"version": 1}},
    )
    return result.matched_count == 1

ada, grace = (db.products.find_one({"_id": "p7"}) for _ in range(2))
save(ada, text="Copper, 1.5 litres."), save(grace, text="A kettle for life.")

# %% [markdown]
# Grace was second, and knows it. What she does about it is up to the program: show both texts, or read again and try again if the
# change can be computed anew. Trying again without reading again would never succeed. Why not?
#
# Because her version is the old one, however often she sends it.

# %%
def edit(product_id, change, attempts=5):
    """Apply change(document) -> dict of changes, again on a fresh document if somebody was quicker."""
    for _ in range(attempts):
        document = db.products.find_one({"_id": product_id})
        if save(document, **change(document)):
            return True
    return False

edit("p7", lambda product: {"text": product["text"] + " For life."})
db.products.find_one({"_id": "p7"}, {"text": True, "version": True})

# %% [markdown]
# ## An insert that goes round
#
# The shop's servers send each event to the database. Networks fail, so they try again. Here is a function of the
# kind that tutorials show. It has a good idea, an `_id` that is made from the data, and it has at least six mistakes.

# %%
import time
from pymongo.errors import DuplicateKeyError

def insert_event(event, retries=3):
    event["_id"] = f"{event['user_id']}_{event['timestamp']}"
    event["created_at"] = datetime.now()
    for attempt in range(retries):
        try:
            db.log.insert_one(event)
            return True
        except DuplicateKeyError:
            return False          # it is there already
        except Exception:
            if attempt == retries - 1:
                raise
    return False

# %% [markdown]
# It works. The second call says that the event is there already.

# %%
first = {"user_id": "u17", "event_type": "view", "product_id": "p92", "timestamp": datetime(2026, 6, 1, 17, 34, 47, tzinfo=UTC)}
insert_event(first), insert_event(first)

# %% [markdown]
# What does `first` look like now?

# %%
sorted(first)

# %% [markdown]
# The function wrote into its caller's dictionary. Whoever sends `first` on to the next system sends two fields that are nobody's business.
# (`insert_one` itself does that with a missing `_id`.)
#
# The second mistake is worse. Users do two things in one millisecond; the month has twelve such pairs. This is one of them.

# %%
same_moment = shop.traps["same_millisecond"].where[0]
[(event.user_id, event.event_type, event.product_id, event.timestamp.time().isoformat()) for event in same_moment]

# %%
def plain(event):
    """An event as the servers send it: without an _id."""
    document = event.for_mongodb()
    del document["_id"]
    return document

[insert_event(plain(event)) for event in same_moment]

# %% [markdown]
# `False`: "it is there already". It is not. The second event is lost, quietly, because the id said less than the event. An id for this purpose must hold whatever
# makes two events different. `event_id` does.
#
# The third: which errors are worth trying again?

# %%
class Broken:
    """Something that BSON cannot hold."""

with server.record() as log:
    try:
        insert_event({"user_id": "u17", "timestamp": datetime.now(UTC), "details": Broken()})
    except Exception as error:
        print(type(error).__name__)

log.count("insert")

# %% [markdown]
# The driver raised three times, and the server never heard of it. That document will not become right by trying. Neither will one that a validator refuses: that error
# comes from the server, and comes three times.
#
# What is worth trying again is called **transient**: the connection broke, a new primary is being elected, the server is shutting down. PyMongo's name for most of these is
# `AutoReconnect`.

# %% [markdown]
# ## The lost reply
#
# The fourth mistake is the one to understand. A connection can break *before* the server did its work, or *after*. The client sees
# the same: an error. `drop_reply` breaks it after.

# %%
careful = MongoClient(server.host, server.port, tz_aware=True, retryWrites=False)
db = careful.shopstream
db.log.drop()

with server.faults.drop_reply("insert"), server.record() as log:
    answer = insert_event(plain(event))

answer, log.count("insert"), db.log.count_documents({})

# %% [markdown]
# Our event was stored by the first attempt, whose reply was lost. The second attempt met our own document, and the function told us `False`: somebody else had been there. A program
# that sends a confirmation only on `True` never sends it.
#
# "Is it mine?" has an answer: read it. If what is stored under the id is what you wanted to store, the insert has happened, whoever did it. An operation that can be repeated without
# changing the result is **idempotent**.

# %% [markdown]
# Now with the driver's own help. `retryWrites=False` above switched off what is on by default. What happens with it?

# %%
db = client.shopstream
db.log.drop()

with server.faults.drop_reply("insert"), server.record() as log:
    answer = insert_event(plain(event))

answer, log.count("insert"), db.log.count_documents({})

# %% [markdown]
# `True`. The server received the insert twice and did it once. How did it know? PyMongo lets you listen to what it sends.

# %%
from pymongo.monitoring import CommandListener

class Listener(CommandListener):
    """Prints the number of each insert, and how it ended."""

    def started(self, event):
        if event.command_name == "insert":
            print("txnNumber", event.command["txnNumber"], end=" ")

    def succeeded(self, event):
        if event.command_name == "insert":
            print("ok")

    def failed(self, event):
        if event.command_name == "insert":
            print("failed:", event.failure["errtype"] if "errtype" in event.failure else type(event.failure).__name__)

listening = MongoClient(server.host, server.port, event_listeners=[Listener()])
listening.shopstream.log.insert_one({"_id": "one"})
with server.faults.drop_reply("insert"):
    listening.shopstream.log.insert_one({"_id": "two"})

# %% [markdown]
# A **retryable write** carries its session and a transaction number, and the second attempt has the number of the first. The server remembers the number and its reply, and answers the second time from memory.
#
# Why not leave it at that? The driver tries once more, not three times. It forgets when the program restarts, and the message queue delivers the event again
# on the next day. Retryable writes close the small gap, the deterministic id closes the large one.

# %% [markdown]
# ## How long to wait
#
# The fifth mistake: no pause. A server that is busy electing a primary gets three attempts within a millisecond, from every client. **Backoff** waits longer each time, and jitter
# keeps the clients apart.

# %%
import random

dice = random.Random(7)

def pauses(attempts, base=0.1, cap=5.0):
    """Seconds to wait before each new attempt: up to base, twice base, four times base …, at most cap."""
    return [dice.uniform(0, min(cap, base * 2 ** n)) for n in range(attempts)]

plots.retries({
    "no pause": [0] * 6,
    "doubling": [0.1 * 2 ** n for n in range(6)],
    "doubling, with jitter": pauses(6),
}, outage=2.0)

# %% [markdown]
# The server is away for two seconds. The client without pauses has given up long before.
#
# The sixth mistake is the last line of `insert_event`. With `retries=0` it does nothing, and says `False`, as if the event were there. Here is the function again.

# %%
from pymongo.errors import AutoReconnect

def insert_event(collection, event, attempts=4, sleep=time.sleep):
    """Store an event once. True if this call stored it or an identical one was there; ValueError if another one was."""
    if attempts < 1:
        raise ValueError(f"attempts must be 1 or more, found {attempts}")
    document = event.for_mongodb()                       # our own copy, with the event's id as _id
    for pause in [*pauses(attempts - 1), None]:
        try:
            collection.insert_one(document)
            return True
        except DuplicateKeyError:
            stored = collection.find_one({"_id": document["_id"]})
            if stored == document:
                return True
            raise ValueError(f"another event has the id {document['_id']}") from None
        except AutoReconnect:
            if pause is None:
                raise
            sleep(pause)

db = careful.shopstream
db.log.drop()
with server.faults.drop_reply("insert"):
    print(insert_event(db.log, event, sleep=lambda seconds: None))
print([insert_event(db.log, event) for event in same_moment], db.log.count_documents({}))

# %% [markdown]
# Compare what is stored with what you sent only if both went through BSON alike: a document with microseconds in it would never equal its stored self. Shopstream's events have whole milliseconds.
#
# In the exercises the function also says whether it was this call that stored the event.

# %%
db = client.shopstream

# %% [markdown]
# ## Duplicates by the hundred
#
# The shop's queue delivers one event in twenty a second time. Insert all deliveries.

# %%
from pymongo.errors import BulkWriteError

deliveries = [delivery.event.for_mongodb() for delivery in shop.deliveries]
db.events.drop()
try:
    db.events.insert_many(deliveries)
except BulkWriteError as error:
    first_error = error.details

len(deliveries), first_error["nInserted"], len(first_error["writeErrors"])

# %% [markdown]
# The first duplicate stopped the batch: an **ordered** insert ends at the first error. Whoever catches the error and carries on has lost most of the month.
# `ordered=False` tries every document.

# %%
db.events.drop()
try:
    db.events.insert_many(deliveries, ordered=False)
except BulkWriteError as error:
    details = error.details

{error["code"] for error in details["writeErrors"]}, details["nInserted"], len(details["writeErrors"])

# %% [markdown]
# 12,000 stored, 600 refused, and all of them for the reason 11000. Look at the codes before you ignore such an error: one that is not 11000 is a lost event.
#
# `bulk_write` mixes inserts, updates and deletes in the same way.

# %%
from pymongo import UpdateOne

sold = [UpdateOne({"_id": event.product_id}, {"$inc": {"stock": -event.quantity}})
        for event in shop.day("2026-06-01") if event.event_type == "purchase"]

with server.record() as log:
    result = db.products.bulk_write(sold)

len(sold), result.modified_count, log.round_trips

# %% [markdown]
# ## Logs that clean up
#
# Logs are asked about for some days and then never. A **TTL index** deletes documents when a date in them is old enough. This collection keeps page requests for
# a week.

# %%
WEEK = 7 * 24 * 3600

db.requests.create_index("at", expireAfterSeconds=WEEK)
db.requests.insert_many([
    {"path": "/p7", "at": datetime.now(UTC)},
    {"path": "/p90", "at": datetime.now(UTC) - timedelta(days=6)},
    {"path": "/p92", "at": "yesterday"},
])
db.requests.count_documents({})

# %% [markdown]
# `server.clock` moves the server's time, not yours. After two days, one of the three is old enough. And after eight?

# %%
server.clock.advance(2 * 24 * 3600)
print(db.requests.count_documents({}))

server.clock.advance(6 * 24 * 3600)
print([request["path"] for request in db.requests.find()])

# %% [markdown]
# `"yesterday"` is no date, so that document stays for ever. No error told you; a validator would have.
#
# A real MongoDB looks for old documents once a minute, so a document may outlive its time by that much, or more on a busy server. The embedded one
# looks whenever somebody asks. A query that must not see old documents says so itself.
#
# To keep the last N instead of the last week there is the **capped collection**.

# %%
db.create_collection("latest", capped=True, size=100_000, max=3)
for n in range(5):
    db.latest.insert_one({"n": n})

[document["n"] for document in db.latest.find()]

# %% [markdown]
# ## Two documents at once
#
# A write to one document is atomic. A refund changes two: the stock rises, and the order is marked. What if the program dies between them?

# %%
db.orders.insert_one({"_id": "o1", "product_id": "p7", "quantity": 1, "state": "paid"})

def refund(order_id, session=None, crash=False):
    order = db.orders.find_one_and_update(
        {"_id": order_id, "state": "paid"}, {"$set": {"state": "refunded"}}, session=session)
    if crash:
        raise RuntimeError("the power went out")
    db.products.update_one({"_id": order["product_id"]}, {"$inc": {"stock": order["quantity"]}}, session=session)

before = db.products.find_one({"_id": "p7"})["stock"]
try:
    refund("o1", crash=True)
except RuntimeError as error:
    print(error)

db.orders.find_one({"_id": "o1"})["state"], db.products.find_one({"_id": "p7"})["stock"] - before

# %% [markdown]
# Refunded, and the kettle is nowhere. A **transaction** does all or nothing. It belongs to a **session**, and every operation in it must name the session.

# %%
db.orders.update_one({"_id": "o1"}, {"$set": {"state": "paid"}})

with client.start_session() as session:
    try:
        with session.start_transaction():
            refund("o1", session, crash=True)
    except RuntimeError as error:
        print(error)

db.orders.find_one({"_id": "o1"})["state"], db.products.find_one({"_id": "p7"})["stock"] - before

# %%
with client.start_session() as session:
    session.with_transaction(lambda session: refund("o1", session))

db.orders.find_one({"_id": "o1"})["state"], db.products.find_one({"_id": "p7"})["stock"] - before

# %% [markdown]
# An operation that forgets `session=` is not part of it, and no error says so. Two transactions that write the same document do not wait for each other: the second one fails.

# %% tags=["raises-exception"]
with client.start_session() as one, client.start_session() as two:
    with one.start_transaction(), two.start_transaction():
        db.products.update_one({"_id": "p7"}, {"$inc": {"stock": 1}}, session=one)
        db.products.update_one({"_id": "p7"}, {"$inc": {"stock": 1}}, session=two)

# %% [markdown]
# A **write conflict**. It is transient, and `with_transaction` runs your function again when it meets one. So that function must bear being run twice.
#
# Before you reach for a transaction, ask whether both facts could live in one document. An order with its items is one write.

# %% [markdown]
# ## Watching
#
# Other programs want to know when something changed: a cache to clear, a search index to update. A **change stream** tells them, in the order of the writes.

# %%
with db.products.watch([{"$match": {"operationType": "update"}}]) as stream:
    db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 1249}})
    change = stream.try_next()

change["documentKey"], change["updateDescription"]["updatedFields"]

# %% [markdown]
# Each change carries a token. A watcher that was away gives it back (`resume_after=`) and hears what it missed, as long as the server still remembers.

# %% [markdown]
# ## Sidebar: MongoEngine
#
# **MongoEngine** lets you declare a document as a class, as an ORM does with tables. Since there are no relations in MongoDB it is called an **ODM**, an object-document mapper.

# %%
from course.optional import available

if has_mongoengine := available("mongoengine", "documents"):
    import mongoengine as me

    me.disconnect()
    me.connect("shopstream_me", host=server.host, port=server.port, uuidRepresentation="standard")

    class Review(me.EmbeddedDocument):
        user_id = me.StringField(required=True)
        stars = me.IntField(min_value=1, max_value=5)

    class Product(me.Document):
        name = me.StringField(required=True, unique=True)
        price_cents = me.IntField(min_value=0)
        reviews = me.EmbeddedDocumentListField(Review)

    Product.drop_collection()
    kettle = Product(name="Copper Kettle", price_cents=1249)
    kettle.reviews.append(Review(user_id="u17", stars=5))
    kettle.save()
    print(Product.objects(reviews__stars__gte=4).first().name)

# %% [markdown]
# The class checks before it saves. What does it do with six stars? And with a field that nobody declared, in a document that another program wrote?

# %%
if has_mongoengine:
    try:
        Product(name="Tea Cosy", price_cents=850, reviews=[Review(user_id="u1", stars=6)]).save()
    except me.ValidationError as error:
        print("ValidationError:", str(error)[:80])

    client.shopstream_me.product.insert_one({"name": "Tea Strainer", "colour": "blue"})
    try:
        list(Product.objects)
    except me.errors.FieldDoesNotExist as error:
        print("FieldDoesNotExist:", str(error)[:70])

# %% [markdown]
# The rules live in the program, and other programs do not know them: one foreign document, and reading the list fails. A validator lives in the server.
# `save()` sends only the fields that changed. Look at what that means for two programs that count:

# %%
if has_mongoengine:
    client.shopstream_me.product.delete_one({"name": "Tea Strainer"})
    one, two = Product.objects.first(), Product.objects.first()
    one.price_cents -= 100
    two.price_cents -= 100
    one.save(), two.save()
    print("two discounts by save():  ", Product.objects.first().price_cents)

    for _ in range(2):
        Product.objects(name="Copper Kettle").update(dec__price_cents=100)
    print("two more by an operator:  ", Product.objects.first().price_cents)

# %% [markdown]
# The lost update again, behind a friendlier face.

# %% [markdown]
# ## Sidebar: async, and four regrets
#
# PyMongo has an asynchronous client with the same methods. Before, that was a package of its own, **Motor**, which PyMongo's took over from.

# %%
from pymongo import AsyncMongoClient

async with AsyncMongoClient(server.host, server.port) as async_client:
    print(await async_client.shopstream.products.count_documents({"category": "kitchen"}))

# %% [markdown]
# A. Jesse Jiryu Davis, who maintained the driver, once wrote down four decisions that he regretted. All four are gone. Old tutorials still use them, so it is good to know the errors.

# %%
def attempt(what, function):
    try:
        function()
    except Exception as error:
        print(f"{what:24} {type(error).__name__}: {str(error)[:70]}")

attempt("start_request", client.start_request)
attempt("use_greenlets", lambda: MongoClient(server.host, server.port, use_greenlets=True))
attempt("copy_database", lambda: client.copy_database("shopstream", "copy"))
attempt("MongoReplicaSetClient", lambda: __import__("pymongo", fromlist=["x"]).MongoReplicaSetClient)

# %% [markdown]
# The first error speaks of a database: `client.anything` is the database of that name, so a method that is gone turns into a database that is not callable. The same
# trap waits in every typing mistake.
#
# * `start_request` reserved a connection for a thread, to read one's own writes. Sessions do that now.
# * `use_greenlets` tied the driver to gevent. Gevent patches the standard library, and needs no help.
# * `copy_database` looked like one command and was a dozen. `mongodump` and `mongorestore` copy.
# * `MongoReplicaSetClient` was a second client for replica sets. `MongoClient` finds out what it talks to.

# %% [markdown]
# ## Sidebar: Compose and Atlas
#
# Somebody else can run the server. **Compose**, which began as MongoHQ, was the first to rent out MongoDB; IBM bought it in 2015 and has since closed it. MongoDB's own
# service is **Atlas**, and it published a guide for moving over from Compose. Atlas gives you an address that begins with `mongodb+srv://`: set `MONGODB_URI` to it before you start Jupyter, and run this chapter there.

# %% [markdown]
# ## Where the embedded server differs
#
# * It keeps everything in memory. There is no journal, so **write concerns** (`w="majority"`, `j=True`) are accepted and mean nothing.
# * It calls itself a replica set with one member, because transactions, retryable writes and change streams need one. There is nobody to fail over to.
# * TTL indexes act at once instead of once a minute.
# * It runs no JavaScript (`$where`, `$function`, `mapReduce`).
# * It is not fast, and nothing in this course says how fast a MongoDB is.
#
# [The list of everything that it can do](../docs/mongodb.md) is made from its tests.

# %% [markdown]
# ## What you have seen
#
# * A document is what you read and write together. What is unlimited, or asked for alone, gets a document of its own.
# * BSON cuts moments to milliseconds, and the driver hands them back without a zone unless you ask.
# * Operators change the document as it is now; read-change-write loses updates, unless a version guards it.
# * A deterministic `_id` makes an insert idempotent. It must hold everything that makes two events different.
# * A lost reply looks like a failure. Retry what is transient, with pauses, and find out whether your own write is already there.
# * `ordered=False`, and then look at the codes.
# * TTL indexes and capped collections forget for you.

# %% [markdown]
# ## Glossary
#
# **atomic**: seen by others entirely or not at all.
#
# **backoff**: waiting longer before each new attempt.
#
# **BSON**: Binary JSON, the form in which documents travel and are stored.
#
# **bucket pattern**: a document for each N members of a long list.
#
# **capped collection**: a collection of fixed size that drops its oldest documents.
#
# **change stream**: the writes of a collection, told in order to those who watch.
#
# **collection**, **document**: a set of documents; a record with fields, lists and records inside.
#
# **cursor**, **batch**: a query's open result; the portion of it that travels at once.
#
# **embedding**, **reference**: keeping a record inside another; keeping its id there.
#
# **idempotent**: with the same result however often it is done.
#
# **lost update**: a change that was overwritten by somebody who had not seen it.
#
# **naive**, **aware**: a datetime without, with a time zone.
#
# **ObjectId**: the twelve bytes that the driver makes for a document without `_id`.
#
# **ODM**: object-document mapper.
#
# **optimistic concurrency**: write if the version is still the one that was read.
#
# **ordered**, **unordered**: a bulk write that stops, or does not stop, at the first error.
#
# **retryable write**: a write with a number, which the server does once however often it arrives.
#
# **session**, **transaction**: a client's thread of operations; several writes that happen together or not at all.
#
# **transient**: an error that may not come again.
#
# **TTL index**: an index on a date that deletes what is old.
#
# **upsert**: update, or insert if nothing matched.
#
# **validator**: a rule that the server holds every document of a collection to.
#
# **write conflict**: two transactions want to change the same document.

# %% [markdown]
# ## Further reading
#
# * [Data modelling](https://www.mongodb.com/docs/manual/data-modeling/) and [retryable writes](https://www.mongodb.com/docs/manual/core/retryable-writes/), in MongoDB's manual.
# * [Building with patterns](https://www.mongodb.com/blog/post/building-with-patterns-a-summary): buckets and eleven other shapes.
# * [The BSON specification](https://bsonspec.org/), two pages.
# * [PyMongo](https://pymongo.readthedocs.io/) and [MongoEngine](https://mongoengine.org/).
# * A. Jesse Jiryu Davis on PyMongo's four regrets, at [emptysqua.re](https://emptysqua.re/blog/) (2014, old), and in [Talk Python, episode 2](https://talkpython.fm/episodes/show/2/python-and-mongodb).
# * [Introduction to MongoDB and Python](https://realpython.com/introduction-to-mongodb-and-python/), at Real Python.
# * [NoSQL explained](https://www.mongodb.com/resources/basics/databases/nosql-explained), by MongoDB.
# * MongoDB University is now at [learn.mongodb.com](https://learn.mongodb.com/).

# %% [markdown]
# ## Exercises
#
# In [the exercises](../exercises/05_documents/documents.ipynb) you write the insert with all its promises, buckets with late events, a migration from embedded to referenced,
# a save that loses nobody's change, and a log that cleans up.
