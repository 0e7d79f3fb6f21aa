# caught by: a limit of 0 gives nothing
SALTS = 4


def row_key(event):
    """The row key of an Event: <salt>#<user_id>#<countdown>#<event_id> as bytes."""
    return f"{event.event_id.int % SALTS}#{event.user_id}#{_countdown(event.timestamp):013}#{event.event_id}".encode()


def store(table, events):
    """Store a list of events in one request, each as JSON in the column e:json."""
    with table.batch() as batch:
        for event in events:
            batch.put(row_key(event), {b"e:json": event.to_json().encode()})


def newest_of(table, user_id, start, end, limit=None):
    """The user's events with start <= timestamp < end as a list of Event, newest first, at most `limit` (None: all)."""
    if start >= end:
        return []
    # Keys of one moment begin with its countdown. One more is just behind them all: `end` is left out, `start` is not.
    first, last = _countdown(end) + 1, _countdown(start) + 1
    scans = [table.scan(row_start=f"{salt}#{user_id}#{first:013}".encode(), row_stop=f"{salt}#{user_id}#{last:013}".encode(),
                        columns=[b"e:json"], limit=limit or None) for salt in range(SALTS)]
    rows = heapq.merge(*scans, key=lambda row: row[0].partition(b"#")[2])
    return [Event.from_json(columns[b"e:json"]) for _, columns in islice(rows, limit or None)]


def history(table, event):
    """What e:status of this event held, as texts, the newest first: as many versions as the table keeps."""
    return [value.decode() for value in table.cells(row_key(event), b"e:status", versions=3)]


def _countdown(moment):
    """Milliseconds that are left until 10¹³ (in the year 2286): the later the moment, the smaller."""
    return 10**13 - shopstream.to_millis(moment)
