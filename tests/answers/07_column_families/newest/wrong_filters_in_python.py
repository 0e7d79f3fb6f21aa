# caught by: Cassandra sends no row outside of the range
class Reader:
    def __init__(self, session, fetch_size=100):
        self.session = session
        self.select = session.prepare("SELECT * FROM shop_events WHERE day = ? AND bucket = ?")
        self.select.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        found = []
        day = end.astimezone(UTC).date()
        while start < end and day >= start.astimezone(UTC).date():
            for bucket in range(4):
                for row in self.session.execute(self.select, (day, bucket)):
                    if start <= row.timestamp.replace(tzinfo=UTC) < end:
                        found.append(Event.from_cassandra(row))
            day -= timedelta(days=1)
        return sorted(found, key=lambda event: (event.timestamp, event.event_id), reverse=True)[:limit]
