def jittered(ttl, spread, rng):
    if ttl <= 0 or spread < 0 or spread >= 1:
        raise ValueError("ttl > 0 and 0 <= spread < 1, please")
    low, high = [max(1, int(round(ttl * 1000 * f, 0))) for f in (1 - spread, 1 + spread)]
    return low + int(rng.random() * (high - low + 1))


def store_all(r, pages, ttl, spread, rng):
    if not pages:
        return
    arguments = []
    for text in pages.values():
        arguments += [text, jittered(ttl, spread, rng)]
    r.eval("for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i]) end",
           len(pages), *pages, *arguments)
