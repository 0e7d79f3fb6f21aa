# caught by: after remember the set lives as long as the session
SESSION_SECONDS = 1800


def log_in(r, user_id, device):
    """Start a session of `user_id` on `device` (text) and return its token."""
    token = secrets.token_urlsafe(16)
    with r.pipeline() as pipeline:
        pipeline.hset(f"session:{token}", mapping={"user": user_id, "device": device})
        pipeline.expire(f"session:{token}", SESSION_SECONDS)
        pipeline.sadd(f"user:{user_id}:sessions", token)
        pipeline.expire(f"user:{user_id}:sessions", SESSION_SECONDS)
        pipeline.execute()
    return token


def read(r, token):
    """The session as a dict of text, or None. Starts its TTL again."""
    with r.pipeline() as pipeline:
        pipeline.expire(f"session:{token}", SESSION_SECONDS)
        pipeline.hgetall(f"session:{token}")
        alive, session = pipeline.execute()
    if not alive:
        return None
    r.expire(f"user:{session['user']}:sessions", SESSION_SECONDS)
    return session


def peek(r, token):
    """The session as a dict of text, or None. Leaves its TTL as it is."""
    return r.hgetall(f"session:{token}") or None


def remember(r, token, field, value):
    """Set a field (text) and start the TTL again. False, and nothing written, if there is no such session."""
    key = f"session:{token}"
    with r.pipeline() as pipeline:
        pipeline.expire(key, SESSION_SECONDS)
        pipeline.hget(key, "user")
        alive, user_id = pipeline.execute()
    if not alive:
        return False
    with r.pipeline() as pipeline:
        pipeline.hset(key, field, value)
        pipeline.expire(key, SESSION_SECONDS)
        pipeline.execute()
    return True


def log_out_everywhere(r, user_id):
    """End all sessions of the user; return how many were alive."""
    tokens = r.smembers(f"user:{user_id}:sessions")
    if not tokens:
        return 0
    with r.pipeline() as pipeline:
        pipeline.delete(*[f"session:{token}" for token in tokens])
        pipeline.srem(f"user:{user_id}:sessions", *tokens)
        alive, _ = pipeline.execute()
    return alive
