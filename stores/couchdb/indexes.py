"""Mango indexes, which live in design documents, and how a query chooses one.

An index holds an entry for each document that has all of its fields, in the order of their values. A query can use it if
its selector has a condition on each field; the entries in the range of its first fields are then all that is examined.
"""

import base64
import json
import operator
from hashlib import sha1
from typing import NamedTuple

from stores.couchdb.collate import Id, key
from stores.couchdb.errors import CouchError
from stores.couchdb.mango import MISSING, as_id, matches, normal, value_of

NO_INDEX = "No matching index found, create an index to optimize query time."
MANY_EXAMINED = (
    "The number of documents examined is high in proportion to the number of results returned. "
    "Consider adding a more specific index to improve this."
)
COMPARE = {"$eq": operator.eq, "$lt": operator.lt, "$lte": operator.le, "$gt": operator.gt, "$gte": operator.ge}
RATIO = 10  # documents examined for one result, from which on that is said


class Index(NamedTuple):
    """An index: the design document and the name in it, the fields, the selector of a partial index (normal form)."""

    ddoc: str | None
    name: str
    fields: tuple
    partial: dict | None = None

    @property
    def definition(self):
        told = {"fields": [{field: "asc"} for field in self.fields]}
        return {**told, "partial_filter_selector": self.partial} if self.partial else told

    def told(self):
        kind = "special" if self.ddoc is None else "json"
        told = {"ddoc": self.ddoc, "name": self.name, "type": kind}
        return {**told, "def": self.definition} if self.ddoc is None else {**told, "partitioned": False, "def": self.definition}


ALL_DOCS = Index(None, "_all_docs", ("_id",))


def indexes(database):
    """All indexes of a database, that of all documents first."""
    found = [ALL_DOCS]
    for doc_id, revision in database.live().items():
        if doc_id.startswith("_design/") and revision.body.get("language") == "query":
            for name, view in sorted((revision.body.get("views") or {}).items()):
                told = view["options"]["def"]
                fields = tuple(next(iter(field)) if isinstance(field, dict) else field for field in told["fields"])
                found.append(Index(doc_id, name, fields, told.get("partial_filter_selector")))
    return found


def create(database, told):
    """POST _index: return the answer. Raises CouchError."""
    if told.get("type", "json") != "json":
        raise CouchError(501, "not_implemented", f"indexes of type {told['type']} need a search engine: use type json")
    definition = told.get("index")
    if not isinstance(definition, dict):
        raise CouchError(400, "missing_required_key", "Missing required key: index")
    fields = _fields(definition.get("fields"))
    partial = definition.get("partial_filter_selector", told.get("partial_filter_selector"))
    if partial:
        normal(partial)
    index = Index(None, "", fields, partial)
    digest = sha1(json.dumps(index.definition).encode(), usedforsecurity=False).hexdigest()
    name, ddoc = str(told.get("name", digest)), str(told.get("ddoc", digest))
    doc_id = ddoc if ddoc.startswith("_design/") else f"_design/{ddoc}"
    known = next((each for each in indexes(database) if (each.ddoc, each.name) == (doc_id, name)), None)
    if known is not None and known.definition == index.definition:
        return {"result": "exists", "id": doc_id, "name": name}
    live = database.live().get(doc_id)
    views = {**(live.body.get("views") or {})} if live else {}
    views[name] = {
        "map": {"fields": {field: "asc" for field in fields}, "partial_filter_selector": partial or {}},
        "reduce": "_count",
        "options": {"def": index.definition},
    }
    database.write(doc_id, {"language": "query", "views": views}, live.name if live else None)
    return {"result": "created", "id": doc_id, "name": name}


def _fields(told):
    if not isinstance(told, list) or not told:
        raise CouchError(400, "invalid_index_fields", "Index fields must be a list with at least one field")
    fields = []
    for each in told:
        name, direction = next(iter(each.items())) if isinstance(each, dict) and len(each) == 1 else (each, "asc")
        if not isinstance(name, str) or direction not in ("asc", "desc"):
            raise CouchError(400, "invalid_sort_json", f"Sort fields must be names or {{name: direction}}, found {json.dumps(each)}")
        fields.append((name, direction))
    if len({direction for _, direction in fields}) > 1:
        raise CouchError(400, "unsupported_mixed_sort", "Sorts currently only support a single direction for all fields.")
    return tuple(name for name, _ in fields)


def delete(database, ddoc, name):
    """DELETE _index. Raises CouchError 404."""
    known = next((each for each in indexes(database) if (each.ddoc, each.name) == (ddoc, name)), None)
    if known is None:
        raise CouchError(404, "not_found", "Index not found.")
    live = database.live()[ddoc]
    views = {view: told for view, told in live.body["views"].items() if view != name}
    database.write(ddoc, {**live.body, "views": views} if views else {"_deleted": True}, live.name)


