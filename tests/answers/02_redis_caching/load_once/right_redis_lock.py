def load_once(r, key, load, ttl, wait=5.0):
    """redis-py's own lock has a token and releases with a script."""
    started = monotonic()
    while True:
        text = r.get(key)
        if text is not None:
            return json.loads(text)
        lock = r.lock(f"lock:{key}", timeout=10)
        if lock.acquire(blocking=False):
            try:
                text = r.get(key)
                if text is None:
                    text = json.dumps(load())
                    r.set(key, text, ex=ttl)
                return json.loads(text)
            finally:
                try:
                    lock.release()
                except redis.exceptions.LockError:
                    pass  # it is someone else's by now
        if monotonic() - started >= wait:
            raise TimeoutError(key)
        sleep(0.01)
