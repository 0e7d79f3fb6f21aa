# caught by: a user who moves is one user, in the new city
def load(driver, users, follows):
    driver.execute_query("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) ON CREATE SET u += row", users=users)
    driver.execute_query("""
        UNWIND $pairs AS pair
        MATCH (a:User {user_id: pair[0]}), (b:User {user_id: pair[1]})
        MERGE (a)-[:FOLLOWS]->(b)
    """, pairs=follows)

    ids = list({user_id for pair in follows for user_id in pair})
    found = driver.execute_query("MATCH (u:User) WHERE u.user_id IN $ids RETURN u.user_id AS id", ids=ids)
    known = {record["id"] for record in found.records}
    return sorted({tuple(pair) for pair in follows if not known.issuperset(pair)})
