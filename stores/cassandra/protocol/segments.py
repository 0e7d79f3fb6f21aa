"""Segments: what version 5 of the native protocol wraps frames in, up to 128 kB each, with checksums.

One segment holds several small frames whole, or a part of a large one.
"""

import zlib

try:
    import lz4.block as lz4
except ImportError:  # optional: the driver compresses only when it finds lz4 too
    lz4 = None

COMPRESSIONS = ("lz4",) if lz4 else ()
LENGTH_BITS = 17
MAX_PAYLOAD = 2**LENGTH_BITS - 1  # bytes
# CRC32 of the payload starts from these four bytes, so that a payload of zeros has a checksum too.
CRC32_START = zlib.crc32(b"\xfa\x2d\x55\xca")
CRC24_START, CRC24_POLYNOMIAL = 0x875060, 0x1974F0B


class Damaged(ValueError):
    """A checksum does not match, or a compressed payload is none."""


def take(data, compressed=False):
    """Take one segment out of the bytearray `data` and return its payload, or None while it is incomplete. Raises Damaged."""
    size = 5 if compressed else 3
    start = size + 3
    if len(data) < start:
        return None
    header = int.from_bytes(data[:size], "little")
    if crc24(data[:size]) != int.from_bytes(data[size:start], "little"):
        raise Damaged("the checksum (CRC24) of a segment's header does not match: the bytes are damaged or no segment")
    end = start + (header & MAX_PAYLOAD)
    if len(data) < end + 4:
        return None
    payload = bytes(data[start:end])
    if zlib.crc32(payload, CRC32_START) != int.from_bytes(data[end : end + 4], "little"):
        raise Damaged("the checksum (CRC32) of a segment's payload does not match: the bytes are damaged")
    del data[: end + 4]
    original = header >> LENGTH_BITS & MAX_PAYLOAD if compressed else 0
    return decompress(payload, original) if original else payload


def wrap(data, compressed=False):
    """Return encoded frames wrapped in segments."""
    parts = []
    whole = len(data) <= MAX_PAYLOAD
    for at in range(0, len(data), MAX_PAYLOAD):
        payload = data[at : at + MAX_PAYLOAD]
        header, size, bits = 0, 3, LENGTH_BITS
        if compressed:
            smaller, size, bits = compress(payload), 5, 2 * LENGTH_BITS
            if len(smaller) < len(payload):
                payload, header = smaller, len(payload) << LENGTH_BITS
        header = (header | len(payload) | whole << bits).to_bytes(size, "little")
        parts += (header, crc24(header).to_bytes(3, "little"))
        parts += (payload, zlib.crc32(payload, CRC32_START).to_bytes(4, "little"))
    return b"".join(parts)


def _crc24_table():
    table = []
    for byte in range(256):
        crc = byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= CRC24_POLYNOMIAL
        table.append(crc)
    return table


_CRC24 = _crc24_table()


def crc24(header):
    """Return the checksum of a segment's header, a number of three bytes."""
    crc = CRC24_START
    for byte in header:
        crc = ((crc << 8) & 0xFFFFFF) ^ _CRC24[(crc >> 16) ^ byte]
    return crc


def compress(data):
    """Return `data` as an LZ4 block."""
    return lz4.compress(data, store_size=False)


def decompress(block, length):
    """Return the `length` bytes that compress() was given. Raises Damaged."""
    if lz4 is None:
        raise Damaged("the client compresses, but this server has no LZ4")
    try:
        return lz4.decompress(block, uncompressed_size=length)
    except (lz4.LZ4BlockError, ValueError):
        raise Damaged("what should be compressed is no LZ4 block") from None
