"""Writes consist of statements: each is executed once, however often the client sends it."""

from stores.mongodb.commands import failpoints
from stores.mongodb.commands.call import whole
from stores.mongodb.errors import MongoError, bad_value
from stores.mongodb.protocol.messages import MAX_BATCH

NEVER_ALONE = {"WriteConflict", "NoSuchTransaction", "TransactionCommitted", "MaxTimeMSExpired", "Interrupted"}


class Statements:
    """The statements of a command. `errors` are the write errors so far, `retried` the ids of those that were done before."""

    def __init__(self, call):
        self.errors = []
        self.retried = []
        self._call = call
        self._done = call.session.statements if call.number is not None and call.transaction is None else None
        self._ordered = call.flag("ordered", True) or call.transaction is not None

    async def run(self, statements, step):
        """Yield (index, outcome of step(statement)) of each that succeeds. Ordered ones end at the first that does not."""
        if not 0 < len(statements) <= MAX_BATCH:
            raise MongoError(
                "InvalidLength", f"Write batch sizes must be between 1 and {MAX_BATCH}. Got {len(statements)} operations."
            )
        ids = self._ids(len(statements))
        for index, statement in enumerate(statements):
            if self._done is not None and ids[index] in self._done:
                self.retried.append(ids[index])
                yield index, self._done[ids[index]]
                continue
            try:
                if self._done is not None:
                    failpoints.at_statement(self._call)
                outcome = await self._call.write(lambda: step(statement))  # noqa: B023  (called at once)
            except MongoError as error:
                if error.name in NEVER_ALONE and (self._call.transaction is not None or error.name != "WriteConflict"):
                    raise
                self.errors.append(error.write_error(index))
                if self._ordered:
                    return
                continue
            if self._done is not None:
                self._done[ids[index]] = outcome
            yield index, outcome

    def reply(self, answer):
        """Return the answer with what went wrong and what had been done before."""
        if self.errors:
            answer["writeErrors"] = self.errors
        if self.retried:
            answer["retriedStmtIds"] = self.retried
        return answer

    def _ids(self, count):
        if (ids := self._call.get("stmtIds")) is not None:
            if len(ids) != count:
                raise bad_value(
                    "Number of statement ids must match the number of batch entries. "
                    f"Got {len(ids)} statement ids but {count} operations"
                )
            return ids
        first = whole(self._call.get("stmtId", 0), "stmtId")
        return range(first, first + count)


def refuse_many(call, many, option):
    """Raise InvalidOptions where a retryable write may change several documents."""
    if many and call.number is not None and call.transaction is None:
        raise MongoError("InvalidOptions", f"Cannot use (or request) retryable writes with {option}")
