"""The stages that a plan is made of. Each is a generator of rows, and counts what it does in MongoDB's words.

A row is (record, document or None, index entry or None); None instead of a row is a piece of work without result,
so that several plans can be tried side by side, piece by piece.
"""

import heapq
from itertools import count

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import Sort as SortSpec
from stores.mongodb.planner.scan import Bounds

MOST_SORT_BYTES = 100 * 2**20  # internalQueryMaxBlockingSortMemoryUsageBytes


class Node:
    """A stage over others. `advanced` counts its rows, `works` its pieces of work."""

    name = ""
    tree = None  # the index it reads
    docs_examined = keys_examined = 0

    def __init__(self, *inputs):
        self.inputs = inputs
        self.advanced = self.works = 0
        self.ended = False

    def rows(self):
        """Yield rows and Nones, counting them."""
        for row in self.produce():
            self.works += 1
            if row is not None:
                self.advanced += 1
            yield row
        self.works += 1
        self.ended = True

    def produce(self):
        raise NotImplementedError

    def describe(self):
        """Return what queryPlanner shows of this stage, without its inputs."""
        return {}

    def numbers(self):
        """Return what executionStats adds."""
        return {}

    def shape(self):
        """Return the stage as queryPlanner shows it."""
        return {"stage": self.name, **self.describe(), **self._inputs(Node.shape)}

    def executed(self):
        """Return the stage as executionStats shows it."""
        head, facts = self._head(), self.describe()
        counts = {
            "nReturned": self.advanced, "executionTimeMillisEstimate": 0, "works": self.works, "advanced": self.advanced,
            "needTime": max(self.works - self.advanced - self.ended, 0), "needYield": 0, "saveState": 0, "restoreState": 0,
            "isEOF": int(self.ended),
        }  # fmt: skip
        return {"stage": self.name, **head, **counts, **{k: v for k, v in facts.items() if k not in head}, **self.numbers(), **self._inputs(Node.executed)}

    def _head(self):
        return {name: value for name, value in self.describe().items() if name == "filter"}

    def _inputs(self, show):
        if len(self.inputs) == 1:
            return {"inputStage": show(self.inputs[0])}
        return {"inputStages": [show(each) for each in self.inputs]} if self.inputs else {}

    def total(self, counter):
        """Return the sum of a counter over this stage and its inputs."""
        return getattr(self, counter) + sum(each.total(counter) for each in self.inputs)

    def find(self, kind):
        """Yield the stages of a class in this tree."""
        if isinstance(self, kind):
            yield self
        for each in self.inputs:
            yield from each.find(kind)


class CollectionScan(Node):
    """Looks at every document, in the order of insertion (direction 1) or against it."""

    name = "COLLSCAN"

    def __init__(self, store, filter, query, direction=1):
        super().__init__()
        self.store, self.filter, self.query, self.direction = store, filter, query, direction

    def produce(self):
        documents = self.store.documents_by_record
        records = list(documents)  # what is written later is not seen
        for record in records if self.direction > 0 else reversed(records):
            document = documents.get(record)
            if document is not None:
                self.docs_examined += 1
                yield (record, document, None) if not self.filter or self.query(document) else None

    def describe(self):
        return {**({"filter": self.filter} if self.filter else {}), "direction": "forward" if self.direction > 0 else "backward"}

    def numbers(self):
        return {"docsExamined": self.docs_examined}


class NoRows(Node):
    """Nothing can match, or there is no collection."""

    name = "EOF"

    def produce(self):
        return iter(())


class IdHack(Node):
    """Finds one document by its _id."""

    name = "IDHACK"

    def __init__(self, store, identifier):
        super().__init__()
        self.store, self.identifier, self.tree = store, identifier, store.trees["_id_"]

    def produce(self):
        record = self.store.record_of(self.identifier)
        if record is not None:
            self.keys_examined = self.docs_examined = 1
            yield record, self.store.documents_by_record[record], None

    def numbers(self):
        return {"keysExamined": self.keys_examined, "docsExamined": self.docs_examined}


class IndexScan(Node):
    """Reads the entries of an index within bounds. `check`, if any, is a filter that keys alone decide."""

    name = "IXSCAN"

    def __init__(self, store, access, filter=None, check=None):
        super().__init__()
        self.store, self.access, self.tree = store, access, access.tree
        self.filter, self.check = filter, check
        self.seeks = self.dups_tested = self.dups_dropped = 0
        self.bounds = Bounds(access)

    def produce(self):
        seen, multikey = set(), self.tree.multikey or len(self.tree.keys_of) != len(self.tree.entries)
        documents = self.store.documents_by_record
        for entry in self.bounds.entries(self):
            if entry is None:
                yield None
                continue
            record = entry[-1]
            if multikey:
                self.dups_tested += 1
                if record in seen:
                    self.dups_dropped += 1
                    yield None
                    continue
            # The key's value is the document's: what the filter says of one it says of the other.
            if self.check is not None and not (record in documents and self.check(documents[record])):
                yield None
                continue
            seen.add(record)
            yield record, None, entry

    def describe(self):
        return {**({"filter": self.filter} if self.filter else {}), **index_facts(self.tree, self.bounds)}

    def numbers(self):
        return {
            "keysExamined": self.keys_examined, "seeks": self.seeks, "dupsTested": self.dups_tested, "dupsDropped": self.dups_dropped,
        }  # fmt: skip


