"""WHERE clauses as a whole: whether partitions, slices of them or filters decide, and what Cassandra refuses.

relations.py takes in the relations one by one; execute/ranges.py turns the whole with the bound values into what is read.
"""

from stores.cassandra.errors import InvalidRequest
from stores.cassandra.relations import Relations, refuse

ALLOW_FILTERING = (
    "Cannot execute this query as it might involve data filtering and thus may have unpredictable performance. "
    "If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
)


class Restrictions(Relations):
    """The whole WHERE clause, checked as Cassandra's StatementRestrictions does.

    `key_range` says that partitions are looked for along the ring; `uses_index` that an index helps;
    `static_only` that the statement concerns only static columns; `lenient` is for the WHERE of a view.
    """

    def __init__(self, compiler, where, statement, *, filtering=False, static_only=False, lenient=False):
        table = compiler.table
        super().__init__(compiler, statement, filtering, list(table.indexes.values()) if statement == "SELECT" else [])
        for relation in where:
            self.add(relation)
        self.static_only = static_only
        self.lenient = lenient or table.is_virtual
        names = self.restricted
        self.keys = [c.name for c in table.partition_key if c.name in names]
        self.clusterings = [c.name for c in table.clustering if c.name in names]
        self.others = [c.name for c in (*table.static, *table.regular) if c.name in names]
        self.key_range = self.uses_index = False
        self.filtered = []  # names that neither the keys nor the slices decide
        self.has_index = any(self._supports(index, name) for index in self.indexes for name in names)
        self._check_partition_key()
        self._check_clustering()
        self._check_others()
        if statement == "SELECT" and not filtering and not self.lenient and (self.key_range or self.uses_index):
            self._check_needs_filtering()

    @property
    def among_keys(self):
        """Whether a partition key column has an IN."""
        return any(column.name in self.among for column in self.table.partition_key)

    def _check_partition_key(self):
        columns = [column.name for column in self.table.partition_key]
        if self.statement != "SELECT":
            refuse(self.token, f"The token function cannot be used in WHERE clauses for {self.statement} statements")
            missing = [name for name in columns if name not in self.keys]
            refuse(missing, f"Some partition key parts are missing: {', '.join(missing)}")
            refuse(
                any(name in self.sliced for name in columns),
                "Only EQ and IN relation are supported on the partition key (unless you use the token() function) for "
                f"{self.statement} statements",
            )
            return
        if self.token and len(self.keys) < len(columns):
            self.key_range = True
        elif not self.keys:
            self.key_range, self.uses_index = True, self.has_index
        partly = self.keys and (len(self.keys) < len(columns) or any(n in self.sliced or n in self.contains for n in self.keys))
        if partly:
            refuse(not (self.filtering or self.has_index or self.lenient), ALLOW_FILTERING)
            self.key_range, self.uses_index = True, self.has_index
        if self.uses_index or partly:
            self.filtered += self.keys

    def _check_clustering(self):
        if self.static_only and self.clusterings:
            if self.statement != "SELECT":
                raise InvalidRequest(
                    f"Invalid restrictions on clustering columns since the {self.statement} statement modifies only static columns"
                )
            raise InvalidRequest("Cannot restrict clustering columns when selecting only static columns")
        columns = [column.name for column in self.table.clustering]
        if self.statement in ("UPDATE", "INSERT"):
            refuse(
                any(name in self.sliced for name in columns) or any(each.is_slice for each in self.tuples),
                f"Slice restrictions are not supported on the clustering columns in {self.statement} statements",
            )
            missing = [name for name in columns if name not in self.clusterings]
            refuse(missing and not self.static_only, f"Some clustering keys are missing: {', '.join(missing)}")
            return
        refuse(
            any(name in self.contains for name in self.clusterings) and not (self.has_index or self.filtering),
            "Clustering columns can only be restricted with CONTAINS with a secondary index or filtering",
        )
        filter_needed = self._clustering_needs_filtering(columns)
        if filter_needed:
            if self.has_index or self.lenient:
                self.uses_index = self.has_index
            elif not self.filtering:
                for name, expected in zip(self.clusterings, columns, strict=False):
                    refuse(
                        name != expected,
                        f'PRIMARY KEY column "{name}" cannot be restricted as preceding column "{expected}" is not restricted',
                    )
        if self.key_range and any(self._supports(index, name) for index in self.indexes for name in self.clusterings):
            self.uses_index = True
        if self.uses_index or filter_needed:
            self.filtered += self.clusterings

    def _clustering_needs_filtering(self, columns):
        """Whether the relations leave gaps, so that they are no slices of sorted rows."""
        expected = 0
        for name in self.clusterings:
            place = columns.index(name)
            if name in self.contains or place > expected:
                return True
            if name not in self.sliced:
                expected = place + 1
        return False

    def _check_others(self):
        if self.others:
            refuse(self.statement != "SELECT", f"Non PRIMARY KEY columns found in where clause: {', '.join(self.others)} ")
            if self.has_index:
                self.uses_index = True
            else:
                refuse(not (self.filtering or self.lenient), ALLOW_FILTERING)
            self.filtered += self.others
        refuse(
            self.uses_index and self.among_keys, "Select on indexed columns and with IN clause for the PRIMARY KEY are not supported"
        )

    def _check_needs_filtering(self):
        """Refuse what no single index decides. SAI answers with several indexes together."""
        attached = [index for index in self.indexes if index.is_sai]
        groups = [[index] for index in self.indexes if not index.is_sai] + ([attached] if attached else [])
        covered = any(all(any(self._supports(i, name) for i in group) for name in self.filtered) for group in groups)
        refuse(self.filtered and not covered, ALLOW_FILTERING)
        refuse(not self.filtered and self.clusterings, ALLOW_FILTERING)

    def check_with_vectors(self):
        """Refuse what no storage-attached index decides: nothing else goes with ORDER BY … ANN OF."""
        attached = [index for index in self.indexes if index.is_sai]
        for name in self.filtered:
            if not any(self._supports(index, name) for index in attached):
                indexed = any(index.column == name for index in self.indexes)
                refuse(not indexed, "ANN ordering by vector requires all restricted column(s) to be indexed")
                raise InvalidRequest(ALLOW_FILTERING)

    def _supports(self, index, name):
        if index.column != name:
            return False
        if index.target in ("values", "keys", "entries") and self.table.columns[name].type.kind in ("list", "set", "map"):
            wanted = {"values": "CONTAINS", "keys": "CONTAINS KEY", "entries": "ENTRY"}[index.target]
            return any(each.operator == wanted for each in self.contains.get(name, ()))
        on_tuple = self.tuple_on(name)
        if index.is_sai:
            type_ = self.table.columns[name].type
            in_order = type_.cql_name not in ("text", "ascii", "boolean") and type_.kind == "native"
            return bool(name in self.equal or (in_order and (name in self.sliced or on_tuple)))
        return name in self.equal or bool(on_tuple and on_tuple.operator == "=")
