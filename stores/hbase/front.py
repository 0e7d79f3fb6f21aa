"""One HBase client's connection. Thrift has no names for clients, so they have none."""

from thriftpy2.thrift import TApplicationException

from stores.base import Command, Server
from stores.hbase import thrift
from stores.hbase.engine import Failure
from stores.hbase.record import HBaseLog, Operation
from stores.hbase.thrift import declares, failure, idl, result
from stores.wire import Session

EXCEPTIONS = {"io": idl.IOError, "ia": idl.IllegalArgument, "exist": idl.AlreadyExists}
TRANSIENT = Failure("Over memstore limit, try again", "org.apache.hadoop.hbase.RegionTooBusyException")


class HBaseServer(Server):
    """What the embedded server and the front of a real one share."""

    name = "hbase"
    scheme = "hbase"
    log = HBaseLog


class ThriftSession(Session):
    """Serves one connection: calls go one at a time to `service`.

    A service has `answer(call, operation)`, which returns the value or raises Failure, or a coroutine of it; and close().
    """

    def __init__(self, front, service):
        super().__init__(front)
        self.parser = thrift.Messages()
        self._service = service

    async def opened(self):
        await self._service.open()

    async def closed(self):
        await self._service.close()

    def describe(self, call):
        values = () if call.args is None else [getattr(call.args, field[1]) for field in call.args.thrift_spec.values()]
        return Command(call.method.upper(), tuple(_told(value) for value in values if value not in (None, {})))

    def gated(self, command):
        return False

    async def execute(self, call):
        if call.args is None:
            return failure(call, f"Invalid method name: '{call.method}'", TApplicationException.UNKNOWN_METHOD)
        operation = Operation(call.method)
        for log in self.front.logs:
            log.operations.append(operation)
        try:
            return await self._service.call(call, operation)
        except Failure as refused:
            return self._refuse(call, refused)

    def transient_error(self, call):
        return failure(call, "unknown") if call.args is None else self._refuse(call, TRANSIENT)

    def protocol_error(self, error):
        return b""  # as HBase: it writes to its log and closes

    def _refuse(self, call, refused):
        """Answer with an exception that the method declares, the fitting one before IOError.

        Where HBase checks arguments outside of what it declares, it says "Internal error" and the reason to its log only;
        happybase cannot even print that. Here the reason reaches the client.
        """
        kind = next((kind for kind in (refused.kind, "io") if declares(call.method, kind)), None)
        return failure(call, str(refused)) if kind is None else result(call, **{kind: EXCEPTIONS[kind](str(refused))})


def _told(value):
    """An argument for a reader: text where it is text; what is inside structs as dicts."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [_told(each) for each in value]
    if hasattr(value, "thrift_spec"):
        told = {name: getattr(value, name) for name in (field[1] for field in value.thrift_spec.values())}
        return {name: _told(each) for name, each in told.items() if each is not None}
    return value
