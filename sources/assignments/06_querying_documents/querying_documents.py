# ---
# title: "Exercises: querying documents"
# minutes: 130
# summary: Top customers, a funnel, three indexes for five questions, pages that stay in place, a scan that misses nobody, and a settled conflict.
# ---

# %% [markdown]
# # Exercises: querying documents
#
# Six parts of the shop, built on [chapter 06](../../notebooks/06_querying_documents.ipynb). They do not depend on each other, so you can start anywhere.
#
# Write your answer where the cell says `raise NotImplementedError`, run it, then run the checks below it.
# A check prints `ok`, or what it expected and what it got. More checks run at grading: they test only what the text of the task says.
# Stuck? Run `hint("6.1")` in a new cell, with the number of your task.
#
# The checks make their own clients and empty the servers before they start. In your functions use the collection or address that they are given.

# %%
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import requests
import stores
from course import shopstream
from course.check import hint
from pymongo import ASCENDING, DESCENDING, MongoClient

server = stores.start("mongodb")
client = MongoClient(server.host, server.port, tz_aware=True)
shop = shopstream.load()
server

# %% [markdown] task="6.1" name="top_customers" minutes=20
# ### The best customers
#
# Marketing sends a present to the customers who spent the most between two moments. What was sent back does not count.
#
# `top_customers(events, start, end, n)` returns the `n` best as documents `{"user_id": …, "cents": …, "purchases": …}`, the best first. `events` is a collection of shopstream's events; `start` and `end` are aware datetimes.
#
# ```python
# top_customers(db.events, datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC), 2)
# # → [{"user_id": "u23", "cents": 1204891, "purchases": 179}, {"user_id": "u326", "cents": 1027534, "purchases": 107}]
# ```
#
# * The interval is half-open: an event at `start` counts, one at `end` does not.
# * `cents` is the sum of `amount_cents` of all purchases, less that of all refunds. `purchases` counts purchases. Refunds count at the moment of the refund, whenever the purchase was.
# * Two customers with the same sum are ordered by `user_id`, as text.
# * Only customers with `cents` above 0 get a present.
# * Some old purchases have no `amount_cents`, or `None`. They count as 0 cents, and as a purchase.
# * The server does the work: one aggregation, and no more than `n` documents travel.
# * `n` is 1 or more.

# %% [markdown] hints="top_customers"
# - Write it as a list of stages, and run the first one, the first two, and so on: `$match`, `$group`, another `$match`, `$sort`, `$limit`, `$project`.
# - In `$group`, `{"$sum": {"$cond": [condition, then, else]}}` adds different things for purchases and refunds. The same with 1 and 0 counts purchases only.
# - `{"$ifNull": ["$amount_cents", 0]}` is 0 for missing and for null; `$multiply` with null is null, and `$sum` passes over it.

# %% answer="top_customers"
def top_customers(events, start, end, n):
    """The n customers who spent the most in [start, end), as a list of {"user_id", "cents", "purchases"}, the best first."""
    ### BEGIN SOLUTION
    is_refund = {"$eq": ["$event_type", "refund"]}
    amount = {"$ifNull": ["$amount_cents", 0]}
    return list(events.aggregate([
        {"$match": {"event_type": {"$in": ["purchase", "refund"]}, "timestamp": {"$gte": start, "$lt": end}}},
        {"$group": {
            "_id": "$user_id",
            "cents": {"$sum": {"$cond": [is_refund, {"$multiply": [-1, amount]}, amount]}},
            "purchases": {"$sum": {"$cond": [is_refund, 0, 1]}},
        }},
        {"$match": {"cents": {"$gt": 0}}},
        {"$sort": {"cents": -1, "_id": 1}},
        {"$limit": n},
        {"$project": {"_id": False, "user_id": "$_id", "cents": True, "purchases": True}},
    ]))
    ### END SOLUTION

# %% check="top_customers" points=2
from datetime import UTC, datetime

import stores
from course import shopstream
from pymongo import MongoClient

