"""Murmur3 tokens: where on the ring a partition lives, computed as Cassandra and its drivers do."""

from struct import pack, unpack_from

MIN_TOKEN = -(2**63)
MAX_TOKEN = 2**63 - 1
_MASK = 2**64 - 1
_C1, _C2 = 0x87C37B91114253D5, 0x4CF5AD432745937F


def routing_key(values):
    """Return the bytes that are hashed for the serialised values of the partition key columns."""
    if len(values) == 1:
        return values[0]
    return b"".join(pack(">H", len(value)) + value + b"\0" for value in values)


def token_of(values):
    """Return the token of a partition key, given its columns' serialised values."""
    return token(routing_key(values))


def token(key):
    """Return the token of `key`: the first half of the 128-bit Murmur3 hash as a signed number.

    Cassandra's variant takes the last bytes as signed ones, and never returns the smallest number.
    """
    length = len(key)
    h1 = h2 = 0
    for at in range(0, length & ~15, 16):
        k1, k2 = unpack_from("<QQ", key, at)
        h1 ^= _first(k1)
        h1 = ((_rotate(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _second(k2)
        h2 = ((_rotate(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    tail = key[length & ~15 :]
    if len(tail) > 8:
        h2 ^= _second(_signed(tail[8:]))
    if tail:
        h1 ^= _first(_signed(tail[:8]))
    h1 ^= length
    h2 ^= length
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1 = (_mixed(h1) + _mixed(h2)) & _MASK
    signed = h1 - 2**64 if h1 > MAX_TOKEN else h1
    return signed if signed != MIN_TOKEN else MAX_TOKEN


def _rotate(x, bits):
    return ((x << bits) | (x >> (64 - bits))) & _MASK


def _first(k1):
    return (_rotate((k1 * _C1) & _MASK, 31) * _C2) & _MASK


def _second(k2):
    return (_rotate((k2 * _C2) & _MASK, 33) * _C1) & _MASK


def _signed(tail):
    value = 0
    for i, byte in enumerate(tail):
        value ^= (byte - 256 if byte > 127 else byte) << (8 * i)
    return value & _MASK


def _mixed(k):
    k ^= k >> 33
    k = (k * 0xFF51AFD7ED558CCD) & _MASK
    k ^= k >> 33
    k = (k * 0xC4CEB9FE1A85EC53) & _MASK
    return k ^ (k >> 33)
