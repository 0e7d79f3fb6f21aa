# caught by: those who follow back, direct friends and people further away do not count
def recommend(driver, user_id, limit):
    records, _, _ = driver.execute_query("""
        MATCH (u:User {user_id: $me})-[:FOLLOWS]->()-[:FOLLOWS]->(far)
        WHERE far <> u AND NOT EXISTS { (u)-[:FOLLOWS]-(far) }
        WITH DISTINCT u, far MATCH (far)-[:BOUGHT]->(p) WHERE NOT EXISTS { (u)-[:BOUGHT]->(p) }
        RETURN p.product_id AS id, count(*) AS people ORDER BY people DESC, id LIMIT $n""", me=user_id, n=limit)
    return [(r["id"], r["people"]) for r in records]
