# caught by: route with most=0 raises ValueError
def route(driver, start, end, most):
    bound = most
    if start == end:
        query = "MATCH (a:User {user_id: $start}) RETURN [a.user_id] AS way"
    else:
        query = f"""
            MATCH path = shortestPath((a:User {{user_id: $start}})-[:FOLLOWS*..{bound}]->(b:User {{user_id: $end}}))
            RETURN [node IN nodes(path) | node.user_id] AS way
        """
    records, _, _ = driver.execute_query(query, start=start, end=end)
    return records[0]["way"] if records else None


def reachable(driver, start, most):
    records, _, _ = driver.execute_query(f"""
        MATCH path = (a:User {{user_id: $start}})-[:FOLLOWS*1..{most}]->(b:User)
        WHERE b <> a
        RETURN b.user_id AS user, min(length(path)) AS hops
    """, start=start)
    return {record["user"]: record["hops"] for record in records}
