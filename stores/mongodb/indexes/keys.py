"""The keys that a document has in an index: one for each element of an array, as MongoDB makes them."""

from itertools import product

from bson import DBRef

from stores.mongodb.errors import MongoError
from stores.mongodb.indexes.keystring import NULL, UNDEFINED, encode
from stores.mongodb.ordering import MISSING
from stores.mongodb.paths import is_index


class Extractor:
    """Makes the keys of documents for the paths of one index.

    `keys(document)` returns a list of tuples of bytes, one bytes for each path, ascending; `arrays` collects for each
    path the numbers of its parts that were arrays in some document: the paths that are multikey.
    """

    def __init__(self, paths, fold=None):
        self.paths = [tuple(path.split(".")) for path in paths]
        self.fold = fold
        self.arrays = [set() for _ in paths]
        self.simple = all(len(path) == 1 for path in self.paths)

    def keys(self, document):
        """Return the keys. Raises 171 CannotIndexParallelArrays where two paths meet different arrays."""
        if self.simple:
            values = [document.get(path[0], MISSING) for path in self.paths]
            if not any(type(value) is list for value in values):
                return [tuple([encode(value, self.fold) for value in values])]
        return list(dict.fromkeys(self._keys(document, 0, range(len(self.paths)))))

    def exists(self, document):
        """Return whether the document has any of the paths: what a sparse index keeps."""
        return any(value is not MISSING for path in self.paths for value in reach(document, path))

    def _keys(self, document, start, fields):
        """Return the keys of some of the fields for a document that the first `start` parts of their paths led to."""
        stops = {field: walk(document, self.paths[field], start) for field in fields}
        through = [field for field, (value, _) in stops.items() if type(value) is list]
        if not through:
            return [tuple([encode(value, self.fold) for value, _ in stops.values()])]
        array, at = stops[through[0]]
        for field in through:
            if stops[field][0] is not array or stops[field][1] != at:
                names = [self.paths[each][0] for each in (field, through[0])]
                raise MongoError(171, f"cannot index parallel arrays [{names[0]}] [{names[1]}]")
            self.arrays[field].add(at - 1)
        columns = {field: [encode(value, self.fold)] for field, (value, _) in stops.items() if field not in through}
        keys = []
        for element in array or [None]:
            for field in through:
                if at == len(self.paths[field]):
                    columns[field] = [encode(element, self.fold) if array else UNDEFINED]
                else:
                    columns[field] = [NULL]
            inner = [field for field in through if at < len(self.paths[field])] if type(element) is dict else []
            for row in self._keys(element, at, inner) if inner else [()]:
                columns.update((field, [key]) for field, key in zip(inner, row, strict=True))
                keys += product(*(columns[field] for field in fields))
        return keys


def walk(value, path, at):
    """Follow a path from its part number `at` until it ends or meets an array: return (value, parts passed)."""
    while True:
        if type(value) is list:
            if at == len(path) or not is_index(path[at]):
                return value, at
            if any(type(each) is dict and path[at] in each for each in value):
                message = "Ambiguous field name found in array (do not use numeric field names in embedded elements in an array)"
                raise MongoError(16746, f"{message}, field: '{path[at]}'")
            value = value[int(path[at])] if int(path[at]) < len(value) else MISSING  # a number is an element's
        elif at == len(path):
            return value, at
        elif isinstance(value, DBRef):
            value = value.as_doc()
            continue
        elif isinstance(value, dict):
            value = value.get(path[at], MISSING)
        else:
            return MISSING, at
        at += 1


def reach(value, path, at=0):
    """Yield the values at a path, through arrays; MISSING where it ends early."""
    if at == len(path):
        yield value
    elif isinstance(value, dict | DBRef):
        value = value.as_doc() if isinstance(value, DBRef) else value
        yield from reach(value.get(path[at], MISSING), path, at + 1)
    elif isinstance(value, list):
        if is_index(path[at]) and int(path[at]) < len(value):
            yield from reach(value[int(path[at])], path, at + 1)
        for element in value:
            if isinstance(element, dict):
                yield from reach(element, path, at)
    else:
        yield MISSING
