"""Validators of collections: whether a document may be written, and if not, why (errInfo.details, as MongoDB words it)."""

import re
from datetime import datetime

from stores.mongodb.errors import MongoError
from stores.mongodb.ordering import equal, type_name
from stores.mongodb.paths import values_at

NUMBERS = {"int", "long", "double", "decimal"}


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


def explain(validator, document):
    """Return why a document does not satisfy a validator: the failing clauses, in MongoDB's form."""
    failing = []
    for name, wanted in validator.items():
        if name == "$jsonSchema":
            rules = schema_rules(wanted, document)
            if rules:
                failing.append({"operatorName": "$jsonSchema", "schemaRulesNotSatisfied": rules})
        else:
            failing += _clause(name, wanted, document)
    if len(failing) == 1:
        return failing[0]
    clauses = [{"index": index, "details": each} for index, each in enumerate(failing)]
    return {"operatorName": "$and", "clausesNotSatisfied": clauses}


def _clause(name, wanted, document):
    from stores.mongodb.query import Query

    if Query({name: wanted})(document):
        return []
    if name in ("$and", "$or"):
        inner = [(index, explain(each, document)) for index, each in enumerate(wanted) if not Query(each)(document)]
        return [{"operatorName": name, "clausesNotSatisfied": [{"index": index, "details": each} for index, each in inner]}]
    if name.startswith("$"):
        return [{"operatorName": name, "specifiedAs": {name: wanted}, "reason": "expression did not match"}]
    operators = wanted if isinstance(wanted, dict) and any(each.startswith("$") for each in wanted) else {"$eq": wanted}
    found = values_at(document, name)
    failed = []
    for operator, value in operators.items():
        if operator == "$options" or Query({name: {operator: value}})(document):
            continue
        entry = {"operatorName": operator, "specifiedAs": {name: {operator: value} if operators is wanted else wanted}}
        entry["reason"] = "field was missing" if not found or found == [found[0]] and type_name(found[0]) == "missing" else _reason(operator)
        if entry["reason"] != "field was missing":
            entry["consideredValue" if len(found) == 1 else "consideredValues"] = found[0] if len(found) == 1 else found
            if operator == "$type":
                entry["consideredType"] = type_name(found[0])
        failed.append(entry)
    return failed


def _reason(operator):
    return {
        "$type": "type did not match", "$regex": "regular expression did not match", "$in": "no matching value found in array",
        "$exists": "path does not exist",
    }.get(operator, "comparison failed")  # fmt: skip


def schema_rules(schema, value):
    """Return the rules of a JSON schema that a value breaks; an empty list if it keeps them."""
    broken = []
    for keyword, wanted in schema.items():
        check = KEYWORDS.get(keyword)
        failure = check(wanted, value, schema) if check else None
        if failure is not None:
            broken.append({"operatorName": keyword, **failure})
    return broken


def _failed(keyword, wanted, reason, value):
    return {"specifiedAs": {keyword: wanted}, "reason": reason, "consideredValue": value}


def _has_type(value, names):
    name = type_name(value)
    return any(name == each or (each == "number" and name in NUMBERS) for each in (names if isinstance(names, list) else [names]))


def _bson_type(wanted, value, schema):
    if not _has_type(value, wanted):
        return {**_failed("bsonType", wanted, "type did not match", value), "consideredType": type_name(value)}
    return None


def _json_type(wanted, value, schema):
    names = {"boolean": "bool", "integer": "int"}
    if not _has_type(value, [names.get(each, each) for each in (wanted if isinstance(wanted, list) else [wanted])]):
        return {**_failed("type", wanted, "type did not match", value), "consideredType": type_name(value)}
    return None


def _required(wanted, value, schema):
    missing = [name for name in wanted if name not in value] if isinstance(value, dict) else []
    return {"specifiedAs": {"required": wanted}, "missingProperties": missing} if missing else None


