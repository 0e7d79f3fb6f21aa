# caught by: a reader that gets the lock late releases it
RELEASE = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        return redis.call('DEL', KEYS[1])
    end
    return 0
"""


def load_once(r, key, load, ttl, wait=5.0):
    """The value under `key`; of all readers that miss it, one calls `load()` and keeps the value for `ttl` seconds.

    wait   seconds to wait for the value of another reader at most; then TimeoutError
    """
    release = r.register_script(RELEASE)
    lock = f"lock:{key}"
    token = secrets.token_hex(8)
    end = monotonic() + wait
    while (kept := r.get(key)) is None:
        if r.set(lock, token, nx=True, ex=10):
            kept = r.get(key)
            if kept is not None:
                return json.loads(kept)
            try:
                value = load()
                r.set(key, json.dumps(value), ex=ttl)
                return value
            finally:
                release(keys=[lock], args=[token])
        if monotonic() >= end:
            raise TimeoutError(f"nobody loaded {key} within {wait} seconds")
        sleep(0.01)
    return json.loads(kept)
