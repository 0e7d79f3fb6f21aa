def prepare(driver):
    driver.execute_query("CREATE CONSTRAINT order_id IF NOT EXISTS FOR (o:Order) REQUIRE o.order_id IS UNIQUE")


def place(driver, order_id, user_id, product_id, quantity, attempts=3):
    """MERGE the order and move the stock on create; undo everything by raising an error."""
    def work(tx):
        row = tx.run("""
            MATCH (u:User {user_id: $user}), (p:Product {product_id: $product})
            MERGE (o:Order {order_id: $order})
              ON CREATE SET o.quantity = $quantity, p.stock = p.stock - $quantity, o.new = true
            WITH u, p, o, coalesce(o.new, false) AS new
            REMOVE o.new
            MERGE (u)-[:PLACED]->(o)
            MERGE (o)-[:OF]->(p)
            RETURN p.stock AS stock, new
        """, user=user_id, product=product_id, order=order_id, quantity=quantity).single()
        if row is None:
            raise KeyError(f"{user_id} or {product_id}")
        if row["new"] and row["stock"] < 0:
            raise ValueError("too little stock")
        return row["stock"]

    try:
        with driver.session() as session:
            return session.execute_write(work)
    except neo4j.exceptions.IncompleteCommit:
        if attempts == 1:
            raise
        return place(driver, order_id, user_id, product_id, quantity, attempts - 1)
