"""HBase's data model: sorted rows, column families, versions of cells by timestamp, and deletes that are markers.

Rows, families, qualifiers and values are bytes; timestamps are milliseconds. A read sees at most the family's
`maxVersions` versions of a cell that are neither expired (TTL) nor hidden by a marker. A marker hides what is as old as
itself or older, also if it is written later, until a major compaction removes the marker.
"""

import hashlib
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

FOREVER = 2**31 - 1  # a TTL in seconds, as HBase tells it
LONG = 2**63
LONGEST_ROW = 2**15 - 1
SPARE = 64  # versions of a cell beyond the family's, which HBase keeps too until it compacts


class Failure(Exception):
    """What HBase refuses.

    `kind` is that of the Thrift exception: io, ia (illegal argument) or exist.
    """

    def __init__(self, words, java="", kind="io"):
        super().__init__(f"{java}: {words}" if java else words)
        self.kind = kind


def illegal(words):
    return Failure(words, "java.lang.IllegalArgumentException", "ia")


@dataclass
class Family:
    """A column family: `ttl` in seconds, None for ever; `options` are those that change nothing here."""

    name: bytes
    versions: int = 3
    ttl: int | None = None
    options: dict = field(default_factory=dict)


class Row:
    """The cells of one row and the markers of its deletes."""

    def __init__(self):
        self.cells = {}  # (family, qualifier): [(timestamp, value), …], latest first
        self.deleted = {}  # (family, qualifier or None for all): the timestamp up to which cells are hidden

    def put(self, family, qualifier, timestamp, value):
        if timestamp <= self._hidden_up_to(family.name, qualifier):
            return
        versions = self.cells.setdefault((family.name, qualifier), [])
        versions[:] = [version for version in versions if version[0] != timestamp]
        insort(versions, (timestamp, value), key=lambda version: -version[0])
        if len(versions) > family.versions + SPARE:
            del versions[family.versions :]

    def delete(self, family, qualifier, timestamp):
        """Hide the versions up to `timestamp` of one column, or of the family when qualifier is None."""
        place = family, qualifier
        self.deleted[place] = max(timestamp, self.deleted.get(place, -LONG))
        for column in [column for column in self.cells if column[0] == family and qualifier in (None, column[1])]:
            kept = [version for version in self.cells.pop(column) if version[0] > timestamp]
            if kept:
                self.cells[column] = kept

    def _hidden_up_to(self, family, qualifier):
        return max(self.deleted.get(place, -LONG) for place in ((family, qualifier), (family, None)))


class Table:
    """Rows by key, in order of the keys' bytes. `splits` are the first keys of all regions but the first."""

    def __init__(self, name, families, created):
        self.name = name
        self.families = {family.name: family for family in families}
        self.enabled = True
        self.created = created
        self.splits = []
        self.rows = {}
        self.keys = []

    def row(self, key):
        """Return the row, made if need be."""
        if key not in self.rows:
            self.rows[key] = Row()
            insort(self.keys, key)
        return self.rows[key]

    def family(self, name):
        if name not in self.families:
            words = f"Column family {text(name)} does not exist in region {text(self.region_name(b''))} in table '{text(self.name)}'"
            raise Failure(words, "org.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException")
        return self.families[name]

    def region(self, key):
        """Return the first key of the region that a row lies in."""
        place = bisect_right(self.splits, key)
        return self.splits[place - 1] if place else b""

    def region_name(self, start):
        name = b"%s,%s,%d" % (self.name, start, self.created)
        return b"%s.%s." % (name, hashlib.md5(name, usedforsecurity=False).hexdigest().encode())

    def read(self, key, columns, newest, now, versions=1):
        """Return [(family:qualifier, [(timestamp, value), …]), …] of a row, in order; empty when it has nothing to show.

        `columns` are (family, qualifier or None) or None for all; only versions before `newest` are seen.
        """
        row = self.rows.get(key)
        found = []
        for family, qualifier in sorted(row.cells if row else ()):
            if columns and (family, qualifier) not in columns and (family, None) not in columns:
                continue
            known = self.families[family]
            oldest = -LONG if known.ttl is None else now - 1000 * known.ttl
            seen = [version for version in row.cells[family, qualifier] if oldest <= version[0] < newest]
            if seen:
                found.append((family + b":" + qualifier, seen[: min(versions, known.versions)]))
        return found

    def compact(self):
        """Forget the markers of deletes and the versions beyond the families', as a major compaction does."""
        for row in self.rows.values():
            row.deleted.clear()
            for (family, _), versions in row.cells.items():
                del versions[self.families[family].versions :]
        self.rows = {key: row for key, row in self.rows.items() if row.cells}
        self.keys = sorted(self.rows)


