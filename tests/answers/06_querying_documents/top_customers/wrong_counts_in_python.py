# caught by: the server did the work
def top_customers(events, start, end, n):
    """The n customers who spent the most in [start, end), as a list of {"user_id", "cents", "purchases"}, the best first."""
    rows = {}
    for event in events.find({"event_type": {"$in": ["purchase", "refund"]}, "timestamp": {"$gte": start, "$lt": end}}):
        row = rows.setdefault(event["user_id"], {"user_id": event["user_id"], "cents": 0, "purchases": 0})
        sign = 1 if event["event_type"] == "purchase" else -1
        row["cents"] += sign * (event.get("amount_cents") or 0)
        row["purchases"] += sign == 1
    best = sorted((row for row in rows.values() if row["cents"] > 0), key=lambda row: (-row["cents"], row["user_id"]))
    return best[:n]
