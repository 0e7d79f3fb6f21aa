"""The embedded MongoDB: an engine in the front's own thread, one command at a time, with a clock of its own."""

import mongomock

from stores.base import Clock
from stores.mongodb import commands  # noqa: F401  (registers the commands)
from stores.mongodb.engine import Engine
from stores.mongodb.node import Node
from stores.mongodb.protocol.session import MongoSession
from stores.mongodb.server import MongoServer
from stores.wire import Front


class EmbeddedMongoDB(MongoServer):
    """A MongoDB in this process: a replica set of one, so that it has transactions and change streams."""

    session = MongoSession

    def __init__(self, test_commands=False):
        """`test_commands` adds configureFailPoint, by which driver tests ask for faults."""
        clock = Clock()
        engine = Engine(clock)
        self._node = Node(engine, clock, test_commands)
        front = Front(lambda front: self.session(front, self._node))
        self._node.front = front
        super().__init__(front, f"our own engine on mongomock {mongomock.__version__}'s stores, after MongoDB 8.0", clock)
        front.start()
        engine.host = self._node.address

    def clean(self):
        self.front.run(self._clean())

    async def _clean(self):
        self._node.clear()
