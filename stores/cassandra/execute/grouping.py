"""GROUP BY: which rows belong together. Groups follow the order of the primary key, so that rows of one come together."""

from stores.cassandra.cql import nodes
from stores.cassandra.execute.rows import reader
from stores.cassandra.execute.terms import Compiler
from stores.cassandra.relations import refuse
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY


class Grouping:
    """The columns of a GROUP BY, the last of them perhaps inside a function."""

    def __init__(self, compiler, statement, restrictions):
        self._compiler = compiler
        self._table = compiler.table
        self._function = None
        columns = []
        keys = iter([*self._table.partition_key, *self._table.clustering])
        for node in statement.group_by:
            column = self._column(node)
            in_order = "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
            for key in keys:
                if self._function is None or key is not column:
                    columns.append(key)
                if key is column:
                    break
                refuse(key.name not in restrictions.equal, in_order)
            else:
                refuse(True, in_order)
        following = next(keys, None)
        refuse(
            following is not None and following.kind == PARTITION_KEY, "Group by is not supported on only a part of the partition key"
        )
        refuse(
            statement.distinct and any(column.kind == CLUSTERING for column in columns),
            "Grouping on clustering columns is not allowed for SELECT DISTINCT queries",
        )
        self._readers = [reader(self._table, column) for column in columns]

    def _column(self, node):
        refuse(self._function is not None, "Functions are only supported on the last element of the GROUP BY clause")
        if isinstance(node, nodes.FunctionCall):
            return self._column_of_function(node)
        only = "Group by is currently only supported on the columns of the PRIMARY KEY, got {}"
        refuse(not isinstance(node, nodes.Column), only.format(node))
        column = self._table.column(node.name)
        refuse(not column.is_key, only.format(column.name))
        return column

    def _column_of_function(self, node):
        inner = Compiler(self._compiler.schema, self._table, self._compiler.bound)
        inner.bound = self._compiler.bound
        expression = inner.compile(node, None, selecting=True)
        refuse(expression.aggregate, f"Aggregate functions are not supported within the GROUP BY clause, got: system.{node.name.name}")
        used = list(inner.used.values())
        refuse(not used, "GROUP BY functions must have one clustering column name as parameter")
        refuse(len(used) > 1, f"GROUP BY functions accept only one clustering column as parameter, got: {','.join(inner.used)}")
        refuse(used[0].kind != CLUSTERING, f"Group by functions are only supported on clustering columns, got {used[0].name}")
        self._function = expression.evaluate
        return used[0]

    def key(self, env, view):
        """Return what is the same for all rows of a group."""
        key = (view.key, *[read(view) for read in self._readers])
        if self._function is None:
            return key
        env.row = view
        return (*key, self._function(env))
