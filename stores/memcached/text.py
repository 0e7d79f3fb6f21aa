"""Memcached's text protocol: requests from a client, replies from a server. Incremental and binary safe."""

from typing import NamedTuple

from stores.wire import ProtocolError

KEY_LIMIT = 250  # bytes in a key
ITEM_LIMIT = 2**20  # bytes in an item with its header
LINE_LIMIT = 2048  # bytes in a command line; only a get may be longer, for its many keys
GET_LIMIT = 64 * 2**10
WITH_DATA = {b"set", b"add", b"replace", b"append", b"prepend", b"cas"}
WITH_KEYS = {b"get", b"gets", b"gat", b"gats"}
BAD_FORMAT = b"CLIENT_ERROR bad command line format"
BAD_CHUNK = b"CLIENT_ERROR bad data chunk"
TOO_LARGE = b"SERVER_ERROR object too large for cache"


class Request(NamedTuple):
    """One command: its words, the data block of a storage command, or the error found while reading it."""

    words: list
    data: bytes | None = None
    error: bytes | None = None

    @property
    def name(self):
        return self.words[0] if self.words else b""

    @property
    def noreply(self):
        return self.words[-1:] == [b"noreply"] and self.name not in WITH_KEYS


class Requests:
    """Reads what a client sends."""

    def __init__(self):
        self._data = bytearray()
        self._words = None  # of the storage command whose data block is still to come
        self._length = 0
        self._skip = 0  # bytes of a refused data block still to pass over

    def feed(self, data):
        """Return the complete requests. A line without end is a ProtocolError: memcached closes."""
        self._data += data
        requests = []
        try:
            while (request := self._next()) is not None:
                requests.append(request)
        except ProtocolError as error:
            self._data.clear()
            requests.append(error)
        return requests

    def _next(self):
        passed = min(self._skip, len(self._data))
        del self._data[:passed]
        self._skip -= passed
        if self._skip:
            return None
        if self._words is not None:
            return self._block()
        line = self._line()
        if line is None:
            return None
        words = line.split()
        if not words or words[0] not in WITH_DATA:
            return Request(words)
        return self._storage(words)

    def _storage(self, words):
        """Return the error of a storage command's line, or read on for its data block."""
        numbers = words[2 : 6 if words[0] == b"cas" else 5]
        if len(numbers) < (4 if words[0] == b"cas" else 3):
            return Request(words, error=b"ERROR")
        if (
            len(words[1]) > KEY_LIMIT
            or not all(_is_number(word) for word in numbers)
            or numbers[0][:1] == b"-"
        ):
            return Request(words, error=BAD_FORMAT)
        length = int(numbers[2])
        if length < 0:
            return Request(words, error=BAD_FORMAT)
        if item_size(words[1], int(numbers[0]), length) > ITEM_LIMIT:
            self._skip = length + 2
            return Request(words, error=TOO_LARGE)
        self._words, self._length = words, length
        return self._next()

    def _block(self):
        end = self._length + 2
        if len(self._data) < end:
            return None
        words, self._words = self._words, None
        block = bytes(self._data[:end])
        del self._data[:end]
        if not block.endswith(b"\r\n"):
            return Request(words, error=BAD_CHUNK)
        return Request(words, block[:-2])

    def _line(self):
        end = self._data.find(b"\n")
        if end < 0:
            limit = GET_LIMIT if self._data.startswith((b"get", b"gat")) else LINE_LIMIT
            if len(self._data) > limit:
                raise ProtocolError("line too long")
            return None
        line = bytes(self._data[:end])
        del self._data[: end + 1]
        return line.removesuffix(b"\r")


def item_size(key, flags, length):
    """Return the bytes that memcached takes for an item: header, unique number, key, flags, data."""
    return 48 + 8 + len(key) + 1 + (4 if flags else 0) + length + 2


def _is_number(word):
    return word.removeprefix(b"-").isdigit() and len(word) <= 20
