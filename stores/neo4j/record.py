"""What a recording of Neo4j's clients holds: commands as in every store, and the queries among them."""

from dataclasses import dataclass, field

from stores.base import Log


@dataclass
class Query:
    """One query as it was recorded: its text and parameters, what it returned and what it cost.

    `rows` counts the records that the client fetched. When the query began with PROFILE, `work` is the number of
    rows that its operators passed on, all together, and `hits` the number of database hits, which only a real Neo4j
    counts; otherwise they are None. `counters` is the summary's.
    """

    text: str
    parameters: dict
    client: str = ""
    rows: int = 0
    work: int | None = None
    hits: int | None = None
    counters: dict = field(default_factory=dict)


class GraphLog(Log):
    """A Log that also knows the queries among the commands."""

    def __init__(self):
        super().__init__()
        self.queries = []

    @property
    def rows(self):
        """The number of records that clients fetched."""
        return sum(query.rows for query in self.queries)

    @property
    def work(self):
        """The rows that the operators of profiled queries passed on, or None when no query was profiled."""
        return _sum(query.work for query in self.queries)

    @property
    def hits(self):
        """The database hits of the queries that were profiled, or None when the engine told none."""
        return _sum(query.hits for query in self.queries)

    def __repr__(self):
        return f"<Log: {len(self.queries)} queries in {self.round_trips} round trips, {self.rows} rows>"


def _sum(numbers):
    told = [number for number in numbers if number is not None]
    return sum(told) if told else None
