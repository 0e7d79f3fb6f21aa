def _steps(most):
    if isinstance(most, bool) or not isinstance(most, int) or most < 1 or most > 8:
        raise ValueError(most)
    return range(1, most + 1)


def route(driver, start, end, most):
    """One query: the ways of each length are tried in turn, each a fixed number of hops."""
    steps = _steps(most)
    if start == end:
        rows = driver.execute_query("MATCH (u:User {user_id: $id}) RETURN u", id=start).records
        return [start] if rows else None
    rows = driver.execute_query(f"""
        MATCH p = allShortestPaths((a:User {{user_id: $start}})-[:FOLLOWS*1..{steps[-1]}]->(b:User {{user_id: $end}}))
        RETURN [n IN nodes(p) | n.user_id] AS ids ORDER BY ids LIMIT 1
    """, start=start, end=end).records
    return rows[0]["ids"] if rows else None


def reachable(driver, start, most):
    """One query whose rows never hold a person twice: DISTINCT after every hop."""
    query = "MATCH (a:User {user_id: $start}) WITH [a] AS seen, [a] AS edge, [] AS found "
    for hops in _steps(most):
        query += f"""
            CALL (seen, edge) {{
                UNWIND edge AS one
                MATCH (one)-[:FOLLOWS]->(next:User) WHERE NOT next IN seen
                RETURN collect(DISTINCT next) AS fresh{hops}
            }}
            WITH seen + fresh{hops} AS seen, fresh{hops} AS edge, found + [n IN fresh{hops} | [n.user_id, {hops}]] AS found
        """
    query += "UNWIND found AS pair RETURN pair[0] AS id, pair[1] AS hops"
    return {row["id"]: row["hops"] for row in driver.execute_query(query, start=start).records}
