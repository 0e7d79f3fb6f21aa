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
db.products.drop()
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
# document, and a list answers if any of its members fits. (Two conditions may be met by two members: chapter 06 has that trap, and `$elemMatch`.)

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

# %% varies="shows the time of day"
from datetime import UTC, date, datetime, timedelta

print(result.inserted_id.generation_time)
print(datetime.now(UTC))

# %% [markdown]
# Just now, in UTC and to the second. What does a second document with the `_id` p7 do?

# %%
from pymongo.errors import DuplicateKeyError

try:
    db.products.insert_one({"_id": "p7", "name": "Copper Kettle, dented"})
except DuplicateKeyError as error:
    print(error.details["errmsg"])

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
# The length of all, the type of the field (2 for text), its name, the length of the text, the text, a zero to end it (counted: 14 for 13 letters), and one
# to end the document. Every document carries the names of its fields, so long names cost space in each one.

# %%
len(bson.encode({"p": 1249})), len(bson.encode({"price_in_euro_cents": 1249}))

# %% [markdown]
# JSON has no dates. BSON has, and it is a good type with two habits. Predict what comes back from this moment.

# %%
moment = datetime(2026, 6, 19, 12, 0, 0, 123456, tzinfo=UTC)
db.moments.drop()
db.moments.insert_one({"_id": 1, "at": moment})
db.moments.find_one()["at"]

# %% [markdown]
# The first habit: BSON counts milliseconds, so 123456 microseconds became 123000. The second: the time zone is gone. Python
# calls such a datetime **naive**. It never equals an aware one, and cannot be earlier or later.

# %%
db.moments.find_one()["at"] == moment.replace(microsecond=123000)

# %% tags=["raises-exception"]
db.moments.find_one()["at"] < moment

# %% [markdown]
# Ask for aware datetimes, once, where you make the client.

# %%
client = MongoClient(server.host, server.port, tz_aware=True)
db = client.shopstream
db.moments.find_one()["at"]

# %% [markdown]
# What you wrote is still not what you read. In a query the driver cuts the microseconds off, too. In Python you do it yourself.

# %%
cut = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
stored = db.moments.find_one({"at": moment})["at"]
stored == moment, stored == cut

# %% [markdown]
# Found, and not equal. And a datetime without a zone? Noon in Tokyo is three in the morning in UTC.

# %%
noon_in_tokyo = datetime(2026, 6, 19, 12)
result = db.moments.insert_one({"at": noon_in_tokyo})
db.moments.find_one(result.inserted_id)["at"]

# %% [markdown]
# The driver took it for UTC: nine hours wrong. So say `datetime.now(UTC)`. Neither `datetime.now()` nor
# `datetime.utcnow()` has a zone, and from 3.12 on Python warns of the second.

# %%
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    print(datetime.now().tzinfo, datetime.utcnow().tzinfo, datetime.now(UTC).tzinfo)

# %% [markdown]
# Some of Python's types have no place in BSON. The driver refuses them before anything is sent. `server.record()` notes what clients send.

# %%
from decimal import Decimal

with server.record() as log:
    for value in [date(2026, 6, 19), Decimal("12.49"), {"copper"}]:
        try:
            db.moments.insert_one({"value": value})
        except bson.errors.InvalidDocument as error:
            print(error)

log.count("insert")

# %% [markdown]
# No insert reached the server. A day becomes text or a midnight, a set becomes a list, and money becomes whole cents. (There is a `bson.Decimal128` for those who must.)
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
db.events.drop()
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
# That many users did something this month. The first batch has 101 documents, so that nobody waits for all to see one page; the others have up to 16 MB.

# %% [markdown]
# ## Schema: yours or nobody's
#
# The collection took the kettle with a price and the strainer without. It would take this too.

# %%
db.products.delete_one({"_id": "p8"})
db.products.insert_one({"_id": "p8", "name": "Tea Cosy", "price_cents": "8,50"})
sum(product["price_cents"] for product in db.products.find({"_id": "p7"}))

