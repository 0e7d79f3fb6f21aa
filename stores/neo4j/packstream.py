"""PackStream, the serialisation of Bolt: values to bytes and back.

    null      None            list        list (tuples too when packing)
    boolean   bool            dictionary  dict with str keys
    integer   int, 64 bits    structure   Structure(tag, fields): nodes, relationships, paths, dates, points …
    float     float, 64 bits
    bytes     bytes
    string    str, UTF-8

Structures stay structures: the front has no need to know what a date is, and passes it on unchanged.
"""

from struct import pack as pack_binary
from struct import unpack_from
from typing import NamedTuple

DEEPEST = 200  # nested lists, dictionaries and structures: far less than Python's own stack allows


class PackStreamError(ValueError):
    """The value cannot be packed, or the bytes are not one packed value."""


class Structure(NamedTuple):
    """A composite value: what the one-byte `tag` says, made of `fields`."""

    tag: int
    fields: tuple


def pack(value):
    """Return `value` as PackStream bytes.

    Raises PackStreamError for a type that PackStream has not, an integer beyond 64 bits, text that has no
    UTF-8 form, a key that is not text, more than 15 fields in a structure, or nesting deeper than 200.
    """
    out = bytearray()
    _pack(value, out, DEEPEST)
    return bytes(out)


def unpack(data):
    """Return the one value that `data` (bytes) holds.

    Raises PackStreamError when the bytes end early, go on after the value or are no PackStream at all.
    """
    values = unpack_all(data)
    if len(values) != 1:
        raise PackStreamError(f"expected one value, found {len(values)}")
    return values[0]


def unpack_all(data):
    """Return the list of values that stand one after the other in `data` (bytes)."""
    reader, values = _Reader(data), []
    while reader.position < len(data):
        values.append(reader.value(DEEPEST))
    return values


# Each kind of sized value: how many units fit the marker itself (0x80 + n), then the markers before a size
# of 1, 2 and 4 bytes.
_TEXT = (0x80, (0xD0, 0xD1, 0xD2))
_LIST = (0x90, (0xD4, 0xD5, 0xD6))
_DICTIONARY = (0xA0, (0xD8, 0xD9, 0xDA))
_BYTES = (None, (0xCC, 0xCD, 0xCE))
_INTEGERS = ((0xC8, ">b", 7), (0xC9, ">h", 15), (0xCA, ">i", 31), (0xCB, ">q", 63))  # marker, format, bits


def _pack(value, out, depth):
    if depth < 0:
        raise PackStreamError(f"nested deeper than {DEEPEST}")
    match value:
        case None:
            out.append(0xC0)
        case bool():
            out.append(0xC3 if value else 0xC2)
        case int():
            out += _packed_integer(value)
        case float():
            out += pack_binary(">Bd", 0xC1, value)
        case str():
            try:
                data = value.encode()
            except UnicodeEncodeError as error:
                raise PackStreamError(f"text that has no UTF-8 form: {error.reason}") from None
            out += _header(_TEXT, len(data)) + data
        case bytes() | bytearray():
            out += _header(_BYTES, len(value)) + value
        case Structure(tag, fields):
            if len(fields) > 15:
                raise PackStreamError(f"expected at most 15 fields in a structure, found {len(fields)}")
            out += bytes((0xB0 + len(fields), tag))
            for field in fields:
                _pack(field, out, depth - 1)
        case list() | tuple():
            out += _header(_LIST, len(value))
            for item in value:
                _pack(item, out, depth - 1)
        case dict():
            out += _header(_DICTIONARY, len(value))
            for key, item in value.items():
                if not isinstance(key, str):
                    raise PackStreamError(f"expected text as a key, found {key!r}")
                _pack(key, out, depth - 1)
                _pack(item, out, depth - 1)
        case _:
            raise PackStreamError(f"PackStream has no {type(value).__name__}")


def _packed_integer(value):
    if -16 <= value <= 127:  # the marker itself
        return pack_binary(">b", value)
    for marker, form, bits in _INTEGERS:
        if -(1 << bits) <= value < 1 << bits:
            return bytes((marker,)) + pack_binary(form, value)
    raise PackStreamError(f"expected an integer of at most 64 bits, found {value}")


def _header(kind, size):
    tiny, markers = kind
    if tiny is not None and size < 16:
        return bytes((tiny + size,))
    for marker, width in zip(markers, (1, 2, 4), strict=True):
        if size < 1 << 8 * width:
            return bytes((marker,)) + size.to_bytes(width, "big")
    raise PackStreamError(f"expected fewer than 2**32 units, found {size}")


class _Reader:
    def __init__(self, data):
        self.data = data
        self.position = 0

    def value(self, depth):
        if depth < 0:
            raise PackStreamError(f"nested deeper than {DEEPEST}")
        marker = self.take(1)[0]
        if marker < 0x80 or marker >= 0xF0:
            return marker if marker < 0x80 else marker - 0x100
        high, low = marker & 0xF0, marker & 0x0F
        match high:
            case 0x80:
                return self.text(low)
            case 0x90:
                return self.items(low, depth)
            case 0xA0:
                return self.dictionary(low, depth)
            case 0xB0:
                tag = self.take(1)[0]
                return Structure(tag, tuple(self.items(low, depth)))
        return self.marked(marker, depth)

    def marked(self, marker, depth):
        match marker:
            case 0xC0:
                return None
            case 0xC1:
                return self.number(">d", 8)
            case 0xC2 | 0xC3:
                return marker == 0xC3
            case 0xC8 | 0xC9 | 0xCA | 0xCB:
                _, form, bits = _INTEGERS[marker - 0xC8]
                return self.number(form, (bits + 1) // 8)
            case 0xCC | 0xCD | 0xCE:
                return bytes(self.take(self.size(marker - 0xCC)))
            case 0xD0 | 0xD1 | 0xD2:
                return self.text(self.size(marker - 0xD0))
            case 0xD4 | 0xD5 | 0xD6:
                return self.items(self.size(marker - 0xD4), depth)
            case 0xD8 | 0xD9 | 0xDA:
                return self.dictionary(self.size(marker - 0xD8), depth)
        raise PackStreamError(f"no value begins with the byte {marker:#04x}")

    def take(self, count):
        end = self.position + count
        if end > len(self.data):
            raise PackStreamError(f"expected {count} more bytes, found {len(self.data) - self.position}")
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def number(self, form, width):
        return unpack_from(form, self.take(width))[0]

    def size(self, power):
        return int.from_bytes(self.take(1 << power), "big")

    def text(self, size):
        try:
            return str(self.take(size), "utf-8")
        except UnicodeDecodeError as error:
            raise PackStreamError(f"text is not UTF-8: {error.reason}") from None

    def items(self, count, depth):
        # Each item takes a byte at least, so a size that lies is found before a list is made for it.
        if count > len(self.data) - self.position:
            raise PackStreamError(f"expected {count} items, found bytes for {len(self.data) - self.position}")
        return [self.value(depth - 1) for _ in range(count)]

    def dictionary(self, count, depth):
        pairs = {}
        for _ in range(count):
            key = self.value(depth - 1)
            if not isinstance(key, str):
                raise PackStreamError(f"expected text as a key, found {key!r}")
            pairs[key] = self.value(depth - 1)
        return pairs
