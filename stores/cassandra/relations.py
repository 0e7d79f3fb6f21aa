"""The relations of a WHERE clause, one by one: what each restricts, and whether it goes with those before it."""

from dataclasses import replace
from typing import NamedTuple

from stores.cassandra.cql import nodes
from stores.cassandra.errors import InvalidRequest
from stores.cassandra.execute.kinds import BIGINT, list_of, tuple_of
from stores.cassandra.execute.terms import Receiver
from stores.cassandra.results import UNSET
from stores.cassandra.schema import CLUSTERING

SLICES = ("<", "<=", ">", ">=")


class TupleRestriction(NamedTuple):
    """(columns) operator values: evaluate(env) returns a list of values, for IN a list of such lists."""

    columns: tuple
    operator: str
    evaluate: object

    @property
    def names(self):
        return [column.name for column in self.columns]

    @property
    def is_slice(self):
        return self.operator in SLICES


class Contains(NamedTuple):
    """CONTAINS, CONTAINS KEY, or ENTRY for map[key] = value."""

    operator: str
    evaluate: object
    value: object = None


def refuse(condition, message):
    """Raise InvalidRequest when the condition holds."""
    if condition:
        raise InvalidRequest(message)


class Relations:
    """The relations of one WHERE clause, by column, each checked against those before it."""

    def __init__(self, compiler, statement, filtering, indexes):
        self.compiler = compiler
        self.table = compiler.table
        self.statement = statement  # SELECT, UPDATE or DELETE
        self.filtering = filtering
        self.indexes = indexes
        self.equal = {}  # name: evaluate
        self.among = {}  # name: evaluate, giving a list
        self.low, self.high = {}, {}  # name: (operator, evaluate)
        self.contains = {}  # name: [Contains]
        self.tuples = []  # TupleRestriction
        self.token = {}  # operator: evaluate

    def add(self, relation):
        if isinstance(getattr(relation, "value", None), nodes.InValues) and len(relation.value.items) == 1:
            relation = replace(relation, operator="=", value=relation.value.items[0])  # IN with one value is =
        _ADD[type(relation)](self, relation)

    @property
    def sliced(self):
        return self.low.keys() | self.high.keys()

    def tuple_on(self, name):
        """Return the first multi-column restriction that has this column, or None."""
        return next((each for each in self.tuples if name in each.names), None)

    @property
    def restricted(self):
        names = {*self.equal, *self.among, *self.low, *self.high, *self.contains}
        return names.union(*(each.names for each in self.tuples))

    def _add_token(self, relation):
        columns = [self.table.column(name) for name in relation.columns]
        keys = self.table.partition_key
        names, shown = ", ".join(c.name for c in keys), ", ".join(relation.columns)
        if columns != keys:
            refuse(
                any(c not in columns for c in keys),
                "The token() function must be applied to all partition key components or none of them",
            )
            refuse(len(set(relation.columns)) < len(columns), "The token() function contains duplicate partition key components")
            refuse(any(c not in keys for c in columns), "The token() function must contains only partition key components")
            raise InvalidRequest(f"The token function arguments must be in the partition key order: {names}")
        operator = relation.operator
        refuse(operator == "!=", f'Unsupported "!=" relation: {relation}')
        refuse(operator not in ("=", *SLICES), f"{operator} cannot be used with the token function")
        evaluate = self.compiler.value(relation.value, "partition key token", BIGINT)
        refuse(
            "=" in self.token or (operator == "=" and self.token),
            f"{shown} cannot be restricted by more than one relation if it includes an Equal",
        )
        refuse(
            any(other[0] == operator[0] for other in self.token),
            f"More than one restriction was found for the {_bound(operator)} bound on {', '.join(relation.columns)}",
        )
        self.token[operator] = evaluate

    def _add_element(self, relation):
        column = self.table.column(relation.column)
        type_, name = column.type, column.name
        refuse(type_.kind == "list", f"Indexes on list entries ({name}[index] = value) are not currently supported.")
        refuse(type_.kind != "map", f"Column {name} cannot be used as a map")
        refuse(not type_.is_multicell, f"Map-entry equality predicates on frozen map column {name} are not supported")
        refuse(relation.operator != "=", "Only EQ relations are supported on map entries")
        key = self.compiler.value(relation.key, f"key({name})", type_.elements[0])
        value = self.compiler.value(relation.value, f"value({name})", type_.elements[1])
        self.contains.setdefault(name, []).append(Contains("ENTRY", key, value))

    def _add_index_expression(self, relation):
        raise InvalidRequest(f"Invalid index expression: {relation}: expected a custom index")

    def _add_column(self, relation):
        column, operator = self.table.column(relation.column), relation.operator
        type_, name = column.type, column.name
        refuse(operator == "!=", f'Unsupported "!=" relation: {relation}')
        refuse(operator == "IS NOT", f"Unsupported restriction: {nodes.quoted(name)} IS NOT NULL")
        if operator == "LIKE":
            self.compiler.value(relation.value, name, type_)
        refuse(operator == "LIKE", f"LIKE restriction is only supported on properly indexed columns. {relation} is not valid.")
        if operator.startswith("CONTAINS"):
            self._add_contains(column, operator, relation.value)
            return
        refuse(
            type_.kind == "vector" and any(index.column == name for index in self.indexes),
            "Vector indexes only support ANN queries",
        )
        if type_.is_multicell:
            if type_.kind == "udt":
                raise InvalidRequest(f"Non-frozen UDT column '{name}' ({type_}) cannot be restricted by any relation")
            raise InvalidRequest(f"Collection column '{name}' ({type_}) cannot be restricted by a '{operator}' relation")
        if operator in SLICES:
            _refuse_durations(type_, "Slice restrictions are")
        self._refuse_combination(column, operator)
        if operator == "=":
            evaluate = self.compiler.value(relation.value, name, type_)
            self._check_order(column, False)
            self.equal[name] = evaluate
        elif operator == "IN":
            self.among[name] = self._list_of_values(column, relation.value)
            self._check_order(column, False)
        else:
            evaluate = self.compiler.value(relation.value, name, type_)
            side = self.low if operator[0] == ">" else self.high
            refuse(name in side, f"More than one restriction was found for the {_bound(operator)} bound on {name}")
            if name not in self.sliced:
                self._check_order(column, True)
            side[name] = (operator, evaluate)

    def _refuse_combination(self, column, operator):
        name = column.name
        once = f"{name} cannot be restricted by more than one relation if it includes an Equal"
        refuse(name in self.equal, once)
        other = self.tuple_on(name)
        refuse(other and not (operator in SLICES and other.is_slice), once)
        refuse(
            other and other.columns[0] is not column,
            f'Column "{name}" cannot be restricted by two inequalities not starting with the same column',
        )
        refuse(
            name in self.contains, f"Collection column {name} can only be restricted by CONTAINS, CONTAINS KEY, or map-entry equality"
        )
        refuse(name in self.among, f"{name} cannot be restricted by more than one relation if it includes a IN")
        refuse(
            name in self.sliced and operator in ("=", "IN"),
            f'Column "{name}" cannot be restricted by both an equality and an inequality relation',
        )

    def _add_contains(self, column, operator, value):
        type_, name = column.type, column.name
        refuse(self.statement != "SELECT", f"Cannot use {self.statement} with {operator}")
        refuse(
            type_.kind not in ("list", "set", "map"),
            f"Cannot use {operator} on non-collection column {name}"
            if operator == "CONTAINS"
            else f"Cannot use CONTAINS KEY on non-map column {name}",
        )
        refuse(operator == "CONTAINS KEY" and type_.kind != "map", f"Cannot use CONTAINS KEY on non-map column {name}")
        refuse(
            name in self.equal or name in self.sliced,
            f"Collection column {name} can only be restricted by CONTAINS, CONTAINS KEY, or map-entry equality",
        )
        is_key = operator == "CONTAINS KEY"
        element = type_.elements[0] if is_key else type_.elements[-1]
        evaluate = self.compiler.value(value, f"{'key' if is_key else 'value'}({name})", element)
        self.contains.setdefault(name, []).append(Contains(operator, evaluate))

    def _list_of_values(self, column, value):
        name, type_ = column.name, column.type
        if isinstance(value, nodes.InValues):
            each = [self.compiler.value(item, name, type_) for item in value.items]
            return lambda env: [evaluate(env) for evaluate in each]
        whole = list_of(type_)
        evaluate = self.compiler.value(value, f"in({name})", whole)

        def values(env):
            packed = evaluate(env)
            refuse(packed is None, f"Invalid null value for column {name}")
            refuse(packed is UNSET, f"Invalid unset value for column {name}")
            return whole.unpack(packed)

        return values

    def _add_tuple(self, relation):
        columns = [self.table.column(name) for name in relation.columns]
        operator = relation.operator
        for i, column in enumerate(columns):
            refuse(
                column.kind != CLUSTERING,
                f"Multi-column relations can only be applied to clustering columns but was applied to: {column.name}",
            )
            refuse(column in columns[:i], f'Column "{column.name}" appeared twice in a relation: {relation}')
            refuse(
                i and column.place != columns[i - 1].place + 1,
                f"Clustering columns must appear in the PRIMARY KEY order in multi-column relations: {relation}",
            )
        refuse(operator == "!=", f'Unsupported "!=" relation: {relation}')
        refuse(operator not in ("=", "IN", *SLICES), f"{operator} cannot be used for multi-column relations")
        new = TupleRestriction(tuple(columns), operator, self._tuple_values(columns, relation))
        shown = ", ".join(relation.columns)
        for name in new.names:
            refuse(name in self.equal, f"{name} cannot be restricted by more than one relation if it includes an Equal")
            refuse(name in self.among, f"{name} cannot be restricted by more than one relation if it includes a IN")
        for other in self.tuples:
            if set(other.names) & set(new.names):
                both = (operator, other.operator)
                refuse("=" in both, f"{shown} cannot be restricted by more than one relation if it includes an Equal")
                refuse("IN" in both, f"{shown} cannot be restricted by more than one relation if it includes a IN")
                refuse(
                    other.operator[0] == operator[0],
                    f"More than one restriction was found for the {_bound(operator)} bound on {shown}",
                )
                refuse(
                    other.columns[0] != columns[0],
                    f'Column "{columns[0].name}" cannot be restricted by two inequalities not starting with the same column',
                )
        self._check_order(columns[0], new.is_slice)
        self.tuples.append(new)

    def _tuple_values(self, columns, relation):
        whole = tuple_of([column.type for column in columns])
        shown = f"({','.join(column.name for column in columns)})"
        names = f"[{', '.join(column.name for column in columns)}]"

        def one(value):
            if isinstance(value, nodes.TupleLiteral):
                refuse(
                    len(value.items) != len(columns),
                    f"Expected {len(columns)} elements in value tuple, but got {len(value.items)}: {value}",
                )
                each = [self.compiler.value(item, c.name, c.type) for item, c in zip(value.items, columns, strict=True)]
                return lambda env: [evaluate(env) for evaluate in each]
            evaluate = self.compiler.value(value, shown, whole)

            def values(env):
                packed = evaluate(env)
                refuse(packed is None, f"Invalid null value in condition for columns: {names}")
                refuse(packed is UNSET, f"Invalid unset value for tuple {shown}")
                return whole.unpack(packed)

            return values

        if relation.operator != "IN":
            return one(relation.value)
        if isinstance(getattr(relation, "value", None), nodes.InValues):
            each = [one(item) for item in relation.value.items]
            return lambda env: [evaluate(env) for evaluate in each]
        many = list_of(whole)
        evaluate = self.compiler.compile(relation.value, Receiver(f"in{shown}", many)).evaluate

        def tuples(env):
            packed = evaluate(env)
            refuse(packed is None, "Invalid null value for IN restriction")
            refuse(packed is UNSET, f"Invalid unset value for in{shown}")
            return [whole.unpack(item) for item in many.unpack(packed)]

        return tuples

    def _check_order(self, column, is_slice):
        """Refuse a relation on a clustering column behind one that has a slice."""
        if column.kind != CLUSTERING or self.filtering or any(index.column == column.name for index in self.indexes):
            return
        restricted = self.restricted
        before = [c for c in self.table.clustering if c.name in restricted]
        if not before:
            return
        last = before[-1]
        other = self.tuple_on(last.name)
        if other:
            last = other.columns[0]
        last_sliced = last.name in self.sliced or (other and other.is_slice)
        message = '{} "{}" cannot be restricted (preceding column "{}" is restricted by a non-EQ relation)'
        refuse(last_sliced and column.place > last.place, message.format("Clustering column", column.name, last.name))
        if column.place < last.place and is_slice:
            following = next(c for c in before if c.place > column.place)
            raise InvalidRequest(message.format("PRIMARY KEY column", following.name, column.name))


_ADD = {
    nodes.ColumnRelation: Relations._add_column,
    nodes.ElementRelation: Relations._add_element,
    nodes.TokenRelation: Relations._add_token,
    nodes.TupleRelation: Relations._add_tuple,
    nodes.IndexExpression: Relations._add_index_expression,
}


def _bound(operator):
    return "start" if operator[0] == ">" else "end"


def _refuse_durations(type_, what):
    def is_duration(each):
        return each.cql_name == "duration"

    if type_.mentions(is_duration):
        if is_duration(type_):
            raise InvalidRequest(f"{what} not supported on duration columns")
        kind = {"tuple": "tuples", "udt": "UDTs"}.get(type_.kind, "collections")
        raise InvalidRequest(f"{what} not supported on {kind} containing durations")
