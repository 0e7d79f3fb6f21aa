"""Filter strings of a scan: `PrefixFilter('u1#') AND ValueFilter(=, 'binary:view')`, in HBase's filter language.

A filter sees a row's cells, [(family:qualifier, (timestamp, value)), …] in order, and returns those that stay; a row
without any is not returned. `done` says that no later row can match. Not here: SKIP, WHILE, DependentColumnFilter.
"""

import operator
import re
from collections.abc import Callable
from typing import NamedTuple

from stores.hbase.engine import Failure, text

TOKEN = re.compile(rb"\s*(?:(?P<quoted>'(?:[^']|'')*')|(?P<compare>!=|<=|>=|=|<|>)|(?P<mark>[(),])|(?P<word>[\w.-]+))")
COMPARE = {
    **{b"=": operator.eq, b"!=": operator.ne, b"<": operator.lt},
    **{b"<=": operator.le, b">": operator.gt, b">=": operator.ge},
}
WANTED = {"b": "a 'quoted' string", "c": "a 'quoted' comparator", "o": "an operator such as =", "i": "a number", "t": "true or false"}


class Bad(Failure):
    """The filter string cannot be read, or names what is not here."""

    def __init__(self, words):
        super().__init__(words, "java.lang.IllegalArgumentException", "ia")


class Filter:
    """Passes everything; the others override what they decide."""

    done = False

    def begin(self, reverse):
        """Say before the first row in which direction the scan goes."""

    def row(self, key, cells):
        return cells


class Each(Filter):
    """Keeps the cells that a function of (family, qualifier, timestamp, value) accepts."""

    def __init__(self, accepts):
        self._accepts = accepts

    def row(self, key, cells):
        return [cell for cell in cells if self._accepts(*cell[0].split(b":", 1), *cell[1])]


class Keys(Filter):
    """Keeps the rows whose key a function accepts."""

    def __init__(self, accepts):
        self._accepts = accepts

    def row(self, key, cells):
        return cells if self._accepts(key) else []


class Prefix(Keys):
    """Keeps the rows whose key begins so, and ends the scan behind them. It does not make it begin there."""

    def __init__(self, prefix):
        super().__init__(lambda key: key.startswith(prefix))
        self._prefix = prefix

    def begin(self, reverse):
        self._behind = operator.lt if reverse else operator.gt

    def row(self, key, cells):
        self.done = self._behind(key[: len(self._prefix)], self._prefix)
        return super().row(key, cells)


class InclusiveStop(Filter):
    """Ends the scan behind a key, which is still returned."""

    def __init__(self, stop):
        self._stop = stop

    def begin(self, reverse):
        self._behind = operator.lt if reverse else operator.gt

    def row(self, key, cells):
        self.done = self._behind(key, self._stop)
        return [] if self.done else cells


class Page(Filter):
    """Lets `size` rows pass."""

    def __init__(self, size):
        self._left = size

    def row(self, key, cells):
        self._left -= 1
        self.done = self._left <= 0
        return cells if self._left >= 0 else []


class Slice(Filter):
    """Keeps some cells of each row by their place; without their values if `bare`."""

    def __init__(self, start=0, stop=None, bare=False):
        self._start, self._stop, self._bare = start, stop, bare

    def row(self, key, cells):
        cells = cells[self._start : self._stop]
        return [(column, (timestamp, b"")) for column, (timestamp, _) in cells] if self._bare else cells


class SingleValue(Filter):
    """Keeps the rows whose value in one column passes; without that column, all of them unless `if_missing`."""

    def __init__(self, column, accepts, if_missing, exclude):
        self._column, self._accepts, self._if_missing, self._exclude = column, accepts, if_missing, exclude

    def row(self, key, cells):
        values = [value for column, (_, value) in cells if column == self._column]
        passes = self._accepts(values[0]) if values else not self._if_missing
        return [cell for cell in cells if not (self._exclude and cell[0] == self._column)] if passes else []


class Several(Filter):
    def __init__(self, filters):
        self._filters = filters

    def begin(self, reverse):
        for each in self._filters:
            each.begin(reverse)