# %% tags=["raises-exception"]
sum(product["price_cents"] for product in db.products.find({"_id": {"$in": ["p7", "p8"]}}))

# %% [markdown]
# Whoever adds up prices here will meet a text some day. "Schemaless" means that the schema is in the heads of those who write, unless you tell the server.
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

# %%
from pymongo.errors import WriteError

try:
    db.products.insert_one({"_id": "p121", "name": "Tea Cosy", "price_cents": "8,50"})
except WriteError as error:
    print(error.details["errmsg"])
    print(error.details["errInfo"]["details"]["schemaRulesNotSatisfied"][0]["propertiesNotSatisfied"])

# %% [markdown]
# The error says which rule was broken, and by what. Fields that the rule does not name stay free, and that is the
# flexibility which people mean.

# %% [markdown]
# ## Embed or reference
#
# Reviews belong to a product. Either they live inside it, or in a collection of their own that names the product.
# **Embedding** first.

# %% differs="a real server does not tell what it examined"
reviews = [
    {"user_id": "u17", "stars": 5, "text": "Boils in four minutes."},
    {"user_id": "u46", "stars": 4, "text": "Loud, and beautiful."},
]
db.products.update_one({"_id": "p7"}, {"$set": {"reviews": reviews}})

with server.record() as log:
    page = db.products.find_one({"_id": "p7"})

len(page["reviews"]), log.round_trips, log.documents_examined

# %% [markdown]
# One round trip, one document. Another question: what did u17 review? Where does the server look?

# %% differs="a real server does not tell what it examined"
def reviewed_by(user_id):
    with server.record() as log:
        products = list(db.products.find({"reviews.user_id": user_id}))
    return log.documents_examined, products[0]["reviews"]

db.products.drop_indexes()
reviewed_by("u17")

# %% [markdown]
# In every product. An index over the list helps: it is **multikey**, with an entry for each member.

# %% differs="a real server does not tell what it examined"
db.products.create_index("reviews.user_id")
reviewed_by("u17")

# %% [markdown]
# One document, but a whole product, with everybody's reviews. Now by **reference**: each review is a document and holds the id of its product.

# %% differs="a real server does not tell what it examined"
db.reviews.drop()
db.reviews.insert_many([{"product_id": "p7", **review} for review in reviews])
db.reviews.create_index("product_id")
db.products.update_one({"_id": "p7"}, {"$unset": {"reviews": ""}})

with server.record() as log:
    page = db.products.find_one({"_id": "p7"})
    page["reviews"] = list(db.reviews.find({"product_id": "p7"}))

len(page["reviews"]), log.round_trips, log.documents_examined

# %% [markdown]
# Two round trips, three documents: embedding wins the page. What is asked alone should stand alone. The third question decides more often than the other two: how many can there be?

# %% [markdown]
# ## The array that grew
#
# Somebody put each user's events into the user's document. It is convenient: one read, and you have everything. User u17 has 45 events.

# %%
db.users.drop()
db.users.insert_one({"_id": "u17", "name": "Milan Chen", "events": []})
for event in shop.events_of("u17"):
    db.users.update_one({"_id": "u17"}, {"$push": {"events": event.for_mongodb()}})

len(bson.encode(db.users.find_one({"_id": "u17"})))

# %% [markdown]
# Nine kilobytes. User u142 has a browser plug-in that sends the text of the page along. Predict the size for u142's 170 events.

# %%
sizes, array = [], {"_id": "u142", "events": []}
db.users.delete_one({"_id": "u142"})
db.users.insert_one(array)
for event in shop.events_of("u142"):
    db.users.update_one({"_id": "u142"}, {"$push": {"events": event.for_mongodb()}})
    array["events"].append(event.for_mongodb())
    sizes.append(len(bson.encode(array)))

sizes[-1]

