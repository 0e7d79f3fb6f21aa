import heapq


class Reader:
    BUCKETS = 4

    def __init__(self, session, fetch_size=100):
        self.session = session
        self.bounded = session.prepare("SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ? LIMIT ?")
        self.unbounded = session.prepare("SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?")
        self.bounded.fetch_size = self.unbounded.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        found = []
        midnight = end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        while start < end and midnight + timedelta(days=1) > start:
            if midnight < end:
                if limit is not None and len(found) >= limit:
                    break
                self.read_day(midnight.date(), start, end, limit, found)
            midnight -= timedelta(days=1)
        return found

    def read_day(self, day, start, end, limit, found):
        heap = []
        for bucket in range(self.BUCKETS):
            if limit is None:
                rows = iter(self.session.execute(self.unbounded, [day, bucket, start, end]))
            else:
                rows = iter(self.session.execute(self.bounded, [day, bucket, start, end, limit - len(found)]))
            self.push(heap, bucket, rows)
        while heap and (limit is None or len(found) < limit):
            _, _, bucket, event, rows = heapq.heappop(heap)
            found.append(event)
            if limit is None or len(found) < limit:
                self.push(heap, bucket, rows)

    def push(self, heap, bucket, rows):
        row = next(rows, None)
        if row is not None:
            event = Event.from_cassandra(row)
            heapq.heappush(heap, (-event.timestamp.timestamp(), -event.event_id.int, bucket, event, rows))
