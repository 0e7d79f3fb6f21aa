"""Keys that expire together: what the database behind a cache feels.

A cache is filled in one go, after a deployment or a nightly job. If all keys get the same TTL, they all
expire in the same moment, and again one TTL later. If each TTL is a little longer or shorter
(**jitter**), the misses spread out.
"""

import math
import random


def loads_per_second(
    n_keys: int,
    ttl: float,
    jitter: float = 0.0,
    seconds: int = 300,
    reads_per_second: float = 10.0,
    load_seconds: float = 0.0,
    lock: bool = False,
    seed: int = 7,
) -> list[int]:
    """How often the database is asked in each second after a cache of `n_keys` was filled at second 0.

    ttl               seconds until a key expires
    jitter            each TTL is drawn anew between ttl * (1 - jitter) and ttl * (1 + jitter); 0 to less
    than 1 seconds           how long to watch reads_per_second  for each key, at random moments
    load_seconds      how long the database takes; until then, further readers of that key miss too lock
    let only the first of them ask the database, while the others wait for its answer
    """
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter is {jitter}; it is a part of the TTL, from 0 to less than 1, such as 0.1")
    if min(ttl, reads_per_second) <= 0:
        raise ValueError(f"ttl is {ttl} and reads_per_second is {reads_per_second}; both must be more than 0")
    roll = random.Random(seed).random
    loads = [0] * seconds

    def draw_ttl() -> float:
        return ttl * (1 + jitter * (2 * roll() - 1))

    def next_read(now: float) -> float:
        """Readers who know nothing of each other: the gaps between them are exponential."""
        return now - math.log(1 - roll()) / reads_per_second

    for _ in range(n_keys):
        now = next_read(draw_ttl())  # the first read that finds the key expired
        while now < seconds:
            loads[int(now)] += 1
            loaded = now + load_seconds
            reader = next_read(now)
            while reader < loaded:  # these find nothing either
                if not lock and reader < seconds:
                    loads[int(reader)] += 1
                reader = next_read(reader)
            expires = loaded + draw_ttl()
            now = next_read(expires)
    return loads
