"""The parser's chapter on terms and selectors: constants, literals, calls, arithmetic."""

from stores.cassandra.cql.cursor import NATIVE_TYPES, Cursor
from stores.cassandra.cql.nodes import (
    Cast,
    Column,
    Constant,
    ElementOf,
    FieldOf,
    FunctionCall,
    ListLiteral,
    MapLiteral,
    Name,
    Negation,
    Null,
    Operation,
    Selection,
    SetLiteral,
    SliceOf,
    TupleLiteral,
    TypeHint,
    UserTypeLiteral,
    WritetimeOrTtl,
)
from stores.cassandra.cql.typenames import NativeTypeName
from stores.cassandra.errors import SyntaxException

_CONSTANTS = {
    "<string>": "string",
    "<integer>": "integer",
    "<float>": "float",
    "<boolean>": "boolean",
    "<uuid>": "uuid",
    "<hex>": "hex",
    "<duration>": "duration",
}
_SPECIAL_FLOATS = {"nan": "NaN", "-nan": "NaN", "infinity": "Infinity", "-infinity": "-Infinity"}
# Words that may be columns but not functions.
_NOT_FUNCTIONS = frozenset(("ttl", "writetime", "maxwritetime", "key", "cast", "json", "distinct"))
_SUMS, _PRODUCTS = ("+", "-"), ("*", "/", "%")
# What may follow a term, and a column among selectors.
_AFTER_TERM = frozenset(
    """<end> ; ) ] } , : .. + - * / % and where if group order per limit allow asc desc primary apply insert update delete""".split()
)
_AFTER_COLUMN = frozenset("<end> ; ) ] } , : . [ + - * / % from as order per limit allow".split())
COUNT_ROWS = FunctionCall(Name(None, "countrows"), ())


class Terms(Cursor):
    """Terms: what may be assigned and compared with. They contain no columns."""

    def term(self):
        left = self._product()
        while self.keys[self.at] in _SUMS:
            if self.is_name(self.at + 1) and not self._is_call(self.at + 1) and self.keys[self.at] == "+":
                return left  # SET l = [1] + l: the column is not part of the term
            operator = self.keys[self.at]
            self.at += 1
            left = Operation(operator, left, self._product())
        if self.keys[self.at] not in _AFTER_TERM:
            self.fail()
        self.looked_at = self.at
        return left

    def _product(self):
        left = self._signed()
        while self.keys[self.at] in _PRODUCTS:
            operator = self.keys[self.at]
            self.at += 1
            left = Operation(operator, left, self._signed())
        return left

    def _signed(self):
        if self.take("-"):
            return Negation(self.simple_term())
        return self.simple_term()

    def constant(self):
        """Return a Constant if one is here, else None."""
        kind = _CONSTANTS.get(self.keys[self.at])
        if kind:
            self.at += 1
            return Constant(kind, self.texts[self.at - 1])
        special = _SPECIAL_FLOATS.get(self.keys[self.at])
        if special:
            self.at += 1
            return Constant("float", special)
        return None

    def simple_term(self):
        made = self.constant()
        if made is not None:
            return made
        key = self.keys[self.at]
        if key in ("?", ":"):
            return self.marker()
        if key == "null":
            self.at += 1
            return Null()
        if key == "[":
            return self._list(self.term)
        if key == "{":
            return self._set_or_map()
        if key == "(":
            if self._is_hint():
                return self._hint(self.simple_term)
            return TupleLiteral(self.enclosed(self.term))
        if key == "cast" and self.peek() == "(":
            return self._cast(self.simple_term)
        if self._is_call(self.at):
            return self._call(self.term)
        if self.is_name(self.at):  # a column, which no term may be: Cassandra finds out at the next token
            self.at += 1
            self.fail(marked=self.at - 1)
        self.fail()

    def _list(self, read):
        self.expect("[")
        items = () if self.keys[self.at] == "]" else self.listed(read)
        self.expect("]")
        return ListLiteral(items)

    def _set_or_map(self):
        self.expect("{")
        if self.take("}"):
            return SetLiteral(())
        if self.is_name(self.at) and self.peek() == ":":
            fields = {}
            for name, value in self.listed(lambda: self._entry(self.identifier, self.term)):
                fields[name] = value  # of doubles the last counts
            made = UserTypeLiteral(tuple(fields.items()))
        else:
            made = self._set_or_map_of(self.term)
        self.expect("}")
        return made

    def _set_or_map_of(self, read):
        """Return the SetLiteral or MapLiteral inside of { }."""
        first = read()
        if self.take(":"):
            entries = [(first, read())]
            while self.take(","):
                entries.append(self._entry(read, read))
            return MapLiteral(tuple(entries))
        items = [first]
        while self.take(","):
            items.append(read())
        return SetLiteral(tuple(items))

    def _entry(self, read_key, read_value):
        key = read_key()
        self.expect(":")
        return key, read_value()

    def map_literal(self):
        """Return the entries of { term : term, … }, as options are written."""
        self.expect("{")
        entries = () if self.keys[self.at] == "}" else self.listed(lambda: self._entry(self.term, self.term))
        self.expect("}")
        return entries

    def integer_or_marker(self):
        """Return the Constant or BindMarker of LIMIT, TTL and TIMESTAMP."""
        if self.keys[self.at] == "<integer>":
            return self.constant()
        return self.marker() or self.fail()

    # --- casts and calls ---

    def _is_hint(self):
        """Say whether ( type ) term is here, and not a tuple."""
        end = self.after_type(self.at + 1)
        if end is None or self.keys[end] != ")":
            return False
        key = self.keys[end + 1]
        if key in _CONSTANTS or key in _SPECIAL_FLOATS or key in ("?", ":", "[", "{", "(", "null"):
            return True
        if self._is_call(end + 1) or (key == "cast" and self.keys[end + 2] == "("):
            return True
        # A column after (type) is a selector. Words that may follow a tuple, as in ('a') PER PARTITION, are names too.
        return self.is_name(end + 1) and key != "as" and self.keys[self.at + 1] != "<string>"

    def _hint(self, read):
        self.expect("(")
        cql_type = self.type()
        self.expect(")")
        return TypeHint(cql_type, read())

    def _cast(self, read):
        self.at += 1
        self.expect("(")
        term = read()
        self.expect("as")
        key = self.keys[self.at]
        if key not in NATIVE_TYPES:
            self.fail()
        self.at += 1
        self.expect(")")
        return Cast(term, NativeTypeName("text" if key == "varchar" else key))

    def _is_call(self, index):
        """Say whether a call begins at `index`: f( or ks.f(."""
        following = self.keys[index + 1 : index + 4]
        if following[:1] == ["("]:
            return self._is_function(index)
        return following[:1] == ["."] and following[2:] == ["("] and self.is_name(index) and self._is_function(index + 2)

    def _is_function(self, index):
        key = self.keys[index]
        return key == "token" or (self.is_name(index) and key not in _NOT_FUNCTIONS)

    def function_name(self):
        keyspace = None
        if self.peek() == ".":
            keyspace = self.identifier()
            self.at += 1
        if not self._is_function(self.at):
            self.fail()
        if self.take("token"):
            return Name(keyspace, "token")
        return Name(keyspace, self.identifier())

    def _call(self, read):
        call = FunctionCall(self.function_name(), self.arguments(read))
        if call.name.name == "count" and len(call.arguments) == 1 and isinstance(call.arguments[0], Constant):
            return COUNT_ROWS  # count(1)
        return call

    def arguments(self, read):
        """Return ( ) or ( read, … ) as a tuple."""
        self.expect("(")
        arguments = () if self.keys[self.at] == ")" else self.listed(read)
        self.expect(")")
        return arguments


