"""Frames on a stream socket: a letter, a length of four bytes, the content."""

import contextlib
import socket
import struct

HEAD = struct.Struct(">cI")
OUTPUT, REPLY, REQUEST = b"o", b"r", b"q"
LONGEST = 64 * 2**20       # bytes of one frame


class Garbled(Exception):
    """What came on the line is no frame."""


class Line:
    """Cuts what arrives into frames: feed() it, then take them from `frames`."""

    def __init__(self):
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The frames that are complete now, as (letter, content). Raises Garbled."""
        self._rest += data
        frames = []
        while len(self._rest) >= HEAD.size:
            letter, length = HEAD.unpack_from(self._rest)
            if letter not in (OUTPUT, REPLY, REQUEST) or length > LONGEST:
                raise Garbled(f"a frame begins with {bytes(self._rest[:5])!r}")
            if len(self._rest) < HEAD.size + length:
                break
            frames.append((letter, bytes(self._rest[HEAD.size:HEAD.size + length])))
            del self._rest[:HEAD.size + length]
        return frames


def send(line: socket.socket, letter: bytes, content: bytes) -> None:
    line.sendall(HEAD.pack(letter, len(content)) + content)


def receive(line: socket.socket) -> tuple[bytes, bytes]:
    """One frame, waiting for it. Raises EOFError at the end of the line, Garbled."""
    letter, length = HEAD.unpack(_exactly(line, HEAD.size))
    if length > 2**30:
        raise Garbled(f"a frame of {length} bytes")
    return letter, _exactly(line, length)


def _exactly(line: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        with contextlib.suppress(InterruptedError):
            count = line.recv_into(view[filled:])
            if count == 0:
                raise EOFError("the line was closed")
            filled += count
    return bytes(data)
