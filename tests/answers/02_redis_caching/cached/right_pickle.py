import base64
import pickle


def cached(r, key, load, ttl=3600, none_ttl=30):
    kept = r.get(key)
    if kept is not None:
        return pickle.loads(base64.b64decode(kept))
    answer = load()
    r.set(key, base64.b64encode(pickle.dumps(answer)), ex=none_ttl if answer is None else ttl)
    return answer


def update(r, key, change):
    r.delete(key)
    result = change()
    r.delete(key)
    return result
