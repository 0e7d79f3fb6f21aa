"""What a recording of HBase's clients holds: commands as in every store, and what each call cost."""

from collections import Counter
from dataclasses import dataclass, field

from stores.base import Log


@dataclass
class Operation:
    """One call as it was executed.

    `rows` counts the rows that were looked at, `returned` the results sent to the client (a row each, unless the scan
    splits rows), `written` the rows written, and `regions` how many of all these lie in each region, by (table, first
    key). A real server does not tell: there `rows`, `written` and `regions` are None.
    """

    name: str
    table: str = ""
    rows: int | None = 0
    returned: int = 0
    written: int | None = 0
    regions: Counter | None = field(default_factory=Counter)

    def touch(self, table, key):
        """Note a row that was looked at."""
        self._in(table, key)
        self.rows += 1

    def write(self, table, key):
        """Note a row that was written."""
        self._in(table, key)
        self.written += 1

    def _in(self, table, key):
        self.table = table.name.decode()
        self.regions[self.table, table.region(key)] += 1


class HBaseLog(Log):
    """A Log that also knows what the calls among the commands cost."""

    def __init__(self):
        super().__init__()
        self.operations = []

    @property
    def rows(self):
        """How many rows were looked at, for gets and scans. None on a real server."""
        return _sum(operation.rows for operation in self.operations)

    @property
    def returned(self):
        """How many results were sent to clients."""
        return _sum(operation.returned for operation in self.operations)

    @property
    def written(self):
        """How many rows were written; one that two calls write counts twice. None on a real server."""
        return _sum(operation.written for operation in self.operations)

    @property
    def regions(self):
        """How many rows were looked at or written in each region, by (table, first key). None on a real server."""
        if any(operation.regions is None for operation in self.operations):
            return None
        return sum((operation.regions for operation in self.operations), Counter())

    def __repr__(self):
        told = f"<Log: {len(self)} commands in {self.round_trips} round trips"
        if self.rows is not None:
            told += f": {self.rows} rows read, {self.returned} returned, {self.written} written"
        return told + ">"


def _sum(numbers):
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)