def index_facts(tree, bounds):
    """Return what plans say of an index and the bounds in it."""
    facts = {"keyPattern": shown_pattern(tree), "indexName": tree.name}
    if "collation" in tree.spec:
        facts["collation"] = tree.spec["collation"]
    facts |= {
        "isMultiKey": tree.multikey, "multiKeyPaths": tree.multikey_paths, "isUnique": bool(tree.spec.get("unique")) or tree.name == "_id_",
        "isSparse": bool(tree.spec.get("sparse")), "isPartial": tree.matches is not None, "indexVersion": 2,
        "direction": "forward" if bounds.direction > 0 else "backward", "indexBounds": bounds.shown(),
    }  # fmt: skip
    return facts


def shown_pattern(tree):
    """Return the key pattern; a wildcard index shows the path it was used for."""
    return dict(tree.pattern)


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


class CountScan(IndexScan):
    """Counts entries without reading documents."""

    name = "COUNT_SCAN"

    def describe(self):
        facts = index_facts(self.tree, self.bounds)
        bounds = facts.pop("indexBounds")
        facts.pop("direction")
        return {**facts, "indexBounds": bounds}

    def numbers(self):
        return {"keysExamined": self.keys_examined}


class DistinctScan(Node):
    """Jumps from one value of an index's field to the next."""

    name = "DISTINCT_SCAN"

    def __init__(self, store, access, position):
        super().__init__()
        self.store, self.tree, self.position = store, access.tree, position
        self.bounds = Bounds(access)

    def produce(self):
        for entry in self.bounds.entries(self, jump=self.position):
            yield None if entry is None else (entry[-1], None, entry)

    seeks = 0

    def describe(self):
        return index_facts(self.tree, self.bounds)

    def numbers(self):
        return {"keysExamined": self.keys_examined}


class TextMatch(Node):
    """Finds documents by the words of a text index."""

    name = "TEXT_MATCH"

    def __init__(self, store, tree, search, filter, query):
        super().__init__()
        self.store, self.tree, self.search, self.filter, self.query = store, tree, search, filter, query

    def produce(self):
        for record in self.tree.records(self.search, self):
            document = self.store.documents_by_record.get(record)
            self.docs_examined += 1
            yield (record, document, None) if document is not None and self.query(document) else None

    def describe(self):
        return {
            "filter": self.filter, "indexPrefix": {}, "indexName": self.tree.name, "textIndexVersion": 3,
            "parsedTextQuery": {
                "terms": sorted(self.search.terms), "negatedTerms": sorted(self.search.without), "phrases": list(self.search.phrases),
                "negatedPhrases": list(self.search.without_phrases),
            },
        }  # fmt: skip

    def numbers(self):
        return {"keysExamined": self.keys_examined, "docsExamined": self.docs_examined}


class GeoNear(Node):
    """Gives the documents with a place that match, the nearest first."""

    name = "GEO_NEAR_2DSPHERE"

    def __init__(self, store, tree, filter, query):
        super().__init__()
        self.store, self.tree, self.filter, self.query = store, tree, filter, query

    def produce(self):
        found = []
        for record in list(self.tree.keys_of):
            document = self.store.documents_by_record[record]
            self.keys_examined += 1
            self.docs_examined += 1
            if self.query(document):
                found.append((record, document, None))
            yield None
        yield from sorted(found, key=lambda row: self.query.near.distance(row[1]))

    def describe(self):
        return {"filter": self.filter, "keyPattern": dict(self.tree.pattern), "indexName": self.tree.name, "indexVersion": 2}

    def numbers(self):
        return {"keysExamined": self.keys_examined, "docsExamined": self.docs_examined}


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


class FastCount(Node):
    """Knows how many documents there are."""

    name = "RECORD_STORE_FAST_COUNT"

    def __init__(self, store, skip, limit):
        super().__init__()
        self.store, self.skip, self.limit = store, skip, limit
        self.counted = 0

    def count(self):
        """Return the number of documents behind `skip`, at most `limit`."""
        self.works, self.ended = 1, True
        found = max(len(self.store) - self.skip, 0)
        self.counted = min(found, self.limit) if self.limit else found
        return self.counted

    def produce(self):
        self.count()
        return iter(())

    def numbers(self):
        return {"nCounted": self.counted, "nSkipped": min(self.skip, len(self.store))}
