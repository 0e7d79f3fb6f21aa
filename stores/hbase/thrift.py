"""Thrift's binary protocol between the network and the methods of HBase: bytes in, calls out; results in, bytes out.

A message has no length in front (the *buffered* transport), so its end is found by walking through it; or it has one
(the *framed* transport). Both are understood, told apart by their first byte. thriftpy2 decodes what is complete.
"""

import struct
from typing import NamedTuple

import happybase  # noqa: F401  its import makes Hbase_thrift from the interface definition that it brings
import Hbase_thrift as idl
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.thrift import TApplicationException, TMessageType
from thriftpy2.transport import TMemoryBuffer

from stores.wire import ProtocolError

LARGEST = 2**26  # bytes of a message; HBase's default is about the same
DEEPEST = 8  # structs and lists inside each other; the interface needs five
STRICT = b"\x80\x01"  # how a message starts
SIZES = {2: 1, 3: 1, 4: 8, 6: 2, 8: 4, 10: 8}  # bytes of a value by type: bool, byte, double, i16, i32, i64
STRING, STRUCT, MAP, SET, LIST = 11, 12, 13, 14, 15


class Call(NamedTuple):
    """A method that a client calls: its name, the struct of its arguments (None: no such method), how to answer."""

    method: str
    args: object
    number: int
    framed: bool = False


class Messages:
    """Feed it bytes; it returns the messages that are complete, each as `decode` has it; the last may be a ProtocolError."""

    def __init__(self, decode=None):
        self._decode = decode or decode_call
        self._buffer = bytearray()
        self._failed = False
        self._begin()

    def feed(self, data):
        if self._failed:
            return []
        self._buffer += data
        messages = []
        try:
            while self._complete():
                message = bytes(self._buffer[4 * self._framed : self._at])
                del self._buffer[: self._at]
                messages.append(self._decode(message, self._framed))
                self._begin()
        except ProtocolError as error:
            self._failed = True
            messages.append(error)
        return messages

    def _begin(self):
        self._at = 0  # the walk has come so far
        self._framed = False
        self._walk = self._message()

    def _complete(self):
        """Go on walking; return whether the end of the message was reached."""
        return next(self._walk, True) is True

    def _take(self, size):
        """Walk over `size` bytes and return them; a `yield` waits for more."""
        if size < 0 or self._at + size > LARGEST:
            raise ProtocolError(f"a length of {size} bytes: expected 0 to {LARGEST} for a whole message")
        while len(self._buffer) < self._at + size:
            yield
        self._at += size
        return bytes(self._buffer[self._at - size : self._at]) if size <= 4 else None

    def _number(self, size=4):
        return int.from_bytes((yield from self._take(size)), "big", signed=True)

    def _message(self):
        start = yield from self._take(4)
        if start[0] == 0:
            self._framed = True
            length = int.from_bytes(start, "big")
            if length > LARGEST:
                raise ProtocolError(f"a frame of {length} bytes: expected {LARGEST} at most")
            start = yield from self._take(4)
        if start[:2] != STRICT:
            raise ProtocolError(f"a message that starts with {start!r}: expected Thrift's binary protocol")
        yield from self._take((yield from self._number()))  # the method
        yield from self._take(4)  # the number of the call
        yield from self._value(STRUCT, DEEPEST)
        if self._framed and self._at != 4 + length:
            raise ProtocolError(f"a message of {self._at - 4} bytes in a frame of {length}")

    def _value(self, kind, deepest):
        if kind in SIZES:
            yield from self._take(SIZES[kind])
        elif kind == STRING:
            yield from self._take((yield from self._number()))
        elif not deepest:
            raise ProtocolError(f"structs and lists nested deeper than {DEEPEST}")
        elif kind == STRUCT:
            while (inner := (yield from self._number(1))) != 0:
                yield from self._take(2)
                yield from self._value(inner, deepest - 1)
        elif kind in (LIST, SET, MAP):
            kinds = yield from self._take(2 if kind == MAP else 1)
            for _ in range((yield from self._number())):
                for inner in kinds:
                    yield from self._value(inner, deepest - 1)
        else:
            raise ProtocolError(f"a value of type {kind}: Thrift has no such type")


def decode_call(message, framed=False):
    """Return the Call in a complete message. Raises ProtocolError."""
    protocol = TBinaryProtocol(TMemoryBuffer(message), decode_response=False)
    try:
        method, kind, number = protocol.read_message_begin()
        if kind != TMessageType.CALL:
            raise ProtocolError(f"a message of kind {kind}: expected a call")
        arguments = getattr(idl.Hbase, f"{method}_args", None) if method in idl.Hbase.thrift_services else None
        if arguments is not None:
            arguments = arguments()
            arguments.read(protocol)
    except (UnicodeDecodeError, struct.error, RecursionError) as error:
        raise ProtocolError(str(error)) from None
    return Call(method, arguments, number, framed)


def result(call, value=None, **raised):
    """Return the bytes that answer `call`: its value, or one of the exceptions that the method declares (`io=…`)."""
    answer = getattr(idl.Hbase, f"{call.method}_result")()
    if value is not None:
        answer.success = value
    for name, error in raised.items():
        setattr(answer, name, error)
    return _encode(call, TMessageType.REPLY, answer)


def declares(method, name):
    """Return whether a method can raise the exception called `name`: io, ia or exist."""
    spec = getattr(idl.Hbase, f"{method}_result").thrift_spec
    return any(field[1] == name for field in spec.values())


def failure(call, words, kind=TApplicationException.INTERNAL_ERROR):
    """Return the bytes of an error that no method declares, which drivers raise as TApplicationException."""
    return _encode(call, TMessageType.EXCEPTION, TApplicationException(kind, words))


def encode_call(call):
    """Return the bytes of a call, as drivers send them."""
    return _encode(call._replace(framed=False), TMessageType.CALL, call.args)


def decode_answer(call, message):
    """Return the struct in a server's answer to `call`: the method's result, or a TApplicationException."""
    protocol = TBinaryProtocol(TMemoryBuffer(message), decode_response=False)
    _, kind, _ = protocol.read_message_begin()
    answer = TApplicationException() if kind == TMessageType.EXCEPTION else getattr(idl.Hbase, f"{call.method}_result")()
    answer.read(protocol)
    return answer


def encode_answer(call, answer):
    """The reverse of decode_answer."""
    failed = isinstance(answer, TApplicationException)
    return _encode(call, TMessageType.EXCEPTION if failed else TMessageType.REPLY, answer)


def _encode(call, kind, struct_):
    buffer = TMemoryBuffer()
    protocol = TBinaryProtocol(buffer)
    protocol.write_message_begin(call.method, kind, call.number)
    struct_.write(protocol)
    message = buffer.getvalue()
    return len(message).to_bytes(4, "big") + message if call.framed else message