# %% [markdown]
# 1.3 MiB, and every read of u142's *name* that does not say which fields it wants moves all of them. A document may have 16 MiB.
# So a year of u142 may not fit. When does it end?

# %%
month = array["events"]
db.users.update_one({"_id": "u142"}, {"$set": {"events": month * 11 + month[:-1]}})
len(bson.encode(db.users.find_one({"_id": "u142"})))

# %% [markdown]
# A year without its last event fits into the 16,777,216 bytes. And the last one?

# %%
try:
    db.users.update_one({"_id": "u142"}, {"$push": {"events": month[-1]}})
except WriteError as error:
    print(error.code, error.details["errmsg"])

# %% [markdown]
# Nothing was wrong for a year, then the event is refused, and so is each one as large. An array without
# a limit is the mistake of document modelling, and the tests of the first month do not show it. `$slice` gives it a limit:

# %%
for event in shop.events_of("u17"):
    last_three = {"$each": [event.product_id], "$slice": -3}
    db.users.update_one({"_id": "u17"}, {"$push": {"latest": last_three}})

db.users.find_one({"_id": "u17"}, {"latest": True})

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

db.buckets.drop()
for event in shop.events_of("u142"):
    add_to_bucket(event)

[bucket["count"] for bucket in db.buckets.find({"user_id": "u142"}).sort("first")]

# %% [markdown]
# One command does it all. The filter finds a bucket that is not full. If there is none, `upsert=True` inserts a new
# document, with the equalities of the filter (`user_id`) and whatever the update says.
#
# On a real server two upserts that arrive together may both find nothing, and both insert. A unique index forbids that. This one holds open buckets only; we play the second upsert.

# %%
db.buckets.create_index("user_id", unique=True, partialFilterExpression={"count": {"$lt": 50}})
try:
    db.buckets.insert_one({"user_id": "u142", "count": 1})
except DuplicateKeyError as error:
    print(error.details["errmsg"])

# %% [markdown]
# It is refused, and when it is sent again there is a bucket to find. (An event that is sent twice is still stored twice. In the exercises you mend that.)
#
# How large did the largest document get on the way?

# %%
db.buckets.delete_many({})
largest = []
for event in shop.events_of("u142"):
    add_to_bucket(event)
    bucket = db.buckets.find_one({"user_id": "u142"}, sort=[("first", -1)])
    largest.append(max([len(bson.encode(bucket)), *largest[-1:]]))

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
db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 1249, "stock": 11}})
for_price = db.products.find_one({"_id": "p7"})
for_stock = db.products.find_one({"_id": "p7"})

for_price["price_cents"] = 749
db.products.replace_one({"_id": "p7"}, for_price)

for_stock["stock"] -= 1
db.products.replace_one({"_id": "p7"}, for_stock)

db.products.find_one({"_id": "p7"}, {"price_cents": True, "stock": True})

# %% [markdown]
# One of 11 is sold, but the price is back at 1249. The second program never touched the price, but it wrote the whole document as it had read it: a **lost update**.
# Say what changes instead, and the server does it to the document as it is now.

# %%
db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 1249, "stock": 11}})

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
    return result.matched_count == 1

db.products.update_one({"_id": "p7"}, {"$set": {"stock": 10}})
buy("p7", 9), buy("p7", 9)

# %% [markdown]
# If you need the document too, `find_one_and_update` returns it as it was before, or after.

# %%
from pymongo import ReturnDocument

db.products.update_one({"_id": "p7"}, {"$set": {"stock": 1}})
db.products.find_one_and_update(
    {"_id": "p7"}, {"$inc": {"stock": 20}},
    projection={"stock": True}, return_document=ReturnDocument.AFTER)

# %% [markdown]
# There are more operators of the kind. What does each call below leave?

# %%
def tags_after(update):
    db.products.update_one({"_id": "p7"}, update)
    return db.products.find_one({"_id": "p7"}).get("tags")

