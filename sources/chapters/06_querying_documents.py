# ---
# title: "MongoDB: querying documents"
# minutes: 95
# summary: Aggregation, indexes that fit a question, and queries that miss a document.
# ---

# %% [markdown]
# # MongoDB: querying documents
#
# A question to a document store has two halves: what you ask, and how many documents the server has to look at to answer.
# This chapter puts questions to the shop's month: first until the answers are right, then until they are cheap.
#
# At the end of this chapter you can
#
# * say what a filter matches when a field is missing, null or a list;
# * build an aggregation stage by stage, and see what each stage lets through;
# * read `explain`, and choose an index by the rule of equality, sort, range;
# * turn pages without losing your place;
# * explain how a query can miss a document that was there all the time, and when it cannot;
# * say what a join costs here, and how others answer the same questions: CouchDB, JSON in SQL databases, Elasticsearch.

# %%
import stores

server = stores.start("mongodb")
server.reset()
server

# %%
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, DESCENDING, MongoClient

from course import plots, shopstream

shop = shopstream.load()
client = MongoClient(server.host, server.port, tz_aware=True)
db = client.shopstream
client.drop_database(db)
db.events.insert_many([event.for_mongodb() for event in shop.events])
db.products.insert_many([
    {"_id": product.product_id, "name": product.name, "category": product.category, "price_cents": product.price_cents}
    for product in shop.products
])
db.events.count_documents({}), db.products.count_documents({})

# %% [markdown]
# ## What a filter matches
#
# A filter is a document too. Fields must be equal, or fit the **operators** that begin with a dollar sign. How many things were sold on the day of the flash sale?

# %%
midnight = datetime(2026, 6, 19, tzinfo=UTC)
sale_day = {"$gte": midnight, "$lt": midnight + timedelta(days=1)}

db.events.count_documents({"event_type": "purchase", "timestamp": sale_day})

# %% [markdown]
# The interval is **half-open**: the first midnight belongs to the day, the second one does not. With `$lte` at its end, an event at midnight would be counted on two days. There is one on 10 June: count the ninth in both ways.

# %%
tenth = datetime(2026, 6, 10, tzinfo=UTC)
for name, end in [("$lt", {"$lt": tenth}), ("$lte", {"$lte": tenth})]:
    print(name, db.events.count_documents({"timestamp": {"$gte": tenth - timedelta(days=1), **end}}))

# %% [markdown]
# Now four documents that are easy to get wrong. One has an amount, in one it is a text, in one it is `None`, and one has none. What does each filter match?

# %%
db.odd.drop()
db.odd.insert_many([
    {"_id": "five", "amount": 5},
    {"_id": "text", "amount": "5"},
    {"_id": "none", "amount": None},
    {"_id": "missing"},
])

def matches(filter):
    return [document["_id"] for document in db.odd.find(filter)]

for condition in [None, {"$exists": False}, {"$type": "null"}, {"$ne": 5}, {"$lt": 10}]:
    print(f"{condition!s:18} {matches({'amount': condition})}")

# %% [markdown]
# `None` in a filter means null *or* missing. `$ne` matches what is missing, since that is certainly not 5. And `$lt` compares numbers with numbers only: neither a text nor nothing
# is less than 10.
#
# Lists have a trap of their own. Who gave five stars, and said so in June? Predict which of the two products is found.

# %%
db.odd.drop()
db.odd.insert_many([
    {"_id": "kettle", "reviews": [{"stars": 5, "month": 6}]},
    {"_id": "cosy", "reviews": [{"stars": 5, "month": 5}, {"stars": 1, "month": 6}]},
])
matches({"reviews.stars": 5, "reviews.month": 6})

# %% [markdown]
# Both. Each condition looks for *some* review that fits it, and for the cosy they are two different ones. `$elemMatch` wants one member that fits all.

# %%
matches({"reviews": {"$elemMatch": {"stars": 5, "month": 6}}})

# %% [markdown]
# ## Stage by stage
#
# Who spent the most in the week after the flash sale? An **aggregation** is a list of **stages**; documents come out of one and go into the next. `$match` filters, as `find` does.

# %%
db.events.aggregate([
    {"$match": {"event_type": "purchase"}},
    {"$limit": 1},
]).next()["amount_cents"]

# %% [markdown]
# `$group` makes one document for each value of `_id`. A dollar sign before a name means the value of that field.

