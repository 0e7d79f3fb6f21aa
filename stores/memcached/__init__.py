"""Memcached: a stand-in that speaks its text protocol, or the server that MEMCACHED_URL names."""

VARIABLE = "MEMCACHED_URL"


def start_embedded():
    """Return a new stand-in."""
    from stores.memcached.embedded import EmbeddedMemcached

    return EmbeddedMemcached()


def start_real(address):
    """Return a server in front of the real one at `address`, under keys of the course's own."""
    from stores.memcached.real import RealMemcached

    return RealMemcached(address)
