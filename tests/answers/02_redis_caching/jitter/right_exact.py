from decimal import Decimal
from math import ceil, floor


def jittered(ttl, spread, rng):
    if not ttl > 0 or not 0 <= spread < 1:
        raise ValueError((ttl, spread))
    middle, part = 1000 * Decimal(str(ttl)), Decimal(str(spread))
    low, high = ceil(middle * (1 - part)), floor(middle * (1 + part))
    low = max(low, 1)
    return rng.randrange(low, max(low, high) + 1)


def store_all(r, pages, ttl, spread, rng):
    pipeline = r.pipeline(transaction=False)
    for key, text in pages.items():
        pipeline.psetex(key, jittered(ttl, spread, rng), text)
    if pages:
        pipeline.execute()
