# caught by: those who follow back, direct friends and people further away do not count
def recommend(driver, user_id, limit):
    records, _, _ = driver.execute_query("""
        MATCH (u:User {user_id: $user_id})-[:FOLLOWS]->(friend)-[:FOLLOWS*1..2]->(other)-[:BOUGHT]->(p)
        WHERE other <> u AND NOT EXISTS { (u)-[:FOLLOWS]->(other) } AND NOT EXISTS { (u)-[:BOUGHT]->(p) }
        RETURN p.product_id AS product, count(DISTINCT other) AS people
        ORDER BY people DESC, product LIMIT $limit
    """, user_id=user_id, limit=limit)
    return [(record["product"], record["people"]) for record in records]
