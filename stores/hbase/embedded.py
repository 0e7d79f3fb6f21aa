"""The embedded HBase: the tables live in this process, behind a front that speaks Thrift as HBase's server does."""

from stores.base import Clock
from stores.hbase.calls import Service
from stores.hbase.engine import Engine
from stores.hbase.front import HBaseServer, ThriftSession
from stores.hbase.thrift import result
from stores.wire import Front

VERSION = "2.5"  # whose words these are


class EmbeddedHBase(HBaseServer):
    """An HBase in this process. It has one region a table until `split()` makes more."""

    def __init__(self):
        clock = Clock()
        self._engine = Engine(clock)
        self._scanners = {}
        front = Front(lambda front: ThriftSession(front, Connection(self._engine, self._scanners, front.addresses[0])))
        super().__init__(front, f"stand-in for HBase {VERSION}", clock)
        front.start()

    def clean(self):
        self.front.run(self._clean())

    def split(self, table, *keys):
        """Make regions of a table that begin at `keys` (str or bytes), as an administrator's `split` does.

        Rows do not move for a client; `server.record()` tells then which regions are busy. Raises LookupError
        without such a table.
        """
        self.front.run(self._split(_bytes(table), {_bytes(key) for key in keys}))

    async def _clean(self):
        self._engine.clear()
        self._scanners.clear()

    async def _split(self, name, keys):
        if name not in self._engine.tables:
            raise LookupError(f"no table is called {name!r}. Expected one of: {sorted(self._engine.tables)}")
        table = self._engine.tables[name]
        table.splits = sorted({*table.splits, *keys} - {b""})


class Connection:
    """The engine's side of one connection."""

    def __init__(self, engine, scanners, address):
        self._service = Service(engine, scanners, address)

    async def open(self):
        """Nothing to open."""

    async def close(self):
        self._service.close()

    async def call(self, call, operation):
        return result(call, self._service.answer(call, operation))


def _bytes(value):
    return value.encode() if isinstance(value, str) else bytes(value)
