"""Mango indexes, which live in design documents, and how a query chooses one.

An index holds an entry for each document that has all of its fields, in the order of their values. A query can use it if
its selector has a condition on each field; the entries in the range of its first fields are then all that is examined.
"""

import base64
import json
from hashlib import sha1
from typing import NamedTuple

from stores.couchdb.collate import key
from stores.couchdb.errors import CouchError
from stores.couchdb.mango import MISSING, matches, normal, value_of

NO_INDEX = "No matching index found, create an index to optimize query time."
MANY_EXAMINED = (
    "The number of documents examined is high in proportion to the number of results returned. "
    "Consider adding a more specific index to improve this."
)
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
    warning: str


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
        usable = named or [each for each in usable if not each.partial]
        if not named:
            told = ", ".join(wanted)
            warning = f"{told} was not used because it does not contain a valid index for this query."
    if not usable:
        raise CouchError(400, "no_usable_index", "No index exists for this sort, try indexing by the sort fields.")
    index = max(usable, key=lambda each: (len(_bounds(each, selector)), each is not ALL_DOCS, -len(each.fields), each.name))
    if index is ALL_DOCS and not _bounds(index, selector):
        warning = "\n".join(filter(None, (warning, NO_INDEX)))
    return Plan(index, _bounds(index, selector), backwards, selector, warning)


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
    constant = {field for field, operator, _ in _plain(selector) if operator == "$eq"}
    rest = [field for field in index.fields if field not in constant]
    if sort and index.fields[: len(sort)] != sort and tuple(rest[: len(sort)]) != sort:
        return False
    conditions = {field for field, operator, argument in _plain(selector) if (operator, argument) != ("$exists", False)}
    return index is ALL_DOCS or all(field in conditions or field in sort for field in index.fields)


def _plain(selector):
    """The conditions that must all hold: those of $and are theirs too."""
    for field, operator, argument in selector:
        if field is not None:
            yield field, operator, argument
        elif operator == "$and":
            yield from _plain(argument)


def _bounds(index, selector):
    """For each first field of the index the conditions that make a range of entries: equalities, then one range."""
    bounds = []
    for field in index.fields:
        here = [(operator, argument) for name, operator, argument in _plain(selector) if name == field]
        narrowing = [each for each in here if each[0] in ("$eq", "$lt", "$lte", "$gt", "$gte")]
        if not narrowing:
            break
        bounds.append(narrowing)
        if not any(operator == "$eq" for operator, _ in narrowing):
            break
    return bounds


def in_range(plan, entry):
    """Whether an entry of the index lies in the range that is read."""
    checks = zip(plan.bounds, entry[0], strict=False)
    return all(_within(value, *bound) for bounds, value in checks for bound in bounds)


def _within(value, operator, argument):
    other = key(argument)
    return {
        "$eq": value == other,
        "$lt": value < other,
        "$lte": value <= other,
        "$gt": value > other,
        "$gte": value >= other,
    }[operator]


def bookmark_of(entry):
    """Where a query goes on: behind this entry."""
    return base64.urlsafe_b64encode(json.dumps([entry[1], entry[2]]).encode()).decode().rstrip("=")


def read_bookmark(told):
    """Return the (sort key, id) that a bookmark stands for, or None for the start. Raises CouchError."""
    if not told or told == "nil":
        return None
    try:
        values, doc_id = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
        return tuple(map(key, values)), doc_id
    except (ValueError, TypeError):
        raise CouchError(400, "invalid_bookmark", f"Invalid bookmark value: {json.dumps(told)}") from None
