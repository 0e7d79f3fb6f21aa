"""Documents over HTTP: one, a part of one, many at once."""

import secrets

from stores.couchdb.database import Attachment, check_id, take_apart, told
from stores.couchdb.digest import split
from stores.couchdb.errors import CouchError, bad_request, conflict, not_allowed, not_found, not_here
from stores.couchdb.http import Answer

JAVASCRIPT = "the embedded CouchDB runs no JavaScript"


def answer(database, request, operation):
    """Everything under /db/ that is not a method of the database."""
    doc_id, rest = _split(request.path[1:])
    if doc_id.startswith("_local/"):
        return _local(database, request, doc_id.removeprefix("_local/"))
    if doc_id.startswith("_") and not doc_id.startswith("_design/"):
        if request.method in ("GET", "HEAD"):
            raise not_found()
        check_id(doc_id)
    if doc_id.startswith("_design/") and rest and rest[0].startswith("_"):
        return _of_design(database, doc_id, rest)
    if rest:
        return _attachment(database, request, doc_id, "/".join(rest))
    methods = {"GET": _get, "HEAD": _get, "PUT": _put, "DELETE": _delete}
    if request.method not in methods:
        raise not_allowed("DELETE", "GET", "HEAD", "POST", "PUT", "COPY")
    return methods[request.method](database, request, doc_id, operation)


def _split(path):
    """["_design", "a", "b"] → ("_design/a", ["b"]); the id may also come with its slash encoded."""
    if path[0] in ("_design", "_local") and len(path) > 1:
        return f"{path[0]}/{path[1]}", path[2:]
    return path[0], path[1:]


def _of_design(database, doc_id, rest):
    _, design = database.find(doc_id)
    if rest[0] == "_info":
        return Answer({"name": doc_id.removeprefix("_design/"), "view_index": {"language": design.body.get("language", "javascript")}})
    if rest[0] == "_view" and rest[1:] and rest[1] not in (design.body.get("views") or {}):
        raise not_found("missing_named_view")
    raise not_here(f"{JAVASCRIPT}, so {rest[0]} cannot be asked; _find with an index answers such questions")


# -- one document -----------------------------------------------------------------------------


def _get(database, request, doc_id, operation):
    if "open_revs" in request.query:
        return _open_revs(database, request, doc_id)
    tree, revision = database.find(doc_id, request.query.get("rev"))
    if request.flag("latest") and not tree.is_leaf(revision.name):
        revision = next(leaf for leaf in tree.leaves() if revision.name in tree.history(leaf.name))
    etag = f'"{revision.name}"'
    if request.headers.get("if-none-match") == etag:
        return Answer(b"", 304, {"ETag": etag})
    operation.returned += 1
    return Answer(told(doc_id, tree, revision, **_options(request)), headers={"ETag": etag})


def _options(request):
    meta = request.flag("meta")
    names = ("conflicts", "deleted_conflicts", "revs", "revs_info", "attachments")
    return {name: request.flag(name) or (meta and name in ("conflicts", "deleted_conflicts", "revs_info")) for name in names}


def _open_revs(database, request, doc_id):
    tree = database.docs.get(doc_id)
    wanted = "all" if request.query["open_revs"] == "all" else request.parameter("open_revs")
    if wanted == "all":
        if tree is None:
            raise not_found()
        names = [leaf.name for leaf in tree.leaves()]
    elif isinstance(wanted, list):
        names = list(map(str, wanted))
    else:
        raise bad_request("open_revs is `all` or a list of revisions")
    found = []
    for name in names:
        revision = tree.revisions.get(name) if tree else None
        if revision is None or revision.body is None:
            found.append({"missing": name})
        else:
            found.append({"ok": told(doc_id, tree, revision, **_options(request))})
    return Answer(found)


def _put(database, request, doc_id, operation):
    doc = request.json()
    _refuse_validation(doc_id, doc)
    if request.flag("new_edits", default=True):
        name = database.write(doc_id, doc, _rev(request))
    else:
        database.write_replicated(doc_id, doc)
        name = doc["_rev"]
    return _written(doc_id, name, request)


def post(database, request):
    doc = request.json()
    doc_id = doc.get("_id", secrets.token_hex(16)) if isinstance(doc, dict) else secrets.token_hex(16)
    _refuse_validation(doc_id, doc)
    return _written(doc_id, database.write(doc_id, doc, _rev(request)), request)


def _delete(database, request, doc_id, operation):
    rev = _rev(request)
    database.find(doc_id)
    if rev is None:
        raise conflict()
    name = database.write(doc_id, {"_deleted": True}, rev)
    return Answer({"ok": True, "id": doc_id, "rev": name}, headers={"ETag": f'"{name}"'})


def _rev(request):
    """The revision that a write names, in the query or as an ETag."""
    return request.query.get("rev") or (request.headers.get("if-match") or "").strip('"') or None


