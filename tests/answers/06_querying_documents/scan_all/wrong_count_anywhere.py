# caught by: a range behind a field that is not restricted reads everything
def scan_all(orders, query, constant):
    constant = set(constant) | {"_id"}
    RANGES = {"$lt", "$lte", "$gt", "$gte"}

    def is_equal(field):
        return field in query and (not isinstance(query[field], dict) or "$eq" in query[field])

    def is_range(field):
        return field in query and isinstance(query[field], dict) and bool(RANGES & set(query[field]))

    best, best_score = "_id", (0, 0)
    for name, index in orders.indexes.items():
        if not all(field in constant or is_equal(field) for field in index.fields):
            continue
        score = (sum(map(is_equal, index.fields)), sum(map(is_range, index.fields)))
        if score > best_score:
            best, best_score = name, score
    found = {}
    for document in orders.find(query, index=best):
        found.setdefault(document["_id"], document)
    return list(found.values())
