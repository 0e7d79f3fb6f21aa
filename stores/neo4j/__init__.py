"""Neo4j: ArcadeDB's openCypher engine behind a Bolt front, or the server that NEO4J_URI names."""

VARIABLE = "NEO4J_URI"


def start_embedded():
    """Return a new embedded server."""
    from stores.neo4j.embedded import EmbeddedNeo4j

    return EmbeddedNeo4j()


def start_real(address):
    """Return a server in front of the real one at `address`, in a database that the course marked as its own."""
    from stores.neo4j.real import RealNeo4j

    return RealNeo4j(address)
