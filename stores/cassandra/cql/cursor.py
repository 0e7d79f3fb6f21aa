"""What every part of the parser stands on: a place among the tokens, names, types, bind markers, refusals."""

from stores.cassandra.cql.lexer import Tokens
from stores.cassandra.cql.nodes import RESERVED, BindMarker, Name
from stores.cassandra.cql.typenames import (
    CollectionTypeName,
    CustomTypeName,
    FrozenTypeName,
    NativeTypeName,
    TupleTypeName,
    UserTypeName,
    VectorTypeName,
)
from stores.cassandra.errors import SyntaxException

NATIVE_TYPES = frozenset(
    """ascii bigint blob boolean counter decimal double duration float inet int smallint text timestamp tinyint uuid
    varchar varint timeuuid date time""".split()
)
_RESERVED_TYPE_NAMES = frozenset("byte complex enum date interval macaddr bitstring".split())
# Words of the grammar that may be names all the same; only these may be the value of an option without quotes.
UNRESERVED = NATIVE_TYPES | frozenset(
    """access aggregate aggregates all ann as called cast cidrs cluster clustering compact contains count custom datacenters default
    distinct exists filtering finalfunc frozen function functions group hashed identity initcond input internals json key keys
    keyspaces language like list login map masked maxwritetime mbean mbeans nologin nosuperuser only options partition password per
    permission permissions replace returns role roles select_masked sfunc static storage stype superuser superusers tables trigger ttl
    tuple type types unmask unset user users values vector writetime""".split()
)
# What may follow a name of a table, and a name of a type. Cassandra's parser looks that far before it takes a name, and its
# messages tell of it: "no viable alternative at input 'u' (SELECT a FROM [t] u)".
_AFTER_TABLE = frozenset(
    """<end> ; ( . where group order per limit allow json using set as primary alter add drop rename with to from of
    norecursive""".split()
)
_AFTER_TYPE = frozenset("<end> ; ) , > static masked primary sfunc stype finalfunc initcond language".split())
_AFTER_INDEX = frozenset("<end> ; ,".split())
# Words that stand for one and the same token of Cassandra's grammar.
_SYNONYMS = {"table": "COLUMNFAMILY", "columnfamily": "COLUMNFAMILY"}


