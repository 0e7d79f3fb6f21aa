# caught by: the user's other properties stay
def load(driver, users, follows):
    driver.execute_query("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u = row", users=users)
    pairs = {tuple(p) for p in follows}
    records, _, _ = driver.execute_query("""UNWIND $pairs AS pair MATCH (a:User {user_id: pair[0]}), (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b) RETURN pair[0] AS a, pair[1] AS b""", pairs=[list(p) for p in pairs])
    return sorted(pairs - {(r["a"], r["b"]) for r in records})
