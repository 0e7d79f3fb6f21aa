"""CRC-32C (Castagnoli, RFC 3720), the optional checksum of an OP_MSG. Drivers for Python do not send it."""

POLYNOMIAL = 0x82F63B78  # reflected


def _table():
    table = list(range(256))
    for _ in range(8):
        table = [value >> 1 ^ (POLYNOMIAL if value & 1 else 0) for value in table]
    return table


TABLE = _table()


def crc32c(data):
    """Return the checksum of bytes as an unsigned int."""
    value = 0xFFFFFFFF
    for byte in data:
        value = TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF
