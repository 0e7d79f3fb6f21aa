"""What a recording of CQL clients holds: commands as in every store, and what each statement cost."""

from dataclasses import dataclass

from stores.base import Log


@dataclass
class Statement:
    """One statement as it was executed: what it touched, read and returned.

    `partitions` lists the partitions touched as (table, key, bytes read of it), `rows` counts the live rows read,
    `returned` those sent to the client, `tombstones` the deletion marks scanned, `filtered` the rows read in vain.
    A result of several pages is several statements, one for each page. A real server tells `returned` alone: the rest is None.
    """

    name: str
    text: str
    client: str = ""
    node: str = ""  # the coordinator's address
    consistency: str = ""
    partitions: list | None = None
    rows: int | None = None
    returned: int | None = None
    tombstones: int | None = None
    filtered: int | None = None
    mutations: int | None = None


class CqlLog(Log):
    """A Log that also knows what the statements among the commands cost."""

    def __init__(self):
        super().__init__()
        self.statements = []

    @property
    def partitions(self):
        """How many partitions statements touched; one that two statements touch counts twice. None on a real server."""
        return _sum(None if statement.partitions is None else len(statement.partitions) for statement in self.statements)

    @property
    def rows(self):
        """How many live rows were read."""
        return _sum(statement.rows for statement in self.statements)

    @property
    def tombstones(self):
        """How many deletion marks were scanned."""
        return _sum(statement.tombstones for statement in self.statements)

    @property
    def pages(self):
        """How many pages of results clients fetched."""
        return sum(statement.name == "SELECT" for statement in self.statements)

    def __repr__(self):
        told = f"<Log: {_count(len(self), 'command')} in {_count(self.round_trips, 'round trip')}: {_count(self.pages, 'page')}"
        if self.partitions is not None:
            read = f"{_count(self.rows, 'row')} and {_count(self.tombstones, 'tombstone')} read"
            told += f", {_count(self.partitions, 'partition')} touched, {read}"
        return told + ">"


def _count(number, name):
    return f"{number} {name}{'s' * (number != 1)}"


def _sum(numbers):
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)
