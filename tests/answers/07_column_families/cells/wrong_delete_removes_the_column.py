# caught by: and a delete at the timestamp of a value is not
class Cell(NamedTuple):
    """One value of a row, with the time of its write."""

    value: str | None            # None: a tombstone
    timestamp: int               # microseconds, from the client
    expires: float | None = None # seconds; None: never


def write_cell(row, column, value, timestamp, clock, ttl=None):
    """The row (a new dict) with this write in it.

    value  a text, or None to delete; ttl  seconds, or None; clock  a function that returns the time in seconds
    """
    if value is None:
        return {name: cell for name, cell in row.items() if name != column}
    return merge_rows(row, {column: Cell(value, timestamp, None if ttl is None or value is None else clock() + ttl)})


def merge_rows(a, b):
    """What two replicas' rows are together: a new dict with the cell that wins for each column."""
    return a | {column: max(a.get(column, cell), cell, key=_rank) for column, cell in b.items()}


def read_row(row, clock):
    """The columns that have a value at the time of `clock()`, as a dict from name to text."""
    now = clock()
    return {column: cell.value for column, cell in row.items()
            if cell.value is not None and (cell.expires is None or now < cell.expires)}


def _rank(cell):
    """The greater one wins. After the timestamp, the rules that break a tie."""
    return cell.timestamp, cell.value is None, cell.expires is not None, cell.expires or 0, cell.value or ""
