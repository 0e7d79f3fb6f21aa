"""What createIndexes may ask for: the rules and the errors of index specifications.

Codes and words are those of the server's index_key_validate.cpp and index_catalog_impl.cpp.
"""

from stores.mongodb import collation, query
from stores.mongodb.errors import MongoError, not_embedded
from stores.mongodb.indexes.values import shown
from stores.mongodb.ordering import type_name

OPTIONS = {
    "key", "name", "v", "ns", "unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "hidden", "collation", "background",
    "weights", "default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion", "bits", "min", "max",
    "wildcardProjection", "storageEngine", "dropDups", "prepareUnique", "clustered",
}  # fmt: skip
SPECIAL = ("text", "2dsphere", "2d", "hashed")
MOST_INDEXES = 64
MOST_FIELDS = 32
MOST_SECONDS = 2**31 - 1
IDENTITY = ("key", "unique", "sparse", "partialFilterExpression", "collation")  # what tells two indexes apart
ID_INDEX = {"v": 2, "key": {"_id": 1}, "name": "_id_"}


def cannot_create(message):
    """Return the error for an index that cannot be."""
    return MongoError("CannotCreateIndex", message)


def normalise(asked, default_collation=None):
    """Return an index as listIndexes will show it. Raises MongoError for what MongoDB refuses."""
    for name in asked:
        if name not in OPTIONS:
            raise MongoError(197, f"The field '{name}' is not valid for an index specification. Specification: {shown(asked)}")
    if "key" not in asked:
        raise MongoError(
            "FailedToParse", f"The 'key' field is a required property of an index specification. Specification: {shown(asked)}"
        )
    if not asked.get("name"):
        raise MongoError(
            "FailedToParse", f"The 'name' field is a required property of an index specification. Specification: {shown(asked)}"
        )
    key = check_key(asked["key"])
    if key == {"_id": 1} or key == {"_id": 1.0}:
        return _id_index(asked)
    spec = {"v": 2, "key": key, "name": asked["name"]}
    for option in ("unique", "sparse", "hidden"):
        if asked.get(option):
            spec[option] = True
    if asked.get("background"):
        spec["background"] = asked["background"]
    _time_to_live(asked, key, spec)
    _partial(asked, spec)
    rules = asked.get("collation", default_collation)
    if rules and collation.fold(rules) is not None:
        spec["collation"] = full_collation(rules)
    kinds = {way for way in key.values() if isinstance(way, str)}
    if "text" in kinds:
        _text(asked, key, spec)
    if "2dsphere" in kinds:
        spec["2dsphereIndexVersion"] = 3
    if "hashed" in kinds and spec.get("unique"):
        raise MongoError(16764, "Currently hashed indexes cannot guarantee uniqueness. Use a regular index.")
    _wildcard(asked, key, spec)
    return spec


def check_key(key):
    """Return a key pattern, or raise what is wrong with it."""
    if not isinstance(key, dict) or not key:
        raise cannot_create("Index keys cannot be an empty object")
    if len(key) > MOST_FIELDS:
        raise MongoError(13103, f"too many compound keys: {len(key)}, expected at most {MOST_FIELDS}")
    for path, way in key.items():
        if isinstance(way, str):
            if way not in SPECIAL:
                raise cannot_create(f"Unknown index plugin '{way}'")
        elif isinstance(way, bool) or not isinstance(way, int | float):
            raise cannot_create(
                f"Values in v:2 index key pattern cannot be of type {type_name(way)}. "
                "Only numbers > 0, numbers < 0, and strings are allowed."
            )
        elif way == 0 or way != way:
            raise cannot_create("Values in the index key pattern cannot be 0.")
        if not path or any(not part for part in path.split(".")):
            raise cannot_create(
                "Index keys cannot be an empty field." if not path else "Index key contains an illegal field name: empty part."
            )
        parts = path.split(".")
        if any(part.startswith("$") and part not in ("$**", "$id", "$ref", "$db") for part in parts):
            raise cannot_create("Index key contains an illegal field name: field name starts with '$'.")
    return dict(key)


def full_collation(rules):
    """Return a collation with every option, as listIndexes and listCollections show it."""
    return {
        "locale": rules["locale"], "caseLevel": rules.get("caseLevel", False), "caseFirst": rules.get("caseFirst", "off"),
        "strength": rules.get("strength", 3), "numericOrdering": rules.get("numericOrdering", False),
        "alternate": rules.get("alternate", "non-ignorable"), "maxVariable": rules.get("maxVariable", "punct"),
        "normalization": rules.get("normalization", False), "backwards": rules.get("backwards", False), "version": "57.1",
    }  # fmt: skip


def _id_index(asked):
    for name in asked:
        if name not in ("key", "name", "v", "ns", "collation", "background"):
            raise MongoError(197, f"The field '{name}' is not valid for an _id index specification. Specification: {shown(asked)}")
    return dict(ID_INDEX)


