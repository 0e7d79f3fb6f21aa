"""RESP, the Redis serialization protocol: requests from a client, frames from a server, values as bytes.

Both readers are incremental: feed() takes whatever the socket had and returns what is complete.
"""

import shlex

from stores.wire import ProtocolError

INLINE_LIMIT = 64 * 2**10  # bytes in a line, as in Redis
ARGUMENTS_LIMIT = 2**20  # arguments in a request, as in Redis
BULK_LIMIT = 64 * 2**20  # bytes in one argument; Redis allows 512 MB, a laptop's kernel should not
REQUEST_LIMIT = 2 * BULK_LIMIT  # bytes in all arguments of one request

SIMPLE = b"+-:_#,("  # one line
BULK = b"$=!"  # a length, then that many bytes
PAIRS = b"%|"  # a count of pairs
ARRAYS = b"*~>"  # a count of elements


class Requests:
    """Reads what a client sends: arrays of bulk strings, or inline commands typed by hand."""

    def __init__(self):
        self._data = bytearray()
        self._position = 0
        self._wanted = 0  # arguments still to come of the request being read
        self._length = None  # of the bulk string being read
        self._arguments = []
        self._size = 0
        self._broken = False

    def feed(self, data):
        """Return the complete requests, each a list of bytes. Malformed input ends with a ProtocolError."""
        if self._broken:
            return []
        self._data += data
        requests = []
        try:
            while (request := self._next()) is not None:
                if request:
                    requests.append(request)
        except ProtocolError as error:
            self._broken = True
            self._data.clear()
            return [*requests, error]
        if self._position:
            del self._data[: self._position]
            self._position = 0
        return requests

    def _next(self):
        """Return the next request, [] for an empty one, None when more bytes are needed."""
        if not self._wanted:
            array = self._data.startswith(b"*", self._position)
            line = self._line("too big mbulk count string" if array else "too big inline request")
            if line is None:
                return None
            if not array:
                return _words(line)
            self._wanted = max(0, _number(line, ARGUMENTS_LIMIT, "invalid multibulk length"))
            self._arguments, self._size = [], 0
        while self._wanted:
            argument = self._bulk()
            if argument is None:
                return None
            self._arguments.append(argument)
            self._wanted -= 1
        return self._arguments

    def _bulk(self):
        if self._length is None:
            line = self._line("too big bulk count string")
            if line is None:
                return None
            if not line.startswith(b"$"):
                raise ProtocolError(f"expected '$', got '{chr(line[0]) if line else ' '}'")
            self._length = _number(line, BULK_LIMIT, "invalid bulk length")
            self._size += self._length
            if self._length < 0 or self._size > REQUEST_LIMIT:
                raise ProtocolError("invalid bulk length")
        end = self._position + self._length
        if len(self._data) < end + 2:
            return None
        argument = bytes(memoryview(self._data)[self._position : end])
        self._position = end + 2
        self._length = None
        return argument

    def _line(self, too_big):
        end = self._data.find(b"\n", self._position)
        if end < 0:
            if len(self._data) - self._position > INLINE_LIMIT:
                raise ProtocolError(too_big)
            return None
        line = bytes(self._data[self._position : end])
        self._position = end + 1
        return line[:-1] if line.endswith(b"\r") else line


