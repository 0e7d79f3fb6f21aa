# caught by: route with most=True raises ValueError
def check_most(most):
    if not isinstance(most, int) or not 1 <= most <= 8:
        raise ValueError(f"most must be a whole number from 1 to 8, not {most!r}")
    return most

def route(driver, start, end, most):
    check_most(most)
    if start == end:
        records, _, _ = driver.execute_query("MATCH (u:User {user_id: $start}) RETURN u.user_id", start=start)
        return [start] if records else None
    records, _, _ = driver.execute_query(f"""
        MATCH path = shortestPath((:User {{user_id: $start}})-[:FOLLOWS*..{most}]->(:User {{user_id: $end}}))
        RETURN [node IN nodes(path) | node.user_id] AS ids
    """, start=start, end=end)
    return records[0]["ids"] if records else None

def reachable(driver, start, most):
    check_most(most)
    records, _, _ = driver.execute_query(f"""
        MATCH path = (u:User {{user_id: $start}})-[:FOLLOWS*1..{most}]->(far)
        WHERE far <> u
        RETURN far.user_id AS id, min(length(path)) AS hops
    """, start=start)
    return {r["id"]: r["hops"] for r in records}
