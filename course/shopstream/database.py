"""The shop's own database: the slow, correct place that a cache stands in front of."""

import sqlite3
import threading
import time

from .event import to_millis

_COLUMNS = {
    "users": ("user_id", "name", "email", "city", "joined"),
    "products": ("product_id", "name", "category", "price_cents", "stock"),
    "orders": ("order_id", "user_id", "product_id", "quantity", "amount_cents", "ordered_ms"),
}


class Database:
    """Users, products and orders in SQLite, in memory. Threads may share it; it counts what it is asked.

    queries   how many times something was read; set it to 0 before a measurement
    updates   how many times something was changed
    latency   seconds that every read waits, to stand for a database under load
    """

    def __init__(self, users, products, purchases, latency: float = 0.0):
        self.queries = 0
        self.updates = 0
        self.latency = latency
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._fill(users, products, purchases)

    def load_profile(self, user_id: str) -> dict | None:
        """One query for a user: `user_id, name, email, city, joined` (all text) and the number of `orders`.
        None if there is no such user."""
        return self._one(
            "SELECT *, (SELECT count(*) FROM orders WHERE orders.user_id = users.user_id) AS orders FROM users WHERE user_id = ?",
            user_id,
        )

    def load_product(self, product_id: str) -> dict | None:
        """One query for a product: `product_id, name, category, price_cents, stock`.
        None if there is no such product."""
        return self._one("SELECT * FROM products WHERE product_id = ?", product_id)

    def query(self, sql: str, *values) -> list[dict]:
        """The rows of any SELECT, as dicts, with a `?` for each value:

        database.query("SELECT name FROM users WHERE city = ?", "Porto")
        """
        if self.latency:
            time.sleep(self.latency)  # outside the lock: slow readers wait side by side, not in a queue
        with self._lock:
            self.queries += 1
            return [dict(row) for row in self._connection.execute(sql, values)]

    def update_profile(self, user_id: str, /, **changes) -> None:
        """Change columns of a user: `update_profile("u17", city="Lima")`.
        Raises KeyError for an unknown user, ValueError for an unknown column."""
        self._update("users", "user_id", user_id, changes)

    def update_product(self, product_id: str, /, **changes) -> None:
        """Change columns of a product: `update_product("p7", price_cents=900)`.
        Raises KeyError for an unknown product, ValueError for an unknown column."""
        self._update("products", "product_id", product_id, changes)

    def close(self) -> None:
        self._connection.close()

    def __repr__(self) -> str:
        return f"<the shop's database: {self.queries} queries, {self.updates} updates>"

    def _one(self, sql: str, value: str) -> dict | None:
        rows = self.query(sql, value)
        return rows[0] if rows else None

    def _update(self, table: str, key: str, value: str, changes: dict) -> None:
        changeable = _COLUMNS[table][1:]  # all but the key
        if not changes or changes.keys() - set(changeable):
            raise ValueError(f"cannot change {', '.join(changes) or 'nothing'}; {table} have {', '.join(changeable)}")
        assignments = ", ".join(f"{column} = ?" for column in changes)
        with self._lock, self._connection:
            cursor = self._connection.execute(f"UPDATE {table} SET {assignments} WHERE {key} = ?", (*changes.values(), value))
            if not cursor.rowcount:
                raise KeyError(f"there is no {value!r} among the {table}")
            self.updates += 1

    def _fill(self, users, products, purchases) -> None:
        tables = {
            "users": [(u.user_id, u.name, u.email, u.city, u.joined.isoformat()) for u in users],
            "products": [(p.product_id, p.name, p.category, p.price_cents, p.stock) for p in products],
            "orders": [
                (str(e.event_id), e.user_id, e.product_id, e.quantity, e.amount_cents, to_millis(e.timestamp)) for e in purchases
            ],
        }
        with self._connection:
            for table, rows in tables.items():
                key, *others = _COLUMNS[table]
                self._connection.execute(f"CREATE TABLE {table} ({key} TEXT PRIMARY KEY, {', '.join(others)})")
                marks = ", ".join("?" * (1 + len(others)))
                self._connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            self._connection.execute("CREATE INDEX orders_by_user ON orders (user_id, ordered_ms)")