# %%
week = {"$gte": datetime(2026, 6, 22, tzinfo=UTC), "$lt": datetime(2026, 6, 29, tzinfo=UTC)}
top_customers = [
    {"$match": {"event_type": "purchase", "timestamp": week}},
    {"$group": {"_id": "$user_id", "cents": {"$sum": "$amount_cents"}, "orders": {"$sum": 1}}},
    {"$sort": {"cents": -1}},
    {"$limit": 5},
]
list(db.events.aggregate(top_customers))

# %% [markdown]
# An aggregation is a list, and so you can look into it: run the first stage alone, the first two, and so on. How many documents come out of each?

# %%
def sizes_of(pipeline, collection="events"):
    """How many documents come out of each stage?"""
    sizes = {"the collection": db[collection].count_documents({})}
    for n, stage in enumerate(pipeline, start=1):
        (name,) = stage
        sizes[f"{n} {name}"] = len(list(db[collection].aggregate(pipeline[:n])))
    return sizes

plots.pipeline(sizes_of(top_customers))

# %% [markdown]
# That is the aggregation of many tutorials, and it has two mistakes that no error message tells. The first: it leaves out what was sent back. How much did the first two return?

# %%
list(db.events.aggregate([
    {"$match": {"event_type": "refund", "timestamp": week, "user_id": {"$in": ["u23", "u326"]}}},
    {"$group": {"_id": "$user_id", "cents": {"$sum": "$amount_cents"}}},
    {"$sort": {"cents": -1}},
]))

# %% [markdown]
# Count a refund as minus. `$cond` is an `if` within a stage: condition, then, else.

# %%
spent = {"$cond": [{"$eq": ["$event_type", "refund"]}, {"$multiply": [-1, "$amount_cents"]}, "$amount_cents"]}
net = [
    {"$match": {"event_type": {"$in": ["purchase", "refund"]}}},
    {"$group": {"_id": "$user_id", "cents": {"$sum": spent}}},
]
list(db.events.aggregate([{"$match": {"timestamp": week}}, *net, {"$sort": {"cents": -1}}, {"$limit": 5}]))

# %% [markdown]
# The first two have changed places. The second mistake needs a tie. Three users with the same sum, and room for two: who is in?

# %%
db.odd.drop()
db.odd.insert_many([{"_id": name, "cents": 100} for name in ("u3", "u1", "u2")])
print([user["_id"] for user in db.odd.aggregate([{"$sort": {"cents": -1}}, {"$limit": 2}])])
print([user["_id"] for user in db.odd.aggregate([{"$sort": {"cents": -1, "_id": 1}}, {"$limit": 2}])])

# %% [markdown]
# The first answer is whatever order the documents happened to be in, and tomorrow it may be another. A sort before a limit should end with something unique: `_id`.
#
# ## More stages
#
# `$unwind` makes a document of each member of a list, and none of an empty one. `$lookup` fetches from another collection. Together they are this database's join: what did each category sell?

# %%
by_category = [
    {"$match": {"event_type": "purchase"}},
    {"$lookup": {"from": "products", "localField": "product_id", "foreignField": "_id", "as": "product"}},
    {"$unwind": "$product"},
    {"$group": {"_id": "$product.category", "pieces": {"$sum": "$quantity"}}},
    {"$sort": {"pieces": -1, "_id": 1}},
]
list(db.events.aggregate(by_category))[:3]

# %% [markdown]
# What did that join cost? Remember the number of purchases when you look at the second one.

# %%
with server.record() as log:
    list(db.events.aggregate(by_category))

db.events.count_documents({"event_type": "purchase"}), log.documents_examined

# %% [markdown]
# All 12,000 events, and for each purchase a product. Now the same numbers from another order of stages: group by product first, then look up each product that was sold, instead of every purchase.

# %%
grouped_first = [
    {"$match": {"event_type": "purchase"}},
    {"$group": {"_id": "$product_id", "pieces": {"$sum": "$quantity"}}},
    {"$lookup": {"from": "products", "localField": "_id", "foreignField": "_id", "as": "product"}},
    {"$unwind": "$product"},
    {"$group": {"_id": "$product.category", "pieces": {"$sum": "$pieces"}}},
    {"$sort": {"pieces": -1, "_id": 1}},
]
with server.record() as log:
    rows = list(db.events.aggregate(grouped_first))

rows == list(db.events.aggregate(by_category)), log.documents_examined

# %% [markdown]
# 117 were sold. Make documents few before you make them large.
#
# Time has stages and operators of its own. `$dateTrunc` cuts a moment to a day; in which time zone, you have to say, if it is not UTC. `$setWindowFields` looks at the neighbours of a document: here it adds up all days so far.

