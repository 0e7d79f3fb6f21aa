"""What goes into the engine with a statement and what comes out: options, results, facts."""

import enum
from dataclasses import dataclass, field
from typing import NamedTuple


class Consistency(enum.IntEnum):
    """Consistency levels by their numbers in the native protocol."""

    ANY = 0
    ONE = 1
    TWO = 2
    THREE = 3
    QUORUM = 4
    ALL = 5
    LOCAL_QUORUM = 6
    EACH_QUORUM = 7
    SERIAL = 8
    LOCAL_SERIAL = 9
    LOCAL_ONE = 10


class _Unset:
    """The value of a bind marker that the client left unset: nothing is written."""

    def __repr__(self):
        return "UNSET"


UNSET = _Unset()


class BindColumn(NamedTuple):
    """What a bind marker stands for: the column that receives it, or a made-up name such as [limit]."""

    keyspace: str
    table: str
    name: str
    type: object  # CqlType


class ResultColumn(NamedTuple):
    keyspace: str
    table: str
    name: str
    type: object  # CqlType


@dataclass
class Facts:
    """What one statement did, for the record and for tracing. `partitions` lists (table, key, bytes read of it)."""

    partitions: list = field(default_factory=list)
    rows: int = 0  # live rows read
    tombstones: int = 0
    filtered: int = 0  # rows read in vain: ALLOW FILTERING
    mutations: int = 0
    events: list = field(default_factory=list)  # texts, as in a trace


@dataclass
class Trace:
    """A wish to trace: the session's id (uuid) and who asks (an IP address as text)."""

    id: object
    client: str = "127.0.0.1"


@dataclass
class Options:
    """The query parameters of the native protocol. `timestamp` in microseconds, `now_seconds` for tests of TTLs."""

    consistency: Consistency = Consistency.ONE
    serial_consistency: Consistency = Consistency.SERIAL
    page_size: int = 0  # 0: everything at once
    paging_state: bytes | None = None
    timestamp: int | None = None
    now_seconds: int | None = None
    skip_metadata: bool = False
    tracing: Trace | None = None


@dataclass
class Result:
    """Base of the results; `warnings` are texts for the client."""

    facts: Facts = field(default_factory=Facts, kw_only=True)
    warnings: list = field(default_factory=list, kw_only=True)


@dataclass
class Void(Result):
    """Nothing to tell."""


@dataclass
class Rows(Result):
    """`columns` are ResultColumns, `rows` lists of serialised values or None; `paging_state` is None on the last page."""

    columns: list
    rows: list
    paging_state: bytes | None = None


@dataclass
class SetKeyspace(Result):
    keyspace: str


@dataclass
class SchemaChange(Result):
    """`change` is CREATED, UPDATED or DROPPED; `target` KEYSPACE, TABLE, TYPE, FUNCTION or AGGREGATE."""

    change: str
    target: str
    keyspace: str
    name: str = ""
    arguments: tuple = ()
