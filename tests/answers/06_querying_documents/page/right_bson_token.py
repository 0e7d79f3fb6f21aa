def page(events, filter, size, after=None):
    """(at most `size` events that match, newest first; the token for the next page, or None after the last)."""
    import base64
    import json

    wanted = [filter]
    if after is not None:
        try:
            millis, _id = json.loads(base64.b64decode(after, validate=True))
        except (ValueError, TypeError) as error:
            raise ValueError("not a token") from error
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
        wanted.append({"timestamp": {"$lte": moment}})
        wanted.append({"$nor": [{"timestamp": moment, "_id": {"$gte": _id}}]})
    cursor = events.find({"$and": wanted}, sort=[("timestamp", -1), ("_id", -1)], limit=size + 1)
    *found, = cursor
    if len(found) == size + 1:
        found.pop()
        moment = found[-1]["timestamp"]
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        millis = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        return found, base64.b64encode(json.dumps([millis, found[-1]["_id"]]).encode()).decode()
    return found, None
