# caught by: 150 users and 200 follows take at most 4 queries
def load(driver, users, follows):
    for user in users:
        driver.execute_query("MERGE (u:User {user_id: $user_id}) SET u.name = $name, u.city = $city", user)
    left = set()
    for follower, followed in follows:
        summary = driver.execute_query("""
            MATCH (a:User {user_id: $a}), (b:User {user_id: $b})
            MERGE (a)-[:FOLLOWS]->(b)
            RETURN a.user_id
        """, a=follower, b=followed)
        if not summary.records:
            left.add((follower, followed))
    return sorted(left)
