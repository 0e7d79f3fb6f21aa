"""configureFailPoint: faults that a client switches on by a command, as driver tests do.

MongoDB has it where enableTestCommands is set; here with EmbeddedMongoDB(test_commands=True). Lessons use server.faults.
failCommand fails whole commands; onPrimaryTransactionalWrite loses the reply to a retryable write or, with
failBeforeCommitExceptionCode, lets a statement of it fail; failGetMoreAfterCursorCheckout fails a getMore whose cursor was found;
maxTimeAlwaysTimeOut what has a time limit. Sources: the MongoDB wiki's page "The failCommand Fail Point", the driver
specification "Retryable Writes Tests".
"""

import asyncio

from stores.mongodb.commands.call import whole
from stores.mongodb.commands.registry import COMMANDS, command
from stores.mongodb.errors import MongoError

WRITE = "onPrimaryTransactionalWrite"
GET_MORE = "failGetMoreAfterCursorCheckout"
TIME_OUT = "maxTimeAlwaysTimeOut"
NAMES = ("failCommand", WRITE, GET_MORE, TIME_OUT)


class ConnectionGone(Exception):
    """The connection is to be closed without a reply."""


class FailPoint:
    """The fault in force: `data` says what fails how, `times` how often still (None: always), `skip` how many pass before."""

    def __init__(self):
        self.clear()

    def clear(self):
        """Let every command pass."""
        self.times, self.skip, self.data = 0, 0, {}

    def set(self, mode, data):
        """Begin as `mode` says: "alwaysOn", "off", {"times": n} or {"skip": n}."""
        self.clear()
        self.data = data
        match mode:
            case "alwaysOn":
                self.times = None
            case {"times": times}:
                self.times = whole(times, "times")
            case {"skip": skip}:
                self.skip, self.times = whole(skip, "skip"), None

    def _means(self, spec):
        """Whether the fault names this command, in any of its spellings."""
        return any(COMMANDS.get(name) is spec for name in self.data["failCommands"])

    def hits(self, spec=None, client=None):
        """Return what is to happen to this command or statement, or None; it uses up one time."""
        if self.times == 0 or ("failCommands" in self.data and not self._means(spec)):
            return None
        if self.data.get("appName", client) != client:
            return None
        if self.skip:
            self.skip -= 1
            return None
        if self.times is not None:
            self.times -= 1
        return self.data


@command("configureFailPoint", fields={"mode": "any", "data": "object"}, admin=True)
def configure_fail_point(call):
    """Set failCommand."""
    if not call.node.test_commands:
        raise MongoError("CommandNotFound", "no such command: 'configureFailPoint'")
    name = call.body["configureFailPoint"]
    if name not in NAMES:
        raise MongoError("BadValue", f"expected one of the fail points {', '.join(NAMES)}, found {name!r}")
    call.node.fail_points[name].set(call.get("mode"), call.get("data", {}))
    return {"count": 0}


async def before(call, connection):
    """Let failCommand act on a command: raise its error, raise ConnectionGone, or wait."""
    if call.get("maxTimeMS") and call.node.fail_points[TIME_OUT].hits() is not None:
        raise MongoError("MaxTimeMSExpired", "operation exceeded time limit")
    client = connection.name or call.get("client", {}).get("application", {}).get("name")  # a first hello says it itself
    data = call.fail = call.node.fail_points["failCommand"].hits(call.spec, client)
    if data is None:
        return
    if data.get("blockConnection"):
        await asyncio.sleep(data.get("blockTimeMS", 0) / 1000)
    if data.get("closeConnection"):
        raise ConnectionGone
    if "errorCode" in data:
        call.labels = data.get("errorLabels")
        raise MongoError(data["errorCode"], "Failing command via 'failCommand' failpoint", **data.get("errorExtraInfo", {}))


def at_statement(call):
    """Let onPrimaryTransactionalWrite act on a statement of a retryable write: let it fail, or lose the command's reply."""
    data = call.node.fail_points[WRITE].hits()
    if data is None:
        return
    call.reply_lost = call.reply_lost or data.get("closeConnection", True)
    if "failBeforeCommitExceptionCode" in data:
        raise MongoError(data["failBeforeCommitExceptionCode"], f"Failing write via '{WRITE}' failpoint")


def at_get_more(call):
    """Let failGetMoreAfterCursorCheckout act."""
    if call.cursor.operation.time_limit and call.node.fail_points[TIME_OUT].hits() is not None:
        raise MongoError("MaxTimeMSExpired", "operation exceeded time limit")
    data = call.node.fail_points[GET_MORE].hits()
    if data is None:
        return
    if data.get("closeConnection"):
        raise ConnectionGone
    raise MongoError(data.get("errorCode", 1), f"Failing command via '{GET_MORE}' failpoint")
