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
    events.create_index([("user_id", 1), ("timestamp", -1), ("event_type", 1)])
    events.create_index([("event_type", 1), ("amount_cents", -1), ("timestamp", 1)], partialFilterExpression={"event_type": "purchase"})
    events.create_index([("product_id", 1), ("event_type", 1), ("timestamp", 1)])
