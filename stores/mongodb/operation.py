"""What commands hand to the engine with each call, and what the engine hands back."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from stores.mongodb.errors import MongoError


@dataclass
class Stats:
    """What the engine looked at: documents read from collections and keys read from indexes, so far."""

    documents_examined: int = 0
    keys_examined: int = 0


@dataclass
class Operation:
    """The options that every operation shares.

    `transaction` is an engine's Transaction or None; `let` the variables of the command; `collation` its document;
    `hint` an index by name or by key pattern; `now` naive UTC, the engine's time when None; `max_time` in seconds.
    `min` and `max` are bounds of an index scan, as find takes them, `record_id` and `return_key` its showRecordId and returnKey.
    """

    transaction: Any = None
    let: dict | None = None
    collation: dict | None = None
    hint: str | dict | None = None
    comment: Any = None
    max_time: float | None = None
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
