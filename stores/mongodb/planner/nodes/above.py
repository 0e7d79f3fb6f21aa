"""The stages above those that read: documents, merging, sorting, cutting."""

import heapq
from itertools import count

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import Sort as SortSpec
from stores.mongodb.planner.nodes.node import Node

MOST_SORT_BYTES = 100 * 2**20  # internalQueryMaxBlockingSortMemoryUsageBytes


class Fetch(Node):
    """Reads the documents of entries, and keeps those that match the rest of the filter."""

    name = "FETCH"

    def __init__(self, store, filter, query, source):
        super().__init__(source)
        self.store, self.filter, self.query = store, filter, query

    def produce(self):
        documents = self.store.documents_by_record
        for row in self.inputs[0].rows():
            if row is None:
                yield None
                continue
            document = row[1]
            if document is None:
                document = documents.get(row[0])
                if document is None:  # deleted since
                    yield None
                    continue
                self.docs_examined += 1
            yield (row[0], document, row[2]) if not self.filter or self.query(document) else None

    def describe(self):
        return {"filter": self.filter} if self.filter else {}

    def numbers(self):
        return {"docsExamined": self.docs_examined, "alreadyHasObj": 0}


class Or(Node):
    """The rows of several inputs, each record once."""

    name = "OR"

    def __init__(self, *inputs):
        super().__init__(*inputs)
        self.dups_tested = self.dups_dropped = 0

    def produce(self):
        seen = set()
        for source in self.inputs:
            for row in source.rows():
                if row is None:
                    yield None
                    continue
                self.dups_tested += 1
                if row[0] in seen:
                    self.dups_dropped += 1
                    yield None
                    continue
                seen.add(row[0])
                yield row

    def numbers(self):
        return {"dupsTested": self.dups_tested, "dupsDropped": self.dups_dropped}


class SortMerge(Or):
    """Merges inputs that are each in order: no sorting, only comparing."""

    name = "SORT_MERGE"

    def __init__(self, store, pattern, fold, *inputs):
        super().__init__(*inputs)
        self.store, self.pattern, self.sort = store, pattern, SortSpec(pattern, fold)

    def produce(self):
        seen, heads, order = set(), [], count()
        sources = [each.rows() for each in self.inputs]
        for number, source in enumerate(sources):
            yield from self._advance(number, source, heads, order)
        while heads:
            _, number, _, row = heapq.heappop(heads)
            self.dups_tested += 1
            if row[0] in seen:
                self.dups_dropped += 1
            else:
                seen.add(row[0])
                yield row
            yield from self._advance(number, sources[number], heads, order)

    def _advance(self, number, source, heads, order):
        for row in source:
            if row is None:
                yield None
                continue
            document = row[1] if row[1] is not None else self.store.documents_by_record.get(row[0])
            if document is not None:
                heapq.heappush(heads, (self.sort.key(document), number, next(order), row))
                return

    def describe(self):
        return {"sortPattern": dict(self.pattern)}


class Sort(Node):
    """Reads everything, then gives it in order: it blocks. With a limit it keeps only that many."""

    name = "SORT"

    def __init__(self, store, pattern, fold, limit, allow_disk, metadata, source):
        super().__init__(source)
        self.store, self.pattern, self.limit, self.allow_disk, self.metadata = store, pattern, limit, allow_disk, metadata
        self.sort = SortSpec(pattern, fold)
        self.bytes = self.spills = 0

    def produce(self):
        rows = []
        for row in self.inputs[0].rows():
            if row is not None:
                rows.append(row)
                self.bytes += self.store.sizes.get(row[0], 0)
                if self.limit and len(rows) > 4 * self.limit + 1000:
                    rows = heapq.nsmallest(self.limit, rows, key=self._key)
                elif not self.limit and self.bytes > MOST_SORT_BYTES:
                    self._check_memory()
            yield None
        yield from heapq.nsmallest(self.limit, rows, key=self._key) if self.limit else sorted(rows, key=self._key)

    def _key(self, row):
        document = row[1] if row[1] is not None else self.store.documents_by_record[row[0]]
        return self.sort.key(document, self.metadata(document)) if self.metadata else self.sort.key(document)

    def _check_memory(self):
        if not self.allow_disk:
            message = (
                "Executor error during find command :: caused by :: Sort exceeded memory limit of "
                f"{MOST_SORT_BYTES} bytes, but did not opt in to external sorting."
            )
            raise MongoError("QueryExceededMemoryLimitNoDiskUseAllowed", message)
        self.spills = 1

    def describe(self):
        facts = {"sortPattern": dict(self.pattern), "memLimit": MOST_SORT_BYTES}
        return {**facts, **({"limitAmount": self.limit} if self.limit else {}), "type": "simple"}

    def numbers(self):
        return {"totalDataSizeSorted": self.bytes, "usedDisk": bool(self.spills), "spills": self.spills}


class Skip(Node):
    """Leaves out the first rows."""

    name = "SKIP"

    def __init__(self, amount, source):
        super().__init__(source)
        self.amount = amount

    def produce(self):
        left = self.amount
        for row in self.inputs[0].rows():
            if row is not None and left:
                left -= 1
                yield None
            else:
                yield row

    def describe(self):
        return {"skipAmount": self.amount}


class Limit(Node):
    """Stops after some rows."""

    name = "LIMIT"

    def __init__(self, amount, source):
        super().__init__(source)
        self.amount = amount

    def produce(self):
        left = self.amount
        if not left:
            return
        for row in self.inputs[0].rows():
            yield row
            left -= row is not None
            if not left:
                return

    def describe(self):
        return {"limitAmount": self.amount}


class Projection(Node):
    """Says how the answer is made; the shape itself is given by who reads the rows."""

    def __init__(self, name, spec, source):
        super().__init__(source)
        self.name, self.spec = name, spec

    def produce(self):
        return self.inputs[0].rows()

    def describe(self):
        return {"transformBy": self.spec}


class Count(Node):
    """Counts what comes: its rows are nobody's to see."""

    name = "COUNT"

    counted = 0

    def produce(self):
        for row in self.inputs[0].rows():
            self.counted += row is not None
            yield None

    def numbers(self):
        return {"nCounted": self.counted, "nSkipped": 0}