def _written(doc_id, name, request):
    status, body = (202, {"ok": True, "id": doc_id}) if request.query.get("batch") == "ok" else (201, {})
    return Answer(body or {"ok": True, "id": doc_id, "rev": name}, status, {"ETag": f'"{name}"'})


def _refuse_validation(doc_id, doc):
    """A function that checks writes and is not run would be a promise broken."""
    if isinstance(doc_id, str) and doc_id.startswith("_design/") and isinstance(doc, dict) and "validate_doc_update" in doc:
        raise not_here(f"{JAVASCRIPT}, so it cannot keep what validate_doc_update demands")


def _local(database, request, doc_id):
    if request.method in ("GET", "HEAD"):
        return Answer(database.read_local(doc_id))
    if request.method == "PUT":
        doc = request.json_object()
        rev = _rev(request)
        name = database.write_local(doc_id, {**doc, "_rev": rev} if rev else doc)
        return Answer({"ok": True, "id": f"_local/{doc_id}", "rev": name}, 201)
    if request.method == "DELETE":
        database.read_local(doc_id)
        name = database.write_local(doc_id, {"_rev": _rev(request)}, deleted=True)
        return Answer({"ok": True, "id": f"_local/{doc_id}", "rev": name})
    raise not_allowed("DELETE", "GET", "HEAD", "PUT")


def _attachment(database, request, doc_id, name):
    if request.method in ("GET", "HEAD"):
        _, revision = database.find(doc_id, request.query.get("rev"))
        if name not in revision.attachments:
            raise not_found("Document is missing attachment")
        found = revision.attachments[name]
        etag = f'"{found.told()["digest"].removeprefix("md5-")}"'
        if request.headers.get("if-none-match") == etag:
            return Answer(b"", 304, {"ETag": etag})
        return Answer(found.data, headers={"Content-Type": found.content_type, "ETag": etag})
    if request.method not in ("PUT", "DELETE"):
        raise not_allowed("DELETE", "GET", "HEAD", "PUT")
    return _change_attachment(database, request, doc_id, name)


def _change_attachment(database, request, doc_id, name):
    rev = _rev(request)
    tree = database.docs.get(doc_id)
    if rev is not None and tree is not None and not tree.is_leaf(rev):
        raise conflict()
    if request.method == "DELETE" or (tree is not None and not tree.winner.deleted):
        if rev is None:
            raise conflict()
        _, revision = database.find(doc_id, rev)
        doc, kept = dict(revision.body), {each: {"stub": True} for each in revision.attachments if each != name}
        if request.method == "DELETE" and name not in revision.attachments:
            raise not_found("Document is missing attachment")
    else:
        doc, kept = {}, {}
    if request.method == "PUT":
        content_type = request.headers.get("content-type", "application/octet-stream")
        generation = split(rev)[0] + 1 if rev else 1
        kept[name] = Attachment(content_type, request.body, generation).told(whole=True)
    new = database.write(doc_id, {**doc, "_attachments": kept}, rev)
    return Answer({"ok": True, "id": doc_id, "rev": new}, 201 if request.method == "PUT" else 200, {"ETag": f'"{new}"'})


# -- many documents ---------------------------------------------------------------------------


def bulk_docs(database, request, operation):
    """Each document on its own: some may fail and others not."""
    told_ = request.json_object()
    docs = told_.get("docs")
    if docs is None:
        raise bad_request("POST body must include `docs` parameter.")
    if not isinstance(docs, list):
        raise bad_request("`docs` parameter must be an array.")
    if any(not isinstance(doc, dict) for doc in docs):
        raise bad_request("Document must be a JSON object")
    replicated = told_.get("new_edits", True) is False
    docs = [(doc.get("_id", secrets.token_hex(16)), doc) for doc in docs]
    for doc_id, doc in docs:  # one that is no document refuses all, before any is written
        check_id(doc_id)
        take_apart(doc)
        _refuse_validation(doc_id, doc)
    answers = []
    for doc_id, doc in docs:
        try:
            if replicated:
                database.write_replicated(doc_id, doc)
            else:
                answers.append({"ok": True, "id": doc_id, "rev": database.write(doc_id, doc)})
        except CouchError as error:
            if error.status != 409:
                raise
            answers.append({"id": doc_id, "error": error.error, "reason": error.reason})
    return Answer(answers, 201)


def bulk_get(database, request, operation):
    docs = request.json_object().get("docs")
    if not isinstance(docs, list):
        raise bad_request("Missing JSON list of 'docs'.")
    results = []
    for wanted in docs:
        doc_id, rev = wanted.get("id"), wanted.get("rev")
        try:
            tree, revision = database.find(doc_id, rev)
            found = {"ok": told(doc_id, tree, revision, **_options(request))}
            operation.returned += 1
        except CouchError as error:
            found = {"error": {"id": doc_id, "rev": rev or "undefined", "error": error.error, "reason": error.reason}}
        results.append({"id": doc_id, "docs": [found]})
    return Answer({"results": results})
