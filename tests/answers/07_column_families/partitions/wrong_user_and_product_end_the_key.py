# caught by: 60 more that differ in nothing but the id are 60 more rows
BUCKETS = 16

def create_table(session):
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, bucket int, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
            product_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((day, bucket), timestamp, user_id, product_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC)""")

def partition_of(event):
    return event.timestamp.date(), event.event_id.int % BUCKETS

def partitions_of(day):
    return [(day, bucket) for bucket in range(BUCKETS)]
