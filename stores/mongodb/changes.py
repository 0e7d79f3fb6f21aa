"""Change streams: the oplog's changes as events that a client can wait for and resume after.

Source: the manual's pages on change streams and change events. An event's `_id` is its resume token: {"_data": hex}, which
sorts as the events do. Documents as they were before and after a change are told for collections with changeStreamPreAndPostImages.
"""

import struct
from datetime import datetime, timedelta

from bson import Binary, Timestamp

from stores.mongodb import stages
from stores.mongodb.commands.registry import check_fields
from stores.mongodb.context import EngineContext
from stores.mongodb.cursors import Cursor
from stores.mongodb.errors import NON_RESUMABLE, MongoError, bad_value
from stores.mongodb.updates import ambiguous, description

OPTIONS = {
    **dict.fromkeys(("fullDocument", "fullDocumentBeforeChange"), "string"),
    **dict.fromkeys(("resumeAfter", "startAfter"), "object"),
    **dict.fromkeys(("allChangesForCluster", "showExpandedEvents", "showSystemEvents", "showMigrationEvents"), "bool"),
    "startAtOperationTime": "timestamp",
}
IMAGES = "changeStreamPreAndPostImages"
CHOICES = {
    "fullDocument": ("default", "updateLookup", "whenAvailable", "required"),
    "fullDocumentBeforeChange": ("off", "whenAvailable", "required"),
}
STARTS = ("resumeAfter", "startAfter", "startAtOperationTime")
ALLOWED = {
    *("$addFields", "$match", "$project", "$replaceRoot", "$replaceWith", "$redact", "$set", "$unset"),
    "$changeStreamSplitLargeEvent",
}
DOCUMENTS = {"insert", "update", "replace", "delete"}
ALWAYS = DOCUMENTS | {"drop", "rename", "dropDatabase"}  # other changes only with showExpandedEvents
INTERNAL = ("admin", "config", "local")
TOKEN = struct.Struct(">IIIB")  # seconds and number of the cluster time, order within it, kind
EVENT, INVALIDATE = 1, 2
AFTER_ALL = 2**32 - 1  # order of a token that stands after all changes of its time


