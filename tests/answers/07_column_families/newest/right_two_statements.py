class Reader:
    BUCKETS = 4

    def __init__(self, session, fetch_size=100):
        self.session = session
        text = "SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?"
        self.plain, self.limited = session.prepare(text), session.prepare(text + " LIMIT ?")
        self.plain.fetch_size = self.limited.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        if not start < end or limit == 0:
            return []
        last = (end - timedelta(milliseconds=1)).astimezone(UTC).date()
        day, found = last, []
        while day >= start.astimezone(UTC).date():
            rest = None if limit is None else limit - len(found)
            results = []
            for b in range(self.BUCKETS):
                values = [day, b, start, end]
                results.append(iter(self.session.execute(self.plain, values) if rest is None else self.session.execute(self.limited, values + [rest])))
            events = (map(Event.from_cassandra, result) for result in results)
            merged = heapq.merge(*events, key=lambda e: (e.timestamp, e.event_id.int), reverse=True)
            found += islice(merged, rest)
            if limit is not None and len(found) >= limit:
                break
            day -= timedelta(days=1)
        return found
