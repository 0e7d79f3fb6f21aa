"""MongoDB: our own engine on mongomock's stores, behind a real port, or the server that MONGODB_URI names."""

VARIABLE = "MONGODB_URI"


def start_embedded():
    """Return a new embedded server."""
    from stores.mongodb.embedded import EmbeddedMongoDB

    return EmbeddedMongoDB()


def start_real(address):
    """Return a server in front of the real one at `address`, in databases of the course's own."""
    from stores.mongodb.real import RealMongoDB

    return RealMongoDB(address)
