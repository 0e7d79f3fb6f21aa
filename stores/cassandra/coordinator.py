"""The coordinator: sends writes and reads to the replicas, and waits for as many answers as the consistency level asks.

The methods are those of store.SingleNode. What is unlike a real cluster: answers take no time, so a timeout is raised at
once (the session lets the client wait), and a read asks other replicas in place of those that are silent, as Cassandra's
speculative retry does.
"""

from dataclasses import replace
from heapq import merge
from itertools import groupby

from stores.cassandra.errors import InvalidRequest, ReadTimeout, TruncateException, Unavailable, WriteTimeout
from stores.cassandra.results import Consistency
from stores.cassandra.ring import replication_factor
from stores.cassandra.storage import Mutation, Partition
from stores.cassandra.store import ReadCommand

HINT_WINDOW = 3 * 3600  # seconds that a node may be away before hints for it are given up: max_hint_window
SERIAL_LEVELS = (Consistency.SERIAL, Consistency.LOCAL_SERIAL)
FIXED = {
    Consistency.ANY: 1,
    Consistency.ONE: 1,
    Consistency.LOCAL_ONE: 1,
    Consistency.TWO: 2,
    Consistency.THREE: 3,
}


def required(consistency, copies):
    """Return how many of `copies` replicas have to answer. With one data centre, LOCAL_ and EACH_ change nothing."""
    if consistency in FIXED:
        return FIXED[consistency]
    return copies if consistency == Consistency.ALL else copies // 2 + 1


