# caught by: the server did the work
def funnel(events):
    """How many users viewed, then carted, then purchased each product: a list of documents, by product_id."""
    return [row for product_id in sorted(events.distinct("product_id")) for row in list(events.aggregate([
        {"$match": {"event_type": {"$in": ["view", "cart", "purchase"]}, "product_id": product_id}},
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
    ]))]


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