# %%
days = list(db.events.aggregate([
    {"$match": {"event_type": "purchase"}},
    {"$group": {"_id": {"$dateTrunc": {"date": "$timestamp", "unit": "day"}}, "cents": {"$sum": "$amount_cents"}}},
    {"$setWindowFields": {
        "sortBy": {"_id": 1},
        "output": {"so_far": {"$sum": "$cents", "window": {"documents": ["unbounded", "current"]}}},
    }},
]))
days[0], days[-1]

# %% [markdown]
# How do visitors become buyers? A **funnel** counts the users that got as far as each step. `$facet` asks several questions at once about the same documents.

# %%
def users_who(event_type):
    return [{"$match": {"event_type": event_type}}, {"$group": {"_id": "$user_id"}}, {"$count": "users"}]

db.events.aggregate([{"$facet": {step: users_who(step) for step in ("view", "cart", "purchase")}}]).next()

# %% [markdown]
# Each did so at some time, in any order, with any product: exercise 6.2 is stricter. No branch of a `$facet` can use an index.
#
# An aggregation may also write: `$merge` puts its results into a collection, and a second run updates them. A table of sums that is fresh enough and cheap to read is often all that a page needs.

# %%
db.events.aggregate([*net, {"$merge": {"into": "spent", "whenMatched": "replace"}}])
db.spent.find_one({"_id": "u17"})

# %% [markdown]
# ## What does a question cost?
#
# The latest ten events of u17. Without an index the server reads everything: a **collection scan**.

# %%
def latest(user_id, n=10):
    return db.events.find({"user_id": user_id}).sort("timestamp", DESCENDING).limit(n)

with server.record() as log:
    rows = list(latest("u17"))

len(rows), log.documents_examined

# %% [markdown]
# `explain` tells the plan. It is a tree; the stage that runs first is innermost.

# %%
def plan_of(cursor):
    """The names of a plan's stages, from the first to run to the last, and what they cost."""
    explained = cursor.explain()
    stage, names = explained["queryPlanner"]["winningPlan"], []
    while stage:
        names.insert(0, stage["stage"] + (f" {stage['indexName']}" if "indexName" in stage else ""))
        stage = stage.get("inputStage")
    stats = explained["executionStats"]
    return " → ".join(names), {name: stats[name] for name in ("totalKeysExamined", "totalDocsExamined", "nReturned")}

plan_of(latest("u17"))

# %% [markdown]
# `COLLSCAN` reads 12,000 documents, `SORT` puts those of u17 in order and keeps ten. An **index** holds the values of some fields in order, each with a pointer to its document.

# %%
db.events.create_index([("user_id", ASCENDING), ("timestamp", DESCENDING)])
plan_of(latest("u17"))

# %% [markdown]
# Ten keys, ten documents, ten results, no `SORT`: within one user the index has the order that was asked for. `IXSCAN` reads the part of the index within its **bounds**, `FETCH` the documents.
#
# Could the same index answer these? Predict for each whether it can find its documents by the index, and whether it has to sort. (Any text is greater than `""`.)

# %%
questions = {
    "all events of a user": db.events.find({"user_id": "u17"}),
    "oldest first": db.events.find({"user_id": "u17"}).sort("timestamp", ASCENDING),
    "one day of everybody": db.events.find({"timestamp": sale_day}),
    "by user, then oldest first": db.events.find({"user_id": {"$gt": ""}}).sort([("user_id", 1), ("timestamp", 1)]),
}
for question, cursor in questions.items():
    plan, stats = plan_of(cursor)
    print(f"{question:28} {plan:40} {stats['totalDocsExamined']}")

# %% [markdown]
# An index is read forwards or backwards, so *oldest first* is free. An index serves a **prefix** of its fields: it cannot find a day, because the days are spread over all users. And two fields in directions that are
# neither the index's nor the exact opposite must be sorted.
#
# A join asks too. The one above found its products by `_id`, where there is always an index. Join the last ten refunds with all events of the same user, then of the same session:

# %%
def examined_by_join(field):
    with server.record() as log:
        list(db.events.aggregate([
            {"$match": {"event_type": "refund"}},
            {"$sort": {"timestamp": -1}},
            {"$limit": 10},
            {"$lookup": {"from": "events", "localField": field, "foreignField": field, "as": "others"}},
        ]))
    return log.documents_examined

examined_by_join("user_id"), examined_by_join("session_id")

# %% [markdown]
# To find the refunds takes 12,000. Without an index on the field, the join reads all events again for each of them. (Up to 10,000 documents MongoDB would read once, and keep.)

