# caught by: a ring of three is found once, from its smallest id
def rings(driver):
    records, _, _ = driver.execute_query("""
        MATCH (u:User)-[:FOLLOWS]->(v:User)
        WHERE COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1
          AND COUNT { (v)-[:FOLLOWS]->() } = 1 AND COUNT { (v)<-[:FOLLOWS]-() } = 1
        RETURN u.user_id AS a, v.user_id AS b
    """)

    step = {record["a"]: record["b"] for record in records}
    found = []
    for start in sorted(step):
        walk = [start]
        while len(walk) <= 8 and step.get(walk[-1]) not in (None, start):
            walk.append(step[walk[-1]])
        if step.get(walk[-1]) == start and 3 <= len(walk) <= 8:
            found.append(walk)
    return found
