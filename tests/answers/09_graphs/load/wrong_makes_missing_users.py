# caught by: two users are there, with name and city
def load(driver, users, follows):
    driver.execute_query("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u += row", users=users)
    ids = [record["id"] for record in driver.execute_query("MATCH (u:User) RETURN u.user_id AS id").records]
    driver.execute_query("""
        UNWIND $pairs AS pair
        MERGE (a:User {user_id: pair[0]})
        MERGE (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b)
    """, pairs=follows)

    return sorted({tuple(pair) for pair in follows if pair[0] not in ids or pair[1] not in ids})
