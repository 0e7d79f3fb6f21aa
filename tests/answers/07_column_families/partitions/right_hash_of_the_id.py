def create_table(session):
    if "events_by_day" in session.cluster.metadata.keyspaces[session.keyspace].tables:
        return
    session.execute("""
        CREATE TABLE events_by_day (
            year int, month tinyint, date tinyint, shard smallint, day date,
            timestamp timestamp, event_type text, product_id text, event_id uuid,
            user_id text, session_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((year, month, date, shard), timestamp, event_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id DESC)""")


def partition_of(event):
    day = event.timestamp
    return day.year, day.month, day.day, hash(event.event_id) % 20


def partitions_of(day):
    return [(day.year, day.month, day.day, shard) for shard in range(20)]
