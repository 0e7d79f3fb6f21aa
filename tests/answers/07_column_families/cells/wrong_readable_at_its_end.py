# caught by: at its end no value is there
class Cell(NamedTuple):
    value: str | None
    timestamp: int
    expires: float | None = None

def _rank(cell):
    return (cell.timestamp, cell.value is None, cell.expires is not None, cell.expires or 0, cell.value or "")

def write_cell(row, column, value, timestamp, clock, ttl=None):
    expires = None if ttl is None or value is None else clock() + ttl
    return merge_rows(row, {column: Cell(value, timestamp, expires)})

def merge_rows(a, b):
    return {name: max((row[name] for row in (a, b) if name in row), key=_rank) for name in {**a, **b}}

def read_row(row, clock):
    now = clock()
    return {name: cell.value for name, cell in row.items() if cell.value is not None and (cell.expires is None or now <= cell.expires)}
