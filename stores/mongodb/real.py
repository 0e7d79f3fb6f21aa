"""A real MongoDB (mongod, a replica set, Atlas), in databases that the course makes and drops.

`MONGODB_URI` is a connection string as drivers take it, mongodb:// or mongodb+srv://. The course's own questions go through
PyMongo, what learners send through the front: over connections of their own, on which the front has logged in.
"""

import secrets
import ssl
import threading
import time
from contextlib import suppress

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from stores.base import Clock, NotOnRealServer, unreachable, within
from stores.mongodb import VARIABLE
from stores.mongodb.ledger import Ledger
from stores.mongodb.node import Topology
from stores.mongodb.protocol.relay import RelaySession
from stores.mongodb.protocol.scram import CERTIFICATE, MECHANISMS
from stores.mongodb.server import MongoServer
from stores.wire import Front

CONNECT = 1.9  # seconds for name look-up, connection and log-in together
SELECT = 1.4  # seconds for the driver to find a server, which then says why it did not
HEARTBEAT = 15.0  # seconds
PORT = 27017


class RealMongoDB(MongoServer):
    """A front of a real server: drivers see a single one."""

    kind = "real"

    def __init__(self, address):
        """Raises Unreachable."""
        self._admin = None
        try:
            within(CONNECT, lambda: self._connect(address))
            self.ledger = Ledger(self._admin, secrets.token_hex(8))
            self.ledger.open()
        except Exception as error:  # the driver has many; all of them mean that this server is not to be had
            if self._admin is not None:
                self._admin.close()
            raise unreachable(address, str(error).split(", Timeout:")[0].rstrip("."), VARIABLE) from None
        self.topology = Topology()
        front = Front(lambda front: RelaySession(front, self))
        host, port = self.upstream_address()
        super().__init__(front, f"MongoDB {self._version} at {host}:{port}", RealClock())
        front.start()
        self._ended = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name="stores-mongodb-heartbeat").start()

    def upstream_address(self):
        """Return (host, port) of the server that takes writes: the primary, or one of several mongos."""
        return self._admin.primary or next(iter(sorted(self._admin.nodes)))

    def clean(self):
        self.ledger.drop_all()

    def stop(self):
        if not self.running:
            return
        super().stop()
        self._ended.set()
        with suppress(PyMongoError):  # what cannot be given back now, the next start finds
            self.ledger.close()
        self._admin.close()

    def _connect(self, address):
        parsed = parse_uri(address, default_port=PORT)
        options = {name.lower(): value for name, value in parsed["options"].items()}
        self.login = login_of(parsed, options)
        self.tls = tls_of(options)
        self._admin = MongoClient(address, serverSelectionTimeoutMS=int(SELECT * 1000), appname="nosql-course")
        self._version = self._admin.server_info()["version"]
        self._admin.admin.command("ping")  # on a connection that has logged in

    def _beat(self):
        while not self._ended.wait(HEARTBEAT):
            with suppress(PyMongoError):  # a server that is down is for the learner's own client to find
                self.ledger.beat()


class RealClock(Clock):
    """The time of day: a real server's time cannot be moved."""

    def now(self):
        return time.time()

    def advance(self, seconds):
        raise NotOnRealServer(f"a real server's time cannot be moved. Unset {VARIABLE} to run this part")

    def frozen(self):
        raise NotOnRealServer(f"a real server's time cannot be held still. Unset {VARIABLE} to run this part")


def login_of(parsed, options):
    """Return (user, password, database that knows the user, mechanism or None) of a parsed address, or None."""
    mechanism = options.get("authmechanism")
    if mechanism == CERTIFICATE:
        return parsed["username"] or "", "", "$external", mechanism
    if parsed["username"] is None:
        return None
    if mechanism not in (None, *MECHANISMS):
        raise ValueError(f"the course logs in with {', '.join((*MECHANISMS, CERTIFICATE))}: {mechanism} is none of them")
    return parsed["username"], parsed["password"] or "", options.get("authsource") or parsed["database"] or "admin", mechanism


def tls_of(options):
    """Return the TLS settings of an address for the front's own connections, or None without TLS."""
    if not (options.get("tls") or options.get("ssl")):
        return None
    context = ssl.create_default_context(cafile=options.get("tlscafile"))
    if options.get("tlscertificatekeyfile"):
        context.load_cert_chain(options["tlscertificatekeyfile"], password=options.get("tlscertificatekeyfilepassword"))
    if options.get("tlsinsecure") or options.get("tlsallowinvalidhostnames") or options.get("tlsallowinvalidcertificates"):
        context.check_hostname = False
    if options.get("tlsinsecure") or options.get("tlsallowinvalidcertificates"):
        context.verify_mode = ssl.CERT_NONE
    return context
