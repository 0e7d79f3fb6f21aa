"""What the checks of chapter 09 share: a quiet driver, and graphs written as a line of text.

    with connect(server) as driver:
        make(driver, follows="u1>u2 u2>u3", bought="u3>p7")
        ask(driver, "MATCH (u:User) RETURN u.user_id ORDER BY u.user_id")      # → [("u1",), ("u2",), ("u3",)]
"""

import logging
from collections.abc import Iterable

import neo4j


def connect(server) -> neo4j.Driver:
    """An unmodified driver. It tries again after 10 ms instead of a second, and does not write into the notebook."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # without a handler, warnings would go to stderr
    return neo4j.GraphDatabase.driver(
        server.uri, auth=server.auth, initial_retry_delay=0.01, notifications_min_severity="OFF"
    )


def ask(driver: neo4j.Driver, cypher: str, **parameters) -> list[tuple]:
    """The rows of a query, as tuples."""
    return [tuple(record.values()) for record in driver.execute_query(cypher, parameters).records]


def make(driver: neo4j.Driver, follows: str | Iterable[tuple[str, str]] = "", bought: str | Iterable[tuple[str, str]] = "") -> None:
    """Create users, products, and who follows whom and bought what, in an empty database.

    follows, bought     "u1>u2 u2>u3", or pairs of ids
    """
    follows, bought = _pairs(follows), _pairs(bought)
    users = {user for pair in follows for user in pair} | {user for user, _ in bought}
    products = {product for _, product in bought}
    for label, key, ids in (("User", "user_id", users), ("Product", "product_id", products)):
        ask(driver, f"CREATE CONSTRAINT {key} IF NOT EXISTS FOR (n:{label}) REQUIRE n.{key} IS UNIQUE")
        ask(driver, f"UNWIND $ids AS id CREATE (n:{label} {{{key}: id}})", ids=sorted(ids))
    for kind, label, key, pairs in (("FOLLOWS", "User", "user_id", follows), ("BOUGHT", "Product", "product_id", bought)):
        ask(
            driver,
            f"UNWIND $pairs AS pair MATCH (a:User {{user_id: pair[0]}}), (b:{label} {{{key}: pair[1]}}) CREATE (a)-[:{kind}]->(b)",
            pairs=pairs,
        )


def _pairs(written: str | Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    if isinstance(written, str):
        return [tuple(pair.split(">")) for pair in written.split()]
    return list(written)
