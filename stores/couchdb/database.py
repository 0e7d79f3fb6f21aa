"""One database: documents with their revision trees, the order of changes, local documents, attachments."""

import base64
import binascii
import json
import re
import secrets
from dataclasses import dataclass
from hashlib import md5

from stores.couchdb.digest import revision as next_revision
from stores.couchdb.digest import split
from stores.couchdb.errors import CouchError, bad_request, conflict, not_found
from stores.couchdb.revisions import Revision, Tree

NAME = re.compile(r"[a-z][a-z0-9_$()+/-]*")
IGNORED = {"_conflicts", "_deleted_conflicts", "_revs_info", "_local_seq"}  # members that a read may show
SPECIAL = {"_id", "_rev", "_deleted", "_revisions", "_attachments"}
LARGEST_ATTACHMENT = 8 * 2**20


@dataclass
class Attachment:
    """A file of a document; `revpos` is the generation of the revision that brought it."""

    content_type: str
    data: bytes
    revpos: int

    @property
    def md5(self):
        return md5(self.data, usedforsecurity=False).digest()

    def told(self, whole=False):
        """As a member of `_attachments`: with its data, or as a stub."""
        told = {"content_type": self.content_type, "revpos": self.revpos}
        told["digest"] = "md5-" + base64.b64encode(self.md5).decode()
        if whole:
            return {**told, "data": base64.b64encode(self.data).decode()}
        return {**told, "length": len(self.data), "stub": True}


@dataclass
class Edit:
    """A document as a client sends it, taken apart."""

    body: dict
    rev: str | None
    deleted: bool
    attachments: dict | None  # as it came
    history: list  # names of `_revisions`, the latest first


class Database:
    """Documents by id. `changed` is called after each write, to wake whoever waits for it."""

    def __init__(self, name, changed=lambda: None):
        self.name = name
        self.uuid = secrets.token_hex(16)
        self.docs = {}  # id: Tree
        self.local = {}  # id without _local/: (number of its revision, body)
        self.changes = {}  # id: sequence number of its latest change, in their order
        self.seq = 0
        self.cache = {}  # what indexes keep, see indexes.py
        self._live = 0, {}  # what live() told last, and when
        self._changed = changed

    # Writes.

    def write(self, doc_id, doc, rev=None):
        """Make a new revision of a document and return its name. Raises CouchError."""
        check_id(doc_id)
        edit = take_apart(doc)
        if rev is not None and edit.rev is not None and rev != edit.rev:
            raise bad_request("Document rev from request body and query string have different values")
        tree = self.docs.get(doc_id)
        parent = self._parent(tree, rev or edit.rev)
        attachments = self._attachments(edit, tree, parent)
        digests = [(name, each.content_type, each.md5) for name, each in attachments.items()]
        name = next_revision(parent, edit.body, edit.deleted, digests)
        new = Revision(name, edit.body, edit.deleted, attachments)
        self._add(doc_id, new, tree.history(parent) if parent else ())
        return name

    def _parent(self, tree, rev):
        """The revision that an edit follows. Raises CouchError 409 unless it is a leaf, and the right one."""
        if rev is not None:
            _checked(rev)
            if tree is None or not tree.is_leaf(rev):
                raise conflict()
            return rev
        if tree is not None and not tree.winner.deleted:
            raise conflict()
        return None if tree is None else tree.winner.name

    def write_replicated(self, doc_id, doc):
        """Take a revision with its history as another replica made it. It cannot conflict with anything."""
        check_id(doc_id)
        edit = take_apart(doc)
        if edit.rev is None:
            raise bad_request("Document must have a _rev when new_edits is false")
        _checked(edit.rev)
        history = edit.history or [edit.rev]
        if history[0] != edit.rev:
            raise CouchError(400, "doc_validation", "RevId isn't the first of _revisions")
        tree = self.docs.get(doc_id)
        attachments = self._attachments(edit, tree, next((name for name in history[1:] if tree and name in tree.revisions), None))
        self._add(doc_id, Revision(edit.rev, edit.body, edit.deleted, attachments), history[1:])

    def _attachments(self, edit, tree, parent):
        """The attachments of a new revision: data that it brings, and stubs of its parent's."""
        before = tree.revisions[parent].attachments if tree and parent else {}
        generation = split(parent)[0] + 1 if parent else 1
        kept = {}
        for name, told in (edit.attachments or {}).items():
            if not isinstance(told, dict):
                raise bad_request("Invalid attachment: expected an object")
            if told.get("stub"):
                if name not in before:
                    raise CouchError(412, "missing_stub", f"Invalid attachment stub in document for {name}")
                kept[name] = before[name]
            else:
                content_type = told.get("content_type", "application/octet-stream")
                kept[name] = Attachment(str(content_type), _decoded(told.get("data")), told.get("revpos", generation))
        return kept

    def _add(self, doc_id, revision, ancestors):
        tree = self.docs.setdefault(doc_id, Tree())
        if tree.add(revision, ancestors):
            self.seq += 1
            self.changes.pop(doc_id, None)
            self.changes[doc_id] = self.seq
            self._changed()

    def write_local(self, doc_id, doc, deleted=False):
        """Local documents have no tree and are not replicated: their revisions only count, 0-1, 0-2."""
        number, _ = self.local.get(doc_id, (0, None))
        given = doc.get("_rev")
        if (number or given) and given != f"0-{number}":
            raise conflict()
        if deleted:
            self.local.pop(doc_id, None)
            return "0-0"
        body = {name: value for name, value in doc.items() if name not in ("_id", "_rev")}
        self.local[doc_id] = number + 1, body
        return f"0-{number + 1}"

    # Reads.

    def find(self, doc_id, rev=None):
        """Return (tree, revision): the winner, or the one called `rev`. Raises CouchError 404."""
        tree = self.docs.get(doc_id)
        if tree is None:
            raise not_found()
        if rev is not None:
            found = tree.revisions.get(_checked(rev))
            if found is None or found.body is None:
                raise not_found()
            return tree, found
        if tree.winner.deleted:
            raise not_found("deleted")
        return tree, tree.winner

    def live(self):
        """{id: winning Revision} of the documents that are not deleted, in the order of their ids."""
        seq, live = self._live
        if seq != self.seq:
            winners = ((doc_id, self.docs[doc_id].winner) for doc_id in sorted(self.docs))
            live = {doc_id: winner for doc_id, winner in winners if not winner.deleted}
            self._live = self.seq, live
        return live

    def read_local(self, doc_id):
        if doc_id not in self.local:
            raise not_found()
        number, body = self.local[doc_id]
        return {"_id": f"_local/{doc_id}", "_rev": f"0-{number}", **body}

    def changes_since(self, seq):
        """[(sequence number, id), …] of the changes after one, the earliest first."""
        found = []
        for doc_id in reversed(self.changes):
            if self.changes[doc_id] <= seq:
                break
            found.append((self.changes[doc_id], doc_id))
        return found[::-1]

    def told_seq(self, seq):
        """A sequence number as clients get it: they must not read anything into it."""
        return f"{seq}-{self.uuid}"

    def info(self):
        live = self.live()
        kept = [revision for tree in self.docs.values() for revision in tree.revisions.values() if revision.body]
        size = sum(len(json.dumps(revision.body)) for revision in kept)
        return {
            "instance_start_time": "0",
            "db_name": self.name,
            "purge_seq": "0",
            "update_seq": self.told_seq(self.seq),
            "sizes": {"file": size, "external": size, "active": size},
            "props": {},
            "doc_del_count": len(self.docs) - len(live),
            "doc_count": len(live),
            "disk_format_version": 8,
            "compact_running": False,
            "cluster": {"q": 1, "n": 1, "w": 1, "r": 1},
        }

    def compact(self):
        """Forget the bodies of revisions that are not leaves."""
        for tree in self.docs.values():
            tree.compact()


