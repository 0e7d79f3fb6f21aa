"""Reading many documents: _all_docs, _changes, _find and its indexes."""

import time

from stores.couchdb import collate, indexes
from stores.couchdb.database import told
from stores.couchdb.errors import CouchError, bad_request, not_here
from stores.couchdb.http import Answer
from stores.couchdb.mango import matches, normal, project

LIMIT = 25  # documents of a _find that says nothing else
LONGEST_WAIT = 60  # seconds of a longpoll that says nothing else


# -- _all_docs --------------------------------------------------------------------------------


def all_docs(database, request, operation):
    """Ids and revisions of all documents in the order of their ids' bytes, or of those that `keys` names."""
    body = request.json_object() if request.method == "POST" else {}
    live = database.live()
    keys = body.get("keys", request.parameter("keys"))
    if keys is not None:
        if not isinstance(keys, list):
            raise bad_request("`keys` body member must be an array.")
        ids, offset = keys, 0
    else:
        ids, offset = _range(list(live), request)
    backwards, skip, limit = request.flag("descending"), request.count("skip", 0), request.count("limit")
    if keys is not None and backwards:
        ids = ids[::-1]
    ids = ids[skip : None if limit is None else skip + limit]
    rows = [_row(database, doc_id, request) for doc_id in ids]
    operation.returned += len(rows)
    return Answer({"total_rows": len(live), "offset": offset + skip if keys is None else 0, "rows": rows})


def _range(ids, request):
    """Return (the ids between startkey and endkey, how many stand before them)."""
    backwards = request.flag("descending")
    if backwards:
        ids = ids[::-1]
    key = request.parameter("key")
    start = key if key is not None else request.parameter("startkey", "start_key")
    end = key if key is not None else request.parameter("endkey", "end_key")
    with_end = request.flag("inclusive_end", default=True)
    for each in (start, end):
        if each is not None and not isinstance(each, str):
            return [], 0  # an id is a string, and no other value lies between two
    before = [doc_id for doc_id in ids if start is not None and (doc_id > start if backwards else doc_id < start)]
    kept = ids[len(before) :]
    if end is not None:
        kept = [doc_id for doc_id in kept if (doc_id > end if backwards else doc_id < end) or (with_end and doc_id == end)]
    return kept, len(before)


def _row(database, doc_id, request):
    tree = database.docs.get(doc_id) if isinstance(doc_id, str) else None
    if tree is None:
        return {"key": doc_id, "error": "not_found"}
    winner = tree.winner
    row = {"id": doc_id, "key": doc_id, "value": {"rev": winner.name}}
    if winner.deleted:
        row["value"]["deleted"] = True
    if request.flag("include_docs"):
        row["doc"] = None if winner.deleted else told(doc_id, tree, winner, request.flag("conflicts"))
    return row


# -- _changes ---------------------------------------------------------------------------------


async def changes(engine, database, request, operation):
    """What has changed since a sequence number: each document once, at its latest change. `longpoll` waits for one."""
    if request.method not in ("GET", "POST"):
        raise CouchError(405, "method_not_allowed", "Only GET,HEAD,POST allowed")
    body = request.json_object() if request.method == "POST" else {}
    feed = request.query.get("feed", "normal")
    if feed not in ("normal", "longpoll"):
        raise not_here(f"the embedded CouchDB has the feeds normal and longpoll, not {feed}")
    since = _since(database, request.query.get("since", "0"))
    wanted = _filter(request, body)
    deadline = time.monotonic() + (request.count("timeout", 1000 * LONGEST_WAIT) / 1000)
    found = _changes_since(database, since, wanted)
    while not found and feed == "longpoll" and (left := deadline - time.monotonic()) > 0:
        await engine.changed(left)
        if engine.databases.get(database.name) is not database:
            break  # deleted
        found = _changes_since(database, since, wanted)
    if request.flag("descending"):
        found = found[::-1]
    limit = request.count("limit")
    page = found if limit is None else found[: max(limit, 1)]
    operation.returned += len(page)
    last = page[-1][0] if page and len(page) < len(found) else database.seq
    results = [_change(database, seq, doc_id, request) for seq, doc_id in page]
    return Answer({"results": results, "last_seq": database.told_seq(last), "pending": len(found) - len(page)})


def _since(database, told_seq):
    """The number in a sequence number; 0 if it is of another database, as CouchDB then starts anew."""
    if told_seq == "now":
        return database.seq
    number, _, uuid = told_seq.strip('"').partition("-")
    if not (number.isascii() and number.isdigit()):
        raise bad_request("Malformed sequence supplied in 'since' parameter.")
    return 0 if uuid and uuid != database.uuid else int(number)


def _filter(request, body):
    """Return a function of (id, body) that says which documents are asked for."""
    name = request.query.get("filter")
    if name is None:
        return lambda doc_id, doc: True
    if name == "_doc_ids":
        ids = body.get("doc_ids", request.parameter("doc_ids", default=[]))
        return lambda doc_id, doc: doc_id in ids
    if name == "_selector":
        conditions = normal(body.get("selector", {}))
        return lambda doc_id, doc: matches(conditions, {"_id": doc_id, **doc})
    if name == "_design":
        return lambda doc_id, doc: doc_id.startswith("_design/")
    raise not_here(f"the embedded CouchDB has the filters _doc_ids, _selector and _design, not {name}")


