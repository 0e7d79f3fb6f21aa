"""The errors that CQL clients see: Cassandra's codes of the native protocol, its messages, its extra fields.

The engine raises them, the wire writes `code`, the message and the extra fields of each class in the protocol's order.
"""

from typing import ClassVar


class CqlError(Exception):
    """Base of all errors a server answers with: `code` (int of the native protocol) and `message` (Cassandra's text)."""

    code: ClassVar[int] = 0x0000

    def __init__(self, message):
        super().__init__(message)
        self.message = message


class ServerError(CqlError):
    """Something unexpected happened in the server: a bug."""

    code = 0x0000


class ProtocolException(CqlError):
    """The client sent a message that the native protocol does not allow."""

    code = 0x000A


class AuthenticationException(CqlError):
    """The client could not say who it is."""

    code = 0x0100


class Unauthorized(CqlError):
    """The role may not do this."""

    code = 0x2100


class SyntaxException(CqlError):
    """The text is no CQL."""

    code = 0x2000


class InvalidRequest(CqlError):
    """The text is CQL that makes no sense here: an unknown column, a wrong type, a restriction that is not allowed."""

    code = 0x2200


class ConfigurationException(InvalidRequest):
    """A keyspace, table or index was described with options that do not exist or do not fit."""

    code = 0x2300


class AlreadyExists(ConfigurationException):
    """The keyspace, or the `table` of it, exists; `table` is "" when the keyspace itself is meant."""

    code = 0x2400

    def __init__(self, keyspace, table="", message=None):
        if message is None and table:
            message = f'Cannot add already existing table "{table}" to keyspace "{keyspace}"'
        super().__init__(message or f'Cannot add existing keyspace "{keyspace}"')
        self.keyspace = keyspace
        self.table = table


class Unprepared(CqlError):
    """The client executes a statement that this server has not prepared: `statement_id` is the id it sent (bytes)."""

    code = 0x2500

    def __init__(self, statement_id, message=None):
        super().__init__(
            message
            or f"Prepared query with ID {statement_id.hex()} not found (either the query was not prepared on this host (maybe the "
            "host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)"
        )
        self.statement_id = statement_id


class FunctionFailure(CqlError):
    """A function failed while it ran: its `keyspace`, `function` and the CQL names of its `argument_types`."""

    code = 0x1400

    def __init__(self, keyspace, function, argument_types, detail, whole=False):
        """`detail` is what went wrong, or where `whole` the whole message."""
        types = ", ".join(argument_types)
        super().__init__(detail if whole else f"execution of '{keyspace}.{function}[{types}]' failed: {detail}")
        self.keyspace = keyspace
        self.function = function
        self.argument_types = tuple(argument_types)


def _name(consistency):
    """Return "QUORUM" for an enumeration's member, a text for itself."""
    return getattr(consistency, "name", consistency)


class RequestExecutionException(CqlError):
    """Base of what goes wrong between the coordinator and the replicas; `consistency` is what was asked for."""

    def __init__(self, consistency, message):
        super().__init__(message)
        self.consistency = consistency


class Unavailable(RequestExecutionException):
    """The coordinator knows that fewer replicas than `required` are `alive`, and does not even try."""

    code = 0x1000

    def __init__(self, consistency, required, alive):
        super().__init__(consistency, f"Cannot achieve consistency level {_name(consistency)}")
        self.required = required
        self.alive = alive


class ReadTimeout(RequestExecutionException):
    """Of `required` replicas only `received` answered in time; `data_present` when the one asked for data did."""

    code = 0x1200

    def __init__(self, consistency, received, required, data_present):
        super().__init__(consistency, f"Operation timed out - received only {received} responses.")
        self.received = received
        self.required = required
        self.data_present = data_present


class WriteTimeout(RequestExecutionException):
    """Of `required` replicas only `received` confirmed in time; the write may exist or come to exist.

    `write_type`: SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG, CAS, VIEW or CDC.
    `contentions` counts lost rounds of Paxos and is sent for CAS only.
    """

    code = 0x1100

    def __init__(self, consistency, received, required, write_type, contentions=0):
        message = f"Operation timed out - received only {received} responses."
        if write_type == "CAS":
            message = (
                f"CAS operation timed out: received {received} of {required} required responses after {contentions} contention retries"
            )
        super().__init__(consistency, message)
        self.received = received
        self.required = required
        self.write_type = write_type
        self.contentions = contentions


class ReadFailure(RequestExecutionException):
    """Replicas answered with a failure: `reasons` maps their addresses to the protocol's reason codes."""

    code = 0x1300

    def __init__(self, consistency, received, required, reasons, data_present):
        super().__init__(consistency, f"Operation failed - received {received} responses and {len(reasons)} failures")
        self.received = received
        self.required = required
        self.reasons = dict(reasons)
        self.data_present = data_present


class WriteFailure(RequestExecutionException):
    """Replicas refused the write: `reasons` maps their addresses to the protocol's reason codes."""

    code = 0x1500

    def __init__(self, consistency, received, required, reasons, write_type):
        super().__init__(consistency, f"Operation failed - received {received} responses and {len(reasons)} failures")
        self.received = received
        self.required = required
        self.reasons = dict(reasons)
        self.write_type = write_type


class CasWriteUnknown(RequestExecutionException):
    """A lightweight transaction ended without anybody knowing whether it was applied."""

    code = 0x1700

    def __init__(self, consistency, received, required):
        super().__init__(consistency, f"CAS operation result is unknown - proposal accepted by {received} but not a quorum.")
        self.received = received
        self.required = required


class Overloaded(CqlError):
    """The coordinator has too much to do."""

    code = 0x1001


class IsBootstrapping(CqlError):
    """The node is not yet part of the ring."""

    code = 0x1002


class TruncateException(CqlError):
    """TRUNCATE did not reach every node."""

    code = 0x1003
