"""Mango: the selectors of _find, `{"age": {"$gt": 21}, "$or": [...]}`.

A selector is first put into a normal form: fields spelled out, conditions of one field apart, negations pushed down to
the operators. As in CouchDB, a condition on a field that a document lacks does not hold, whatever it is, but for
`{"$exists": false}`.
"""

import re

from stores.couchdb.collate import Id, key
from stores.couchdb.errors import CouchError

NEGATED = {"$eq": "$ne", "$lt": "$gte", "$lte": "$gt", "$in": "$nin", "$or": "$and"}
NEGATED |= {negative: positive for positive, negative in NEGATED.items()}
TYPES = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
MISSING = object()


def normal(selector):
    """Return a selector in its normal form: [(field, operator, argument), …] of which all must hold; a field of None
    stands for the operators $and, $or, $not on conditions. Raises CouchError."""
    if not isinstance(selector, dict):
        raise CouchError(400, "invalid_selector_json", f"Selector must be a JSON object, not: {selector!r}")
    return _conditions(selector, "")


def _conditions(selector, field):
    found = []
    for name, argument in selector.items():
        if name.startswith("$"):
            found.append(_condition(field, name, argument))
        else:
            path = f"{field}.{name}" if field else name
            if isinstance(argument, dict) and argument:
                found += _conditions(argument, path)
            else:
                found.append((path, "$eq", argument))
    return found


def _condition(field, operator, argument):
    if operator in ("$and", "$or", "$nor"):
        if not isinstance(argument, list):
            raise _bad(operator, argument)
        parts = [(None, "$and", _conditions(_object(part, operator, field), field)) for part in argument]
        if operator == "$nor":
            return (None, "$and", [_negated(part) for part in parts])
        return (None, operator, parts)
    if operator == "$not":
        if not isinstance(argument, dict):
            raise _bad(operator, argument)
        inner = _conditions(_object(argument, operator, field), field)
        return _negated((None, "$and", inner))
    if operator not in OPERATORS:
        raise CouchError(400, "invalid_operator", f"Invalid operator: {operator}")
    check, _ = OPERATORS[operator]
    if not check(argument):
        raise _bad(operator, argument)
    if operator in ("$elemMatch", "$allMatch", "$keyMapMatch"):
        argument = _conditions(argument, "")
    return (field, operator, argument)


def _object(part, operator, field):
    """What stands inside a combination: a selector, or for a field a value that it shall equal."""
    if isinstance(part, dict):
        return part
    if field:
        return {"$eq": part}
    raise _bad(operator, part)


def _negated(condition):
    field, operator, argument = condition
    if field is None and operator == "$not":
        return argument
    if field is None:
        return (None, NEGATED[operator], [_negated(part) for part in argument])
    if operator == "$exists":
        return (field, "$exists", not argument)
    if operator in NEGATED:
        return (field, NEGATED[operator], argument)
    return (None, "$not", condition)


def matches(conditions, doc):
    """Return whether a document fulfils all conditions of a normal form."""
    return all(_holds(condition, doc) for condition in conditions)


def _holds(condition, doc):
    field, operator, argument = condition
    if field is None:
        if operator == "$not":
            return value_of(doc, argument[0]) is not MISSING and not _holds(argument, doc)
        return (all if operator == "$and" else any)(_holds(part, doc) for part in argument)
    value = value_of(doc, field)
    if operator == "$exists":
        return (value is not MISSING) == argument
    if field == "_id":
        value, argument = Id(value), as_id(argument)
    return value is not MISSING and OPERATORS[operator][1](value, argument)


def value_of(doc, field):
    """Return what a field holds, "a.b" being b inside of a; MISSING if there is none. A point in a name is written \\."""
    if field == "":  # inside $elemMatch
        return doc
    for name in parts(field):
        if isinstance(doc, list) and name.isdigit() and int(name) < len(doc):
            doc = doc[int(name)]
        elif isinstance(doc, dict) and name in doc:
            doc = doc[name]
        else:
            return MISSING
    return doc


def as_id(argument):
    """What `_id` is compared with."""
    return Id(argument) if isinstance(argument, str) else argument


def parts(field):
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", field)]


def project(doc, fields):
    """Return a document with some fields only, as `fields` of _find."""
    kept = {}
    for field in fields:
        value = value_of(doc, field)
        if value is not MISSING:
            *path, last = parts(field)
            place = kept
            for name in path:
                place = place.setdefault(name, {})
            place[last] = value
    return kept


def _bad(operator, argument):
    return CouchError(400, "bad_arg", f"Bad argument for operator {operator}: {argument!r}")


def _mod(value, argument):
    return type(value) is int and value % argument[0] == argument[1]


def _elements(one):
    def check(value, conditions):
        return isinstance(value, list) and bool(value) and one(matches(conditions, each) for each in value)

    return check


def _equals(value, argument):
    return key(value) == key(argument)


def _in(value, wanted):
    """A list matches if one of its elements is wanted."""
    keys = {key(each) for each in wanted}
    return any(key(each) in keys for each in (value if isinstance(value, list) else [value]))


def _all(value, wanted):
    if not isinstance(value, list):
        return False
    keys = {key(each) for each in value}
    return all(key(each) in keys for each in wanted) or (len(wanted) == 1 and _equals(wanted[0], value))


def _is_pattern(argument):
    try:
        return isinstance(argument, str) and re.compile(argument) is not None
    except re.error:
        return False


def _two_numbers(argument):
    return isinstance(argument, list) and [type(each) for each in argument] == [int, int] and argument[0] != 0


def _any(argument):
    return True


def _a(type_):
    return lambda argument: isinstance(argument, type_)


# operator: (what its argument must be, whether a value fulfils it)
OPERATORS = {
    "$eq": (_any, _equals),
    "$ne": (_any, lambda value, argument: not _equals(value, argument)),
    "$lt": (_any, lambda value, argument: key(value) < key(argument)),
    "$lte": (_any, lambda value, argument: key(value) <= key(argument)),
    "$gt": (_any, lambda value, argument: key(value) > key(argument)),
    "$gte": (_any, lambda value, argument: key(value) >= key(argument)),
    "$in": (_a(list), _in),
    "$nin": (_a(list), lambda value, argument: not _in(value, argument)),
    "$exists": (_a(bool), None),  # see _holds
    "$type": (_a(str), lambda value, argument: argument in TYPES and TYPES[argument](value)),
    "$size": (lambda argument: type(argument) is int, lambda value, argument: isinstance(value, list) and len(value) == argument),
    "$mod": (_two_numbers, _mod),
    "$regex": (_is_pattern, lambda value, argument: isinstance(value, str) and re.search(argument, value) is not None),
    "$beginsWith": (_a(str), lambda value, argument: isinstance(value, str) and value.startswith(argument)),
    "$all": (_a(list), _all),
    "$elemMatch": (_a(dict), _elements(any)),
    "$allMatch": (_a(dict), _elements(all)),
    "$keyMapMatch": (_a(dict), lambda value, conditions: isinstance(value, dict) and any(matches(conditions, each) for each in value)),
}
