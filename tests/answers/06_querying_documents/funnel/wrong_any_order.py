# caught by: a cart before the first view does not count
def funnel(events):
    """How many users viewed, then carted, then purchased each product: a list of documents, by product_id."""
    return list(events.aggregate([
        {"$group": {"_id": {"product": "$product_id", "user": "$user_id"}, "kinds": {"$addToSet": "$event_type"}}},
        {"$match": {"kinds": "view"}},
        {"$set": {"cart": {"$in": ["cart", "$kinds"]}}},
        {"$set": {"purchase": {"$and": ["$cart", {"$in": ["purchase", "$kinds"]}]}}},
        {"$group": {"_id": "$_id.product", "viewed": {"$sum": 1}, "carted": {"$sum": {"$toInt": "$cart"}}, "purchased": {"$sum": {"$toInt": "$purchase"}}}},
        {"$sort": {"_id": 1}},
        {"$project": {"_id": 0, "product_id": "$_id", "viewed": 1, "carted": 1, "purchased": 1}},
    ]))