class Engine:
    """The tables, and a clock. Two writes never get the same timestamp: the second one is a millisecond later."""

    def __init__(self, clock):
        self._clock = clock
        self.tables = {}
        self._last = 0

    def now(self):
        """Milliseconds since 1970."""
        return int(1000 * self._clock.now())

    def stamp(self):
        """Return the timestamp of a write that brings none."""
        self._last = max(self.now(), self._last + 1)
        return self._last

    def clear(self):
        self.tables.clear()
        self._last = 0

    # Tables.

    def create(self, name, families):
        """Make a table. Raises Failure: the name is taken or not allowed, there is no family."""
        name = table_name(name)
        if name in self.tables:
            raise Failure("table name already in use", kind="exist")
        if not families:
            raise Failure("Table should have at least one column family.", "org.apache.hadoop.hbase.DoNotRetryIOException")
        self.tables[name] = Table(name, families, self.now())

    def table(self, name, enabled=True):
        """Return a table. Raises Failure: there is none, or it is disabled (unless that does not matter)."""
        table = self.tables.get(table_name(name))
        if table is None:
            raise Failure(text(name), "org.apache.hadoop.hbase.TableNotFoundException")
        if enabled and not table.enabled:
            raise Failure(f"{text(name)} is disabled.", "org.apache.hadoop.hbase.TableNotEnabledException")
        return table

    def set_enabled(self, name, enabled):
        table = self.table(name, enabled=False)
        if table.enabled == enabled:
            if enabled:
                raise Failure(f"tableName={text(name)}, state=ENABLED", "org.apache.hadoop.hbase.TableNotDisabledException")
            raise Failure(text(name), "org.apache.hadoop.hbase.TableNotEnabledException")
        table.enabled = enabled

    def delete(self, name):
        if table_name(name) not in self.tables:
            raise Failure("table does not exist", "java.io.IOException")
        if self.table(name, enabled=False).enabled:
            words = f"Not DISABLED; tableName={text(name)}, state=ENABLED"
            raise Failure(words, "org.apache.hadoop.hbase.TableNotDisabledException")
        del self.tables[table_name(name)]

    # Writes.

    def put(self, table, key, puts, timestamp):
        """Write [(family, qualifier, value), …] of one row, all or none."""
        check_row(key, timestamp)
        families = [table.family(family) for family, _, _ in puts]
        if puts:
            row = table.row(key)
            for family, (_, qualifier, value) in zip(families, puts, strict=True):
                row.put(family, qualifier, timestamp, value)

    def remove(self, table, key, columns, timestamp):
        """Delete [(family, qualifier or None), …] of one row up to a timestamp, all or none."""
        check_row(key, timestamp)
        for family, _ in columns:
            table.family(family)
        if columns:
            row = table.row(key)
            for family, qualifier in columns:
                row.delete(family, qualifier, timestamp)

    def increment(self, table, key, family, qualifier, amount):
        """Add to a counter of 8 bytes and return what it is then; it wraps around as a Java long."""
        check_row(key)
        table.family(family)
        old = self.latest(table, key, family, qualifier)
        if old is not None and len(old) != 8:
            raise Failure(f"Field is not a long, it's {len(old)} bytes wide", "org.apache.hadoop.hbase.DoNotRetryIOException")
        total = (int.from_bytes(old or b"", "big", signed=True) + amount + LONG) % (2 * LONG) - LONG
        self.put(table, key, [(family, qualifier, total.to_bytes(8, "big", signed=True))], self.stamp())
        return total

    def latest(self, table, key, family, qualifier):
        """Return the latest value of a cell, or None."""
        found = table.read(key, {(family, qualifier)}, LONG, self.now())
        return found[0][1][0][1] if found else None


