def save_cart(session, cart_id, items, attempts=3):
    future = session.execute_async(SimpleStatement("UPDATE carts SET items = %s WHERE cart_id = %s", consistency_level=ConsistencyLevel.LOCAL_QUORUM,
                                                   is_idempotent=True), (items, cart_id))
    try:
        future.result()
        return "stored"
    except Unavailable:
        return "refused"
    except WriteTimeout:
        if attempts == 1:
            return "unknown"
    return "stored" if save_cart(session, cart_id, items, attempts - 1) == "stored" else "unknown"


def load_cart(session, cart_id):
    found = session.execute(SimpleStatement("SELECT * FROM carts WHERE cart_id = %s", consistency_level=ConsistencyLevel.LOCAL_QUORUM), [cart_id]).all()
    return found[0].items if found else None


def count_sale(session, product_id):
    statement = SimpleStatement("UPDATE sales SET sold = sold + 1 WHERE product_id = %s", consistency_level=ConsistencyLevel.LOCAL_QUORUM)
    try:
        session.execute(statement, [product_id])
    except (Unavailable, WriteTimeout) as error:
        return "refused" if isinstance(error, Unavailable) else "unknown"
    return "stored"


def save_visit(session, user_id, product_id, attempts=3):
    try:
        session.execute("UPDATE visits SET product_id = %s WHERE user_id = %s", [product_id, user_id])
    except WriteTimeout:
        if attempts == 1:
            raise
        save_visit(session, user_id, product_id, attempts - 1)


def last_visit(session, user_id):
    found = session.execute("SELECT product_id FROM visits WHERE user_id = %s", [user_id]).one()
    return found.product_id if found else None
