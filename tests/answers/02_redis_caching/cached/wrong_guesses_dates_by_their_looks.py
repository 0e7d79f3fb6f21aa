# caught by: text that looks like a date stays text
def cached(r, key, load, ttl=3600, none_ttl=30):
    """The answer kept under `key`, or that of `load()`, which is then kept for `ttl` seconds (`none_ttl` if it is None)."""
    text = r.get(key)
    if text is not None:
        return _guess(json.loads(text))
    value = load()
    r.set(key, json.dumps(value, default=str), ex=none_ttl if value is None else ttl)
    return value


def update(r, key, change):
    """Call `change()`, make the cache forget `key`, and return what `change()` returned."""
    result = change()
    r.delete(key)
    return result


def _to_json(value):
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    raise TypeError(f"the cache cannot keep {value!r}")


def _guess(value):
    if isinstance(value, dict):
        return {name: _guess(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_guess(item) for item in value]
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value
