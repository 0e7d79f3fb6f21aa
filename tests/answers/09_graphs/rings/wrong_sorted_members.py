# caught by: two rings, sorted, each from its smallest id
def rings(driver):
    records, _, _ = driver.execute_query("""
        MATCH (u:User)-[:FOLLOWS]->(v:User)
        WHERE COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1
          AND COUNT { (v)-[:FOLLOWS]->() } = 1 AND COUNT { (v)<-[:FOLLOWS]-() } = 1
        RETURN u.user_id AS a, v.user_id AS b
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
            found.append(sorted(walk))
    return found
