# caught by: and fetch few pages
class Reader:
    """Lets Cassandra cut each bucket at the limit, and reads what it sends."""

    def __init__(self, session, fetch_size=100):
        self.session = session
        text = "SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?"
        self.all, self.some = session.prepare(text), session.prepare(text + " LIMIT ?")
        self.all.fetch_size = self.some.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        events = []
        day = (end.astimezone(UTC) - timedelta(milliseconds=1)).date()
        while start < end and day >= start.astimezone(UTC).date() and (limit is None or len(events) < limit):
            found = []
            for bucket in range(4):
                values = (day, bucket, start, end)
                rows = self.session.execute(self.all, values) if limit is None else self.session.execute(self.some, (*values, limit - len(events)))
                found += map(Event.from_cassandra, rows)
            events += sorted(found, key=lambda event: (event.timestamp, event.event_id), reverse=True)
            day -= timedelta(days=1)
        return events[:limit]