class Both(Several):
    """AND: what all of them keep."""

    def row(self, key, cells):
        for each in self._filters:
            cells = each.row(key, cells) if cells else cells
        self.done = any(each.done for each in self._filters)
        return cells


class Either(Several):
    """OR: what any of them keeps."""

    def row(self, key, cells):
        kept = [each.row(key, cells) for each in self._filters if not each.done]
        self.done = all(each.done for each in self._filters)
        columns = {column: found for part in kept for column, found in part}
        return sorted(columns.items())


class Kind(NamedTuple):
    """How a filter of the language is made: the types of its arguments (those after `needs` may be left out)."""

    make: Callable
    types: str  # b bytes, i int, t true or false, o operator, c comparator, * more of the last
    needs: int


def comparator(data):
    """`binary:x` and the like: return a function (operator, value) -> bool."""
    name, colon, wanted = data.partition(b":")
    if not colon or name not in (b"binary", b"binaryprefix", b"substring", b"regexstring"):
        raise Bad(f"Incorrect comparator: {text(data)}. Expected binary:, binaryprefix:, substring: or regexstring: before it")
    if name == b"binary":
        return lambda sign, value: COMPARE[sign](value, wanted)
    if name == b"binaryprefix":
        return lambda sign, value: COMPARE[sign](value[: len(wanted)], wanted)
    if name == b"substring":
        return lambda sign, value: _found(sign, wanted.lower() in value.lower())
    try:
        pattern = re.compile(wanted)
    except re.error as error:
        raise Bad(f"Incorrect regular expression {text(wanted)}: {error}") from None
    return lambda sign, value: _found(sign, pattern.search(value) is not None)


def _found(sign, found):
    if sign not in (b"=", b"!="):
        raise Bad("A regexstring comparator and a substring comparator can only be used with = and !=")
    return found == (sign == b"=")


def _column_range(low, with_low, high, with_high):
    def inside(_, qualifier, *__):
        above = not low or (qualifier >= low if with_low else qualifier > low)
        return above and (not high or (qualifier <= high if with_high else qualifier < high))

    return Each(inside)


def _single(exclude):
    def make(family, qualifier, sign, passes, if_missing=False, latest_only=True):
        return SingleValue(family + b":" + qualifier, lambda value: passes(sign, value), if_missing, exclude)

    return make


KINDS = {
    "PrefixFilter": Kind(Prefix, "b", 1),
    "InclusiveStopFilter": Kind(InclusiveStop, "b", 1),
    "RowFilter": Kind(lambda sign, passes: Keys(lambda key: passes(sign, key)), "oc", 2),
    "FamilyFilter": Kind(lambda sign, passes: Each(lambda family, *_: passes(sign, family)), "oc", 2),
    "QualifierFilter": Kind(lambda sign, passes: Each(lambda _, qualifier, *__: passes(sign, qualifier)), "oc", 2),
    "ValueFilter": Kind(lambda sign, passes: Each(lambda *cell: passes(sign, cell[3])), "oc", 2),
    "ColumnPrefixFilter": Kind(lambda prefix: Each(lambda _, qualifier, *__: qualifier.startswith(prefix)), "b", 1),
    "MultipleColumnPrefixFilter": Kind(lambda *prefixes: Each(lambda _, qualifier, *__: qualifier.startswith(prefixes)), "b*", 1),
    "ColumnRangeFilter": Kind(_column_range, "btbt", 4),
    "TimestampsFilter": Kind(lambda *moments: Each(lambda *cell: cell[2] in moments), "i*", 1),
    "ColumnCountGetFilter": Kind(lambda limit: Slice(0, limit), "i", 1),
    "ColumnPaginationFilter": Kind(lambda limit, offset: Slice(offset, offset + limit), "ii", 2),
    "FirstKeyOnlyFilter": Kind(lambda: Slice(0, 1), "", 0),
    "KeyOnlyFilter": Kind(lambda: Slice(bare=True), "", 0),
    "PageFilter": Kind(Page, "i", 1),
    "SingleColumnValueFilter": Kind(_single(exclude=False), "bboctt", 4),
    "SingleColumnValueExcludeFilter": Kind(_single(exclude=True), "bboctt", 4),
}  # fmt: skip


