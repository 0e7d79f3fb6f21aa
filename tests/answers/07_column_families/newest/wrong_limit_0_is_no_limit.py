# caught by: a limit of 0 gives nothing
class Reader:
    """Reads the table `shop_events`, newest first, in pages of `fetch_size` rows."""

    BUCKETS = 4

    def __init__(self, session, fetch_size=100):
        self.session = session
        self.select = session.prepare(
            "SELECT * FROM shop_events WHERE day = ? AND bucket = ? AND timestamp >= ? AND timestamp < ?")
        self.select.fetch_size = fetch_size

    def newest(self, start, end, limit=None):
        """The events with start <= timestamp < end as a list of Event, newest first, at most `limit` (None: all of them)."""
        events = (event for day in _days(start, end) for event in self._of_day(day, start, end))
        return list(islice(events, limit or None))

    def _of_day(self, day, start, end):
        """The events of one day, merged as they come. The four buckets are asked at once."""
        asked = [self.session.execute_async(self.select, (day, bucket, start, end)) for bucket in range(self.BUCKETS)]
        # merge() may call iter() on its inputs twice. A driver's result then begins its page again; a map goes on.
        buckets = [map(Event.from_cassandra, each.result()) for each in asked]
        return heapq.merge(*buckets, key=lambda event: (event.timestamp, event.event_id), reverse=True)


def _days(start, end):
    """The UTC dates of the moments in [start, end), newest first."""
    if start >= end:
        return
    first, day = start.astimezone(UTC).date(), (end.astimezone(UTC) - timedelta(milliseconds=1)).date()
    while day >= first:
        yield day
        day -= timedelta(days=1)
