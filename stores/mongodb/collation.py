"""Collations: what of two texts counts when they are compared.

Python has no ICU, so this is the root collation in short: letters by base form, then accents, then case, by the Unicode
decomposition. The rules of a single language (ä after z in Swedish) are not in it, and are refused where they differ.
"""

import re
import unicodedata

from stores.mongodb.errors import MongoError, not_embedded

OPTIONS = {
    "locale", "strength", "caseLevel", "caseFirst", "numericOrdering", "alternate", "maxVariable", "normalization", "backwards",
    "version",
}  # fmt: skip
# Languages whose alphabet is ordered as the root collation orders it, as far as their own letters go.
AS_ROOT = {
    "de",
    "en",
    "fr",
    "it",
    "nl",
    "pt",
    "id",
    "ms",
    "ga",
    "zu",
    "sw",
    "ca",
    "el",
    "ru",
    "en_US",
    "en_GB",
    "de_AT",
    "pt_BR",
    "fr_CA",
}
DIGITS = re.compile(r"(\d+)")


def fold(spec):
    """Return the function from text to a comparable key for a collation document; None for the simple collation.

    Raises MongoError: 2 for unknown locales and options that MongoDB refuses, 115 for what is not embedded.
    """
    if spec is None or spec == {}:
        return None
    if not isinstance(spec, dict):
        raise MongoError("TypeMismatch", f"BSON field 'collation' is the wrong type, expected type 'object': {spec!r}")
    for name in spec:
        if name not in OPTIONS:
            raise MongoError(40415, f"BSON field 'collation.{name}' is an unknown field.")
    if "locale" not in spec:
        raise MongoError(40414, "BSON field 'collation.locale' is missing but a required field")
    locale, strength = spec["locale"], spec.get("strength", 3)
    if locale == "simple":
        return None
    if not isinstance(locale, str) or not re.fullmatch(r"[a-z]{2,3}(_[A-Za-z]+)*(@collation=\w+)?", locale):
        raise MongoError("BadValue", f"Field 'locale' is invalid in: {{ locale: \"{locale}\" }}")
    if strength not in (1, 2, 3, 4, 5):
        raise MongoError("BadValue", f"BSON field 'collation.strength' value must be between 1 and 5, actual value '{strength}'")
    if locale not in AS_ROOT:
        raise not_embedded(f"the collation of the locale '{locale}'")
    if spec.get("alternate", "non-ignorable") != "non-ignorable" or spec.get("backwards"):
        raise not_embedded("a collation with alternate: 'shifted' or backwards: true")
    return Folding(int(strength), bool(spec.get("caseLevel")), spec.get("caseFirst", "off"), bool(spec.get("numericOrdering")))


class Folding:
    """A collation as a function: text → key. `strength` 1 compares base letters, 2 accents too, 3 also case."""

    def __init__(self, strength, case_level, case_first, numeric):
        self.strength = strength
        self.case = case_level or strength >= 3
        self.upper_first = case_first == "upper"
        self.numeric = numeric

    def __call__(self, text):
        decomposed = unicodedata.normalize("NFD", text)
        base = "".join(c for c in decomposed if not unicodedata.combining(c))
        key = [self._primary(base.casefold())]
        if self.strength >= 2:
            accents = any(map(unicodedata.combining, decomposed))
            key.append(unicodedata.normalize("NFD", text.casefold()) if accents else "")
        if self.case:
            key.append(tuple(c.isupper() != self.upper_first for c in base))
        if self.strength >= 5:
            key.append(text)
        return tuple(key)

    def _primary(self, text):
        letters = lambda piece: tuple((_class(c), c) for c in piece)  # noqa: E731
        if not self.numeric:
            return letters(text)
        pieces = DIGITS.split(text)
        return tuple(
            ((1, "", int(piece)),) if index % 2 else tuple((*pair, 0) for pair in letters(piece)) for index, piece in enumerate(pieces)
        )


def _class(character):
    """Punctuation comes before digits, digits before letters."""
    return 2 if character.isalpha() else 1 if character.isdigit() else 0
