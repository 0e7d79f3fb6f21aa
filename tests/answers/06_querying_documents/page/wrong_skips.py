# caught by: new events do not move the others
def page(events, filter, size, after=None):
    """(at most `size` events that match, newest first; the token for the next page, or None after the last)."""
    n = 0 if after is None else int(after)
    found = list(events.find(filter).sort([("timestamp", -1), ("_id", -1)]).skip(n).limit(size + 1))
    return found[:size], str(n + size) if len(found) > size else None
