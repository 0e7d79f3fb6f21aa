# caught by: and is not tried again
def _run(session, text, values, level):
    return session.execute(SimpleStatement(text, consistency_level=level), values)

def _attempt(session, text, values, level, times):
    timed_out = refused = False
    for _ in range(times):
        try:
            _run(session, text, values, level)
            return "stored"
        except Unavailable:
            refused = True
            continue
        except WriteTimeout:
            timed_out = True
    return "unknown" if timed_out or not refused else "refused"

def save_cart(session, cart_id, items):
    return _attempt(session, "INSERT INTO carts (cart_id, items) VALUES (%s, %s)", [cart_id, items], ConsistencyLevel.QUORUM, 3)

def load_cart(session, cart_id):
    row = _run(session, "SELECT items FROM carts WHERE cart_id = %s", [cart_id], ConsistencyLevel.QUORUM).one()
    return row and row.items

def count_sale(session, product_id):
    return _attempt(session, "UPDATE sales SET sold = sold + 1 WHERE product_id = %s", [product_id], ConsistencyLevel.QUORUM, 1)

def save_visit(session, user_id, product_id):
    text = "INSERT INTO visits (user_id, product_id) VALUES (%s, %s)"
    for attempt in range(3):
        try:
            _run(session, text, [user_id, product_id], ConsistencyLevel.ONE)
            return
        except WriteTimeout:
            if attempt == 2:
                raise

def last_visit(session, user_id):
    row = _run(session, "SELECT product_id FROM visits WHERE user_id = %s", [user_id], ConsistencyLevel.ONE).one()
    return row.product_id if row else None
