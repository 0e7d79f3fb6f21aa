# caught by: a circle with a follower outside is no ring
def rings(driver):
    records, _, _ = driver.execute_query("""
        MATCH (u:User) WHERE COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1
        MATCH ring = (u)-[:FOLLOWS*3..5]->(u)
        RETURN [node IN nodes(ring) | node.user_id][1..] AS ids
    """)
    found = set()
    for record in records:
        ids = record["ids"]
        first = ids.index(min(ids))
        found.add(tuple(ids[first:] + ids[:first]))
    return [list(ring) for ring in sorted(found)]
