"""What a recording of CQL clients holds: commands as in every store, and what each statement cost."""

from dataclasses import dataclass, field

from stores.base import Log


@dataclass
class Statement:
    """One statement as it was executed: what it touched, read and returned.

    `partitions` lists the partitions touched as (table, key, bytes read of it), `rows` counts the live rows read,
    `returned` those sent to the client, `tombstones` the deletion marks scanned, `filtered` the rows read in vain.
    A result of several pages is several statements, one for each page.
    """

    name: str
    text: str
    client: str = ""
    node: str = ""  # the coordinator's address
    consistency: str = ""
    partitions: list = field(default_factory=list)
    rows: int = 0
    returned: int = 0
    tombstones: int = 0
    filtered: int = 0
    mutations: int = 0


class CqlLog(Log):
    """A Log that also knows what the statements among the commands cost."""

    def __init__(self):
        super().__init__()
        self.statements = []

    @property
    def partitions(self):
        """How many partitions statements touched; one that two statements touch counts twice."""
        return sum(len(statement.partitions) for statement in self.statements)

    @property
    def rows(self):
        """How many live rows were read."""
        return sum(statement.rows for statement in self.statements)

    @property
    def tombstones(self):
        """How many deletion marks were scanned."""
        return sum(statement.tombstones for statement in self.statements)

    @property
    def pages(self):
        """How many pages of results clients fetched."""
        return sum(statement.name == "SELECT" for statement in self.statements)

    def __repr__(self):
        return (
            f"<Log: {len(self)} commands in {self.round_trips} round trips: {self.partitions} partitions touched, "
            f"{self.rows} rows and {self.tombstones} tombstones read, {self.pages} pages>"
        )
