"""Redis: fakeredis behind a real port, or the server that REDIS_URL names."""

VARIABLE = "REDIS_URL"


def start_embedded():
    """Return a new embedded server."""
    from stores.redis.embedded import EmbeddedRedis

    return EmbeddedRedis()


def start_real(address):
    """Return a server in front of the real one at `address`, in a database of the course's own."""
    from stores.redis.real import RealRedis

    return RealRedis(address)
