"""The statements of CQL as frozen dataclasses: here those that read and write data.

`definitions.py` has those of keyspaces, tables, types, indexes and views, `administration.py` functions, triggers and roles.

Names are as the catalogue holds them (small letters unless quoted). Lists are tuples. An absent clause is None,
or an empty tuple where there may be many. Every statement has `markers`: its BindMarkers in the order of the text.
"""

from dataclasses import dataclass, field

from stores.cassandra.cql.nodes import BindMarker, Name, Relation, Selection, Selector, Term

statement = dataclass(frozen=True, slots=True)
part = dataclass(frozen=True, slots=True)


@statement
class Statement:
    """Base of all statements."""

    markers: tuple[BindMarker, ...] = field(default=(), kw_only=True)


# --- data manipulation ------------------------------------------------------------------------------------------------


@part
class Using:
    """USING TIMESTAMP … AND TTL …: terms or None."""

    timestamp: Term | None = None
    ttl: Term | None = None


@part
class OrderBy:
    """ORDER BY column [ASC | DESC], or column ANN OF vector (`ann_of`)."""

    column: str
    descending: bool = False
    ann_of: Term | None = None


@statement
class Select(Statement):
    """`selections` is () for *."""

    table: Name
    selections: tuple[Selection, ...] = ()
    where: tuple[Relation, ...] = ()
    distinct: bool = False
    json: bool = False
    group_by: tuple[Selector, ...] = ()
    order_by: tuple[OrderBy, ...] = ()
    per_partition_limit: Term | None = None
    limit: Term | None = None
    allow_filtering: bool = False


@statement
class Insert(Statement):
    table: Name
    columns: tuple[str, ...]
    values: tuple[Term, ...]
    if_not_exists: bool = False
    using: Using = Using()


@statement
class InsertJson(Statement):
    """`json` is a string Constant or a BindMarker; `default_unset` says that columns not named keep their value."""

    table: Name
    json: Term
    default_unset: bool = False
    if_not_exists: bool = False
    using: Using = Using()


@part
class SetColumn:
    """c = value"""

    column: str
    value: Term


@part
class AddToColumn:
    """c = c + value, c += value: numbers of counters, elements of collections"""

    column: str
    value: Term


@part
class SubtractFromColumn:
    """c = c - value, c -= value"""

    column: str
    value: Term


@part
class PrependToColumn:
    """c = value + c: lists"""

    column: str
    value: Term


@part
class SetElement:
    """c[key] = value"""

    column: str
    key: Term
    value: Term


@part
class SetField:
    """c.field = value"""

    column: str
    field: str
    value: Term


Assignment = SetColumn | AddToColumn | SubtractFromColumn | PrependToColumn | SetElement | SetField


@statement
class Update(Statement):
    """`if_exists` and `conditions` exclude each other."""

    table: Name
    assignments: tuple[Assignment, ...]
    where: tuple[Relation, ...]
    using: Using = Using()
    if_exists: bool = False
    conditions: tuple = ()


@part
class DeleteColumn:
    column: str


@part
class DeleteElement:
    """DELETE c[key]"""

    column: str
    key: Term


@part
class DeleteField:
    """DELETE c.field"""

    column: str
    field: str


@statement
class Delete(Statement):
    """`deletions` is () where whole rows go."""

    table: Name
    deletions: tuple[DeleteColumn | DeleteElement | DeleteField, ...]
    where: tuple[Relation, ...]
    using: Using = Using()
    if_exists: bool = False
    conditions: tuple = ()


@statement
class Batch(Statement):
    """`kind` is LOGGED, UNLOGGED or COUNTER. The markers of the statements inside are numbered through and listed here only."""

    kind: str
    statements: tuple[Insert | InsertJson | Update | Delete, ...]
    using: Using = Using()


# --- description ------------------------------------------------------------------------------------------------------


@statement
class Describe(Statement):
    """DESCRIBE: `what` is one of cluster, schema, keyspaces, tables, types, functions, aggregates (lists), or keyspace, table,
    type, index, view, function, aggregate (one `name`), or element (DESC name: whatever has that name).

    `full` is FULL SCHEMA; `only` is ONLY; a keyspace's `name` is Name(None, keyspace), or None for the current one.
    """

    what: str
    name: Name | None = None
    full: bool = False
    only: bool = False
    with_internals: bool = False
