"""Paging states: where a page ended, so that the next one starts behind it whatever was written in between."""

import struct
from typing import NamedTuple

from stores.cassandra.errors import ProtocolException
from stores.cassandra.storage import after

_NONE = 0xFFFFFFFF


class PageEnd(NamedTuple):
    """The last row of a page: its partition, its clustering values (None: the whole partition is done).

    `left` is what remains of the LIMIT, `in_partition` how many rows (or groups) of that partition were given out.
    """

    token: int
    key: tuple
    clustering: tuple | None
    left: int | None
    in_partition: int

    def encode(self):
        clustering = self.clustering
        head = struct.pack(
            ">qIIIH",
            self.token,
            _NONE if self.left is None else self.left,
            self.in_partition,
            _NONE if clustering is None else len(clustering),
            len(self.key),
        )
        return head + b"".join(struct.pack(">I", len(value)) + value for value in (*self.key, *(clustering or ())))

    @classmethod
    def decode(cls, state):
        """Return the PageEnd in a paging state, or raise ProtocolException."""
        try:
            token, left, in_partition, width, keys = struct.unpack_from(">qIIIH", state)
            values, at = [], struct.calcsize(">qIIIH")
            for _ in range(keys + (0 if width == _NONE else width)):
                (length,) = struct.unpack_from(">I", state, at)
                values.append(bytes(state[at + 4 : at + 4 + length]))
                at += 4 + length
            if at != len(state):
                raise ValueError
        except (struct.error, ValueError):
            raise ProtocolException("Invalid value for the paging state") from None
        clustering = None if width == _NONE else tuple(values[keys:])
        return cls(token, tuple(values[:keys]), clustering, None if left == _NONE else left, in_partition)


def behind(slices, position, backwards):
    """Return the part of the slices that comes after the row at `position`."""
    left = []
    for start, end in slices:
        first, last = (start, min(end, position)) if backwards else (max(start, after(position)), end)
        if first < last:
            left.append((first, last))
    return tuple(left)
