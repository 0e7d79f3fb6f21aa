"""ORDER BY: along or against the sorted rows, across the partitions of an IN, or by similarity of vectors."""

import math

from stores.cassandra.execute.rows import reader
from stores.cassandra.relations import refuse
from stores.cassandra.schema import CLUSTERING


class Ordering:
    """How the rows of a SELECT are ordered. `backwards` says that partitions are read from their end."""

    def __init__(self, compiler, statement, restrictions):
        self.backwards = False
        self.by_columns = ()
        self._nearest = None
        self._table = compiler.table
        by_vector = [each for each in statement.order_by if each.ann_of is not None]
        if by_vector:
            self._by_vector(compiler, by_vector, statement)
        elif statement.order_by:
            self._by_clustering(statement.order_by, restrictions)
        self._sort = restrictions.among_keys and bool(self.by_columns)

    def _by_clustering(self, order_by, restrictions):
        # A column named twice counts once, the last time.
        columns = list({self._table.column(each.column): each.descending for each in order_by}.items())
        refuse(restrictions.uses_index, "ORDER BY with 2ndary indexes is not supported, except for ANN queries.")
        refuse(restrictions.key_range, "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
        clustering, place, turned = self._table.clustering, 0, set()
        for column, descending in columns:
            refuse(
                column.kind != CLUSTERING,
                f"Order by is currently only supported on the clustered columns of the PRIMARY KEY, got {column.name}",
            )
            while place != column.place:
                refuse(
                    place >= len(clustering) or clustering[place].name not in restrictions.equal,
                    "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY",
                )
                place += 1
            place += 1
            turned.add(descending != column.descending)
        refuse(len(turned) > 1, "Unsupported order by relation")
        self.backwards = turned.pop()
        self.by_columns = columns

    def _by_vector(self, compiler, by_vector, statement):
        refuse(len(by_vector) > 1, "Cannot specify more than one ANN ordering")
        refuse(len(statement.order_by) > 1, "ANN ordering does not support any other ordering")
        refuse(by_vector[0].descending, "Descending ANN ordering is not supported")
        column = self._table.column(by_vector[0].column)
        index = next((index for index in self._table.indexes.values() if index.column == column.name), None)
        wanted = compiler.value(by_vector[0].ann_of, column.name, column.type)
        refuse(column.type.kind != "vector", f"ANN ordering is only supported on float vector columns: {column.name} is no vector")
        refuse(index is None, "ANN ordering by vector requires the column to be indexed")
        similar = SIMILARITIES[index.options.get("similarity_function", "cosine").lower()]
        read = reader(self._table, column)

        def nearest(env, view):
            value = read(view)
            if value is None:
                return None
            return similar(column.type.deserialize(value), column.type.deserialize(wanted(env)))

        self._nearest = nearest

    @property
    def by_vector(self):
        return self._nearest is not None

    def arranged(self, views, env, limit):
        """Return the RowViews in their order."""
        if self.by_vector:
            refuse(limit is None, "Top-K queries must have a limit specified and the limit must be less than the query page size")
            found = [(score, view) for view in views if (score := self._nearest(env, view)) is not None]
            found.sort(key=lambda pair: -pair[0])
            return [view for _, view in found[:limit]]
        if self._sort:
            return sorted(views, key=self._position, reverse=self.backwards)
        return views

    def _position(self, view):
        # Rows are compared as they are sorted in their partitions, also between partitions.
        return () if view.position is None else view.position


def cosine(one, other):
    lengths = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(y * y for y in other))
    return (1 + dot(one, other) / lengths) / 2 if lengths else 0.0


def dot(one, other):
    return sum(x * y for x, y in zip(one, other, strict=True))


def euclidean(one, other):
    return 1 / (1 + sum((x - y) ** 2 for x, y in zip(one, other, strict=True)))


SIMILARITIES = {"cosine": cosine, "dot_product": dot, "euclidean": euclidean}
