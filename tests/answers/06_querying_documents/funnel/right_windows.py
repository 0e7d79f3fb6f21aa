def funnel(events):
    window = lambda field, kind, since=None: {field: {"$min": {"$cond": [
        {"$and": [{"$eq": ["$event_type", kind]}] + ([{"$gt": ["$" + since, None]}, {"$gte": ["$timestamp", "$" + since]}] if since else [])},
        "$timestamp", None]}}}
    part = {"product_id": "$product_id", "user_id": "$user_id"}
    pipeline = []
    for field, kind, since in (("viewed", "view", None), ("carted", "cart", "viewed"), ("purchased", "purchase", "carted")):
        pipeline.append({"$setWindowFields": {"partitionBy": part, "output": window(field, kind, since)}})
    pipeline += [
        {"$group": {"_id": part, "viewed": {"$max": "$viewed"}, "carted": {"$max": "$carted"}, "purchased": {"$max": "$purchased"}}},
        {"$group": {"_id": "$_id.product_id"} | {f: {"$sum": {"$cond": [{"$ifNull": ["$" + f, False]}, 1, 0]}} for f in ("viewed", "carted", "purchased")}},
        {"$match": {"viewed": {"$gt": 0}}},
        {"$sort": {"_id": 1}},
        {"$replaceWith": {"product_id": "$_id", "viewed": "$viewed", "carted": "$carted", "purchased": "$purchased"}},
    ]
    return list(events.aggregate(pipeline, batchSize=10_000))
