def funnel(events):
    """How many users viewed, then carted, then purchased each product: a list of documents, by product_id."""
    order = {"$indexOfArray": [["view", "cart", "purchase"], "$event_type"]}
    got_further = {"$and": [{"$eq": ["$$this.step", {"$add": ["$$value", 1]}]}]}
    return list(events.aggregate([
        {"$match": {"event_type": {"$ne": "refund"}}},
        {"$set": {"step": order}},
        {"$sort": {"timestamp": 1, "step": 1}},
        {"$group": {"_id": ["$product_id", "$user_id"], "steps": {"$push": {"step": "$step"}}}},
        {"$set": {"far": {"$reduce": {"input": "$steps", "initialValue": -1,
                                      "in": {"$cond": [got_further, "$$this.step", "$$value"]}}}}},
        {"$group": {"_id": {"$arrayElemAt": ["$_id", 0]},
                    "viewed": {"$sum": {"$cond": [{"$gte": ["$far", 0]}, 1, 0]}},
                    "carted": {"$sum": {"$cond": [{"$gte": ["$far", 1]}, 1, 0]}},
                    "purchased": {"$sum": {"$cond": [{"$gte": ["$far", 2]}, 1, 0]}}}},
        {"$match": {"viewed": {"$gt": 0}}},
        {"$sort": {"_id": 1}},
        {"$replaceWith": {"product_id": "$_id", "viewed": "$viewed", "carted": "$carted", "purchased": "$purchased"}},
    ]))
