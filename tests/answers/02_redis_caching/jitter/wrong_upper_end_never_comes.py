# caught by: every TTL from 8 to 12 ms comes out
def jittered(ttl, spread, rng):
    """A TTL in whole milliseconds, drawn evenly between ttl * (1 - spread) and ttl * (1 + spread) seconds, at least 1 ms.

    Raises ValueError unless ttl > 0 and 0 <= spread < 1.
    """
    if not (ttl > 0 and 0 <= spread < 1):
        raise ValueError(f"ttl {ttl} must be more than 0, and spread {spread} from 0 to less than 1")
    low = max(1, round(1000 * ttl * (1 - spread)))
    high = max(1, round(1000 * ttl * (1 + spread)))
    return rng.randrange(low, high) if low < high else low


def store_all(r, pages, ttl, spread, rng):
    """Store each text of the dict `pages` under its key, with a jittered TTL of its own, in one round trip."""
    with r.pipeline() as pipeline:
        for key, page in pages.items():
            pipeline.set(key, page, px=jittered(ttl, spread, rng))
        pipeline.execute()
