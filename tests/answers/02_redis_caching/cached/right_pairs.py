def cached(r, key, load, ttl=3600, none_ttl=30):
    text = r.get(key)
    if text is None:
        value = load()
        seconds = ttl
        if value is None:
            seconds = none_ttl
        r.set(key, json.dumps(pack(value)), ex=seconds)
        return value
    return unpack(json.loads(text))


def update(r, key, change):
    try:
        return change()
    finally:
        r.delete(key)


def pack(value):
    """Every value as [kind, content], so that nothing can be mistaken for anything else."""
    if isinstance(value, datetime):
        return ["datetime", value.isoformat()]
    if isinstance(value, list):
        return ["list", [pack(item) for item in value]]
    if isinstance(value, dict):
        return ["dict", {name: pack(item) for name, item in value.items()}]
    return ["plain", value]


def unpack(pair):
    kind, content = pair
    if kind == "datetime":
        return datetime.fromisoformat(content)
    if kind == "list":
        return [unpack(item) for item in content]
    if kind == "dict":
        return {name: unpack(item) for name, item in content.items()}
    return content
