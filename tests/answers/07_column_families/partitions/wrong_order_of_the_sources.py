# caught by: Missing CLUSTERING ORDER for column timestamp
def create_table(session):
    """Create the table `events_by_day` unless it is there. Returns None."""
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, bucket int, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
            product_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((day, bucket), timestamp, event_id)
        ) WITH CLUSTERING ORDER BY (event_id DESC)
        """)


def partition_of(event):
    """The values of the partition key's columns for an Event, as a tuple."""
    return event.timestamp.date(), event.event_id.int % BUCKETS


def partitions_of(day):
    """All partitions in which there may be events of `day`, a datetime.date in UTC: a list of tuples as of `partition_of`."""
    return [(day, bucket) for bucket in range(BUCKETS)]


BUCKETS = 16    # of a day: 10,000 events make 625 a partition
