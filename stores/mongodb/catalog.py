"""Collections as such: created with options, changed, renamed, dropped, listed."""

import re

from bson import Binary

from stores.mongodb import collation, query
from stores.mongodb.errors import MongoError
from stores.mongodb.indexes import spec
from stores.mongodb.oplog import Change

OPTIONS = {
    "capped", "size", "max", "validator", "validationLevel", "validationAction", "viewOn", "pipeline", "collation", "timeseries",
    "expireAfterSeconds", "autoIndexId", "storageEngine", "indexOptionDefaults", "changeStreamPreAndPostImages", "clusteredIndex",
    "writeConcern", "comment", "temp", "flags", "idIndex",
}  # fmt: skip
IGNORED = {"autoIndexId", "writeConcern", "comment", "flags", "idIndex", "temp"}
MOST_NAME = 255


def check_name(database, name):
    """Raise InvalidNamespace for a name that no collection may have."""
    namespace = f"{database}.{name}"
    if (
        not name
        or not isinstance(name, str)
        or name.startswith(".")
        or "$" in name
        or "\0" in name
        or ".." in name
        or name.endswith(".")
    ):
        raise MongoError("InvalidNamespace", f"Invalid namespace specified '{namespace}'")
    if not database or re.search(r'[/\\. "$\0]', database):
        raise MongoError("InvalidNamespace", f"Invalid database name: '{database}'")
    if len(database) > 63 or len(namespace.encode()) > MOST_NAME:
        raise MongoError("InvalidNamespace", f"Fully qualified namespace is too long. Namespace: {namespace} Max: {MOST_NAME}")
    if name.startswith("system.") and name not in ("system.views", "system.js", "system.profile"):
        raise MongoError("InvalidNamespace", f"Invalid system namespace: {namespace}")


def checked_options(options):
    """Return the options of a create command that are kept. Raises for those that MongoDB, or this engine, refuses."""
    for name in options:
        if name not in OPTIONS:
            raise MongoError(40415, f"BSON field 'create.{name}' is an unknown field.")
    kept = {name: value for name, value in options.items() if name not in IGNORED and value is not None}
    if "clusteredIndex" in kept:
        _clustered(kept)
    if kept.get("capped") or "size" in kept or "max" in kept:
        _capped(kept)
    if "viewOn" in kept:
        kept.setdefault("pipeline", [])
    elif "pipeline" in kept:
        raise MongoError("InvalidOptions", "'pipeline' requires 'viewOn' to also be specified")
    if "timeseries" in kept:
        _time_series(kept)
    elif "expireAfterSeconds" in kept and "clusteredIndex" not in kept:
        raise MongoError(
            "InvalidOptions",
            "'expireAfterSeconds' is only supported on time-series collections or when the 'clusteredIndex' option is specified",
        )
    if collation.fold(kept.get("collation")) is not None:
        kept["collation"] = spec.full_collation(kept["collation"])
    else:
        kept.pop("collation", None)
    _validation(kept)
    return kept