class Selectors(Terms):
    """Selectors: what may stand after SELECT. They are terms with columns, their parts, and functions of cells."""

    def selections(self):
        """Return the SELECT clause: a tuple of Selection, () for *."""
        if self.take("*"):
            return ()
        return self.listed(self._selection)

    def _selection(self):
        selector = self.selector()
        return Selection(selector, self.identifier() if self.take("as") else None)

    def selector(self):
        left = self._selector_product()
        while self.keys[self.at] in _SUMS:
            operator = self.keys[self.at]
            self.at += 1
            left = Operation(operator, left, self._selector_product())
        return left

    def _selector_product(self):
        left = self._selector_group()
        while self.keys[self.at] in _PRODUCTS:
            operator = self.keys[self.at]
            self.at += 1
            left = Operation(operator, left, self._selector_group())
        return left

    def _selector_group(self):
        if self.take("-"):
            return Negation(self._selector_group())
        return self._parts_of(self._simple_selector())

    def _parts_of(self, selector):
        """Read .field, [key] and [from..to] after a selector."""
        while True:
            if self.take("."):
                if not self.is_name(self.at):
                    self.fail(marked=self.at - 2)
                selector = FieldOf(selector, self.identifier())
            elif self.keys[self.at] == "[":
                selector = self._element_or_slice(selector)
            else:
                return selector

    def _element_or_slice(self, selector):
        start, markers = self.at, len(self.markers)
        try:
            self.at += 1
            made = self._key_or_range(selector)
            self.expect("]")
        except SyntaxException:  # then [ itself is what should not be here
            self.at = start
            del self.markers[markers:]
            self.fail("K_FROM")
        return made

    def _key_or_range(self, selector):
        if self.take(".."):
            return SliceOf(selector, None, self.term())
        start = self.term()
        if not self.take(".."):
            return ElementOf(selector, start)
        return SliceOf(selector, start, None if self.keys[self.at] == "]" else self.term())

    def _simple_selector(self):
        key = self.keys[self.at]
        if self.peek() == "(":
            made = self._selector_function(key)
            if made is not None:
                return made
        if self._is_call(self.at):
            return self._call(self.selector)
        if self.is_name(self.at):
            column = Column(self.identifier())
            self.check_follows(_AFTER_COLUMN)
            return column
        made = self.constant()
        if made is not None:
            return made
        if key == "null":
            self.at += 1
            return Null()
        if key in ("?", ":"):
            return self.marker()
        if key == "[":
            return self._list(self.selector)
        if key == "{":
            return self._selector_set_or_map()
        if key == "(":
            if self._is_hint():
                return self._hint(self._simple_selector)
            items = self.enclosed(self.selector)
            return items[0] if len(items) == 1 else TupleLiteral(items)
        self.fail()

    def _selector_function(self, key):
        """Return what looks like a call and is none: count(*), ttl(column), cast(… as type); None for others."""
        if key == "count" and self.peek(2) == "*":
            self.at += 3
            self.expect(")")
            return COUNT_ROWS
        if key in ("writetime", "maxwritetime", "ttl"):
            self.at += 2
            made = WritetimeOrTtl(key, self._parts_of(Column(self.identifier())))
            self.expect(")")
            return made
        if key == "cast":
            return self._cast(self.selector)
        return None

    def _selector_set_or_map(self):
        self.expect("{")
        if self.take("}"):
            return SetLiteral(())
        made = self._set_or_map_of(self.selector)
        self.expect("}")
        if isinstance(made, MapLiteral) and all(isinstance(key, Column) for key, _ in made.entries):
            return UserTypeLiteral(tuple((key.name, value) for key, value in made.entries))
        return made
