"""Cassandra: a CQL engine behind the native protocol, one node or a ring, or the server that CASSANDRA_CONTACT_POINTS names."""

VARIABLE = "CASSANDRA_CONTACT_POINTS"


def start_embedded(nodes=1, replication=None, materialized_views=False):
    """Return a new embedded server of `nodes` nodes.

    server.keyspace keeps `replication` copies (as many as there are nodes, up to 3). Materialized views are off, as in Cassandra.
    """
    from stores.cassandra.embedded import EmbeddedCassandra

    return EmbeddedCassandra(nodes, replication, materialized_views)


def start_real(address, nodes=1, replication=None, materialized_views=False):
    """Return a server in front of the real one at `address`, in a keyspace of the course's own.

    How many nodes there are and whether views are on is up to that server; `nodes` says how many copies server.keyspace keeps.
    """
    from stores.cassandra.real import RealCassandra

    return RealCassandra(address, replication or min(nodes, 3))