def _changes_since(database, seq, wanted):
    return [(seq, doc_id) for seq, doc_id in database.changes_since(seq) if wanted(doc_id, database.docs[doc_id].winner.body or {})]


def _change(database, seq, doc_id, request):
    tree = database.docs[doc_id]
    leaves = tree.leaves() if request.query.get("style") == "all_docs" else [tree.winner]
    change = {"seq": database.told_seq(seq), "id": doc_id, "changes": [{"rev": leaf.name} for leaf in leaves]}
    if tree.winner.deleted:
        change["deleted"] = True
    if request.flag("include_docs"):
        change["doc"] = told(doc_id, tree, tree.winner, request.flag("conflicts"))
    return change


# -- _find ------------------------------------------------------------------------------------


def find(database, request, operation):
    """The documents that a selector matches, from an index if there is one for it."""
    query = request.json_object()
    limit, skip = _whole(query, "limit", LIMIT), _whole(query, "skip", 0)
    fields = query.get("fields") or []
    if not isinstance(fields, list):
        raise CouchError(400, "invalid_fields", "Fields must be an array of strings")
    began = time.perf_counter()
    plan = indexes.plan(database, query)
    after = indexes.read_bookmark(query.get("bookmark"))
    docs, last, examined = [], None, 0
    for entry in _entries(database, plan, after):
        if len(docs) == limit:
            break
        doc_id = entry[2]
        tree = database.docs[doc_id]
        if doc_id.startswith("_design/"):
            continue
        examined += 1
        doc = told(doc_id, tree, tree.winner, conflicts=bool(query.get("conflicts")))
        if matches(plan.selector, doc):
            if skip:
                skip -= 1
                continue
            docs.append(project(doc, fields) if fields else doc)
            last = entry
    operation.examined += examined
    operation.returned += len(docs)
    answer = {"docs": docs, "bookmark": indexes.bookmark_of(last) if last else query.get("bookmark") or "nil"}
    warnings = [*plan.warnings, *([indexes.MANY_EXAMINED] if examined > indexes.RATIO * max(len(docs), 1) else [])]
    if warnings:
        answer["warning"] = "\n".join(warnings)
    if query.get("execution_stats"):
        answer["execution_stats"] = _stats(examined, len(docs), began)
    return Answer(answer)


def _entries(database, plan, after):
    entries = [entry for entry in indexes.entries(database, plan.index) if indexes.in_range(plan, entry)]
    if plan.backwards:
        entries.reverse()
    if after is not None:
        values, doc_id = after
        ids = [collate.Id(value) if field == "_id" else value for field, value in zip(plan.index.fields, values, strict=False)]
        after = tuple(map(collate.key, ids)), doc_id
    for entry in entries:
        place = entry[0], entry[2]
        if after is None or (place < after if plan.backwards else place > after):
            yield entry


def _stats(examined, returned, began):
    return {
        "total_keys_examined": 0,  # as CouchDB's, but for partitioned or covering indexes
        "total_docs_examined": examined,
        "total_quorum_docs_examined": 0,
        "results_returned": returned,
        "execution_time_ms": round(1000 * (time.perf_counter() - began), 3),
    }


def _whole(query, name, default):
    told = query.get(name, default)
    if type(told) is not int or told < 0:
        raise CouchError(400, "invalid_non_neg_integer", f"{told!r} is not an integer greater than or equal to zero")
    return told


def explain(database, request, operation):
    """Which index a query would use, and between which bounds."""
    query = request.json_object()
    plan = indexes.plan(database, query)
    return Answer({
        "dbname": database.name,
        "index": plan.index.told(),
        "selector": query["selector"],
        "range": [[{operator: argument} for operator, argument in bounds] for bounds in plan.bounds],
        "direction": "rev" if plan.backwards else "fwd",
        "limit": _whole(query, "limit", LIMIT),
        "skip": _whole(query, "skip", 0),
        "fields": query.get("fields") or "all_fields",
    })  # fmt: skip


def list_indexes(database, request, operation):
    found = [index.told() for index in indexes.indexes(database)]
    return Answer({"total_rows": len(found), "indexes": found})


def create_index(database, request, operation):
    return Answer(indexes.create(database, request.json_object()))


def delete_index(database, request, operation):
    """DELETE /db/_index/_design/<ddoc>/json/<name>, the ddoc also without _design."""
    path = [part for part in request.path[2:] if part != "_design"]
    if len(path) != 3 or path[1] != "json":
        raise CouchError(404, "not_found", "Index not found.")
    ddoc = path[0] if path[0].startswith("_design/") else f"_design/{path[0]}"
    indexes.delete(database, ddoc, path[2])
    return Answer({"ok": True})
