def page(events, filter, size, after=None):
    """(at most `size` events that match, newest first; the token for the next page, or None after the last).

    Raises ValueError if `after` is neither None nor a token.
    """
    conditions = [filter]
    if after is not None:
        timestamp, _id = _read_token(after)
        conditions += [
            {"timestamp": {"$lte": timestamp}},
            {"$or": [{"timestamp": {"$lt": timestamp}}, {"timestamp": timestamp, "_id": {"$lt": _id}}]},
        ]
    newest_first = [("timestamp", DESCENDING), ("_id", DESCENDING)]
    found = list(events.find({"$and": conditions}).sort(newest_first).limit(size + 1))
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    return found[:size], f"{shopstream.to_millis(_aware(last['timestamp']))}_{last['_id']}"


def _read_token(token):
    millis, separator, _id = token.partition("_")
    if not separator or not _id:
        raise ValueError(f"{token!r} is no token of a page")
    return shopstream.from_millis(int(millis)), _id


def _aware(moment):
    """A client without tz_aware returns naive datetimes that mean UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
