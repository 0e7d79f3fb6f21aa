"""What commands hand to the engine with each call, and what the engine hands back."""

from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any, NamedTuple

from stores.mongodb.errors import MongoError


@dataclass
class Stats:
    """What the engine looked at: documents read from collections and keys read from indexes, so far."""

    documents_examined: int = 0
    keys_examined: int = 0


class TimeLimit:
    """The time that a command and the later batches of its cursor may take together: maxTimeMS.

    It is work that is limited, so the machine's clock counts, not the engine's, and not while a cursor waits for its client.
    """

    def __init__(self, seconds):
        self.seconds = self._left = seconds
        self._end = inf

    def resume(self):
        """Begin to count."""
        self._end = monotonic() + self._left

    def rest(self):
        """Cease to count until resume()."""
        self._left, self._end = self._end - monotonic(), inf

    def check(self):
        """Raise MaxTimeMSExpired if the time is over."""
        if monotonic() > self._end:
            raise MongoError("MaxTimeMSExpired", "operation exceeded time limit")


@dataclass
class Operation:
    """The options that every operation shares.

    `transaction` is an engine's Transaction or None; `let` the variables of the command; `collation` its document;
    `hint` an index by name or by key pattern; `now` naive UTC, the engine's time when None; `time_limit` that of its plans.
    `min` and `max` are bounds of an index scan, as find takes them, `record_id` and `return_key` its showRecordId and returnKey.
    """

    transaction: Any = None
    let: dict | None = None
    collation: dict | None = None
    hint: str | dict | None = None
    comment: Any = None
    time_limit: TimeLimit | None = None
    now: datetime | None = None
    bypass_validation: bool = False
    allow_disk: bool = True
    min: dict | None = None
    max: dict | None = None
    record_id: bool = False
    return_key: bool = False
    stats: Stats = field(default_factory=Stats)


class Updated(NamedTuple):
    """What an update did. `upserted_id` counts when `upserted`."""

    matched: int
    modified: int
    upserted: bool = False
    upserted_id: Any = None


class Modified(NamedTuple):
    """What findAndModify did. `value` is the document before or after, projected, or None."""

    value: dict | None
    found: bool
    upserted: bool = False
    upserted_id: Any = None


class Blocked(MongoError):
    """A write outside transactions met a document that an open transaction has written; nothing was changed.

    A server waits until that transaction ends: the caller tries the same statement again for a while.
    """

    def __init__(self):
        super().__init__("WriteConflict", "the document is being written by an open transaction: commit or abort it first")
