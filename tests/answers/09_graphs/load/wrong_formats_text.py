# caught by: every name is only a name
def load(driver, users, follows):
    rows = ", ".join(f"{{user_id: '{u['user_id']}', name: '{u['name']}', city: '{u['city']}'}}" for u in users)
    driver.execute_query(f"UNWIND [{rows}] AS row MERGE (u:User {{user_id: row.user_id}}) SET u += row")
    pairs = ", ".join(f"['{a}', '{b}']" for a, b in follows)
    driver.execute_query(f"""
        UNWIND [{pairs}] AS pair
        MATCH (a:User {{user_id: pair[0]}}), (b:User {{user_id: pair[1]}})
        MERGE (a)-[:FOLLOWS]->(b)
    """)

    ids = list({user_id for pair in follows for user_id in pair})
    found = driver.execute_query("MATCH (u:User) WHERE u.user_id IN $ids RETURN u.user_id AS id", ids=ids)
    known = {record["id"] for record in found.records}
    return sorted({tuple(pair) for pair in follows if not known.issuperset(pair)})
