"""Replication between two databases of this server: what CouchDB's replicator does, step by step.

It reads the source's changes since the last time, asks the target which of their revisions it lacks, and writes those
with their history (new_edits=false). Afterwards the target has every leaf of the source, and both pick the same winner.
"""

import secrets
from email.utils import formatdate
from hashlib import md5
from urllib.parse import unquote, urlsplit

from stores.couchdb.database import told
from stores.couchdb.digest import split
from stores.couchdb.errors import CouchError, bad_request
from stores.couchdb.http import Answer
from stores.couchdb.mango import matches, normal


def revs_diff(database, request, operation):
    """Which of the revisions that a client names are not here, and which that are might be their ancestors."""
    answer = {}
    for doc_id, names in request.json_object().items():
        missing = _missing(database, doc_id, names)
        if missing:
            answer[doc_id] = {"missing": missing}
            tree = database.docs.get(doc_id)
            latest = max(split(name)[0] for name in missing)
            ancestors = [leaf.name for leaf in tree.leaves() if split(leaf.name)[0] < latest] if tree else []
            if ancestors:
                answer[doc_id]["possible_ancestors"] = ancestors
    return Answer(answer)


def missing_revs(database, request, operation):
    asked = request.json_object().items()
    return Answer({"missing_revs": {doc_id: missing for doc_id, names in asked if (missing := _missing(database, doc_id, names))}})


def _missing(database, doc_id, names):
    tree = database.docs.get(doc_id)
    if not isinstance(names, list):
        raise bad_request("expected a list of revisions for each document")
    return [name for name in names if tree is None or name not in tree.revisions]


def replicate(engine, request, operation):
    """POST /_replicate: {"source": url, "target": url, "create_target": true, "doc_ids": […], "selector": {…}}."""
    job = request.json_object()
    if job.get("continuous") or job.get("cancel"):
        raise CouchError(501, "not_implemented", "the embedded CouchDB replicates once: leave out continuous, and repeat the request")
    source_name, target_name = (_name(engine, job, end) for end in ("source", "target"))
    if source_name not in engine.databases:
        raise CouchError(404, "db_not_found", f"could not open {_url(job['source'])}")
    if target_name not in engine.databases:
        if not job.get("create_target"):
            raise CouchError(404, "db_not_found", f"could not open {_url(job['target'])}")
        engine.create(target_name)
    return Answer(copy(engine.databases[source_name], engine.databases[target_name], job, operation))


def _url(end):
    return end.get("url") if isinstance(end, dict) else end


def _name(engine, job, end):
    """The database that an end of the replication names by its URL."""
    url = _url(job.get(end))
    if not isinstance(url, str):
        raise bad_request(f"Missing or invalid `{end}`: expected the URL of a database")
    if "://" not in url:  # CouchDB took bare names until version 3
        words = f"write `{end}` as a URL, {engine.address}/{url}"
        raise CouchError(400, "local_endpoints_not_supported", words)
    parts, here = urlsplit(url), urlsplit(engine.address)
    if parts.hostname not in ("127.0.0.1", "localhost") or parts.port != here.port:
        raise CouchError(403, "forbidden", f"the embedded CouchDB replicates its own databases only, those at {engine.address}")
    return unquote(parts.path.strip("/"))


def copy(source, target, job, operation=None):
    wanted = _filter(job)
    checkpoint = md5(
        repr((source.uuid, target.uuid, job.get("doc_ids"), job.get("selector"))).encode(), usedforsecurity=False
    ).hexdigest()
    since = target.local.get(checkpoint, (0, {"seq": 0}))[1]["seq"]
    began, checked, found, written = formatdate(usegmt=True), 0, 0, 0
    for _, doc_id in source.changes_since(since):
        tree = source.docs[doc_id]
        if not wanted(doc_id, tree.winner.body or {}):
            continue
        for leaf in reversed(tree.leaves()):
            checked += 1
            if _missing(target, doc_id, [leaf.name]):
                found += 1
                target.write_replicated(doc_id, told(doc_id, tree, leaf, revs=True, attachments=True))
                written += 1
    if operation is not None:
        operation.returned += written
    session = secrets.token_hex(16)
    answer = {"ok": True, "session_id": session, "source_last_seq": source.told_seq(source.seq), "replication_id_version": 4}
    if since == source.seq:
        return {**answer, "no_changes": True}
    target.local[checkpoint] = target.local.get(checkpoint, (0, None))[0] + 1, {"seq": source.seq}
    history = {
        "session_id": session,
        "start_time": began,
        "end_time": formatdate(usegmt=True),
        "start_last_seq": source.told_seq(since),
        "end_last_seq": source.told_seq(source.seq),
        "recorded_seq": source.told_seq(source.seq),
        "missing_checked": checked,
        "missing_found": found,
        "docs_read": written,
        "docs_written": written,
        "doc_write_failures": 0,
    }
    return {**answer, "history": [history]}


def _filter(job):
    ids, selector = job.get("doc_ids"), job.get("selector")
    if ids is not None:
        return lambda doc_id, doc: doc_id in ids
    if selector is not None:
        conditions = normal(selector)
        return lambda doc_id, doc: matches(conditions, {"_id": doc_id, **doc})
    return lambda doc_id, doc: True
