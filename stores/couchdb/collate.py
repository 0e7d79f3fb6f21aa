"""The order in which CouchDB sorts JSON: null, false, true, numbers, strings, arrays, objects.

Strings sort as ICU's root collation does for what this course writes: punctuation, digits, letters without regard to
accents and case, then accents, then small letters before capitals. Other scripts sort by their code points.
"""

import functools
import unicodedata


class Id(str):
    """A string that sorts by its bytes: the ids of documents do, wherever they are compared."""


CLASSES = {"Z": 0, "C": 0, "P": 1, "S": 2, "N": 3, "L": 4}  # by the first letter of Unicode's category


def key(value):
    """Return what to sort `value` by, a JSON value."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, (int, float)):
        return (2, value)
    if isinstance(value, Id):
        return (3, str(value))
    if isinstance(value, str):
        return (3, _string(value))
    if isinstance(value, (list, tuple)):
        return (4, tuple(key(each) for each in value))
    return (5, tuple((key(name), key(each)) for name, each in value.items()), len(value))


@functools.lru_cache(maxsize=10_000)
def _string(text):
    letters = unicodedata.normalize("NFD", text)
    base = "".join(letter for letter in letters if not unicodedata.combining(letter))
    accents = "".join(letter for letter in letters if unicodedata.combining(letter))
    return tuple(map(_letter, base.casefold())), accents, base.swapcase()


def _letter(letter):
    return CLASSES.get(unicodedata.category(letter)[0], 4), letter
