"""A query that walks along an index while others write: why MongoDB may miss a document, or return it twice.

    orders = Collection([{"_id": "a", "total": 10}, {"_id": "b", "total": 20}, {"_id": "c", "total": 30}], indexes=["total"])
    scan = orders.find({"total": {"$gte": 0}}, index="total")
    scan.step()                      # a
    orders.update("c", total=5)      # its entry moves behind the scan
    scan.step(), scan.step()         # b, then None: c matched all the time and was missed

A scan remembers the entry that it read last, and goes on with the next one after it. It does not see the index of the
moment when it began. https://engineering.meteor.com/mongodb-queries-dont-always-return-all-matching-documents-654b6594a827
"""

import operator
from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

OPERATORS = {"$eq": operator.eq, "$ne": operator.ne, "$lt": operator.lt, "$lte": operator.le, "$gt": operator.gt, "$gte": operator.ge}


class Entry(NamedTuple):
    """An entry of an index: the values of its fields, and the document that has them. Entries lie in this order."""

    key: tuple
    id: Any


class Frame(NamedTuple):
    """The index at one moment of a scan, for a picture.

    entries   in their order
    last      the entry that the scan has read last, None before the first
    returned  the id of the document that it returned then, None if it did not match or the scan had ended
    moved     {id: its old entry} of the documents whose entry has changed since the frame before; the old one may be None
    """

    entries: tuple[Entry, ...]
    last: Entry | None
    returned: Any
    moved: dict


class Index:
    """Entries for all documents, in the order of some fields' values; of equal ones, of their ids."""

    def __init__(self, fields: Sequence[str], documents: Iterable[Mapping] = ()):
        self.fields = tuple(fields)
        self.entries = sorted(self.entry(document) for document in documents)

    def entry(self, document: Mapping) -> Entry:
        return Entry(tuple(document[field] for field in self.fields), document["_id"])

    def add(self, document: Mapping) -> None:
        insort(self.entries, self.entry(document))

    def remove(self, document: Mapping) -> None:
        self.entries.remove(self.entry(document))

    def after(self, entry: Entry | None) -> Entry | None:
        """The next entry: where `entry` stood, if it is gone."""
        place = 0 if entry is None else bisect_right(self.entries, entry)
        return self.entries[place] if place < len(self.entries) else None


class Collection:
    """Documents by their _id, with indexes; there is always one on _id.

    indexes   fields, or lists of fields: ["total", ["state", "total"]]; called by their names, "total" and "state, total"
    writer    called as writer(collection, n) before the n-th step of any scan (n = 1, 2, ...), to write meanwhile
    """

    def __init__(
        self,
        documents: Iterable[Mapping] = (),
        indexes: Iterable = (),
        writer: Callable[["Collection", int], None] | None = None,
    ):
        self.documents = {document["_id"]: dict(document) for document in documents}
        named = [["_id"], *([fields] if isinstance(fields, str) else list(fields) for fields in indexes)]
        self.indexes = {", ".join(fields): Index(fields, self.documents.values()) for fields in named}
        self.writer = writer
        self.steps = 0
        self._scans: list[Scan] = []

    # -- writes -----------------------------------------------------------------------------------

    def insert(self, document: Mapping) -> None:
        """Add a document. Raises ValueError if there is one with its _id."""
        if document["_id"] in self.documents:
            raise ValueError(f"there is a document {document['_id']!r} already")
        self._replace(document["_id"], dict(document))

    def update(self, _id, /, **changes) -> None:
        """Change fields of a document; in each index on one of them its entry moves. Raises KeyError without such a document."""
        if "_id" in changes:
            raise ValueError("the _id of a document never changes")
        self._replace(_id, {**self.documents[_id], **changes})

    def delete(self, _id) -> None:
        """Remove a document. Raises KeyError without such a document."""
        self._replace(_id, None)

    def _replace(self, _id, new: dict | None) -> None:
        old = self.documents.pop(_id) if new is None else self.documents.get(_id)
        for index in self.indexes.values():
            if old is not None:
                index.remove(old)
            if new is not None:
                index.add(new)
        if new is not None:
            self.documents[_id] = new  # never changed in place: a snapshot may hold the old one
        for scan in self._scans:
            scan.hear(_id, old, new)

    # -- reads ------------------------------------------------------------------------------------

    def get(self, _id) -> dict | None:
        """A copy of the document, or None."""
        document = self.documents.get(_id)
        return dict(document) if document is not None else None

    def find(self, query: Mapping | None = None, index: str = "_id") -> "Scan":
        """Begin a scan of an index for the documents that match: {"state": "open", "total": {"$gte": 10, "$lt": 20}}."""
        if index not in self.indexes:
            raise ValueError(f"no index is called {index!r}; there are {', '.join(map(repr, self.indexes))}")
        scan = Scan(self, query or {}, index)
        self._scans.append(scan)
        return scan

    def snapshot(self) -> "Snapshot":
        """The collection as it is now, whatever is written afterwards."""
        return Snapshot(self)

    def tick(self) -> None:
        """Let the others write: a scan calls this before each step."""
        self.steps += 1
        if self.writer:
            self.writer(self, self.steps)

    def close(self, scan: "Scan") -> None:
        """Forget a scan that has ended."""
        if scan in self._scans:
            self._scans.remove(scan)


