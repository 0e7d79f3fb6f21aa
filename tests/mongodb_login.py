"""A MongoDB that asks for a name and a password, to stand for a real one: the embedded server behind SCRAM (RFC 5802).

The server's side is written here after the RFC, not with the code of the course's own client side.
"""

import base64
import hashlib
import hmac
import os

from bson import Binary

from stores.mongodb.embedded import EmbeddedMongoDB
from stores.mongodb.errors import MongoError
from stores.mongodb.protocol import messages
from stores.mongodb.protocol.session import MongoSession

USER, PASSWORD = "teacher", "p@ss/wörd"
ITERATIONS = 4096
OPEN = ("hello", "isMaster", "ismaster", "saslStart", "saslContinue", "ping")


class Login:
    """One conversation."""

    def __init__(self, mechanism):
        self.digest = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}[mechanism]
        old = hashlib.md5(f"{USER}:mongo:{PASSWORD}".encode()).hexdigest()
        secret = PASSWORD if self.digest == "sha256" else old
        self.salt = os.urandom(16)
        self.salted = hashlib.pbkdf2_hmac(self.digest, secret.encode(), self.salt, ITERATIONS)

    def first(self, payload):
        self.bare = payload.removeprefix("n,,")
        fields = dict(field.split("=", 1) for field in self.bare.split(","))
        if fields["n"] != USER:
            raise MongoError("AuthenticationFailed", "Authentication failed.")
        self.nonce = fields["r"] + base64.b64encode(os.urandom(12)).decode()
        self.answer = f"r={self.nonce},s={base64.b64encode(self.salt).decode()},i={ITERATIONS}"
        return self.answer

    def last(self, payload):
        without_proof, _, proof = payload.rpartition(",p=")
        message = f"{self.bare},{self.answer},{without_proof}".encode()
        stored = hashlib.new(self.digest, self._mac(self.salted, b"Client Key")).digest()
        signature = self._mac(stored, message)
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), signature, strict=True))
        if without_proof != f"c=biws,r={self.nonce}" or hashlib.new(self.digest, key).digest() != stored:
            raise MongoError("AuthenticationFailed", "Authentication failed.")
        return "v=" + base64.b64encode(self._mac(self._mac(self.salted, b"Server Key"), message)).decode()

    def _mac(self, key, message):
        return hmac.digest(key, message, self.digest)


class LoginSession(MongoSession):
    """Nothing but the handshake before the log-in."""

    login = None
    logged_in = False

    async def execute(self, request):
        name = next(iter(request.body))
        try:
            if name in ("saslStart", "saslContinue"):
                reply = self._talk(name, request.body)
            elif name == "hello" and "saslSupportedMechs" in request.body:
                reply = await self.node.run(request, self)
                reply["saslSupportedMechs"] = list(self.front.mechanisms)
            elif name not in OPEN and not self.logged_in:
                raise MongoError("Unauthorized", f"Command {name} requires authentication")
            else:
                return await super().execute(request)
        except MongoError as error:
            reply = error.reply()
        return messages.encode_reply(request, reply, 1)

    def _talk(self, name, body):
        payload = bytes(body["payload"]).decode()
        if name == "saslStart":
            self.login = Login(body["mechanism"])
            answer = self.login.first(payload)
        else:
            answer = self.login.last(payload)
            self.logged_in = True
        return {"conversationId": 1, "done": self.logged_in, "payload": Binary(answer.encode()), "ok": 1.0}


class LockedMongoDB(EmbeddedMongoDB):
    """An embedded MongoDB with one user."""

    session = LoginSession

    def __init__(self, mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-1")):
        super().__init__()
        self.front.mechanisms = mechanisms
