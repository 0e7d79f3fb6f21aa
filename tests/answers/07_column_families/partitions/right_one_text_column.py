from zlib import crc32


def create_table(session):
    session.execute("CREATE TABLE IF NOT EXISTS events_by_day (part text, timestamp timestamp, user_id text, event_id uuid, session_id text, "
                    "event_type text, product_id text, quantity int, amount_cents bigint, details map<text, text>, "
                    "PRIMARY KEY (part, timestamp, user_id, event_id)) WITH CLUSTERING ORDER BY (timestamp DESC, user_id ASC, event_id ASC)")


def partition_of(event):
    return (f"{event.timestamp:%Y-%m-%d}/{crc32(event.event_id.bytes) % 32:02}",)


def partitions_of(day):
    return [(f"{day:%Y-%m-%d}/{n:02}",) for n in range(32)]