# %% [markdown]
# ## Equality, sort, range
#
# The aggregation of the tutorials matches a type and a range of time, and they advise an index on `event_type`. Let four indexes compete for one question: the sale day's purchases, dearest first.

# %%
def dearest():
    return db.events.find({"event_type": "purchase", "timestamp": sale_day}).sort("amount_cents", DESCENDING).limit(10)

candidates = {
    "no index": None,
    "type": [("event_type", 1)],
    "type, time": [("event_type", 1), ("timestamp", 1)],
    "type, amount, time": [("event_type", 1), ("amount_cents", -1), ("timestamp", 1)],
}
db.events.drop_indexes()
costs = {}
for name, keys in candidates.items():
    if keys:
        db.events.create_index(keys, name=name)
    plan, stats = plan_of(dearest())
    costs[name] = stats
    print(f"{name:20} {plan}")
    db.events.drop_indexes()

plots.examined(costs)

# %% [markdown]
# The index on the type alone reads every purchase of the month. With the time behind it, only the 287 of the day, and then it sorts them. With the amount between, it reads keys from the dearest down, tests the time in the index, and stops after ten: 189 keys, 10 documents.
#
# The rule is **ESR**: first the fields that must be *equal*, then those that *sort*, then those with a *range*. Whether the sort or the range should come first depends on how much the range lets through: here 189 keys against 287. Count, as above.
#
# An index may even answer alone. If it holds all that is asked for, no document is read: a **covered** query.

# %%
db.events.create_index([("event_type", 1), ("timestamp", 1)])
plan_of(db.events.find({"event_type": "purchase", "timestamp": sale_day}, {"_id": False, "timestamp": True}))

# %% [markdown]
# What an index costs is paid when you write: every insert puts an entry into each, and into one on lists, a **multikey index**, an entry for each member. And some questions get little help from any. Which of these two can use an index on `name`?

# %%
db.products.create_index("name")
for pattern in ("^Copper", "Kettle$"):
    plan, stats = plan_of(db.products.find({"name": {"$regex": pattern}}))
    print(f"{pattern:8} {plan:30} {stats}")

# %% [markdown]
# Both say `IXSCAN`, so read the numbers. A beginning is a range of the index: few keys. An end could be anywhere, so all 120 keys are read. The name of a plan is not its cost.

# %% [markdown]
# ## Turning pages
#
# The shop's log is read page by page, newest first. Page 50 is easily asked for with `skip`. What does it cost?

# %%
db.events.create_index([("timestamp", -1), ("_id", -1)])
PAGE = 60

def page_by_skip(n):
    return list(db.events.find().sort([("timestamp", -1), ("_id", -1)]).skip(n * PAGE).limit(PAGE))

with server.record() as log:
    page_by_skip(49)

log.keys_examined, log.documents_examined

# %% [markdown]
# The server walks past 2,940 entries and their documents to find your 60. And the place moves: insert an event while the reader is on page one.

# %%
first = page_by_skip(0)
new = shop.events[0].for_mongodb() | {"_id": "new", "timestamp": datetime(2026, 7, 1, tzinfo=UTC)}
db.events.insert_one(new)
second = page_by_skip(1)
db.events.delete_one({"_id": "new"})

first[-1]["_id"] == second[0]["_id"]

# %% [markdown]
# The last event of page one is the first of page two: everything moved by one. (Delete one instead, and the reader misses one.) **Keyset pagination** remembers the last event instead of its number, and asks for what comes after it.
#
# Here is a first try. What is wrong with it?

# %%
def page_after(last=None):
    filter = {} if last is None else {"timestamp": {"$lt": last["timestamp"]}}
    return list(db.events.find(filter).sort([("timestamp", -1), ("_id", -1)]).limit(PAGE))

seen, page = set(), page_after()
while page:
    seen |= {event["_id"] for event in page}
    page = page_after(page[-1])

len(seen), len(shop.events), len({event.timestamp for event in shop.events})

# %% [markdown]
# One event is missing, and data without ties would not have told. Twelve times two events share a millisecond. If a page ends between the two, `$lt` skips the second. The key must be unique, and the comparison must use all of it: not later, and either earlier or with a smaller `_id`.

# %%
def behind(last):
    """The condition of what comes after an event, newest first."""
    return {
        "timestamp": {"$lte": last["timestamp"]},
        "$or": [{"timestamp": {"$lt": last["timestamp"]}}, {"_id": {"$lt": last["_id"]}}],
    }

def page_after(last=None):
    filter = {} if last is None else behind(last)
    return list(db.events.find(filter).sort([("timestamp", -1), ("_id", -1)]).limit(PAGE))