def _capped(kept):
    if not kept.get("capped"):
        raise MongoError("InvalidOptions", "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
    size = kept.get("size")
    if size is None:
        raise MongoError("InvalidOptions", "the 'size' field is required when 'capped' is true")
    if isinstance(size, bool) or not isinstance(size, int | float) or size < 1:
        raise MongoError("BadValue", f"BSON field 'size' value must be >= 1, actual value '{size}'")
    kept["size"] = (int(size) + 255) // 256 * 256  # MongoDB raises it to a multiple of 256


def _clustered(kept):
    rules = kept["clusteredIndex"]
    if not isinstance(rules, dict) or rules.get("key") != {"_id": 1} or not rules.get("unique"):
        raise MongoError(
            "InvalidIndexSpecificationOption", "The clusteredIndex option is only supported for key: {_id: 1} and unique: true"
        )
    kept["clusteredIndex"] = {"v": 2, "key": {"_id": 1}, "name": rules.get("name") or "_id_", "unique": True}


def _time_series(kept):
    rules = kept["timeseries"]
    if not isinstance(rules, dict) or not isinstance(rules.get("timeField"), str):
        raise MongoError(40414, "BSON field 'create.timeseries.timeField' is missing but a required field")
    for name in rules:
        if name not in ("timeField", "metaField", "granularity", "bucketMaxSpanSeconds", "bucketRoundingSeconds"):
            raise MongoError(40415, f"BSON field 'create.timeseries.{name}' is an unknown field.")
    if rules.get("metaField") in ("_id", rules["timeField"]):
        raise MongoError("InvalidOptions", "The 'metaField' cannot be \"_id\" or the same as the 'timeField'")
    granularity = rules.get("granularity", "seconds")
    spans = {"seconds": 3600, "minutes": 86400, "hours": 2592000}
    if granularity not in spans:
        raise MongoError(
            "BadValue", f"Enumeration value '{granularity}' for field 'create.timeseries.granularity' is not a valid value."
        )
    kept["timeseries"] = {
        **rules,
        "granularity": granularity,
        "bucketMaxSpanSeconds": rules.get("bucketMaxSpanSeconds", spans[granularity]),
    }


def _validation(kept):
    for name, values in (("validationLevel", ("off", "strict", "moderate")), ("validationAction", ("error", "warn"))):
        if kept.get(name, values[0]) not in values:
            raise MongoError("BadValue", f"Enumeration value '{kept[name]}' for field 'create.{name}' is not a valid value.")
    validator = kept.get("validator")
    if validator is not None:
        if not isinstance(validator, dict):
            raise MongoError("TypeMismatch", "BSON field 'create.validator' is the wrong type, expected type 'object'")
        query.Query(validator)
        for name in ("$near", "$nearSphere", "$text", "$where"):
            if name in str(validator):
                raise MongoError(224, f"{name} is not allowed in this context")
        if validator:
            kept.setdefault("validationLevel", "strict")
            kept.setdefault("validationAction", "error")
        else:
            kept.pop("validator")


def configure(store, options):
    """Give a store the options of its collection."""
    store.options = options
    store.fold = collation.fold(options.get("collation"))
    store.validator = query.Query(options["validator"]) if options.get("validator") else None


class Catalog:
    """The collections of the server: `data` is a ServerStore; changes go to the oplog."""

    def __init__(self, engine):
        self.engine = engine
        self.data = engine.data

    def create(self, database, name, options, transaction=None):
        """Create a collection or a view. Raises NamespaceExists (48) if there is one already with other options."""
        check_name(database, name)
        kept = checked_options(options)
        if transaction is None:
            self.engine.transactions.preserve(database, name)
            store = self.data[database][name]
        else:
            store = transaction.writable(database, name)
        if store.is_created:
            if store.options == kept and "viewOn" not in kept:
                return
            raise MongoError("NamespaceExists", f"Collection {database}.{name} already exists.")
        configure(store, kept)
        if "viewOn" in kept:
            store._is_force_created = True
            self.engine.views.check(database, name)
        else:
            store.create()
        self._expiry_index(store)
        change = Change(
            "create", database, name, description={"idIndex": {"v": 2, "key": {"_id": 1}, "name": "_id_"}, **kept}, uuid=store.uuid
        )
        if transaction is None:
            self.engine.oplog.add(change)
        else:
            transaction.changes.append(change)

    def _expiry_index(self, store):
        # Measurements are found by their time, and expire by it; documents of a clustered collection by their _id.
        # listIndexes does not show this index.
        if not store.is_time_series and "clusteredIndex" not in store.options:
            return
        field = store.options["timeseries"]["timeField"] if store.is_time_series else "_id"
        made = {"v": 2, "key": {field: 1}, "name": "$time"}
        if "expireAfterSeconds" in store.options:
            made["expireAfterSeconds"] = store.options["expireAfterSeconds"]
        store.add_index(made, internal=True)

    def drop(self, database, name):
        """Drop a collection with its indexes; one that does not exist is no error here."""
        store = self.data.get(database, name)
        if store is None:
            return
        self.engine.transactions.preserve(database, name)
        self.data[database].forget(name)
        self.engine.oplog.add(Change("drop", database, name, uuid=store.uuid))

    def drop_database(self, database):
        """Drop a database with its collections."""
        for name in self.data[database].list_created_collection_names():
            self.drop(database, name)
        self.engine.oplog.add(Change("dropDatabase", database))

    def rename(self, database, name, to_database, to_name, drop_target=False):
        """Rename a collection, also into another database."""
        check_name(to_database, to_name)
        store = self.data.get(database, name)
        if store is None:
            raise MongoError("NamespaceNotFound", f"Source collection {database}.{name} does not exist")
        if (database, name) == (to_database, to_name):
            raise MongoError("IllegalOperation", "Can't rename a collection to itself")
        replaced = self.data.get(to_database, to_name)
        if replaced is not None and not drop_target:
            raise MongoError("NamespaceExists", "target namespace exists")
        for place in ((database, name), (to_database, to_name)):
            self.engine.transactions.preserve(*place)
        self.data[database].forget(name)
        self.data[to_database].replace(to_name, store)
        told = {"dropTarget": Binary.from_uuid(replaced.uuid)} if replaced is not None else None
        self.engine.oplog.add(Change("rename", database, name, description=told, to=(to_database, to_name), uuid=store.uuid))

    def convert_to_capped(self, database, name, size):
        """Make a collection capped, of `size` bytes: the youngest documents stay, of the indexes that on _id."""
        store = self.data.get(database, name)
        if store is None:
            raise MongoError("NamespaceNotFound", f"source collection {database}.{name} does not exist")
        self.engine.views.refuse_write(database, name)
        if store.is_time_series:
            raise MongoError("IllegalOperation", f"Cannot convert a time-series collection to capped: {database}.{name}")
        options = checked_options({**store.options, "capped": True, "size": size})
        self.engine.transactions.preserve(database, name)
        for index in list(store.indexes):
            store.drop_index(index)
        configure(store, options)
        store.make_room()

    def modify(self, database, name, options):
        """Do collMod: validator, validationLevel, validationAction, index (hidden, expireAfterSeconds), a view's pipeline."""
        store = self.data.get(database, name)
        if store is None:
            raise MongoError("NamespaceNotFound", f"ns does not exist: {database}.{name}")
        answer = {}
        options = dict(options)
        wanted = options.pop("index", None)
        for option in options:
            if option not in OPTIONS | {"cappedSize", "cappedMax"}:
                raise MongoError(40415, f"BSON field 'collMod.{option}' is an unknown field.")
        if wanted is not None:
            answer = self._modify_index(store, wanted)
        if "cappedSize" in options or "cappedMax" in options:
            if not store.options.get("capped"):
                raise MongoError("InvalidOptions", "Collection must be capped.")
            options = {{"cappedSize": "size", "cappedMax": "max"}.get(key, key): value for key, value in options.items()}
        if "viewOn" in options and "viewOn" not in store.options:
            raise MongoError("InvalidOptions", f"'viewOn' option not supported on collections: {database}.{name}")
        changed = {**store.options, **options}
        if options.get("expireAfterSeconds") == "off":
            changed.pop("expireAfterSeconds")
        configure(store, checked_options(changed))
        if store.options.get("capped"):
            self.engine.transactions.preserve(database, name)
            store.make_room()
        self._expiry_index(store)
        self.engine.oplog.add(Change("modify", database, name, description=options, uuid=store.uuid))
        return answer

    def _modify_index(self, store, wanted):
        tree = next(
            (t for t in store.trees.values() if t.name == wanted.get("name") or dict(t.pattern) == wanted.get("keyPattern")), None
        )
        if tree is None:
            raise MongoError(
                "IndexNotFound", f"cannot find index {wanted.get('name') or wanted.get('keyPattern')} for ns {store.namespace}"
            )
        answer = {}
        if "expireAfterSeconds" in wanted:
            if len(tree.pattern) > 1 or tree.name == "_id_":
                raise MongoError("InvalidOptions", "TTL indexes are single-field indexes, compound indexes do not support TTL")
            if "expireAfterSeconds" in tree.spec:
                answer["expireAfterSeconds_old"] = tree.spec["expireAfterSeconds"]
            answer["expireAfterSeconds_new"] = wanted["expireAfterSeconds"]
            tree.spec = {**tree.spec, "expireAfterSeconds": wanted["expireAfterSeconds"]}
        if "hidden" in wanted:
            if tree.name == "_id_":
                raise MongoError("BadValue", "can't hide _id index")
            answer |= {"hidden_old": tree.hidden, "hidden_new": bool(wanted["hidden"])}
            tree.spec = {name: value for name, value in tree.spec.items() if name != "hidden"} | (
                {"hidden": True} if wanted["hidden"] else {}
            )
        if wanted.get("unique"):
            tree.spec = {**tree.spec, "unique": True}
            tree.unique = True
        return answer

    def listing(self, database):
        """Return what listCollections shows."""
        entries = []
        for name in self.data[database].list_created_collection_names():
            store = self.data[database][name]
            kind = "view" if "viewOn" in store.options else "timeseries" if "timeseries" in store.options else "collection"
            entry = {"name": name, "type": kind, "options": dict(store.options), "info": {"readOnly": kind == "view"}}
            if kind != "view":
                entry["info"]["uuid"] = Binary.from_uuid(store.uuid)
                entry["idIndex"] = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
            entries.append(entry)
        return entries
