"""One command on its way through the server."""

import asyncio
import re

from stores.mongodb import expressions
from stores.mongodb.commands.registry import wrong_type
from stores.mongodb.errors import MongoError, bad_value
from stores.mongodb.operation import Blocked, Operation
from stores.mongodb.ordering import MISSING, date_of, type_name

BLOCKED = 3.0  # seconds that a write waits for a transaction which has written the same document
TRY_AGAIN = 0.01  # seconds
BAD_DATABASE = re.compile(r'[/\\. "$\0]')


class Call:
    """A command with its fields, the session and the transaction that it belongs to.

    `node` is the server, `connection` the client's connection, `operation` what the engine is given with each step.
    """

    def __init__(self, node, connection, request, spec):
        self.node = node
        self.engine = node.engine
        self.connection = connection
        self.request = request
        self.spec = spec
        self.body = request.body | request.sequences
        self.name = spec.name
        self.database = request.body["$db"]
        self.session = None  # LogicalSession
        self.number = None  # transaction number of a retryable write or a transaction
        self.transaction = None  # the engine's
        self.returned = None  # documents, for the record
        self.operation = Operation(now=date_of(node.clock.now() * 1000))
        self.cursor = None  # where the cost is counted by a cursor instead
        self.fail = None  # what a fail point does to it
        self.reply_lost = False
        self.labels = None  # of its error, where they are given
        self.snapshot = None  # cluster time of a snapshot read

    def get(self, field, default=None):
        """Return a field of the command; null counts as absent."""
        value = self.body.get(field)
        return default if value is None else value

    def count(self, field, default=None, least=0):
        """Return a field that is a whole number of at least `least`."""
        value = self.get(field)
        if value is None:
            return default
        number = whole(value, f"{self.name}.{field}")
        if number < least:
            raise MongoError(51024, f"BSON field '{field}' value must be >= {least}, actual value '{number}'")
        return number

    def flag(self, field, default=False):
        """Return a field that is true or false."""
        return bool(self.get(field, default))

    @property
    def collection_name(self):
        """The collection that the command names."""
        first = next(iter(self.body.values()))
        if not isinstance(first, str):
            raise MongoError("InvalidNamespace", f"collection name has invalid type {type_name(first)}")
        check_namespace(self.database, first)
        return first

    @property
    def namespace(self):
        return f"{self.database}.{self.collection_name}"

    @property
    def collection(self):
        """The engine's collection that the command names."""
        return self.engine.collection(self.database, self.collection_name)

    @property
    def let(self):
        """The command's variables with their values: its field `let` holds expressions without fields."""
        return values_of(self.get("let"), self.operation.now)

    async def write(self, step):
        """Return step(), waiting where an open transaction has written the same document."""
        limit = self.operation.time_limit
        seconds = min(BLOCKED, limit.seconds if limit else BLOCKED)
        for _ in range(round(seconds / TRY_AGAIN)):
            try:
                return step()
            except Blocked:
                await asyncio.sleep(TRY_AGAIN)
        if limit:
            raise MongoError("MaxTimeMSExpired", "operation exceeded time limit")
        return step()


def values_of(let, now):
    """Return {name: value} of {name: expression}, or None without any; an expression may use the variables before it."""
    if let is None:
        return None
    values = {}
    for name, expression in let.items():
        compute = expressions.parse(expression, names=tuple(values))
        value = compute({}, {"NOW": now, **values})
        if value is not MISSING:
            values[name] = value
    return values


def whole(value, field):
    """Return a number that has no fraction as an int."""
    if isinstance(value, bool) or type_name(value) not in ("int", "long", "double", "decimal"):
        raise wrong_type(field, type_name(value), ("long", "int", "decimal", "double"))
    number = value.to_decimal() if type_name(value) == "decimal" else value
    if number != number or int(number) != number:
        raise bad_value(f"Expected an integer: {field}: {value}")
    return int(number)


def check_namespace(database, name):
    """Raise InvalidNamespace where there can be no collection of this name."""
    if not database or len(database.encode()) > 63 or (BAD_DATABASE.search(database) and database != "$external"):
        raise MongoError("InvalidNamespace", f"Invalid database name: '{database}'")
    if not name or "\0" in name or name.startswith(".") or name.endswith("."):
        raise MongoError("InvalidNamespace", f"Invalid namespace specified '{database}.{name}'")
    if len(f"{database}.{name}".encode()) > 255:
        raise MongoError("InvalidNamespace", f"Fully qualified namespace is too long. Namespace: {database}.{name} Max: 255")