seen, page, by_keyset = set(), page_after(), {}
while page:
    seen |= {event["_id"] for event in page}
    with server.record() as log:
        page = page_after(page[-1])
    by_keyset[len(seen) // PAGE + 1] = log.keys_examined

len(seen), len(shop.events)

# %% [markdown]
# All are there. The `$lte` says where to begin, the `$or` leaves out what was seen of that moment. Compare with every twentieth page by `skip`:

# %%
by_skip = {}
for n in range(20, 201, 20):
    with server.record() as log:
        page_by_skip(n - 1)
    by_skip[n] = log.keys_examined

plots.paging({"skip": by_skip, "keyset": {n: by_keyset[n] for n in by_skip}}, PAGE)

# %% [markdown]
# And with a filter? A page of purchases, with this index, and with one that has the filter's field in front:

# %%
def cost_of_purchases():
    last = db.events.find_one({"event_type": "purchase", "timestamp": {"$lt": midnight}}, sort=[("timestamp", -1), ("_id", -1)])
    with server.record() as log:
        list(db.events.find({"$and": [{"event_type": "purchase"}, behind(last)]}).sort([("timestamp", -1), ("_id", -1)]).limit(PAGE))
    return log.keys_examined, log.documents_examined

db.events.drop_indexes()
db.events.create_index([("timestamp", -1), ("_id", -1)])
print(cost_of_purchases())
db.events.create_index([("event_type", 1), ("timestamp", -1), ("_id", -1)])
print(cost_of_purchases())

# %% [markdown]
# The first walks past all that is not a purchase. A filter whose pages are turned often needs its fields in front of the place.

# %% [markdown]
# ## A query that misses
#
# In 2016 the makers of Meteor found that a query of theirs sometimes did not return a document that had matched it all the time. How can that be? A scan walks along an index, and the index does not stand still.
# Here is a small index that you can step through. Six orders lie in it by their totals.

# %%
from course.simulate.index_scan import Collection

totals = {"a": 10, "b": 20, "c": 30, "d": 40, "e": 50, "f": 60}

def new_orders(writer=None):
    documents = [{"_id": _id, "state": "open", "total": total} for _id, total in totals.items()]
    return Collection(documents, indexes=["total", "state"], writer=writer)

orders = new_orders()
scan = orders.find({"state": "open"}, index="total")
[scan.step()["_id"] for _ in range(3)]

# %% [markdown]
# The scan has read a, b and c. Now somebody takes an item out of order e: its total falls to 15. What will the rest of the scan return?

# %%
orders = new_orders()
scan = orders.find({"state": "open"}, index="total")
before = [scan.step()["_id"] for _ in range(3)]
orders.update("e", total=15)
before, [document["_id"] for document in scan]

# %% [markdown]
# Not e. It is open, it was open all the time, and nobody deleted it. Its entry moved from ahead of the scan to behind it.

# %%
plots.index_scan(scan)

# %% [markdown]
# The other way round an order comes twice. The `writer` of this model is called before each step. Which order will be returned twice?

# %%
def dearer(orders, n):
    if n == 3:
        orders.update("a", total=45)

scan = new_orders(dearer).find({"state": "open"}, index="total")
[document["_id"] for document in scan], scan.twice

# %% [markdown]
# What is safe? An entry must not move while its document matches. Look for the orders by their *state*, with the same writer:

# %%
scan = new_orders(dearer).find({"state": "open"}, index="state")
[document["_id"] for document in scan], scan.missed, scan.twice

# %% [markdown]
# As long as an order matches, its state is `open`, and so its entry stays. The same holds for any index of which *all* fields must be equal to something, for fields that never change, and for `_id`. (An order that is deleted and inserted again is another order: it may come a second time.)
#
# A **snapshot** is safe as well: the scan sees everything as it was at the beginning. The server has to keep the old versions as long as the scan lasts.

# %%
def busy(orders, n):
    orders.update("abcdef"[n % 6], total=100 - 10 * n)

orders = new_orders(busy)
snapshot = orders.snapshot()
scan = snapshot.find({"state": "open"}, index="total")
[document["_id"] for document in scan], scan.missed, f"{snapshot.kept} old versions kept"

# %% [markdown]
# In MongoDB a session with `snapshot=True` reads so, and so does a transaction; a real server must be a replica set for both. A `find` alone does not: it pauses now and then, within a batch too, and others may write before it goes on.
# The next cell shows it with the real driver, pausing between batches of two, where it can be repeated.

# %%
db.orders.drop()
db.orders.insert_many([{"_id": _id, "state": "open", "total": total} for _id, total in totals.items()])
db.orders.create_index("total")

def ids_with_a_write(session=None):
    """Read all orders by total in batches of two; after the first batch lower order e."""
    db.orders.update_one({"_id": "e"}, {"$set": {"total": 50}})
    cursor = db.orders.find({"total": {"$gt": 0}}, session=session).hint("total_1").batch_size(2)
    found = [next(cursor)["_id"]]
    db.orders.update_one({"_id": "e"}, {"$set": {"total": 15}})
    return found + [order["_id"] for order in cursor]

with client.start_session(snapshot=True) as session:
    print("find:    ", ids_with_a_write())
    print("snapshot:", ids_with_a_write(session))

# %% [markdown]
# ## Sidebar: CouchDB
#
# CouchDB keeps JSON documents too. It has no driver, because it speaks HTTP: any program that can fetch a web page can use it.

# %%
import requests

couch = stores.start("couchdb")
couch.reset()
couch

# %%
requests.delete(f"{couch.url}/products")
requests.put(f"{couch.url}/products")
requests.put(f"{couch.url}/products/p7", json={"name": "Copper Kettle", "price_cents": 1249}).json()

# %% [markdown]
# The answer holds a **revision**. Whoever wants to change the document must say which revision the change is based on. Two programs read the first one:

# %%
kettle = requests.get(f"{couch.url}/products/p7").json()
ada = requests.put(f"{couch.url}/products/p7", json=kettle | {"price_cents": 749})
grace = requests.put(f"{couch.url}/products/p7", json=kettle | {"stock": 11})
(ada.status_code, grace.status_code), grace.json()

# %% [markdown]
# `409`: the optimistic concurrency of chapter 05, and nobody can forget it. Queries exist too; one without a fitting index warns you.

# %%
answer = requests.post(f"{couch.url}/products/_find", json={"selector": {"price_cents": {"$lt": 1000}}}).json()
print([product["name"] for product in answer["docs"]])
print(answer.get("warning"))

# %% [markdown]
# CouchDB was made to be **replicated**: a laptop takes a copy along, works without a network and comes back. Then both sides may have changed the same document. Which price wins?

# %%
def replicate(source, target):
    addresses = {"source": f"{couch.url}/{source}", "target": f"{couch.url}/{target}"}
    requests.post(f"{couch.url}/_replicate", json=addresses).raise_for_status()

for database in ("products", "laptop"):
    requests.delete(f"{couch.url}/{database}")
    requests.put(f"{couch.url}/{database}")

requests.put(f"{couch.url}/products/p7", json={"name": "Copper Kettle", "price_cents": 749})
replicate("products", "laptop")
for database, price in (("products", 699), ("laptop", 799)):
    document = requests.get(f"{couch.url}/{database}/p7").json()
    requests.put(f"{couch.url}/{database}/p7", json=document | {"price_cents": price})

replicate("laptop", "products")
replicate("products", "laptop")
[requests.get(f"{couch.url}/{database}/p7", params={"conflicts": "true"}).json() for database in ("products", "laptop")]

# %% [markdown]
# Both sides show the same price. The **winner** is not the newest and not the best: of two revisions with equally long histories, the one with the larger digest wins (a deleted one only against deleted ones). Every copy can work that out alone, so all agree without talking. The other revision is kept, under `_conflicts`, until somebody decides.

# %%
winner = requests.get(f"{couch.url}/products/p7", params={"conflicts": "true"}).json()
losers = [requests.get(f"{couch.url}/products/p7", params={"rev": rev}).json() for rev in winner.pop("_conflicts", [])]
merged = winner | {"price_cents": min(product["price_cents"] for product in [winner, *losers])}

if losers:
    requests.put(f"{couch.url}/products/p7", json=merged)
for loser in losers:
    requests.delete(f"{couch.url}/products/p7", params={"rev": loser["_rev"]})

requests.get(f"{couch.url}/products/p7", params={"conflicts": "true"}).json()

# %% [markdown]
# Decide, write the decision on top of the winner, and delete the losers. An exercise does it for any number of them.

# %% [markdown]
# ## Sidebar: JSON in relational databases
#
# The relational databases have learned JSON. SQLite comes with Python, and knows the arrow `->>` since its version 3.38:

# %%
import sqlite3

sql = sqlite3.connect(":memory:")
sql.execute("CREATE TABLE events (body TEXT)")
sql.executemany("INSERT INTO events VALUES (?)", [(event.to_json(),) for event in shop.events])
sql.execute("""
    SELECT body ->> '$.product_id' AS product, count(*) AS sold
    FROM events WHERE body ->> '$.event_type' = 'purchase'
    GROUP BY product ORDER BY sold DESC, product LIMIT 3
""").fetchall()

# %% [markdown]
# SQL, over documents. It reads every row. An index on an expression helps, as long as the query spells the expression in the same way.

# %%
def sqlite_plan(query):
    return sql.execute("EXPLAIN QUERY PLAN " + query).fetchall()[0][3]

query = "SELECT count(*) FROM events WHERE body ->> '$.user_id' = 'u17'"
sqlite_plan(query)

# %%
sql.execute("CREATE INDEX IF NOT EXISTS by_user ON events (body ->> '$.user_id')")
print(sqlite_plan(query))
print(sqlite_plan(query.replace("->> '$.user_id'", "->> 'user_id'")))

# %% [markdown]
# **PostgreSQL** has the type `jsonb`, which is parsed once, when it is stored. A **GIN** index covers all the fields of a document at once, for questions with `@>`, "contains". The next cell runs a whole PostgreSQL, if you have it.

# %%
from course.optional import available

if available("pgserver", "relational") and available("psycopg", "relational"):
    import tempfile
    import pgserver
    import psycopg

    folder = tempfile.TemporaryDirectory()
    postgres = pgserver.get_server(folder.name)
    with psycopg.connect(postgres.get_uri()) as pg:
        pg.execute("CREATE TABLE events (body jsonb)")
        pg.cursor().executemany("INSERT INTO events VALUES (%s::jsonb)", [(event.to_json(),) for event in shop.events])
        pg.execute("CREATE INDEX ON events USING gin (body jsonb_path_ops)")
        pg.execute("ANALYZE events")
        print(pg.execute("""SELECT count(*) FROM events WHERE body @> '{"user_id": "u17"}'""").fetchone())
        for line in pg.execute("""EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM events WHERE body @> '{"user_id": "u17"}'"""):
            print(line[0])
    postgres.cleanup()
    folder.cleanup()

# %% [markdown]
# **MySQL** has a type `JSON`, arrows of its own, and indexes an expression, or a **generated column**: a column that is computed from the document. Both of them index arrays and change parts of a document. So why a document store? Not for the JSON. For a query language and drivers without a detour over SQL, and for data spread over machines.

# %% [markdown]
# ## Sidebar: an inverted index
#
# Which products have to do with tea? None of the indexes above finds a word inside a text. An **inverted index** turns documents around: for each word, where it occurs. Here is one.

# %%
import re
from collections import defaultdict

def words(text):
    return re.findall(r"[a-z]+", text.lower())

postings = defaultdict(set)
for product in shop.products:
    for word in words(f"{product.name} {product.category}"):
        postings[word].add(product.product_id)

def search(query):
    return set.intersection(*(postings[word] for word in words(query)))

sorted(shop.product(product_id).name for product_id in search("tea smoky"))

# %% [markdown]
# The sets are **postings**, and a search intersects them. What is missing is an order: which result is the best? A word that is rare says more than a common one. Weights of this kind are called **tf-idf**; their usual form today is **BM25**.

# %%
from math import log as ln

def scores(query):
    """Products by the sum of the idf of the words that they share with the query."""
    found = defaultdict(float)
    for word in words(query):
        for product_id in postings[word]:
            found[product_id] += ln(len(shop.products) / len(postings[word]))
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))

