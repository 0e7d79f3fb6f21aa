def jittered(ttl, spread, rng):
    if not ttl > 0:
        raise ValueError("ttl must be more than 0")
    if spread < 0 or spread >= 1:
        raise ValueError("spread must be from 0 to less than 1")
    middle = ttl * 1000
    low, high = int(middle - middle * spread + 0.5), int(middle + middle * spread + 0.5)
    return max(rng.randint(low, high), 1)


def store_all(r, pages, ttl, spread, rng):
    if not pages:
        return
    commands = r.pipeline(transaction=False)
    for key in pages:
        commands.set(key, pages[key], px=jittered(ttl, spread, rng))
    commands.execute()
