# caught by: with wait=0.2 a reader gives up after about 0.2 seconds
def load_once(r, key, load, ttl, wait=5.0):
    """The value under `key`; of all readers that miss it, one calls `load()` and keeps the value for `ttl` seconds.

    wait   seconds to wait for the value of another reader at most; then TimeoutError
    """
    lock, token = f"lock:{key}", secrets.token_hex(8)
    deadline = monotonic() + wait
    while (text := r.get(key)) is None:
        if r.set(lock, token, nx=True, ex=10):
            try:
                if (text := r.get(key)) is not None:
                    break
                value = load()
                r.set(key, json.dumps(value), ex=ttl)
                return value
            finally:
                r.eval(RELEASE, 1, lock, token)
        if monotonic() > deadline + 2:
            raise TimeoutError(f"no value for {key} after {wait} s")
        sleep(0.01)
    return json.loads(text)


RELEASE = """
    if redis.call('GET', KEYS[1]) == ARGV[1] then
        return redis.call('DEL', KEYS[1])
    end
    return 0
"""
