"""commitTransaction and abortTransaction; a transaction begins with the first command in it (see dispatch.py)."""

from stores.mongodb.commands.registry import command
from stores.mongodb.errors import MongoError

TOKEN = {"recoveryToken": "object"}


@command("commitTransaction", fields=TOKEN, admin=True, api=True)
def commit(call):
    """Make a transaction's writes visible, all together. One that has been committed may be committed again."""
    transaction = _of(call, "commitTransaction")
    if transaction.state == "in progress":
        call.engine.commit(transaction)
        _close_cursors(call)
    return {}


@command("abortTransaction", fields=TOKEN, admin=True, api=True)
def abort(call):
    """Forget a transaction's writes."""
    transaction = _of(call, "abortTransaction")
    if transaction.state == "committed":
        raise MongoError("TransactionCommitted", f"Transaction with {{ txnNumber: {call.number} }} has been committed.")
    call.engine.abort(transaction)
    _close_cursors(call)
    return {}


def _of(call, name):
    if call.transaction is None:
        raise MongoError(
            "NoSuchTransaction" if call.session is not None else "CommandFailed", f"{name} must be run within a transaction"
        )
    return call.transaction


def _close_cursors(call):
    call.node.cursors.kill_where(
        lambda cursor: cursor.number == call.number and cursor.session is not None and cursor.session.id == call.session.id
    )
