"""What the embedded and the real MongoDB have in common."""

from stores.base import Server
from stores.mongodb.record import MongoLog


class MongoServer(Server):
    """A MongoDB: give `server.url`, or `server.host` and `server.port`, to MongoClient."""

    name = "mongodb"
    log = MongoLog
