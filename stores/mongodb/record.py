"""What a recording of MongoDB clients holds: commands as in every store, and what each operation cost."""

from dataclasses import dataclass, field

from stores.base import Log


@dataclass
class Executed:
    """One command as it was executed: what it examined and returned.

    `command` is its document without what the driver adds. `documents_examined` and `keys_examined` are the numbers that
    explain("executionStats") calls totalDocsExamined and totalKeysExamined, `returned` counts the documents sent to the
    client. A find and its getMores are several operations. A real server does not tell what it examined: there it is None.
    """

    name: str
    namespace: str
    command: dict = field(default_factory=dict)
    client: str = ""
    documents_examined: int | None = None
    keys_examined: int | None = None
    returned: int | None = None


class MongoLog(Log):
    """A Log that also knows what the commands cost."""

    def __init__(self):
        super().__init__()
        self.operations = []

    @property
    def documents_examined(self):
        """How many documents were looked at. None on a real server."""
        return _sum(operation.documents_examined for operation in self.operations)

    @property
    def keys_examined(self):
        """How many keys of indexes were looked at. None on a real server."""
        return _sum(operation.keys_examined for operation in self.operations)

    @property
    def returned(self):
        """How many documents were sent to clients."""
        return _sum(operation.returned for operation in self.operations)

    def __repr__(self):
        told = f"<Log: {len(self)} commands in {self.round_trips} round trips: {self.returned} documents returned"
        if self.documents_examined is not None:
            told += f", {self.documents_examined} documents and {self.keys_examined} keys examined"
        return told + ">"


def _sum(numbers):
    numbers = list(numbers)
    return None if None in numbers else sum(numbers)