[(shop.product(product_id).name, round(score, 2)) for product_id, score in scores("oak lamp")[:5]]

# %% [markdown]
# Six products are of oak and three are lamps, so lamps come first.
#
# **Elasticsearch** is that, and more: the index is split over machines, words can be reduced to their stems, and results can be grouped and counted as an aggregation does. In an index that is searched, a new document is found about a second after it was written, at the next refresh. It is a second copy of your data, kept for
# searching, and it is fed from the database, for instance by a change stream.
#
# For one machine there is less to install. MongoDB has text indexes, and so has SQLite.

# %%
db.products.create_index([("name", "text"), ("category", "text")])
score = {"$meta": "textScore"}
found = db.products.find({"$text": {"$search": "oak lamp"}}, {"name": True, "score": score})
for product in found.sort([("score", score), ("_id", 1)]).limit(5):
    print(product["name"], round(product["score"], 2))

# %%
sql.execute("DROP TABLE IF EXISTS search")
sql.execute("CREATE VIRTUAL TABLE search USING fts5 (product_id UNINDEXED, name, category)")
sql.executemany("INSERT INTO search VALUES (?, ?, ?)", [(p.product_id, p.name, p.category) for p in shop.products])
sql.execute("""
    SELECT name, round(-bm25(search), 2) FROM search WHERE search MATCH 'oak OR lamp'
    ORDER BY bm25(search), product_id LIMIT 5
""").fetchall()

