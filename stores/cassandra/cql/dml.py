"""The parser's chapter on data manipulation: SELECT, INSERT, UPDATE, DELETE, BATCH."""

from stores.cassandra.cql.nodes import (
    ColumnRelation,
    Condition,
    Constant,
    ElementRelation,
    IndexExpression,
    InValues,
    Null,
    TokenRelation,
    TupleLiteral,
    TupleRelation,
)
from stores.cassandra.cql.statements import (
    AddToColumn,
    Batch,
    Delete,
    DeleteColumn,
    DeleteElement,
    DeleteField,
    Insert,
    InsertJson,
    OrderBy,
    PrependToColumn,
    Select,
    SetColumn,
    SetElement,
    SetField,
    SubtractFromColumn,
    Update,
    Using,
)
from stores.cassandra.cql.terms import Selectors
from stores.cassandra.errors import SyntaxException

_COMPARISONS = frozenset(("=", "<", "<=", ">", ">=", "!="))
_NOTHING = Using()


class Manipulation(Selectors):
    """Statements that read and write rows. Each method begins at the statement's first word."""

    # --- SELECT ---

    def select(self):
        self.expect("select")
        json = self._is_modifier("json") and self.take("json")
        distinct = self._is_modifier("distinct") and self.take("distinct")
        selections = self.selections()
        self.expect("from")
        table = self.qualified()
        where = self.where() if self.take("where") else ()
        group_by = order_by = ()
        if self.take("group"):
            self.expect("by")
            group_by = self.listed(self.selector)
        if self.take("order"):
            self.expect("by")
            order_by = self.listed(self._order)
        per_partition_limit = limit = None
        if self.take("per"):
            self.expect("partition", "limit")
            per_partition_limit = self.integer_or_marker()
        if self.take("limit"):
            limit = self.integer_or_marker()
        filtering = self.take("allow")
        if filtering:
            self.expect("filtering")
        return Select(
            table,
            selections,
            where,
            distinct,
            json,
            group_by,
            order_by,
            per_partition_limit,
            limit,
            filtering,
            markers=self._all_markers(),
        )

    def _is_modifier(self, word):
        """Say whether JSON or DISTINCT here is a modifier: both may also be columns."""
        following = self.peek()
        if following == "*":
            return self.key == word and self.peek(2) == "from"
        return self.key == word and following not in (",", ".", "[", "(", "from", "as", "+", "-", "/", "%")

    def _order(self):
        column = self.column()
        ann_of = None
        if self.take("ann"):
            self.expect("of")
            ann_of = self.term()
        if self.take("desc"):
            return OrderBy(column, True, ann_of)
        self.take("asc")
        return OrderBy(column, False, ann_of)

    # --- WHERE and IF ---

    def where(self):
        """Return the relations after WHERE."""
        relations = [self._relation()]
        while self.take("and"):
            relations.append(self._relation())
        return tuple(relations)

    def _relation(self):
        key = self.keys[self.at]
        if key == "(":
            return self._relation_in_parentheses()
        if key == "token":
            self.at += 1
            columns = self.enclosed(self.column)
            return TokenRelation(columns, self._comparison(), self.term())
        if key == "expr(":
            return self._index_expression()
        column = self.column()
        if self.take("["):
            element = self.term()
            self.expect("]")
            return ElementRelation(column, element, self._comparison(), self.term())
        operator, value = self._operator_and_value(("like", "is"), marked=self.at - 1)
        return ColumnRelation(column, operator, value)

    def _relation_in_parentheses(self):
        """Read (a, b) > (1, 2), or a relation in parentheses."""
        if not (self.keys[self.at + 1] == "<empty name>" or self.is_name(self.at + 1)) or self.peek(2) not in (",", ")"):
            self.at += 1
            relation = self._relation()
            self.expect(")")
            return relation
        columns = self.enclosed(self.column)
        if not self.take("in"):
            return TupleRelation(columns, self._comparison(), self._tuple())
        marker = self.marker()
        if marker:
            return TupleRelation(columns, "IN", marker)
        self.expect("(")
        items = () if self.key == ")" else self.listed(self._tuple)
        self.expect(")")
        return TupleRelation(columns, "IN", InValues(items))

    def _tuple(self):
        """Return (a, b) as TupleLiteral, or a marker that stands for it."""
        if self.key == "(":
            return TupleLiteral(self.enclosed(self.term))
        return self.marker() or self.fail(marked=self.at - 1)

    def _index_expression(self):
        self.at += 1
        index = self.qualified("index")
        self.expect(",")
        term = self.term()
        self.expect(")")
        return IndexExpression(index, term)

    def _comparison(self):
        key = self.keys[self.at]
        if key not in _COMPARISONS:
            self.fail()
        self.at += 1
        return key

    def _operator_and_value(self, also=(), marked=None):
        """Return what follows a column: (operator, value). `also` has the words that only WHERE knows; `marked` is for messages."""
        key = self.keys[self.at]
        if key in _COMPARISONS:
            self.at += 1
            return key, self.term()
        if key == "in":
            self.at += 1
            return "IN", self._in_values(marked)
        if key == "contains":
            self.at += 1
            return "CONTAINS KEY" if self.take("key") else "CONTAINS", self.term()
        if key not in also:
            self.fail(marked=marked)
        self.at += 1
        if key == "like":
            return "LIKE", self.term()
        self.expect("not", "null")
        return "IS NOT", Null()

    def _in_values(self, marked):
        marker = self.marker()
        if marker:
            return marker
        if self.key != "(":
            self.fail(marked=marked)
        return InValues(self.arguments(self.term))

    def _condition(self):
        column = self.column()
        element = field = None
        if self.take("["):
            element = self.term()
            self.expect("]")
        elif self.take("."):
            field = self.identifier()
        if (element is not None or field is not None) and self.key == "contains":
            self.fail()
        operator, value = self._operator_and_value()
        return Condition(column, operator, value, element, field)

    def _conditions(self):
        """Return (if_exists, conditions) of IF at the end of UPDATE and DELETE."""
        if not self.take("if"):
            return False, ()
        if self.key == "exists" and self.peek() not in _COMPARISONS and self.peek() not in ("in", "contains", "[", "."):
            self.at += 1
            return True, ()
        conditions = [self._condition()]
        while self.take("and"):
            conditions.append(self._condition())
        return False, tuple(conditions)

    # --- INSERT, UPDATE, DELETE ---

    def insert(self):
        self.expect("insert", "into")
        table = self.qualified()
        if self.take("json"):
            return self._insert_json(table)
        if self.key != "(":
            self.fail()
        columns = self.enclosed(self.column)
        self.expect("values")
        values = self.enclosed(self.term)
        if_not_exists = self.if_not_exists()
        return Insert(table, columns, values, if_not_exists, self._using(), markers=self._all_markers())

    def _insert_json(self, table):
        if self.key == "<string>":
            self.at += 1
            json = Constant("string", self.texts[self.at - 1])
        else:
            json = self.marker() or self.fail()
        unset = False
        if self.take("default") and not self.take("null"):
            unset = self.take("unset") or self.fail()
        if_not_exists = self.if_not_exists()
        return InsertJson(table, json, unset, if_not_exists, self._using(), markers=self._all_markers())

    def _using(self, ttl_allowed=True):
        if not self.take("using"):
            return _NOTHING
        timestamp = ttl = None
        while True:
            if self.key == "timestamp" or not ttl_allowed:
                self.expect("timestamp")
                timestamp = self.integer_or_marker()
            elif self.take("ttl"):
                ttl = self.integer_or_marker()
            else:
                self.fail()
            if not (ttl_allowed and self.take("and")):
                return Using(timestamp, ttl)

    def update(self):
        self.expect("update")
        table = self.qualified()
        using = self._using()
        self.expect("set")
        assignments = self.listed(self._assignment)
        _refuse_double_assignments(assignments)
        self.expect("where")
        where = self.where()
        if_exists, conditions = self._conditions()
        return Update(table, assignments, where, using, if_exists, conditions, markers=self._all_markers())

    def _assignment(self):
        column = self.column()
        key = self.keys[self.at]
        self.at += 1
        if key == "=":
            return self._plain_assignment(column)
        if key == "+=":
            return AddToColumn(column, self.term())
        if key == "-=":
            return SubtractFromColumn(column, self.term())
        if key == "[":
            element = self.term()
            self.expect("]", "=")
            return SetElement(column, element, self.term())
        if key == ".":
            field = self.identifier()
            self.expect("=")
            return SetField(column, field, self.term())
        self.at -= 1
        self.fail()

    def _plain_assignment(self, column):
        """Read what follows column =, where the column itself may be the first or last part."""
        if self.is_name(self.at) and not self._is_call(self.at) and not (self.key == "cast" and self.peek() == "("):
            same = self.column() == column
            sign = self.keys[self.at]
            if sign == "<integer>":  # c = c -3, read as a name and a negative number
                value = self.constant()
                sign = "-" if value.text.startswith("-") else "+"
                wanted = f"X = X {sign} <value>"
                made = AddToColumn(column, value)
            elif sign in ("+", "-"):
                self.at += 1
                wanted = f"X = X {sign}<value>"
                made = (AddToColumn if sign == "+" else SubtractFromColumn)(column, self.term())
            else:
                self.fail(marked=self.at - 1)
            if not same:
                raise SyntaxException(f"Only expressions of the form {wanted} are supported.")
            return made
        value = self.term()
        if not self.take("+"):
            return SetColumn(column, value)
        if self.column() != column:
            raise SyntaxException("Only expressions of the form X = <value> + X are supported.")
        return PrependToColumn(column, value)

    def delete(self):
        self.expect("delete")
        is_column = self.is_name(self.at) or self.key == "<empty name>"
        deletions = self.listed(self._deletion) if is_column else ()
        self.expect("from")
        table = self.qualified()
        using = self._using(ttl_allowed=False)
        self.expect("where")
        where = self.where()
        if_exists, conditions = self._conditions()
        return Delete(table, deletions, where, using, if_exists, conditions, markers=self._all_markers())

    def _deletion(self):
        column = self.column()
        if self.take("["):
            key = self.term()
            self.expect("]")
            return DeleteElement(column, key)
        if self.take("."):
            return DeleteField(column, self.identifier())
        self.check_follows((",", "from"))
        return DeleteColumn(column)

    # --- BATCH ---

    def batch(self):
        self.expect("begin")
        kind = "UNLOGGED" if self.take("unlogged") else "COUNTER" if self.take("counter") else "LOGGED"
        self.expect("batch")
        using = self._using()
        statements = []
        self._in_batch = True
        readers = {"insert": self.insert, "update": self.update, "delete": self.delete}
        while self.key in readers:
            statements.append(readers[self.key]())
            self.take(";")
        self._in_batch = False
        self.expect("apply", "batch")
        return Batch(kind, tuple(statements), using, markers=self._all_markers())

    _in_batch = False

    def _all_markers(self):
        """Return the markers of a statement; those inside of a batch belong to the batch."""
        return () if self._in_batch else tuple(self.markers)


def _refuse_double_assignments(assignments):
    """Raise SyntaxException when a column is set as a whole and again."""
    seen = {}
    for assignment in assignments:
        for earlier in seen.get(assignment.column, ()):
            if isinstance(earlier, SetColumn) or isinstance(assignment, SetColumn):
                raise SyntaxException(f"Multiple incompatible setting of column {assignment.column}")
        seen.setdefault(assignment.column, []).append(assignment)
