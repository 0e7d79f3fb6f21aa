def save_cart(session, cart_id, items):
    timeouts = 0
    while timeouts < 3:
        try:
            ask(session, "INSERT INTO carts (cart_id, items) VALUES (?, ?)", ConsistencyLevel.TWO, cart_id, items)
        except WriteTimeout:
            timeouts += 1
        except Unavailable:
            return "unknown" if timeouts else "refused"
        else:
            return "stored"
    return "unknown"


def load_cart(session, cart_id):
    for row in ask(session, "SELECT items FROM carts WHERE cart_id = ?", ConsistencyLevel.TWO, cart_id):
        return row.items


def count_sale(session, product_id):
    try:
        ask(session, "UPDATE sales SET sold = sold + 1 WHERE product_id = ?", ConsistencyLevel.TWO, product_id)
    except WriteTimeout:
        return "unknown"
    except Unavailable:
        return "refused"
    return "stored"


def save_visit(session, user_id, product_id):
    timeout = None
    for _ in range(3):
        try:
            ask(session, "INSERT INTO visits (user_id, product_id) VALUES (?, ?)", ConsistencyLevel.ONE, user_id, product_id)
        except WriteTimeout as error:
            timeout = error
        else:
            return None
    raise timeout


def last_visit(session, user_id):
    for row in ask(session, "SELECT product_id FROM visits WHERE user_id = ?", ConsistencyLevel.ONE, user_id):
        return row.product_id


def ask(session, cql, level, *values):
    statement = session.prepare(cql).bind(values)
    statement.consistency_level = level
    return list(session.execute(statement))