tags_after({"$unset": {"tags": ""}})
print(tags_after({"$push": {"tags": "sale"}}))
print(tags_after({"$push": {"tags": "sale"}}))
print(tags_after({"$addToSet": {"tags": "sale"}}))
print(tags_after({"$pull": {"tags": "sale"}}))
print(tags_after({"$rename": {"tags": "labels"}}))

# %% [markdown]
# To change a member of a list in its place, write `$` for the one that the filter found, or `$[line]` for each that an **array filter** lets through.

# %%
db.carts.drop()
db.carts.insert_one({"_id": "u17", "lines": [{"product_id": "p7", "quantity": 1}, {"product_id": "p90", "quantity": 3}]})

db.carts.update_one({"_id": "u17", "lines.product_id": "p7"}, {"$inc": {"lines.$.quantity": 1}})
db.carts.update_one({"_id": "u17"}, {"$set": {"lines.$[line].bulky": True}}, array_filters=[{"line.quantity": {"$gt": 2}}])
db.carts.find_one()["lines"]

# %% [markdown]
# `update_many` and `delete_many` take all that the filter finds, and count what **matched** and what was **modified**. What will the second call modify?

# %%
db.products.update_many({}, {"$unset": {"on_sale": ""}})
for _ in range(2):
    result = db.products.update_many({"category": "kitchen"}, {"$set": {"on_sale": True}})
    print(result.matched_count, result.modified_count)

db.reviews.insert_many([{"product_id": "p121", "stars": stars} for stars in (1, 2)])
db.reviews.delete_many({"product_id": "p121"}).deleted_count

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

db.products.update_one({"_id": "p7"}, {"$set": {"version": 1}})
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

db.products.update_one({"_id": "p7"}, {"$set": {"text": "Copper, 1.5 litres.", "version": 2}})
edit("p7", lambda product: {"text": product["text"] + " For life."})
db.products.find_one({"_id": "p7"}, {"text": True, "version": True})

# %% [markdown]
# ## An insert that goes round
#
# The shop's servers send each event to the database. Networks fail, so they try again. Here is a function of the
# kind that tutorials show. It has a good idea, an `_id` that is made from the data, and it has at least seven mistakes.

# %%
import time

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
db.log.drop()
first = {"user_id": "u17", "event_type": "view", "product_id": "p92", "timestamp": datetime(2026, 6, 1, 17, 34, 47, tzinfo=UTC)}
insert_event(first), insert_event(first)

# %% [markdown]
# What does `first` look like now?

# %%
sorted(first), first["created_at"].tzinfo

# %% [markdown]
# The first mistake: the function wrote into its caller's dictionary, and whoever sends `first` on sends two fields too many. (`insert_one` itself does that with a missing `_id`.)
# The second: `created_at` has no zone. It is a wall clock's time, and the driver takes it for UTC.
#
# The third mistake is worse. Users do two things in one millisecond; the month has twelve such pairs. This is one of them.

# %%
same_moment = shop.traps["same_millisecond"].where[0]
[(event.user_id, event.event_type, event.product_id, event.timestamp.time().isoformat()) for event in same_moment]

# %%
def plain(event):
    """An event as the servers send it: without an _id."""
    document = event.for_mongodb()
    del document["_id"]
    return document

db.log.drop()
[insert_event(plain(event)) for event in same_moment]

# %% [markdown]
# `False`: "it is there already". It is not. The second event is lost, quietly, because the id said less than the event. An id for this purpose must hold whatever
# makes two events different. `event_id` does.
#
# The fourth: which errors are worth trying again?

# %%
class Broken:
    """Something that BSON cannot hold."""

db.log.drop()
db.create_collection("log", validator={"quantity": {"$gte": 1}})
for wrong in [{"details": Broken()}, {"quantity": 0}]:
    try:
        with server.record() as log:
            insert_event({"user_id": "u17", "timestamp": datetime.now(UTC), **wrong})
    except Exception as error:
        print(type(error).__name__, log.count("insert"))

