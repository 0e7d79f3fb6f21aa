# caught by: 102 events of one millisecond are 102 rows
def create_table(session):
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
            product_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((day), timestamp, user_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC, user_id ASC)
        """)


def partition_of(event):
    return (event.timestamp.date(),)


def partitions_of(day):
    return [(day,)]
