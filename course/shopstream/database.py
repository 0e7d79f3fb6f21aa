"""The shop's own database: the slow, correct place that a cache stands in front of."""

import sqlite3
import threading
import time


class Database:
    """Users, products and orders in SQLite, in memory. It counts what it is asked, and may be shared by threads.

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
        """The user's `user_id, name, email, city, joined` (text) and number of `orders`; None if there is no such user.
        One query."""
        return self._one(
            "SELECT *, (SELECT count(*) FROM orders WHERE orders.user_id = users.user_id) AS orders"
            " FROM users WHERE user_id = ?",
            user_id,
        )

    def load_product(self, product_id: str) -> dict | None:
        """The product's `product_id, name, category, price_cents, stock`; None if there is no such product. One query."""
        return self._one("SELECT * FROM products WHERE product_id = ?", product_id)

    def query(self, sql: str, *values) -> list[dict]:
        """The rows of any SELECT, with `?` for each value: `query("SELECT name FROM users WHERE city = ?", "Porto")`."""
        if self.latency:
            time.sleep(self.latency)  # outside the lock: slow readers do not queue up behind each other
        with self._lock:
            self.queries += 1
            return [dict(row) for row in self._connection.execute(sql, values)]

    def update_profile(self, user_id: str, **changes) -> None:
        """Change columns of a user, `update_profile("u17", city="Lima")`. Raises KeyError for an unknown user."""
        self._update("users", "user_id", user_id, changes)

    def update_product(self, product_id: str, **changes) -> None:
        """Change columns of a product, `update_product("p7", price_cents=900)`. Raises KeyError for an unknown product."""
        self._update("products", "product_id", product_id, changes)

    def close(self) -> None:
        self._connection.close()

    def __repr__(self) -> str:
        return f"<the shop's database: {self.queries} queries, {self.updates} updates>"

    def _one(self, sql: str, value: str) -> dict | None:
        rows = self.query(sql, value)
        return rows[0] if rows else None

    def _update(self, table: str, key: str, value: str, changes: dict) -> None:
        columns = [row["name"] for row in self._connection.execute(f"PRAGMA table_info({table})")]
        if not changes or (unknown := changes.keys() - set(columns[1:])):
            wrong = ", ".join(sorted(unknown)) if changes else "nothing"
            raise ValueError(f"cannot change {wrong}; {table} have {', '.join(columns[1:])}")
        assignments = ", ".join(f"{column} = ?" for column in changes)
        with self._lock, self._connection:
            cursor = self._connection.execute(
                f"UPDATE {table} SET {assignments} WHERE {key} = ?", (*changes.values(), value)
            )
            if not cursor.rowcount:
                raise KeyError(f"{table} has no {key} {value!r}")
            self.updates += 1

    def _fill(self, users, products, purchases) -> None:
        with self._connection:
            self._connection.executescript("""
                CREATE TABLE users (user_id TEXT PRIMARY KEY, name TEXT, email TEXT, city TEXT, joined TEXT);
                CREATE TABLE products (
                    product_id TEXT PRIMARY KEY, name TEXT, category TEXT, price_cents INTEGER, stock INTEGER);
                CREATE TABLE orders (
                    order_id TEXT PRIMARY KEY, user_id TEXT REFERENCES users, product_id TEXT REFERENCES products,
                    quantity INTEGER, amount_cents INTEGER, ordered_ms INTEGER);
                CREATE INDEX orders_by_user ON orders (user_id, ordered_ms);
            """)
            self._connection.executemany(
                "INSERT INTO users VALUES (?, ?, ?, ?, ?)",
                [(u.user_id, u.name, u.email, u.city, u.joined.isoformat()) for u in users],
            )
            self._connection.executemany(
                "INSERT INTO products VALUES (?, ?, ?, ?, ?)",
                [(p.product_id, p.name, p.category, p.price_cents, p.stock) for p in products],
            )
            self._connection.executemany(
                "INSERT INTO orders VALUES (:event_id, :user_id, :product_id, :quantity, :amount_cents, :timestamp)",
                [
                    event.for_redis() for event in purchases
                ],  # the flat text form; SQLite turns the numbers back
            )
