# caught by: three days have 12 partitions
class Reader:
    def __init__(self, session, fetch_size=100):
        self.session = session
        self.select = session.prepare("SELECT * FROM shop_events WHERE timestamp >= ? AND timestamp < ? ALLOW FILTERING")
        self.select.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        found = map(Event.from_cassandra, self.session.execute(self.select, (start, end)))
        return sorted(found, key=lambda event: (event.timestamp, event.event_id), reverse=True)[:limit]
