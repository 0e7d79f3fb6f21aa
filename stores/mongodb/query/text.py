"""Text search: the score of a document for the operand of $text, given the fields and weights of a text index."""

import re

from stores.mongodb.errors import bad_value
from stores.mongodb.paths import leaves, split
from stores.mongodb.query.words import plain, tokens

KNOWN = ("$search", "$language", "$caseSensitive", "$diacriticSensitive")
PHRASE = re.compile(r'(-?)"([^"]*)"')


def check(spec):
    """Return the operand of $text. Raises BadValue for one that MongoDB cannot read."""
    if not isinstance(spec, dict) or not isinstance(spec.get("$search"), str):
        raise bad_value("$text expects an object with '$search', a string")
    for name in spec:
        if name not in KNOWN:
            raise bad_value(f"extra fields in $text: {name}")
    return spec


class TextSearch:
    """A search over {path: weight}; the path "$**" stands for every text in the document.

        search = TextSearch({"title": 10, "body": 1}, {"$search": 'coffee -"cold brew"'})
        search(document)        the score, 0.0 for no match

    The score follows MongoDB's: each field's words count with their weight, more the larger their share of the field.
    """

    def __init__(self, weights, spec, language="english"):
        check(spec)
        self.weights = dict(weights)
        self.case = bool(spec.get("$caseSensitive", False))
        self.accents = bool(spec.get("$diacriticSensitive", False))
        self.english = spec.get("$language", language) in ("english", "en")
        text, self.phrases, self.without_phrases = spec["$search"], [], []
        for minus, phrase in PHRASE.findall(text):
            (self.without_phrases if minus else self.phrases).append(self._plain(phrase))
        words = PHRASE.sub(lambda match: " " if match[1] else f" {match[2]} ", text).split()
        self.without = self._stems(" ".join(word[1:] for word in words if word.startswith("-")))
        self.terms = self._stems(" ".join(word for word in words if not word.startswith("-")))

    def _plain(self, text):
        return plain(text, self.case, self.accents)

    def _stems(self, text):
        return {stem for _, stem in tokens(text, self.english, self.case, self.accents)}

    def __call__(self, document):
        return self.score(document)

    def score(self, document):
        """Return the score of a document, 0.0 where it does not match."""
        total, texts, seen = 0.0, [], set()
        for path, weight in self.weights.items():
            for text in _texts(document) if path == "$**" else _texts_at(document, path):
                texts.append(self._plain(text))
                found = self._field(text)
                seen |= set(found)
                total += weight * sum(score for stem, score in found.items() if stem in self.terms)
        if self.without & seen or any(phrase in text for phrase in self.without_phrases for text in texts):
            return 0.0
        return total if all(any(phrase in text for text in texts) for phrase in self.phrases) else 0.0

    def _field(self, text):
        """Return {stem: score} of one text: the second time a word occurs counts half, the third a quarter …"""
        found, raw = {}, tokens(text, self.english, self.case, self.accents)
        for _, stem in raw:
            count, frequency, step = found.get(stem, (0, 0.0, 1.0))
            found[stem] = (count + 1, frequency + step, step / 2)
        whole = self._plain(text).strip()
        return {
            stem: frequency * (0.5 * count / len(raw) + 0.5) * (1.1 if whole == stem else 1.0)
            for stem, (count, frequency, _) in found.items()
        }


def _texts_at(document, path):
    for value in leaves(document, split(path)):
        yield from _strings(value)


def _texts(value):
    """Every text in a document, for an index on "$**"."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    else:
        yield from _strings(value)


def _strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


__all__ = ["TextSearch"]