def entries(database, index):
    """[(sort key, values, id), …] of an index in order. They are kept until the database changes."""
    seq, kept = database.cache.get(index[:3], (None, None))
    if seq != database.seq:
        kept = []
        partial = normal(index.partial) if index.partial else []
        for doc_id, revision in database.live().items():
            doc = {"_id": doc_id, "_rev": revision.name, **revision.body}
            values = [value_of(doc, field) for field in index.fields]
            values = [Id(value) if field == "_id" else value for field, value in zip(index.fields, values, strict=True)]
            if MISSING not in values and (index is ALL_DOCS or not doc_id.startswith("_design/")) and matches(partial, doc):
                kept.append((tuple(map(key, values)), values, doc_id))
        if index is not ALL_DOCS:  # the ids are in order, by their bytes
            kept.sort(key=lambda entry: (entry[0], entry[2]))
        database.cache[index[:3]] = database.seq, kept
    return kept


# -- queries ----------------------------------------------------------------------------------


class Plan(NamedTuple):
    """How a query is answered: the index, the bounds of each of its first fields, in which direction."""

    index: Index
    bounds: list  # of (operator, argument) lists, one for each field that narrows the range
    backwards: bool
    selector: list  # normal form
    warnings: list


def plan(database, query):
    """Choose an index for a query: {"selector": …, "sort": …, "use_index": …}. Raises CouchError."""
    if "selector" not in query:
        raise CouchError(400, "missing_required_key", "Missing required key: selector")
    selector = normal(query["selector"])
    sort = _fields(query["sort"]) if query.get("sort") else ()
    backwards = bool(sort) and query["sort"] and isinstance(query["sort"][0], dict) and "desc" in query["sort"][0].values()
    wanted, warning = _wanted(query.get("use_index")), ""
    usable = [each for each in indexes(database) if _usable(each, selector, sort, wanted)]
    if wanted is not None:
        named = [each for each in usable if _is(each, wanted)]
        usable, warning = named or usable, "" if named else _not_used(*wanted)
    if not usable:
        raise CouchError(400, "no_usable_index", "No index exists for this sort, try indexing by the sort fields.")
    # Any index before that of all documents, then the longest prefix, the fewest fields, the first name.
    index = min(
        usable, key=lambda each: (each is ALL_DOCS, -len(_bounds(each, selector)), len(each.fields), each.ddoc or "", each.name)
    )
    warnings = [*filter(None, [warning]), *([NO_INDEX] if index is ALL_DOCS else [])]
    return Plan(index, _bounds(index, selector), backwards, selector, warnings)


def _not_used(ddoc, name=None):
    if name is None:
        return f"_design/{ddoc} was not used because it does not contain a valid index for this query."
    return f"_design/{ddoc}, {name} was not used because it is not a valid index for this query."


def _wanted(use_index):
    if not use_index:
        return None
    wanted = [use_index] if isinstance(use_index, str) else list(map(str, use_index))
    return [wanted[0].removeprefix("_design/"), *wanted[1:]]


def _is(index, wanted):
    return index.ddoc == f"_design/{wanted[0]}" and (len(wanted) == 1 or index.name == wanted[1])


def _usable(index, selector, sort, wanted):
    """Every field needs a condition, so that no document that matches is missing; and it must sort as is wanted."""
    if index.partial and (wanted is None or not _is(index, wanted)):
        return False
    constant = {field for field, sign, _ in _plain(selector) if sign == "$eq"}
    rest = [field for field in index.fields if field not in constant]
    if sort and index.fields[: len(sort)] != sort and tuple(rest[: len(sort)]) != sort:
        return False
    return index is ALL_DOCS or (bool(selector) and set(index.fields) <= _required(selector) | {*sort, "_id", "_rev"})


def _required(selector):
    """The fields that every document has which matches."""
    required = set()
    for field, sign, argument in selector:
        if sign == "$or" and field is None:
            required |= set.intersection(*(_required([part]) for part in argument)) if argument else set()
        elif sign == "$and" and field is None:
            required |= _required(argument)
        elif field is None:  # $not
            required.add(argument[0])
        elif (sign, argument) != ("$exists", False):
            required.add(field)
    return required


def _plain(selector):
    """The conditions that must all hold: those of $and are theirs too."""
    for field, sign, argument in selector:
        if field is not None:
            yield field, sign, argument
        elif sign == "$and":
            yield from _plain(argument)


def _bounds(index, selector):
    """For each first field of the index the conditions that make a range of entries: equalities, then one range."""
    bounds = []
    for field in index.fields:
        here = [(sign, argument) for name, sign, argument in _plain(selector) if name == field]
        narrowing = [each for each in here if each[0] in COMPARE]
        if field == "_id":
            narrowing = [(sign, as_id(argument)) for sign, argument in narrowing]
        if not narrowing:
            break
        bounds.append(narrowing)
        if not any(sign == "$eq" for sign, _ in narrowing):
            break
    return bounds


def in_range(plan, entry):
    """Whether an entry of the index lies in the range that is read."""
    return all(
        COMPARE[sign](value, key(other)) for bounds, value in zip(plan.bounds, entry[0], strict=False) for sign, other in bounds
    )


def bookmark_of(entry):
    """Where a query goes on: behind this entry."""
    return base64.urlsafe_b64encode(json.dumps([entry[1], entry[2]]).encode()).decode().rstrip("=")


def read_bookmark(told):
    """Return the (values of the fields, id) that a bookmark stands for, or None for the start. Raises CouchError."""
    if not told or told == "nil":
        return None
    try:
        values, doc_id = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
        return list(values), str(doc_id)
    except (ValueError, TypeError):
        raise CouchError(400, "invalid_bookmark", f"Invalid bookmark value: {json.dumps(told)}") from None
