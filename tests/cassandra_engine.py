"""The embedded Cassandra's engine for tests: CQL in, Python values out, without protocol and driver."""

import pytest

from stores.base import Clock
from stores.cassandra.engine import Engine
from stores.cassandra.errors import CqlError
from stores.cassandra.results import UNSET, Options, Rows
from stores.cassandra.store import SingleNode


class Session:
    """An engine with a keyspace `k`."""

    def __init__(self):
        self.clock = Clock()
        self.cluster = SingleNode(self.clock)
        self.engine = Engine(self.clock, self.cluster)
        self.keyspace = "k"
        self("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")

    def execute(self, text, values=(), **options):
        """Return the engine's Result; `values` are Python values in the order of the markers."""
        prepared = self.engine.prepare(text, self.keyspace)
        columns = prepared.bind_columns
        raw = [_serialised(column.type, value) for column, value in zip(columns, values, strict=True)]
        return self.engine.execute(prepared, raw, keyspace=self.keyspace, options=Options(**options))

    def __call__(self, text, *values, **options):
        """Execute and return the rows as tuples of Python values; [] for what returns none."""
        return rows_of(self.execute(text, values, **options))

    def run(self, *texts):
        """Execute several statements."""
        for text in texts:
            self(text)

    def error(self, text, *values):
        """Return the message with which a statement is refused."""
        with pytest.raises(CqlError) as caught:
            self(text, *values)
        return caught.value.message

    def pages(self, text, size, *values):
        """Return the rows page by page."""
        state, pages = None, []
        while True:
            result = self.execute(text, values, page_size=size, paging_state=state)
            pages.append(rows_of(result))
            state = result.paging_state
            if state is None:
                return pages


def _serialised(type_, value):
    return value if value is None or value is UNSET else type_.serialize(value)


def rows_of(result):
    if not isinstance(result, Rows):
        return []
    types = [column.type for column in result.columns]
    return [
        tuple(None if value is None else type_.deserialize(value) for type_, value in zip(types, row, strict=True))
        for row in result.rows
    ]
