def load(driver, users, follows):
    """One transaction; the database says which pairs it could not use."""
    def work(tx):
        tx.run("""
            UNWIND $users AS row
            MERGE (u:User {user_id: row.user_id})
            SET u += row
        """, users=users).consume()
        rows = tx.run("""
            UNWIND $pairs AS pair
            OPTIONAL MATCH (a:User {user_id: pair[0]})
            OPTIONAL MATCH (b:User {user_id: pair[1]})
            FOREACH (_ IN CASE WHEN a IS NULL OR b IS NULL THEN [] ELSE [1] END | MERGE (a)-[:FOLLOWS]->(b))
            WITH pair, a, b WHERE a IS NULL OR b IS NULL
            RETURN DISTINCT pair
        """, pairs=[list(pair) for pair in follows])
        return sorted(tuple(row["pair"]) for row in rows)

    with driver.session() as session:
        return session.execute_write(work)
