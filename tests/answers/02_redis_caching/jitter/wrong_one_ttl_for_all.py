# caught by: their TTLs end in many different tenths of a second
def jittered(ttl, spread, rng):
    """A TTL in whole milliseconds, drawn evenly between ttl * (1 - spread) and ttl * (1 + spread) seconds, at least 1 ms.

    Raises ValueError unless ttl > 0 and 0 <= spread < 1.
    """
    if ttl <= 0 or not 0 <= spread < 1:
        raise ValueError(f"expected ttl > 0 and 0 <= spread < 1, got ttl={ttl} and spread={spread}")
    return max(1, round(1000 * rng.uniform(ttl * (1 - spread), ttl * (1 + spread))))


def store_all(r, pages, ttl, spread, rng):
    """Store each text of the dict `pages` under its key, with a jittered TTL of its own, in one round trip."""
    milliseconds = jittered(ttl, spread, rng)
    with r.pipeline() as pipeline:
        for key, text in pages.items():
            pipeline.set(key, text, px=milliseconds)
        pipeline.execute()