# %% [markdown]
# The driver refused the first document, and the server never heard of it. The second one broke the rule of the validator, three times over. Neither will become right by trying.
#
# What is worth trying again is called **transient**: the connection broke, the server is shutting down, or the members of a **replica set** (servers with copies of the same data)
# are electing a new **primary**, the one that takes the writes. PyMongo's name for most of these is `AutoReconnect`.

# %% [markdown]
# ## The lost reply
#
# The fifth mistake is the one to understand. A connection can break *before* the server did its work, or *after*. The client sees
# the same: an error. `drop_reply` breaks it after.

# %%
careful = MongoClient(server.host, server.port, tz_aware=True, retryWrites=False)
db = careful.shopstream
db.log.drop()
our_event = shop.events_of("u17")[0]

with server.faults.drop_reply("insert"), server.record() as log:
    answer = insert_event(plain(our_event))

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
    answer = insert_event(plain(our_event))

answer, log.count("insert"), db.log.count_documents({})

# %% [markdown]
# `True`. The server received the insert twice and did it once. How did it know? PyMongo lets you listen to what it sends.

# %%
from pymongo.monitoring import CommandListener

class Listener(CommandListener):
    """Prints each command with its transaction number, and how it ended."""

    def started(self, event):
        print(event.command_name, event.command.get("txnNumber"), end=": ")

    def succeeded(self, event):
        print("ok")

    def failed(self, event):
        print("no reply")

db.log.drop()
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
# The sixth mistake: no pause. A server that is busy electing a primary gets three attempts within a millisecond, from every client. **Backoff** waits longer each time, and **jitter**, a random part of the pause,
# keeps the clients apart. These begin together:

# %%
import random

dice = random.Random(5)

def pauses(attempts, base=0.1, cap=5.0):
    """Seconds to wait before each new attempt: up to base, twice base, four times base …, at most cap."""
    return [dice.uniform(0, min(cap, base * 2 ** n)) for n in range(attempts)]

plots.retries({
    "no pause": [0] * 7,
    **{f"doubling {n}": [0.1 * 2 ** attempt for attempt in range(7)] for n in (1, 2, 3)},
    **{f"jitter {n}": pauses(7) for n in (1, 2, 3)},
}, outage=2.0)

# %% [markdown]
# The server is away for two seconds. The client without pauses has given up long before. Those that double come back together each time, those with jitter one by one.
#
# The seventh mistake is the last line of `insert_event`. What does it say when it may not try at all?

# %%
db.log.drop()
insert_event(plain(our_event), retries=0), db.log.count_documents({})

# %% [markdown]
# `False`, as if it were there. Here is the function again, with "is it mine?" in one of its own.

# %%
from pymongo.errors import AutoReconnect

def is_there(collection, document):
    """True if this very document is stored. ValueError if another one has its id."""
    if collection.find_one({"_id": document["_id"]}) != document:
        raise ValueError(f"another event has the id {document['_id']}")
    return True

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
            return is_there(collection, document)
        except AutoReconnect:
            if pause is None:
                raise
            sleep(pause)

# %%
db = careful.shopstream
db.log.drop()
with server.faults.drop_reply("insert"):
    print(insert_event(db.log, our_event, sleep=lambda seconds: None))
print([insert_event(db.log, event) for event in same_moment], db.log.count_documents({}))

# %% [markdown]
# Compare what is stored with what you sent only if both went through BSON alike: a document with microseconds in it would never equal its stored self. Shopstream's events have whole milliseconds.
#
# In the exercises the function also says whether it was this call that stored the event, and lives with other unique indexes.

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
# `bulk_write` mixes inserts, updates and deletes. Here is a warehouse and its first day, in one round trip for each kind.

# %%
from pymongo import InsertOne, UpdateOne

