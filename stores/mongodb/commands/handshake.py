"""What a client asks before it begins: who is there, what can it do."""

import platform
from datetime import datetime, timedelta

import mongomock
from bson import Int64, ObjectId

from stores.mongodb.commands.call import whole
from stores.mongodb.commands.registry import command
from stores.mongodb.errors import MongoError
from stores.mongodb.protocol.messages import MAX_BATCH, MAX_DOCUMENT, MAX_MESSAGE
from stores.mongodb.sessions import MINUTES

VERSION = "8.0.0"  # whose commands and words the server follows
WIRE_VERSION = 25  # of MongoDB 8.0
SET_NAME = "rs0"
ELECTION = ObjectId("7fffffff0000000000000001")


@command("hello", api=True)
async def hello(call):
    """Present a primary of a replica set of one: sets have transactions and change streams."""
    await _wait_for_news(call)
    return {"isWritablePrimary": True, **_presentation(call)}


@command("isMaster", "ismaster")
async def is_master(call):
    """Answer the old name of hello."""
    await _wait_for_news(call)
    return {"ismaster": True, **_presentation(call)}


async def _wait_for_news(call):
    """A monitor that knows how things are is answered when they change, or after the time it gives."""
    known, milliseconds = call.get("topologyVersion"), call.get("maxAwaitTimeMS")
    if (known is None) != (milliseconds is None):
        raise MongoError(31368, "A request with a 'topologyVersion' must include 'maxAwaitTimeMS', and the other way round")
    if known == call.node.topology.version:
        await call.node.topology.news(whole(milliseconds, "hello.maxAwaitTimeMS") / 1000)


def _presentation(call):
    connection, node = call.connection, call.node
    _learn(call)
    address = node.address
    reply = {
        "helloOk": True,
        "topologyVersion": node.topology.version,
        "hosts": [address],
        "setName": SET_NAME,
        "setVersion": 1,
        "secondary": False,
        "primary": address,
        "me": address,
        "electionId": ELECTION,
        "lastWrite": {"opTime": {"ts": node.oplog.last, "t": Int64(1)}, "lastWriteDate": _now(call)},
        "maxBsonObjectSize": MAX_DOCUMENT,
        "maxMessageSizeBytes": MAX_MESSAGE,
        "maxWriteBatchSize": MAX_BATCH,
        "localTime": _now(call),
        "logicalSessionTimeoutMinutes": MINUTES,
        "connectionId": connection.number,
        "minWireVersion": 0,
        "maxWireVersion": WIRE_VERSION,
        "readOnly": False,
    }
    if "zlib" in call.get("compression", ()):
        reply["compression"] = ["zlib"]
    return reply


def _learn(call):
    """Keep what the client says of itself; it says it once."""
    client = call.get("client")
    if client is None:
        return
    if call.connection.metadata is not None:
        raise MongoError(186, "The client metadata document may only be sent in the first hello")
    call.connection.metadata = client
    application = client.get("application")
    if isinstance(application, dict):
        call.connection.name = str(application.get("name", ""))


@command("ping", api=True)
def ping(call):
    """Answer."""
    return {}


@command("buildInfo", "buildinfo", api=False)
def build_info(call):
    """Say which server this is."""
    return {
        "version": VERSION,
        "gitVersion": "embedded",
        "modules": ["embedded"],
        "allocator": "system",
        "javascriptEngine": "none",
        "sysInfo": "deprecated",
        "versionArray": [*(int(part) for part in VERSION.split(".")), 0],
        "openssl": {"running": "disabled", "compiled": "disabled"},
        "buildEnvironment": {"target_arch": platform.machine(), "target_os": platform.system().lower()},
        "bits": 64,
        "debug": False,
        "maxBsonObjectSize": MAX_DOCUMENT,
        "storageEngines": ["embedded"],
        "embedded": f"our own engine on mongomock {mongomock.__version__}'s stores, in this Python process: not MongoDB",
    }


@command("whatsmyuri")
def whats_my_uri(call):
    """Name the client's own address."""
    host, port = call.connection.transport.get_extra_info("peername")[:2]
    return {"you": f"{host}:{port}"}


@command("connectionStatus", fields={"showPrivileges": "bool"}, api=True)
def connection_status(call):
    """Say who is logged in: nobody, for nobody has to."""
    return {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []}}


@command("saslStart", "saslContinue", "authenticate")
def sasl(call):
    """Refuse to log in."""
    raise MongoError(
        "AuthenticationFailed", "Authentication failed: the course's server has no users; connect without a name and password"
    )


@command("usersInfo")
def users_info(call):
    """There are no users."""
    return {"users": []}


@command("rolesInfo")
def roles_info(call):
    """There are no roles."""
    return {"roles": []}


@command("logout")
def logout(call):
    """Nobody is logged in."""
    return {}


def _now(call):
    return datetime(1970, 1, 1) + timedelta(seconds=call.node.clock.now())
