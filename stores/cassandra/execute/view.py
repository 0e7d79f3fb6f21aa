"""Materialized views, made from their base tables when they are read.

Cassandra keeps a view as a table of its own and updates it with each write. Making it at reading time gives the
same rows, only never stale ones, and costs a scan of the base table: enough for tables of a course.
"""

from stores.cassandra import murmur3
from stores.cassandra.cells import LIVE, Cell, Row
from stores.cassandra.execute.ranges import selector
from stores.cassandra.execute.rows import EMPTY, RowView, inspect, reader
from stores.cassandra.execute.terms import Compiler, Env
from stores.cassandra.restrictions import Restrictions
from stores.cassandra.storage import Partition
from stores.cassandra.store import ReadCommand


def view_partitions(context, table, command, consistency):
    """Yield the partitions of a view that `command` names, in its order."""
    found = {}
    for view, row in _rows(context, table, consistency):
        key = tuple(_read(view, table.view.base, table.partition_key))
        place = (murmur3.token_of(key), key)
        if not command.holds(*place):
            continue
        partition = found.get(place)
        if partition is None:
            partition = found[place] = Partition(key, place[0])
        clustering = tuple(_read(view, table.view.base, table.clustering))
        marker = Cell(max(0, *_times(row)), LIVE, 0, b"")
        cells = {column.name: row.cells[column.name] for column in table.regular if column.name in row.cells}
        partition.put(table.position(clustering), Row(clustering, cells, marker))
    places = [place for place in command.keys if place in found] if command.keys is not None else sorted(found)
    for place in places:
        yield found[place]


def _times(row):
    return [0, *([row.live.timestamp] if row.live else []), *(each.timestamp for each in row.cells.values() if isinstance(each, Cell))]


def _rows(context, table, consistency):
    """Yield (RowView, Row) of the base table's rows that the view shows."""
    base, now = table.view.base, int(context.moment)
    compiler = Compiler(context.schema, base, ())
    restrictions = Restrictions(
        compiler, [r for r in table.view.where if r.operator != "IS NOT"], "SELECT", filtering=True, lenient=True
    )
    wanted = selector(restrictions)(Env((), context.moment))
    needed = [reader(base, base.columns[column.name]) for column in (*table.partition_key, *table.clustering)]
    command = ReadCommand(wanted.keys, wanted.start, wanted.end, wanted.slices)
    for partition in context.read(base, command, consistency):
        statics = partition.static.cells if partition.static is not None else EMPTY.cells
        for position, row in partition.items(wanted.slices):
            view = RowView(partition, position, row, statics, now)
            if (
                inspect(row, now)[0]
                and all(read(view) is not None for read in needed)
                and all(wants(view) for wants in wanted.filters)
            ):
                yield view, row


def _read(view, base, columns):
    return [reader(base, base.columns[column.name])(view) for column in columns]
