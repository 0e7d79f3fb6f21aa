# caught by: the database sends no more rows than are returned
def recommend(driver, user_id, limit):
    records, _, _ = driver.execute_query("""
        MATCH (u:User {user_id: $user_id})-[:FOLLOWS]->(friend)-[:FOLLOWS]->(other)-[:BOUGHT]->(p)
        WHERE other <> u AND NOT EXISTS { (u)-[:FOLLOWS]->(other) } AND NOT EXISTS { (u)-[:BOUGHT]->(p) }
        RETURN p.product_id AS product, count(DISTINCT other) AS people
    """, user_id=user_id)
    return sorted(((r["product"], r["people"]) for r in records), key=lambda pair: (-pair[1], pair[0]))[:limit]
