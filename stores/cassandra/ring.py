"""The ring: nodes, the tokens they own, and which of them keep a copy of what.

Placement is computed as Cassandra and its drivers do: a partition's first replica is the node that owns the first token
at or after the partition's, the next ones follow clockwise.
"""

import uuid
from bisect import bisect_left

from stores.cassandra.murmur3 import MIN_TOKEN
from stores.cassandra.store import Store

DATACENTER, RACK = "datacenter1", "rack1"


class Node:
    """One node: its address, tokens and data, and whether it works.

    `running` is False after stop(). `island` numbers the part of the network that it is in: nodes of different parts do not
    hear each other. `noticed` is False while the other nodes still believe that all is well with it.
    """

    def __init__(self, ring, number, tokens, clock):
        self.ring = ring
        self.number = number
        self.host = ""  # known when the front listens
        self.port = 0
        self.tokens = tokens
        self.id = uuid.uuid3(uuid.NAMESPACE_OID, f"node {number}")  # the same in every run
        self.store = Store(clock, name=self.id.bytes)
        self.engine = None
        self.shown = {}  # id of a prepared statement: id of the columns that its clients know
        self.hints = []  # (node, mutation): what this node keeps for others
        self.down_since = None  # seconds
        self.running = True
        self.island = 0
        self.noticed = True

    @property
    def address(self):
        """Return host:port."""
        return f"{self.host}:{self.port}"

    def stop(self, noticed=True):
        """End the node: it refuses clients, misses writes and keeps its data. As a `with` block, restore() follows.

        The others know at once. With noticed=False they do not know yet, and wait for it until their timeout.
        """
        return self._leave(running=False, island=self.island, noticed=noticed)

    def cut_off(self, noticed=True):
        """Cut the network between this node and the others: clients still reach it, the other nodes do not.

        As a `with` block, restore() follows. For noticed=False see stop().
        """
        return self._leave(running=self.running, island=self.number + 1, noticed=noticed)

    def restore(self):
        """Bring the node back. The others deliver the hints that they kept for it."""
        self.ring.change(self, running=True, island=0, noticed=True)

    def _leave(self, **state):
        self.ring.change(self, **state)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.restore()

    def hears(self, other):
        """Return whether a message from `other` arrives and is answered."""
        return self is other or (self.running and other.running and self.island == other.island)

    def believes_up(self, other):
        """Return whether this node thinks that `other` would answer."""
        return self.hears(other) or not (self.noticed and other.noticed)

    @property
    def state(self):
        if not self.running:
            return "stopped"
        return "cut off" if self.island else "up"

    def __repr__(self):
        return f"<Cassandra node {self.address}: {self.state}>"


class Ring:
    """The nodes in the order of their tokens. `changed` is called with (node, function that changes it)."""

    def __init__(self, count, clock):
        self.clock = clock
        self.hinted_handoff = True
        self.nodes = [Node(self, number, (token,), clock) for number, token in enumerate(evenly_spaced(count))]
        owners = sorted((token, node.number) for node in self.nodes for token in node.tokens)
        self.tokens = [token for token, _ in owners]
        self._owners = [self.nodes[number] for _, number in owners]
        self.changed = lambda node, change: change()

    def replicas(self, replication, token):
        """Return the nodes that keep the partitions at `token`, the owner first.

        `replication` maps class and options to texts, as in system_schema.keyspaces.
        """
        first = bisect_left(self.tokens, token)
        owners = self._owners[first:] + self._owners[:first]
        return list(dict.fromkeys(owners))[: replication_factor(replication)]

    def ranges(self, start, end):
        """Cut the range of the ring [start, end) where the owners change: yield (start, end, a token inside).

        Both are tuples that begin with a token, or None for the end of the ring.
        """
        for token in self.tokens:
            piece_end = (token + 1,)  # a node owns its token itself
            if start is None or start < piece_end:
                if end is not None and end <= piece_end:
                    yield start, end, token
                    return
                yield start, piece_end, token
                start = piece_end
        yield start, end, self.tokens[0]

    def change(self, node, **state):
        """Change a node's state, in the thread of the server."""

        def apply():
            for name, value in state.items():
                setattr(node, name, value)
            reachable = node.running and not node.island
            node.down_since = None if reachable else node.down_since or self.clock.now()
            self.deliver_hints()

        self.changed(node, apply)

    def deliver_hints(self):
        """Bring every hint to its node where the two hear each other again."""
        for node in self.nodes:
            kept = []
            for hint in node.hints:
                target, mutation = hint
                if node.hears(target):
                    target.store.apply(mutation)
                else:
                    kept.append(hint)
            node.hints = kept


def replication_factor(replication):
    """Return how many nodes keep each partition. A data centre that does not exist keeps none."""
    strategy = replication["class"].rsplit(".", 1)[-1]
    if strategy == "SimpleStrategy":
        return int(replication["replication_factor"].split("/")[0])
    return int(replication.get(DATACENTER, "0").split("/")[0])


def evenly_spaced(count):
    """Return `count` tokens that cut the ring into equal parts, as `initial_token` would be set."""
    return [MIN_TOKEN + i * 2**64 // count for i in range(count)]