def parse(source):
    """Return the Filter of a filter string (bytes). Raises Failure in HBase's words for what it does not know."""
    reader = _Reader(source)
    found = reader.either()
    if reader.tokens:
        raise Bad(f"Incorrect Filter String: {text(source)}. It should end before {text(reader.tokens[0][1])}")
    return found


class _Reader:
    def __init__(self, source):
        self._source = source
        self.tokens = []  # (kind, bytes), those that are still to come
        place = 0
        while source[place:].strip():
            match = TOKEN.match(source, place)
            if match is None:
                raise Bad(f"Incorrect Filter String: {text(source)}. It cannot be read from {text(source[place:])} on")
            self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            place = match.end()

    def either(self, deepest=32):
        """AND binds closer than OR."""
        found = [self._both(deepest)]
        while self._skip(b"OR"):
            found.append(self._both(deepest))
        return found[0] if len(found) == 1 else Either(found)

    def _both(self, deepest):
        found = [self._one(deepest)]
        while self._skip(b"AND"):
            found.append(self._one(deepest))
        return found[0] if len(found) == 1 else Both(found)

    def _one(self, deepest):
        if not deepest:
            raise Bad("Incorrect Filter String: too many parentheses inside each other")
        if self._skip(b"("):
            found = self.either(deepest - 1)
            self._expect(b")")
            return found
        name = self._take("word").decode()
        if name in ("SKIP", "WHILE"):
            raise Bad(f"{name} is not supported by the embedded HBase: it knows AND, OR and parentheses")
        if name not in KINDS:
            raise Bad(f"Filter Name {name} not supported: the embedded HBase knows {', '.join(sorted(KINDS))}")
        return self._make(name, self._arguments())

    def _arguments(self):
        self._expect(b"(")
        found = []
        while not self._skip(b")"):
            if found:
                self._expect(b",")
            if not self.tokens or self.tokens[0][0] == "mark":
                raise Bad(f"Incorrect Filter String: {text(self._source)}. A parenthesis is not closed")
            found.append(self.tokens.pop(0))
        return found

    def _make(self, name, arguments):
        kind = KINDS[name]
        types = kind.types
        if types.endswith("*"):
            types = types[0] * max(len(arguments), 1)
        if not kind.needs <= len(arguments) <= len(types):
            raise Bad(f"Incorrect Arguments passed to {name}. Expected: {kind.needs}, got: {len(arguments)}")
        values = [self._argument(name, *each) for each in zip(types, arguments, strict=False)]
        if "c" in types:  # some comparators refuse some operators: ask once, before any row comes
            place = types.index("c")
            values[place](values[place - 1], b"")
        return kind.make(*values)

    def _argument(self, name, type_, token):
        kind, data = token
        if kind == "quoted" and type_ in "bc":
            data = data[1:-1].replace(b"''", b"'")
            return comparator(data) if type_ == "c" else data
        if kind == "compare" and type_ == "o":
            return data
        if kind == "word" and type_ == "i" and re.fullmatch(rb"-?\d{1,18}", data):
            return int(data)
        if kind == "word" and type_ == "t" and data in (b"true", b"false"):
            return data == b"true"
        wanted = {
            "b": "a 'quoted' string",
            "c": "a 'quoted' comparator",
            "o": "an operator such as =",
            "i": "a number",
            "t": "true or false",
        }
        raise Bad(f"Incorrect Arguments passed to {name}: expected {wanted[type_]}, found {text(data)}")

    def _skip(self, mark):
        if self.tokens and self.tokens[0][1] == mark:
            return self.tokens.pop(0)
        return None

    def _expect(self, mark):
        if not self._skip(mark):
            found = text(self.tokens[0][1]) if self.tokens else "the end"
            raise Bad(f"Incorrect Filter String: {text(self._source)}. Expected {text(mark)}, found {found}")

    def _take(self, kind):
        if not self.tokens or self.tokens[0][0] != kind:
            raise Bad(f"Incorrect Filter String: {text(self._source)}. Expected the name of a filter")
        return self.tokens.pop(0)[1]
