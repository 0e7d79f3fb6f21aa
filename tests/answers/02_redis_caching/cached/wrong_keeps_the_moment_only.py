# caught by: the offset from UTC comes back
from datetime import timezone


def to_json(value):
    if isinstance(value, datetime):
        return {"$datetime": value.timestamp()}
    raise TypeError(f"a cache cannot hold {value!r}")


def from_json(fields):
    return datetime.fromtimestamp(fields["$datetime"], timezone.utc) if "$datetime" in fields else fields


def cached(r, key, load, ttl=3600, none_ttl=30):
    """The answer kept under `key`, or that of `load()`, which is then kept for `ttl` seconds (`none_ttl` if it is None)."""
    text = r.get(key)
    if text is not None:
        return json.loads(text, object_hook=from_json)
    answer = load()
    r.set(key, json.dumps(answer, default=to_json), ex=none_ttl if answer is None else ttl)
    return answer


def update(r, key, change):
    """Call `change()`, make the cache forget `key`, and return what `change()` returned."""
    result = change()
    r.delete(key)
    return result
