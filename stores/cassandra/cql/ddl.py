"""The parser's chapter on data definition: keyspaces, tables, user types, indexes, materialized views, TRUNCATE, USE."""

from stores.cassandra.cql.cursor import UNRESERVED
from stores.cassandra.cql.definitions import (
    AddColumns,
    AddField,
    AlterColumnType,
    AlterFieldType,
    AlterKeyspace,
    AlterProperties,
    AlterTable,
    AlterType,
    AlterView,
    ColumnDefinition,
    CreateIndex,
    CreateKeyspace,
    CreateTable,
    CreateType,
    CreateView,
    DropColumns,
    DropCompactStorage,
    DropIndex,
    DropKeyspace,
    DropTable,
    DropType,
    DropView,
    IndexTarget,
    MaskColumn,
    RenameColumns,
    RenameFields,
    Truncate,
    Use,
)
from stores.cassandra.cql.dml import Manipulation
from stores.cassandra.cql.nodes import BindMarker, Constant, FunctionCall, Name
from stores.cassandra.errors import InvalidRequest, SyntaxException

_TABLE_WORDS = ("table", "columnfamily")


class Definition(Manipulation):
    """Statements that define data. Methods begin after CREATE, ALTER or DROP and the kind of thing."""

    def use(self):
        self.expect("use")
        return Use(self.keyspace_name())

    def truncate(self):
        self.expect("truncate")
        if self.key in _TABLE_WORDS:
            self.at += 1
        return Truncate(self.qualified())

    # --- options ---

    def properties(self):
        """Return what follows WITH as a dict."""
        properties = {}
        self._property(properties)
        while self.take("and"):
            self._property(properties)
        return properties

    def _property(self, properties):
        start = self.at
        name = self.identifier()
        if not self.take("="):
            self.fail(marked=start)
        constant = self.constant()
        if constant is not None:
            value = constant.text
        elif self.key == "{":
            value = self._property_map()
        elif self.key in UNRESERVED:
            value = self.identifier()
        else:
            self.fail(marked=start)
        if name in properties:
            raise SyntaxException(f"Multiple definitions for property '{name}'")
        properties[name] = value

    def _property_map(self):
        values = {}
        for key, value in self.map_literal():
            for term, what in (
                (key, f"Invalid property name: {key}"),
                (value, f"Invalid property value: {value} for property: {key}"),
            ):
                if not isinstance(term, Constant):
                    hint = " (bind variables are not supported in DDL queries)" if isinstance(term, BindMarker) else ""
                    raise SyntaxException(what + hint)
            if key.text in values:
                raise SyntaxException(f"Multiple definition for property {key.text}")
            values[key.text] = value.text
        return values

    # --- keyspaces ---

    def create_keyspace(self):
        if_not_exists = self.if_not_exists()
        keyspace = self.keyspace_name()
        self.expect("with")
        return CreateKeyspace(keyspace, self.properties(), if_not_exists)

    def alter_keyspace(self):
        if_exists = self.if_exists()
        keyspace = self.keyspace_name()
        self.expect("with")
        return AlterKeyspace(keyspace, self.properties(), if_exists)

    def drop_keyspace(self):
        if_exists = self.if_exists()
        return DropKeyspace(self.keyspace_name(), if_exists)

    # --- tables ---

    def create_table(self):
        if_not_exists = self.if_not_exists()
        table = self.qualified()
        columns, keys = {}, []
        self.expect("(")
        self._table_item(table, columns, keys)
        while self.take(","):
            if self.is_name(self.at) or self.key == "primary":
                self._table_item(table, columns, keys)
        self.expect(")")
        partition_key, clustering_columns = keys[0] if keys else ((), ())
        order, properties, compact = self._table_options(f"table '{table}'")
        return CreateTable(
            table, tuple(columns.values()), partition_key, clustering_columns, tuple(order), properties, compact, if_not_exists
        )

    def _table_item(self, table, columns, keys):
        """Read a column or the PRIMARY KEY into `columns` and `keys`."""
        if self.take("primary"):
            self.expect("key")
            keys.append(self._primary_key())
        else:
            column = self._column_definition()
            if column.name in columns:
                raise InvalidRequest(f"Duplicate column '{column.name}' declaration for table '{table}'")
            columns[column.name] = column
            if self.take("primary"):
                self.expect("key")
                keys.append(((column.name,), ()))
        if len(keys) > 1:
            raise InvalidRequest(f"Multiple PRIMARY KEY specified for table '{table}' (exactly one required)")

    def _column_definition(self):
        name = self.identifier()
        column_type = self.type()
        static = self.take("static")
        return ColumnDefinition(name, column_type, static, self._mask() if self.key == "masked" else None)

    def _mask(self):
        self.expect("masked", "with")
        if self.take("default"):
            return FunctionCall(Name(None, "mask_default"), ())
        return FunctionCall(self.function_name(), self.arguments(self.term))

    def _primary_key(self):
        """Return ((partition key columns), (clustering columns))."""
        self.expect("(")
        partition_key = self.enclosed(self.identifier) if self.key == "(" else (self.identifier(),)
        clustering = []
        while self.take(","):
            clustering.append(self.identifier())
        self.expect(")")
        return partition_key, tuple(clustering)

    def _table_options(self, whose):
        """Return (clustering order, properties, compact storage) after WITH, if it is here. `whose` is for messages."""
        order, properties, compact = {}, {}, False
        if not self.take("with"):
            return (), properties, compact
        while True:
            if self.key == "compact" and self.peek() != "=":
                self.at += 1
                self.expect("storage")
                if whose.startswith("view"):
                    raise SyntaxException("COMPACT STORAGE tables are not allowed starting with version 4.0")
                compact = True
            elif self.key == "clustering" and self.peek() != "=":
                self.at += 1
                self.expect("order", "by")
                for column, is_descending in self.enclosed(self._clustering_order):
                    if column in order:
                        raise InvalidRequest(f"Duplicate column '{column}' in CLUSTERING ORDER BY clause for {whose}")
                    order[column] = is_descending
            else:
                self._property(properties)
            if not self.take("and"):
                return tuple(order.items()), properties, compact

    def _clustering_order(self):
        column = self.identifier()
        if self.key not in ("asc", "desc"):
            self.fail()
        self.at += 1
        return column, self.keys[self.at - 1] == "desc"

    def alter_table(self):
        if_exists = self.if_exists()
        return AlterTable(self.qualified(), self._table_change(), if_exists)

    def _table_change(self):
        if self.take("alter"):
            return self._alter_column()
        if self.take("add"):
            if_not_exists = self.if_not_exists()
            columns = self.enclosed(self._column_definition) if self.key == "(" else (self._column_definition(),)
            return AddColumns(columns, if_not_exists)
        if self.take("drop"):
            return self._drop_columns()
        if self.take("rename"):
            if_columns_exist = self.if_exists()
            return RenameColumns(self._renamed(), if_columns_exist)
        if self.take("with"):
            return AlterProperties(self.properties())
        self.fail()

    def _alter_column(self):
        if_exists = self.if_exists()
        column = self.column()
        if self.take("type"):
            return AlterColumnType(column, self.type())
        if self.take("drop"):
            self.expect("masked")
            return MaskColumn(column, None, if_exists)
        if self.key != "masked":
            self.fail()
        return MaskColumn(column, self._mask(), if_exists)

    def _drop_columns(self):
        if self.key == "compact" and self.peek() == "storage":
            self.at += 2
            return DropCompactStorage()
        if_exists = self.if_exists()
        columns = self.enclosed(self.identifier) if self.key == "(" else (self.identifier(),)
        timestamp = None
        if self.take("using"):
            self.expect("timestamp")
            text = self.expect_kind("<integer>", "INTEGER")
            timestamp = int(text) if len(text) < 30 else 2**63
        return DropColumns(columns, timestamp, if_exists)

    def _renamed(self):
        renamed = []
        while True:
            old = self.identifier()
            self.expect("to")
            renamed.append((old, self.identifier()))
            if not self.take("and"):
                return tuple(renamed)

    def drop_table(self):
        if_exists = self.if_exists()
        return DropTable(self.qualified(), if_exists)

    # --- user types ---

    def create_type(self):
        if_not_exists = self.if_not_exists()
        name = self.user_type_name()
        self.expect("(")
        fields = [self._field()]
        while self.take(","):
            if self.is_name(self.at):
                fields.append(self._field())
        self.expect(")")
        return CreateType(name, tuple(fields), if_not_exists)

    def _field(self):
        return self.identifier(), self.type()

    def alter_type(self):
        if_exists = self.if_exists()
        name = self.user_type_name()
        if self.take("add"):
            if_not_exists = self.if_not_exists()
            return AlterType(name, AddField(*self._field(), if_not_exists), if_exists)
        if self.take("rename"):
            if_fields_exist = self.if_exists()
            return AlterType(name, RenameFields(self._renamed(), if_fields_exist), if_exists)
        if self.take("alter"):
            field = self.identifier()
            self.expect("type")
            return AlterType(name, AlterFieldType(field, self.type()), if_exists)
        self.fail()

    def drop_type(self):
        if_exists = self.if_exists()
        return DropType(self.user_type_name(), if_exists)

    # --- indexes ---

    def create_index(self, custom=False):
        if_not_exists = self.if_not_exists()
        name = None
        if self.key != "on":
            if self.key == "?":
                raise SyntaxException("Bind variables cannot be used for index names")
            name = self.identifier()
        self.expect("on")
        table = self.qualified()
        targets = self.arguments(self._index_target)
        using = self.expect_kind("<string>", "STRING_LITERAL") if self.take("using") else None
        properties = self.properties() if self.take("with") else {}
        return CreateIndex(name, table, targets, custom, using, properties, if_not_exists)

    def _index_target(self):
        key = self.key
        if key in ("values", "keys", "entries", "full") and self.peek() == "(":
            self.at += 2
            column = self.column()
            self.expect(")")
            return IndexTarget(column, key)
        column = self.column()
        self.check_follows((",", ")"))
        return IndexTarget(column)

    def drop_index(self):
        if_exists = self.if_exists()
        return DropIndex(self.qualified("index"), if_exists)

    # --- materialized views ---

    def create_view(self):
        if_not_exists = self.if_not_exists()
        view = self.qualified()
        self.expect("as", "select")
        selections = self.selections()
        self.expect("from")
        table = self.qualified()
        where = self.where() if self.take("where") else ()
        self.expect("primary", "key")
        partition_key, clustering = self._primary_key()
        order, properties, _ = self._table_options(f"view '{view}'")
        return CreateView(
            view,
            table,
            selections,
            where,
            partition_key,
            clustering,
            order,
            properties,
            if_not_exists,
            markers=tuple(self.markers),
        )

    def alter_view(self):
        if_exists = self.if_exists()
        view = self.qualified()
        self.expect("with")
        return AlterView(view, self.properties(), if_exists)

    def drop_view(self):
        if_exists = self.if_exists()
        return DropView(self.qualified(), if_exists)
