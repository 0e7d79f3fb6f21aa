"""The messages of MongoDB's wire protocol: OP_MSG, and OP_QUERY for a client's first hello.

Sources: the manual's page "MongoDB Wire Protocol" and the driver specification "OP_MSG". All integers are little-endian int32.
A message that says nothing sensible is a Malformed, which ends its connection; a document of more than 16 MB in it is an error
that the client is told.
"""

import struct
import zlib
from dataclasses import dataclass, field

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError, InvalidBSON

from stores.base import Command
from stores.mongodb.errors import MongoError, document_too_large
from stores.mongodb.protocol.checksum import crc32c
from stores.wire import ProtocolError

MAX_MESSAGE = 48_000_000  # bytes
MAX_DOCUMENT = 16 * 2**20  # bytes of a stored document
MAX_INTERNAL = MAX_DOCUMENT + 16 * 1024  # bytes of a command or a document in one: 16 kB more
MAX_BATCH = 100_000  # statements of one command

OP_REPLY, OP_QUERY, OP_COMPRESSED, OP_MSG = 1, 2004, 2012, 2013
CHECKSUM_PRESENT, MORE_TO_COME, EXHAUST_ALLOWED = 1, 2, 1 << 16
KNOWN_REQUIRED = CHECKSUM_PRESENT | MORE_TO_COME  # of the first 16 bits; a receiver must refuse others
ZLIB = 2  # the number of a compressor

HEADER = struct.Struct("<iiii")  # length, request id, response to, opcode
# Naive datetimes in UTC; those that Python's datetime cannot hold become DatetimeMS.
CODEC = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


class Malformed(ProtocolError):
    """Bytes that are not the protocol."""


@dataclass
class Request:
    """A command as it arrived.

    `body` is the command document, `sequences` the documents that came apart from it, under the names of the body's
    arrays that they stand for. `error` is a MongoError when the message can be answered but not executed. The session
    notes as which Command it is recorded (None for connection set-up) and when it came (seconds of the loop's time).
    """

    id: int
    body: dict
    sequences: dict = field(default_factory=dict)
    flags: int = 0
    opcode: int = OP_MSG
    compressed: bool = False
    error: MongoError | None = None
    command: Command | None = None
    arrived: float = 0.0
    raw: bytes = b""  # the whole message

    @property
    def wants_reply(self):
        return not self.flags & MORE_TO_COME

    @property
    def exhaust(self):
        """Whether the client lets the server send several replies."""
        return bool(self.flags & EXHAUST_ALLOWED)


class Requests:
    """Cuts a client's bytes into requests."""

    def __init__(self):
        self._buffer = bytearray()
        self._failed = False

    def feed(self, data):
        """Return the complete requests; the last may be a Malformed, after which the client is not heard any more."""
        if self._failed:
            return []
        self._buffer += data
        requests = []
        try:
            while (message := self._next()) is not None:
                requests.append(decode(message))
        except Malformed as error:
            self._failed = True
            self._buffer.clear()
            requests.append(error)
        return requests

    def _next(self):
        """Return the next whole message, or None."""
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[:4], "little", signed=True)
        if not HEADER.size <= length <= MAX_MESSAGE:
            raise Malformed(f"a message has {HEADER.size} to {MAX_MESSAGE} bytes: this one says {length}")
        if len(self._buffer) < length:
            return None
        message = bytes(self._buffer[:length])
        del self._buffer[:length]
        return message


def decode(message):
    """Return the Request that a whole message holds. Raises Malformed."""
    _, id_, _, opcode = HEADER.unpack_from(message)
    raw, compressed = message, opcode == OP_COMPRESSED
    if compressed:
        opcode, message = _inflate(message)
    try:
        match opcode:
            case 2013:
                request = _decode_msg(id_, message)
            case 2004:
                request = _decode_query(id_, message)
            case _:
                raise Malformed(f"expected an OP_MSG (2013), found the opcode {opcode}")
    except (struct.error, IndexError, ValueError, BSONError) as error:
        raise Malformed(f"{type(error).__name__}: {error}") from None
    request.compressed, request.raw = compressed, raw
    return request


