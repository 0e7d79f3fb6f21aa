def load_once(r, key, load, ttl, wait=5.0):
    deadline = monotonic() + wait
    token = secrets.token_urlsafe()
    while True:
        got_lock = r.set("lock:" + key, token, nx=True, px=10_000)
        text = r.get(key)
        if text is None and got_lock:
            try:
                text = json.dumps(load())
                r.set(key, text, px=int(1000 * ttl))
            except BaseException:
                release(r, "lock:" + key, token)
                raise
        if got_lock:
            release(r, "lock:" + key, token)
        if text is not None:
            return json.loads(text)
        if monotonic() >= deadline:
            raise TimeoutError("waited too long for " + key)
        sleep(0.01)


def release(r, lock, token):
    """WATCH makes the transaction fail if the lock changes hands after the look."""
    with r.pipeline() as pipeline:
        try:
            pipeline.watch(lock)
            if pipeline.get(lock) == token:
                pipeline.multi()
                pipeline.delete(lock)
                pipeline.execute()
        except redis.WatchError:
            pass
