# caught by: and is not tried again
def prepare(driver):
    driver.execute_query("CREATE CONSTRAINT order_id IF NOT EXISTS FOR (o:Order) REQUIRE o.order_id IS UNIQUE")


def work(tx, order_id, user_id, product_id, quantity):
    row = tx.run("""
        MATCH (u:User {user_id: $user_id}), (p:Product {product_id: $product_id})
        OPTIONAL MATCH (o:Order {order_id: $order_id})
        RETURN p.stock AS stock, o IS NOT NULL AS placed
    """, user_id=user_id, product_id=product_id, order_id=order_id).single()
    if row is None:
        raise KeyError(user_id, product_id)
    if row["placed"]:
        return row["stock"]
    if row["stock"] < quantity:
        raise ValueError("too little stock")
    tx.run("""
        MATCH (u:User {user_id: $user_id}), (p:Product {product_id: $product_id})
        CREATE (u)-[:PLACED]->(:Order {order_id: $order_id, quantity: $quantity})-[:OF]->(p)
        SET p.stock = p.stock - $quantity
    """, user_id=user_id, product_id=product_id, order_id=order_id, quantity=quantity).consume()
    return row["stock"] - quantity


def place(driver, order_id, user_id, product_id, quantity):
    for attempt in range(1, 4):
        try:
            with driver.session() as session:
                return session.execute_write(work, order_id, user_id, product_id, quantity)
        except Exception:
            if attempt == 3:
                raise
