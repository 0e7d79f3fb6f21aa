# caught by: nothing is kept in Python
_tokens = {}

def page(events, filter, size, after=None):
    query = {"$and": [filter]}
    if after is not None:
        if after not in _tokens:
            raise ValueError(after)
        t, i = _tokens[after]
        query["$and"].append({"timestamp": {"$lte": t}})
        query["$and"].append({"$or": [{"timestamp": {"$lt": t}}, {"timestamp": t, "_id": {"$lt": i}}]})
    rows = list(events.find(query).sort([("timestamp", -1), ("_id", -1)]).limit(size + 1))
    token = None
    if len(rows) > size:
        token = f"t{len(_tokens)}"
        _tokens[token] = rows[size - 1]["timestamp"], rows[size - 1]["_id"]
    return rows[:size], token