class Snapshot(Collection):
    """A collection that stands still. Its scans let the others write, and do not see what they write."""

    def __init__(self, source: Collection):
        super().__init__(source.documents.values(), [index.fields for index in source.indexes.values()])
        self.documents = dict(source.documents)  # the same objects: only what changes is kept twice
        self.source = source

    @property
    def kept(self) -> int:
        """Old versions that are kept for this snapshot alone: what it costs."""
        return sum(self.source.documents.get(_id) is not document for _id, document in self.documents.items())

    def tick(self) -> None:
        self.source.tick()

    def _replace(self, _id, new):
        raise TypeError("a snapshot cannot be written to: write to the collection")


class Scan:
    """A query on its way along an index, one matching document a step.

    examined  entries that were read
    returned  ids in the order in which their documents were returned
    done      whether it has come to the end
    frames    the index before each step and at the end
    """

    def __init__(self, collection: Collection, query: Mapping, index: str):
        self.collection, self.query, self.index = collection, query, collection.indexes[index]
        self.examined = 0
        self.returned: list = []
        self.done = False
        self.last: Entry | None = None
        self.frames: list[Frame] = []
        self._moved: dict = {}
        self._steady = {_id for _id, document in collection.documents.items() if matches(query, document)}
        self._show(None)

    def step(self) -> dict | None:
        """Go on to the next document that matches, and return it; None at the end."""
        while not self.done:
            self.collection.tick()
            entry = self.index.after(self.last)
            while entry is not None and self._before_range(entry):
                entry = self.index.after(entry)
            if entry is None or self._behind_range(entry):
                self.done = True
                self.collection.close(self)
                self._show(None)
                return None
            self.last = entry
            self.examined += 1
            document = self.collection.documents[entry.id]
            if matches(self.query, document):
                self.returned.append(entry.id)
                self._show(entry.id)
                return dict(document)
        return None

    def __iter__(self) -> Iterator[dict]:
        while (document := self.step()) is not None:
            yield document

    @property
    def twice(self) -> list:
        """The ids that were returned more than once."""
        return sorted({_id for _id in self.returned if self.returned.count(_id) > 1})

    @property
    def missed(self) -> list:
        """The ids of the documents that matched from beginning to end and were not returned; empty before the end."""
        return sorted(self._steady - set(self.returned)) if self.done else []

    def hear(self, _id, old: Mapping | None, new: Mapping | None) -> None:
        """Note a write: which entry moved, and that a document does not match for a moment."""
        if new is None or not matches(self.query, new):
            self._steady.discard(_id)
        before, after = (self.index.entry(document) if document else None for document in (old, new))
        if before != after:
            self._moved.setdefault(_id, before)

    def _conditions(self):
        """Pairs of (place in the key, condition) for the first fields: equalities, then one range."""
        for place, field in enumerate(self.index.fields):
            if field not in self.query:
                return
            yield place, _spelled_out(self.query[field])
            if "$eq" not in _spelled_out(self.query[field]):
                return

    def _before_range(self, entry: Entry) -> bool:
        return self._outside(entry, {"$gt": operator.le, "$gte": operator.lt, "$eq": operator.lt})

    def _behind_range(self, entry: Entry) -> bool:
        return self._outside(entry, {"$lt": operator.ge, "$lte": operator.gt, "$eq": operator.gt})

    def _outside(self, entry: Entry, tests: Mapping) -> bool:
        for place, conditions in self._conditions():
            if any(sign in tests and tests[sign](entry.key[place], value) for sign, value in conditions.items()):
                return True
            if any(sign == "$eq" and entry.key[place] != value for sign, value in conditions.items()):
                return False  # outside on the other side
        return False

    def _show(self, returned) -> None:
        self.frames.append(Frame(tuple(self.index.entries), self.last, returned, self._moved))
        self._moved = {}


def matches(query: Mapping, document: Mapping) -> bool:
    """Whether a document fulfils all conditions of a query; one on a field that is missing does not hold."""
    return all(
        field in document and all(OPERATORS[sign](document[field], value) for sign, value in _spelled_out(condition).items())
        for field, condition in query.items()
    )


def _spelled_out(condition) -> Mapping:
    """5 → {"$eq": 5}"""
    if not isinstance(condition, Mapping):
        return {"$eq": condition}
    if unknown := set(condition) - set(OPERATORS):
        raise ValueError(f"{', '.join(sorted(unknown))} is not known here; a condition has {', '.join(OPERATORS)}")
    return condition