def _decode_msg(id_, message):
    (flags,) = struct.unpack_from("<I", message, HEADER.size)
    if unknown := flags & 0xFFFF & ~KNOWN_REQUIRED:
        raise Malformed(f"OP_MSG has required flags that are not known: {unknown:#x}")
    end = len(message)
    if flags & CHECKSUM_PRESENT:
        end -= 4
        if crc32c(message[:end]) != int.from_bytes(message[end:], "little"):
            raise Malformed("OP_MSG: the checksum does not match")
    request = Request(id_, None, flags=flags)
    at = HEADER.size + 4
    while at < end:
        kind, at = message[at], at + 1
        size = int.from_bytes(message[at : at + 4], "little", signed=True)
        if size < 5 or at + size > end:
            raise Malformed(f"OP_MSG: a section says that it has {size} bytes, {end - at} are there")
        if kind == 0 and request.body is None:
            request.body = _document(message[at : at + size], request)
        elif kind == 1:
            name_end = message.index(b"\0", at + 4, at + size)
            name = message[at + 4 : name_end].decode()
            if name in request.sequences:
                raise Malformed(f"OP_MSG has two sequences called {name!r}")
            request.sequences[name] = _documents(message, name_end + 1, at + size, request)
        else:
            raise Malformed(f"OP_MSG: expected one section of kind 0 and others of kind 1, found kind {kind}")
        at += size
    if request.body is None:
        raise Malformed("OP_MSG has no body")
    if twice := request.sequences.keys() & request.body.keys():
        raise Malformed(f"OP_MSG has {min(twice)!r} in its body and as a sequence")
    return request


def _decode_query(id_, message):
    """Decode the old way to send a command: flags, "db.$cmd", skip, limit, the command."""
    end = message.index(b"\0", HEADER.size + 4)
    namespace = message[HEADER.size + 4 : end].decode()
    request = Request(id_, None, opcode=OP_QUERY)
    at = end + 9
    size = int.from_bytes(message[at : at + 4], "little", signed=True)
    request.body = _document(message[at : at + size], request)
    request.body.setdefault("$db", namespace.partition(".")[0])
    return request


def _inflate(message):
    opcode, size, compressor = struct.unpack_from("<iiB", message, HEADER.size)
    if compressor != ZLIB or not 0 <= size <= MAX_MESSAGE:
        raise Malformed(f"expected zlib (compressor 2) and at most {MAX_MESSAGE} bytes, found {compressor} and {size}")
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(message[HEADER.size + 9 :], size + 1)
    except zlib.error as error:
        raise Malformed(str(error)) from None
    if len(body) != size:
        raise Malformed(f"a compressed message says that it has {size} bytes, and has another number")
    return opcode, message[: HEADER.size] + body


def _documents(message, at, end, request):
    documents = []
    while at < end:
        size = int.from_bytes(message[at : at + 4], "little", signed=True)
        if size < 5 or at + size > end:
            raise Malformed(f"a document of a sequence says that it has {size} bytes, {end - at} are there")
        documents.append(_document(message[at : at + size], request))
        at += size
    return documents


def _document(data, request):
    if len(data) > MAX_INTERNAL:
        request.error = document_too_large(len(data))
        return {}
    try:
        return bson.decode(data, CODEC)
    except InvalidBSON as error:
        raise Malformed(str(error)) from None


def encode_reply(request, reply, id_, more_to_come=False):
    """Return the bytes that answer `request` with the document `reply`."""
    document = bson.encode(reply)
    if request.opcode == OP_QUERY:
        body = struct.pack("<iqii", 8, 0, 0, 1) + document  # flags: AwaitCapable; cursor, start, number of documents
        return HEADER.pack(HEADER.size + len(body), id_, request.id, OP_REPLY) + body
    body = struct.pack("<IB", MORE_TO_COME if more_to_come else 0, 0) + document
    if request.compressed:
        body = struct.pack("<iiB", OP_MSG, len(body), ZLIB) + zlib.compress(body)
    return HEADER.pack(HEADER.size + len(body), id_, request.id, OP_COMPRESSED if request.compressed else OP_MSG) + body


# What the front says to a real server.


def encode_command(command, id_):
    """Return the message of a command of the course's own."""
    body = struct.pack("<IB", 0, 0) + bson.encode(command)
    return HEADER.pack(HEADER.size + len(body), id_, 0, OP_MSG) + body


def decode_reply(message):
    """Return the document of a server's OP_MSG."""
    return decode(message).body


def more_to_come(message):
    """Return whether a server's OP_MSG is followed by another."""
    return bool(int.from_bytes(message[HEADER.size : HEADER.size + 4], "little") & MORE_TO_COME)
