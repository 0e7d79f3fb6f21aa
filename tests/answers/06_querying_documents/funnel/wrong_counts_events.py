# caught by: each user counts once, and only with the steps before
def funnel(events):
    """How many users viewed, then carted, then purchased each product: a list of documents, by product_id."""
    def count(kind):
        return {"$sum": {"$cond": [{"$eq": ["$event_type", kind]}, 1, 0]}}
    return list(events.aggregate([
        {"$group": {"_id": "$product_id", "viewed": count("view"), "carted": count("cart"), "purchased": count("purchase")}},
        {"$match": {"viewed": {"$gt": 0}}},
        {"$sort": {"_id": 1}},
        {"$project": {"_id": 0, "product_id": "$_id", "viewed": 1, "carted": 1, "purchased": 1}},
    ]))
