# caught by: a user who moves is one user, in the new city
def load(driver, users, follows):
    rows = {}
    for user in users:
        rows.setdefault(user["user_id"], user)
    driver.execute_query("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u += row", users=list(rows.values()))
    found = driver.execute_query("""
        UNWIND $pairs AS pair
        MATCH (a:User {user_id: pair[0]}), (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b)
        RETURN pair[0] AS a, pair[1] AS b
    """, pairs=follows)
    return sorted(set(follows) - {(record["a"], record["b"]) for record in found.records})
