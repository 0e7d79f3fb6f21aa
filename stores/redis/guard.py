"""What a learner's commands may do on a real server: all inside the course's own database, nothing outside.

Commands are refused before they leave this process, in words that say why. A Lua script runs with a `redis`
table that refuses the same commands.
"""

import hashlib
import re
from fnmatch import fnmatchcase

from stores.redis.front import Policy, second
from stores.redis.resp import Error, Status, encode
from stores.redis.scripts import PRELUDE

OTHER_DATA = "it reaches data outside the course's own database"
SERVER = "it changes the server for everybody who uses it"
EVERYBODY = "it acts on connections or scripts of everybody who uses the server"

REFUSED = {
    **dict.fromkeys((b"FLUSHALL", b"MIGRATE", b"MOVE", b"SWAPDB"), OTHER_DATA),
    **dict.fromkeys((b"SYNC", b"PSYNC", b"REPLCONF", b"RESTORE-ASKING"), OTHER_DATA),
    **dict.fromkeys((b"BGREWRITEAOF", b"BGSAVE", b"DEBUG", b"FAILOVER", b"PFDEBUG", b"PFSELFTEST"), SERVER),
    **dict.fromkeys((b"REPLICAOF", b"SAVE", b"SHUTDOWN", b"SLAVEOF"), SERVER),
    **dict.fromkeys((b"FCALL", b"FCALL_RO", b"MONITOR"), EVERYBODY),
    b"AUTH": "the course has logged in already; connect without a password",
    b"RESET": "it would leave the course's own database; open a new connection instead",
}
# Of these only some subcommands stay inside.
ALLOWED = {
    b"ACL": (b"CAT", b"HELP", b"WHOAMI"),
    b"CLIENT": (
        *(b"CACHING", b"GETNAME", b"GETREDIR", b"HELP", b"ID", b"INFO", b"LIST", b"MAINT_NOTIFICATIONS"),
        *(b"NO-EVICT", b"NO-TOUCH", b"SETINFO", b"SETNAME", b"TRACKING", b"TRACKINGINFO"),
    ),
    b"CLUSTER": (b"HELP", b"INFO", b"KEYSLOT", b"MYID", b"NODES", b"SHARDS", b"SLOTS"),
    b"CONFIG": (b"GET", b"HELP"),
    b"FUNCTION": (b"HELP", b"LIST", b"STATS"),
    b"LATENCY": (b"DOCTOR", b"GRAPH", b"HELP", b"HISTOGRAM", b"HISTORY", b"LATEST"),
    b"MEMORY": (b"DOCTOR", b"HELP", b"MALLOC-STATS", b"STATS", b"USAGE"),
    b"MODULE": (b"HELP", b"LIST"),
    b"SCRIPT": (b"EXISTS", b"HELP", b"LOAD"),
    b"SLOWLOG": (b"GET", b"HELP", b"LEN"),
}
SECRETS = (b"requirepass", b"masterauth", b"tls-key-file-pass", b"tls-client-key-file-pass")
SCRIPTS = {b"EVAL": b"EVAL", b"EVAL_RO": b"EVAL_RO", b"EVALSHA": b"EVALSHA", b"EVALSHA_RO": b"EVALSHA_RO"}
NO_SCRIPT = Error("NOSCRIPT No matching script. Please use EVAL.")


class Guard(Policy):
    """The policy in front of a real server. `admin` holds the names that the server itself flags as admin."""

    def __init__(self, version=(7,), admin=()):
        names = {*REFUSED, *ALLOWED, b"SELECT"}
        self._admin = {name.upper() for name in admin} - names
        denied = ",".join(f"['{name.decode()}']=1" for name in sorted(names | self._admin))
        self._prelude = re.sub(r"\s+", " ", PRELUDE % denied).lstrip().encode()
        self._scripts_allowed = version >= (7,)
        self._guarded = {}  # SHA1 of the learner's script -> SHA1 of the guarded one

    def clear(self):
        """Forget the learner's scripts."""
        self._guarded.clear()

    def rewrite(self, session, request):
        name = request[0].upper()
        if reason := self._reason(name, request):
            words = name + b" " + second(request) if name in ALLOWED else name
            return Error(f"ERR {words.decode(errors='replace')} is refused on a real server: {reason}")
        if name == b"HELLO":
            request = _without_password(request)
        if name == b"SELECT":
            return [b"PING"]  # database 0 is where the connection is; reply() answers
        if name in SCRIPTS or name == b"SCRIPT":
            return self._script(name, request)
        return super().rewrite(session, request)

    def reply(self, request, reply):
        name = request[0].upper()
        if name == b"SELECT" and reply.startswith(b"+PONG"):
            return encode(Status(b"OK"))
        if name == b"SCRIPT" and second(request) == b"LOAD" and reply.startswith(b"$"):
            return encode(_sha(request[2]))
        return reply

    def _reason(self, name, request):
        if name in REFUSED:
            return REFUSED[name]
        if name in self._admin:
            return SERVER
        if name in ALLOWED and len(request) > 1 and second(request) not in ALLOWED[name]:
            return EVERYBODY if name in (b"CLIENT", b"SCRIPT", b"FUNCTION") else SERVER
        if name == b"SELECT" and request[1:] != [b"0"]:
            return "the course has one database there, which its connections see as number 0"
        if name == b"COPY" and b"DB" in [word.upper() for word in request[3:]]:
            return OTHER_DATA
        if name == b"CONFIG" and any(_shows_secret(pattern) for pattern in request[2:]):
            return "it would show a password; name the settings you want"
        if name.startswith(b"FT."):
            return "search indexes cover the server's database 0"
        return None

    def _script(self, name, request):
        if not self._scripts_allowed:
            return Error(
                "ERR scripts need Redis 7 or later on a real server, where a script cannot change Lua itself"
            )
        if name in (b"EVAL", b"EVAL_RO") and len(request) > 1:
            return [name, self._guard(request[1]), *request[2:]]
        if name in (b"EVALSHA", b"EVALSHA_RO") and len(request) > 1:
            sha = request[1].lower()
            if sha not in self._guarded and sha not in self._guarded.values():
                return NO_SCRIPT
            return [name, self._guarded.get(sha, sha), *request[2:]]
        if second(request) == b"LOAD" and len(request) == 3:
            return [*request[:2], self._guard(request[2])]
        if second(request) == b"EXISTS":
            return [*request[:2], *(self._guarded.get(sha.lower(), b"0" * 40) for sha in request[2:])]
        return request

    def _guard(self, script):
        """Return the learner's script behind the prelude, and remember it."""
        first, newline, rest = script.partition(b"\n")
        if first.startswith(b"#!"):
            guarded = first + newline + self._prelude + rest
        else:
            guarded = self._prelude + script
        self._guarded[_sha(script)] = _sha(guarded)
        return guarded


def _sha(script):
    return hashlib.sha1(script).hexdigest().encode()


def _shows_secret(pattern):
    return any(fnmatchcase(secret.decode(), pattern.decode(errors="replace").lower()) for secret in SECRETS)


def _without_password(request):
    """Return HELLO without AUTH user password: the front has logged in."""
    words = [word.upper() for word in request]
    if b"AUTH" not in words[2:]:
        return request
    at = words.index(b"AUTH", 2)
    return request[:at] + request[at + 3 :]
