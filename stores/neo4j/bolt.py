"""Bolt, the protocol between a Neo4j driver and its server: the handshake, messages, and their chunks.

A message is a structure whose tag says what it is. The client sends a request and gets a summary (SUCCESS,
FAILURE or IGNORED); a PULL gets its RECORDs first.
"""

from typing import NamedTuple

from stores.neo4j.packstream import PackStreamError, Structure, pack, unpack_all
from stores.wire import ProtocolError

MAGIC = b"\x60\x60\xb0\x17"
VERSION = (5, 4)  # the one dialect that the front speaks, with drivers and with engines
LONGEST = 64 * 2**20  # bytes in one request
CHUNK = 0xFFFF

HELLO, LOGON, LOGOFF, GOODBYE, RESET, ROUTE, TELEMETRY = 0x01, 0x6A, 0x6B, 0x02, 0x0F, 0x66, 0x54
RUN, PULL, DISCARD, BEGIN, COMMIT, ROLLBACK = 0x10, 0x3F, 0x2F, 0x11, 0x12, 0x13
SUCCESS, RECORD, IGNORED, FAILURE = 0x70, 0x71, 0x7E, 0x7F
NAMES = {RUN: "RUN", PULL: "PULL", DISCARD: "DISCARD", BEGIN: "BEGIN", COMMIT: "COMMIT", ROLLBACK: "ROLLBACK"}


class Handshake(NamedTuple):
    """What a client sends first: `speaks` is whether it offers VERSION."""

    speaks: bool


class Message(NamedTuple):
    """One message: its tag, its fields, and the payload they were read from."""

    tag: int
    fields: tuple
    payload: bytes


class Messages:
    """Reads what a client sends: a Handshake, then Messages. The last item may be a ProtocolError."""

    def __init__(self):
        self._handshake = bytearray()
        self._shaken = False
        self._chunks = Chunks()

    def feed(self, data):
        """Return what `data` (bytes) completes: a list of Handshake, Message, ProtocolError."""
        if self._shaken:
            return self._messages(data)
        self._handshake += data
        if len(self._handshake) < 20:
            return [] if MAGIC.startswith(self._handshake[:4]) else [_not_bolt()]
        self._shaken = True
        offer, rest = bytes(self._handshake[:20]), bytes(self._handshake[20:])
        if not offer.startswith(MAGIC):
            return [_not_bolt()]
        return [Handshake(_offers(offer)), *self._messages(rest)]

    def _messages(self, data):
        found = []
        try:
            for payload in self._chunks.feed(data):
                found.append(message(payload))
        except ProtocolError as error:
            found.append(error)
        return found


class Chunks:
    """Joins the chunks of a stream into payloads."""

    def __init__(self):
        self._buffer = bytearray()
        self._payload = bytearray()

    def feed(self, data):
        """Yield each payload (bytes) that `data` completes. Raises ProtocolError beyond 64 MB."""
        self._buffer += data
        position = 0
        while len(self._buffer) - position >= 2:
            size = int.from_bytes(self._buffer[position : position + 2], "big")
            if len(self._buffer) - position - 2 < size:
                break
            self._payload += self._buffer[position + 2 : position + 2 + size]
            position += 2 + size
            if len(self._payload) > LONGEST:
                raise ProtocolError(f"a message has more than {LONGEST} bytes")
            if size == 0 and self._payload:  # an empty chunk ends a message; without one it keeps the line open
                payload, self._payload = bytes(self._payload), bytearray()
                yield payload
        del self._buffer[:position]


def message(payload):
    """Return the Message in `payload` (bytes), or raise ProtocolError."""
    try:
        (structure,) = unpack_all(payload)
        tag, fields = structure if isinstance(structure, Structure) else (None, ())
    except (PackStreamError, ValueError) as error:
        raise ProtocolError(f"a message cannot be read: {error}") from None
    if tag is None:
        raise ProtocolError("a message is not a structure")
    return Message(tag, fields, payload)


def frame(payload):
    """Return `payload` (bytes) in chunks, with the empty chunk that ends it."""
    chunks = bytearray()
    for start in range(0, len(payload), CHUNK):
        chunk = payload[start : start + CHUNK]
        chunks += len(chunk).to_bytes(2, "big") + chunk
    return bytes(chunks + b"\x00\x00")


def encode(tag, *fields):
    """Return the message `tag` of `fields`, packed and in chunks."""
    return frame(pack(Structure(tag, fields)))


def offer():
    """Return the handshake that a client of VERSION sends."""
    major, minor = VERSION
    return MAGIC + bytes((0, 0, minor, major)) + bytes(12)


def agreed(speaks=True):
    """Return the server's answer to a handshake."""
    major, minor = VERSION
    return bytes((0, 0, minor, major)) if speaks else bytes(4)


def _offers(handshake):
    """Return whether one of the four versions offered is VERSION; each is (0, range, minor, major)."""
    major, minor = VERSION
    return any(handshake[i + 3] == major and handshake[i + 2] - handshake[i + 1] <= minor <= handshake[i + 2] for i in range(4, 20, 4))


def _not_bolt():
    return ProtocolError("this port speaks Bolt: connect to it with a Neo4j driver")
