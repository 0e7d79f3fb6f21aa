"""The rows of a partition as selections and conditions see them: only what is alive at one moment."""

import struct

from stores.cassandra.cells import EXPIRING, LIVE, NEVER, Cell, Row
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY, STATIC
from stores.cassandra.store import number, wrapped

EMPTY = Row()


class RowView:
    """One row with the static columns of its partition. `clustering` is None where only static columns exist."""

    __slots__ = ("cells", "clustering", "key", "now", "position", "statics", "token")

    def __init__(self, partition, position, row, statics, now):
        self.key = partition.key
        self.token = partition.token
        self.position = position
        self.clustering = row.clustering if position is not None else None
        self.cells = row.cells
        self.statics = statics
        self.now = now


def inspect(row, now):
    """Return whether the row exists, and how many tombstones its reader steps over, counted as Cassandra does."""
    marker, dead = row.live, 0
    live = marker is not None and (marker.kind == LIVE or marker.alive(now))
    for each in row.cells.values():
        if type(each) is Cell:
            if each.kind == LIVE or each.alive(now):
                live = True
            else:
                dead += 1
        else:
            alive = sum(inner.alive(now) for inner in each.cells.values())
            live = live or alive > 0
            dead += len(each.cells) - alive + (each.deleted is not NEVER and not alive)
    return live, dead if dead or live else 1


def reader(table, column):
    """Return the function from a RowView to the column's serialised value, or None."""
    name, place = column.name, column.place
    if column.kind == PARTITION_KEY:
        return lambda row: row.key[place]
    if column.kind == CLUSTERING:
        return lambda row: None if row.clustering is None else row.clustering[place]
    if is_complex(column):
        assemble, source = assembler(column.type), _source(column)

        def read_many(row):
            each = source(row).get(name)
            return None if each is None else assemble(each, row.now)

        return read_many
    if column.kind == STATIC:

        def read_static(row):
            each = row.statics.get(name)
            return each.value if each is not None and each.alive(row.now) else None

        return read_static

    def read(row):
        each = row.cells.get(name)
        if each is None or (each.kind and not (each.kind == EXPIRING and each.expires > row.now)):
            return None
        return each.value

    return read


def is_complex(column):
    """Return whether the column is stored as many cells."""
    return column.type.is_multicell or column.type.cql_name == "counter"


def _source(column):
    return (lambda row: row.statics) if column.kind == STATIC else (lambda row: row.cells)


def cell_reader(column):
    """Return the function from a RowView to the column's Cell or Complex, or None; what writetime and ttl look at."""
    name, source = column.name, _source(column)
    return lambda row: source(row).get(name)


def live_cells(type_, each, now):
    """Return the (path, cell) of a Complex that are alive, in the order of the collection."""
    alive = [item for item in each.cells.items() if item[1].alive(now)]
    if type_.kind in ("set", "map"):
        key = type_.elements[0].sort_key
        alive.sort(key=lambda item: key(item[0]))
    else:
        alive.sort()
    return alive


def assembler(type_):
    """Return the function (complex, now) that packs the cells which are alive into a value, None for none."""
    kind = type_.kind
    if kind == "native":  # a counter

        def total(each, now):
            counts = [number(cell.value) for cell in each.cells.values() if cell.alive(now)]
            return wrapped(sum(counts)) if counts else None

        return total

    def assemble(each, now):
        alive = live_cells(type_, each, now)
        if not alive:
            return None
        if kind == "map":
            return type_.pack([(path, cell.value) for path, cell in alive])
        if kind == "set":
            return type_.pack([path for path, _ in alive])
        if kind == "list":
            return type_.pack([cell.value for _, cell in alive])
        fields = dict(alive)
        places = (field_path(i) for i in range(len(type_.elements)))
        return type_.pack([fields[path].value if path in fields else None for path in places])

    return assemble


def field_path(place):
    """Return the path of a user type's field."""
    return struct.pack(">H", place)


def parts(type_, value, next_path):
    """Return the (path, value) pairs of which a collection or user type consists; next_path() makes those of a list."""
    items = type_.unpack(value)
    if type_.kind == "map":
        return items
    if type_.kind == "set":
        return [(item, b"") for item in items]
    if type_.kind == "list":
        return [(next_path(), item) for item in items]
    return [(field_path(i), item) for i, item in enumerate(items) if item is not None]
