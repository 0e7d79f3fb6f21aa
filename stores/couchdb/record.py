"""What a recording of CouchDB's clients holds: commands as in every store, and what each request cost."""

from dataclasses import dataclass

from stores.base import Log


@dataclass
class Operation:
    """One request as it was answered.

    `examined` counts the documents that a query looked at, `returned` those in its answer. A real server tells `examined`
    to those who ask for `execution_stats`, not to the front: there it is None.
    """

    method: str
    target: str
    status: int = 0
    examined: int | None = 0
    returned: int = 0


class CouchLog(Log):
    """A Log that also knows what the requests among the commands cost."""

    def __init__(self):
        super().__init__()
        self.operations = []

    @property
    def examined(self):
        """How many documents queries looked at. None on a real server."""
        numbers = [operation.examined for operation in self.operations]
        return None if None in numbers else sum(numbers)

    @property
    def returned(self):
        """How many documents or rows were sent to clients."""
        return sum(operation.returned for operation in self.operations)

    @property
    def conflicts(self):
        """How many requests were answered by 409."""
        return sum(operation.status == 409 for operation in self.operations)

    def __repr__(self):
        told = f"<Log: {len(self)} requests"
        if self.examined is not None:
            told += f", {self.examined} documents examined, {self.returned} returned"
        return told + f", {self.conflicts} conflicts>"
