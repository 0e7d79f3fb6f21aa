"""Logical sessions: what the server knows of each, and which writes and transactions it has seen in them.

Sources: the manual's pages on server sessions and retryable writes, the driver specifications "Sessions", "Retryable Writes"
and "Transactions".
"""

from dataclasses import dataclass, field

from bson import Binary, Int64

from stores.mongodb.errors import TRANSIENT, MongoError

MINUTES = 30  # a session that nobody uses ends (logicalSessionTimeoutMinutes)


@dataclass
class LogicalSession:
    """A session: `number` is the highest transaction number seen in it.

    Of a retryable write with that number, `statements` maps statement ids to what they did. Of a transaction with that
    number, `transaction` is the engine's. `snapshots` maps cluster times to the data as they were then.
    """

    id: bytes
    last_use: float
    number: int = -1
    transaction: object = None
    statements: dict = field(default_factory=dict)
    snapshots: dict = field(default_factory=dict)

    def forget_old_snapshots(self):
        """Forget snapshots that the engine has given up after a minute."""
        self.snapshots = {time: data for time, data in self.snapshots.items() if data.state == "in progress"}

    @property
    def document(self):
        """The session's id as commands name it."""
        return {"id": Binary(self.id, 4)}


class Sessions:
    """The sessions of a server."""

    def __init__(self, engine, clock):
        self._engine = engine
        self._clock = clock
        self._sessions = {}

    def __len__(self):
        return len(self._sessions)

    def __iter__(self):
        return iter(list(self._sessions.values()))

    def use(self, lsid):
        """Return the session that a command names by {"id": uuid}; it begins with its first command."""
        if not (isinstance(lsid, dict) and isinstance(lsid.get("id"), bytes) and len(lsid["id"]) == 16):
            raise MongoError(
                "TypeMismatch", "BSON field 'OperationSessionInfo.lsid.id' is the wrong type, expected type 'binData' (UUID)"
            )
        id_ = bytes(lsid["id"])
        session = self._sessions.get(id_)
        if session is None:
            session = self._sessions[id_] = LogicalSession(id_, 0.0)
        session.last_use = self._clock.now()
        return session

    def end(self, id_):
        """Forget a session; a transaction that it has open is aborted."""
        session = self._sessions.pop(id_, None)
        if session is not None:
            self._leave(session)

    def sweep(self):
        """End the sessions that nobody has used for half an hour. Return their ids."""
        oldest = self._clock.now() - MINUTES * 60
        over = [session.id for session in self if session.last_use < oldest]
        for id_ in over:
            self.end(id_)
        return over

    def clear(self):
        """End all sessions."""
        for session in self:
            self.end(session.id)

    # Numbers of retryable writes and transactions.

    def retry(self, session, number):
        """Take note of a retryable write with this number; what a newer one has replaced is refused."""
        if number < session.number:
            raise MongoError(
                "TransactionTooOld",
                f"Retryable write with txnNumber {number} is prohibited on session {session.id.hex()} because a newer retryable "
                f"write with txnNumber {session.number} has already started on this session.",
            )
        if number > session.number:
            self._advance(session, number)
        elif session.transaction is not None:
            raise MongoError(
                "IncompleteTransactionHistory", f"Cannot retry a retryable write that has been converted into a transaction ({number})"
            )

    def begin(self, session, number):
        """Begin the transaction with this number in the session, ending an older one."""
        if number < session.number:
            raise MongoError(
                "TransactionTooOld",
                f"Cannot start transaction {number} on session {session.id.hex()} because a newer transaction with txnNumber "
                f"{session.number} has already started on this session.",
            )
        if number == session.number and (session.transaction is not None or session.statements):
            raise MongoError(
                "ConflictingOperationInProgress", f"Only a transaction that has not yet begun can be started: {number} has"
            )
        self._advance(session, number)
        session.transaction = self._engine.begin((session.document, Int64(number)))
        return session.transaction

    def transaction(self, session, number, ending=False):
        """Return the transaction with this number that is in progress (where `ending`, in any state)."""
        if number < session.number:
            raise MongoError(
                "TransactionTooOld",
                f"Cannot continue transaction {number} on session {session.id.hex()} because a newer transaction with txnNumber "
                f"{session.number} has already started on this session.",
            )
        if number != session.number or session.transaction is None:
            raise MongoError(
                "NoSuchTransaction",
                f"Given transaction number {number} does not match any in-progress transactions. The active transaction number is "
                f"{session.number}",
                labels=[TRANSIENT],
            )
        state = session.transaction.state
        if state == "aborted":
            raise MongoError("NoSuchTransaction", f"Transaction with {{ txnNumber: {number} }} has been aborted.", labels=[TRANSIENT])
        if state == "committed" and not ending:
            raise MongoError("TransactionCommitted", f"Transaction with {{ txnNumber: {number} }} has been committed.")
        return session.transaction

    def abort(self, session):
        """Abort the session's transaction where it is in progress."""
        if session.transaction is not None and session.transaction.state == "in progress":
            self._engine.abort(session.transaction)

    def _advance(self, session, number):
        self.abort(session)
        session.number, session.transaction = number, None
        session.statements = {}

    def _leave(self, session):
        self.abort(session)
        for snapshot in session.snapshots.values():
            if snapshot.state == "in progress":
                self._engine.abort(snapshot)
