def rings(driver):
    """For each size a pattern of that many single hops. Nobody with a second follow is ever passed."""
    found = []
    only = "COUNT { (%s)-[:FOLLOWS]-() } = 2 AND COUNT { (%s)-[:FOLLOWS]->() } = 1"
    for size in range(3, 9):
        names = [f"n{i}" for i in range(size)]
        query = f"MATCH (n0:User) WHERE {only % ('n0', 'n0')} "
        for a, b in zip(names, names[1:]):
            query += f"MATCH ({a})-[:FOLLOWS]->({b}) WHERE {only % (b, b)} AND n0.user_id < {b}.user_id "
        query += f"MATCH ({names[-1]})-[:FOLLOWS]->(n0) RETURN [{', '.join(f'{name}.user_id' for name in names)}] AS ring"
        found += [record["ring"] for record in driver.execute_query(query).records]
    return sorted(found)
