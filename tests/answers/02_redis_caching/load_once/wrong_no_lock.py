# caught by: 20 readers of a cold key load it once
def load_once(r, key, load, ttl, wait=5.0):
    text = r.get(key)
    if text is not None:
        return json.loads(text)
    value = load()
    r.set(key, json.dumps(value), ex=ttl)
    return value
