"""Validators of collections: whether a document may be written, and if not, why (errInfo.details, as MongoDB words it).

The language's Query and Schema decide; here are the explanations.
"""

import re
from datetime import datetime

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import MISSING, equal, type_name
from stores.mongodb.paths import values_at
from stores.mongodb.planner.predicates import is_operators
from stores.mongodb.query import Query
from stores.mongodb.query.schema import Schema


def check_document(store, document, operation, before=None):
    """Raise DocumentValidationFailure (121) for a document that the collection's validator refuses.

    `before` is the document an update replaces: with validationLevel "moderate" one that was invalid already may stay so.
    """
    if "timeseries" in store.options:
        check_time(store, document)
    validator = store.validator
    if validator is None or operation.bypass_validation or validator(document):
        return
    options = store.options
    level, action = options.get("validationLevel", "strict"), options.get("validationAction", "error")
    if level == "off" or action == "warn" or (level == "moderate" and before is not None and not validator(before)):
        return
    info = {"failingDocumentId": document["_id"], "details": explain(options["validator"], document)}
    raise MongoError("DocumentValidationFailure", "Document failed validation", errInfo=info)


def check_time(store, document):
    """Raise for a measurement without its time."""
    field = store.options["timeseries"]["timeField"]
    if not isinstance(document.get(field), datetime):
        raise MongoError("BadValue", f"'{field}' must be present and contain a valid BSON UTC datetime value")


# --- queries


def explain(validator, document):
    """Return why a document does not satisfy a validator: the failing clauses, in MongoDB's form."""
    failing = [each for name, wanted in validator.items() for each in _clause(name, wanted, document)]
    if len(failing) == 1:
        return failing[0]
    return {"operatorName": "$and", "clausesNotSatisfied": [{"index": index, "details": each} for index, each in enumerate(failing)]}


def _clause(name, wanted, document):
    """Return the explanations of one clause of a query: none if it holds."""
    if Query({name: wanted})(document):
        return []
    if name == "$jsonSchema":
        return [{"operatorName": name, "schemaRulesNotSatisfied": schema_rules(wanted, document)}]
    if name in ("$and", "$or"):
        broken = [
            {"index": index, "details": explain(each, document)} for index, each in enumerate(wanted) if not Query(each)(document)
        ]
        return [{"operatorName": name, "clausesNotSatisfied": broken}]
    if name.startswith("$"):
        return [{"operatorName": name, "specifiedAs": {name: wanted}, "reason": "expression did not match"}]
    conditions = wanted if is_operators(wanted) else {"$eq": wanted}
    return [
        _condition(name, operator, value, values_at(document, name), conditions is wanted)
        for operator, value in conditions.items()
        if operator != "$options" and not Query({name: {operator: value}})(document)
    ]


REASONS = {
    "$type": "type did not match", "$regex": "regular expression did not match", "$in": "no matching value found in array",
    "$exists": "path does not exist",
}  # fmt: skip


def _condition(path, operator, value, found, as_operator):
    entry = {"operatorName": operator, "specifiedAs": {path: {operator: value} if as_operator else value}}
    if all(each is MISSING for each in found):
        return {**entry, "reason": REASONS["$exists"] if operator == "$exists" else "field was missing"}
    entry["reason"] = REASONS.get(operator, "comparison failed")
    if len(found) > 1:
        return {**entry, "consideredValues": found}
    entry["consideredValue"] = found[0]
    if operator == "$type":
        entry["consideredType"] = type_name(found[0])
    return entry


# --- schemas


def schema_rules(schema, value):
    """Return the rules of a JSON schema that a value breaks; an empty list if it keeps them."""
    return [
        {"operatorName": keyword, **DETAILS.get(keyword, _compared)(keyword, operand, value, schema)}
        for keyword, operand in Schema(schema).failures(value).items()
    ]


WORDS = {
    "minLength": "specified string length was not satisfied", "maxLength": "specified string length was not satisfied",
    "minItems": "array did not match specified length", "maxItems": "array did not match specified length",
    "minProperties": "specified number of properties was not satisfied",
    "maxProperties": "specified number of properties was not satisfied",
    "enum": "value was not found in enum", "pattern": "regular expression did not match",
}  # fmt: skip


def _compared(keyword, operand, value, schema):
    return {"specifiedAs": {keyword: operand}, "reason": WORDS.get(keyword, "comparison failed"), "consideredValue": value}


def _typed(keyword, operand, value, schema):
    return {
        "specifiedAs": {keyword: operand}, "reason": "type did not match", "consideredValue": value,
        "consideredType": type_name(value),
    }  # fmt: skip


def _required(keyword, operand, value, schema):
    return {"specifiedAs": {keyword: operand}, "missingProperties": [name for name in operand if name not in value]}


def _properties(keyword, operand, value, schema):
    failed = []
    for name, inner in operand.items():
        details = schema_rules(inner, value[name]) if name in value else []
        if details:
            about = {word: inner[word] for word in ("title", "description") if word in inner}
            failed.append({"propertyName": name, **about, "details": details})
    return {"propertiesNotSatisfied": failed}


def _additional(keyword, operand, value, schema):
    patterns = [re.compile(each) for each in schema.get("patternProperties", {})]
    extra = [name for name in value if name not in schema.get("properties", {}) and not any(each.search(name) for each in patterns)]
    if operand is False:
        return {"specifiedAs": {keyword: False}, "additionalProperties": extra}
    name = next(name for name in extra if schema_rules(operand, value[name]))
    return {"failingProperty": name, "details": schema_rules(operand, value[name])}


def _items(keyword, operand, value, schema):
    schemas = operand if isinstance(operand, list) else [operand] * len(value)
    for index, (inner, each) in enumerate(zip(schemas, value, strict=False)):
        details = schema_rules(inner, each)
        if details:
            return {"reason": "At least one item did not match the sub-schema", "itemIndex": index, "details": details}
    return {"specifiedAs": {keyword: operand}}


def _unique(keyword, operand, value, schema):
    double = next(each for index, each in enumerate(value) if any(equal(each, other) for other in value[:index]))
    return {
        "specifiedAs": {keyword: operand}, "reason": "found a duplicate item", "consideredValue": value, "duplicatedValue": double,
    }  # fmt: skip


def _several(keyword, operand, value, schema):
    broken = [{"index": index, "details": details} for index, each in enumerate(operand) if (details := schema_rules(each, value))]
    if keyword == "oneOf" and len(broken) < len(operand) - 1:
        return {"reason": "more than one subschema matched", "matchingSchemaIndexes": _matching(operand, broken)}
    return {"schemasNotSatisfied": broken}


def _matching(operand, broken):
    return sorted(set(range(len(operand))) - {each["index"] for each in broken})


def _not(keyword, operand, value, schema):
    return {"specifiedAs": {keyword: operand}, "reason": "child expression matched", "consideredValue": value}


DETAILS = {
    "bsonType": _typed, "type": _typed, "required": _required, "properties": _properties, "additionalProperties": _additional,
    "items": _items, "uniqueItems": _unique, "allOf": _several, "anyOf": _several, "oneOf": _several, "not": _not,
}  # fmt: skip
