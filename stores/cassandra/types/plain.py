"""text, ascii, blob, uuid, timeuuid, inet."""

import ipaddress
import json
import re
import uuid

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types.base import CqlType, unexpected

_SIGNED = bytes(i ^ 0x80 for i in range(256))  # signed bytes in the order of unsigned ones
_NOT_ASCII = "Invalid ASCII character in string literal: java.nio.charset.UnmappableCharacterException: Input length = 1"
_IPV4 = re.compile(r"\d+(?:\.\d+){0,3}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Text(CqlType):
    """text (varchar) and ascii. Values: str."""

    literals = ("string",)

    def __init__(self, name, code, encoding, java_class):
        self.name, self.code, self._encoding, self.java_class = name, code, encoding, java_class
        self.accepted = ("ascii",) if name == "text" else ()

    def serialize(self, value):
        try:
            return value.encode(self._encoding)
        except UnicodeEncodeError:
            if self.name == "ascii":
                raise InvalidRequest(_NOT_ASCII) from None
            raise InvalidRequest("String didn't validate.") from None

    def deserialize(self, data):
        return None if data is None else data.decode(self._encoding)

    def validate(self, data):
        try:
            data.decode(self._encoding)
        except UnicodeDecodeError as error:
            if self.name == "ascii":
                raise InvalidRequest(f"Invalid byte for ascii: {data[error.start] - 256}") from None  # Java's bytes are signed
            raise InvalidRequest("String didn't validate.") from None

    def format(self, data):
        return data.decode(self._encoding)

    def parse(self, text):
        return self.serialize(text)

    def to_json(self, data):
        return json.dumps(self.format(data), ensure_ascii=False)

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a UTF-8 string" if self.name == "text" else "an ascii string", value)
        return self.serialize(value)


class Blob(CqlType):
    """Any bytes. Values: bytes."""

    name, code, java_class, literals = "blob", 0x0003, "BytesType", ("hex",)

    def serialize(self, value):
        return bytes(value)

    def deserialize(self, data):
        return data

    def format(self, data):
        return "0x" + data.hex()

    def parse(self, text):
        text = text[2:] if text[:2] in ("0x", "0X") else text
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise InvalidRequest(f"cannot parse '{text}' as hex bytes") from None

    def accepts(self, other):
        """Say yes to every type: a blob takes any bytes."""
        return True

    def to_json(self, data):
        return f'"0x{data.hex()}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise InvalidRequest(f"Value '{value}' is not a valid blob representation: not a string")
        if not value.startswith("0x"):
            raise InvalidRequest(f"String representation of blob is missing 0x prefix: {value}")
        try:
            return bytes.fromhex(value[2:])
        except ValueError:
            raise InvalidRequest(f"Value '{value}' is not a valid blob representation: An hex string must be even") from None


class Uuid(CqlType):
    """UUIDs of any version. Values: uuid.UUID. Ordered by version, those of version 1 by their time."""

    name, code, java_class, literals, fixed_length = "uuid", 0x000C, "UUIDType", ("uuid",), 16
    accepted = ("timeuuid",)

    def serialize(self, value):
        return value.bytes

    def deserialize(self, data):
        return uuid.UUID(bytes=data) if data else None

    def sort_key(self, data):
        if not data:
            return data
        version = data[6] >> 4
        return bytes((version,)) + (time_bytes(data) + data[8:] if version == 1 else data)

    def validate(self, data):
        if len(data) not in (16, 0):
            raise InvalidRequest(f"UUID should be 16 or 0 bytes ({len(data)})")

    def format(self, data):
        return str(uuid.UUID(bytes=data)) if data else ""

    def parse(self, text):
        if not _UUID.fullmatch(text):
            raise InvalidRequest(f"Unable to make UUID from '{text}'")
        return bytes.fromhex(text.replace("-", ""))

    def to_json(self, data):
        return f'"{self.format(data)}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of a uuid", value)
        return self.from_text(value)


class TimeUuid(Uuid):
    """UUIDs of version 1. Ordered by their time, then by the rest as signed bytes."""

    name, code, java_class, accepted = "timeuuid", 0x000F, "TimeUUIDType", ()

    def sort_key(self, data):
        return time_bytes(data) + data[8:].translate(_SIGNED) if data else data

    def validate(self, data):
        super().validate(data)
        if data and data[6] >> 4 != 1:
            raise InvalidRequest(f"Invalid version for TimeUUID type: 0x{data[0] >> 4:x}")  # Cassandra prints the first byte, too

    def parse(self, text):
        if not _UUID.fullmatch(text):
            raise InvalidRequest(f"Unknown timeuuid representation: {text}")
        data = super().parse(text)
        if data[6] >> 4 != 1:
            raise InvalidRequest("TimeUUID supports only version 1 UUIDs")
        return data

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of a timeuuid", value)
        return self.from_text(value)


class Inet(CqlType):
    """Addresses of IPv4 (4 bytes) and IPv6 (16 bytes). Values: ipaddress.IPv4Address or IPv6Address."""

    name, code, java_class, literals = "inet", 0x0010, "InetAddressType", ("string",)

    def serialize(self, value):
        return ipaddress.ip_address(value).packed

    def deserialize(self, data):
        return ipaddress.ip_address(data) if data else None

    def validate(self, data):
        if len(data) not in (0, 4, 16):
            raise InvalidRequest(f"Expected 4 or 16 byte inetaddress; got {data.hex()}")

    def format(self, data):
        """Return the address as Java prints it: IPv6 with all its groups."""
        if len(data) == 16:
            return ":".join(f"{int.from_bytes(data[i : i + 2], 'big'):x}" for i in range(0, 16, 2))
        return str(ipaddress.ip_address(data)) if data else ""

    def parse(self, text):
        try:
            return _address(text)
        except (ValueError, OverflowError):
            raise InvalidRequest(f"Unable to make inet address from '{text}'") from None

    def to_json(self, data):
        return f'"{self.format(data)}"'

    def from_json(self, value):
        if not isinstance(value, str):
            raise unexpected("a string representation of an inet value", value)
        return self.from_text(value)


def _address(text):
    """Return the bytes of an address as Java reads it: 1.2 is 1.0.0.2, ::ffff:1.2.3.4 is 1.2.3.4. Raises ValueError, OverflowError."""
    if text == "localhost":
        text = "127.0.0.1"
    if _IPV4.fullmatch(text):
        *first, last = map(int, text.split("."))
        return bytes(first) + last.to_bytes(4 - len(first), "big")
    address = ipaddress.IPv6Address(text.partition("%")[0])
    return (address.ipv4_mapped or address).packed


def time_bytes(data):
    """Return the 8 bytes of a UUID of version 1 that order it by time: the 60 bits of the time in their order."""
    return bytes((data[6] & 0x0F,)) + data[7:8] + data[4:6] + data[0:4]


def time_of(data):
    """Return the time of a UUID of version 1: units of 100 ns since 1582-10-15."""
    return int.from_bytes(time_bytes(data), "big")


TEXT = Text("text", 0x000D, "utf-8", "UTF8Type")
ASCII = Text("ascii", 0x0001, "ascii", "AsciiType")
BLOB = Blob()
UUID = Uuid()
TIMEUUID = TimeUuid()
INET = Inet()