# %% [markdown]
# One question, three rankings. MongoDB does not ask how rare a word is, so oak and lamp are worth the same; BM25 also prefers the lamp with the shorter name. No formula is the right one; that is why search engines let you choose.

# %% [markdown]
# ## Where the embedded server differs
#
# * Its planner follows rules where MongoDB lets candidate plans race each other; which index wins may differ when two are about as good. A keyset without `$lte` makes both merge two parts of an index; MongoDB before 3.6 read from its beginning if there was a filter too. What a plan examines is counted, not estimated.
# * All documents are in memory, so a document that is examined costs little here. On a real server each may be a read from the disk: count, as this chapter does.
# * It has no `$search` and no `$function`. Text indexes know English words and their stems only roughly.
# * CouchDB's stand-in keeps revisions, conflicts, Mango queries and replication as CouchDB does. It runs no JavaScript, so there are no views.
#
# [The list of everything that the embedded MongoDB can do](../docs/mongodb.md) is made from its tests.

# %% [markdown]
# ## What you have seen
#
# * `None` in a filter is null or missing, `$ne` matches what is missing, and two conditions on a list may be met by two of its members.
# * An aggregation is a list of stages. Look at how many documents leave each; make them few before you make them large.
# * Sums need their refunds, sorts need a unique last field.
# * `explain` says how many keys and documents were examined. The name of the plan does not.
# * Equality, sort, range: the order of fields in an index.
# * Skipping walks; a keyset remembers. It must be unique.
# * A long scan over an index sees entries that move twice, or never.
# * Joins, documents in SQL, replicas that disagree, inverted indexes: other stores answer the same questions, and pay elsewhere.

# %% [markdown]
# ## Glossary
#
# **aggregation**, **stage**: a list of steps that documents pass through; one of them.
#
# **BM25**, **tf-idf**: formulas for how well a text fits a query.
#
# **bounds**: the part of an index that a plan reads.
#
# **collection scan**: reading every document.
#
# **conflict**: two revisions of a document, neither of which knew the other.
#
# **covered query**: one that an index answers alone.
#
# **ESR**: equality, sort, range.
#
# **explain**: the command that tells a plan, and what it examined.
#
# **funnel**: how many get as far as each step.
#
# **GIN**: PostgreSQL's index over all parts of a document.
#
# **half-open interval**: with its beginning and without its end.
#
# **index**: values in order, each with a pointer to its document.
#
# **inverted index**, **postings**: for each word, the documents that hold it.
#
# **keyset pagination**: asking for what comes after the last one seen.
#
# **multikey index**: an index with an entry for each member of a list.
#
# **replication**: copying changes from one database to another, in CouchDB in both directions.
#
# **revision**: which state of a document a change is based on.
#
# **snapshot**: the data as of one moment.

# %% [markdown]
# ## Further reading
#
# * [Aggregation](https://www.mongodb.com/docs/manual/aggregation/) and [the ESR rule](https://www.mongodb.com/docs/manual/tutorial/equality-sort-range-guideline/), in MongoDB's manual.
# * [No offset](https://use-the-index-luke.com/no-offset): keyset pagination, for every database.
# * [*MongoDB queries don't always return all matching documents*](https://engineering.meteor.com/mongodb-queries-dont-always-return-all-matching-documents-654b6594a827): a post of Meteor's developers (2016, old), and the discussion that it caused.
# * [CouchDB: the definitive guide](https://guide.couchdb.org/) (old, and still the best explanation of conflicts), and [its documentation](https://docs.couchdb.org/).
# * [JSON in SQLite](https://www.sqlite.org/json1.html) and [full-text search in SQLite](https://www.sqlite.org/fts5.html).
# * [JSON types of PostgreSQL](https://www.postgresql.org/docs/current/datatype-json.html), and *Storing JSON in PostgreSQL*, a series of posts (old).
# * [Elasticsearch's documentation](https://www.elastic.co/docs), and Manning, Raghavan and Schütze, [*Introduction to Information Retrieval*](https://nlp.stanford.edu/IR-book/), on inverted indexes.

# %% [markdown]
# ## Exercises
#
# In [the exercises](../exercises/06_querying_documents/querying_documents.ipynb) you find the top customers with all their refunds, build a funnel, choose indexes, turn pages while others write,
# scan without missing anybody, and settle CouchDB's conflicts.
