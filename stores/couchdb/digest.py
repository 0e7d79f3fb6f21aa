"""The digest of a revision: MD5 of what was edited, in Erlang's external term format, as CouchDB works it out.

The same edit of the same revision has the same name on every replica, so it is no conflict, and the names are those that
a real CouchDB gives. https://www.erlang.org/doc/apps/erts/erl_ext_dist.html names the tags.
"""

import struct
from hashlib import md5

NIL = b"j"


def revision(parent, body, deleted=False, attachments=()):
    """Return the name of the revision that follows `parent` (a name, or None for the first).

    `body` is the document without the members that begin with an underscore; `attachments` are (name, content type,
    MD5 as bytes) in order.
    """
    generation, digest = (0, 0) if parent is None else split(parent)
    old = 0 if parent is None else _raw(digest)
    edit = b"\x83" + _list([deleted, generation, old, body, list(attachments)])
    return f"{generation + 1}-{md5(edit, usedforsecurity=False).hexdigest()}"


def split(name):
    """'3-ab…' → (3, 'ab…'). Raises ValueError."""
    generation, dash, digest = name.partition("-")
    if not (dash and digest and generation.isascii() and generation.isdigit() and len(generation) < 10):
        raise ValueError(f"Invalid rev format: {name}")
    return int(generation), digest


def _raw(digest):
    """A digest is 16 bytes, written in hexadecimal; a replica may bring another, which is taken as it is."""
    try:
        return bytes.fromhex(digest) if len(digest) == 32 else digest.encode()
    except ValueError:
        return digest.encode()


def _term(value):
    if isinstance(value, bool) or value is None:
        return _atom({True: b"true", False: b"false", None: b"null"}[value])
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return b"F" + struct.pack(">d", value)
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return b"m" + struct.pack(">I", len(value)) + value
    if isinstance(value, dict):  # an object is a tuple that holds a list of pairs
        return b"h\x01" + _list([(name, each) for name, each in value.items()])
    if isinstance(value, tuple):
        return b"h" + bytes([len(value)]) + b"".join(map(_term, value))
    return _list(value)


def _list(values):
    if not values:
        return NIL
    # A list of small integers is a string to Erlang.
    if len(values) < 2**16 and all(type(value) is int and 0 <= value < 256 for value in values):
        return b"k" + struct.pack(">H", len(values)) + bytes(values)
    return b"l" + struct.pack(">I", len(values)) + b"".join(map(_term, values)) + NIL


def _atom(name):
    return b"d" + struct.pack(">H", len(name)) + name


def _integer(value):
    if 0 <= value < 256:
        return b"a" + bytes([value])
    if -(2**31) <= value < 2**31:
        return b"b" + struct.pack(">i", value)
    size = (abs(value).bit_length() + 7) // 8
    head = b"n" + bytes([size]) if size < 256 else b"o" + struct.pack(">I", size)
    return head + bytes([value < 0]) + abs(value).to_bytes(size, "little")
