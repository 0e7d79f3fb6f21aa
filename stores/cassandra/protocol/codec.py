"""The notations of the native protocol: [int], [string], [bytes], [inet] … of its specification, read and written."""

import ipaddress
import struct
from struct import pack

from stores.cassandra.errors import ProtocolException
from stores.cassandra.results import UNSET

NULL = b"\xff\xff\xff\xff"


class Reader:
    """Reads the notations one after the other out of a message's body. Raises ProtocolException where it ends too early."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    @property
    def at_end(self):
        return self._at >= len(self._data)

    def byte(self):
        return self._take(1)[0]

    def short(self):
        return int.from_bytes(self._take(2), "big")

    def int(self):
        return int.from_bytes(self._take(4), "big", signed=True)

    def unsigned(self):
        return int.from_bytes(self._take(4), "big")

    def long(self):
        return int.from_bytes(self._take(8), "big", signed=True)

    def string(self):
        return self._text(self._take(self.short()))

    def long_string(self):
        return self._text(self._take(self.int()))

    def short_bytes(self):
        return self._take(self.short())

    def bytes(self):
        """Return bytes, or None where the length is negative."""
        length = self.int()
        return None if length < 0 else self._take(length)

    def value(self):
        """Return the bytes of a bound value, None for null or UNSET."""
        length = self.int()
        if length >= 0:
            return self._take(length)
        if length == -1:
            return None
        if length == -2:
            return UNSET
        raise ProtocolException(f"Invalid ByteBuf length {length}")

    def rest(self):
        """Return everything that has not been read."""
        return self._data[self._at :]

    def string_list(self):
        return [self.string() for _ in range(self.short())]

    def string_map(self):
        return {self.string(): self.string() for _ in range(self.short())}

    def bytes_map(self):
        return {self.string(): self.bytes() for _ in range(self.short())}

    def _take(self, length):
        data = self._data[self._at : self._at + length]
        if length < 0 or len(data) != length:
            raise ProtocolException(f"Not enough bytes in the message: expected {length} more, found {len(self._data) - self._at}")
        self._at += length
        return data

    def _text(self, data):
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ProtocolException("Cannot decode string as UTF8") from None


def byte(value):
    return pack(">B", value)


def short(value):
    return pack(">H", value)


def int_(value):
    return pack(">i", value)


def unsigned(value):
    return pack(">I", value)


def string(text):
    data = text.encode()
    return pack(">H", len(data)) + data


def short_bytes(data):
    return pack(">H", len(data)) + data


def bytes_(data):
    return NULL if data is None else pack(">i", len(data)) + data


def string_list(texts):
    return short(len(texts)) + b"".join(map(string, texts))


def string_map(texts):
    return short(len(texts)) + b"".join(string(key) + string(text) for key, text in texts.items())


def string_multimap(lists):
    return short(len(lists)) + b"".join(string(key) + string_list(texts) for key, texts in lists.items())


def inetaddr(address):
    """Return an IP address as [inetaddr]: a byte of length, then the address."""
    packed = ipaddress.ip_address(address).packed
    return byte(len(packed)) + packed


def inet(address, port):
    return inetaddr(address) + int_(port)


def rows(lines):
    """Return the values of a result's rows, each as [bytes]."""
    parts = []
    add = parts.append
    length = struct.Struct(">i").pack
    for line in lines:
        for value in line:
            if value is None:
                add(NULL)
            else:
                add(length(len(value)))
                add(value)
    return b"".join(parts)
