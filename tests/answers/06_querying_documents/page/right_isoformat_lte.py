def page(events, filter, size, after=None):
    query = filter
    if after is not None:
        try:
            when, last_id = after.split(" ", 1)
            when = datetime.fromisoformat(when)
        except (ValueError, AttributeError):
            raise ValueError(f"{after!r} is no token") from None
        query = {"$and": [filter, {"timestamp": {"$lte": when}}, {"$or": [{"timestamp": {"$lt": when}}, {"_id": {"$lt": last_id}}]}]}
    rows = list(events.find(query).sort([("timestamp", -1), ("_id", -1)]).limit(size + 1))
    more, rows = len(rows) > size, rows[:size]
    return rows, f"{rows[-1]['timestamp'].isoformat()} {rows[-1]['_id']}" if more else None