def _properties(wanted, value, schema):
    if not isinstance(value, dict):
        return None
    failed = []
    for name, inner in wanted.items():
        details = schema_rules(inner, value[name]) if name in value else []
        if details:
            about = {key: inner[key] for key in ("title", "description") if key in inner}
            failed.append({"propertyName": name, **about, "details": details})
    return {"propertiesNotSatisfied": failed} if failed else None


def _additional(wanted, value, schema):
    if not isinstance(value, dict) or wanted is True:
        return None
    patterns = [re.compile(each) for each in schema.get("patternProperties", {})]
    extra = [name for name in value if name not in schema.get("properties", {}) and not any(each.search(name) for each in patterns)]
    if wanted is False:
        return {"specifiedAs": {"additionalProperties": False}, "additionalProperties": extra} if extra else None
    for name in extra:
        details = schema_rules(wanted, value[name])
        if details:
            return {"details": details}
    return None


def _compare(keyword, holds):
    def check(wanted, value, schema):
        if not _has_type(value, "number") or holds(float(str(value)), float(str(wanted)), schema):
            return None
        return _failed(keyword, wanted, "comparison failed", value)

    return check


def _length(keyword, kind, holds, reason):
    def check(wanted, value, schema):
        if not isinstance(value, kind) or holds(len(value), wanted):
            return None
        return _failed(keyword, wanted, reason, value)

    return check


def _enum(wanted, value, schema):
    if not any(equal(value, each) for each in wanted):
        return _failed("enum", wanted, "value was not found in enum", value)
    return None


def _pattern(wanted, value, schema):
    if isinstance(value, str) and not re.search(wanted, value):
        return _failed("pattern", wanted, "regular expression did not match", value)
    return None


def _unique(wanted, value, schema):
    if wanted and isinstance(value, list):
        for index, each in enumerate(value):
            if any(equal(each, other) for other in value[:index]):
                return {**_failed("uniqueItems", wanted, "found a duplicate item", value), "duplicatedValue": each}
    return None


def _items(wanted, value, schema):
    if isinstance(value, list) and isinstance(wanted, dict):
        for index, each in enumerate(value):
            details = schema_rules(wanted, each)
            if details:
                return {"reason": "At least one item did not match the sub-schema", "itemIndex": index, "details": details}
    return None


def _several(keyword, holds):
    def check(wanted, value, schema):
        broken = [schema_rules(each, value) for each in wanted]
        if holds(sum(not each for each in broken), len(wanted)):
            return None
        return {"schemasNotSatisfied": [{"index": index, "details": each} for index, each in enumerate(broken) if each]}

    return check


def _not(wanted, value, schema):
    return {"specifiedAs": {"not": wanted}, "reason": "child expression matched"} if not schema_rules(wanted, value) else None


KEYWORDS = {
    "bsonType": _bson_type,
    "type": _json_type,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "enum": _enum,
    "pattern": _pattern,
    "items": _items,
    "uniqueItems": _unique,
    "minimum": _compare("minimum", lambda v, w, s: v > w if s.get("exclusiveMinimum") else v >= w),
    "maximum": _compare("maximum", lambda v, w, s: v < w if s.get("exclusiveMaximum") else v <= w),
    "multipleOf": _compare("multipleOf", lambda v, w, s: v % w == 0),
    "minLength": _length("minLength", str, lambda n, w: n >= w, "specified string length was not satisfied"),
    "maxLength": _length("maxLength", str, lambda n, w: n <= w, "specified string length was not satisfied"),
    "minItems": _length("minItems", list, lambda n, w: n >= w, "array did not match specified length"),
    "maxItems": _length("maxItems", list, lambda n, w: n <= w, "array did not match specified length"),
    "minProperties": _length("minProperties", dict, lambda n, w: n >= w, "specified number of properties was not satisfied"),
    "maxProperties": _length("maxProperties", dict, lambda n, w: n <= w, "specified number of properties was not satisfied"),
    "allOf": _several("allOf", lambda good, of: good == of),
    "anyOf": _several("anyOf", lambda good, of: good > 0),
    "oneOf": _several("oneOf", lambda good, of: good == 1),
    "not": _not,
}
