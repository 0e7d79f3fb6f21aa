"""What exists: keyspaces, tables, columns, user types, indexes and views. The DDL statements change it (execute/ddl)."""

import time
import unicodedata
import uuid

from stores.cassandra.cql.nodes import quoted
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.types import descending

PARTITION_KEY, CLUSTERING, STATIC, REGULAR = "partition_key", "clustering", "static", "regular"
LOCAL = frozenset({"system", "system_schema"})  # read by each node from its own store
VIRTUAL = frozenset({"system_views", "system_virtual_schema"})
REPLICATED_SYSTEM = frozenset({"system_auth", "system_distributed", "system_traces"})
SYSTEM = LOCAL | VIRTUAL | REPLICATED_SYSTEM  # none of them ever goes to the cluster: see engine.py

DEFAULT_OPTIONS = {
    "additional_write_policy": "99p",
    "allow_auto_snapshot": True,
    "bloom_filter_fp_chance": 0.01,
    "caching": {"keys": "ALL", "rows_per_partition": "NONE"},
    "cdc": None,
    "comment": "",
    "compaction": {
        "class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy",
        "max_threshold": "32",
        "min_threshold": "4",
    },
    "compression": {"chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor"},
    "crc_check_chance": 1.0,
    "default_time_to_live": 0,
    "extensions": {},
    "gc_grace_seconds": 864_000,
    "incremental_backups": True,
    "max_index_interval": 2048,
    "memtable": None,
    "memtable_flush_period_in_ms": 0,
    "min_index_interval": 128,
    "read_repair": "BLOCKING",
    "speculative_retry": "99p",
}


class Column:
    """A column: its `kind`, its place in the key (-1 for others), whether it is sorted descending.

    `written` is the name of the type as the statement wrote it, from which the type is made again when a
    user type in it changes.
    """

    __slots__ = ("descending", "kind", "mask", "name", "place", "type", "written")

    def __init__(self, name, type_, kind=REGULAR, place=-1, descending=False, written=None, mask=None):
        self.name = name
        self.type = type_
        self.kind = kind
        self.place = place
        self.descending = descending
        self.written = written
        self.mask = mask

    @property
    def is_key(self):
        return self.kind in (PARTITION_KEY, CLUSTERING)

    @property
    def order(self):
        """Return asc, desc or none, as system_schema.columns says it."""
        return "none" if self.kind != CLUSTERING else "desc" if self.descending else "asc"

    def __repr__(self):
        return f"Column({self.name!r}, {self.type}, {self.kind})"


class Index:
    """A secondary index on one column. `target` is simple, values, keys, entries or full."""

    def __init__(self, name, column, target, kind, options):
        self.name = name
        self.column = column
        self.target = target
        self.kind = kind  # COMPOSITES or CUSTOM
        self.options = options

    @property
    def is_sai(self):
        """Whether it is a storage-attached index."""
        return self.options.get("class_name", "").rsplit(".", 1)[-1].lower() in ("storageattachedindex", "sai")

    def analysed(self, value):
        """Return the serialised text as this index compares it: by its options without case, in one form, in ASCII."""
        text = value.decode()
        if self.options.get("case_sensitive", "true").lower() == "false":
            text = text.lower()
        if self.options.get("normalize", "false").lower() == "true":
            text = unicodedata.normalize("NFC", text)
        if self.options.get("ascii", "false").lower() == "true":
            text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        return text


class View:
    """What makes a table a materialized view: its base table, its WHERE clause, whether it selects *."""

    def __init__(self, base, where, include_all):
        self.base = base
        self.where = where
        self.include_all = include_all


