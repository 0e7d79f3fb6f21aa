"""The parts that statements are made of: names, terms, selectors, relations.

`str(node)` is the node as CQL, in the form in which Cassandra quotes it in error messages.
Terms and selectors share their classes: what may stand where is the parser's business.
"""

import re
from dataclasses import dataclass

node = dataclass(frozen=True, slots=True)

RESERVED = frozenset(
    """add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries
    execute from full grant if in index infinity insert into is keyspace limit materialized modify nan
    norecursive not null of on or order primary rename revoke schema select set table to token truncate unlogged update
    use using view where with""".split()
)
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def quoted(name):
    """Return `name` as it must be written in CQL: in double quotes unless it is a plain word in small letters."""
    if _PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def joined(items):
    return ", ".join(map(str, items))


# --- names ----------------------------------------------------------------------------------------------------------


@node
class Name:
    """The name of a table, view, index, type or function; `keyspace` is None where the text names none."""

    keyspace: str | None
    name: str

    def __str__(self):
        return self.name if self.keyspace is None else f"{self.keyspace}.{self.name}"


# --- terms ----------------------------------------------------------------------------------------------------------


@node
class Constant:
    """A literal: `kind` is string, integer, float, boolean, uuid, hex or duration; `text` is its text (strings: unquoted)."""

    kind: str
    text: str

    def __str__(self):
        return f"'{self.text}'" if self.kind == "string" else self.text


@node
class Null:
    """null"""

    def __str__(self):
        return "NULL"


@node
class BindMarker:
    """`?` (name None) or `:name`. `index` is its place among the statement's markers, from 0."""

    index: int
    name: str | None = None

    def __str__(self):
        return "?"


@node
class ListLiteral:
    """[a, b]: a list or, by the type of what receives it, a vector."""

    items: tuple

    def __str__(self):
        return f"[{joined(self.items)}]"


@node
class SetLiteral:
    """{a, b}. The empty {} is this one too and may also become an empty map or user type."""

    items: tuple

    def __str__(self):
        return f"{{{joined(self.items)}}}"


@node
class MapLiteral:
    """{k: v, …}: `entries` are pairs of terms."""

    entries: tuple

    def __str__(self):
        return "{" + ", ".join(f"{key}: {value}" for key, value in self.entries) + "}"


@node
class UserTypeLiteral:
    """{field: value, …}: `fields` are pairs of a name and a term."""

    fields: tuple

    def __str__(self):
        return "{" + ", ".join(f"{name}: {value}" for name, value in self.fields) + "}"


@node
class TupleLiteral:
    """(a, b). As a term also (a); as a selector at least two."""

    items: tuple

    def __str__(self):
        return f"({joined(self.items)})"


@node
class FunctionCall:
    """f(a, b) or ks.f(a, b); count(*) and count(1) are the function `countrows` without arguments."""

    name: Name
    arguments: tuple

    def __str__(self):
        return f"{self.name}({joined(self.arguments)})"


@node
class Cast:
    """CAST (term AS type): converts."""

    term: "Term"
    type: object  # a name of typenames.py

    def __str__(self):
        return f"cast({self.term} as {self.type})"


@node
class TypeHint:
    """(type)term: says which type is meant, converts nothing."""

    type: object  # a name of typenames.py
    term: "Term"

    def __str__(self):
        return f"({self.type}){self.term}"


@node
class Operation:
    """left + right, and so with - * / %."""

    operator: str
    left: "Term"
    right: "Term"

    def __str__(self):
        return f"{self.left} {self.operator} {self.right}"


@node
class Negation:
    """-term, where term is no number."""

    term: "Term"

    def __str__(self):
        return f"-{self.term}"


# --- selectors: any term, and these -----------------------------------------------------------------------------------


@node
class Column:
    """A column, by name."""

    name: str

    def __str__(self):
        return self.name


@node
class FieldOf:
    """selector.field of a user type."""

    selector: "Selector"
    field: str

    def __str__(self):
        return f"{self.selector}.{self.field}"


@node
class ElementOf:
    """selector[key] of a map or set (or vector)."""

    selector: "Selector"
    key: "Term"

    def __str__(self):
        return f"{self.selector}[{self.key}]"


@node
class SliceOf:
    """selector[start..end] of a map or set; an open end is None."""

    selector: "Selector"
    start: "Term | None"
    end: "Term | None"

    def __str__(self):
        return f"{self.selector}[{'' if self.start is None else self.start}..{'' if self.end is None else self.end}]"


@node
class WritetimeOrTtl:
    """writetime(column), maxwritetime(column), ttl(column): `function` is the name; the selector may be an element, slice or field."""

    function: str
    selector: "Selector"

    def __str__(self):
        return f"{self.function}({self.selector})"


@node
class Selection:
    """One item of the SELECT clause, with its alias (AS) or None."""

    selector: "Selector"
    alias: str | None = None


Term = (
    Constant | Null | BindMarker | ListLiteral | SetLiteral | MapLiteral | UserTypeLiteral | TupleLiteral | FunctionCall
    | Cast | TypeHint | Operation | Negation
)  # fmt: skip
Selector = Term | Column | FieldOf | ElementOf | SliceOf | WritetimeOrTtl


# --- relations of WHERE and conditions of IF --------------------------------------------------------------------------
# Operators are texts: = < <= > >= != IN CONTAINS "CONTAINS KEY" LIKE "IS NOT" (null).


@node
class InValues:
    """The values after IN: (a, b). IN ? is a BindMarker instead, whose type is a list."""

    items: tuple

    def __str__(self):
        return f"({joined(self.items)})"


@node
class ColumnRelation:
    """column operator value, as in a = 1, a IN (1, 2), a CONTAINS KEY 3, a IS NOT null."""

    column: str
    operator: str
    value: Term | InValues

    def __str__(self):
        return f"{self.column} {self.operator} {self.value}"


@node
class ElementRelation:
    """column[key] operator value"""

    column: str
    key: Term
    operator: str
    value: Term | InValues

    def __str__(self):
        return f"{self.column}[{self.key}] {self.operator} {self.value}"


@node
class TokenRelation:
    """token(columns) operator value"""

    columns: tuple
    operator: str
    value: Term

    def __str__(self):
        return f"token({joined(self.columns)}) {self.operator} {self.value}"


@node
class TupleRelation:
    """(columns) operator value: TupleLiteral or BindMarker; after IN InValues of these, or a BindMarker."""

    columns: tuple
    operator: str
    value: Term | InValues

    def __str__(self):
        return f"({joined(self.columns)}) {self.operator} {self.value}"


@node
class IndexExpression:
    """expr(index, term): asks a custom index."""

    index: Name
    term: Term

    def __str__(self):
        return f"expr({self.index}, {self.term})"


Relation = ColumnRelation | ElementRelation | TokenRelation | TupleRelation | IndexExpression


@node
class Condition:
    """One condition of IF: column operator value, column[element] …, or column.field …; element and field are None where absent."""

    column: str
    operator: str
    value: Term | InValues
    element: Term | None = None
    field: str | None = None
