# caught by: $ne is no range
def scan_all(orders, query, constant):
    constant = set(constant) | {"_id"}
    RANGES = {"$lt", "$lte", "$gt", "$gte", "$ne"}

    def is_equal(field):
        return field in query and (not isinstance(query[field], dict) or "$eq" in query[field])

    def is_range(field):
        return field in query and isinstance(query[field], dict) and bool(RANGES & set(query[field]))

    best, best_score = "_id", (0, 0)
    for name, index in orders.indexes.items():
        if not all(field in constant or is_equal(field) for field in index.fields):
            continue
        equal = 0
        while equal < len(index.fields) and is_equal(index.fields[equal]):
            equal += 1
        score = (equal, int(equal < len(index.fields) and is_range(index.fields[equal])))
        if score > best_score:
            best, best_score = name, score
    found = {}
    for document in orders.find(query, index=best):
        found.setdefault(document["_id"], document)
    return list(found.values())
