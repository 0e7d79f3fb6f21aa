def top_customers(events, start, end, n):
    """The n customers who spent the most in [start, end), as a list of {"user_id", "cents", "purchases"}, the best first."""
    pipeline = [
        {"$match": {"timestamp": {"$gte": start, "$lt": end}, "$or": [{"event_type": "purchase"}, {"event_type": "refund"}]}},
        {"$set": {"sign": {"$switch": {"branches": [{"case": {"$eq": ["$event_type", "purchase"]}, "then": 1}], "default": -1}}}},
        {"$group": {"_id": {"user": "$user_id", "sign": "$sign"}, "sum": {"$sum": "$amount_cents"}, "count": {"$sum": 1}}},
        {"$group": {"_id": "$_id.user",
                    "cents": {"$sum": {"$multiply": ["$_id.sign", "$sum"]}},
                    "purchases": {"$sum": {"$max": [0, {"$multiply": ["$_id.sign", "$count"]}]}}}},
        {"$match": {"$expr": {"$gt": ["$cents", 0]}}},
        {"$project": {"_id": 0, "user_id": "$_id", "cents": 1, "purchases": 1}},
        {"$sort": {"cents": -1, "user_id": 1}},
        {"$limit": n},
    ]
    return [dict(row) for row in events.aggregate(pipeline)]
