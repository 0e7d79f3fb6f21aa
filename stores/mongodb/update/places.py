"""Places in a document that an update's path leads to: `$`, `$[]`, `$[name]`, numbers in arrays, fields yet to be made."""

import re

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING
from stores.mongodb.paths import is_index
from stores.mongodb.query import Query
from stores.mongodb.values import show

IDENTIFIER = re.compile(r"[a-z][A-Za-z0-9]*")
MOST_NULLS = 1_500_000


def clone(value):
    """Return a copy of a document; what is neither document nor array never changes and is shared."""
    if isinstance(value, dict):
        return {name: clone(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [clone(inner) for inner in value]
    return value


def parts_of(path):
    """Return the parts of an update's path. Raises 56 for an empty part, 2 for a `$` out of place, 52 for other names with $."""
    if not path:
        raise MongoError("EmptyFieldName", "An empty update path is not valid.")
    parts = path.split(".")
    for part in parts:
        if not part:
            raise MongoError("EmptyFieldName", f"The update path '{path}' contains an empty field name, which is not allowed.")
    if parts[0] == "$" or parts[0].startswith("$["):
        raise MongoError("BadValue", f"Cannot have positional (i.e. '{parts[0]}') element in the first position in path '{path}'")
    if parts.count("$") > 1:
        raise MongoError("BadValue", f"Too many positional (i.e. '$') elements found in path '{path}'")
    if parts[0].startswith("$"):
        message = "is not valid for storage."
        raise MongoError("DollarPrefixedFieldName", f"The dollar ($) prefixed field '{parts[0]}' in '{path}' {message}")
    return parts


class ArrayFilters:
    """The command's arrayFilters: {identifier: Query}, and which of them paths used."""

    def __init__(self, specs, fold=None):
        self.queries, self.used = {}, set()
        for spec in specs:
            name = self._identifier(spec)
            if name in self.queries:
                raise MongoError("FailedToParse", f"Found multiple array filters with the same top-level field name {name}")
            self.queries[name] = Query(spec, fold=fold)

    def _identifier(self, spec):
        for name, code in (("$expr", "QueryFeatureNotAllowed"), ("$where", "BadValue"), ("$text", "BadValue")):
            if isinstance(spec, dict) and name in spec:
                raise MongoError(code, f"{name} is not allowed in this context: arrayFilters")
        names = list(dict.fromkeys(_tops(spec)))
        if not names:
            raise MongoError("FailedToParse", "Cannot use an expression without a top-level field name in arrayFilters")
        if len(names) > 1:
            message = f"Expected a single top-level field name, found '{names[0]}' and '{names[1]}'"
            raise MongoError("FailedToParse", f"Error parsing array filter :: caused by :: {message}")
        if not IDENTIFIER.fullmatch(names[0]):
            message = "The top-level field name must be an alphanumeric string beginning with a lowercase letter, found"
            raise MongoError("BadValue", f"Error parsing array filter :: caused by :: {message} '{names[0]}'")
        return names[0]

    def use(self, parts, path):
        """Note the identifiers of a path. Raises 2 for one without a filter."""
        for part in parts:
            if part.startswith("$[") and part != "$[]":
                name = part[2:-1]
                if name not in self.queries:
                    raise MongoError("BadValue", f"No array filter found for identifier '{name}' in path '{path}'")
                self.used.add(name)

    def check_used(self, update):
        """Raise 9 for a filter that no path uses."""
        for name in self.queries:
            if name not in self.used:
                message = f"The array filter for identifier '{name}' was not used in the update {show(update)}"
                raise MongoError("FailedToParse", message)

    def matches(self, name, element):
        return self.queries[name]({name: element})


def _tops(spec):
    """The first parts of all paths of a filter, also inside $and and its like."""
    if not isinstance(spec, dict):
        raise MongoError("TypeMismatch", "arrayFilters must be an array of objects")
    for name, operand in spec.items():
        if name in ("$and", "$or", "$nor"):
            for inner in operand:
                yield from _tops(inner)
        elif not name.startswith("$"):
            yield name.split(".")[0]


def places(document, parts, match, filters):
    """Yield the concrete paths that a path with `$`, `$[]` and `$[name]` stands for in a document."""
    yield from _expand(document, parts, 0, [], match, filters)


def _expand(value, parts, at, done, match, filters):
    while at < len(parts) and not parts[at].startswith("$"):
        done = [*done, parts[at]]
        value = child(value, parts[at])
        at += 1
    if at == len(parts):
        yield done
        return
    part = parts[at]
    if part == "$":
        if match is None or match.position is None:
            raise MongoError("BadValue", "The positional operator did not find the match needed from the query.")
        rest = [*parts[:at], str(match.position), *parts[at + 1 :]]
        yield from _expand(child(value, str(match.position)), rest, at + 1, [*done, str(match.position)], match, filters)
        return
    if not part.startswith("$["):
        yield from _expand(child(value, part), parts, at + 1, [*done, part], match, filters)
        return
    if value is MISSING:
        raise MongoError("BadValue", f"The path '{'.'.join(done)}' must exist in the document in order to apply array updates.")
    if not isinstance(value, list):
        raise MongoError("BadValue", f"Cannot apply array updates to non-array element {done[-1]}: {show(value)}")
    for index, inner in enumerate(value):
        if part == "$[]" or filters.matches(part[2:-1], inner):
            yield from _expand(inner, parts, at + 1, [*done, str(index)], match, filters)


def child(value, part):
    """Return what a part of a path leads to, MISSING where it leads nowhere."""
    if isinstance(value, dict):
        return value.get(part, MISSING)
    if isinstance(value, list) and is_index(part) and int(part) < len(value):
        return value[int(part)]
    return MISSING


def locate(document, parts, create):
    """Return (document or array, name or index) of a path's last part; None where it cannot be reached and create is False.

    With create=True missing documents on the way are made. Raises 28 (PathNotViable) where a field cannot be made.
    """
    value = document
    for at, part in enumerate(parts[:-1]):
        inner = child(value, part)
        if inner is MISSING:
            if not create:
                return None
            inner = {}
            store(value, part, inner, parts[:at])
        elif not isinstance(inner, (dict, list)):
            if not create:
                return None
            raise _not_viable(parts[at + 1], part, inner)
        value = inner
    last = parts[-1]
    if isinstance(value, list) and not is_index(last):
        if not create:
            return None
        raise _not_viable(last, parts[-2], value)
    return value, last


def _not_viable(name, parent, value):
    return MongoError("PathNotViable", f"Cannot create field '{name}' in element {{{parent}: {show(value)}}}")


def store(container, part, value, before=()):
    """Put a value under a name or index; an array grows by nulls up to it."""
    if isinstance(container, dict):
        container[part] = value
        return
    if not is_index(part):
        raise _not_viable(part, before[-1] if before else "", container)
    index = int(part)
    if index - len(container) > MOST_NULLS:
        raise MongoError("BadValue", f"can't backfill more than {MOST_NULLS} elements")
    container.extend([None] * (index + 1 - len(container)))
    container[index] = value


def put_path(document, parts, value):
    """Put a value at a dotted path, making documents on the way."""
    container, last = locate(document, parts, create=True)
    store(container, last, value, parts[:-1])