def _time_to_live(asked, key, spec):
    if "expireAfterSeconds" not in asked:
        return
    seconds = asked["expireAfterSeconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise cannot_create(
            f"TTL index 'expireAfterSeconds' option must be numeric, but received a type of {type_name(seconds)}. "
            f"Index spec: {shown(asked)}"
        )
    if not 0 <= seconds <= MOST_SECONDS:
        raise cannot_create(
            "TTL index 'expireAfterSeconds' option must be within an acceptable range, try a different number. "
            f"Index spec: {shown(asked)}"
        )
    if len(key) > 1:
        raise cannot_create(f"TTL indexes are single-field indexes, compound indexes do not support TTL. Index spec: {shown(asked)}")
    spec["expireAfterSeconds"] = seconds


def _partial(asked, spec):
    wanted = asked.get("partialFilterExpression")
    if wanted is None:
        return
    if not isinstance(wanted, dict):
        raise cannot_create("'partialFilterExpression' for an index has to be a document")
    if spec.get("sparse"):
        raise cannot_create('cannot mix "partialFilterExpression" and "sparse" options')
    _check_partial(wanted)
    query.Query(wanted)  # raises what cannot be parsed
    spec["partialFilterExpression"] = wanted


def _check_partial(wanted):
    allowed = {"$and", "$or", "$eq", "$gt", "$gte", "$lt", "$lte", "$exists", "$in", "$type", "$geoWithin", "$geoIntersects"}
    for name, value in wanted.items():
        if name.startswith("$") and name not in allowed:
            raise cannot_create(f"Expression not supported in partial index: {name}")
        if name == "$exists" and not value:
            raise cannot_create("Expression not supported in partial index: $not {$exists: true}")
        for inner in value if name in ("$and", "$or") else [value]:
            if (isinstance(inner, dict) and any(each.startswith("$") for each in inner)) or name in ("$and", "$or"):
                _check_partial(inner)


def _text(asked, key, spec):
    weights = {path: 1 for path, way in key.items() if way == "text"}
    weights.update(asked.get("weights") or {})
    for path, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < 99999:
            raise cannot_create(f"text index weight must be in the exclusive interval (0,99999) but found: {weight}")
        weights[path] = int(weight)
    if spec.get("unique"):
        raise cannot_create("text indexes cannot be unique")
    before = {path: way for path, way in key.items() if way != "text"}
    spec["key"] = {"_fts": "text", "_ftsx": 1} if not before else _around(key)
    spec["weights"] = dict(sorted(weights.items()))
    spec["default_language"] = asked.get("default_language", "english")
    spec["language_override"] = asked.get("language_override", "language")
    spec["textIndexVersion"] = 3


def _around(key):
    made = {}
    for path, way in key.items():
        if way == "text":
            made.update({"_fts": "text", "_ftsx": 1})
        else:
            made[path] = way
    return made


def _wildcard(asked, key, spec):
    wild = [path for path in key if path == "$**" or path.endswith(".$**")]
    if "wildcardProjection" in asked:
        if key.keys() != {"$**"}:
            raise MongoError("FailedToParse", "The field 'wildcardProjection' is only allowed in an 'wildcard' index")
        spec["wildcardProjection"] = asked["wildcardProjection"]
    if wild and len(key) > 1:
        raise not_embedded("a compound wildcard index", "CannotCreateIndex")
    for option in ("unique", "sparse", "expireAfterSeconds"):
        if wild and option in spec:
            raise cannot_create(f"Index type 'wildcard' does not support the {option} option")


def conflict(spec, existing):
    """Return whether the index exists already. Raises 85 or 86 when another one is in its way.

    Name and identity (key, unique, sparse, partial filter, collation) decide: MongoDB has each of them once.
    """
    for other in existing:
        same_name = other["name"] == spec["name"]
        same_identity = all(_same(other.get(part), spec.get(part)) for part in IDENTITY)
        identical = _options(other) == _options(spec)
        text = f"Requested index: {shown(spec)}, existing index: {shown(other)}"
        if same_name and same_identity and identical:
            return True
        if same_identity and spec["key"] == {"_id": 1}:
            return True
        if same_name and not same_identity:
            raise MongoError(
                "IndexKeySpecsConflict",
                "An existing index has the same name as the requested index. When index names are not specified, they are auto "
                f"generated and can cause conflicts. Please refer to our documentation. {text}",
            )
        if same_name:
            raise MongoError(
                "IndexOptionsConflict", f"An equivalent index already exists with the same name but different options. {text}"
            )
        if same_identity and identical:
            raise MongoError("IndexOptionsConflict", f"Index already exists with a different name: {other['name']}")
        if same_identity:
            raise MongoError("IndexOptionsConflict", f"An equivalent index already exists with a different name and options. {text}")
        if "weights" in other and "weights" in spec:
            raise MongoError(
                "IndexOptionsConflict", f'only one text index per collection allowed, found existing text index "{other["name"]}"'
            )
    return False


def _same(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one.items()) == list(other.items())
    return one == other


def _options(spec):
    return {name: value for name, value in spec.items() if name not in ("name", "v", "background", "hidden")}
