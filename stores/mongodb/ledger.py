"""Which databases of a real server are the course's: a database of its own says so, with the kernels that live.

A kernel writes there that it lives every few seconds. What the databases of dead kernels hold, the next start drops. A database
that no entry names is never dropped.
"""

from pymongo.errors import DuplicateKeyError

NAME = "nosql_course_ledger"
MARK = {"_id": "mark", "about": "made by the NoSQL course: which kernel has made which database. See docs/servers.md"}
ALIVE = 90  # seconds


class Ledger:
    """The entries of one kernel, known by its `token`. `client` is a MongoClient on the real server."""

    def __init__(self, client, token):
        self._client = client
        self._ledger = client[NAME]
        self._token = token
        self.owned = set()  # names of databases

    def open(self):
        """Enter this kernel, and drop what dead kernels left. Raises RuntimeError where the ledger is not the course's."""
        names = self._client.list_database_names()
        if NAME in names and self._ledger.about.find_one({"_id": MARK["_id"]}) is None:
            raise RuntimeError(f"it has a database {NAME} that the course did not make")
        self._ledger.about.replace_one({"_id": MARK["_id"]}, MARK, upsert=True)
        self.beat()
        dead = [
            kernel["_id"]
            for kernel in self._ledger.kernels.find({"$expr": {"$lt": ["$seen", {"$subtract": ["$$NOW", ALIVE * 1000]}]}})
        ]
        for entry in self._ledger.databases.find({"kernel": {"$in": dead}}):
            taken = self._ledger.databases.update_one(dict(entry), {"$set": {"kernel": self._token}})
            if taken.modified_count:
                self.owned.add(entry["_id"])
        self._ledger.kernels.delete_many({"_id": {"$in": dead}})
        self.drop_all()

    def beat(self):
        """Say that this kernel lives."""
        self._ledger.kernels.update_one({"_id": self._token}, {"$currentDate": {"seen": True}}, upsert=True)

    def exists(self, database):
        """Return whether the server has a database of this name."""
        return database in self._client.list_database_names()

    def claim(self, database):
        """Make a database that does not exist yet this kernel's. Return whether it is."""
        if database in self.owned:
            return True
        try:
            self._ledger.databases.insert_one({"_id": database, "kernel": self._token})
        except DuplicateKeyError:
            return False
        if self.exists(database):  # made by somebody else meanwhile
            self._ledger.databases.delete_one({"_id": database, "kernel": self._token})
            return False
        self.owned.add(database)
        return True

    def drop_all(self):
        """Drop this kernel's databases."""
        for database in sorted(self.owned):
            self._client.drop_database(database)
            self._ledger.databases.delete_one({"_id": database, "kernel": self._token})
            self.owned.discard(database)

    def close(self):
        """Drop this kernel's databases and its entries."""
        self.drop_all()
        self._ledger.kernels.delete_one({"_id": self._token})
