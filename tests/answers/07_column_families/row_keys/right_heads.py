from datetime import timedelta


def row_key(event):
    left = 10_000_000_000_000 - shopstream.to_millis(event.timestamp)
    salt = str(event.event_id.int % 4)
    return b"#".join(part.encode() for part in (salt, event.user_id, str(left).zfill(13), str(event.event_id)))


def store(table, events):
    puts = table.batch(batch_size=None)
    for event in events:
        puts.put(row_key(event), {"e:json": event.to_json()})
    puts.send()


def newest_of(table, user_id, start, end, limit=None):
    """Takes the newest head of four scans until there is enough."""
    found = []
    if end <= start or limit == 0:
        return found
    after = str(10**13 - shopstream.to_millis(end - timedelta(milliseconds=1))).zfill(13)
    until = str(10**13 - shopstream.to_millis(start)).zfill(13)
    scans, heads = {}, {}
    for salt in "0123":
        prefix = f"{salt}#{user_id}#"
        scans[salt] = table.scan(row_start=(prefix + after).encode(), row_stop=(prefix + until + "$").encode(), limit=limit)   # $ comes after #
        heads[salt] = next(scans[salt], None)
    while any(heads.values()) and (limit is None or len(found) < limit):
        salt = min((salt for salt in heads if heads[salt]), key=lambda salt: heads[salt][0][1:])
        found.append(Event.from_json(heads[salt][1][b"e:json"].decode()))
        heads[salt] = next(scans[salt], None)
    return found


def history(table, event):
    pairs = table.cells(row_key(event), "e:status", versions=100, include_timestamp=True)
    return [str(value, "utf-8") for value, _ in sorted(pairs, key=lambda pair: -pair[1])]
