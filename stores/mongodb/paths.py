"""Dotted paths into documents, as queries and indexes see them and as expressions see them. The two differ.

A query's path goes through arrays and into them by number; an expression's path maps over arrays and knows no numbers.
"""

from bson import DBRef

from stores.mongodb.ordering import MISSING


def split(path):
    """Return the parts of a dotted path."""
    return path.split(".")


def leaves(document, parts, start=0):
    """Yield the values at the end of a query's path. Arrays at the end are not opened (see elements).

    A path that ends at a value that is no document yields MISSING; one that ends in an array without documents, nothing.
    """
    for value, _, _ in walk(document, parts, start):
        yield value


def walk(value, parts, start=0, position=None):
    """Yield (value, position, opened) for each end of a query's path.

    `position` is the index in the outermost array passed, None without one. `opened` is False for an element that the
    path names by its number at its end: if that is an array, its own elements are not tried.
    """
    if isinstance(value, DBRef):
        value = value.as_doc()
    if start == len(parts):
        yield value, position, True
    elif isinstance(value, dict):
        yield from walk(value.get(parts[start], MISSING), parts, start + 1, position)
    elif isinstance(value, list):
        yield from _walk_array(value, parts, start, position)
    else:
        yield MISSING, position, True


def _walk_array(array, parts, start, position):
    number = int(parts[start]) if is_index(parts[start]) else None
    for index, inner in enumerate(array):
        here = index if position is None else position
        if isinstance(inner, (dict, DBRef)):
            yield from walk(inner, parts, start, here)
        if index == number:
            if start + 1 == len(parts):
                yield inner, here, False
            elif isinstance(inner, (dict, list, DBRef)):
                yield from walk(inner, parts, start + 1, here)


def elements(document, parts):
    """Yield (value, position) for all that a condition on the path is tried on: the elements of an array, then the array.

    `position` is the index in the outermost array that the path went through: what `$` stands for in an update.
    """
    for value, position, opened in walk(document, parts):
        if opened and isinstance(value, list):
            for index, inner in enumerate(value):
                yield inner, index if position is None else position
        yield value, position


def values_at(document, path):
    """Return every value that an index on the path holds for the document: elements of arrays, MISSING where it ends."""
    found = []
    for value in leaves(document, split(path)):
        found += value if isinstance(value, list) and value else [value]
    return found or [MISSING]


def is_index(name):
    """Return whether a part of a path is the number of an array's element."""
    return name.isdigit() and (name == "0" or name[0] != "0") and name.isascii()


def get(value, parts, start=0):
    """Return the value at an expression's path, or MISSING. Arrays on the way are mapped; elements without it are left out."""
    for index in range(start, len(parts)):
        if isinstance(value, dict):
            value = value.get(parts[index], MISSING)
            if value is MISSING:
                return MISSING
        elif isinstance(value, list):
            found = (get(inner, parts, index) for inner in value if isinstance(inner, (dict, DBRef)))
            return [inner for inner in found if inner is not MISSING]
        elif isinstance(value, DBRef):
            return get(value.as_doc(), parts, index)
        else:
            return MISSING
    return value


def put(document, parts, value):
    """Return a copy of the document with the value at the path, as $set of a pipeline does: arrays on the way are mapped."""
    name, rest = parts[0], parts[1:]
    made = dict(document) if isinstance(document, dict) else {}
    if not rest:
        if value is MISSING:
            made.pop(name, None)
        else:
            made[name] = value
        return made
    inner = made.get(name, MISSING)
    if isinstance(inner, list):
        made[name] = [_put_in(element, rest, value) for element in inner]
    elif value is not MISSING or isinstance(inner, dict):
        made[name] = put(inner, rest, value)
    return made


def _put_in(element, parts, value):
    if isinstance(element, list):
        return [_put_in(inner, parts, value) for inner in element]
    return put(element, parts, value)


def remove(document, parts):
    """Return a copy of the document without what is at the path; arrays on the way are mapped."""
    if isinstance(document, list):
        return [remove(inner, parts) for inner in document]
    if not isinstance(document, dict) or parts[0] not in document:
        return document
    made = dict(document)
    if len(parts) == 1:
        del made[parts[0]]
    else:
        made[parts[0]] = remove(made[parts[0]], parts[1:])
    return made
