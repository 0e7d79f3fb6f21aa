import hashlib


def create_table(session):
    session.execute("""
        CREATE TABLE IF NOT EXISTS events_by_day (
            day date, bucket int, timestamp timestamp, user_id text, event_type text, product_id text, event_id uuid,
            session_id text, quantity int, amount_cents bigint, details map<text, text>,
            PRIMARY KEY ((bucket, day), timestamp, user_id, event_type, product_id, event_id)
        ) WITH CLUSTERING ORDER BY (timestamp DESC, user_id ASC, event_type ASC, product_id ASC, event_id ASC)""")


def partition_of(event):
    facts = f"{event.user_id} {event.timestamp.timestamp()} {event.event_type} {event.product_id} {event.event_id}"
    return hashlib.blake2b(facts.encode()).digest()[0] % 16, event.timestamp.date()


def partitions_of(day):
    return [(bucket, day) for bucket in range(16)]
