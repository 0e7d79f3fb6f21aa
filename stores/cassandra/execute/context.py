"""What plans run with: how to read and write, the times, and what they note about themselves."""

from stores.cassandra.errors import ReadFailure
from stores.cassandra.execute.view import view_partitions
from stores.cassandra.results import Facts
from stores.cassandra.schema import SYSTEM
from stores.cassandra.storage import EVERYTHING, Mutation, after
from stores.cassandra.store import ReadCommand

TOMBSTONES_WARN, TOMBSTONES_FAIL = 1_000, 100_000
TOO_MANY_TOMBSTONES = 1  # the protocol's reason code


class Context:
    """One execution of one statement or batch.

    `cluster` takes the keyspaces of users; `shared` is the Store of the system tables that all nodes see alike,
    `local` that of this node's own (system.local, system.peers).
    """

    def __init__(self, schema, cluster, local, shared, options):
        self.schema = schema
        self.options = options
        self.facts = Facts()
        self.warnings = []
        self.moment = schema.clock.now() if options.now_seconds is None else float(options.now_seconds)
        self.new_time = schema.timestamp
        self._cluster = cluster
        self._local = local
        self._shared = shared
        self._timestamp = options.timestamp

    @property
    def timestamp(self):
        """The time in µs of writes that name none: the client's, else the server's."""
        if self._timestamp is None:
            self._timestamp = self.schema.timestamp()
        return self._timestamp

    @timestamp.setter
    def timestamp(self, value):
        self._timestamp = value

    def _store(self, table):
        return self._local if table.keyspace == "system" else self._shared

    def read(self, table, command, consistency=None):
        """Yield the partitions that the command names."""
        if table.keyspace in SYSTEM:
            return self._store(table).read(table, command)
        consistency = self.options.consistency if consistency is None else consistency
        if table.view is not None:
            return view_partitions(self, table, command, consistency)
        return self._cluster.read(table, command, consistency)

    def reader(self, table, key, clustering):
        """Return current(static): the row, or the static row, as it is now; None when there is none."""
        found = []

        def current(static):
            if not found:
                position = None if clustering is None else table.position(clustering)
                slices = EVERYTHING if position is None else ((position, after(position)),)
                found.append(next(iter(self.read(table, ReadCommand((key,), slices=slices))), None))
                found.append(position)
            partition, position = found
            if partition is None:
                return None
            return partition.static if static else None if position is None else partition.row_at(position)

        return current

    def write(self, table_deltas, kind):
        """Write (table, delta) pairs."""
        mutations = [Mutation(table, delta) for table, delta in table_deltas]
        self.facts.mutations += len(mutations)
        for mutation in mutations:
            self.facts.partitions.append((mutation.table.name, mutation.update.key, len(mutation.update.rows)))
        system = [mutation for mutation in mutations if mutation.table.keyspace in SYSTEM]
        for mutation in system:
            self._store(mutation.table).apply(mutation)
        if len(system) < len(mutations):
            self._cluster.write([each for each in mutations if each.table.keyspace not in SYSTEM], self.options.consistency, kind)

    def compare_and_set(self, table, key, decide):
        """Run a lightweight transaction: see SingleNode.compare_and_set."""
        self.timestamp = self.schema.timestamp()  # Paxos gives the time, not the client

        def mutations(partition):
            deltas = decide(partition)
            self.facts.mutations += len(deltas)
            return [Mutation(table, delta) for delta in deltas]

        self.facts.partitions.append((table.name, key[1], 1))
        if table.keyspace in SYSTEM:
            store = self._store(table)
            for mutation in mutations(store.partition(table, key[1])):
                store.apply(mutation)
            return
        options = self.options
        self._cluster.compare_and_set(table, key, mutations, options.serial_consistency, options.consistency)

    def check_tombstones(self, statement):
        """Warn of many tombstones, and fail on far too many, as Cassandra protects itself."""
        tombstones = self.facts.tombstones
        if tombstones > TOMBSTONES_FAIL:
            raise ReadFailure(self.options.consistency, 0, 1, {"127.0.0.1": TOO_MANY_TOMBSTONES}, False)
        if tombstones > TOMBSTONES_WARN:
            self.warnings.append(
                f"Read {self.facts.rows} live rows and {tombstones} tombstone cells for query on {statement.table} "
                "(see tombstone_warn_threshold)"
            )
