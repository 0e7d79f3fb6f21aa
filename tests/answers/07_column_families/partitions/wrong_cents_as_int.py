# caught by: each field of an event has a column of the type that the text names
BUCKETS = 16

def create_table(session):
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, bucket int, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
            product_id text, quantity int, amount_cents int, details map<text, text>,
            PRIMARY KEY ((day, bucket), timestamp, event_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC)""")

def partition_of(event):
    return event.timestamp.date(), event.event_id.int % BUCKETS

def partitions_of(day):
    return [(day, bucket) for bucket in range(BUCKETS)]
