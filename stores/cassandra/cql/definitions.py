"""The statements that define data: keyspaces, tables, user types, indexes, materialized views.

`properties` maps an option's name to its text, or to a dict of texts, as written after WITH.
"""

from collections.abc import Mapping
from dataclasses import field

from stores.cassandra.cql.nodes import FunctionCall, Name, Relation, Selection
from stores.cassandra.cql.statements import Statement, part, statement
from stores.cassandra.cql.typenames import TypeName

# --- data definition: keyspaces ---------------------------------------------------------------------------------------


@statement
class Use(Statement):
    keyspace: str


@statement
class CreateKeyspace(Statement):
    keyspace: str
    properties: Mapping[str, str | dict[str, str]]
    if_not_exists: bool = False


@statement
class AlterKeyspace(Statement):
    keyspace: str
    properties: Mapping[str, str | dict[str, str]]
    if_exists: bool = False


@statement
class DropKeyspace(Statement):
    keyspace: str
    if_exists: bool = False


# --- data definition: tables ------------------------------------------------------------------------------------------


@part
class ColumnDefinition:
    """One column; `mask` is the function call after MASKED WITH (DEFAULT is mask_default())."""

    name: str
    type: TypeName
    static: bool = False
    mask: FunctionCall | None = None


@statement
class CreateTable(Statement):
    """`clustering_order` has pairs (column, descending); `partition_key` is () when the text has no PRIMARY KEY."""

    table: Name
    columns: tuple[ColumnDefinition, ...]
    partition_key: tuple[str, ...]
    clustering_columns: tuple[str, ...] = ()
    clustering_order: tuple[tuple[str, bool], ...] = ()
    properties: Mapping[str, str | dict[str, str]] = field(default_factory=dict)
    compact_storage: bool = False
    if_not_exists: bool = False


@part
class AddColumns:
    columns: tuple[ColumnDefinition, ...]
    if_not_exists: bool = False


@part
class DropColumns:
    """`timestamp` (USING TIMESTAMP) is microseconds or None."""

    columns: tuple[str, ...]
    timestamp: int | None = None
    if_exists: bool = False


@part
class RenameColumns:
    """`renamed` has pairs (old, new)."""

    renamed: tuple[tuple[str, str], ...]
    if_exists: bool = False


@part
class AlterColumnType:
    """ALTER column TYPE type: no longer supported, the engine says so."""

    column: str
    type: TypeName


@part
class MaskColumn:
    """ALTER column MASKED WITH mask, or DROP MASKED (mask None)."""

    column: str
    mask: FunctionCall | None
    if_exists: bool = False


@part
class AlterProperties:
    properties: Mapping[str, str | dict[str, str]]


@part
class DropCompactStorage:
    pass


@statement
class AlterTable(Statement):
    table: Name
    change: AddColumns | DropColumns | RenameColumns | AlterColumnType | MaskColumn | AlterProperties | DropCompactStorage
    if_exists: bool = False


@statement
class DropTable(Statement):
    table: Name
    if_exists: bool = False


@statement
class Truncate(Statement):
    table: Name


# --- data definition: user types, indexes, views ----------------------------------------------------------------------


@statement
class CreateType(Statement):
    """`fields` has pairs (name, type)."""

    name: Name
    fields: tuple[tuple[str, TypeName], ...]
    if_not_exists: bool = False


@part
class AddField:
    field: str
    type: TypeName
    if_not_exists: bool = False


@part
class RenameFields:
    """`renamed` has pairs (old, new)."""

    renamed: tuple[tuple[str, str], ...]
    if_exists: bool = False


@part
class AlterFieldType:
    """ALTER field TYPE type: no longer supported, the engine says so."""

    field: str
    type: TypeName


@statement
class AlterType(Statement):
    name: Name
    change: AddField | RenameFields | AlterFieldType
    if_exists: bool = False


@statement
class DropType(Statement):
    name: Name
    if_exists: bool = False


@part
class IndexTarget:
    """What an index holds of a column: `kind` is values, keys, entries, full, or "" where the text says only the column."""

    column: str
    kind: str = ""


@statement
class CreateIndex(Statement):
    """`name` is None when Cassandra is to choose it; `using` is the class ('sai', 'StorageAttachedIndex', …) or None."""

    name: str | None
    table: Name
    targets: tuple[IndexTarget, ...]
    custom: bool = False
    using: str | None = None
    properties: Mapping[str, str | dict[str, str]] = field(default_factory=dict)
    if_not_exists: bool = False


@statement
class DropIndex(Statement):
    name: Name
    if_exists: bool = False


@statement
class CreateView(Statement):
    """`selections` is () for *; the rest as in CreateTable."""

    view: Name
    table: Name
    selections: tuple[Selection, ...]
    where: tuple[Relation, ...]
    partition_key: tuple[str, ...]
    clustering_columns: tuple[str, ...] = ()
    clustering_order: tuple[tuple[str, bool], ...] = ()
    properties: Mapping[str, str | dict[str, str]] = field(default_factory=dict)
    if_not_exists: bool = False


@statement
class AlterView(Statement):
    view: Name
    properties: Mapping[str, str | dict[str, str]]
    if_exists: bool = False


@statement
class DropView(Statement):
    view: Name
    if_exists: bool = False
