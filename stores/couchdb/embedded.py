"""The embedded CouchDB: the databases live in this process, behind a front that speaks HTTP as CouchDB does."""

from stores.base import Clock
from stores.couchdb.front import CouchServer, HttpSession
from stores.couchdb.service import VERSION, Connection, Engine
from stores.wire import Front


class EmbeddedCouchDB(CouchServer):
    """A CouchDB in this process, without passwords: `requests.get(server.url)`."""

    def __init__(self):
        clock = Clock()
        self._engine = Engine(clock)
        front = Front(lambda front: HttpSession(front, Connection(self._engine)))
        super().__init__(front, f"stand-in for CouchDB {VERSION}", clock)
        front.start()
        self._engine.address = self.url

    def clean(self):
        self.front.run(self._clean())

    async def _clean(self):
        self._engine.clear()
