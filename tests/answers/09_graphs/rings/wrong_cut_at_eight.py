# caught by: rings of 3 to 8 count, 2 and 9 do not
def rings(driver):
    nxt = {r["a"]: r["b"] for r in driver.execute_query("""
        MATCH (u:User)-[:FOLLOWS]->(v:User)
        WHERE COUNT { (u)-[:FOLLOWS]->() } = 1 AND COUNT { (u)<-[:FOLLOWS]-() } = 1 AND COUNT { (v)-[:FOLLOWS]->() } = 1 AND COUNT { (v)<-[:FOLLOWS]-() } = 1
        RETURN u.user_id AS a, v.user_id AS b""").records}
    out = []
    for s in sorted(nxt):
        ring, at = [s], nxt[s]
        while at in nxt and at not in ring and len(ring) < 8: ring.append(at); at = nxt[at]
        if at in nxt and len(ring) >= 3 and s == min(ring) and (at == s or len(ring) == 8): out.append(ring)
    return out
