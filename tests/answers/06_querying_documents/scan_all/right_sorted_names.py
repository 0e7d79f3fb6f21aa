def scan_all(orders, query, constant):
    """All documents that match, each once, whatever is written meanwhile. `constant`: fields that never change."""
    equal = {field for field, condition in query.items() if not isinstance(condition, dict) or "$eq" in condition}
    fixed = equal | set(constant) | {"_id"}
    ranked = []
    for name, index in orders.indexes.items():
        if set(index.fields) <= fixed:
            score = 0
            for field in index.fields:
                if field in equal:
                    score += 2
                    continue
                score += any(sign in str(query.get(field)) for sign in ("$lt", "$gt"))
                break
            ranked.append((score, name == "_id", name))
    return [document for document in orders.find(query, index=max(ranked)[2])]
