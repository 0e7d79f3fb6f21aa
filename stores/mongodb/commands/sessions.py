"""startSession, endSessions, refreshSessions, killSessions."""

import uuid

from bson import Binary

from stores.mongodb.commands.registry import command
from stores.mongodb.sessions import MINUTES


@command("startSession", api=False)
def start_session(call):
    """Return the id of a new session; drivers make theirs themselves."""
    id_ = {"id": Binary(uuid.uuid4().bytes, 4)}
    call.node.sessions.use(id_)
    return {"id": id_, "timeoutMinutes": MINUTES}


@command("refreshSessions", api=True)
def refresh_sessions(call):
    """Keep sessions alive for another half hour."""
    for lsid in call.body["refreshSessions"]:
        call.node.sessions.use(lsid)
    return {}


@command("endSessions", api=True)
def end_sessions(call):
    """End sessions, with what they have open."""
    _end(call, call.body["endSessions"])
    return {}


@command("killSessions", api=True)
def kill_sessions(call):
    """End sessions, those of other clients too; without names, all."""
    _end(call, call.body["killSessions"] or [session.document for session in call.node.sessions])
    return {}


@command("killAllSessions", api=False)
def kill_all_sessions(call):
    """End all sessions: there are no users to choose from."""
    _end(call, [session.document for session in call.node.sessions])
    return {}


def _end(call, ids):
    for lsid in ids:
        id_ = bytes(lsid["id"])
        call.node.cursors.kill_where(lambda cursor, id_=id_: cursor.session is not None and cursor.session.id == id_)
        call.node.sessions.end(id_)
