"""Logging in to a real server: SCRAM (RFC 5802, RFC 7677, driver specification "Authentication"), or an X.509 certificate."""

import base64
import hashlib
import hmac
import secrets

from bson import Binary
from pymongo.saslprep import saslprep

MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-1")
CERTIFICATE = "MONGODB-X509"
LEAST_ITERATIONS = 4096


class LoginFailed(ConnectionError):
    """The server does not let us in, or is not who it says."""


def conversation(user, password, mechanism):
    """Yield the payloads to send, as a coroutine that is sent the server's: the first is started with None."""
    digest = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}[mechanism]
    secret = saslprep(password) if digest == "sha256" else _old_password(user, password)
    nonce = base64.b64encode(secrets.token_bytes(24)).decode()
    name = user.replace("=", "=3D").replace(",", "=2C")
    first = f"n={name},r={nonce}"
    server_first = yield f"n,,{first}"
    told = _fields(server_first)
    if not told["r"].startswith(nonce) or int(told["i"]) < LEAST_ITERATIONS:
        raise LoginFailed("the server's answer does not belong to this log-in, or asks for too few iterations")
    salted = hashlib.pbkdf2_hmac(digest, secret.encode(), base64.b64decode(told["s"]), int(told["i"]))
    final = f"c=biws,r={told['r']}"
    message = f"{first},{server_first},{final}".encode()
    client_key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), message, digest)
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    server_final = yield f"{final},p={base64.b64encode(proof).decode()}"
    expected = hmac.digest(hmac.digest(salted, b"Server Key", digest), message, digest)
    if not hmac.compare_digest(base64.b64decode(_fields(server_final).get("v", "")), expected):
        raise LoginFailed("the server could not prove that it knows the password")
    yield ""


async def log_in(ask, login, mechanisms):
    """Log in over ask(command) -> reply. `mechanisms` are those that the server has for this user."""
    user, password, source, mechanism = login
    if mechanism == CERTIFICATE:
        _check(await ask({"authenticate": 1, "mechanism": CERTIFICATE, "$db": "$external"}))
        return
    mechanism = mechanism or next((each for each in MECHANISMS if each in mechanisms), "SCRAM-SHA-256")
    if mechanism not in MECHANISMS:
        raise LoginFailed(f"expected one of the mechanisms {', '.join((*MECHANISMS, CERTIFICATE))}, found {mechanism}")
    talk = conversation(user, password, mechanism)
    payload = Binary(talk.send(None).encode())
    options = {"skipEmptyExchange": True}
    reply = _check(await ask({"saslStart": 1, "mechanism": mechanism, "payload": payload, "options": options, "$db": source}))
    while not reply["done"]:
        payload = Binary(talk.send(reply["payload"].decode()).encode())
        id_ = reply["conversationId"]
        reply = _check(await ask({"saslContinue": 1, "conversationId": id_, "payload": payload, "$db": source}))
    if reply["payload"]:
        talk.send(reply["payload"].decode())


def _check(reply):
    if reply.get("ok") != 1.0:
        raise LoginFailed(reply.get("errmsg", "Authentication failed."))
    return reply


def _fields(text):
    return dict(field.partition("=")[::2] for field in text.split(","))


def _old_password(user, password):
    return hashlib.md5(f"{user}:mongo:{password}".encode(), usedforsecurity=False).hexdigest()
