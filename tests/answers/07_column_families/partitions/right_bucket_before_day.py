def create_table(session):
    if "events_by_day" in session.cluster.metadata.keyspaces[session.keyspace].tables:
        return None
    session.execute("""CREATE TABLE events_by_day (
        bucket tinyint, day date, timestamp timestamp, event_id uuid, user_id text, session_id text, event_type text,
        product_id text, quantity int, amount_cents bigint, details map<text, text>, 
        PRIMARY KEY ((bucket, day), timestamp, event_id, user_id)) WITH CLUSTERING ORDER BY (timestamp DESC, event_id ASC, user_id ASC)""")

def partition_of(event):
    return (hash(event.event_id) % 20, event.timestamp.date())

def partitions_of(day):
    return [(b, day) for b in range(20)]
