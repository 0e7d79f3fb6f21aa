# caught by: a page still has at most 7 rows
class Reader:
    BUCKETS = 4

    def __init__(self, session, fetch_size=100):
        self.session = session
        Reader.select = session.prepare("SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?")
        Reader.select.fetch_size = fetch_size

    def _bucket(self, day, bucket, start, end):
        for row in self.session.execute(self.select, [day, bucket, start, end]):
            yield Event.from_cassandra(row)

    def _all(self, start, end):
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if start >= end:
            return
        day = (end - timedelta(milliseconds=1)).date()
        while day >= start.date():
            yield from heapq.merge(*[self._bucket(day, b, start, end) for b in range(self.BUCKETS)],
                                   key=lambda e: (e.timestamp, e.event_id), reverse=True)
            day -= timedelta(days=1)

    def newest(self, start, end, limit=None):
        return list(islice(self._all(start, end), limit))
