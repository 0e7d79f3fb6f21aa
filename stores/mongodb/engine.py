"""The engine: databases, collections, transactions. Commands know nothing else of the data.

mongomock's stores hold the documents (storage/store.py); indexes and planner decide which of them are looked at;
the language (query, update, stages) says what matches and what comes of it. One lock makes every call atomic.
"""

import threading

from stores.mongodb import catalog
from stores.mongodb.collection import Collection
from stores.mongodb.context import EngineContext
from stores.mongodb.expiry import Expiry
from stores.mongodb.operation import Operation
from stores.mongodb.oplog import Oplog
from stores.mongodb.ordering import date_of
from stores.mongodb.storage.store import ServerStore
from stores.mongodb.transactions import Transactions
from stores.mongodb.views import Views


class Engine:
    """A server's data. `clock` is a stores.base.Clock: TTL, $$NOW and the life of transactions go by it."""

    def __init__(self, clock):
        self.clock = clock
        self.lock = threading.RLock()
        self.oplog = Oplog(clock)
        self.current_op = self.list_sessions = list  # the server around the engine gives better ones
        self.host = ""  # its address
        self._empty()

    def _empty(self):
        self.data = ServerStore()
        self.transactions = Transactions(self.data, self.clock, self.oplog)
        self.catalog = catalog.Catalog(self)
        self.views = Views(self)
        self.expiry = Expiry(self)

    def reset(self):
        """Forget all data; open transactions are aborted."""
        with self.lock:
            self.transactions.clear()
            self.oplog.clear()
            self._empty()

    def now(self):
        """Return the engine's time as naive UTC, in milliseconds."""
        return date_of(self.clock.now() * 1000)

    def sweep(self):
        """Delete what TTL indexes say is over and abort transactions that have lasted too long."""
        with self.lock:
            self.transactions.sweep()
            self.expiry.sweep()

    # --- collections

    def collection(self, database, name):
        """Return the Collection of that name, whether it exists yet or not."""
        return Collection(self, database, name)

    def context(self, database, name, operation):
        """Return what the stages of a pipeline on this collection see."""
        return EngineContext(self, self.collection(database, name), operation)

    def store(self, database, name, operation=None):
        """Return the store that an operation reads: its transaction's, or the common one."""
        transaction = operation and operation.transaction
        if transaction:
            transaction.check()
            return transaction.store(database, name)
        return self.data[database][name]

    def exists(self, database, name):
        """Return whether there is a collection or a view of that name."""
        return self.data.get(database, name) is not None

    def check_name(self, database, name):
        """Raise InvalidNamespace for a name that no collection may have."""
        catalog.check_name(database, name)

    def database_names(self):
        """Return the names of the databases that have a collection."""
        return sorted(self.data.list_created_database_names())

    def list_collections(self, database):
        """Return the collections of a database as listCollections shows them."""
        return self.catalog.listing(database)

    def create_collection(self, database, name, options, operation=None):
        """Create a collection or a view; `options` as in the create command."""
        with self.lock:
            self.catalog.create(database, name, options, (operation or Operation()).transaction)

    def drop_collection(self, database, name):
        """Drop a collection or a view."""
        with self.lock:
            self.catalog.drop(database, name)

    def drop_database(self, database):
        """Drop every collection of a database."""
        with self.lock:
            self.catalog.drop_database(database)

    def rename(self, database, name, to_database, to_name, drop_target=False):
        """Rename a collection. Raises 26, 48."""
        with self.lock:
            self.catalog.rename(database, name, to_database, to_name, drop_target)

    def coll_mod(self, database, name, options):
        """Change a collection's options; return what collMod answers of old and new values."""
        with self.lock:
            return self.catalog.modify(database, name, options)

    def convert_to_capped(self, database, name, size):
        """Make a collection capped, of `size` bytes. Raises 26, 166."""
        with self.lock:
            self.catalog.convert_to_capped(database, name, size)

    # --- transactions

    def begin(self, session=None):
        """Return a new Transaction on the data as it is now; `session` is (lsid, txnNumber), or None for a mere snapshot."""
        with self.lock:
            return self.transactions.begin(session)

    def commit(self, transaction):
        """Make a transaction's writes visible. Raises NoSuchTransaction (251) if it is over."""
        with self.lock:
            self.transactions.commit(transaction)

    def abort(self, transaction):
        """Forget a transaction's writes."""
        with self.lock:
            self.transactions.abort(transaction)

    @property
    def transaction_lifetime(self):
        """Seconds after which an open transaction is aborted."""
        return self.transactions.lifetime

    @transaction_lifetime.setter
    def transaction_lifetime(self, seconds):
        self.transactions.lifetime = seconds