with task("6.1"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    events.insert_many([event.for_mongodb() for event in shopstream.load().events if event.amount_cents is not None or event.user_id == "u23"])

    june = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    with server.record() as log:
        got = top_customers(events, *june, 2)
    check("the best customers of June", got=got,
          want=[{"user_id": "u23", "cents": 1204891, "purchases": 179}, {"user_id": "u326", "cents": 1027534, "purchases": 107}],
          cause=lambda got: "refunds must be subtracted" if got and got[0].get("cents") == 1271873 else "")
    check("the server did the work", got=[len(log), log.returned], want=[1, 2],
          cause="group, sort and limit belong into the aggregation, so that only the answer travels")
    day = datetime(2026, 6, 9, tzinfo=UTC), datetime(2026, 6, 10, tzinfo=UTC)
    check("the best customers of one day", got=[row["user_id"] for row in top_customers(events, *day, 3)], want=["u326", "u23", "u382"])

# %% hidden="top_customers" points=2 topic="ties, the ends of the interval, sums of zero and below, and amounts that are missing"
from datetime import UTC, datetime, timedelta

import stores
from pymongo import MongoClient

with task("6.1"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    start, end, ms = datetime(2026, 6, 10, tzinfo=UTC), datetime(2026, 6, 11, tzinfo=UTC), timedelta(milliseconds=1)

    def event(user_id, event_type, at, **fields):
        events.insert_one({"user_id": user_id, "event_type": event_type, "timestamp": at, **fields})

    event("at the start", "purchase", start, amount_cents=10)
    event("before", "purchase", start - ms, amount_cents=10)
    event("at the end", "purchase", end, amount_cents=10)
    event("1 ms before the end", "purchase", end - ms, amount_cents=11)
    check("the interval is half-open", got=[row["user_id"] for row in top_customers(events, start, end, 9)], want=["1 ms before the end", "at the start"])

    events.delete_many({})
    for user_id in ("u9", "u10", "u2", "u1"):
        event(user_id, "purchase", start, amount_cents=100)
    check("the same sum: by user_id", got=[row["user_id"] for row in top_customers(events, start, end, 3)], want=["u1", "u10", "u2"],
          cause="a sort before a limit must end with something unique: here user_id, ascending")
    check("whatever order they came in", got=[row["user_id"] for row in top_customers(events, start, end, 9)], want=["u1", "u10", "u2", "u9"])

    event("u1", "refund", start + ms, amount_cents=100)
    event("u2", "refund", start + ms, amount_cents=150)
    event("u10", "view", start + ms)
    check("who sent everything back gets nothing", got=[row["user_id"] for row in top_customers(events, start, end, 9)], want=["u10", "u9"])

    event("u9", "purchase", start + ms)
    event("u9", "purchase", start + ms, amount_cents=None)
    check("a purchase without an amount counts as a purchase", got=top_customers(events, start, end, 9),
          want=[{"user_id": "u10", "cents": 100, "purchases": 1}, {"user_id": "u9", "cents": 100, "purchases": 3}])
    check("nobody bought anything", got=top_customers(events, end + ms, end + 2 * ms, 5), want=[])

# %% [markdown] task="6.2" name="funnel" minutes=20
# ### From looking to buying
#
# How many of those who look at a product put it into the cart, and how many of those buy it? A user counts for a step only if the steps before came first.
#
# `funnel(events)` returns for each product how many users got how far, as documents `{"product_id": …, "viewed": …, "carted": …, "purchased": …}`, ordered by `product_id` as text.
#
# ```python
# funnel(db.events)[:2]
# # → [{"product_id": "p1", "viewed": 16, "carted": 7, "purchased": 5}, {"product_id": "p10", "viewed": 17, "carted": 3, "purchased": 1}]
# ```
#
# * `viewed` counts the users with a view of the product.
# * `carted` counts those of them who put it into the cart at the moment of their first view or later.
# * `purchased` counts those of them who bought it at the moment of the first such cart or later.
# * Each user counts once per product, however often they came.
# * A product without any view is left out.
# * "First" and "later" are said of `timestamp`: in the collection the events may lie in any order.
# * The server does the work, in one aggregation: a document for each product travels.

# %% [markdown] hints="funnel"
# - Two `$group` stages: first by product and user, then by product.
# - The first group may keep `{"$min": {"$cond": [it is a view, "$timestamp", None]}}`: `$min` passes over null. The first cart *after* the first view is harder: it needs all carts.
# - Collect the times of carts and purchases with `$push`, then a `$set` stage with `$filter` keeps those that are not before the first view. `{"$min": list}` is null for an empty list.
# - Then the second group: `{"$sum": {"$cond": [{"$ne": ["$cart", None]}, 1, 0]}}`.

# %% answer="funnel"
def funnel(events):
    """How many users viewed, then carted, then purchased each product: a list of documents, by product_id."""
    ### BEGIN SOLUTION
    return list(events.aggregate([
        {"$match": {"event_type": {"$in": ["view", "cart", "purchase"]}}},
        {"$group": {
            "_id": {"product": "$product_id", "user": "$user_id"},
            "views": _moments("view"), "carts": _moments("cart"), "purchases": _moments("purchase"),
        }},
        {"$set": {"view": {"$min": "$views"}}},
        {"$match": {"view": {"$ne": None}}},
        {"$set": {"cart": _first_from("$carts", "$view")}},
        {"$set": {"purchase": _first_from("$purchases", "$cart")}},
        {"$group": {"_id": "$_id.product", "viewed": {"$sum": 1}, "carted": _how_many("$cart"), "purchased": _how_many("$purchase")}},
        {"$sort": {"_id": 1}},
        {"$project": {"_id": False, "product_id": "$_id", "viewed": True, "carted": True, "purchased": True}},
    ]))


def _moments(event_type):
    """When the events of this type were; null for each other event."""
    return {"$push": {"$cond": [{"$eq": ["$event_type", event_type]}, "$timestamp", None]}}


def _first_from(moments, start):
    """The first of the moments that is not before `start`; null if there is none, or no start."""
    later = {"$filter": {"input": moments, "as": "moment", "cond": {"$and": [
        {"$ne": [start, None]}, {"$ne": ["$$moment", None]}, {"$gte": ["$$moment", start]}]}}}
    return {"$min": later}


def _how_many(field):
    return {"$sum": {"$cond": [{"$ne": [field, None]}, 1, 0]}}
    ### END SOLUTION

# %% check="funnel" points=2
from datetime import UTC, datetime, timedelta

import stores
from pymongo import MongoClient

with task("6.2"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    start = datetime(2026, 6, 1, 12, tzinfo=UTC)
    story = """
        u1 view p1   u1 cart p1   u1 purchase p1
        u2 view p1   u2 view p1   u2 cart p1   u2 cart p1
        u3 view p1
        u4 cart p1   u4 purchase p1
        u5 view p2   u5 purchase p2
        u6 purchase p2   u6 cart p2   u6 view p2   u6 cart p2
    """.split()
    told = [{"user_id": user, "event_type": kind, "product_id": product, "timestamp": start + timedelta(minutes=n)}
            for n, (user, kind, product) in enumerate(zip(*[iter(story)] * 3, strict=True))]
    events.insert_many(told[::2] + told[1::2])

    with server.record() as log:
        got = funnel(events)
    check("each user counts once, and only with the steps before", got=got,
          want=[{"product_id": "p1", "viewed": 3, "carted": 2, "purchased": 1}, {"product_id": "p2", "viewed": 2, "carted": 1, "purchased": 0}])
    check("the server did the work", got=[len(log), log.returned], want=[1, 2])

# %% hidden="funnel" points=2 topic="the order of steps, events that lie in any order, steps at the same moment, and a whole week of the shop"
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import stores
from course import shopstream
from pymongo import MongoClient

with task("6.2"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events

    def counts(*steps):
        """The funnel of one user with these (type, minute) steps."""
        events.delete_many({})
        events.insert_many([{"user_id": "u1", "event_type": kind, "product_id": "p1", "timestamp": datetime(2026, 6, 1, 12, minute, tzinfo=UTC)} for kind, minute in steps])
        return [[row["viewed"], row["carted"], row["purchased"]] for row in funnel(events)]

    check("a cart before the first view does not count", got=counts(("cart", 1), ("view", 2)), want=[[1, 0, 0]])
    check("a later cart does", got=counts(("cart", 1), ("view", 2), ("cart", 3)), want=[[1, 1, 0]])
    check("a purchase before that cart does not count", got=counts(("cart", 1), ("view", 2), ("purchase", 3), ("cart", 4)), want=[[1, 1, 0]],
          cause="the first cart of all may be before the view; the purchase must follow the first cart that counts")
    check("steps at the same moment count", got=counts(("purchase", 5), ("cart", 5), ("view", 5)), want=[[1, 1, 1]])
    check("a second purchase may be the one that counts", got=counts(("view", 1), ("purchase", 2), ("cart", 3), ("purchase", 4)), want=[[1, 1, 1]],
          cause="the purchase must follow the cart that counts; look at all purchases, not at the first of all")
    check("a later view does not undo anything", got=counts(("view", 1), ("cart", 2), ("view", 3), ("purchase", 4)), want=[[1, 1, 1]])
    check("the first view is the earliest, wherever it lies", got=counts(("view", 9), ("cart", 5), ("view", 1)), want=[[1, 1, 0]],
          cause="$first and $push take documents in the order in which they come")
    check("and so is the first cart", got=counts(("view", 1), ("cart", 5), ("purchase", 3), ("cart", 2)), want=[[1, 1, 1]],
          cause="$first and $push take documents in the order in which they come")
    check("a product that nobody viewed is left out", got=counts(("cart", 1), ("purchase", 2)), want=[])
    events.delete_many({})
    check("no events, no funnel", got=funnel(events), want=[])

    shop = shopstream.load()
    week = shop.between(datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 6, 19, 14, tzinfo=UTC))
    random.Random(6).shuffle(week)
    events.insert_many([event.for_mongodb() for event in week])
    steps = defaultdict(list)
    for event in week:
        steps[event.product_id, event.user_id].append(event)
    wanted = {product.product_id: [0, 0, 0] for product in shop.products}
    for (product_id, _), mine in steps.items():
        at = None
        for place, kind in enumerate(("view", "cart", "purchase")):
            at = min((e.timestamp for e in mine if e.event_type == kind and (at is None or e.timestamp >= at)), default=None)
            if at is None:
                break
            wanted[product_id][place] += 1
    with server.record() as log:
        got = {row["product_id"]: [row["viewed"], row["carted"], row["purchased"]] for row in funnel(events)}
    wanted = {product: counts for product, counts in wanted.items() if counts[0]}
    differs = [product for product in sorted(wanted.keys() | got) if got.get(product) != wanted.get(product)][:1]      # name one of them
    check("the funnel of a whole week", got={product: got.get(product) for product in differs}, want={product: wanted.get(product) for product in differs})
    check("ordered by product_id", got=list(got), want=sorted(got))
    check("one document for each product travels", got=[log.count("aggregate"), log.returned], want=[1, len(got)])

# %% [markdown] task="6.3" name="make_indexes" minutes=25
# ### Three indexes for five questions
#
# The shop asks its events five questions, all day long. Without an index each of them reads 12,000 documents. Every index costs work at each insert, so you may have three, besides the one on `_id`.
#
# `make_indexes(events)` creates at most three indexes on the collection. `QUESTIONS` holds the questions; you need not change them.
#
# ```python
# make_indexes(db.events)
# QUESTIONS["latest of a user"](db.events, "u17").explain()["executionStats"]["totalDocsExamined"]     # → 10
# ```
#
# | question | may examine |
# |---|---|
# | `latest of a user` | as many documents as it returns |
# | `a user's purchases of a day` | as many documents as it returns |
# | `dearest of a type on a day` | at most 30 documents more than it returns, without sorting in memory |
# | `sold of a product` | as many documents as it returns |
# | `when was a product sold` | no document at all |
#
# * Every question is asked of other users, products and days too; *dearest of a type* always of purchases.
# * "Without sorting in memory" means that its plan has no stage `SORT`. For the other questions a `SORT` is allowed, as long as the number of documents is right.
# * `make_indexes` may be called again.

# %% [markdown] hints="make_indexes"
# - For each question write down: which fields must be equal, which sorts, which has a range? Then look which questions could share an index: an index also serves a prefix of its fields.
# - The first two share one. `{"user_id": 1, "timestamp": -1}` answers the first. What must stand behind them for the second? A condition on a field behind the range is tested in the index, before the document is fetched.
# - *Dearest of a type on a day*: equality `event_type`, sort `amount_cents`, range `timestamp`.
# - The last two share one too. It must hold every field that the last question returns.

# %% answer="make_indexes"
def a_day(day):
    return {"$gte": day, "$lt": day + timedelta(days=1)}


QUESTIONS = {
    "latest of a user": lambda events, user_id:
        events.find({"user_id": user_id}).sort("timestamp", DESCENDING).limit(10),
    "a user's purchases of a day": lambda events, user_id, day:
        events.find({"user_id": user_id, "event_type": "purchase", "timestamp": a_day(day)}),
    "dearest of a type on a day": lambda events, event_type, day:
        events.find({"event_type": event_type, "timestamp": a_day(day)}).sort("amount_cents", DESCENDING).limit(10),
    "sold of a product": lambda events, product_id:
        events.find({"product_id": product_id, "event_type": "purchase"}).sort("timestamp", ASCENDING),
    "when was a product sold": lambda events, product_id:
        events.find({"product_id": product_id, "event_type": "purchase"}, {"_id": False, "timestamp": True}),
}


def make_indexes(events):
    """Create at most three indexes, so that QUESTIONS examine no more documents than the task allows."""
    ### BEGIN SOLUTION
    events.create_index([("user_id", ASCENDING), ("timestamp", DESCENDING), ("event_type", ASCENDING)])
    events.create_index([("event_type", ASCENDING), ("amount_cents", DESCENDING), ("timestamp", ASCENDING)])
    events.create_index([("product_id", ASCENDING), ("event_type", ASCENDING), ("timestamp", ASCENDING)])
    ### END SOLUTION

# %% check="make_indexes" points=2
from datetime import UTC, datetime

import stores
from course import shopstream
from pymongo import MongoClient

with task("6.3"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    few = ("u17", "u23", "u45", "u142", "u326")       # the views of these users, and everything that was sold
    events.insert_many([event.for_mongodb() for event in shopstream.load().events if event.amount_cents is not None or event.user_id in few])

    make_indexes(events)
    make_indexes(events)
    check("at most three indexes besides _id", got=len(events.index_information()) - 1, want=between(0, 3))
    cost = QUESTIONS["latest of a user"](events, "u17").explain()["executionStats"]
    check("the latest of a user", got=[cost["nReturned"], cost["totalDocsExamined"]], want=[10, 10],
          cause="equality first, then sort: user_id, then timestamp")
    sale = datetime(2026, 6, 19, tzinfo=UTC)
    cost = QUESTIONS["a user's purchases of a day"](events, "u23", sale).explain()["executionStats"]
    check("a user's purchases of a day", got=cost["totalDocsExamined"], want=cost["nReturned"],
          cause="an index that holds event_type too tests it before it fetches a document")
    explained = QUESTIONS["dearest of a type on a day"](events, "purchase", sale).explain()
    check("the dearest of a type come from the index in their order", got="'SORT'" in str(explained["queryPlanner"]["winningPlan"]), want=False,
          cause="equality, sort, range: the amount before the time")
    check("and few documents are read for them", got=explained["executionStats"]["totalDocsExamined"], want=between(10, 40),
          cause="the index must hold the time too, behind the amount")
    cost = QUESTIONS["when was a product sold"](events, "p7").explain()["executionStats"]
    check("when a product was sold is answered by the index alone", got=[cost["nReturned"], cost["totalDocsExamined"]], want=[259, 0],
          cause="the index must hold every field of the filter and of the answer")

# %% hidden="make_indexes" points=2 topic="the questions about purchases and products, asked of other days and users"
from datetime import UTC, datetime

import stores
from course import shopstream
from pymongo import MongoClient

with task("6.3"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    few = ("u17", "u23", "u45", "u142", "u326")       # the views of these users, and everything that was sold
    events.insert_many([event.for_mongodb() for event in shopstream.load().events if event.amount_cents is not None or event.user_id in few])
    make_indexes(events)
    check("at most three indexes besides _id", got=len(events.index_information()) - 1, want=between(0, 3))

    def stages(plan):
        found = []
        while plan:
            found.append(plan["stage"])
            plan = plan.get("inputStage")
        return found

    for event_type, day in [("purchase", 19), ("purchase", 3), ("purchase", 30)]:
        explained = QUESTIONS["dearest of a type on a day"](events, event_type, datetime(2026, 6, day, tzinfo=UTC)).explain()
        cost = explained["executionStats"]
        check(f"the dearest {event_type}s of 2026-06-{day:02} are not sorted in memory", got="SORT" in stages(explained["queryPlanner"]["winningPlan"]), want=False,
              cause="equality, sort, range: the amount before the time")
        check("and few documents are read", got=cost["totalDocsExamined"], want=between(0, cost["nReturned"] + 30),
              cause="the index must hold the time too, behind the amount")
    for product_id in ("p7", "p90", "p44"):
        cost = QUESTIONS["sold of a product"](events, product_id).explain()["executionStats"]
        check(f"the purchases of {product_id}", got=cost["totalDocsExamined"], want=cost["nReturned"])
        cost = QUESTIONS["when was a product sold"](events, product_id).explain()["executionStats"]
        check(f"when {product_id} was sold", got=cost["totalDocsExamined"], want=0)
    for user_id, day in [("u142", 12), ("u45", 19), ("u326", 7)]:
        cost = QUESTIONS["latest of a user"](events, user_id).explain()["executionStats"]
        check(f"the latest of {user_id}", got=cost["totalDocsExamined"], want=cost["nReturned"])
        cost = QUESTIONS["a user's purchases of a day"](events, user_id, datetime(2026, 6, day, tzinfo=UTC)).explain()["executionStats"]
        check(f"the purchases of {user_id} on one day", got=cost["totalDocsExamined"], want=cost["nReturned"])

# %% [markdown] task="6.4" name="page" minutes=20
# ### Pages that stay in place
#
# The shop's staff read the log of events page by page, newest first, while new events arrive all the time.
#
# `page(events, filter, size, after=None)` returns a pair: a list of at most `size` events that match `filter`, newest first, and a token. The token is a text; given as `after` in the next call with the same filter, it continues where this page ended. After the last page the token is `None`.
#
# ```python
# first, token = page(db.events, {"product_id": "p7"}, 20)
# second, token = page(db.events, {"product_id": "p7"}, 20, after=token)
# ```
#
# * Of two events with the same timestamp the one with the larger `_id` comes first.
# * Over all pages each event that was there from the beginning to the end comes exactly once, whatever is inserted or deleted meanwhile, also if the last event of a page is deleted.
# * An event that is inserted meanwhile may come or not, but never twice.
# * If no matching event is left behind this page, the token is `None`: nobody turns to an empty page. The first page of no events is `([], None)`.
# * The filter may have any conditions, also on `timestamp` or with `$or`. It is not changed.
# * `page` examines at most `size + 2` documents if there is an index on the fields of the filter, then `timestamp` and `_id`, both descending.
# * A token may come back after the server was restarted, so keep nothing in Python. A text that is no token is a `ValueError`.

# %% [markdown] hints="page"
# - Two conditions in one `$and`: the filter, and "comes after the last one": an earlier time, or the same time and a smaller `_id`.
# - The token must hold timestamp and `_id` of the last event: for instance `f"{milliseconds}_{_id}"`. `shopstream.to_millis` and `from_millis` convert without rounding.
# - How do you know that another page follows? Ask for `size + 1` events, and keep the last one for yourself.
# - `{"timestamp": {"$lte": t}}` beside the `$or` tells the server where in the index to begin, as in the chapter's `behind`.

# %% answer="page"
def page(events, filter, size, after=None):
    """(at most `size` events that match, newest first; the token for the next page, or None after the last).

    Raises ValueError if `after` is neither None nor a token.
    """
    ### BEGIN SOLUTION
    conditions = [filter]
    if after is not None:
        timestamp, _id = _read_token(after)
        conditions += [
            {"timestamp": {"$lte": timestamp}},
            {"$or": [{"timestamp": {"$lt": timestamp}}, {"timestamp": timestamp, "_id": {"$lt": _id}}]},
        ]
    newest_first = [("timestamp", DESCENDING), ("_id", DESCENDING)]
    found = list(events.find({"$and": conditions}).sort(newest_first).limit(size + 1))
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    return found[:size], f"{shopstream.to_millis(_aware(last['timestamp']))}_{last['_id']}"


def _read_token(token):
    millis, separator, _id = token.partition("_")
    if not separator or not _id:
        raise ValueError(f"{token!r} is no token of a page")
    return shopstream.from_millis(int(millis)), _id


def _aware(moment):
    """A client without tz_aware returns naive datetimes that mean UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    ### END SOLUTION

# %% check="page" points=2
import stores
from course import shopstream
from pymongo import MongoClient

with task("6.4"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    mine = [event.for_mongodb() for event in shopstream.load().events_of("u45")]
    events.insert_many(mine)
    newest = sorted(mine, key=lambda event: (event["timestamp"], event["_id"]), reverse=True)

    got, token = page(events, {"user_id": "u45"}, 50)
    check("the first page holds the newest", got=got, want=newest[:50])
    check("a token is a text", got=type(token), want=str)
    got, token = page(events, {"user_id": "u45"}, 50, after=token)
    check("the second page goes on", got=got, want=newest[50:100])
    got, token = page(events, {"user_id": "u45"}, 50, after=token)
    check("the last page is shorter, and has no token", got=[got, token], want=[newest[100:], None])
    check("nothing found, no pages", got=page(events, {"user_id": "nobody"}, 50), want=([], None))
    check("a last page that is full has no token either", got=page(events, {"user_id": "u45"}, 132)[1], want=None,
          cause="ask for one more than the page holds, to know whether there is one")
    events.create_index([("user_id", 1), ("timestamp", -1), ("_id", -1)])
    with server.record() as log:
        page(events, {"user_id": "u45"}, 20, after=page(events, {"user_id": "u45"}, 100)[1])
    check("two pages, of 100 and of 20, examine at most 102 and 22 documents", got=log.documents_examined, want=between(121, 124),
          cause="read one event more than the page holds, in the order of the index, and begin at the token: say that the timestamp is at most its own")

# %% hidden="page" points=1 topic="events of the same moment, and what is inserted and deleted meanwhile"
from datetime import UTC, datetime, timedelta

import stores
from pymongo import MongoClient

with task("6.4"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    noon = datetime(2026, 6, 19, 12, tzinfo=UTC)

    def pages(size, meanwhile=lambda n, found: None):
        """The ids of all pages; meanwhile(n, ids) is called after page n."""
        found, token = [], None
        for n in range(100):
            got, token = page(events, {"kind": "x"}, size, after=token)
            found.append([event["_id"] for event in got])
            if token is None:
                return found
            meanwhile(n, found)
        return found

    moments = [0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 4]
    everything = [{"_id": f"{n:02}", "kind": "x", "timestamp": noon - timedelta(milliseconds=ms)} for n, ms in enumerate(moments)]
    wanted = [event["_id"] for event in sorted(everything, key=lambda event: (event["timestamp"], event["_id"]), reverse=True)]
    for size in (1, 2, 3, 4, 5, 11, 12):
        events.delete_many({})
        events.insert_many(everything)
        check(f"events of one moment in pages of {size}", got=[_id for each in pages(size) for _id in each], want=wanted,
              cause=lambda got: "of two events with the same timestamp the one with the larger _id comes first" if sorted(got) == sorted(wanted)
              else "the key must be unique: compare the timestamp, and the _id where it is the same")

    def insert_newer(n, found):
        events.insert_one({"_id": f"new {n}", "kind": "x", "timestamp": noon + timedelta(days=1 + n)})

    events.delete_many({})
    events.insert_many(everything)
    got = pages(3, insert_newer)
    check("new events do not move the others", got=[_id for each in got for _id in each if not _id.startswith("new")], want=wanted,
          cause="skip counts from the newest; a keyset remembers where the page ended")

    events.delete_many({})
    events.insert_many(everything)
    got = pages(3, lambda n, found: events.delete_one({"_id": found[-1][-1]}))
    check("the last event of a page may be deleted", got=[_id for each in got for _id in each], want=wanted,
          cause="the token must hold the timestamp itself, not only the _id of a document that may be gone")

# %% hidden="page" points=1 topic="filters of all kinds, what is no token, what is kept in Python, and how many documents are read"
from datetime import UTC, datetime, timedelta

import stores
from course import shopstream
from pymongo import MongoClient

with task("6.4"):
    server = stores.start("mongodb")
    server.reset()
    events = MongoClient(server.host, server.port, tz_aware=True).shop.events
    shop = shopstream.load()
    sale = datetime(2026, 6, 19, tzinfo=UTC)
    events.insert_many([event.for_mongodb() for event in shop.between(sale - timedelta(hours=12), sale + timedelta(days=1))])
    events.create_index([("product_id", 1), ("timestamp", -1), ("_id", -1)])

    filter = {"product_id": "p7"}
    with server.record() as log:
        _, token = page(events, filter, 20)
    first = log.documents_examined
    with server.record() as log:
        page(events, filter, 20, after=token)
    check("a page of 20 examines at most 22 documents", got=[first, log.documents_examined], want=[between(20, 22), between(20, 22)],
          cause=lambda got: "say beside the $or that the timestamp is at most that of the token" if got[0] in range(20, 23)
          else "read one event more than the page holds, and no other, in the order of the index")
    check("the filter is as it was", got=filter, want={"product_id": "p7"})

    for filter in ({"timestamp": {"$gte": sale, "$lt": sale + timedelta(days=1)}, "event_type": "cart"},
                   {"$or": [{"user_id": "u17"}, {"user_id": "u18"}]},
                   {"$and": [{"product_id": "p7"}, {"event_type": "refund"}]}):
        wanted = {event["_id"] for event in events.find(filter)}
        found, token = [], None
        for _ in range(100):
            got, token = page(events, filter, 40, after=token)
            found += [event["_id"] for event in got]
            if token is None:
                break
        check("every event that matches comes once", got=[len(found), sorted(wanted - set(found))[:1]], want=[len(wanted), []],
              cause="put the filter and your own conditions into one $and, so that neither overwrites the other")
    for text in ("", "page 2", "_", "1781870400000", "2026-06-19", '["a", "b"]'):
        check(f"{text!r} is no token", got=outcome(lambda text=text: page(events, {}, 5, after=text)), want=raises(ValueError))

    def kept(call):
        """The names of what has changed in Python by a call: collections of the notebook, and what the function holds."""
        def state():
            collections = {name: value for name, value in page.__globals__.items() if isinstance(value, (dict, list, set))}
            return {name: repr(value) for name, value in {**collections, "page": [page.__dict__, page.__defaults__]}.items()}

        before = state()
        call()
        after = state()
        return sorted(name for name in after if after[name] != before.get(name))

    check("nothing is kept in Python", got=kept(lambda: page(events, {"product_id": "p7"}, 7)), want=[],
          cause="after a restart the token is all there is: it must hold the timestamp and the _id")

# %% [markdown] task="6.5" name="scan_all" minutes=20
# ### A scan that misses nobody
#
# The shop sends a reminder for every open order, and orders change while it looks for them. Use the model of the chapter: `orders` is a `Collection` of `course.simulate.index_scan`.
#
# `scan_all(orders, query, constant)` returns the documents that match, as a list. `constant` is a set of fields that never change once a document is there. The `_id` never changes either, even if it is not in the set; and it is not used again when a document is deleted.
#
# ```python
# orders = Collection([{"_id": n, "state": "open", "total": 10 * n, "created": n} for n in range(9)], indexes=["total", "state", ["state", "created"]])
# scan_all(orders, {"state": "open", "total": {"$gte": 50}}, constant={"created"})
# # → [{"_id": 5, …}, {"_id": 6, …}, {"_id": 7, …}, {"_id": 8, …}]
# ```
#
# * Whatever is written meanwhile: a document that matches from the beginning to the end is there exactly once, and no document is there twice. One that matches only for a while may be there or not.
# * Use one scan over one index, `orders.find(query, index=name)`. `orders.indexes` is a dict of all of them; `orders.indexes[name].fields` is a tuple. There is always `"_id"`.
# * No `snapshot()`: keeping the old versions costs the others too much.
# * An index is **safe** for a query if no document can move in it as long as it matches. Of the safe indexes, use one that reads the fewest entries: the one whose first fields the query restricts, by equality or (then only one more field) by a range.
#   If several are equally good in that respect, take any; if no safe index has a first field that the query restricts, use `"_id"`.
# * More equalities beat fewer, and an equality beats a range. `{"$eq": 5}` is an equality like `5`; `$ne` is neither, since nearly every entry has to be read.

# %% [markdown] hints="scan_all"
# - Run the chapter's scan over `total` again. Why does the order move? Which change of a document moves its entry in the index `state, created`?
# - As long as a document matches `{"state": "open"}`, its `state` is the same. So a field with an equality in the query cannot move a matching document; a constant field cannot move any.
# - Safe: `all(field in constant or field == "_id" or has an equality for field in fields)`.
# - Then give each safe index a score, for instance `(number of leading equalities, 1 if a range follows)`, and take the `max`.

# %% answer="scan_all"
def scan_all(orders, query, constant):
    """All documents that match, each once, whatever is written meanwhile. `constant`: fields that never change."""
    ### BEGIN SOLUTION
    def is_equality(field):
        condition = query.get(field, {})
        return not isinstance(condition, dict) or "$eq" in condition

    def is_range(field):
        condition = query.get(field)
        return isinstance(condition, dict) and not condition.keys().isdisjoint({"$lt", "$lte", "$gt", "$gte"})

    def is_safe(fields):
        return all(field == "_id" or field in constant or is_equality(field) for field in fields)

    def narrowness(fields):
        """(leading equalities, 1 if a range follows them): what decides how many entries are read."""
        equalities = 0
        while equalities < len(fields) and fields[equalities] in query and is_equality(fields[equalities]):
            equalities += 1
        return equalities, int(equalities < len(fields) and is_range(fields[equalities]))

    safe = [name for name, index in orders.indexes.items() if is_safe(index.fields)]
    best = max(safe, key=lambda name: narrowness(orders.indexes[name].fields))
    return list(orders.find(query, index=best))
    ### END SOLUTION

# %% check="scan_all" points=2
from course.simulate.index_scan import Collection

with task("6.5"):
    def new_orders(writer=None):
        documents = [{"_id": n, "state": "open", "total": 10 * n, "created": n} for n in range(9)]
        return Collection(documents, indexes=["total", "state", ["state", "created"]], writer=writer)

    def cheaper(orders, n):
        """Another program lowers an order that the scan has not reached."""
        if n == 3:
            orders.update(8, total=55)

    query = {"state": "open", "total": {"$gte": 50}}

    def ids(documents):
        return sorted(document["_id"] for document in documents)

    check("the orders that match", got=ids(scan_all(new_orders(), query, {"created"})), want=[5, 6, 7, 8])
    check("an order whose total changes meanwhile is not missed", got=ids(scan_all(new_orders(cheaper), query, {"created"})), want=[5, 6, 7, 8],
          cause="a scan over `total` passes over an order whose entry moves behind it")
    check("an equality is reason enough", got=ids(scan_all(new_orders(), {"state": "paid"}, set())), want=[])

# %% hidden="scan_all" points=1 topic="writers that move everything they can, all the time"
import random

from course.simulate.index_scan import Collection, matches

with task("6.5"):
    class NoSnapshot(Collection):
        def snapshot(self):
            raise AssertionError("snapshot() was used")

    for seed in range(30):
        chance = random.Random(seed)
        documents = [{"_id": n, "state": chance.choice(["open", "paid"]), "total": chance.randrange(9), "created": chance.randrange(9)} for n in range(20)]
        query = chance.choice([{"state": "open"}, {"total": {"$gte": 3}}, {"state": {"$eq": "open"}, "total": {"$lt": 6}}, {"created": {"$gte": 2}, "total": 4},
                               {"state": {"$ne": "paid"}}, {}, {"_id": {"$gte": 7}, "total": {"$gt": 1}}])
        steady = {document["_id"] for document in documents if matches(query, document)}

        def write(orders, n):
            for _ in range(3):
                _id = chance.randrange(20)
                orders.update(_id, total=chance.randrange(9), **({"state": chance.choice(["open", "paid"])} if chance.random() < 0.3 else {}))
                if not matches(query, orders.get(_id)):
                    steady.discard(_id)

        orders = NoSnapshot(documents, indexes=["total", "state", "created", ["state", "total"], ["created", "total"], ["state", "created"]], writer=write)
        found = [document["_id"] for document in scan_all(orders, query, {"created"})]
        check(f"{query}: nobody comes twice", got=sorted(found), want=sorted(set(found)), cause="an entry that moved ahead of the scan is read again")
        check(f"{query}: nobody who matched all the time is missed", got=sorted(steady - set(found)), want=[],
              cause="an entry that moved behind the scan is not read; which fields of the index may change while a document matches?")

# %% hidden="scan_all" points=1 topic="how many entries are read"
from course.simulate.index_scan import Collection

with task("6.5"):
    documents = [{"_id": n, "state": ("open", "paid", "sent")[n % 3], "total": n % 7, "created": n, "city": ("Accra", "Lima")[n % 2]} for n in range(120)]

    def entries_read(query, constant, indexes):
        orders = Collection(documents, indexes=indexes)
        scans, find = [], orders.find
        orders.find = lambda *args, **kwargs: scans.append(find(*args, **kwargs)) or scans[-1]
        scan_all(orders, query, constant)
        return [scan.examined for scan in scans]

    for what, query, constant, indexes, wanted in [
        ("an equality is read alone", {"state": "open"}, set(), ["total", "state"], 40),
        ("two equalities beat one", {"state": "open", "total": 3}, set(), ["state", ["state", "total"], "total"], 6),
        ("$eq is an equality", {"state": {"$eq": "open"}}, set(), ["state"], 40),
        ("a range over a constant field is safe", {"created": {"$gte": 100}}, {"created"}, ["created"], 20),
        ("and without knowing that it is constant it is not", {"created": {"$gte": 100}}, set(), ["created"], 120),
        ("an equality beats a range", {"city": "Lima", "created": {"$lt": 90}}, {"created"}, ["created", "city"], 60),
        ("an equality and a range beat an equality", {"state": "sent", "created": {"$lt": 30}}, {"created"}, ["state", ["state", "created"]], 10),
        ("an index that moves is not used, however narrow", {"state": "sent", "total": {"$lt": 1}}, set(), [["state", "total"], "state"], 40),
        ("a field that the query does not name may move too", {"state": "sent"}, set(), [["state", "total"]], 120),
        ("a range behind a field that is not restricted reads everything", {"created": {"$gte": 100}}, {"created", "total"}, [["total", "created"], "created"], 20),
        ("so does an equality", {"city": "Lima"}, {"total"}, [["total", "city"], "city"], 60),
        ("a range behind a range does not help either", {"created": {"$gte": 50}, "city": "Lima"}, {"created"}, [["created", "city"], "city"], 60),
        ("$ne is no range", {"total": {"$ne": 3}, "created": {"$gte": 100}}, {"created", "total"}, ["total", "created"], 20),
        ("the _id never changes", {"state": "open"}, set(), [["state", "_id"]], 40),
        ("the _id may be restricted as well", {"_id": {"$gte": 110}}, set(), ["total"], 10),
        ("no safe index that helps: by _id", {"total": {"$gte": 5}}, {"created"}, ["total", "created"], 120),
    ]:
        check(what, got=entries_read(query, constant, indexes), want=[wanted])

# %% [markdown] task="6.6" name="settle" minutes=25
# ### Settle a conflict
#
# The shop's branches keep CouchDB databases that replicate when there is a network. Some documents have been changed on both sides. Your function settles them.
#
# `settle(url, doc_id, merge)` looks at a document of the database at `url` (an address such as `http://127.0.0.1:5984/products`). If it has conflicts, it calls `merge(versions)` with a list of all versions, writes what `merge` returns, and removes the other versions. It returns the document as it is now.
#
# ```python
# settle(f"{couch.url}/products", "p7", lambda versions: min(versions, key=lambda product: product["price_cents"]))
# # → {"_id": "p7", "_rev": "4-…", "name": "Copper Kettle", "price_cents": 699}
# ```
#
# * Use `requests`; `url` needs nothing else. The document's id may hold any characters: `urllib.parse.quote(doc_id, safe="")`.
# * `versions` are dicts without fields that begin with `_`. The winner comes first, the others in the order of `_conflicts`. `merge` may change them, and returns a dict; fields of it that begin with `_` are not written.
# * What `settle` returns has `_id` and `_rev`, and no other field that begins with `_`.
# * Without conflicts nothing is written, and `merge` is not called.
# * Write before you remove: if the program is killed between any two requests, every version or the merged document is still there.
# * Somebody may write while you decide; CouchDB answers 409. Then look again and merge again what is there, at most `attempts` times in all (5, a fourth argument); after that raise `RuntimeError`.
#   A version that somebody else has removed meanwhile is no trouble.
# * No such document, or a deleted one: `KeyError`. Other errors of HTTP: `raise_for_status()`.

# %% [markdown] hints="settle"
# - `GET …?conflicts=true` gives the winner and, if there are any, `_conflicts`: a list of revisions. `GET …?rev=…` gives each of them.
# - `PUT` the merged document with the winner's `_rev`: status 409 means that the winner is not the winner any more. Begin again.
# - Then `DELETE …?rev=…` for each of the others. A 409 or 404 there says that this version is no longer there: somebody removed it, or wrote on top of it.
# - When is it safe to stop? After the deletes look again: a new conflict may have arrived by replication. A loop that ends when there are no `_conflicts` does both.

# %% answer="settle"
def settle(url, doc_id, merge, attempts=5):
    """Merge all conflicting versions of a document into one; return it with _id and _rev.

    Raises KeyError if there is no such document, RuntimeError if others wrote first `attempts` times.
    """
    ### BEGIN SOLUTION
    address = f"{url}/{quote(doc_id, safe='')}"
    for merges in range(attempts + 1):
        winner = _fetch(address, {"conflicts": "true"})
        conflicts = winner.get("_conflicts", [])
        if not conflicts:
            return _plain(winner) | {"_id": doc_id, "_rev": winner["_rev"]}
        if merges == attempts:
            break
        versions = [_plain(document) for document in [winner, *(_fetch(address, {"rev": rev}) for rev in conflicts)]]
        merged = _plain(merge(versions))
        answer = requests.put(address, json=merged | {"_rev": winner["_rev"]})
        if answer.status_code == 409:
            continue
        answer.raise_for_status()
        for rev in conflicts:
            gone = requests.delete(address, params={"rev": rev})
            if gone.status_code not in (404, 409):      # removed meanwhile, or written on: the next look tells
                gone.raise_for_status()
    raise RuntimeError(f"others wrote {doc_id!r} {attempts} times while it was merged")


def _fetch(address, params):
    answer = requests.get(address, params=params)
    if answer.status_code == 404:
        raise KeyError(address)
    answer.raise_for_status()
    return answer.json()


def _plain(document):
    """Without CouchDB's own fields."""
    return {name: value for name, value in document.items() if not name.startswith("_")}
    ### END SOLUTION

# %% check="settle" points=2
import requests
import stores

with task("6.6"):
    couch = stores.start("couchdb")
    couch.reset()
    for name in ("products", "laptop"):
        requests.put(f"{couch.url}/{name}").raise_for_status()

    def both_sides(doc_id, here, there):
        """One document, changed on two sides, then replicated."""
        requests.put(f"{couch.url}/products/{doc_id}", json={"name": "Copper Kettle"}).raise_for_status()

        def replicate(a, b):
            requests.post(f"{couch.url}/_replicate", json={"source": f"{couch.url}/{a}", "target": f"{couch.url}/{b}"}).raise_for_status()

        replicate("products", "laptop")
        for side, change in (("products", here), ("laptop", there)):
            document = requests.get(f"{couch.url}/{side}/{doc_id}").json()
            requests.put(f"{couch.url}/{side}/{doc_id}", json=document | change).raise_for_status()
        replicate("laptop", "products")

    both_sides("p7", {"price_cents": 699}, {"price_cents": 799})
    seen = []

    def cheapest(versions):
        seen.append(sorted(sorted(version) for version in versions))
        return min(versions, key=lambda version: version["price_cents"])

    got = settle(f"{couch.url}/products", "p7", cheapest)
    check("merge sees both versions, without CouchDB's fields", got=seen, want=[[["name", "price_cents"], ["name", "price_cents"]]])
    now = requests.get(f"{couch.url}/products/p7", params={"conflicts": "true"}).json()
    check("the merged document is there, and no conflict is left", got={name: now[name] for name in now if name != "_rev"},
          want={"_id": "p7", "name": "Copper Kettle", "price_cents": 699}, cause="delete the other versions by their revisions")
    check("it is returned with its revision", got=got, want=now)
    with couch.record() as log:
        check("without a conflict it is returned as it is", got=settle(f"{couch.url}/products", "p7", cheapest), want=now)
    check("merge was called once in all, and nothing was written", got=[len(seen), log.count("PUT") + log.count("DELETE") + log.count("POST")], want=[1, 0])
    check("a document that is not there is a KeyError", got=outcome(lambda: settle(f"{couch.url}/products", "p8", cheapest)), want=raises(KeyError))

# %% hidden="settle" points=1 topic="several conflicts, ids of all kinds, deleted versions, fields that begin with _, and other errors"
import requests
import stores
from urllib.parse import quote

with task("6.6"):
    couch = stores.start("couchdb")
    couch.reset()
    url = f"{couch.url}/products"
    requests.put(url).raise_for_status()

    def plant(doc_id, *versions):
        """Versions of a document that do not know each other, as replication would bring them."""
        docs = [{"_id": doc_id, "_rev": f"2-{n:032x}", "_revisions": {"start": 2, "ids": [f"{n:032x}", "0" * 32]}, **version} for n, version in enumerate(versions, 1)]
        requests.post(f"{url}/_bulk_docs", json={"docs": docs, "new_edits": False}).raise_for_status()

    for doc_id in ("p9", "a key/with ?&% + ü", "plain"):
        plant(doc_id, {"n": 1}, {"n": 2}, {"n": 3}, {"n": 4})
        orders = []
        got = settle(url, doc_id, lambda versions: orders.append([version["n"] for version in versions]) or {"n": sum(version["n"] for version in versions), "_secret": 1})
        check(f"four versions of {doc_id!r} become one", got=[got["_id"], got["n"], sorted(got)], want=[doc_id, 10, ["_id", "_rev", "n"]])
        check("the winner comes first, then the conflicts in CouchDB's order", got=orders, want=[[4, 3, 2, 1]])
        now = requests.get(f"{url}/{quote(doc_id, safe='')}", params={"conflicts": "true"}).json()
        check("no conflict is left", got=now.get("_conflicts", []), want=[])
        check("what is returned is the document as it is now", got=got, want=now)

    plant("gone", {"n": 1}, {"n": 2})
    for rev in (2, 1):
        requests.delete(f"{url}/gone", params={"rev": f"2-{rev:032x}"}).raise_for_status()
    check("a deleted document is a KeyError", got=outcome(lambda: settle(url, "gone", lambda versions: versions[0])), want=raises(KeyError))
    plant("half", {"n": 1}, {"n": 2})
    requests.delete(f"{url}/half", params={"rev": f"2-{1:032x}"}).raise_for_status()
    with couch.record() as log:
        got = settle(url, "half", lambda versions: {"n": 0})
    check("a version that was deleted is no conflict", got=[got["n"], log.count("PUT")], want=[2, 0])
    made = requests.put(f"{url}/pic", json={"n": 5}).json()
    requests.put(f"{url}/pic/note", params={"rev": made["rev"]}, data=b"hello", headers={"Content-Type": "text/plain"}).raise_for_status()
    check("of what begins with _ only _id and _rev are returned", got=sorted(settle(url, "pic", lambda versions: versions[0])), want=["_id", "_rev", "n"])
    check("another error of HTTP is raised", got=outcome(lambda: settle(f"{couch.url}/No-Name", "p1", lambda versions: versions[0])), want=raises(requests.HTTPError),
          cause="404 is a KeyError; for all others raise_for_status()")

# %% hidden="settle" points=1 topic="others who write meanwhile, and programs that are killed"
import requests
import stores

with task("6.6"):
    couch = stores.start("couchdb")
    couch.reset()
    url = f"{couch.url}/products"
    requests.put(url).raise_for_status()

    def plant(doc_id, *versions):
        docs = [{"_id": doc_id, "_rev": f"2-{n:032x}", "_revisions": {"start": 2, "ids": [f"{n:032x}", "0" * 32]}, **version} for n, version in enumerate(versions, 1)]
        requests.post(f"{url}/_bulk_docs", json={"docs": docs, "new_edits": False}).raise_for_status()

    def rival(doc_id):
        """Somebody adds 100 to the winner."""
        document = requests.get(f"{url}/{doc_id}").json()
        requests.put(f"{url}/{doc_id}", json=document | {"n": document["n"] + 100}).raise_for_status()

    plant("p1", {"n": 1}, {"n": 2})
    calls = []

    def add_after_a_rival(versions):
        calls.append(sorted(version["n"] for version in versions))
        if len(calls) == 1:
            rival("p1")
        return {"n": sum(version["n"] for version in versions)}

    got = settle(url, "p1", add_after_a_rival)
    check("when somebody wrote first, it looks and merges again", got=[calls, got["n"]], want=[[[1, 2], [1, 102]], 103],
          cause="409 says that the revision is not the winner's any more")
    check("and no conflict is left", got="_conflicts" in requests.get(f"{url}/p1", params={"conflicts": "true"}).json(), want=False)

    plant("p2", {"n": 1}, {"n": 2})
    calls.clear()

    def always_second(versions):
        calls.append(1)
        rival("p2")
        return versions[0]

    check("after `attempts` times it gives up", got=outcome(lambda: settle(url, "p2", always_second, 3)), want=raises(RuntimeError))
    check("having merged three times", got=len(calls), want=3)

    plant("p3", {"n": 1}, {"n": 2})

    def removes_the_loser(versions):
        requests.delete(f"{url}/p3", params={"rev": f"2-{1:032x}"})
        return {"n": 3}

    got = settle(url, "p3", removes_the_loser)
    check("a version that somebody else removed is no trouble", got=[got["n"], requests.get(f"{url}/p3", params={"conflicts": "true"}).json()], want=[3, got])

    plant("p4", {"n": 1}, {"n": 2})
    calls.clear()
    rivals = [lambda real: real(requests.Session(), "PUT", f"{url}/p4", json={"_rev": f"2-{1:032x}", "n": 50})]

    def write_before_the_delete(session, method, *args, real=requests.Session.request, **kwargs):
        if method.upper() in ("DELETE", "POST") and rivals:
            rivals.pop()(real)
        return real(session, method, *args, **kwargs)

    def add(versions):
        calls.append(sorted(version["n"] for version in versions))
        return {"n": sum(version["n"] for version in versions)}

    requests.Session.request, real = write_before_the_delete, requests.Session.request
    try:
        got = outcome(lambda: settle(url, "p4", add))
    finally:
        requests.Session.request = real
    check("when somebody wrote on a version before it was deleted, that is merged too", got=[calls, got and got["n"]], want=[[[1, 2], [3, 50]], 53],
          cause="409 for a DELETE: the version is not the last of its branch any more. Look again whether conflicts are left")

    for n in range(1, 8):      # the n-th request of the program is never answered, and never done
        plant(f"k{n}", {"n": 1}, {"n": 2})
        left = [n]

        def killed(*args, real=requests.Session.request, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                raise ConnectionError("the program was killed here")
            return real(*args, **kwargs)

        requests.Session.request, real = killed, requests.Session.request
        try:
            outcome(lambda: settle(url, f"k{n}", lambda versions: {"n": sum(version["n"] for version in versions)}))
        finally:
            requests.Session.request = real
        document = requests.get(f"{url}/k{n}", params={"conflicts": "true"}).json()
        there = sorted([document["n"], *(requests.get(f"{url}/k{n}", params={"rev": rev}).json()["n"] for rev in document.get("_conflicts", []))])
        check(f"killed before its request {n}, nothing is lost", got=there, want=one_of([1, 2], [1, 3], [3]), cause="write the merged document before you delete the others")
