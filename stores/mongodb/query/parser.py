"""Reading a filter: each part becomes a test(document, found), `found` being the Match to note a position in, or None."""

import random

from bson import DBRef

from stores.mongodb.errors import MongoError, not_embedded
from stores.mongodb.expressions import environment, read
from stores.mongodb.ordering import type_name
from stores.mongodb.paths import split
from stores.mongodb.query import conditions, geo
from stores.mongodb.query.schema import Schema
from stores.mongodb.query.text import check as check_text
from stores.mongodb.regex import is_regex
from stores.mongodb.values import is_number, show, to_double, truth

REFERENCE = ("$ref", "$id", "$db")


class Parser:
    """Reads one filter. Afterwards `near` and `text_search` say what else the filter asks for."""

    def __init__(self, reading):
        self.reading = reading
        self.near = None
        self.text_search = None

    def filter(self, spec):
        """Return the test of a whole filter."""
        if isinstance(spec, DBRef):
            spec = spec.as_doc()
        if not isinstance(spec, dict):
            raise MongoError("BadValue", f"the match filter must be an expression in an object, found {type_name(spec)}")
        return every([test for name, operand in spec.items() for test in self._entry(name, operand)])

    def _entry(self, name, operand):
        if name.startswith("$"):
            reader = TOP.get(name)
            if reader is None:
                message = "If you have a field name that starts with a '$' symbol, consider using $getField or $setField."
                raise MongoError("BadValue", f"unknown top level operator: {name}. {message}")
            test = reader(self, operand)
            return [test] if test else []
        return self.field(split(name), operand)

    def field(self, parts, operand):
        """Return the tests of {path: operand}."""
        if isinstance(operand, DBRef):
            operand = operand.as_doc()
        if is_operators(operand):
            return [on_path(parts, condition) for condition in self.conditions(operand, ".".join(parts))]
        if is_regex(operand):
            return [on_path(parts, conditions.regex_test(operand))]
        return [on_path(parts, conditions.equal(operand, self.reading.fold))]

    def conditions(self, operators, path):
        """Return the conditions of {"$gt": 1, "$lt": 5}."""
        made = []
        for name, operand in operators.items():
            if name in GEO:
                if name in ("$near", "$nearSphere"):
                    self.near = geo.near(path, name, operators)
                    made.append(self.near.condition)
                elif name in ("$geoWithin", "$within"):
                    made.append(geo.within(operand))
                elif name == "$geoIntersects":
                    made.append(geo.intersects(operand))
                continue
            reader = conditions.READERS.get(name)
            if reader is None:
                raise MongoError("BadValue", f"unknown operator: {name}")
            made += reader(self, operand, operators, path)
        return made

    # What stands at the top of a filter -----------------------------------------------------------------------

    def several(self, name, operand):
        """Return the tests of $and, $or or $nor."""
        if not isinstance(operand, list):
            raise MongoError("BadValue", f"{name} must be an array")
        if not operand:
            raise MongoError("BadValue", "$and/$or/$nor must be a nonempty array")
        for inner in operand:
            if not isinstance(inner, dict):
                raise MongoError("BadValue", "$or/$and/$nor entries need to be full objects")
        return [self.filter(inner) for inner in operand]

    def expr(self, operand):
        node, variables = read(operand, self.reading.scope), self.reading.variables
        return lambda document, found: truth(node(environment(document, variables)))

    def search(self, operand):
        self.text_search = check_text(operand)
        score = self.reading.text
        if score is None:
            return lambda document, found: _no_text_index()
        return lambda document, found: score(document) > 0

    def schema(self, operand):
        schema = Schema(operand)
        return lambda document, found: schema(document)

    def sample(self, operand):
        if not is_number(operand) or not 0 <= to_double(operand) <= 1:
            raise MongoError("BadValue", f"numeric argument to $sampleRate must be in [0, 1], found {show(operand)}")
        return lambda document, found: random.random() < to_double(operand)

    def constant(self, name, operand):
        if operand != 1:
            raise MongoError("FailedToParse", f"{name} must be an integer value of 1, found {show(operand)}")
        return lambda document, found: name == "$alwaysTrue"

    def comment(self, _):
        return None

    def where(self, _):
        raise not_embedded("$where, which runs JavaScript on the server,")


def _no_text_index():
    raise MongoError("IndexNotFound", "text index required for $text query")


TOP = {
    "$and": lambda parser, operand: every(parser.several("$and", operand)),
    "$or": lambda parser, operand: some(parser.several("$or", operand)),
    "$nor": lambda parser, operand: none(parser.several("$nor", operand)),
    "$expr": Parser.expr,
    "$text": Parser.search,
    "$jsonSchema": Parser.schema,
    "$sampleRate": Parser.sample,
    "$alwaysTrue": lambda parser, operand: parser.constant("$alwaysTrue", operand),
    "$alwaysFalse": lambda parser, operand: parser.constant("$alwaysFalse", operand),
    "$comment": Parser.comment,
    "$where": Parser.where,
}
GEO = {"$near", "$nearSphere", "$geoWithin", "$within", "$geoIntersects", "$maxDistance", "$minDistance"}


def is_operators(operand):
    """Return whether an operand is {"$gt": …} and no document to be equal to."""
    if not isinstance(operand, dict) or not operand:
        return False
    first = next(iter(operand))
    return first.startswith("$") and first not in REFERENCE


def every(tests):
    """Return the test that all of the tests hold."""
    if len(tests) == 1:
        return tests[0]
    return lambda document, found: all(test(document, found) for test in tests)


def some(tests):
    """Return the test that one of the tests holds."""
    return lambda document, found: any(test(document, found) for test in tests)


def none(tests):
    """Return the test that none of the tests holds."""
    return lambda document, found: not any(test(document, None) for test in tests)


def on_path(parts, condition):
    """Return the test that a condition holds for a value at the path, or for none if it is negated."""

    def positive(document, found):
        for value, position in condition.values(document, parts):
            if condition.test(value, found):
                if found is not None and position is not None:
                    found.position = position
                return True
        return False

    if condition.negated:
        return lambda document, found: not positive(document, None)
    return positive
