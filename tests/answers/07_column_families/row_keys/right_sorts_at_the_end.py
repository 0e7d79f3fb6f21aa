def row_key(event):
    return b"%d#%s#%013d#%s" % (event.event_id.int & 3, event.user_id.encode(), 10**13 - shopstream.to_millis(event.timestamp), str(event.event_id).encode())


def store(table, events):
    with table.batch(transaction=True) as batch:
        for event in events:
            batch.put(row_key(event), {b"e:json": event.to_json().encode()})


def newest_of(table, user_id, start, end, limit=None):
    rows = {}
    if start < end and limit != 0:
        first, last = (b"#%s#%013d" % (user_id.encode(), 10**13 - shopstream.to_millis(moment) + 1) for moment in (end, start))
        for salt in (b"0", b"1", b"2", b"3"):
            rows |= table.scan(row_start=salt + first, row_stop=salt + last, limit=limit)
    return [Event.from_json(rows[key][b"e:json"]) for key in sorted(rows, key=lambda key: key[2:])][:limit]


def history(table, event):
    return [value.decode() for value in table.cells(row_key(event), b"e:status", 3)]
