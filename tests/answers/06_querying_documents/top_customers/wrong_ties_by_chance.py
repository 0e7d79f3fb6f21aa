# caught by: the same sum: by user_id
def top_customers(events, start, end, n):
    """The n customers who spent the most in [start, end), as a list of {"user_id", "cents", "purchases"}, the best first."""
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
        {"$sort": {"cents": -1}},
        {"$limit": n},
        {"$project": {"_id": False, "user_id": "$_id", "cents": True, "purchases": True}},
    ]))