class ChangeStream(Cursor):
    """A cursor of events. It stays open until the watched collection or database is gone."""

    tailable = await_data = resumable = True

    def __init__(self, call, namespace, pipeline):
        self._engine, self._oplog, self._database = call.engine, call.node.oplog, call.database
        self._collection = None if namespace.endswith(".$cmd.aggregate") else namespace.partition(".")[2]
        self._options = _checked(call, pipeline, self._collection)
        self._cluster = bool(self._options.get("allChangesForCluster"))
        self._pipeline = pipeline[1:]
        self._position, self._after = _start(self._oplog, self._options)
        self._token = None
        self._invalidated = False
        watched = call.engine.collection(call.database, self._collection or "$cmd.aggregate")
        self._context = EngineContext(call.engine, watched, call.operation)
        super().__init__(namespace, self._events(), call.operation)

    @property
    def resume_token(self):
        """The token after which a client resumes: of the last event of the batch, or of all that has been looked at."""
        return self._token or token(*self._after)

    def ended(self):
        """There is nothing now; there may be later."""
        self.exhausted = self._invalidated

    def _events(self):
        """Yield events; None where there is no further one yet."""
        while not self._invalidated:
            while self._position < self._oplog.end:  # looked up anew each time: a client may pause at any event
                if self._position < self._oplog.first:
                    raise _history_lost()
                change = self._oplog[self._position]
                self._position += 1
                if (change.time, change.order) <= self._after[:2]:
                    continue
                self._after = (change.time, change.order, EVENT)
                self._token = token(*self._after)
                if self._watched(change):
                    yield from self._shown(self._event(change))
                if self._ends(change):
                    yield from self._invalidate(change)
                    return
            self._after = max(self._after, (self._oplog.last, AFTER_ALL, EVENT))
            self._token = token(*self._after)
            yield None

    def _watched(self, change):
        if change.operation not in ALWAYS and not self._options.get("showExpandedEvents"):
            return False
        if self._cluster:
            return change.database not in INTERNAL
        if change.database != self._database and change.to is None:
            return False
        if self._collection is None:
            return change.database == self._database and not change.collection.startswith("system.")
        names = [(change.database, change.collection), change.to]
        return (self._database, self._collection) in names

    def _ends(self, change):
        """Whether the change takes away what is watched."""
        if self._cluster:
            return False
        if self._collection is None:
            return change.operation == "dropDatabase" and change.database == self._database
        return change.operation in ("drop", "rename") and self._watched(change)

    def _invalidate(self, change):
        self._invalidated = True
        self._after = (change.time, change.order, INVALIDATE)
        self._token = token(*self._after)
        yield from self._shown({"_id": self._token, "operationType": "invalidate", **_times(change)})

    def _shown(self, event):
        """Yield the event as the rest of the pipeline makes it."""
        if not self._pipeline:
            yield event
            return
        for shown in stages.run(iter([event]), self._pipeline, self._context):
            if shown.get("_id") != event["_id"]:
                raise MongoError(
                    "ChangeStreamFatalError",
                    "Encountered an event whose _id field, which contains the resume token, was modified by the pipeline. Modifying "
                    "the _id field of an event makes it impossible to resume the stream from that point. Only transformations that "
                    f"retain the unmodified _id field are allowed. Expected: {event['_id']} but found: {shown.get('_id')}",
                    labels=[NON_RESUMABLE],
                )
            yield shown

    def _event(self, change):
        event = {"_id": self._token, "operationType": change.operation, **_times(change)}
        if change.session is not None:
            lsid, number = change.session
            event |= {"lsid": lsid, "txnNumber": number}
        if self._options.get("showExpandedEvents") and change.uuid is not None:
            event["collectionUUID"] = Binary.from_uuid(change.uuid)
        if change.operation in ("insert", "replace"):
            event["fullDocument"] = change.after
        elif change.operation == "update":
            event |= self._after_update(change)
        event["ns"] = {"db": change.database, "coll": change.collection} if change.collection else {"db": change.database}
        if change.to is not None:
            event["to"] = {"db": change.to[0], "coll": change.to[1]}
        if change.key is not None:
            event["documentKey"] = change.key
        if change.operation == "update":
            event["updateDescription"] = self._description(change)
        if self._options.get("showExpandedEvents") and (told := _told(change)):
            event["operationDescription"] = told
        if self._options.get("fullDocumentBeforeChange", "off") != "off" and change.operation in DOCUMENTS - {"insert"}:
            event["fullDocumentBeforeChange"] = self._image(change, change.before, "fullDocumentBeforeChange")
        return event

    def _description(self, change):
        told = description(change.before, change.after, change.update)
        if self._options.get("showExpandedEvents"):
            told["disambiguatedPaths"] = ambiguous(change.before, change.after, [*told["updatedFields"], *told["removedFields"]])
        return told

    def _after_update(self, change):
        match self._options.get("fullDocument", "default"):
            case "updateLookup":
                return {"fullDocument": self._look_up(change)}
            case "whenAvailable" | "required":
                return {"fullDocument": self._image(change, change.after, "fullDocument")}
        return {}

    def _image(self, change, document, option):
        """Return the document as it was, where its collection keeps such images."""
        for each in self._engine.list_collections(change.database):
            if each["name"] == change.collection and each["options"].get(IMAGES, {}).get("enabled"):
                return document
        if self._options[option] == "required":
            kind = "pre-image" if option == "fullDocumentBeforeChange" else "post-image"
            raise MongoError(
                "NoMatchingDocument",
                f"Change stream was configured to require a {kind} for all update, delete and replace events, but the {kind} was "
                f"not found for event: {self._token}. The collection must be created with {IMAGES}: {{enabled: true}}",
                labels=[NON_RESUMABLE],
            )
        return None

    def _look_up(self, change):
        """Return the document as it is now, or None when it is gone: not as the change left it."""
        found = self._engine.collection(change.database, change.collection).find(change.key, None, None, 0, 1, self.operation)
        return next(iter(found), None)


