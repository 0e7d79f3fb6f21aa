# caught by: the lock expires within 10 seconds if its owner dies
import threading

only_one = threading.Lock()


def load_once(r, key, load, ttl, wait=5.0):
    if not only_one.acquire(timeout=wait):
        raise TimeoutError(key)
    try:
        text = r.get(key)
        if text is not None:
            return json.loads(text)
        value = load()
        r.set(key, json.dumps(value), ex=ttl)
        return value
    finally:
        only_one.release()