def told(doc_id, tree, revision, conflicts=False, deleted_conflicts=False, revs=False, revs_info=False, attachments=False):
    """A revision as clients get it: a document with the members that a read asks for."""
    doc = {"_id": doc_id, "_rev": revision.name}
    if revision.deleted:
        doc["_deleted"] = True
    doc |= revision.body or {}
    if revision.attachments:
        doc["_attachments"] = {name: each.told(attachments) for name, each in revision.attachments.items()}
    if revs:
        names = [split(name) for name in tree.history(revision.name)]
        doc["_revisions"] = {"start": names[0][0], "ids": [digest for _, digest in names]}
    if revs_info:
        known = [tree.revisions[name] for name in tree.history(revision.name)]
        states = ["missing" if each.body is None else "deleted" if each.deleted else "available" for each in known]
        doc["_revs_info"] = [{"rev": each.name, "status": state} for each, state in zip(known, states, strict=True)]
    if conflicts and (names := tree.conflicts()):
        doc["_conflicts"] = names
    if deleted_conflicts and (names := tree.conflicts(deleted=True)):
        doc["_deleted_conflicts"] = names
    return doc


def take_apart(doc):
    """Return the Edit in a document. Raises CouchError."""
    if not isinstance(doc, dict):
        raise bad_request("Document must be a JSON object")
    for name in doc:
        if name.startswith("_") and name not in SPECIAL | IGNORED:
            raise CouchError(400, "doc_validation", f"Bad special document member: {name}")
    attachments = doc.get("_attachments")
    if attachments is not None and not isinstance(attachments, dict):
        raise bad_request("Attachments must be a JSON object")
    body = {name: value for name, value in doc.items() if not name.startswith("_")}
    rev = doc.get("_rev")
    if rev is not None and not isinstance(rev, str):
        raise bad_request("Invalid rev format")
    return Edit(body, rev, doc.get("_deleted") is True, attachments, _history(doc.get("_revisions")))


def _history(told):
    if told is None:
        return []
    try:
        start, digests = told["start"], told["ids"]
        names = [f"{start - place}-{digest}" for place, digest in enumerate(digests)]
        return [_checked(name) for name in names if not name.startswith("0-")]
    except (TypeError, KeyError):
        raise CouchError(400, "doc_validation", "_revisions needs `start`, a number, and `ids`, a list") from None


def _checked(rev):
    try:
        split(rev)
    except ValueError:
        raise bad_request("Invalid rev format") from None
    return rev


def _decoded(data):
    try:
        decoded = base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise bad_request("Invalid attachment data: expected base64") from None
    if len(decoded) > LARGEST_ATTACHMENT:
        raise CouchError(413, "attachment_too_large", f"an attachment has at most {LARGEST_ATTACHMENT} bytes here")
    return decoded


def check_id(doc_id):
    """Raise CouchError unless a document may be called so."""
    if not isinstance(doc_id, str):
        raise CouchError(400, "illegal_docid", "Document id must be a string")
    if not doc_id:
        raise CouchError(400, "illegal_docid", "Document id must not be empty")
    if doc_id.startswith("_") and not (doc_id.startswith("_design/") and len(doc_id) > 8):
        raise CouchError(400, "illegal_docid", "Only reserved document ids may start with underscore.")


def check_name(name):
    """Raise CouchError unless a database may be called so."""
    if not NAME.fullmatch(name) or len(name) > 238:
        words = "Only lowercase characters (a-z), digits (0-9), and any of the characters _, $, (, ), +, -, and / are allowed."
        raise CouchError(400, "illegal_database_name", f"Name: '{name}'. {words} Must begin with a letter.")
