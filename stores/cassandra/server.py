"""What the embedded and the real Cassandra have in common."""

from stores.base import Server
from stores.cassandra.record import CqlLog

KEYSPACE = "course"


class CassandraServer(Server):
    """What the embedded and the real server have in common."""

    name = "cassandra"
    log = CqlLog
    keyspace = KEYSPACE  # ready to use, the course's own

    @property
    def contact_points(self):
        """The addresses to give to cassandra.cluster.Cluster, together with `port`."""
        return sorted({host for host, _ in self.front.addresses})