class Coordinator:
    """One node in its part as the coordinator of what its clients ask. `schema` knows the keyspaces' replication."""

    def __init__(self, node, ring, schema):
        self.node = node
        self.ring = ring
        self.schema = schema

    # Writing.

    def write(self, mutations, consistency, kind="SIMPLE"):
        """Apply mutations. Raises Unavailable before anything is written, WriteTimeout after."""
        consistency = Consistency(consistency)
        if kind == "COUNTER" and consistency == Consistency.ANY:
            raise InvalidRequest(f"Consistency level ANY is not yet supported for counter table {mutations[0].table.name}")
        if consistency in SERIAL_LEVELS and kind not in ("BATCH", "UNLOGGED_BATCH"):  # Cassandra does not ask it of batches
            raise InvalidRequest(_serial_write(kind, consistency))
        plans = [(mutation, *self._plan_write(mutation, consistency)) for mutation in mutations]
        if kind == "BATCH":
            self._log_batch(consistency)
        for mutation, replicas, needed in plans:
            self._write_one(mutation, replicas, needed, consistency, kind)

    def _plan_write(self, mutation, consistency):
        replicas, copies = self._replicas(mutation.table, mutation.update.token)
        needed = required(consistency, copies)
        alive = sum(map(self.node.believes_up, replicas))
        if alive < needed and consistency != Consistency.ANY:  # for ANY a hint is enough
            raise Unavailable(consistency, needed, alive)
        return replicas, needed

    def _write_one(self, mutation, replicas, needed, consistency, kind):
        sender = self.node
        if kind == "COUNTER":
            sender = self._leader(replicas)
            if not self.node.hears(sender):
                raise WriteTimeout(consistency, 0, needed, kind)
            mutation = sender.store.count(mutation)
        received = 0
        for replica in replicas:
            if sender.hears(replica):
                replica.store.apply(mutation)
                received += 1
            elif self._hint(sender, replica, mutation) and consistency == Consistency.ANY:
                received += 1
        if received < needed:
            raise WriteTimeout(consistency, received, needed, kind)

    def _leader(self, replicas):
        """Return the replica that counts: this node if it is one."""
        return self.node if self.node in replicas else next(filter(self.node.believes_up, replicas))

    def _hint(self, sender, replica, mutation):
        """Keep a mutation for a node that is away, and return whether that was done."""
        away = 0 if replica.down_since is None else self.ring.clock.now() - replica.down_since
        if not self.ring.hinted_handoff or away > HINT_WINDOW:
            return False
        sender.hints.append((replica, mutation))
        return True

    def _log_batch(self, consistency):
        """A logged batch is first written to the logs of two other nodes, or of as many as there are."""
        others = [node for node in self.ring.nodes if node is not self.node]
        chosen = list(filter(self.node.believes_up, others))[:2]
        if not others or (not chosen and consistency == Consistency.ANY):
            return
        if not chosen:
            raise Unavailable(Consistency.ONE, 1, 0)
        received = sum(map(self.node.hears, chosen))
        if received < len(chosen):
            level = Consistency.TWO if len(chosen) == 2 else Consistency.ONE
            raise WriteTimeout(level, received, len(chosen), "BATCH_LOG")

    # Reading.

    def read(self, table, command, consistency):
        """Yield the partitions that the command names, in its order, merged over the replicas asked.

        Where replicas differ, those asked get what they lack: read repair. Raises Unavailable, ReadTimeout.
        """
        consistency = Consistency(consistency)
        if consistency == Consistency.ANY:
            raise InvalidRequest("ANY ConsistencyLevel is only supported for writes")
        if consistency in SERIAL_LEVELS and len(command.keys or ()) > 1:
            raise InvalidRequest("SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time")
        return self._read(table, command, consistency)

    def _read(self, table, command, consistency):
        if command.keys is None:
            for start, end, token in self.ring.ranges(command.start, command.end):
                yield from self._merged(table, replace(command, start=start, end=end), self._asked(table, token, consistency))
        else:
            for token, key in command.keys:
                one = command if len(command.keys) == 1 else replace(command, keys=((token, key),))
                yield from self._merged(table, one, self._asked(table, token, consistency))

    def _asked(self, table, token, consistency):
        """Return the replicas that will answer, as many as needed."""
        replicas, copies = self._replicas(table, token)
        needed = required(consistency, copies)
        alive = list(filter(self.node.believes_up, replicas))
        if len(alive) < needed:
            raise Unavailable(consistency, needed, len(alive))
        answering = list(filter(self.node.hears, alive))
        if len(answering) < needed:
            # The first replica is asked for the data, the others for a digest of it.
            raise ReadTimeout(consistency, len(answering), needed, data_present=alive[0] in answering)
        return answering[:needed]

    def _merged(self, table, command, replicas):
        if len(replicas) == 1:
            yield from replicas[0].store.read(table, command)
            return
        streams = [_parts(replica, table, command) for replica in replicas]
        by_key = groupby(merge(*streams, key=lambda found: found[0]), key=lambda found: found[0])
        for (token, key), found in by_key:
            parts = {replica: part for _, replica, part in found}
            merged = Partition(key, token)
            for part in parts.values():
                merged.merge(part)
            if table.options["read_repair"] == "BLOCKING":
                self._repair(table, merged, [replica for replica in replicas if parts.get(replica) != merged])
            yield merged

    def _repair(self, table, merged, replicas):
        for replica in replicas:
            replica.store.apply(Mutation(table, merged))

    # Lightweight transactions.

    def compare_and_set(self, table, key, decide, serial_consistency, consistency):
        """Read the partition of (token, key), call decide(partition or None) and apply the mutations it returns.

        A majority of the replicas must take part, whatever the consistency level of the write.
        """
        serial_consistency, consistency = Consistency(serial_consistency), Consistency(consistency)
        if consistency in SERIAL_LEVELS:
            raise InvalidRequest(_serial_write("CAS", consistency))
        replicas, copies = self._replicas(table, key[0])
        needed = required(serial_consistency, copies)
        alive = list(filter(self.node.believes_up, replicas))
        if len(alive) < needed:
            raise Unavailable(serial_consistency, needed, len(alive))
        answering = list(filter(self.node.hears, alive))
        if len(answering) < needed:
            raise WriteTimeout(serial_consistency, len(answering), needed, "CAS")
        found = next(self._merged(table, ReadCommand(keys=(key,)), answering), None)
        mutations = decide(found)
        if mutations:
            self.write(mutations, consistency, "CAS")

    # Every node.

    def truncate(self, table):
        """Forget a table's data. Every node has to be there."""
        alive = sum(map(self.node.believes_up, self.ring.nodes))
        if alive < len(self.ring.nodes):
            raise Unavailable(Consistency.ALL, len(self.ring.nodes), alive)
        answering = sum(map(self.node.hears, self.ring.nodes))
        if answering < len(self.ring.nodes):
            raise TruncateException(f"Truncate timed out - received only {answering} responses")
        self.drop(table)

    def drop(self, table):
        """Forget a table that no longer exists."""
        for node in self.ring.nodes:
            node.store.truncate(table)
            node.hints = [(target, mutation) for target, mutation in node.hints if mutation.table.id != table.id]

    def drop_column(self, table, name):
        for node in self.ring.nodes:
            node.store.drop_column(table, name)

    def _replicas(self, table, token):
        """Return the nodes that keep `token`, this one first if it does, and how many there should be."""
        replication = self.schema.keyspace(table.keyspace).replication
        replicas = self.ring.replicas(replication, token)
        if self.node in replicas:
            replicas.remove(self.node)
            replicas.insert(0, self.node)
        return replicas, replication_factor(replication)


def _parts(replica, table, command):
    """Yield ((token, key), replica, the part asked for) of each partition that the replica has."""
    for partition in replica.store.read(table, command):
        yield (partition.token, partition.key), replica, partition.part(command.slices)


def _serial_write(kind, consistency):
    if kind == "COUNTER":
        return "Counter operations are inherently non-serializable"
    if kind == "CAS":
        return (
            f"{consistency.name} is not supported as conditional update commit consistency. Use ANY if you mean "
            '"make sure it is accepted but I don\'t care how many replicas commit it for non-SERIAL reads"'
        )
    return "You must use conditional updates for serializable writes"
