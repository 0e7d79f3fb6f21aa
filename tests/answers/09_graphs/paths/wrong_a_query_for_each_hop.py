# caught by: one query
def route(driver, start, end, most):
    bound = checked(most)
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
    fewest, edge = {}, [start]
    for hops in range(1, checked(most) + 1):
        records, _, _ = driver.execute_query(
            "MATCH (a:User)-[:FOLLOWS]->(b:User) WHERE a.user_id IN $ids RETURN DISTINCT b.user_id AS id", ids=edge)
        edge = [record["id"] for record in records if record["id"] not in fewest and record["id"] != start]
        fewest |= dict.fromkeys(edge, hops)
    return fewest


def checked(most):
    if not isinstance(most, int) or not 1 <= most <= 8:
        raise ValueError(f"most must be a whole number from 1 to 8, not {most!r}")
    return most
