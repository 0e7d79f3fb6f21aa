# caught by: nor is a circle that follows somebody outside
def rings(driver):
    records, _, _ = driver.execute_query("""
        MATCH (u:User)-[:FOLLOWS]->(v:User)
        WHERE COUNT { (u)<-[:FOLLOWS]-() } = 1
          AND COUNT { (v)<-[:FOLLOWS]-() } = 1
        RETURN u.user_id AS a, v.user_id AS b ORDER BY b DESC
    """)

    step = {record["a"]: record["b"] for record in records}
    found, seen = [], set()
    for start in sorted(step):
        walk, user = [], start
        while user in step and user not in seen:
            seen.add(user)
            walk.append(user)
            user = step[user]
        if user == start and 3 <= len(walk) <= 8:
            found.append(walk)
    return found
