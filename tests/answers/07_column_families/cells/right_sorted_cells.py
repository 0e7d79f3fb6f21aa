from collections import defaultdict
from math import inf


class Cell(NamedTuple):
    value: str | None
    timestamp: int
    expires: float | None = None

    def __gt__(self, other):
        return self.order() > other.order()

    def order(self):
        if self.value is None:
            return (self.timestamp, inf)
        return (self.timestamp, -inf if self.expires is None else self.expires, self.value)


def write_cell(row, column, value, timestamp, clock, ttl=None):
    return merge_rows({column: Cell(value, timestamp, clock() + ttl if ttl and value is not None else None)}, row)


def merge_rows(*rows):
    cells = defaultdict(list)
    for row in rows:
        for column, cell in row.items():
            cells[column].append(cell)
    return {column: sorted(several, key=Cell.order)[-1] for column, several in cells.items()}


def read_row(row, clock):
    end = {column: inf if cell.expires is None else cell.expires for column, cell in row.items()}
    return {column: cell.value for column, cell in row.items() if clock() < end[column] and cell.value is not None}
