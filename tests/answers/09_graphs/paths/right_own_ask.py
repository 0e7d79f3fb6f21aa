def ask(driver, cypher, /, *ids):
    """Not the `ask` of the checks: this one gives single values."""
    names = ("start", "end")
    return [record[0] for record in driver.execute_query(cypher, dict(zip(names, ids, strict=False))).records]


def make(most):
    if type(most) is not int or not 1 <= most <= 8:
        raise ValueError("from 1 to 8 hops")
    return f"[:FOLLOWS*1..{most}]"


def route(driver, start, end, most):
    hops = make(most)
    if start == end:
        return [start] if ask(driver, "MATCH (u:User {user_id: $start}) RETURN u", start) else None
    found = ask(driver, "MATCH (a:User {user_id: $start}), (b:User {user_id: $end}) "
                f"MATCH p = shortestPath((a)-{hops}->(b)) RETURN [n IN nodes(p) | n.user_id]", start, end)
    return found[0] if found else None


def reachable(driver, start, most):
    found = ask(driver, f"MATCH p = (:User {{user_id: $start}})-{make(most)}->(b:User) WHERE b.user_id <> $start "
                "WITH b.user_id AS id, min(length(p)) AS hops RETURN [id, hops]", start)
    return dict(map(tuple, found))
