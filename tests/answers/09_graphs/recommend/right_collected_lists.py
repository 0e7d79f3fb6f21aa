def recommend(driver, user_id, limit):
    records, _, _ = driver.execute_query("""
        MATCH (u:User {user_id: $user_id})
        OPTIONAL MATCH (u)-[:BOUGHT]->(mine:Product)
        WITH u, collect(mine.product_id) AS mine
        MATCH (u)-[:FOLLOWS]->(friend)
        WITH u, mine, collect(friend.user_id) AS friends
        MATCH (u)-[:FOLLOWS]->()-[:FOLLOWS]->(other)
        WHERE NOT other.user_id IN friends + [u.user_id]
        WITH DISTINCT mine, other
        MATCH (other)-[:BOUGHT]->(p) WHERE NOT p.product_id IN mine
        WITH p.product_id AS product, count(*) AS people
        RETURN product, people ORDER BY people DESC, product ASC LIMIT $limit
    """, user_id=user_id, limit=limit)
    return [(record["product"], record["people"]) for record in records]
