# caught by: a reader finds the value while the lock is still held
def load_once(r, key, load, ttl, wait=5.0):
    from redis.exceptions import LockError
    kept = r.get(key)
    if kept is not None:
        return json.loads(kept)
    lock = r.lock(f"lock:{key}", timeout=10, sleep=0.01, blocking_timeout=wait)
    if not lock.acquire():
        raise TimeoutError(key)
    try:
        kept = r.get(key)
        if kept is not None:
            return json.loads(kept)
        value = load()
        r.set(key, json.dumps(value), ex=ttl)
        return value
    finally:
        try:
            lock.release()
        except LockError:
            pass
