# caught by: more than a thousand events are stored in one request too
SALTS = 4

def _key(salt, user_id, millis, rest=""):
    return f"{salt}#{user_id}#{10**13 - millis:013}#{rest}".encode()

def row_key(event):
    return _key(event.event_id.int % SALTS, event.user_id, shopstream.to_millis(event.timestamp), event.event_id)

def store(table, events):
    with table.batch(batch_size=1000) as batch:
        for event in events:
            batch.put(row_key(event), {b"e:json": event.to_json().encode()})

def newest_of(table, user_id, start, end, limit=None):
    first, last = shopstream.to_millis(start), shopstream.to_millis(end) - 1
    if first > last or limit == 0:
        return []
    scans = [table.scan(row_start=_key(salt, user_id, last), row_stop=_key(salt, user_id, first - 1), columns=[b"e:json"], limit=limit)
             for salt in range(SALTS)]
    merged = heapq.merge(*scans, key=lambda found: found[0].partition(b"#")[2])
    return [Event.from_json(data[b"e:json"]) for _, data in islice(merged, limit)]

def history(table, event):
    return [value.decode() for value in table.cells(row_key(event), b"e:status")]
