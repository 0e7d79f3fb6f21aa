"""What is asked of the planner."""

from dataclasses import dataclass, field
from typing import Any

from stores.mongodb.operation import Stats, TimeLimit
from stores.mongodb.query import Query


@dataclass
class Request:
    """The part of a command that decides which documents are looked at.

    `needs` is the set of paths that the answer is made of (None: the whole documents); `purpose` is "find", "count" or
    "distinct" (with `distinct` its path), which may do with keys alone. `text` is the search of a $text.
    """

    filter: dict
    query: Query
    sort: dict | None = None
    skip: int = 0
    limit: int = 0
    projection_spec: dict | None = None
    needs: set | None = None
    purpose: str = "find"
    distinct: str | None = None
    fold: Any = None
    collation: dict | None = None
    hint: Any = None
    min: dict | None = None
    max: dict | None = None
    allow_disk: bool = True
    text: Any = None  # the TextSearch of a $text
    metadata: Any = None  # document -> values of $meta
    explaining: bool = False
    time_limit: TimeLimit | None = None
    stats: Stats = field(default_factory=Stats)
