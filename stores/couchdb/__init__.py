"""CouchDB: databases in this process behind its HTTP interface, or the server that COUCHDB_URL names."""

VARIABLE = "COUCHDB_URL"


def start_embedded():
    """Return a new embedded server."""
    from stores.couchdb.embedded import EmbeddedCouchDB

    return EmbeddedCouchDB()


def start_real(address):
    """Return a server in front of the real one at `address`, with databases of the course's own."""
    from stores.couchdb.real import RealCouchDB

    return RealCouchDB(address)
