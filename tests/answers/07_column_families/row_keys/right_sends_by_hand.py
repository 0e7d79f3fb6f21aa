SALTS = 4

def row_key(event):
    left = 10_000_000_000_000 - (event.timestamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return "#".join([str(event.event_id.int % SALTS), event.user_id, str(left).zfill(13), str(event.event_id)]).encode()

def store(table, events):
    batch = table.batch()
    for event in events:
        batch.put(row_key(event), {"e:json": event.to_json()})
    batch.send()

def newest_of(table, user_id, start, end, limit=None):
    if start >= end or limit == 0:
        return []
    low, high = (10**13 - shopstream.to_millis(moment) for moment in (end, start))
    found = []
    for salt in range(SALTS):
        found += table.scan(row_start=f"{salt}#{user_id}#{low + 1:013}".encode(), row_stop=f"{salt}#{user_id}#{high:013}$".encode(), limit=limit)
    events = [Event.from_json(data[b"e:json"]) for _, data in found]
    return sorted(events, key=lambda event: (-event.timestamp.timestamp(), str(event.event_id)))[:limit]

def history(table, event):
    return [str(value, "utf-8") for value, _ in table.cells(row_key(event), b"e:status", versions=3, include_timestamp=True)]