class Frames:
    """Cuts what a server sends into frames: one whole reply or push message each, as bytes."""

    def __init__(self):
        self._data = bytearray()
        self._position = 0
        self._outstanding = 1  # elements that complete the frame

    def feed(self, data):
        """Return the complete frames. Raises ProtocolError when the server does not speak RESP."""
        self._data += data
        frames = []
        while self._element():
            if not self._outstanding:
                frames.append(bytes(memoryview(self._data)[: self._position]))
                del self._data[: self._position]
                self._position, self._outstanding = 0, 1
        return frames

    def _element(self):
        """Step over one element; return whether it was there."""
        end = self._data.find(b"\r\n", self._position)
        if end < 0:
            return False
        kind = self._data[self._position : self._position + 1]
        after = end + 2
        if kind in SIMPLE:
            self._outstanding -= 1
        else:
            line = bytes(self._data[self._position : end])
            count = _number(line, 2**40, f"unexpected reply {line[:40]!r}")
            if kind in BULK:
                after += count + 2 if count >= 0 else 0
                if len(self._data) < after:
                    return False
                self._outstanding -= 1
            elif kind in PAIRS:  # an attribute (|) announces another element, the reply itself
                self._outstanding += 2 * max(0, count) - (kind == b"%")
            elif kind in ARRAYS:
                self._outstanding += max(0, count) - 1
            else:
                raise ProtocolError(f"unexpected type {bytes(kind)!r}")
        self._position = after
        return True


class Status(bytes):
    """A simple string, such as OK."""


class Error(str):
    """An error reply: a code in capitals, then words."""


class NullArray(bytes):
    """The array that is not there: what EXEC answers when a watched key has changed."""


class Members(list):
    """The members of a set, in the order in which they were found."""


class Push(list):
    """A message that no request asked for; RESP2 knows no difference from an array."""


def encode(value, protocol=2):
    """Return a value as RESP: None, bool, int, float, bytes, str, list, dict, set or a class above."""
    match value:
        case None:
            return b"_\r\n" if protocol == 3 else b"$-1\r\n"
        case NullArray():
            return b"_\r\n" if protocol == 3 else b"*-1\r\n"
        case bool():
            return (b"#t\r\n" if value else b"#f\r\n") if protocol == 3 else b":%d\r\n" % value
        case int():
            if -(2**63) <= value < 2**63:
                return b":%d\r\n" % value
            return b"(%d\r\n" % value if protocol == 3 else encode(b"%d" % value)
        case float():
            number = _float(value)
            return b",%s\r\n" % number if protocol == 3 else encode(number)
        case Error():
            return b"-%s\r\n" % value.replace("\r", " ").replace("\n", " ").encode()
        case Status():
            return b"+%s\r\n" % bytes(value)
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case str():
            return encode(value.encode(), protocol)
        case dict():
            items = [item for pair in value.items() for item in pair]
            return _aggregate(b"%", len(value), items, 3) if protocol == 3 else encode(items)
        case Push() | Members() | set() | frozenset():
            mark = b">" if isinstance(value, Push) else b"~"
            return _aggregate(mark if protocol == 3 else b"*", len(value), value, protocol)
        case list() | tuple():
            return _aggregate(b"*", len(value), value, protocol)
    raise TypeError(f"RESP has no {type(value).__name__}: {value!r}")


def encode_request(arguments):
    """Return a request as RESP: an array of bulk strings."""
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in arguments)


def _aggregate(mark, count, items, protocol):
    return b"%s%d\r\n" % (mark, count) + b"".join(encode(item, protocol) for item in items)


def _float(value):
    if value != value:
        return b"nan"
    if value in (float("inf"), float("-inf")):
        return b"inf" if value > 0 else b"-inf"
    return b"%d" % value if value == int(value) and abs(value) < 1e17 else repr(value).encode()


def _number(line, limit, error):
    digits = line[1:]
    if not digits.removeprefix(b"-").isdigit() or len(digits) > 20:
        raise ProtocolError(error)
    number = int(digits)
    if number > limit:
        raise ProtocolError(error)
    return number


def _words(line):
    """Split an inline command the way redis-cli quotes: words, "double \\x00" and 'single' quotes."""
    if not line.strip():
        return []
    if b'"' not in line and b"'" not in line:
        return line.split()
    try:
        words = shlex.split(line.decode("latin-1"))
    except ValueError:
        raise ProtocolError("unbalanced quotes in request") from None
    return [word.encode("latin-1") for word in words]
