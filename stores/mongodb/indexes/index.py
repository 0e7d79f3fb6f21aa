"""One index: its keys in order, kept up by every write."""

from sortedcontainers import SortedList

from stores.mongodb.errors import duplicate_key
from stores.mongodb.indexes.keys import Extractor
from stores.mongodb.indexes.keystring import LAST, invert
from stores.mongodb.indexes.values import key_value, shown

INFINITE = float("inf")  # above every record's number


class Index:
    """The entries of a collection's documents in the order of a key pattern.

    An entry is (bytes of each field …, record's number): Python's order of these tuples is the index's order.
    `spec` is the index as listIndexes shows it (see spec.py). `accesses` counts the operations that used it.
    """

    def __init__(self, spec, fold=None, matches=None):
        self.spec = spec
        self.name = spec["name"]
        self.pattern = spec["key"]
        self.fields = list(self.pattern)
        self.directions = [-1 if isinstance(way, (int, float)) and way < 0 else 1 for way in self.pattern.values()]
        self.fold = fold
        self.matches = matches  # of a partial index: document -> bool
        self.unique = bool(spec.get("unique")) or self.name == "_id_"
        self.sparse = bool(spec.get("sparse"))
        self.extractor = self._extractor()
        self.entries = SortedList()
        self.version = 0  # changes with the entries
        self.keys_of = {}  # record: its keys
        self.accesses = 0
        self.bytes = 0

    def _extractor(self):
        return Extractor(self.fields, self.fold)

    @property
    def hidden(self):
        return bool(self.spec.get("hidden"))

    @property
    def multikey_paths(self):
        """Return for each field the parts of its path that are arrays: {"a.b": ["a"]}."""
        found = {}
        for field, arrays in zip(self.fields, self.extractor.arrays, strict=True):
            parts = field.split(".")
            found[field] = [".".join(parts[: each + 1]) for each in sorted(arrays)]
        return found

    @property
    def multikey(self):
        return any(self.extractor.arrays)

    def is_multikey(self, field):
        """Return whether some document has an array on this field's path."""
        return bool(self.extractor.arrays[self.fields.index(field)])

    def keys(self, document):
        """Return the keys that a document has here, directions applied; none if a sparse or partial index leaves it out."""
        if self.matches is not None and not self.matches(document):
            return []
        if self.sparse and not self.extractor.exists(document):
            return []
        keys = self.extractor.keys(document)
        if -1 in self.directions:
            keys = [self.directed(key) for key in keys]
        return keys

    def directed(self, key):
        """Return a key with its descending fields inverted."""
        return tuple([part if way > 0 else invert(part) for part, way in zip(key, self.directions, strict=False)])

    def has(self, key, but=None):
        """Return a record (other than `but`) that has this key, or None."""
        for entry in self.entries.irange(key, (*key, INFINITE)):
            if entry[-1] != but:
                return entry[-1]
        return None

    def check(self, keys, document, namespace, but=None):
        """Raise DuplicateKey if this is a unique index and another record has one of the keys."""
        if self.unique:
            for key in keys:
                if self.has(key, but) is not None:
                    raise self.duplicate(key, document, namespace)

    def duplicate(self, key, document, namespace):
        """Return MongoDB's error for a key that is there already."""
        value = key_value(self, key, document)
        return duplicate_key(namespace, self.name, dict(self.pattern), value, shown(value))

    def add(self, record, keys):
        """Enter a record under its keys."""
        if keys:
            self.version += 1
            self.keys_of[record] = keys
            for key in keys:
                self.entries.add((*key, record))
                self.bytes += sum(map(len, key)) + 8

    def remove(self, record):
        """Take out what the index has of a record."""
        keys = self.keys_of.pop(record, None)
        if keys:
            self.version += 1
            for key in keys:
                self.entries.remove((*key, record))
                self.bytes -= sum(map(len, key)) + 8

    def build(self, documents, namespace):
        """Fill the index with (record, document) pairs. Raises DuplicateKey if a unique one cannot be."""
        entries, seen = [], {}
        for record, document in documents:
            keys = self.keys(document)
            if not keys:
                continue
            self.keys_of[record] = keys
            for key in keys:
                if self.unique and seen.setdefault(key, record) != record:
                    raise self.duplicate(key, document, namespace)
                entries.append((*key, record))
                self.bytes += sum(map(len, key)) + 8
        self.entries = SortedList(entries)
        self.version += 1

    def above(self, parts):
        """Return the bound above every entry that begins with these parts."""
        return (*parts, LAST if len(parts) < len(self.fields) else INFINITE)

    def walk(self, low, high, reverse=False):
        """Yield the entries between two bounds (tuples; a high one ends with what is above all it includes), in order.

        The index may change meanwhile: the walk goes on behind the last entry it gave.
        """
        while True:
            version = self.version
            for entry in self.entries.irange(low, high, (True, True), reverse):
                yield entry
                if self.version != version:
                    break
            else:
                return
            if reverse:
                high = (*entry[:-1], entry[-1] - 1)
            else:
                low = (*entry[:-1], entry[-1] + 1)

    def fork(self):
        """Return a copy that changes on its own."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.entries = self.entries.copy()
        copy.keys_of = dict(self.keys_of)
        return copy
