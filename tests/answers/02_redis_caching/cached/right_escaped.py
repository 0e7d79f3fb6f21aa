def _pack(value):
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, dict):
        packed = {name: _pack(part) for name, part in value.items()}
        return {"$dict": packed} if set(value) in ({"$datetime"}, {"$dict"}) else packed
    if isinstance(value, list):
        return [_pack(part) for part in value]
    return value


def _unpack(value):
    if isinstance(value, list):
        return [_unpack(part) for part in value]
    if isinstance(value, dict):
        if set(value) == {"$datetime"}:
            return datetime.fromisoformat(value["$datetime"])
        if set(value) == {"$dict"}:
            value = value["$dict"]
        return {name: _unpack(part) for name, part in value.items()}
    return value


def cached(r, key, load, ttl=3600, none_ttl=30):
    text = r.get(key)
    if text is None:
        value = load()
        r.set(key, json.dumps(_pack(value)), px=round(1000 * (none_ttl if value is None else ttl)))
        return value
    return _unpack(json.loads(text))


def update(r, key, change):
    try:
        return change()
    finally:
        r.delete(key)
