"""SELECT compiled and run: read partitions, keep the rows wanted, group, order, page."""

import json

from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.grouping import Grouping
from stores.cassandra.execute.kinds import INT, TEXT
from stores.cassandra.execute.ordering import Ordering
from stores.cassandra.execute.paging import PageEnd, behind
from stores.cassandra.execute.ranges import selector
from stores.cassandra.execute.rows import EMPTY, RowView, inspect
from stores.cassandra.execute.terms import Compiler
from stores.cassandra.relations import refuse
from stores.cassandra.restrictions import Restrictions
from stores.cassandra.results import UNSET, ResultColumn, Rows
from stores.cassandra.schema import CLUSTERING, PARTITION_KEY, REGULAR, STATIC
from stores.cassandra.storage import EVERYTHING
from stores.cassandra.store import ReadCommand


class SelectPlan:
    """A compiled SELECT. `columns` are the ResultColumns; run(env, context) returns Rows."""

    def __init__(self, schema, statement, keyspace):
        self.table = table = schema.table(statement.table, keyspace)
        self.statement = statement
        self.compiler = compiler = Compiler(schema, table, statement.markers)
        self.columns, self._selected, aggregate = self._selection(statement)
        used = list(compiler.used.values())
        static_only = bool(statement.selections and any(c.kind == STATIC for c in used)) and not any(
            column.kind in (REGULAR, CLUSTERING) for column in used
        )
        by_vector = any(each.ann_of is not None for each in statement.order_by)
        self.restrictions = Restrictions(
            compiler, statement.where, "SELECT", filtering=statement.allow_filtering or by_vector, static_only=static_only
        )
        if by_vector:
            self.restrictions.check_with_vectors()
        if statement.distinct:
            self._check_distinct(used)
        self.grouping = Grouping(compiler, statement, self.restrictions) if statement.group_by else None
        self.is_grouped = aggregate or self.grouping is not None
        refuse(
            aggregate and self.grouping is None and statement.per_partition_limit,
            "PER PARTITION LIMIT is not allowed with aggregate queries.",
        )
        self.ordering = Ordering(compiler, statement, self.restrictions)
        self._select = selector(self.restrictions)
        self._limit = self._limiter(statement.limit, "[limit]")
        self._per_partition = self._limiter(statement.per_partition_limit, "[per_partition_limit]")
        # Rows that only have static columns count where nothing asks for particular rows.
        self._shows_static = not self.restrictions.clusterings and not any(
            table.columns[name].kind == REGULAR for name in self.restrictions.others
        )
        self._single_partition = not self.restrictions.key_range and not self.restrictions.among_keys
        if statement.json:
            self._as_json()

    @property
    def bound(self):
        return self.compiler.bound

    # compiling

    def _selection(self, statement):
        table, columns, evaluates, aggregate = self.table, [], [], False
        selections = statement.selections or [nodes.Selection(nodes.Column(column.name)) for column in table.all]
        for selection in selections:
            if not _has_type(selection.selector):
                raise InvalidRequest(
                    f"Cannot infer type for term {selection.selector} in selection clause (try using a cast to force a type)"
                )
            expression = self.compiler.compile(selection.selector, None, selecting=True)
            name = selection.alias or shown_name(selection.selector, table)
            columns.append(ResultColumn(table.keyspace, table.name, name, expression.type))
            evaluates.append(expression.evaluate)
            aggregate = aggregate or expression.aggregate
        return columns, evaluates, aggregate

    def _check_distinct(self, used):
        refuse(self.statement.per_partition_limit, "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
        restricted = self.restrictions.restricted
        refuse(
            any(column.name in restricted for column in (*self.table.clustering, *self.table.regular)),
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.",
        )
        for column in sorted(used, key=lambda column: column.name):
            refuse(
                column.kind not in (PARTITION_KEY, STATIC),
                f"SELECT DISTINCT queries must only request partition key columns and/or static columns (not {column.name})",
            )
        for column in self.table.partition_key if self.restrictions.key_range else ():
            refuse(column not in used, f"SELECT DISTINCT queries must request all the partition key columns (missing {column.name})")

    def _limiter(self, node, name):
        if node is None:
            return lambda env: None
        evaluate = self.compiler.value(node, name, INT)

        def limit(env):
            value = evaluate(env)
            if value is UNSET:
                return None
            refuse(value is None, "Invalid null value of limit")
            number = INT.deserialize(value)
            refuse(number is None, "Invalid limit value")
            refuse(number <= 0, "LIMIT must be strictly positive")
            return number

        return limit

    def _as_json(self):
        pairs = [(json_key(column.name), column.type, evaluate) for column, evaluate in zip(self.columns, self._selected, strict=True)]

        def whole(env):
            parts = []
            for name, type_, evaluate in pairs:
                value = evaluate(env)
                parts.append(f"{name}: {'null' if value is None else type_.to_json(value)}")
            return f"{{{', '.join(parts)}}}".encode()

        self.columns = [ResultColumn(self.table.keyspace, self.table.name, "[json]", TEXT)]
        self._selected = [whole]

    # running

    def run(self, env, context):
        options, facts = context.options, context.facts
        state = PageEnd.decode(options.paging_state) if options.paging_state else None
        limit = self._limit(env) if state is None else state.left
        scan = Scan(self, env, context, state)
        # The nearest vectors come all at once.
        page = options.page_size if options.page_size > 0 and not self.ordering.by_vector else None
        refuse(
            page and (limit is None or limit > page) and self.restrictions.among_keys and self.ordering.by_columns,
            "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either remove the "
            "ORDER BY or the IN and sort client side, or disable paging for this query",
        )
        if self.is_grouped:
            self._warn_of_aggregation(context)
        if limit == 0:
            return Rows(self.columns, [], facts=facts, warnings=context.warnings)
        if self.ordering.by_vector and limit is not None and 0 < options.page_size < limit:
            context.warnings.append(
                f"Top-K queries do not support paging and the page size is set to {options.page_size}, "
                f"which is less than LIMIT {limit}. The page size has been set to {limit} to match LIMIT."
            )
        views = self.ordering.arranged(scan, env, limit)
        if self.is_grouped:
            rows, end = self._groups(views, scan, env, limit, page if self.grouping else None)
        else:
            rows, end = self._rows(views, scan, env, limit, page)
        context.check_tombstones(self.statement)
        return Rows(self.columns, rows, end.encode() if end else None, facts=facts, warnings=context.warnings)

    def _rows(self, views, scan, env, limit, page):
        rows, selected = [], self._selected
        for view in views:
            env.row, env.group = view, (view,)
            rows.append([evaluate(env) for evaluate in selected])
            if len(rows) == limit:
                break
            if len(rows) == page:  # as in Cassandra nobody looks whether more follows: the next page may be empty
                left = None if limit is None else limit - len(rows)
                clustering = None if self.statement.distinct else view.clustering
                return rows, PageEnd(view.token, view.key, clustering, left, scan.count)
        return rows, None

    def _groups(self, views, scan, env, limit, page):
        """Return a row for each group of rows; without GROUP BY everything is one group."""
        rows, group, key = [], [], None
        per_partition, in_partition = self._per_partition(env), scan.start_count

        def finish():
            env.group, env.row = group, group[0] if group else None
            return [evaluate(env) for evaluate in self._selected]

        for view in views:
            new = self.grouping.key(env, view) if self.grouping else ()
            if group and new != key:
                if per_partition is None or in_partition < per_partition:
                    rows.append(finish())
                    in_partition += 1
                if len(rows) == limit:
                    return rows, None
                if len(rows) == page:
                    return rows, self._group_end(group[-1], limit, rows, in_partition)
                if group[-1].key != view.key:
                    in_partition = 0
                group = []
            key = new
            group.append(view)
        if (group and (per_partition is None or in_partition < per_partition)) or (not group and self.grouping is None):
            rows.append(finish())
        if group and len(rows) == page and len(rows) != limit:
            return rows, self._group_end(group[-1], limit, rows, in_partition + 1)
        return rows, None

    def _group_end(self, last, limit, rows, in_partition):
        return PageEnd(last.token, last.key, last.clustering, None if limit is None else limit - len(rows), in_partition)

    def _warn_of_aggregation(self, context):
        if not self.restrictions.keys and not self.restrictions.token:
            context.warnings.append("Aggregation query used without partition key")
        elif self.restrictions.among_keys:
            context.warnings.append("Aggregation query used on multiple partition keys (IN restriction)")


class Scan:
    """Reads what a SELECT wants, as RowViews in the order of the partitions and rows, behind where a page ended."""

    def __init__(self, plan, env, context, state):
        self.plan = plan
        self.env = env
        self.context = context
        self.state = state
        self.start_count = state.in_partition if state else 0
        self._wanted = plan._select(env)
        self._per_partition = None if plan.is_grouped else plan._per_partition(env)
        self.count = 0  # rows given out of the partition being read

    def __iter__(self):
        wanted, state = self._wanted, self.state
        keys, start = wanted.keys, wanted.start
        if state is not None:
            place = (state.token, state.key)
            done = state.clustering is None
            if keys is None:
                start = (*place, 0) if done else place
            elif place in keys:
                keys = keys[keys.index(place) + done :]
        backwards = self.plan.ordering.backwards
        command = ReadCommand(keys, start, wanted.end, wanted.slices, backwards)
        if not wanted.slices:  # IN ()
            return
        for partition in self.context.read(self.plan.table, command):
            resumed = state is not None and state.clustering is not None and partition.key == state.key
            yield from self._partition(partition, wanted, backwards, state if resumed else None)

    def _partition(self, partition, wanted, backwards, state):
        plan, now, facts = self.plan, self.env.now, self.context.facts
        slices, self.count = wanted.slices, 0
        if state is not None:
            slices, self.count = behind(slices, plan.table.position(state.clustering), backwards), state.in_partition
        static = partition.static
        statics = static.cells if static is not None else EMPTY.cells
        tombstones = inspect(static, now)[1] if static is not None and not plan.table.regular else 0
        for start, end in slices if partition.ranges else ():
            tombstones += 2 * len(partition.ranges.within(start, end))
        touched = not plan.restrictions.uses_index
        if touched:
            facts.partitions.append((plan.table.name, partition.key, len(partition.rows)))
        facts.tombstones += tombstones
        found = False
        limit = 1 if plan.statement.distinct else self._per_partition
        for position, row in partition.items(slices, backwards):
            live, dead = inspect(row, now)
            facts.tombstones += dead
            if not live:
                continue
            found = True
            view = RowView(partition, position, row, statics, now)
            if not all(wants(view) for wants in wanted.filters):
                facts.filtered += touched
                continue
            if limit is not None and self.count >= limit:
                return
            if not touched:
                facts.partitions.append((plan.table.name, partition.key, len(partition.rows)))
                touched = True
            facts.rows += 1
            self.count += 1
            yield view
        if found or state is not None or not plan._shows_static or not static or not inspect(static, now)[0]:
            return
        if slices != EVERYTHING:
            return
        view = RowView(partition, None, EMPTY, statics, now)
        if all(wants(view) for wants in wanted.filters):
            facts.rows += 1
            yield view


def _has_type(node):
    """Return whether a selector says its type: a constant alone does not, a collection does by one of its elements."""
    if isinstance(node, nodes.ListLiteral | nodes.SetLiteral):
        return any(map(_has_type, node.items))
    if isinstance(node, nodes.TupleLiteral):
        return all(map(_has_type, node.items))
    if isinstance(node, nodes.MapLiteral):
        return any(_has_type(key) for key, _ in node.entries) and any(_has_type(value) for _, value in node.entries)
    return not isinstance(node, nodes.Constant | nodes.Null | nodes.BindMarker | nodes.UserTypeLiteral)


def json_key(name):
    """Return a column's name as a key of JSON: with its double quotes if CQL needs them for capitals."""
    return json.dumps(name if name == name.lower() else f'"{name}"')


WEIGHTS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}


