"""configureFailPoint with failCommand: faults that a client switches on by a command, as driver tests do.

MongoDB has it where enableTestCommands is set; here with EmbeddedMongoDB(test_commands=True). Lessons use server.faults.
Source: the MongoDB wiki's page "The failCommand Fail Point".
"""

import asyncio

from stores.mongodb.commands.call import whole
from stores.mongodb.commands.registry import command
from stores.mongodb.errors import MongoError


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

    def hits(self, name, client):
        """Return what is to happen to this command, or None; it uses up one time."""
        if self.times == 0 or name not in self.data.get("failCommands", ()):
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
    if name != "failCommand":
        raise MongoError("BadValue", f"expected the fail point failCommand, found {name!r}")
    call.node.fail_point.set(call.get("mode"), call.get("data", {}))
    return {"count": 0}


async def before(call, connection):
    """Let a fail point act on a command: raise its error, close the connection (return True), or wait."""
    data = call.fail = call.node.fail_point.hits(next(iter(call.request.body)), connection.name)
    if data is None:
        return False
    if data.get("blockConnection"):
        await asyncio.sleep(data.get("blockTimeMS", 0) / 1000)
    if data.get("closeConnection"):
        return True
    if "errorCode" in data:
        call.labels = data.get("errorLabels")
        raise MongoError(data["errorCode"], "Failing command via 'failCommand' failpoint", **data.get("errorExtraInfo", {}))
    return False
