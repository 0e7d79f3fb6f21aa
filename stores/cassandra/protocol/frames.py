"""Frames of the native protocol: a header (version, flags, stream, opcode, length) and a body.

In version 5 everything after STARTUP travels in segments (see segments.py); before that a compressed body is one block.
"""

import struct
from typing import NamedTuple

from stores.cassandra.errors import ProtocolException
from stores.cassandra.protocol import segments
from stores.cassandra.protocol.codec import Reader
from stores.wire import ProtocolError

VERSIONS = (3, 4, 5)
NAMES = "3/v3, 4/v4, 5/v5"
NEWEST = VERSIONS[-1]
COMPRESSED, TRACING, CUSTOM_PAYLOAD, WARNING, BETA = 1, 2, 4, 8, 16
MAX_FRAME = 16 * 2**20  # bytes: native_transport_max_frame_size
HEADER = struct.Struct(">BBhBi")

REQUEST_OPCODES = {
    0x01: "STARTUP",
    0x05: "OPTIONS",
    0x07: "QUERY",
    0x09: "PREPARE",
    0x0A: "EXECUTE",
    0x0B: "REGISTER",
    0x0D: "BATCH",
    0x0F: "AUTH_RESPONSE",
}
RESPONSE_OPCODES = {
    0x00: "ERROR",
    0x02: "READY",
    0x03: "AUTHENTICATE",
    0x06: "SUPPORTED",
    0x08: "RESULT",
    0x0C: "EVENT",
    0x0E: "AUTH_CHALLENGE",
    0x10: "AUTH_SUCCESS",
}
STARTUP = 0x01


class Frame(NamedTuple):
    """One frame: protocol `version`, `flags`, `stream` (which request this is or answers), `opcode`, `body`."""

    version: int
    flags: int
    stream: int
    opcode: int
    body: bytes

    def encode(self):
        return HEADER.pack(self.version, self.flags, self.stream, self.opcode, len(self.body)) + self.body


class Malformed(ProtocolException, ProtocolError):
    """The bytes are no frames, so the connection ends; `version` and `stream` are those to answer with."""

    def __init__(self, message, version=NEWEST, stream=0):
        super().__init__(message)
        self.version = version
        self.stream = stream


class Frames:
    """Cuts a client's bytes into frames, or a server's where `responses` are expected.

    After STARTUP in version 5 they come in segments.
    """

    def __init__(self, responses=False):
        self._responses = responses
        self._data = bytearray()  # as they arrive
        self._inner = bytearray()  # out of the segments
        self._segmented = False
        self._compressed = False
        self._broken = False

    def feed(self, data):
        """Return the complete frames, as a list; the last may be a Malformed, after which nothing more is read."""
        frames = []
        if self._broken:
            return frames
        self._data += data
        try:
            self._read(frames)
        except Malformed as error:
            self._broken = True
            frames.append(error)
        return frames

    def _read(self, frames):
        while True:
            if self._segmented:
                try:
                    payload = segments.take(self._data, self._compressed)
                except segments.Damaged as error:
                    raise Malformed(str(error)) from None
                if payload is None:
                    return
                self._inner += payload
                while (frame := next_frame(self._inner, self._responses)) is not None:
                    frames.append(frame)
            else:
                frame = next_frame(self._data, self._responses)
                if frame is None:
                    return
                if frame.flags & COMPRESSED:
                    frame = decompressed(frame)
                frames.append(frame)
                if frame.opcode == STARTUP and frame.version >= 5:
                    self.use_segments(_compression(frame))

    def use_segments(self, compressed=False):
        """Expect segments from the next byte on."""
        self._segmented = True
        self._compressed = compressed


def _compression(startup):
    try:
        return "COMPRESSION" in Reader(startup.body).string_map()
    except ProtocolException:  # the session will say so
        return False


def next_frame(data, responses=False):
    """Take one frame out of the bytearray `data`, or return None. Raises Malformed."""
    if not data:
        return None
    version = data[0] & 0x7F
    if version not in VERSIONS:
        told = f"Invalid or unsupported protocol version ({version}); supported versions are ({NAMES})"
        raise Malformed(told, version if version < 3 else NEWEST)
    if len(data) < HEADER.size:
        return None
    direction, flags, stream, opcode, length = HEADER.unpack_from(data)
    if bool(direction & 0x80) != responses or opcode not in (RESPONSE_OPCODES if responses else REQUEST_OPCODES):
        raise Malformed(_wrong_opcode(direction, opcode), version, stream)
    if not 0 <= length <= MAX_FRAME:
        raise Malformed(f"Request is too big: length {length} exceeds maximum allowed length {MAX_FRAME}.", version, stream)
    end = HEADER.size + length
    if len(data) < end:
        return None
    body = bytes(data[HEADER.size : end])
    del data[:end]
    return Frame(version, flags, stream, opcode, body)


def _wrong_opcode(direction, opcode):
    known = {**REQUEST_OPCODES, **RESPONSE_OPCODES}
    if opcode not in known:
        return f"Unknown opcode {opcode}"
    got, expected = ("RESPONSE", "REQUEST") if direction & 0x80 else ("REQUEST", "RESPONSE")
    return f"Wrong protocol direction (expected {expected}, got {got}) for opcode {opcode} ({known[opcode]})"


def compressed(frame):
    """Return the frame with its body compressed: the length of the body, then one LZ4 block."""
    body = struct.pack(">I", len(frame.body)) + segments.compress(frame.body)
    return frame._replace(flags=frame.flags | COMPRESSED, body=body)


def decompressed(frame):
    """Return the frame as compressed() was given it. Raises Malformed."""
    length = int.from_bytes(frame.body[:4], "big")
    if length > MAX_FRAME:
        told = f"Request is too big: length {length} exceeds maximum allowed length {MAX_FRAME}."
        raise Malformed(told, frame.version, frame.stream)
    try:
        body = segments.decompress(frame.body[4:], length)
    except segments.Damaged as error:
        raise Malformed(str(error), frame.version, frame.stream) from None
    return frame._replace(flags=frame.flags & ~COMPRESSED, body=body)