def _within(node, weight, table):
    """Return the name of an operand, in parentheses when it binds less than `weight`."""
    shown = shown_name(node, table)
    own = WEIGHTS[node.operator] if isinstance(node, nodes.Operation) else 2 if isinstance(node, nodes.Negation) else 4
    return f"({shown})" if own < weight else shown


def shown_name(node, table):
    """Return the name of a result's column."""
    kind = type(node)
    if kind is nodes.Column:
        return node.name
    if kind is nodes.FunctionCall:
        if node.name.name == "countrows":
            return "count"
        keyspace = node.name.keyspace or "system"
        return f"{keyspace}.{node.name.name}({', '.join(shown_name(each, table) for each in node.arguments)})"
    if kind is nodes.Cast:
        if isinstance(node.term, nodes.Column) and str(table.columns[node.term.name].type) == str(node.type):
            return node.term.name
        return f"cast({shown_name(node.term, table)} as {node.type})"
    if kind is nodes.WritetimeOrTtl:
        return f"{node.function}({shown_name(node.selector, table)})"
    if kind is nodes.FieldOf:
        return f"{shown_name(node.selector, table)}.{node.field}"
    if kind is nodes.ElementOf:
        return f"{shown_name(node.selector, table)}[{node.key}]"
    if kind is nodes.Operation:
        weight = WEIGHTS[node.operator]
        left, right = _within(node.left, weight, table), _within(node.right, weight + 1, table)
        return f"{left} {node.operator} {right}"
    if kind is nodes.Negation:
        return f"-{_within(node.term, 3, table)}"
    if kind is nodes.TypeHint:
        return f"({node.type}){_within(node.term, 3, table)}"
    return str(node)
