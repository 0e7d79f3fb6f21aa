# caught by: with two nodes away a cart is refused
def save_cart(session, cart_id, items):
    """Replace the items (text) of a cart. Returns "stored", "refused" or "unknown"."""
    return _outcome(session, "UPDATE carts SET items = %s WHERE cart_id = %s", (items, cart_id), attempts=3)


def load_cart(session, cart_id):
    """The items of a cart, or None. Raises the driver's Unavailable if too few replicas are there."""
    return _value(session, "SELECT items FROM carts WHERE cart_id = %s", cart_id, ConsistencyLevel.ONE)


def count_sale(session, product_id):
    """Count one sale of a product. Returns "stored", "refused" or "unknown"."""
    return _outcome(session, "UPDATE sales SET sold = sold + 1 WHERE product_id = %s", (product_id,), attempts=1)


def save_visit(session, user_id, product_id):
    """Note what a user looked at last."""
    statement = SimpleStatement("UPDATE visits SET product_id = %s WHERE user_id = %s", consistency_level=ConsistencyLevel.ONE)
    for attempts_left in (2, 1, 0):
        try:
            session.execute(statement, (product_id, user_id))
            return
        except WriteTimeout:
            if not attempts_left:
                raise


def last_visit(session, user_id):
    """What a user looked at last, perhaps out of date; None if nothing is known."""
    return _value(session, "SELECT product_id FROM visits WHERE user_id = %s", user_id, ConsistencyLevel.ONE)


def _outcome(session, text, values, attempts):
    """Write at QUORUM, and tell what became of it. Only what may be done twice may have more than one attempt."""
    statement = SimpleStatement(text, consistency_level=ConsistencyLevel.ONE)
    if_unavailable = "refused"
    for _ in range(attempts):
        try:
            session.execute(statement, values)
            return "stored"
        except Unavailable:
            return if_unavailable
        except WriteTimeout:
            if_unavailable = "unknown"     # this attempt may have been written, whatever comes next
    return "unknown"


def _value(session, text, key, level):
    """The only column of the only row, or None."""
    row = session.execute(SimpleStatement(text, consistency_level=level), (key,)).one()
    return row[0] if row else None