filled = [InsertOne({"_id": product.product_id, "stock": product.stock}) for product in shop.products]
sold = [UpdateOne({"_id": event.product_id, "stock": {"$gte": event.quantity}}, {"$inc": {"stock": -event.quantity}})
        for event in shop.day("2026-06-01") if event.event_type == "purchase"]

db.warehouse.drop()
with server.record() as log:
    result = db.warehouse.bulk_write(filled + sold)

result.inserted_count, len(sold), result.modified_count, log.round_trips

# %% [markdown]
# ## Logs that clean up
#
# Logs are asked about for some days and then never. A **TTL index** deletes documents when a date in them is old enough. This collection keeps page requests for
# a week.

# %%
WEEK = 7 * 24 * 3600

def three_requests():
    now = datetime.fromtimestamp(server.clock.now(), UTC)
    db.requests.drop()
    db.requests.create_index("at", expireAfterSeconds=WEEK)
    db.requests.insert_many([
        {"path": "/p7", "at": now},
        {"path": "/p90", "at": now - timedelta(days=6)},
        {"path": "/p92", "at": "yesterday"},
    ])

three_requests()
db.requests.count_documents({})

# %% [markdown]
# `server.clock` moves the server's time, not yours. After two days, one of the three is old enough. And after eight?

# %% only_embedded="moves the server's clock"
three_requests()
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
db.latest.drop()
db.create_collection("latest", capped=True, size=100_000, max=3)
for n in range(5):
    db.latest.insert_one({"n": n})

[document["n"] for document in db.latest.find()]

# %% [markdown]
# ## Two documents at once
#
# A write to one document is atomic. A refund changes two: the stock rises, and the order is marked. What if the program dies between them?

# %%
db.orders.drop()
db.orders.insert_one({"_id": "o1", "product_id": "p7", "quantity": 1, "state": "paid"})

def refund(order_id, session=None, crash=False):
    order = db.orders.find_one_and_update(
        {"_id": order_id, "state": "paid"}, {"$set": {"state": "refunded"}}, session=session)
    if order is None:
        return               # there is no such order, or it is refunded already
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
# An operation that forgets `session=` is not part of it, and no error says so:

# %%
db.orders.delete_many({"_id": {"$in": ["o2", "o3"]}})
with client.start_session() as session, session.start_transaction():
    db.orders.insert_one({"_id": "o2"}, session=session)
    db.orders.insert_one({"_id": "o3"})
    session.abort_transaction()

[order["_id"] for order in db.orders.find()]

# %% [markdown]
# Aborted, and o3 is there. Two transactions that write the same document do not wait for each other: the second one fails.

# %%
from pymongo.errors import OperationFailure

try:
    with client.start_session() as one, client.start_session() as two:
        with one.start_transaction(), two.start_transaction():
            db.products.update_one({"_id": "p7"}, {"$inc": {"stock": 1}}, session=one)
            db.products.update_one({"_id": "p7"}, {"$inc": {"stock": 1}}, session=two)
except OperationFailure as error:
    print(error.code, error.details["codeName"], error.details["errorLabels"])

# %% [markdown]
# A **write conflict**. Its label says that it is transient, and makes `with_transaction` run your function again. So that function must bear being run twice.
#
# Before you reach for a transaction, ask whether both facts could live in one document. An order with its items is one write.

# %% [markdown]
# ## Watching
#
# Other programs want to know when something changed: a cache to clear, a search index to update. A **change stream** tells them, in the order of the writes.

# %%
db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 749}})
with db.products.watch([{"$match": {"operationType": "update"}}]) as stream:
    db.products.update_one({"_id": "p7"}, {"$set": {"price_cents": 1249}})
    change = stream.try_next()

change["documentKey"], change["updateDescription"]["updatedFields"]