class Scanner:
    """Goes through a range of a table's rows, in either direction. It sees what is written ahead of it."""

    def __init__(self, engine, table, start=b"", stop=b"", columns=None, newest=LONG, reverse=False, filter=None, sort=False, batch=0):
        for family, _ in columns or ():
            table.family(family)
        self._engine, self._table = engine, table
        self._start, self._stop, self._reverse = start, stop, reverse
        self._columns, self._newest, self._filter = columns, newest, filter
        if filter is not None:
            filter.begin(reverse)
        self.sort = sort
        self._batch = batch  # cells of a row that a result has at most; 0: all
        self._last = None  # the row that was read last
        self._rest = []  # results of it that did not fit

    @property
    def table(self):
        return self._table

    def next(self, count, read):
        """Return up to `count` results (key, cells), empty at the end. `read` gets the key of each row that is looked at."""
        results, self._rest = self._rest[:count], self._rest[count:]
        while len(results) < count and (key := self._next_key()) is not None:
            self._last = key
            read(key)
            cells = [(column, versions[0]) for column, versions in self._read(key)]
            if self._filter is not None and cells:
                cells = self._filter.row(key, cells)
            size = self._batch or len(cells)
            parts = [(key, cells[place : place + size]) for place in range(0, len(cells), size or 1)]
            room = count - len(results)
            results += parts[:room]
            self._rest = parts[room:]
        return results

    def _read(self, key):
        return self._table.read(key, self._columns, self._newest, self._engine.now())

    def _next_key(self):
        """Where it was and where it goes on: the table may have changed since."""
        keys = self._table.keys
        if self._filter is not None and self._filter.done:
            return None
        if self._reverse:
            if self._last is not None:
                place = bisect_left(keys, self._last)
            else:
                place = bisect_right(keys, self._start) if self._start else len(keys)
            key = keys[place - 1] if place else None
            return None if key is None or (self._stop and key <= self._stop) else key
        place = bisect_right(keys, self._last) if self._last is not None else bisect_left(keys, self._start)
        key = keys[place] if place < len(keys) else None
        return None if key is None or (self._stop and key >= self._stop) else key


def table_name(name):
    """Return a table's name without the namespace `default`, the only one there is. Raises Failure."""
    namespace, _, qualifier = name.rpartition(b":")
    if namespace and not namespace.replace(b"_", b"").isalnum():
        raise illegal(f"Namespaces may only contain 'alphanumeric characters' from any language and digits: {text(namespace)}")
    if namespace not in (b"", b"default"):
        raise Failure(text(namespace), "org.apache.hadoop.hbase.NamespaceNotFoundException")
    if not qualifier:
        raise illegal("Table qualifier must not be empty")
    for place, char in enumerate(qualifier.decode(errors="replace")):
        if place == 0 and char in "-.":
            words = f"Illegal first character <{ord(char)}> at 0. User-space table qualifiers can only start with"
            raise illegal(f"{words} 'alphanumeric characters' from any language: {text(name)}")
        if not char.isalnum() and char not in "_-.":
            words = f"Illegal character code:{ord(char)}, <{char}> at {place}. User-space table qualifiers may only contain"
            raise illegal(f"{words} 'alphanumeric characters' and digits: {text(name)}")
    return qualifier


def check_family(name):
    """Raise Failure unless a column family may be called so."""
    if not name:
        raise illegal("Column Family name can not be empty")
    if name.startswith(b"."):
        raise illegal(f"Column Family names cannot start with a period: {text(name)}")
    for code in name:
        if code < 32 or code in b":\\/" or 127 <= code < 160:
            words = f"Illegal character <{code}>. Column Family names cannot contain control characters or colons"
            raise illegal(f"{words}: {text(name)}")


def check_row(key, timestamp=0):
    if timestamp < 0:
        raise illegal(f"Timestamp cannot be negative. ts={timestamp}")
    if not key:
        raise illegal("Row length is 0")
    if len(key) > LONGEST_ROW:
        raise illegal(f"Row length {len(key)} is > {LONGEST_ROW}")


def text(data):
    """Bytes as HBase writes them in its messages: \\x00 for what is not printable."""
    return "".join(chr(code) if 32 <= code < 127 else f"\\x{code:02X}" for code in data)
