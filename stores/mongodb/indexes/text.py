"""Text indexes: which documents have a word."""

from stores.mongodb.indexes.index import Index
from stores.mongodb.indexes.keys import Extractor, reach
from stores.mongodb.indexes.keystring import NULL, encode
from stores.mongodb.query.words import plain, tokens


class TextIndex(Index):
    """An inverted index: an entry is (what stands before, word, what stands behind)."""

    def __init__(self, spec, fold=None, matches=None):
        super().__init__(spec, fold, matches)
        self.sparse = True
        self.plain = [field for field in self.fields if field not in ("_fts", "_ftsx")]
        self.extractor = Extractor(self.plain)
        self.weights = spec["weights"]
        self.language = spec["default_language"]

    def keys(self, document):
        if self.matches is not None and not self.matches(document):
            return []
        words = self.words(document)
        around = self.extractor.keys(document) if self.plain else [()]
        keys = []
        for values in around:
            by_field = dict(zip(self.plain, values, strict=True))
            for word in words:
                by_field.update(_fts=encode(word), _ftsx=NULL)
                keys.append(tuple(by_field[field] for field in self.fields))
        return [self.directed(key) for key in keys]

    def words(self, document):
        """Return the set of stemmed words in the indexed fields of a document, without case and accents."""
        own = document.get(self.spec["language_override"])
        english = (own if isinstance(own, str) else self.language) in ("english", "en")
        found = set()
        for path in self.weights:
            for value in [document] if path == "$**" else reach(document, path.split(".")):
                for each in texts(value):
                    found.update(stem for _, stem in tokens(each, english))
        return found

    def records(self, search, node):
        """Return the records that have a word of a TextSearch, counting the keys examined in `node`."""
        if not search.english:
            return sorted(self.keys_of)  # other stems than the index's: every document is looked at
        found = set()
        for term in search.terms:
            prefix = (encode(plain(term)),)
            position = self.fields.index("_fts")
            if position:  # other fields stand before the word
                entries = [entry for entry in self.entries if entry[position] == prefix[0]]
            else:
                entries = self.entries.irange(prefix, self.above(prefix))
            for entry in entries:
                node.keys_examined += 1
                found.add(entry[-1])
        return sorted(found)

    @property
    def multikey_paths(self):
        return {}

    @property
    def multikey(self):
        return False

    def is_multikey(self, field):
        return False


def texts(value):
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)
