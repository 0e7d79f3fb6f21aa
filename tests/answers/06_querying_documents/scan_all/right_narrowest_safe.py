def scan_all(orders, query, constant):
    """All documents that match, each once, whatever is written meanwhile. `constant`: fields that never change."""
    def is_equality(field):
        condition = query.get(field, {})
        return not isinstance(condition, dict) or "$eq" in condition

    def is_range(field):
        condition = query.get(field)
        return isinstance(condition, dict) and not condition.keys().isdisjoint({"$lt", "$lte", "$gt", "$gte"})

    def is_safe(fields):
        return all(field == "_id" or field in constant or is_equality(field) for field in fields)

    def narrowness(fields):
        """(leading equalities, 1 if a range follows them): what decides how many entries are read."""
        equalities = 0
        while equalities < len(fields) and fields[equalities] in query and is_equality(fields[equalities]):
            equalities += 1
        return equalities, int(equalities < len(fields) and is_range(fields[equalities]))

    safe = [name for name, index in orders.indexes.items() if is_safe(index.fields)]
    best = max(safe, key=lambda name: narrowness(orders.indexes[name].fields))
    return list(orders.find(query, index=best))