class Table:
    """A table or materialized view. After a change of `columns`, `arrange()` makes the lists below again.

    `partition_key`, `clustering`, `static` and `regular` list the columns; `all` is the order of SELECT *.
    """

    def __init__(self, keyspace, name, columns, options=None, view=None):
        self.keyspace = keyspace
        self.name = name
        self.id = uuid.uuid4()
        self.columns = {column.name: column for column in columns}
        self.options = {**DEFAULT_OPTIONS, **(options or {})}
        self.indexes = {}
        self.views = []  # the materialized views on this table
        self.view = view
        self.dropped = {}  # name: (Column, when it was dropped in µs)
        self.arrange()

    def arrange(self):
        columns = sorted(self.columns.values(), key=lambda column: column.name.encode())
        self.partition_key = sorted((c for c in columns if c.kind == PARTITION_KEY), key=lambda c: c.place)
        self.clustering = sorted((c for c in columns if c.kind == CLUSTERING), key=lambda c: c.place)
        self.static = [c for c in columns if c.kind == STATIC]
        self.regular = [c for c in columns if c.kind == REGULAR]
        self.all = [*self.partition_key, *self.clustering, *self.static, *self.regular]
        self.is_counter = any(c.type.cql_name == "counter" for c in (*self.static, *self.regular))
        self._sort_keys = tuple(sort_key(column) for column in self.clustering)

    @property
    def gc_grace(self):
        return self.options["gc_grace_seconds"]

    @property
    def is_virtual(self):
        return self.keyspace in VIRTUAL

    def column(self, name):
        """Return a column by name, or raise InvalidRequest."""
        column = self.columns.get(name)
        if column is None:
            raise InvalidRequest(f"Undefined column name {quoted(name)} in table {self}")
        return column

    def position(self, clustering):
        """Return where a row with these serialised clustering values stands; a part of them gives a prefix."""
        return tuple(key(value) for key, value in zip(self._sort_keys, clustering, strict=False))

    def __str__(self):
        return f"{quoted(self.keyspace)}.{quoted(self.name)}"


def sort_key(column):
    """Return the function from a clustering column's serialised value to what the rows are sorted by."""
    plain = column.type.sort_key
    return (lambda value: descending(plain(value))) if column.descending else plain


class Keyspace:
    """A keyspace: `replication` maps class and options to texts, `types` user types by name."""

    def __init__(self, name, replication, durable_writes=True):
        self.name = name
        self.replication = replication
        self.durable_writes = durable_writes
        self.tables = {}  # materialized views too
        self.types = {}  # name: resolved user type
        self.written_types = {}  # name: ((field, type name), …) as written

    def index(self, name):
        """Return (table, index) of that name, or None."""
        for table in self.tables.values():
            if name in table.indexes:
                return table, table.indexes[name]
        return None


class Schema:
    """All keyspaces, shared by the engines of one cluster. `generation` grows with each change.

    `listeners` are called with the names of the keyspaces that changed.
    """

    def __init__(self, clock):
        self.clock = clock
        self.keyspaces = {}
        self.generation = 0
        self.version = uuid.uuid4()
        self.listeners = []
        self.views_enabled = False  # materialized views are off unless cassandra.yaml enables them
        self._last = 0

    def changed(self, *keyspaces):
        """Note that these keyspaces have changed."""
        self.generation += 1
        self.version = uuid.uuid4()
        for listener in self.listeners:
            listener(keyspaces)

    def timestamp(self):
        """Return microseconds since 1970, never the same twice, so that later writes win.

        It is the time of day and not the injected clock's: drivers send timestamps of their own, and the two must agree.
        """
        self._last = max(time.time_ns() // 1_000, self._last + 1)
        return self._last

    def keyspace(self, name):
        """Return a keyspace by name, or raise InvalidRequest as statements on data do."""
        keyspace = self.keyspaces.get(name)
        if keyspace is None:
            raise InvalidRequest(f"Keyspace '{name}' does not exist")
        return keyspace

    def table(self, name, current):
        """Return the table that a statement's Name means; `current` is the session's keyspace."""
        keyspace = named_keyspace(name, current)
        if keyspace not in self.keyspaces:
            raise InvalidRequest(f"keyspace {keyspace} does not exist")
        table = self.keyspaces[keyspace].tables.get(name.name)
        if table is None:
            raise InvalidRequest(f"table {name.name} does not exist")
        return table

    def user_type(self, keyspace, name):
        """Return a user type or None: what types.resolve asks for."""
        found = self.keyspaces.get(keyspace)
        return found and found.types.get(name)


def named_keyspace(name, current):
    """Return the keyspace that a Name means: its own, else the session's."""
    keyspace = name.keyspace or current
    if not keyspace:
        raise InvalidRequest("No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
    return keyspace
