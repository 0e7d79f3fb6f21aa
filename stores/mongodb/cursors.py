"""Cursors: results that clients fetch batch by batch."""

import random

import bson
from bson import Int64
from bson.raw_bson import RawBSONDocument

from stores.mongodb.errors import MongoError, document_too_large
from stores.mongodb.protocol.messages import MAX_INTERNAL

TIMEOUT = 600  # seconds of the engine's clock that an unused cursor lives
FIRST_BATCH = 101  # documents, where the client does not say
MAX_BATCH = 16 * 2**20  # bytes


class Cursor:
    """The rest of a result. `source` is an iterator of documents.

    `operation` is what the engine was given: its stats go on counting. `session` and `number` are those of the command
    that made it (the number only in a transaction), `group` the client's (see node.py).
    """

    tailable = False
    resumable = False  # whether drivers open it anew after an error
    await_data = False

    def __init__(self, namespace, source, operation, limit=None):
        self.id = 0
        self.namespace = namespace
        self.operation = operation
        self.session = self.number = self.group = None
        self.no_timeout = False
        self.last_use = 0.0
        self.command = {}
        self.noted = (0, 0)  # documents and keys examined that the records know of
        self.exhausted = False
        self._source = iter(source)
        self._left = limit
        self._held = None  # a document that did not fit into the last batch

    @property
    def resume_token(self):
        """What a change stream adds to each batch."""
        return None

    def batch(self, size=None):
        """Return the next documents: at most `size`, at most 16 MB. It learns that there are no more when it asks for one more."""
        documents, total = [], 0
        while (size is None or len(documents) < size) and not self.exhausted:
            document = self._next()
            if document is None:
                break
            total += len(document.raw)
            if documents and total > MAX_BATCH:
                self._held = document
                break
            documents.append(document)
        if self._left == 0 and self._held is None:
            self.exhausted = True
        return documents

    def _next(self):
        if self._held is not None:
            document, self._held = self._held, None
            return document
        if self._left == 0:
            self.exhausted = True
            return None
        document = next(self._source, None)
        if document is None:
            self.ended()
            return None
        if self._left is not None:
            self._left -= 1
        raw = bson.encode(document)
        if len(raw) > MAX_INTERNAL:
            raise document_too_large(len(raw))
        return RawBSONDocument(raw)

    def ended(self):
        """The source has nothing now: here, for good."""
        self.exhausted = True

    def close(self):
        """Give up what the cursor holds."""
        self.exhausted = True
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


class Cursors:
    """The open cursors of a server."""

    def __init__(self, clock):
        self._clock = clock
        self._cursors = {}
        self.opened = self.timed_out = 0

    def __len__(self):
        return len(self._cursors)

    def __iter__(self):
        return iter(list(self._cursors.values()))

    def __contains__(self, id_):
        return id_ in self._cursors

    def add(self, cursor):
        """Give the cursor an id and keep it."""
        while not cursor.id or cursor.id in self._cursors:
            cursor.id = random.getrandbits(62) + 1
        cursor.last_use = self._clock.now()
        self._cursors[cursor.id] = cursor
        self.opened += 1

    def get(self, id_):
        """Return the cursor with this id. Raises CursorNotFound."""
        cursor = self._cursors.get(id_)
        if cursor is None:
            raise MongoError("CursorNotFound", f"cursor id {id_} not found")
        cursor.last_use = self._clock.now()
        return cursor

    def kill(self, id_, namespace=None):
        """Close a cursor. Return whether there was one (of this namespace)."""
        cursor = self._cursors.get(id_)
        if cursor is None or namespace not in (None, cursor.namespace):
            return False
        del self._cursors[id_]
        cursor.close()
        return True

    def kill_where(self, condition):
        """Close the cursors for which condition(cursor) holds."""
        for cursor in self:
            if condition(cursor):
                self.kill(cursor.id)

    def sweep(self):
        """Close the cursors that nobody has used for ten minutes; those of sessions live as long as these."""
        oldest = self._clock.now() - TIMEOUT
        for cursor in self:
            if cursor.last_use < oldest and not cursor.no_timeout:
                self.kill(cursor.id)
                self.timed_out += 1

    def clear(self):
        """Close all cursors."""
        self.kill_where(lambda cursor: True)


def reply(cursor, documents, first):
    """Return the part `cursor` of a reply with these documents as its first or next batch."""
    answer = {
        "firstBatch" if first else "nextBatch": documents,
        "id": Int64(0 if cursor.exhausted else cursor.id),
        "ns": cursor.namespace,
    }
    if cursor.resume_token is not None:
        answer["postBatchResumeToken"] = cursor.resume_token
    return answer
