class Cell(NamedTuple):
    value: str | None
    timestamp: int
    expires: float | None = None


def write_cell(row, column, value, timestamp, clock, ttl=None):
    expires = clock() + ttl if ttl is not None and value is not None else None
    new = dict(row)
    cell = Cell(value, timestamp, expires)
    new[column] = better(row[column], cell) if column in row else cell
    return new


def merge_rows(a, b):
    merged = {}
    for column in list(a) + list(b):
        if column in a and column in b:
            merged[column] = better(a[column], b[column])
        else:
            merged[column] = a[column] if column in a else b[column]
    return merged


def better(a, b):
    if a.timestamp != b.timestamp:
        return a if a.timestamp > b.timestamp else b
    if a.value is None or b.value is None:
        return a if a.value is None else b
    if (a.expires is None) != (b.expires is None):
        return b if a.expires is None else a
    if a.expires != b.expires:
        return a if a.expires > b.expires else b
    return a if a.value >= b.value else b


def read_row(row, clock):
    found = {}
    for column, cell in row.items():
        ended = cell.expires is not None and clock() >= cell.expires
        if not ended and cell.value is not None:
            found[column] = cell.value
    return found