def _checked(call, pipeline, collection):
    options = pipeline[0]["$changeStream"]
    if not isinstance(options, dict):
        raise MongoError("TypeMismatch", "$changeStream must take a nested object")
    check_fields("$changeStream", options, OPTIONS)
    stages.check(pipeline[1:], names=tuple(call.get("let", {})))
    for stage in pipeline[1:]:
        if (name := next(iter(stage))) not in ALLOWED:
            raise MongoError("IllegalOperation", f"{name} is not permitted in a $changeStream pipeline")
    if (level := call.get("readConcern", {}).get("level", "majority")) != "majority":
        raise MongoError(
            "InvalidOptions", f"$changeStream cannot run with a readConcern other than 'majority'. Current readConcern: {level}"
        )
    if sum(name in options for name in STARTS) > 1:
        raise MongoError(50865, "Only one type of resume option is allowed, but multiple were found.")
    if options.get("allChangesForCluster"):
        if call.database != "admin" or collection is not None:
            raise MongoError(
                "InvalidOptions",
                "A $changeStream with 'allChangesForCluster:true' may only be opened on the 'admin' database, and with no collection "
                "name",
            )
    elif call.database in INTERNAL:
        raise MongoError("InvalidNamespace", f"$changeStream may not be opened on the internal {call.database} database")
    for name, known in CHOICES.items():
        if options.get(name, known[0]) not in known:
            raise bad_value(f"Enumeration value '{options[name]}' for field '$changeStream.{name}' is not a valid value.")
    return options


def _start(oplog, options):
    """Return the position in the oplog to begin at, and what (time, order, kind) to begin after."""
    if "startAtOperationTime" in options:
        time = options["startAtOperationTime"]
        after = (Timestamp(time.time, time.inc - 1) if time.inc else Timestamp(max(time.time - 1, 0), AFTER_ALL), AFTER_ALL, EVENT)
    elif (given := options.get("resumeAfter") or options.get("startAfter")) is not None:
        after = parse_token(given)
        if after[2] == INVALIDATE and "resumeAfter" in options:
            raise MongoError(
                "InvalidResumeToken",
                "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.",
            )
    else:
        return oplog.end, (oplog.last, AFTER_ALL, EVENT)
    if oplog.forgotten is not None and (after[0], after[1]) < (oplog.forgotten, 0):
        raise _history_lost()
    return oplog.first, after


def _history_lost():
    return MongoError(
        "ChangeStreamHistoryLost",
        "Resume of change stream was not possible, as the resume point may no longer be in the oplog.",
        labels=[NON_RESUMABLE],
    )


def token(time, order, kind):
    """Return the resume token of a change."""
    return {"_data": TOKEN.pack(time.time, time.inc, order, kind).hex().upper()}


def parse_token(document):
    """Return (time, order, kind) of a resume token. Raises InvalidResumeToken."""
    try:
        seconds, number, order, kind = TOKEN.unpack(bytes.fromhex(document["_data"]))
    except (KeyError, TypeError, ValueError, struct.error):
        raise MongoError(
            "InvalidResumeToken", f"Invalid resume token: {document}: expected the _id of an event of this server"
        ) from None
    return Timestamp(seconds, number), order, kind


def _told(change):
    """Return what a change of a collection or database was in detail."""
    if change.to is not None:
        return {"to": {"db": change.to[0], "coll": change.to[1]}, **(change.description or {})}
    return change.description


def _times(change):
    return {"clusterTime": change.time, "wallTime": datetime(1970, 1, 1) + timedelta(seconds=change.seconds)}
