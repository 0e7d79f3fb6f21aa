# caught by: after an update the new answer is loaded
def cached(r, key, load, ttl=3600, none_ttl=30):
    """The answer kept under `key`, or that of `load()`, which is then kept for `ttl` seconds (`none_ttl` if it is None)."""
    text = r.get(key)
    if text is not None:
        return json.loads(text, object_hook=_from_json)
    value = load()
    r.set(key, json.dumps(value, default=_to_json), ex=none_ttl if value is None else ttl)
    return value


def update(r, key, change):
    """Call `change()`, make the cache forget `key`, and return what `change()` returned."""
    return change()


def _to_json(value):
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    raise TypeError(f"the cache cannot keep {value!r}")


def _from_json(fields):
    return datetime.fromisoformat(fields["$datetime"]) if fields.keys() == {"$datetime"} else fields
