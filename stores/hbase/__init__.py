"""HBase: tables in this process behind its Thrift 1 interface, or the Thrift server that HBASE_URL names."""

VARIABLE = "HBASE_URL"


def start_embedded():
    """Return a new embedded server."""
    from stores.hbase.embedded import EmbeddedHBase

    return EmbeddedHBase()


def start_real(address):
    """Return a server in front of the real one at `address`, with table names of the course's own."""
    from stores.hbase.real import RealHBase

    return RealHBase(address)
