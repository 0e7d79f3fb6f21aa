# caught by: and so is the first cart
def funnel(events):
    """x"""
    def times(kind):
        return {"$push": {"$cond": [{"$eq": ["$event_type", kind]}, "$timestamp", "$$REMOVE"]}}

    def first_after(name, since):
        return {"$first": {"$filter": {"input": name, "as": "t", "cond": {"$and": [{"$ne": [since, None]}, {"$gte": ["$$t", since]}]}}}}

    one = lambda field: {"$sum": {"$cond": [{"$gt": [field, None]}, 1, 0]}}
    return list(events.aggregate([
        {"$match": {"event_type": {"$in": ["view", "cart", "purchase"]}}},
        {"$group": {"_id": {"p": "$product_id", "u": "$user_id"}, "views": times("view"), "carts": times("cart"), "buys": times("purchase")}},
        {"$match": {"views.0": {"$exists": True}}},
        {"$set": {"v": {"$min": "$views"}}},
        {"$set": {"c": first_after("$carts", "$v")}},
        {"$set": {"b": first_after("$buys", {"$ifNull": ["$c", None]})}},
        {"$group": {"_id": "$_id.p", "viewed": one("$v"), "carted": one("$c"), "purchased": one("$b")}},
        {"$sort": {"_id": 1}},
        {"$project": {"_id": 0, "product_id": "$_id", "viewed": 1, "carted": 1, "purchased": 1}},
    ], batchSize=1000))