# %% [markdown]
# Each change carries a **resume token**. A watcher that was away gives it back (`resume_after=`) and hears what it missed, as long as the server still remembers.

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
        price_cents = me.IntField()
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

    client.shopstream_me.product.delete_many({"name": "Tea Strainer"})
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
    client.shopstream_me.product.delete_many({"name": "Tea Strainer"})
    Product.objects.update(set__price_cents=1249)
    one, two = Product.objects.first(), Product.objects.first()
    one.price_cents -= 100
    two.price_cents -= 100
    one.save(), two.save()
    print("two discounts by save():  ", Product.objects.first().price_cents)

    for _ in range(2):
        Product.objects(name="Copper Kettle").update(dec__price_cents=100)
    print("two more by an operator:  ", Product.objects.first().price_cents)

# %% [markdown]
# One discount is gone: the lost update again, behind a friendlier face. The operator loses none. (With `IntField(min_value=0)` MongoEngine refuses `dec__`: it sends
# `$inc` of -100, and holds the -100 to the minimum.)

# %% [markdown]
# ## Sidebar: mongomock, in your own tests
#
# The tests of your own programs may not want a server at all. **mongomock** is a library that has PyMongo's methods and keeps the collections in the memory of your process. (The embedded server of
# this course keeps its documents in mongomock's stores.)

# %%
import mongomock

fake = mongomock.MongoClient().shopstream
fake.products.insert_one({"_id": "p7", "stock": 11})
fake.products.update_one({"_id": "p7"}, {"$inc": {"stock": -1}})
fake.products.find_one()

# %% [markdown]
# Nothing travels, so nothing can get lost, and a test of a retry proves nothing. Know what else is not there before you trust a green test. Which of these four work?

# %%
attempts = {
    "a transaction": lambda: fake.client.start_session().start_transaction(),
    "a validator": lambda: fake.create_collection("strict", validator={"stock": {"$gte": 0}}),
    "$lookup with a pipeline": lambda: list(fake.products.aggregate([{"$lookup": {"from": "reviews", "pipeline": [], "as": "all"}}])),
    "UpdateOne in bulk_write": lambda: fake.products.bulk_write([UpdateOne({"_id": "p7"}, {"$inc": {"stock": 1}})]),
}
for what, attempt_it in attempts.items():
    try:
        attempt_it()
        print(f"{what:24} works")
    except (NotImplementedError, TypeError) as error:
        print(f"{what:24} {type(error).__name__}")

# %% [markdown]
# None. The first three say so; the last one is a method that PyMongo has changed since.

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
# * `start_request` reserved a connection for a thread. Sessions read one's own writes now.
# * `use_greenlets` tied the driver to gevent, which needs no help.
# * `copy_database` was a dozen commands. `mongodump` and `mongorestore` copy.
# * `MongoReplicaSetClient` was for replica sets. `MongoClient` finds out what it talks to.

# %% [markdown]
# ## Sidebar: Compose and Atlas
#
# Others can run the server for you. **Compose**, which began as MongoHQ, was one of the first to rent out MongoDB; IBM bought it in 2015 and has since closed it. MongoDB's own
# service is **Atlas**, and it published a guide for moving over from Compose. Atlas gives you an address that begins with `mongodb+srv://`: set `MONGODB_URI` to it before you start Jupyter, and run this chapter there.

# %% [markdown]
# ## Where the embedded server differs
#
# * It keeps everything in memory. There is no journal, so **write concerns** (`w="majority"`, `j=True`) are accepted and mean nothing.
# * It calls itself a replica set with one member, because transactions, retryable writes and change streams need one. There is nobody to fail over to.
# * Two upserts never race: it does one command after the other.
# * A write to a document that an open transaction has written fails after three seconds; MongoDB waits for the transaction to end.
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
# **backoff**, **jitter**: waiting longer before each new attempt; a random part of that wait.
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
# **multikey index**: one over a list, with an entry for each member.
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
# **replica set**, **primary**: servers with the same data; the one that takes the writes.
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
