"""The stages that read: collections, indexes, their texts and places."""

from stores.mongodb.planner.bounds import Bounds
from stores.mongodb.planner.nodes.node import Node


class CollectionScan(Node):
    """Looks at every document, in the order in which the store has them (direction 1) or against it."""

    name = "COLLSCAN"

    def __init__(self, store, filter, query, direction=1):
        super().__init__()
        self.store, self.filter, self.query, self.direction = store, filter, query, direction

    def produce(self):
        documents = self.store.documents_by_record
        records = self.store.records_in_order  # what is written later is not seen
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
    facts = {"keyPattern": dict(tree.pattern), "indexName": tree.name}
    if "collation" in tree.spec:
        facts["collation"] = tree.spec["collation"]
    facts |= {
        "isMultiKey": tree.multikey, "multiKeyPaths": tree.multikey_paths, "isUnique": tree.unique,
        "isSparse": bool(tree.spec.get("sparse")), "isPartial": tree.matches is not None, "indexVersion": 2,
        "direction": "forward" if bounds.direction > 0 else "backward", "indexBounds": bounds.shown(),
    }  # fmt: skip
    return facts


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

    def __init__(self, store, tree, filter, query):
        super().__init__()
        self.name = f"GEO_NEAR_{tree.special[query.near.path].upper()}"
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
