# caught by: the follows of both nights are there, each once
def load(driver, users, follows):
    driver.execute_query("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u.name = row.name, u.city = row.city", users=users)
    pairs = [list(p) for p in follows]
    old = {(r["a"], r["b"]) for r in driver.execute_query("MATCH (a:User)-[:FOLLOWS]->(b:User) RETURN a.user_id AS a, b.user_id AS b").records}
    new = [p for p in pairs if tuple(p) not in old]
    made = {(r["a"], r["b"]) for r in driver.execute_query("""UNWIND $pairs AS p MATCH (a:User {user_id: p[0]}), (b:User {user_id: p[1]})
        CREATE (a)-[:FOLLOWS]->(b) RETURN p[0] AS a, p[1] AS b""", pairs=new).records}
    return sorted({tuple(p) for p in pairs} - old - made)
