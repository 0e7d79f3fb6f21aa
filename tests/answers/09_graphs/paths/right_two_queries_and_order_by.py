BOUNDS = {n: f"*1..{n}" for n in range(1, 9)}


def bound(most):
    if type(most) is not int or most not in BOUNDS:
        raise ValueError("from 1 to 8 hops")
    return BOUNDS[most]


def route(driver, start, end, most):
    hops = bound(most)
    if start == end:
        known = driver.execute_query("MATCH (u:User {user_id: $id}) RETURN count(u) AS n", id=start)
        return [start] if known.records[0]["n"] else None
    found = driver.execute_query(
        "MATCH (a:User {user_id: $start}), (b:User {user_id: $end}) "
        "MATCH path = shortestPath((a)-[:FOLLOWS" + hops + "]->(b)) RETURN path",
        start=start, end=end)
    return [node["user_id"] for node in found.records[0]["path"].nodes] if found.records else None


def reachable(driver, start, most):
    found = driver.execute_query(
        "MATCH path = (:User {user_id: $start})-[:FOLLOWS" + bound(most) + "]->(b:User) WHERE b.user_id <> $start "
        "WITH b, length(path) AS hops ORDER BY hops "
        "RETURN b.user_id AS id, collect(hops)[0] AS fewest",
        start=start)
    return {record["id"]: record["fewest"] for record in found.records}
