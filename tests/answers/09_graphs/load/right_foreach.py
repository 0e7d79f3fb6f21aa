def load(driver, users, follows):
    def work(tx):
        tx.run("UNWIND $users AS row MERGE (u:User {user_id: row.user_id}) SET u += {name: row.name, city: row.city}", users=users).consume()
        result = tx.run("""
            UNWIND $pairs AS pair
            OPTIONAL MATCH (a:User {user_id: pair[0]})
            OPTIONAL MATCH (b:User {user_id: pair[1]})
            FOREACH (_ IN CASE WHEN a IS NULL OR b IS NULL THEN [] ELSE [1] END | MERGE (a)-[:FOLLOWS]->(b))
            WITH pair, a, b WHERE a IS NULL OR b IS NULL
            RETURN DISTINCT pair[0] AS a, pair[1] AS b""", pairs=[list(p) for p in follows])
        return sorted({(r["a"], r["b"]) for r in result})
    with driver.session() as session:
        return session.execute_write(work)
