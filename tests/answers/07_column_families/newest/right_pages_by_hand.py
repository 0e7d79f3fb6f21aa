class Reader:
    def __init__(self, session, fetch_size=100):
        self.session = session
        self.query = session.prepare("SELECT * FROM shop_events WHERE day=? AND bucket=? AND timestamp>=? AND timestamp<?")
        self.query.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        """One page of a bucket at a time, by its paging state."""
        events = []
        if not start < end or limit == 0:
            return events
        first = start.astimezone(UTC).toordinal()
        last = (end.astimezone(UTC) - timedelta(milliseconds=1)).toordinal()
        for number in range(last, first - 1, -1):
            waiting = {bucket: self.page(date.fromordinal(number), bucket, start, end) for bucket in range(4)}
            while waiting:
                for bucket in [bucket for bucket, (rows, state) in waiting.items() if not rows]:
                    rows, state = waiting.pop(bucket)
                    if state:
                        waiting[bucket] = self.page(date.fromordinal(number), bucket, start, end, state)
                        if not waiting[bucket][0]:
                            del waiting[bucket]
                if not waiting:
                    break
                newest = max(waiting.values(), key=lambda page: (page[0][0].timestamp, page[0][0].event_id))
                events.append(Event.from_cassandra(newest[0].pop(0)))
                if limit is not None and len(events) == limit:
                    return events
        return events

    def page(self, day, bucket, start, end, state=None):
        result = self.session.execute(self.query, (day, bucket, start, end), paging_state=state)
        return list(result.current_rows), result.paging_state
