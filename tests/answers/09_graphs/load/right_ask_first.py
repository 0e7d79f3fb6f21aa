def load(driver, users, follows):
    """Find out which pairs can be loaded, then send only those."""
    driver.execute_query(
        "UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) ON CREATE SET u = row ON MATCH SET u.name = row.name, u.city = row.city",
        users=users)
    ids = [record["id"] for record in driver.execute_query("MATCH (u:User) RETURN u.user_id AS id").records]
    good = [pair for pair in follows if pair[0] in ids and pair[1] in ids]
    driver.execute_query("""
        UNWIND $good AS pair
        MATCH (a:User {user_id: pair[0]})
        MATCH (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b)
    """, good=good)
    return sorted({pair for pair in follows if pair not in good})
