# caught by: a visit that no replica has confirmed: the WriteTimeout reaches the caller
def _do(session, cql, level, *values):
    statement = session.prepare(cql)
    statement.consistency_level = level
    return session.execute(statement, values)

def save_cart(session, cart_id, items):
    unsure = False
    for _ in range(3):
        try:
            _do(session, "UPDATE carts SET items = ? WHERE cart_id = ?", ConsistencyLevel.LOCAL_QUORUM, items, cart_id)
        except WriteTimeout:
            unsure = True
        except Unavailable:
            if not unsure:
                return "refused"
            break
        else:
            return "stored"
    return "unknown"

def load_cart(session, cart_id):
    for row in _do(session, "SELECT items FROM carts WHERE cart_id = ?", ConsistencyLevel.LOCAL_QUORUM, cart_id):
        return row[0]

def count_sale(session, product_id):
    try:
        _do(session, "UPDATE sales SET sold = sold + 1 WHERE product_id = ?", ConsistencyLevel.QUORUM, product_id)
    except Unavailable:
        return "refused"
    except WriteTimeout:
        return "unknown"
    return "stored"

def save_visit(session, user_id, product_id):
    for _ in range(3):
        try:
            _do(session, "UPDATE visits SET product_id = ? WHERE user_id = ?", ConsistencyLevel.ONE, product_id, user_id)
            return
        except WriteTimeout:
            pass

def last_visit(session, user_id):
    row = _do(session, "SELECT product_id FROM visits WHERE user_id = ?", ConsistencyLevel.ONE, user_id).one()
    return row[0] if row else None