class Cursor:
    """A place (`at`) among tokens. Methods that read move on; they raise SyntaxException where they cannot."""

    def __init__(self, source):
        self.tokens = Tokens(source)
        self.keys = self.tokens.keys
        self.texts = self.tokens.texts
        self.at = 0
        self.looked_at = -1  # the token up to which Cassandra's parser would have looked ahead
        self.markers = []

    # --- refusals ---

    def fail(self, expected="", marked=None):
        """Raise the SyntaxException for the token here.

        `expected` is given where only one token could stand here; `marked` is the token that the snippet marks, if not this.
        """
        raise self.tokens.unexpected(self.at, expected, marked, self.at == self.looked_at)

    def check_follows(self, allowed):
        """Refuse the token here, marking the one before, unless it may follow that one."""
        if self.keys[self.at] not in allowed:
            self.fail(marked=self.at - 1)
        self.looked_at = self.at

    # --- single tokens ---

    @property
    def key(self):
        return self.keys[self.at]

    def peek(self, ahead=1):
        """Return the key of a later token; <end> after the last."""
        index = self.at + ahead
        return self.keys[index] if index < len(self.keys) else "<end>"

    def take(self, key):
        """Move over `key` if it is here, and say whether it was."""
        if self.keys[self.at] == key:
            self.at += 1
            return True
        return False

    def take_words(self, *words):
        """Move over several words if all of them are here, and say whether they were."""
        if all(self.peek(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def expect(self, *keys):
        """Move over tokens that must be here."""
        for key in keys:
            if self.keys[self.at] != key:
                self.fail(f"K_{_SYNONYMS.get(key, key.upper())}" if key.isidentifier() else f"'{key}'")
            self.at += 1

    def expect_kind(self, kind, name):
        """Return the text of a token of one kind, as ("<string>", "STRING_LITERAL")."""
        if self.keys[self.at] != kind:
            self.fail(name)
        self.at += 1
        return self.texts[self.at - 1]

    def listed(self, read):
        """Return what `read()` returns, one after another between commas: a tuple."""
        items = [read()]
        while self.keys[self.at] == ",":
            self.at += 1
            items.append(read())
        return tuple(items)

    def enclosed(self, read):
        """Return ( read, … ) as a tuple."""
        self.expect("(")
        items = self.listed(read)
        self.expect(")")
        return items

    # --- names ---

    def is_name(self, index):
        """Say whether the token at `index` may be a name."""
        key = self.keys[index]
        return key == "<name>" or (key.isidentifier() and key not in RESERVED)

    def identifier(self):
        """Return a name: an unquoted one in small letters."""
        key = self.keys[self.at]
        if key == "<name>":
            self.at += 1
            return self.texts[self.at - 1]
        if key.isidentifier() and key not in RESERVED:
            self.at += 1
            return key
        self.fail()

    def column(self):
        """Return the name of a column outside of definitions, where the empty name is allowed."""
        if self.keys[self.at] == "<empty name>":
            self.at += 1
            return ""
        return self.identifier()

    def qualified(self, what="table"):
        """Return Name(keyspace or None, name)."""
        first = self._unbound(what if self.peek() != "." else "keyspace")
        if self.take("."):
            return Name(first, self._unbound(what))
        self.check_follows(_AFTER_INDEX if what == "index" else _AFTER_TABLE)
        return Name(None, first)

    def keyspace_name(self):
        return self._unbound("keyspace")

    def _unbound(self, what):
        if self.keys[self.at] == "?":
            raise SyntaxException(f"Bind variables cannot be used for {what} names")
        return self.identifier()

    def user_type_name(self):
        """Return the Name of a user type: not that of a native one."""
        keyspace = None
        if self.peek() == ".":
            keyspace = self.identifier()
            self.at += 1
        if self.texts[self.at] in _RESERVED_TYPE_NAMES and self.key != "<name>":
            raise SyntaxException(f"Invalid (reserved) user type name {self.texts[self.at]}")
        if self.key in NATIVE_TYPES:
            self.at += 1
            self.expect(".")  # it could only be a keyspace
        return Name(keyspace, self.identifier())

    def if_exists(self):
        if self.take("if"):
            self.expect("exists")
            return True
        return False

    def if_not_exists(self):
        if self.take("if"):
            self.expect("not", "exists")
            return True
        return False

    # --- bind markers ---

    def marker(self):
        """Return a BindMarker if ? or :name is here, else None."""
        key = self.keys[self.at]
        if key == "?":
            self.at += 1
            made = BindMarker(len(self.markers))
        elif key == ":":
            self.at += 1
            made = BindMarker(len(self.markers), self.identifier())
        else:
            return None
        self.markers.append(made)
        return made

    # --- types ---

    def type(self):
        """Return the name of a type."""
        key = self.keys[self.at]
        if key in NATIVE_TYPES:
            self.at += 1
            self.check_follows(_AFTER_TYPE)
            return NativeTypeName("text" if key == "varchar" else key)
        if key == "<string>":
            self.at += 1
            return CustomTypeName(self.texts[self.at - 1])
        if self.peek() == "<":
            return self._parametric(key)
        return UserTypeName(self.user_type_name())

    def _parametric(self, kind):
        if kind not in ("list", "set", "map", "tuple", "vector", "frozen"):
            self.fail()
        self.at += 2
        first = self.type()
        if kind == "tuple":
            elements = [first]
            while self.take(","):
                elements.append(self.type())
            made = TupleTypeName(tuple(elements))
        elif kind == "map":
            self.expect(",")
            made = CollectionTypeName("map", (first, self.type()))
        elif kind == "vector":
            self.expect(",")
            made = VectorTypeName(first, self._dimension())
        elif kind == "frozen":
            if isinstance(first, NativeTypeName | CustomTypeName):
                raise SyntaxException(f"frozen<> is only allowed on collections, tuples, and user-defined types (got {first})")
            made = first if isinstance(first, FrozenTypeName) else FrozenTypeName(first)
        else:
            made = CollectionTypeName(kind, (first,))
        self.expect(">")
        return made

    def _dimension(self):
        text = self.expect_kind("<integer>", "INTEGER")
        if len(text) > 10 or int(text) >= 2**31:
            reason = f'NumberFormatException For input string: "{text}"'
            raise SyntaxException(f"Failed parsing statement: [{self.tokens.source}] reason: {reason}")
        return int(text)

    def after_type(self, index):
        """Return the index after the type that begins at `index`, or None where none does: a look ahead."""
        if self.keys[index] == "<string>":
            return index + 1
        if not self.is_name(index) and self.keys[index] != "set":
            return None
        index += 1
        if self.keys[index] == ".":
            if not self.is_name(index + 1):
                return None
            index += 2
        if self.keys[index] == "<":
            while True:
                index = index + 2 if self.keys[index + 1] == "<integer>" else self.after_type(index + 1)
                if index is None or self.keys[index] not in (",", ">"):
                    return None
                if self.keys[index] == ">":
                    return index + 1
        return index
